"""Tests of benchmarks/compare with sides that compute nothing, and with our own in every part."""
import json
import math
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
BENCHMARKS = HERE.parents[2] / "benchmarks"
BIN = Path(os.environ["TENON_TEST_BIN"])
sys.path.insert(0, str(BENCHMARKS))

from rounds import Failed, compare_case, distance, statistics_of  # noqa: E402


def fake(ms=1.0, **settings):
    settings = {"check": [2.0, 1.0], "tolerance": 1e-4, "ms": ms} | settings
    return [sys.executable, HERE / "fake_worker.py", json.dumps(settings)]


def compared(ours, blocks=3, **peers):
    return compare_case("some_case", ours, peers, blocks, 0.001)


class Statistics(unittest.TestCase):
    def test_the_fastest_peer_counts(self):
        row = statistics_of([1.0, 1.0, 1.0], {"a": [3.0, 3.0, 3.0], "b": [2.0, 2.0, 2.0]})
        self.assertEqual((row["fastest"], row["ratio"], row["spread"]), ("b", 2.0, 0.0))
        self.assertEqual(row["peers"], {"a": 3.0, "b": 2.0})

    def test_a_machine_that_is_slow_for_a_while_is_slow_for_both(self):
        row = statistics_of([1.0, 9.0, 1.0], {"a": [2.0, 18.0, 19.0]})
        self.assertEqual((row["ours_ms"], row["peers"]["a"], row["ratio"]), (1.0, 18.0, 2.0))
        self.assertEqual(row["ratio_of_minima"], 2.0)

    def test_the_spread_is_that_of_the_ratios_quartiles(self):
        row = statistics_of([1.0] * 5, {"a": [1.0, 2.0, 4.0, 5.0, 9.0]})
        self.assertEqual((row["ratio"], row["quartiles"], row["spread"]), (4.0, [2.0, 5.0], 0.75))

    def test_without_peers_there_is_no_ratio(self):
        row = statistics_of([3.0, 1.0, 2.0], {})
        self.assertEqual((row["ours_ms"], row["fastest"], row["ratio"], row["spread"]), (2.0, None, None, None))


class Distance(unittest.TestCase):
    def test_is_in_parts_of_the_largest_number(self):
        self.assertEqual(distance([4.0, 1.0], [4.0, 1.0]), 0.0)
        self.assertEqual(distance([4.0, 1.0], [4.0, 2.0]), 0.25)
        self.assertEqual(distance([-1.0], [-4.0]), 0.75)
        self.assertEqual(distance([0.0], [0.0]), 0.0)

    def test_is_infinite_where_there_is_nothing_to_compare(self):
        for ours, theirs in ([], []), ([1.0], [1.0, 1.0]), ([math.nan], [math.nan]), ([math.inf], [math.inf]):
            self.assertEqual(distance(ours, theirs), math.inf)


class Case(unittest.TestCase):
    def test_a_row_has_what_was_measured(self):
        row = compared(fake(2.0), slow=fake(6.0), fast=fake(5.0, check=[2.0001, 1.0]))
        self.assertEqual((row["name"], row["ours_ms"]), ("some_case", 2.0))
        self.assertEqual(row["peers"], {"slow": 6.0, "fast": 5.0})
        self.assertEqual((row["fastest"], row["ratio"], row["spread"]), ("fast", 2.5, 0.0))
        self.assertEqual((row["missing"], row["refused"]), ({}, {}))
        self.assertTrue(all(1 < row["peak_mib"][side] < 1000 for side in ("ours", "slow", "fast")))

    def test_no_ratio_to_a_peer_that_computes_something_else(self):
        row = compared(fake(check=[2.0, 1.0]), peer=fake(5.0, check=[2.0003, 1.0]))
        self.assertEqual((row["peers"], row["ratio"]), ({}, None))
        self.assertIn("0.00015", row["refused"]["peer"])

    def test_our_tolerance_counts(self):
        row = compared(fake(tolerance=1e-2), peer=fake(5.0, check=[2.0003, 1.0], tolerance=0.0))
        self.assertEqual(row["ratio"], 5.0)

    def test_a_peer_that_cannot_is_missing_and_the_others_are_measured(self):
        row = compared(fake(), a=fake(missing="no such case here"), b=fake(dies="no torch"), c=fake(dies=7),
                       d=["/does/not/exist"], e=fake(4.0))
        self.assertEqual(row["peers"], {"e": 4.0})
        self.assertEqual(row["missing"]["a"], "no such case here")
        self.assertEqual(row["missing"]["b"], "ended with 1: no torch")
        self.assertEqual(row["missing"]["c"], "ended with 7: without a word")
        self.assertIn("can't be started", row["missing"]["d"])

    def test_a_peer_that_fails_on_the_way_is_missing(self):
        row = compared(fake(), a=fake(0.1, dies_in_round=2), b=fake(4.0), c=["/bin/echo", "Hello!"])
        self.assertEqual((row["peers"], row["fastest"]), ({"b": 4.0}, "b"))
        self.assertEqual(row["missing"], {"a": "ended with 1: out of memory",
                                          "c": "can't be understood: Hello! some_case"})

    def test_our_own_failure_is_one(self):
        for ours, why in (fake(dies="no device"), "no device"), (fake(dies_in_round=2), "out of memory"):
            with self.assertRaisesRegex(Failed, f"ended with 1: {why}"):
                compared(ours, peer=fake())

    def test_one_side_runs_at_a_time_and_each_as_often(self):
        with tempfile.TemporaryDirectory() as folder:
            log = f"{folder}/log"
            compared(fake(1.0, log=log), blocks=4, a=fake(2.0, log=log), b=fake(3.0, log=log))
            lines = [line.split() for line in Path(log).read_text().splitlines()]
        self.assertEqual([word for word, _ in lines], ["begin", "end"] * 15)
        self.assertEqual([side for _, side in lines[::2]], [side for _, side in lines[1::2]])
        for begin in range(0, 30, 6):
            self.assertEqual({side for _, side in lines[begin:begin + 6]}, {"1.0", "2.0", "3.0"})


class Command(unittest.TestCase):
    """benchmarks/compare itself, with a Python that is none."""

    def run_it(self, *arguments, python="exit 1"):
        with tempfile.TemporaryDirectory() as folder:
            peer = Path(folder) / "python"
            peer.write_text(f"#!/bin/sh\n{python}\n")
            peer.chmod(0o755)
            command = [sys.executable, "-B", BENCHMARKS / "compare", "--bin", BIN, "--blocks=2", "--seconds=0.001",
                       f"--peer-python={peer}", *arguments]
            return subprocess.run(command, capture_output=True, text=True)

    def test_an_unknown_case_lists_those_there_are(self):
        done = self.run_it("add_one", "nonsense")
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, "no case nonsense; there are .*mlp_sgd_f32.*add_16m")

    def test_wrong_numbers_are_refused(self):
        for option in "--blocks=0", "--seconds=0", "--seconds=nan":
            done = self.run_it(option)
            self.assertEqual(done.returncode, 2)
            self.assertIn("--blocks and --seconds are above 0", done.stderr)

    def test_a_missing_environment_names_what_makes_it(self):
        done = self.run_it("--peer-python=/does/not/exist")
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, "/does/not/exist is missing: run benchmarks/peers/setup.*--peer-python")

    def test_ourselves_as_the_peer(self):
        done = self.run_it("linreg_step", "--json", python=f'for case; do :; done; exec {BIN}/tenon_bench_peer "$case"')
        self.assertEqual(done.returncode, 0, done.stderr)
        (row,) = json.loads(done.stdout)["cases"]
        self.assertEqual(row["name"], "linreg_step")
        self.assertEqual(set(row["peers"]), {"pytorch", "pytorch-compile", "jax"})
        self.assertGreater(row["ours_ms"], 0)
        self.assertGreater(row["ratio"], 0)
        self.assertGreaterEqual(row["spread"], 0)
        self.assertIn("onednn", row["missing"])

    def test_other_losses_are_refused(self):
        done = self.run_it("linreg_step", python="echo '{\"check\": [0.44, 0.43, 0.41, 0.40, 0.3]}'; cat")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"linreg_step +[\d.]+ \w+ +refused +refused +refused +- +- +- +-\n")
        self.assertIn("jax is refused: its check is", done.stderr)


if __name__ == "__main__":
    unittest.main()

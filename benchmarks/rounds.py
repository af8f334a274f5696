"""How one case is measured: a process for each side, blocks of repetitions in turns.

Every side makes the case's work, says by its check what it computes, and then waits on its stdin: only the one
whose turn it is runs. A round is a block of each side in an order drawn anew; the ratio is the median over
rounds, so that a machine that is slow for a while is slow for both.
"""
import json
import math
import random
import statistics
import subprocess
import tempfile
import time

REST = 0.01  # seconds in which the threads of the last side stop to spin


class Failed(Exception):
    """A side can't do the case; the text says why."""


class Side:
    def __init__(self, command, case):
        self.times, self.log = [], tempfile.TemporaryFile("w+")
        try:
            self.process = subprocess.Popen([*command, case], text=True, stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=self.log)
        except OSError as error:
            self.log.close()
            raise Failed(f"can't be started: {error}") from None
        try:
            self.ready = self.answer(json.loads)
            if "missing" in self.ready:
                raise Failed(self.ready["missing"])
        except BaseException:
            self.close()
            raise

    def answer(self, parse):
        line = self.process.stdout.readline()
        if not line:
            code = self.process.wait()
            self.log.seek(0)
            said = self.log.read().strip().splitlines() or ["without a word"]
            raise Failed(f"ended with {code}: {said[-1]}")
        try:
            return parse(line)
        except ValueError:
            raise Failed(f"can't be understood: {line.strip()}") from None

    def block(self, seconds):
        """Adds the milliseconds of a repetition, over a block of at least `seconds`."""
        try:
            self.process.stdin.write(f"{seconds}\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # the answer says why
        count, spent = self.answer(lambda line: map(float, line.split()))
        self.times.append(1000 * spent / count)

    def peak_mib(self):
        """The most memory that the process has had."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.log.close()
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass


def distance(ours, theirs):
    """Between two checks, in parts of the largest number; infinite where they can't be compared."""
    numbers = [*ours, *theirs]
    if not ours or len(ours) != len(theirs) or not all(map(math.isfinite, numbers)):
        return math.inf
    largest = max(map(abs, numbers))
    return max(abs(a - b) for a, b in zip(ours, theirs)) / largest if largest else 0.0


def started(peers, ours, case):
    """The sides that do the case as ours does, why others can't, and what others differ by."""
    sides, missing, refused = {}, {}, {}
    for name, command in peers.items():
        try:
            side = Side(command, case)
        except Failed as error:
            missing[name] = str(error)
            continue
        apart, allowed = distance(ours.ready["check"], side.ready["check"]), ours.ready["tolerance"]
        if apart <= allowed:
            sides[name] = side
        else:
            side.close()
            refused[name] = f"its check is {apart:.2g} from ours, where {allowed:g} is allowed"
    return sides, missing, refused


def run_rounds(sides, blocks, seconds):
    """One more round than `blocks`: in the first, which does not count, memory settles. Returns why sides
    failed on the way; ours may not."""
    failed = {}
    for _ in range(blocks + 1):
        for name in random.sample(sorted(sides.keys() - failed.keys()), len(sides) - len(failed)):
            try:
                sides[name].block(seconds)
            except Failed as error:
                if name == "ours":
                    raise
                failed[name] = str(error)
            time.sleep(REST)
    for side in sides.values():
        del side.times[:1]
    return failed


def statistics_of(ours, peers):
    """Of milliseconds by round: medians, and the fastest peer's ratio to ours."""
    medians = {name: statistics.median(times) for name, times in peers.items()}
    row = {"ours_ms": statistics.median(ours), "peers": medians, "fastest": None, "ratio": None,
           "spread": None}
    if medians:
        fastest = min(medians, key=medians.get)
        ratios = [theirs / own for theirs, own in zip(peers[fastest], ours)]
        ratio = statistics.median(ratios)
        low, _, high = statistics.quantiles(ratios, method="inclusive") if len(ratios) > 1 else ratios * 3
        row |= {"fastest": fastest, "ratio": ratio, "spread": (high - low) / ratio,
                "quartiles": [low, high], "ratio_of_minima": min(peers[fastest]) / min(ours)}
    return row


def compare_case(case, ours, peers, blocks, seconds):
    """The row of one case; `ours` and the values of `peers` are commands. Failed where ours can't do it."""
    sides = {"ours": Side(ours, case)}
    try:
        agreeing, missing, refused = started(peers, sides["ours"], case)
        sides |= agreeing
        failed = run_rounds(sides, blocks, seconds)
        done = {name: side for name, side in sides.items() if name not in failed}
        times = {name: side.times for name, side in done.items()}
        return {"name": case, **statistics_of(times.pop("ours"), times),
                "peak_mib": {name: side.peak_mib() for name, side in done.items()},
                "missing": missing | failed, "refused": refused}
    finally:
        for side in sides.values():
            side.close()

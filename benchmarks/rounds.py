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
            self.ready = json.loads(self.answer())
            if "missing" in self.ready:
                raise Failed(self.ready["missing"])
        except BaseException:
            self.close()
            raise

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            code = self.process.wait()
            self.log.seek(0)
            said = self.log.read().strip().splitlines() or ["without a word"]
            raise Failed(f"ended with {code}: {said[-1]}")
        return line

    def block(self, seconds):
        """Adds the milliseconds of a repetition, over a block of at least `seconds`."""
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        count, spent = self.answer().split()
        self.times.append(1000 * float(spent) / int(count))

    def peak_mib(self):
        """The most memory that the process has had."""
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))

    def close(self):
        self.process.kill()
        self.process.wait()
        for file in self.process.stdin, self.process.stdout, self.log:
            file.close()


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
    """And one before them, in which memory settles."""
    for _ in range(blocks + 1):
        for side in random.sample(sides, len(sides)):
            side.block(seconds)
            time.sleep(REST)
    for side in sides:
        del side.times[0]


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
    own, sides = Side(ours, case), {}
    try:
        sides, missing, refused = started(peers, own, case)
        run_rounds([own, *sides.values()], blocks, seconds)
        row = statistics_of(own.times, {name: side.times for name, side in sides.items()})
        peak = {"ours": own.peak_mib(), **{name: side.peak_mib() for name, side in sides.items()}}
        return {"name": case, **row, "peak_mib": peak, "missing": missing, "refused": refused}
    finally:
        for side in own, *sides.values():
            side.close()

"""What the workers beside this one share: the protocol and the inputs of benchmarks/worker/worker.h."""
import json
import sys
import time

import numpy as np

TIMED_RATE = 1e-6  # of learning, after the steps whose losses are checked
LOOK_AFTER = 0.01  # seconds of repetitions between two looks at the clock


class Missing(Exception):
    """The case is none of this peer's; the text says why."""


def hashes(stream, count):
    x = np.arange(1, count + 1, dtype=np.uint32)
    x *= np.uint32(0x9E3779B1)
    x += np.uint32(stream * 0x85EBCA77 & 0xFFFFFFFF)
    for shift, factor in (15, 0x2C1B3C6D), (12, 0x297A2D39):
        x ^= x >> np.uint32(shift)
        x *= np.uint32(factor)
    x ^= x >> np.uint32(15)
    return x


def values(stream, *shape, scale=1):
    """Numbers in [-scale, scale), f32."""
    x = (hashes(stream, int(np.prod(shape))) >> np.uint32(8)).astype(np.float32)
    x *= np.float32(2**-23)
    x -= np.float32(1)
    x *= np.float32(scale)
    return x.reshape(shape)


def integers(stream, count, bound):
    """Integers in [0, bound), i64."""
    return (hashes(stream, count) % np.uint32(bound)).astype(np.int64)


def probes(elements):
    """The mean size of the elements, and eight of them from the first to the last."""
    flat = np.asarray(elements, dtype=np.float32).reshape(-1)
    places = [k * (flat.size - 1) // 7 for k in range(8)]
    return [float(np.abs(flat).mean(dtype=np.float64)), *map(float, flat[places])]


def moments(elements):
    """The mean size and the mean square: all that can agree where elements are drawn by chance."""
    x = np.asarray(elements, dtype=np.float64)
    return [float(np.abs(x).mean()), float((x * x).mean())]


def repeat(f):
    def run(count):
        for _ in range(count):
            f()

    return run


def seconds_of(run, count):
    begin = time.perf_counter()
    run(count)
    return time.perf_counter() - begin


def count_between_looks(run):
    count = 1
    while seconds_of(run, count) < LOOK_AFTER:
        count *= 2
    return count


def block(run, count, least):
    """Repetitions and seconds, at least `least` of these."""
    run(count)  # threads wake up, caches fill again
    done, spent = 0, 0.0
    while spent < least:
        spent += seconds_of(run, count)
        done += count
    return done, spent


def serve(cases, name, *arguments):
    """Makes the named case with `arguments`, prints its check, and runs blocks until stdin ends."""
    try:
        if name not in cases:
            raise Missing("no such case here")
        run, check = cases[name](*arguments)
        count = count_between_looks(run)
    except Exception as error:  # whatever a peer can't do is a line of the report
        kind = "" if isinstance(error, Missing) else f"{type(error).__name__}: "
        print(json.dumps({"missing": f"{kind}{error}"}), flush=True)
        return
    print(json.dumps({"check": check}), flush=True)
    for line in sys.stdin:
        print("%d %.9f" % block(run, count, float(line)), flush=True)

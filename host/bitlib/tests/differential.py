#!/usr/bin/env python3
"""Compares what libBitLib answers with what another library of the same interface does, call by call.

For whoever has the vendor's library at hand; it is not part of this project. Both are opened without a device, as
NIL:BS000501, each in a process of its own: in a network namespace of its own and with 2 GB of memory.

    tests/differential.py OURS/libBitLib.so THEIRS/libBitLib.so [--calls 100000] [--seed 1]

Prints a table: each call, how often it was made, and how often both answered alike, otherwise for a known reason, and
otherwise. The reason of a rate, size or time is known if both answers are those that `timebase.py` expects. The vendor's
library does not always answer the same: a session with a difference of unknown reason is asked again, up to three times, and a
difference that is not there again counts as that. Exits with 1 if there is one without a reason. Ctrl-C ends it with the table so far.
"""

import argparse
import collections
import ctypes
import json
import math
import os
import random
import signal
import subprocess
import sys
import time

from timebase import CLOCK_HZ, STREAM, Timebase, same

INT, REAL = ctypes.c_int, ctypes.c_double
CALLS = {
    "Mode": (INT, INT), "Rate": (REAL, REAL), "Size": (INT, INT), "Time": (REAL, REAL), "Range": (REAL, INT),
    "Offset": (REAL, REAL), "Intro": (REAL, REAL), "Delay": (REAL, REAL), "Select": (INT, INT, INT), "Count": (INT, INT),
    "Coupling": (INT, INT), "Enable": (INT, INT), "Index": (INT, INT), "Trigger": (INT, REAL, INT), "State": (INT,),
    "Error": (INT,), "Halt": (INT,),
}  # fmt: skip
SESSION = 250
# The one rate that streams report.
STREAM_RATE = CLOCK_HZ / 16384
STREAMED = "a stream has the size that was asked for, and one rate"
# How far a stream of the vendor's library is off what was asked for, as a part and in samples.
STREAM_TOLERANCE, STREAM_SAMPLES = 0.02, 2
UNSTEADY = "the vendor's library answers otherwise when it is asked again"
AGAIN = 3


def serve(path):
    """Answers sessions, one a line: lists of calls. As the process of one library."""
    library = ctypes.CDLL(path)
    functions = {}
    for name, (result, *arguments) in CALLS.items():
        function = getattr(library, "BL_" + name)
        function.restype, function.argtypes = result, arguments
        functions[name] = function
    for line in sys.stdin:
        assert library.BL_Open(b"NIL:BS000501", 1) == 1
        # The vendor's library changes rate and size by itself for some time, longer on a busy machine.
        time.sleep(0.5)
        print(json.dumps([functions[name](*arguments) for name, *arguments in json.loads(line)]), flush=True)
        # Another session in the same process would begin as this one ended.
        return


def answers(path, calls):
    command = [sys.executable, __file__, "--serve", path]
    isolated = ["unshare", "-rn", "sh", "-c", 'ip link set lo up; ulimit -v 2000000; exec "$@"', "sh", *command]
    try:
        done = subprocess.run(isolated, input=json.dumps(calls) + "\n", capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired:
        return None
    return json.loads(done.stdout) if done.stdout else None


def one_call(rng, state):
    """A call that the vendor's library survives: below -1 it does not take modes and selections, and long times it answers out
    of its memory."""
    name = rng.choice([
        "Mode", "Rate", "Rate", "Rate", "Size", "Size", "Size", "Time", "Time", "Range", "Range", "Offset", "Offset", "Intro",
        "Delay", "Select", "Select", "Select", "Count", "Coupling", "Enable", "Enable", "Index", "Trigger", "State", "Error",
        "Halt",
    ])  # fmt: skip
    real = lambda low, high: 10 ** rng.uniform(low, high)
    if name == "Mode":
        state["mode"] = rng.choice([-1, 0, 0, 1, 1, 2, 2, 3, 3, 4, 9])
        return [name, state["mode"]]
    if name == "Rate":
        return [name, rng.choice([-1, 0, 1e6, 15e6, 44100, 1000, real(3.5, 8), real(3.5, 7), float(round(real(3.5, 7)))])]
    if name == "Size":
        return [name, rng.choice([-1, 0, 1000, 12288, 6144, rng.randint(1, 6144), rng.randint(1, 40000)])]
    if name == "Time":
        return [name, rng.choice([-1, 0, 1e-3, 5e-3, 0.1, real(-6, -0.5)])]
    if name == "Select":
        what = rng.choice([0, 1, 1, 1, 2, 3])
        return [name, what, rng.choice([-1, 0] if what == 0 else [-1, 0, 0, 1, 1, 2, 4, 5, 11, 12, 20] if what == 1 else range(-1, 7))]
    if name in ("Intro", "Delay"):
        return [name, rng.choice([-1, 0, 1e-3, real(-6, 0), -5])]
    if name == "Offset":
        return [name, rng.choice([0, -1, 1, 1000, -1000, rng.uniform(-12, 12)])]
    if name == "Trigger":
        return [name, rng.choice([0, 1.5, rng.uniform(-10, 10), math.inf]), rng.randint(-1, 6)]
    arguments = {
        "Range": range(-2, 7), "Count": range(-1, 6), "Coupling": range(-1, 4), "Enable": [0, 1, 1], "Index": [0, 5, 100],
        "State": [], "Error": [], "Halt": [],
    }[name]  # fmt: skip
    return [name, rng.choice(list(arguments))] if arguments else [name]


def streamed(name, one, other):
    """Whether both are answers to a call in STREAM."""
    size = {"Size": 1, "Time": STREAM_RATE}.get(name)
    if size is None:
        return name == "Rate" and one == STREAM_RATE and abs(other - one) <= STREAM_TOLERANCE * one
    return abs(other - one) <= max(STREAM_TOLERANCE * one, STREAM_SAMPLES / size)


def verdicts(calls, ours, theirs):
    """Of each call: "" for answers that are alike, why they differ, or None where that is not known."""
    own, vendor = Timebase(oddities=False), Timebase(oddities=True)
    for call, one, other in zip(calls, ours, theirs):
        name = call[0]
        is_expected = [own.answers(call, one), vendor.answers(call, other)]
        if same(one, other):
            yield ""
        elif own.mode == STREAM:
            yield STREAMED if streamed(name, one, other) else None
        elif name in ("Rate", "Size", "Time") and all(is_expected):
            # Where the answer itself is as expected, an earlier one was not.
            yield vendor.reason or "what it depends on was answered otherwise before"
        else:
            yield None


def judged(calls, ours, ask):
    """As `verdicts`, with the vendor's library asked until nothing is without a reason; None if it did not survive."""
    theirs = ask()
    if theirs is None:
        return None, None
    found = list(verdicts(calls, ours, theirs))
    for _ in range(AGAIN):
        if None not in found:
            break
        again = ask()
        if again is not None:
            steady = list(verdicts(calls, ours, again))
            found = [UNSTEADY if one is None and other is not None else one for one, other in zip(found, steady)]
    return found, theirs


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("libraries", nargs=2, metavar="LIBRARY")
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--show", type=int, default=10, help="how many unexplained differences to print")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    made, alike, explained, unexplained = (collections.Counter() for _ in range(4))
    reasons, lost = collections.Counter(), 0
    # Ctrl-C or a time limit from outside: what there is so far is printed.
    stopped = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.append(True))
    while sum(made.values()) < options.calls and not stopped:
        state = {}
        calls = [one_call(rng, state) for _ in range(SESSION)]
        ours = answers(options.libraries[0], calls)
        assert ours is not None, calls
        found, theirs = judged(calls, ours, lambda: answers(options.libraries[1], calls))
        if found is None:
            lost += 1
            if lost > 10 and not made:
                sys.exit("the second library answers no session")
            continue
        for at, (name, *_) in enumerate(calls):
            made[name] += 1
            if found[at] is None:
                unexplained[name] += 1
                if sum(unexplained.values()) <= options.show:
                    print("differs:", calls[max(0, at - 6) : at + 1], "ours", ours[at], "theirs", theirs[at], flush=True)
            elif found[at]:
                explained[name] += 1
                reasons[name, found[at]] += 1
            else:
                alike[name] += 1
    print(f"seed {options.seed}: {sum(made.values())} calls; {lost} sessions did not survive in the second library")
    print(f"{'call':10} {'made':>8} {'alike':>8} {'explained':>9} {'not':>6}")
    for name in sorted(made):
        print(f"{name:10} {made[name]:8} {alike[name]:8} {explained[name]:9} {unexplained[name]:6}")
    for (name, reason), count in reasons.most_common():
        print(f"{count:8} {name}: {reason}")
    return 1 if unexplained else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2])
    else:
        sys.exit(main())

#!/usr/bin/env python3
"""Compares what libBitLib answers with what another library of the same interface does, call by call.

For whoever has the vendor's library at hand; it is not part of this project. Both are opened without a device, as
NIL:BS000501, each in a process of its own: in a network namespace of its own and with 2 GB of memory.

    tests/differential.py OURS/libBitLib.so THEIRS/libBitLib.so [--calls 100000] [--seed 1]

Prints a table: each call, how often it was made, and how often both answered alike, alike but for a difference that has an
explanation, and otherwise. Exits with 1 if there is one without. Ctrl-C ends it with the table so far.
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

INT, REAL = ctypes.c_int, ctypes.c_double
CALLS = {
    "Mode": (INT, INT), "Rate": (REAL, REAL), "Size": (INT, INT), "Time": (REAL, REAL), "Range": (REAL, INT),
    "Offset": (REAL, REAL), "Intro": (REAL, REAL), "Delay": (REAL, REAL), "Select": (INT, INT, INT), "Count": (INT, INT),
    "Coupling": (INT, INT), "Enable": (INT, INT), "Index": (INT, INT), "Trigger": (INT, REAL, INT), "State": (INT,),
    "Error": (INT,), "Halt": (INT,),
}  # fmt: skip
SESSION = 250
# 40 MHz / 16384: the one rate that streams report.
STREAM_RATE = 2441.40625


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


def same(one, other):
    if math.isnan(one) or math.isnan(other):
        return math.isnan(one) and math.isnan(other)
    return one == other or abs(one - other) <= 1e-9 * max(abs(one), abs(other))


def gap(rate):
    return any(abs(40e6 / ticks - rate) < 1 for ticks in (6, 7))


def explain(calls, ours, theirs, at, mode):
    """Why the answers to one call differ; None if that is not known."""
    name, *arguments = calls[at]
    one, other = ours[at], theirs[at]
    if mode == 4 and (name == "Size" and one == arguments[0] or name == "Rate" and one == STREAM_RATE):
        return "a stream has the size that was asked for, and one rate"
    if name in ("Rate", "Time", "Size") and any(call[0] == "Intro" and call[1] > 0 for call in calls[:at]) and limited(
        calls, theirs, at
    ):
        return "behind an intro the vendor's library has no rates without pre-trigger samples"
    if name in ("Rate", "Time", "Size") and any(gap(rate) for rate in state_rates(calls, theirs, at)):
        return "6 and 7 ticks: no mode has them"
    if name in ("Size", "Time") and abs(one - other) <= 0.026 * max(one, other):
        return "the vendor's library rounds the last bit of a period up to the next clock"
    if name == "Rate" and other > 0 and same(other, 1e6 / math.ceil(1e6 / one - 1e-9)):
        return "the vendor's library rounds the last bit of a period up to the next clock"
    if name == "Size" and arguments[0] > 6144 and any(
        # So many samples at the rate as it is last as long as `other` samples of 6 or 7 ticks.
        abs(other - arguments[0] * 40e6 / rate / ticks) < 1 for rate in [*state_rates(calls, theirs, at)[:1], 20e6] for ticks in (6, 7) if rate > 0
    ):
        return "6 and 7 ticks: no mode has them"
    if name in ("Size", "Time", "Rate") and arguments[0] == -1 and differed_before(calls, ours, theirs, at):
        return "what it asks for was answered otherwise before"
    return None


def differed_before(calls, ours, theirs, at):
    """Whether rate, size or time were answered otherwise since the mode was set."""
    for (name, *_), one, other in zip(reversed(calls[:at]), reversed(ours[:at]), reversed(theirs[:at])):
        if name in ("Size", "Time", "Rate") and not same(one, other):
            return True
        if name == "Mode" and one >= 0:
            return False
    return False


def limited(calls, answers_, at):
    """Whether a rate was asked for that is beyond those with samples from before the trigger, and another was answered."""
    slowest = 2.4e6
    return any(rate >= slowest for rate in state_rates(calls, answers_, at)[:1])


def state_rates(calls, answers_, at):
    """The rates that were answered last."""
    rates = []
    for (name, *_), answer in zip(reversed(calls[: at + 1]), reversed(answers_[: at + 1])):
        if name == "Rate":
            rates.append(answer)
        if name == "Mode" or len(rates) == 3:
            break
    return rates


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
        ours, theirs = (answers(path, calls) for path in options.libraries)
        assert ours is not None, calls
        if theirs is None:
            lost += 1
            if lost > 10 and not made:
                sys.exit("the second library answers no session")
            continue
        mode = 0
        for at, (name, *arguments) in enumerate(calls):
            if name == "Mode" and ours[at] >= 0:
                mode = ours[at]
            made[name] += 1
            if same(ours[at], theirs[at]):
                alike[name] += 1
            elif reason := explain(calls, ours, theirs, at, mode):
                explained[name] += 1
                reasons[name, reason] += 1
            else:
                unexplained[name] += 1
                if sum(unexplained.values()) <= options.show:
                    print("differs:", calls[max(0, at - 6) : at + 1], "ours", ours[at], "theirs", theirs[at])
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

"""The interpreter exits in the middle of anything: no abort, generators off, the scope at rest."""

import os
import re

import pytest
from conftest import finish

RUNS = int(os.environ.get("SCOPETHING_EXIT_RUNS", "1"))
"""How often each of these is done; more by hand."""

# What is done, and what the device has been sent when that has begun.
MIDDLES = {
    "a capture in a daemon thread": ("start(lambda: scope.capture('A', low=0, high=3, trigger_level=2))", (b"D", 1)),
    "captures one after the other": ("start(lambda: [scope.capture('A', timeout=0) for _ in iter(int, 1)])", (b"D", 5)),
    "a thread that waits for its turn": (
        """
start(lambda: scope.capture('A', low=0, high=3, trigger_level=2))
start(lambda: scope.capture('A', timeout=0))
while not scope._connection.queued:
    time.sleep(1e-3)""",
        (b"D", 1),
    ),
    "a waveform": ("scope.start_waveform('1kHz')", (b"46@02z", 1)),
    "a clock and a capture": (
        "scope.start_clock('1kHz'); start(lambda: scope.capture('A', low=0, high=3, trigger_level=4))",
        (b"D", 1),
    ),
    "held lines": ("scope.hold({'L3': 1})", (b"46@03z", 1)),
    "a stream that is iterated over": ("stream = scope.stream('A', '10kHz'); start(lambda: list(stream))", (b"T", 1)),
    "a stream that nobody reads": ("stream = scope.stream('A', '10kHz'); next(stream)", (b"T", 1)),
    "a calibration": ("start(lambda: scope.calibrate(save=False))", (b"D", 5)),
    "a coroutine": (
        """
async def main():
    other = await aio.connect(sys.argv[1])
    asyncio.ensure_future(other.capture('A', low=0, high=3, trigger_level=2))
    await asyncio.to_thread(sys.stdin.readline)
scope.close()
asyncio.run(main())""",
        (b"D", 1),
    ),
    # The child leaves as any program does, and the device alone.
    "a child process has left": (
        """
import os, warnings
stream = scope.stream('A', '10kHz')
next(stream)
warnings.simplefilter('ignore', DeprecationWarning)  # Of forks beside threads.
child = os.fork()
if child == 0:
    sys.exit()
assert os.waitpid(child, 0)[1] == 0
# A second of it: more than can have been waiting.
for _ in range(10):
    next(stream)""",
        (b"T", 1),
    ),
    "connecting": ("scope.close(); start(lambda: scopething.connect(sys.argv[1]))", (b"!", 2)),
}

PROGRAM = """
import asyncio, logging, sys, threading, time
import scopething
from scopething import aio

# Why the trigger does not come, which a computer that is busy has the time for.
logging.getLogger("scopething").setLevel(logging.ERROR)
scope = scopething.connect(sys.argv[1])

def start(what):
    def run():
        try:
            what()
        except scopething.Error:
            pass
    threading.Thread(target=run, daemon=True).start()

{middle}
sys.stdin.readline()
{leave}
"""

LEAVES = {"the end": "", "sys.exit": "sys.exit(0)", "an exception": "raise SystemExit"}


def last(pattern, sent):
    """Where a pattern ends that comes last; -1 if it does not come."""
    return max((found.end() for found in re.finditer(pattern, sent, re.DOTALL)), default=-1)


def assert_at_rest(sent):
    """A device that was sent these bytes neither traces, nor streams, nor generates.

    D begins a trace and T a stream; K ends either, and A reads a trace that has ended. Register 46 is the command of the
    generator: 2 plays a waveform, 3 runs clocks, and 1 stops what runs, when Z comes. A reset, !, ends everything.
    """
    reset = last(rb"!", sent)
    assert max(last(rb"[KA]", sent), reset) >= last(rb"[DT]", sent), sent
    assert max(last(rb"46@01z[^Z]*Z", sent), reset) >= last(rb"46@0[23]z", sent), sent


def test_the_judge_knows_what_runs():
    for running in (b"!?D", b"!?K46@02zZ", b"!?T", b"!46@03zZ46@01z"):
        with pytest.raises(AssertionError):
            assert_at_rest(running)
    for resting in (b"!?", b"!?DK", b"!?DA", b"!?46@03zZ46@01z99@[zUZ", b"!?DT!?"):
        assert_at_rest(resting)


# One way to leave is enough for most of them.
CASES = [
    (leave, middle) for leave in LEAVES for middle in MIDDLES
    if leave == "the end" or middle in ("a capture in a daemon thread", "a waveform")
]  # fmt: skip


def begin(program, proxy, middle, leave, options=()):
    """Starts a program, and waits until it is in the middle of it. It leaves when its input ends."""
    source, (word, count) = MIDDLES[middle]
    process = program(PROGRAM.format(middle=source, leave=leave), proxy.url, options=options)
    proxy.wait(lambda proxy: proxy.sent.count(word) >= count)
    return process


@pytest.mark.parametrize("leave, middle", CASES)
def test_exit(program, recorded, middle, leave):
    for _ in range(RUNS):
        # A calibration needs inputs that see the clock, as they do by themselves.
        proxy = recorded() if middle == "a calibration" else recorded(A="dc 1V")
        process = begin(program, proxy, middle, LEAVES[leave], ["-X", "dev"])
        _, errors = finish(process)
        # Development mode reports what was not closed when it is collected, but not what lives until the end.
        assert errors.replace("\n", "") == "" or "ResourceWarning" in errors, errors
        assert "Fatal" not in errors and "Traceback" not in errors, errors
        proxy.wait(lambda proxy: proxy.clients == 0)
        assert_at_rest(bytes(proxy.sent))

"""Why a trigger does not come reaches whoever waits: by the log, and by a property."""

import asyncio
import logging
import threading
import time

import pytest
from conftest import TIMEOUT_S, finish, interrupt

import scopething
from scopething import aio

NEVER = dict(low=0, high=3, trigger_level=2)
REASON = "waiting for A rising through 2.00 V: A stays at 1.00 V, the trigger is at 2.00 V: give another trigger_level"


class LogRecords(logging.Handler):
    """What was logged, by level."""

    def __init__(self):
        super().__init__(logging.INFO)
        self.records = []
        self._logger = logging.getLogger("scopething")
        self._level = self._logger.level
        self._changed = threading.Condition()

    def __enter__(self):
        self._logger.addHandler(self)
        self._logger.setLevel(logging.INFO)
        return self

    def __exit__(self, *_):
        self._logger.removeHandler(self)
        self._logger.setLevel(self._level)

    def emit(self, record):
        with self._changed:
            self.records.append((record.levelname, record.getMessage()))
            self._changed.notify_all()

    def wait(self, count):
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.records) >= count, TIMEOUT_S), self.records


class Capturing(threading.Thread):
    """A capture on a thread of its own, which ends it."""

    def __init__(self, scope, **arguments):
        super().__init__()
        self.scope, self.arguments, self.cause = scope, arguments, None

    def run(self):
        self.cause = self.scope.capture("A", **self.arguments).cause

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        while self.is_alive():
            self.scope.cancel()
            self.join(0.05)
        assert self.cause == "cancel"


@pytest.fixture
def scope(simulated_scope):
    # Its time runs ahead where nothing happens: three seconds are over at once.
    return simulated_scope(A="dc 1V", clock="fast")


def test_the_reason_is_logged_and_can_be_asked_for(scope):
    assert scope.waiting is None
    with LogRecords() as logged:
        with Capturing(scope, **NEVER):
            logged.wait(1)
            waiting = scope.waiting
        assert waiting is not None and waiting.startswith(REASON) and "Ctrl-C" in waiting
        assert logged.records == [("WARNING", waiting)]
        assert scope.waiting is None
        # Whoever has cancelled it and asks again is answered again.
        with Capturing(scope, **NEVER):
            logged.wait(2)
        assert logged.records[1] == logged.records[0]


def test_a_wait_without_a_known_reason_is_no_warning(scope):
    with LogRecords() as logged:
        # What a fraction of the input span is in volts is the probe's affair.
        with Capturing(scope, raw=True, low=0.3, high=0.6, trigger_level=0.9):
            logged.wait(1)
        assert logged.records == [("INFO", "waiting for A rising through 0.9 of the input span")]


def test_captures_that_follow_warn_once_at_most(simulated_scope):
    # Rises through the level every 30 s of the device's time: each capture waits longer than it takes to look.
    scope = simulated_scope(A="square 0.0333Hz 0..3V", clock="fast")
    with LogRecords() as logged:
        causes = [scope.capture("A", **NEVER).cause for _ in range(3)]
    assert causes == ["trigger"] * 3
    assert len([level for level, _ in logged.records if level == "WARNING"]) <= 1


def test_python_prints_it(program):
    process = program(
        """
        import scopething, sys, threading, time
        with scopething.connect("sim:?A=dc,1V") as scope:
            threading.Thread(target=lambda: (sys.stdin.readline(), scope.cancel())).start()
            print(scope.capture("A", low=0, high=3, trigger_level=2).cause)
        """
    )
    first = process.stderr.readline()
    assert first.startswith(REASON), first
    process.stdin.write("\n")
    process.stdin.flush()
    assert finish(process) == ("cancel\n", "")


def test_ctrl_c_in_a_handler_ends_the_capture(program):
    process = program(
        """
        import logging, scopething, sys, time
        class Slow(logging.Handler):
            def emit(self, record):
                print("logging", flush=True)
                while True:
                    time.sleep(1)
        logging.getLogger("scopething").addHandler(Slow())
        with scopething.connect("sim:?A=dc,1V&clock=fast") as scope:
            print(scope.capture("A", low=0, high=3, trigger_level=2).cause)
        """
    )
    assert process.stdout.readline() == "logging\n"
    interrupt(process)
    assert finish(process)[0] == "cancel\n"


def test_a_coroutine_sees_it_too():
    async def main():
        async with await aio.simulate(A="dc 1V", clock="fast") as scope:
            task = asyncio.create_task(scope.capture("A", **NEVER))
            deadline = time.monotonic() + TIMEOUT_S
            while scope.waiting is None:
                assert time.monotonic() < deadline
                await asyncio.sleep(1e-3)
            assert scope.waiting.startswith(REASON)
            scope.cancel()
            assert (await task).cause == "cancel"

    asyncio.run(main())

"""Threads: they run while one waits, take turns, and may cancel and close."""

import sys
import threading
import time

import pytest
from conftest import TIMEOUT_S, Watched

import scopething

NEVER = dict(low=0, high=3, trigger_level=2)


def waiting(scope, results):
    """A thread that captures, for a trigger that does not come."""

    def capture():
        try:
            results.append(scope.capture("A", **NEVER).cause)
        except scopething.Error as error:
            results.append(type(error))

    thread = threading.Thread(target=capture)
    thread.start()
    return thread


def wait_for_queue(scope, length):
    """Waits until so many operations wait for their turn."""
    deadline = time.monotonic() + TIMEOUT_S
    while scope._connection.queued != length:
        assert time.monotonic() < deadline
        time.sleep(1e-3)


def test_others_run_meanwhile(simulated_scope):
    signal = Watched()
    scope = simulated_scope(A=signal)
    results = []
    thread = waiting(scope, results)
    # With the interpreter's lock held this would stand still, since nothing but the next lines ends the capture.
    signal.wait(0.1)
    assert thread.is_alive() and results == []
    scope.cancel()
    thread.join(TIMEOUT_S)
    assert results == ["cancel"]


def test_they_queue_in_order(simulated_scope):
    signal = Watched()
    scope = simulated_scope(A=signal)
    first = waiting(scope, [])
    signal.wait()
    order = []
    threads = []

    def capture(number):
        order.append((scope.capture("A", timeout=0).capture_start, number))

    for number in range(5):
        threads.append(threading.Thread(target=capture, args=(number,)))
        threads[-1].start()
        wait_for_queue(scope, number + 1)
    scope.cancel()
    for thread in (first, *threads):
        thread.join(TIMEOUT_S)
    # By the device's time: threads come back in any order.
    assert [number for _, number in sorted(order)] == [0, 1, 2, 3, 4]


def test_many_threads_get_whole_traces(simulated_scope):
    scope = simulated_scope(A="sine 1kHz 0..3V", clock="fast")
    lengths = []
    planned = {count: scope.plan("A", nsamples=count, timeout=0)["samples"] for count in range(100, 900, 100)}

    def capture(count):
        for _ in range(20):
            traces = scope.capture("A", nsamples=count, timeout=0)
            lengths.append((planned[count], len(traces.A)))

    threads = [threading.Thread(target=capture, args=(100 * (1 + number),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(lengths) == 160 and len(set(lengths)) == 8 and all(asked == got for asked, got in lengths)


def test_cancel_gives_the_trace(simulated_scope):
    signal = Watched()
    scope = simulated_scope(A=signal)
    results = []
    thread = waiting(scope, results)
    signal.wait()
    scope.cancel()
    thread.join(TIMEOUT_S)
    assert results == ["cancel"]
    # What was cancelled then is not held against the next.
    scope.cancel()
    assert scope.capture("A", timeout=0).cause == "timeout"


def test_close_ends_what_waits(simulated_scope):
    signal = Watched()
    scope = simulated_scope(A=signal)
    results = []
    one, two = waiting(scope, results), waiting(scope, results)
    signal.wait()
    wait_for_queue(scope, 1)
    scope.close()
    one.join(TIMEOUT_S)
    two.join(TIMEOUT_S)
    assert results == [scopething.Closed, scopething.Closed]


def test_a_stream_has_the_scope(simulated_scope):
    scope = simulated_scope(A="dc 1V")
    with scope.stream("A"):
        with pytest.raises(scopething.Usage, match="a stream of this scope runs: close it first"):
            scope.capture("A", timeout=0)
    assert scope.capture("A", timeout=0)


def test_an_ended_stream_leaves_the_next_one_alone(simulated_scope):
    scope = simulated_scope(A="dc 1V")
    first = scope.stream("A")
    first.close()
    with scope.stream("A", block=10) as second:
        first.close()
        assert len(next(second)) == 10


def test_closing_within_an_operation_ends_it():
    with scopething.connect("sim:?clock=fast") as scope:
        with pytest.raises(scopething.Closed):
            scope.calibrate(n=8, save=False, progress=lambda *_: scope.close())
        assert scope.closed and scope.generators == "off"


def test_each_gets_what_it_asked_for():
    with scopething.connect("sim:?A=dc,1V&B=dc,2V&clock=fast") as scope:
        captured = {"A": [], "B": []}

        def capture(channel):
            for _ in range(500):
                captured[channel].append(list(scope.capture(channel, nsamples=100, timeout=0)))

        threads = [threading.Thread(target=capture, args=[channel]) for channel in captured]
        interval = sys.getswitchinterval()
        # They change places within what Python does for a capture.
        sys.setswitchinterval(1e-6)
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(TIMEOUT_S)
        finally:
            sys.setswitchinterval(interval)
        assert captured == {channel: [[channel]] * 500 for channel in captured}

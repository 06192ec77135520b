"""Threads: they run while one waits, take turns, and may cancel and close."""

import threading
import time

import pytest
from conftest import watched

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


def test_others_run_meanwhile(simulated_scope):
    scope = simulated_scope(A="dc 1V")
    begun = time.monotonic()
    ended = []
    thread = threading.Thread(target=lambda: ended.append(scope.capture("A", timeout=0.5, **NEVER).cause))
    thread.start()
    count = 0
    while thread.is_alive():
        count += 1
    thread.join()
    assert ended == ["timeout"] and time.monotonic() - begun >= 0.5
    # With the interpreter's lock held this loop would stand still.
    assert count > 10_000


def test_they_queue_in_order(simulated_scope):
    scope = simulated_scope(A="dc 1V")
    order = []
    threads = []

    def capture(number):
        scope.capture("A", timeout=0.1, **NEVER)
        order.append(number)

    for number in range(5):
        threads.append(threading.Thread(target=capture, args=(number,)))
        threads[-1].start()
        time.sleep(0.02)  # Nothing but time shows that a thread has queued.
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2, 3, 4]


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
    signal, looked_at = watched()
    scope = simulated_scope(A=signal)
    results = []
    thread = waiting(scope, results)
    assert looked_at.wait(10)
    scope.cancel()
    thread.join(10)
    assert results == ["cancel"]
    # What was cancelled then is not held against the next.
    scope.cancel()
    assert scope.capture("A", timeout=0).cause == "timeout"


def test_close_ends_what_waits(simulated_scope):
    signal, looked_at = watched()
    scope = simulated_scope(A=signal)
    results = []
    one, two = waiting(scope, results), waiting(scope, results)
    assert looked_at.wait(10)
    scope.close()
    one.join(10)
    two.join(10)
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

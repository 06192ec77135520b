"""Ctrl-C during a wait, in all the places where people press it."""

import os
import signal
import sys
import time
import warnings

import jupyter_client
from conftest import TIMEOUT_S, Watched, finish, interrupt, wait_for
from test_exit import assert_at_rest, begin

WAITING = """
    import logging, scopething, sys
    logging.disable()  # Why the trigger does not come, which a computer that is busy has the time for.
    with scopething.connect(sys.argv[1]) as scope:
        traces = scope.capture("A", period="20ms", low=0, high=3, trigger_level=2)
        print(traces.cause, len(traces.A) > 0, round(float(traces.A.samples.mean()), 2), flush=True)
"""


def test_it_gives_the_trace_around_that_moment(program, recorded):
    proxy = recorded(A="dc 1V")
    process = program(WAITING, proxy.url)
    proxy.wait_for_capture()
    interrupt(process)
    assert finish(process) == ("cancel True 1.0\n", "")


def test_a_second_press_gives_up(program, recorded):
    # A link on which the trace takes seconds to read, so that there is something to give up.
    seen = Watched()
    proxy = recorded(A=seen, rate="20kbps")
    process = program(
        """
        import scopething, sys
        with scopething.connect(sys.argv[1]) as scope:
            try:
                scope.capture("A", period="1s", nsamples=12000, low=0, high=3, trigger_level=2)
            except KeyboardInterrupt:
                print("given up", flush=True)
            print(scope.capture("A", nsamples=10, timeout=0).cause)
        """,
        proxy.url,
    )
    seen.wait(0.5)
    interrupt(process)
    # The first press has ended the trace, which is being read.
    proxy.wait(lambda proxy: b"A" in proxy.sent.rpartition(b"K")[2])
    interrupt(process)
    assert finish(process)[0] == "given up\ntimeout\n"


def test_a_loop_of_captures_ends_at_a_double_press(program, recorded):
    proxy = recorded(A="dc 1V")
    # With a time-out the trigger source is not looked at, which would begin another capture.
    process = program(
        """
        import scopething, sys
        with scopething.connect(sys.argv[1]) as scope:
            causes = []
            try:
                while True:
                    causes.append(scope.capture("A", low=0, high=3, trigger_level=2, timeout="1h").cause)
            except KeyboardInterrupt:
                print(causes)
        """,
        proxy.url,
    )
    proxy.wait_for_capture()
    # Where a press comes more than a second after the one before it, it ends its capture too.
    presses = 0
    while proxy.clients:
        interrupt(process)
        presses += 1
        proxy.wait(lambda proxy: not proxy.clients or proxy.sent.count(b"D") > presses)
    assert finish(process)[0] == f"{['cancel'] * (presses - 1)}\n"


def test_another_handler_of_signals_has_its_way(program):
    process = program(
        """
        import scopething, signal, time
        class Late(Exception): pass
        def late(*_): raise Late
        signal.signal(signal.SIGALRM, late)
        with scopething.connect("sim:?A=dc,1V") as scope:
            signal.setitimer(signal.ITIMER_REAL, 0.3)  # A time-out of the program's.
            begun = time.monotonic()
            try:
                scope.capture("A", low=0, high=3, trigger_level=2)
            except Late:
                print("late", time.monotonic() - begun < 2)
            print(scope.capture("A", timeout=0).cause)
        """
    )
    assert finish(process)[0] == "late True\ntimeout\n"


def test_signals_that_raise_nothing_neither_end_nor_lengthen_a_wait(program):
    process = program(
        """
        import scopething, signal, time
        seen = []
        signal.signal(signal.SIGALRM, lambda *_: seen.append(1))
        with scopething.simulate(A="dc 1V", tcp=True) as simulator, scopething.connect(simulator.url) as scope:
            signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
            begun = time.monotonic()
            traces = scope.capture("A", low=0, high=3, trigger_level=2, timeout=0.5)
            took = time.monotonic() - begun
            signal.setitimer(signal.ITIMER_REAL, 0)
            print(traces.cause, float(traces.A.samples.mean()) > 0.9, 0.5 < took < 3, len(seen) > 2)
        """
    )
    assert finish(process)[0] == "timeout True True True\n"


def test_closing_by_a_handler_of_signals_ends_the_capture(program, recorded):
    proxy = recorded(A="dc 1V")
    process = program(
        """
        import logging, scopething, signal, sys
        logging.disable()
        scope = scopething.connect(sys.argv[1])
        scope.start_clock("1kHz")
        def leave(*_):
            scope.close()
            sys.exit(3)
        signal.signal(signal.SIGTERM, leave)
        scope.capture("A", low=0, high=3.9, trigger_level=3.8)
        """,
        proxy.url,
    )
    proxy.wait_for_capture()
    process.terminate()
    assert finish(process, 3) == ("", "")
    proxy.wait(lambda proxy: proxy.clients == 0)
    assert_at_rest(bytes(proxy.sent))


def test_a_thread_goes_on_while_the_main_one_is_interrupted(program, recorded):
    proxy = recorded(A="dc 1V")
    process = program(
        """
        import scopething, sys, threading
        causes = []
        with scopething.connect(sys.argv[1]) as scope:
            thread = threading.Thread(
                target=lambda: causes.append(scope.capture("A", low=0, high=3, trigger_level=2).cause))
            thread.start()
            try:
                print("waiting", flush=True)
                threading.Event().wait()
            except KeyboardInterrupt:
                print("interrupted", causes, thread.is_alive())
            scope.cancel()
            thread.join()
            print(causes)
        """,
        proxy.url,
    )
    wait_for(process, "waiting")
    proxy.wait_for_capture()
    interrupt(process)
    assert finish(process)[0] == "interrupted [] True\n['cancel']\n"


def test_waiting_for_ones_turn_can_be_interrupted(program, recorded):
    proxy = recorded(A="dc 1V")
    process = program(
        """
        import scopething, sys, threading, time
        with scopething.connect(sys.argv[1]) as scope:
            thread = threading.Thread(target=lambda: scope.capture("A", low=0, high=3, trigger_level=2))
            thread.start()
            sys.stdin.readline()
            def show_that_it_waits():
                while not scope._connection.queued:
                    time.sleep(1e-3)
                print("waiting", flush=True)
            threading.Thread(target=show_that_it_waits).start()
            try:
                scope.capture("A", timeout=0)
            except KeyboardInterrupt:
                print("interrupted", thread.is_alive())
            scope.cancel()
            thread.join()
            print(scope.capture("A", timeout=0).cause)
        """,
        proxy.url,
    )
    proxy.wait_for_capture()
    process.stdin.write("\n")
    process.stdin.flush()
    wait_for(process, "waiting")
    interrupt(process)
    assert finish(process)[0] == "interrupted True\ntimeout\n"


def test_a_stream_is_interrupted(program):
    process = program(
        """
        import scopething
        with scopething.connect("sim:") as scope:
            try:
                with scope.stream("A", "1kHz") as stream:
                    next(stream)
                    print("waiting", flush=True)
                    for block in stream:
                        pass
            except KeyboardInterrupt:
                print(scope.capture("A", timeout=0).cause)
        """
    )
    wait_for(process, "waiting")
    interrupt(process)
    assert finish(process)[0] == "timeout\n"


def test_a_press_outside_of_a_capture_ends_the_program(program, recorded):
    proxy = recorded(A="dc 1V")
    # The main thread reads its input meanwhile.
    process = begin(program, proxy, "a capture in a daemon thread", "")
    interrupt(process)
    _, errors = finish(process, -signal.SIGINT)
    assert "KeyboardInterrupt" in errors and "Fatal" not in errors
    proxy.wait(lambda proxy: proxy.clients == 0)
    assert_at_rest(bytes(proxy.sent))


def in_terminal(arguments, lines, proxy, environment=None):
    """Types lines at a program in a terminal of its own, \\x03 is Ctrl-C. Each waits for its word, and Ctrl-C until
    a capture has begun. Gives all that it wrote."""
    import pty
    import select

    with warnings.catch_warnings():
        # Of forks beside threads: the child becomes another program at once.
        warnings.simplefilter("ignore", DeprecationWarning)
        child, terminal = pty.fork()
    if child == 0:
        os.environ.update({"TERM": "dumb", **(environment or {})})
        os.execv(sys.executable, [sys.executable, *arguments])
    written = ""

    def read_until(word, start):
        nonlocal written
        end = time.monotonic() + TIMEOUT_S
        while word not in written[start:]:
            ready, _, _ = select.select([terminal], [], [], max(0, end - time.monotonic()))
            assert ready, f"{word!r} did not come: {written[start:]}"
            try:
                written += os.read(terminal, 65536).decode(errors="replace")
            except OSError:
                assert word == "", written
                return

    try:
        for word, line in lines:
            start = len(written)
            read_until(word, max(0, start - len(word)))
            if line == "\x03":
                proxy.wait_for_capture()
            os.write(terminal, line.encode())
        try:
            while True:
                written += os.read(terminal, 65536).decode(errors="replace")
        except OSError:
            pass
    except BaseException:
        os.kill(child, signal.SIGKILL)
        raise
    finally:
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) if hasattr(os, "waitstatus_to_exitcode") else 0
        os.close(terminal)
    assert code == 0, written
    return written


CAPTURE = "print('wait' + 'ing'); t = capture('A', low=0, high=3, trigger_level=2); print('cause', 'is', t.cause)\r"


def test_in_a_terminal(recorded):
    proxy = recorded(A="dc 1V")
    written = in_terminal(
        ["-m", "scopething", "--plain", proxy.url],
        [(">>> ", CAPTURE), ("\r\nwaiting", "\x03"), ("cause is cancel", "exit()\r")],
        proxy,
    )
    assert "Traceback" not in written and "KeyboardInterrupt" not in written


def test_in_ipython(tmp_path, recorded):
    proxy = recorded(A="dc 1V")
    written = in_terminal(
        ["-m", "scopething", proxy.url],
        [("In [1]", CAPTURE), ("\nwaiting", "\x03"), ("cause is cancel", "exit()\r")],
        proxy,
        {"IPYTHONDIR": str(tmp_path), "IPY_TEST_SIMPLE_PROMPT": "1"},
    )
    assert "Traceback" not in written


def test_in_a_jupyter_kernel(tmp_path, monkeypatch, recorded):
    proxy = recorded(A="dc 1V")
    url = proxy.url
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    manager, client = jupyter_client.manager.start_new_kernel(kernel_name="python3")
    try:
        client.execute_interactive(f"import scopething; s = scopething.connect({url!r})", timeout=TIMEOUT_S)
        outputs = []
        interrupted = []

        def hook(message):
            outputs.append(message)
            if message["msg_type"] == "stream" and "waiting" in message["content"]["text"] and not interrupted:
                interrupted.append(True)
                proxy.wait_for_capture()
                manager.interrupt_kernel()

        source = "print('waiting', flush=True); t = s.capture('A', low=0, high=3, trigger_level=2); print(t.cause); t"
        reply = client.execute_interactive(source, timeout=TIMEOUT_S, output_hook=hook)
        assert reply["content"]["status"] == "ok", reply
        text = "".join(m["content"]["text"] for m in outputs if m["msg_type"] == "stream")
        assert text.split() == ["waiting", "cancel"]
        shown = next(m["content"]["data"] for m in outputs if m["msg_type"] == "execute_result")
        assert "image/svg+xml" in shown and "text/html" not in shown
        client.execute_interactive("s.close()", timeout=TIMEOUT_S)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()

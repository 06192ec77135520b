"""What tests share: a home of their own, a recording proxy, and programs that run beside the test."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time

import pytest

TIMEOUT_S = 60

# A shell without job control starts what is in its background with Ctrl-C ignored, and programs inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Signals, terminals and forks, which Windows has not.
collect_ignore = ["test_fork.py", "test_interrupt.py"] if os.name == "nt" else []


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home directory without calibrations."""
    directory = tmp_path / "home"
    directory.mkdir()
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(directory))
    monkeypatch.delenv("SCOPETHING_URL", raising=False)
    return directory


@pytest.fixture(autouse=True)
def no_windows(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "agg")


@pytest.fixture
def program(tmp_path):
    """Starts Python programs; `program(source, *arguments)` gives a process with pipes."""
    running = []

    def start(source, *arguments, options=()):
        path = tmp_path / f"program-{len(running)}.py"
        path.write_text(textwrap.dedent(source), encoding="utf-8")
        process = subprocess.Popen(
            [sys.executable, *options, str(path), *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        running.append(process)
        return process

    yield start
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()


def wait_for(process, word):
    """Reads the output of a program up to a line that contains a word."""
    for line in process.stdout:
        if word in line:
            return line
    raise AssertionError(f"{word!r} did not come: {process.communicate()[1]}")


def finish(process, code=0):
    """Waits for the end of a program. Gives the rest of its output, and its errors."""
    out, errors = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == code, (process.returncode, out, errors)
    return out, errors


def interrupt(process):
    process.send_signal(signal.SIGINT)


class Watched:
    """A signal of 1 V that knows how long it was looked at."""

    def __init__(self):
        self._first_s = self._last_s = None

    def __call__(self, times):
        # Called some thousand times a second of the device's time, which is that of the computer: it must be quick.
        if self._first_s is None:
            self._first_s = times[0]
        self._last_s = times[-1]
        return 1.0

    def wait(self, seconds=0):
        """Waits until it was looked at for a while of the device's time: a capture runs then, and has samples."""
        deadline = time.monotonic() + TIMEOUT_S
        while self._last_s is None or self._last_s - self._first_s < seconds:
            assert time.monotonic() < deadline, f"it was looked at from {self._first_s} to {self._last_s} s"
            time.sleep(1e-3)


class Proxy:
    """Passes bytes on between a client and a TCP server, and keeps what the client sends."""

    def __init__(self, host, port):
        self.sent = bytearray()
        self.clients = 0
        self._changed = threading.Condition()
        self._server = socket.create_server(("127.0.0.1", 0))
        self._sockets = [self._server]
        self._target = (host, port)
        self._threads = []
        self._start(self._accept)

    @property
    def url(self):
        return f"socket://127.0.0.1:{self._server.getsockname()[1]}"

    def _start(self, target, *arguments):
        self._threads.append(threading.Thread(target=target, args=arguments, daemon=True))
        self._threads[-1].start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                self._sockets.append(client)
                device = socket.create_connection(self._target)
                self._sockets.append(device)
                with self._changed:
                    self.clients += 1
                self._start(self._pass, client, device, True)
                self._start(self._pass, device, client, False)

    def _pass(self, source, sink, keeps):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if keeps:
                    with self._changed:
                        self.sent += data
                        self._changed.notify_all()
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
        if keeps:
            with self._changed:
                self.clients -= 1
                self._changed.notify_all()

    def wait_for_capture(self, count=1):
        """Waits until so many captures have begun: D is what begins one."""
        self.wait(lambda proxy: proxy.sent.count(b"D") >= count)

    def wait(self, condition):
        """Waits until something holds of what was sent."""
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self), timeout=TIMEOUT_S), bytes(self.sent)

    def close(self):
        for one in self._sockets:
            # Which wakes the thread that waits for it.
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(TIMEOUT_S)
        for one in self._sockets:
            one.close()


@pytest.fixture
def recorded(simulated_scope):
    """A simulated scope behind a proxy that records: `recorded(A="...")` gives the proxy."""
    proxies = []

    def make(**signals):
        simulator = simulated_scope(tcp=True, **signals)
        proxies.append(Proxy(simulator.host, simulator.port))
        return proxies[-1]

    yield make
    for proxy in proxies:
        proxy.close()

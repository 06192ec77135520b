"""What the attacks need: the program as a child, a good client beside each attacker, a terminal."""

import json
import os
import pty
import resource
import select
import signal
import socket
import statistics
import struct
import subprocess
import tempfile
import threading
import time

# How long anything may take before the test fails, in seconds.
LIMIT = 20
# A good client beside an attacker is at most so many times as slow as alone. Alone it may take a moment of a busy machine.
MAX_SLOWDOWN = 10
MIN_BASELINE = 0.05


class Program:
    """The program under test, with its files in a directory of its own."""

    def __init__(self, path):
        self.path = os.path.abspath(path)
        self.scratch = tempfile.TemporaryDirectory(prefix="scopething-attacks-")
        self.home = os.path.join(self.scratch.name, "home")
        self.tmp = os.path.join(self.scratch.name, "tmp")
        os.mkdir(self.home)
        os.mkdir(self.tmp)

    def environment(self):
        kept = {key: value for key, value in os.environ.items() if not key.startswith("XDG_")}
        return kept | {"HOME": self.home, "TMPDIR": self.tmp, "TERM": "xterm"}

    def knows(self, command, option):
        return option in self.run(command, "--help").stdout.decode()

    def run(self, *arguments, directory=None, limit=LIMIT, preexec=None):
        """Runs it to its end; a run that does not end is a failure."""
        return subprocess.run(
            [self.path, *arguments], cwd=directory or self.scratch.name, env=self.environment(), timeout=limit,
            stdin=subprocess.DEVNULL, capture_output=True, preexec_fn=preexec,
        )

    def run_on_terminal(self, *arguments, directory=None, limit=LIMIT):
        """Runs it with a terminal as all its streams. Returns its exit code and all that the terminal was sent."""
        child, master = pty.fork()
        if child == 0:
            os.chdir(directory or self.scratch.name)
            os.execve(self.path, [self.path, *arguments], self.environment())
        seen, deadline = b"", time.monotonic() + limit
        try:
            while True:
                ready, _, _ = select.select([master], [], [], max(0, deadline - time.monotonic()))
                assert ready, f"{arguments} did not end within {limit} s"
                try:
                    piece = os.read(master, 65536)
                except OSError:  # EIO: the child has closed the terminal
                    piece = b""
                if not piece:
                    break
                seen += piece
        finally:
            os.close(master)
            try:
                os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                pass
            _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status), seen


class Server:
    """A command that serves, with the addresses that it printed."""

    def __init__(self, program, *arguments, open_files=None):
        def limit():
            if open_files:
                resource.setrlimit(resource.RLIMIT_NOFILE, (open_files, open_files))

        self.log = tempfile.TemporaryFile()
        self.child = subprocess.Popen(
            [program.path, *arguments], env=program.environment(), cwd=program.scratch.name, preexec_fn=limit,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log,
        )
        line = self.child.stdout.readline()
        assert line, f"{arguments} did not start: {self.logged()}"
        self.addresses = {
            door: split_address(address) for door, address in json.loads(line).items() if is_address(address)
        }

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.kill()
        self.child.wait()
        self.child.stdout.close()
        self.log.close()

    def __getitem__(self, door):
        return self.addresses[door]

    def logged(self):
        """The lines on standard error so far."""
        size = os.fstat(self.log.fileno()).st_size
        text = os.pread(self.log.fileno(), size, 0).decode(errors="replace")
        return text.splitlines()

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.child.pid}/fd"))

    def resident_kib(self):
        with open(f"/proc/{self.child.pid}/status") as status:
            return int(next(line for line in status if line.startswith("VmRSS:")).split()[1])

    def assert_running(self):
        assert self.child.poll() is None, f"it has ended with {self.child.returncode}: {self.logged()[-3:]}"


class Wire:
    """A link to a device, of which all that is sent to the device is kept."""

    def __init__(self, device):
        self.sent = bytearray()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        self.device = device
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:  # closed
                return
            device = connect(self.device)
            threading.Thread(target=self.relay, args=(client, device, self.sent), daemon=True).start()
            threading.Thread(target=self.relay, args=(device, client, bytearray()), daemon=True).start()

    @staticmethod
    def relay(source, target, kept):
        try:
            while piece := source.recv(65536):
                kept += piece
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the other end has gone

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()


def is_address(text):
    """Whether it is one, not the link to a page, the path of a terminal, or nothing."""
    return bool(text) and ":" in text and "/" not in text


def split_address(text):
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def connect(address, source=None, limit=LIMIT):
    return socket.create_connection(address, timeout=limit, source_address=(source, 0) if source else None)


def read_until_closed(stream, limit=LIMIT):
    """All that comes until the other end hangs up; none if it does not."""
    stream.settimeout(limit)
    seen = b""
    try:
        while piece := stream.recv(65536):
            seen += piece
    except ConnectionResetError:
        pass
    except TimeoutError:
        return None
    return seen


def read_exactly(stream, count):
    seen = b""
    while len(seen) < count:
        piece = stream.recv(count - len(seen))
        if not piece:
            raise ConnectionError(f"hung up after {seen!r}")
        seen += piece
    return seen


def ask_device(address, commands, length, source=None, limit=LIMIT):
    """What the device at a raw TCP door answers, so many bytes."""
    with connect(address, source, limit) as stream:
        stream.sendall(commands)
        return read_exactly(stream, length)


class Scpi:
    """A client of an emulated oscilloscope."""

    def __init__(self, address, source=None):
        self.stream = connect(address, source)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()

    def send(self, text):
        self.stream.sendall(text.encode() + b"\n")

    def line(self):
        line = b""
        while not line.endswith(b"\n"):
            line += read_exactly(self.stream, 1)
        return line[:-1].decode()

    def ask(self, question):
        self.send(question)
        return self.line()

    def block(self, question):
        self.send(question)
        head = read_exactly(self.stream, 2)
        assert head[:1] == b"#", head
        return read_exactly(self.stream, int(read_exactly(self.stream, int(head[1:]))))


def use_once(address, source=None):
    """What a good client does: connects, identifies the oscilloscope, captures."""
    with Scpi(address, source) as client:
        assert client.ask("*IDN?").startswith("HAMEG"), "no identification"
        assert client.block(":FORM REAL,32;:CHAN1:DATA?"), "no samples"


def scrape(address, limit=LIMIT):
    """What Prometheus does."""
    with connect(address, limit=limit) as stream:
        stream.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost:%d\r\n\r\n" % address[1])
        page = read_until_closed(stream, limit)
        assert page and page.startswith(b"HTTP/1.1 200"), page


def ask_page(address, request, body=b"", head=None, source=None):
    """What the page for browsers answers: the status and the body."""
    head = head or b"Host: localhost"
    with connect(address, source) as stream:
        stream.sendall(b"%s HTTP/1.1\r\n%s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (request, head, len(body), body))
        answer = read_until_closed(stream)
    assert answer, "no answer"
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def look(address, source=None):
    """A WebSocket, open or refused: its connection, from which nothing more is read."""
    stream = connect(address, source)
    stream.sendall(WEBSOCKET % b"Host: localhost")
    return stream


WEBSOCKET = (
    b"GET /api/v1/live HTTP/1.1\r\n%s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def wait_until(condition, what, limit=LIMIT):
    until = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < until, f"{what} within {limit} s"
        time.sleep(0.01)


class Over(threading.Event):
    """What ends an attack, which asks for it before each round: so it is under way when it has asked twice."""

    def __init__(self):
        super().__init__()
        self.asked = 0
        self.under_way = threading.Event()

    def ask(self):
        self.asked += 1
        if self.asked == 2:
            self.under_way.set()

    def is_set(self):
        self.ask()
        return super().is_set()

    def wait(self, timeout=None):
        self.ask()
        return super().wait(timeout)


class GoodClient:
    """Uses something again and again, first alone, then beside an attacker."""

    def __init__(self, use, *arguments):
        self.use, self.arguments = use, arguments
        self.alone = [self.timed() for _ in range(5)]

    def timed(self):
        started = time.monotonic()
        self.use(*self.arguments)
        return time.monotonic() - started

    def beside(self, attack, seconds):
        """Runs the attack, a function of an event that ends it, for some time. Returns the figures of the good client."""
        over, failures, taken = Over(), [], []

        def attacker():
            try:
                attack(over)
            except Exception as failure:  # It is shown at the end: a thread's exception is seen by nobody.
                failures.append(failure)
                over.under_way.set()

        thread = threading.Thread(target=attacker)
        thread.start()
        try:
            assert over.under_way.wait(LIMIT), "the attack does not begin"
            until = time.monotonic() + seconds
            while time.monotonic() < until or len(taken) < 3:
                taken.append(self.timed())
        finally:
            over.set()
            thread.join()
        assert not failures, failures
        return Latency(self.alone, taken)


class Latency:
    def __init__(self, alone, beside):
        self.alone, self.beside = statistics.median(alone), statistics.median(beside)
        self.worst, self.count = max(beside), len(beside)

    def __str__(self):
        return (
            f"good client: {self.count} uses, {self.alone * 1e3:.0f} ms alone, "
            f"{self.beside * 1e3:.0f} ms beside, at worst {self.worst * 1e3:.0f} ms"
        )

    def check(self):
        most = MAX_SLOWDOWN * max(self.alone, MIN_BASELINE)
        assert self.beside <= most, f"{self}: more than {MAX_SLOWDOWN} times"
        return self


def reset_on_close(stream):
    """Makes closing it a reset, so that no port of an attacker lingers."""
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

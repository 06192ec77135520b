"""The computer's end of the UART: a TCP port, at which the program of this project finds the bridge."""

import select
import socket
import subprocess
import tempfile
import time

# So far the chip may be ahead: the computer's clock is too coarse for waiting for each byte.
AHEAD_US = 2000


class Line:
    def __init__(self, chip):
        self.chip = chip
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.client = None
        # What came last, which is a question as a whole.
        self.last_received = b""

    def close(self):
        self._disconnect()
        self.listener.close()

    def _disconnect(self):
        if self.client:
            self.client.close()
        self.client = None

    @property
    def url(self):
        usb = self.chip.usb
        return f"bridge://127.0.0.1:{usb.port(0) if usb.has_computer else self.listener.getsockname()[1]}"

    def _send(self):
        if self.client:
            self.client.sendall(self.chip.uart.take_sent())

    def _ready(self, wait_s):
        return select.select([self.listener, *filter(None, [self.client])], [], [], wait_s)[0]

    def carry(self):
        """Carries what there is, both ways."""
        self._send()
        ready = self._ready(0)
        if self.listener in ready:
            self._disconnect()
            # What nobody was there for is lost.
            self.chip.uart.take_sent()
            self.client, _ = self.listener.accept()
            self.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        elif ready:
            data = self.client.recv(4096)
            self.chip.uart.arrive(data)
            if not data:
                self._disconnect()
            self.last_received = data or self.last_received

    def run(self, command, limit_us=60e6):
        """Runs a program while the chip runs: returns its exit code, what it prints, and its complaints."""
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
            program = subprocess.Popen([*command, "--url", self.url], stdout=output, stderr=errors)
            try:
                self.run_until(lambda: program.poll() is not None, limit_us)
            finally:
                program.kill()
            output.seek(0)
            errors.seek(0)
            return program.wait(), output.read(), errors.read()

    def run_until(self, condition, limit_us=60e6):
        """Runs the chip, whose time is hardly ever ahead of that of the computer."""
        offset = self.chip.now_us - time.monotonic() * 1e6

        def leap(span_us):
            ahead = self.chip.now_us + span_us - offset - time.monotonic() * 1e6
            if ahead <= AHEAD_US:
                return span_us
            begun = time.monotonic()
            # What comes now is taken once the chip's time is up to it.
            self._send()
            self._ready((ahead - AHEAD_US) / 1e6)
            return min(span_us, (time.monotonic() - begun) * 1e6)

        looked = 0

        def ended():
            nonlocal looked
            if self.chip.now_us < looked + AHEAD_US / 4:
                return False
            looked = self.chip.now_us
            self.carry()
            return condition()

        self.chip.run(ended, limit_us, leap)

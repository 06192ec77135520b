"""The USB controller of an RP2350 (data sheet, 12.7), with what is in its socket: `usb.mjs` in a process of its own."""

import os
import struct
import subprocess

from block import Block
from processor import Fault

HERE = os.path.dirname(os.path.abspath(__file__))
READ, WRITE, RESET, PLUG, PASS, PORT = range(6)
REQUEST, ANSWER = struct.Struct("<2Bd3I4096s"), struct.Struct("<I2Bd4096s")
MAIN_CONTROL, PINS_ISOLATED = 0x40, 1 << 2
# What the controller changes: frame, status, buffers, interrupts. The others read as they were written.
CHANGING = {0x48, 0x50, 0x58, 0x5C, 0x8C, 0x98}
MEMORY, MEMORY_BYTES = 0x50100000, 4096
# It is let do so much at once, and no less: what the BitScope answers comes in between, and each time takes as long as the
# instructions of many microseconds.
MAX_PASS_US, MIN_PASS_US = 500, 40
NOTHING, BITSCOPE, SLOW = range(3)
SQUARE, COMPUTER = ("--signal", "A=square 500Hz 0..3V"), "--computer"
# A block runs a few cycles of its clock after it has left reset.
RESET_US = 2.5


class Usb(Block):
    """What is plugged in: a BitScope, once it is; or a computer, as the arguments of `usb.mjs` have it."""

    def __init__(self, chip, arguments):
        super().__init__(0x118)
        self.chip = chip
        self.process = subprocess.Popen(
            ["node", os.path.join(HERE, "usb.mjs"), *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
        self.has_computer = arguments[0] == COMPUTER
        self.is_plugged = self.has_computer
        self.interrupts = self.has_written = False
        self.ready_at = self.now_us = 0.0

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def _send(self, what, answered, offset=0, value=0, alias=0, until_us=None):
        memory = bytes(self.chip.processor.uc.mem_read(MEMORY, MEMORY_BYTES))
        nanos = 1e3 * (self.chip.now_us if until_us is None else until_us)
        self.process.stdin.write(REQUEST.pack(what, answered, nanos, offset, value, alias, memory))

    def _ask(self, what, **more):
        self._send(what, True, **more)
        self.process.stdin.flush()
        answer = self.process.stdout.read(ANSWER.size)
        if len(answer) < ANSWER.size:
            raise Fault("the model of USB has ended")
        result, interrupts, is_changed, nanos, memory = ANSWER.unpack(answer)
        if is_changed:
            self.chip.processor.uc.mem_write(MEMORY, memory)
        self.interrupts, self.now_us, self.has_written = bool(interrupts), nanos / 1e3, False
        return result

    def read(self, offset):
        return self._ask(READ, offset=offset) if offset in CHANGING else self.peek(offset)

    def write_by(self, alias, offset, value):
        if offset == MAIN_CONTROL and value & PINS_ISOLATED:
            raise Fault("the pins of USB stay isolated")
        super().write_by(alias, offset, value)
        if self.has_computer:
            # Which may write the memory at any time.
            self._ask(WRITE, offset=offset, value=value, alias=alias)
        else:
            self._send(WRITE, False, offset=offset, value=value, alias=alias)
            self.has_written = True

    def reset(self, held):
        if not held:
            self.ready_at = self.chip.now_us + RESET_US
        self.registers.clear()
        self._ask(RESET, value=int(held))

    @property
    def is_ready(self):
        return self.chip.now_us >= self.ready_at

    def port(self, index):
        """The TCP port of one of the computer's serial ports: messages, or the BitScope."""
        return self._ask(PORT, value=index)

    def plug(self, device):
        self._ask(PLUG, value=device)
        self.is_plugged = device != NOTHING

    def pass_until(self, until_us):
        """Lets time pass there, not farther than to the first interrupt; returns the time that it is then."""
        if not self.is_plugged or until_us - self.now_us < MIN_PASS_US:
            return until_us
        self._ask(PASS, until_us=min(until_us, self.chip.now_us + MAX_PASS_US))
        return max(self.now_us, self.chip.now_us)

    def asks(self):
        if self.has_written:
            self._ask(PASS)
        return self.interrupts

"""UART0 of an RP2350, a PL011 (data sheet, 12.1): FIFOs of 32 bytes, the rate, interrupts by level and by time."""

from collections import deque

from block import Block

DEPTH = 32
DATA, FLAGS, WHOLE, PART, LINE, CONTROL, LEVELS, MASK, RAW, MASKED, CLEAR, DMA = (
    0x00, 0x18, 0x24, 0x28, 0x2C, 0x30, 0x34, 0x38, 0x3C, 0x40, 0x44, 0x48
)
RECEIVE, TRANSMIT, TIMEOUT, OVERRUN = 1 << 4, 1 << 5, 1 << 6, 1 << 10
LEVEL = [4, 8, 16, 24, 28]
FOREVER = float("inf")


class Uart(Block):
    def __init__(self, chip):
        super().__init__(0x4C, x30=0x300, x34=0x12)
        self.chip = chip
        # What is on its way here, as (when it is there, byte); what has come; what waits to be sent, as (when it is gone, byte).
        self.coming, self.received, self.sending = deque(), deque(), deque()
        self.sent = bytearray()
        self.latched = 0
        self.overruns = 0
        self.last_received = 0.0
        self._was_high = False

    @property
    def baud(self):
        divisor = (self.peek(WHOLE) << 6 | self.peek(PART)) / 64
        return self.chip.clocks.hertz("peri") / 16 / divisor if divisor else 0

    @property
    def character_us(self):
        return 10e6 / self.baud

    def arrive(self, data):
        """Bytes come from the computer, at the rate, behind those that are on their way."""
        at = max(self.chip.now_us, self.coming[-1][0] if self.coming else 0)
        for byte in data:
            at += self.character_us
            self.coming.append((at, byte))

    def take_sent(self):
        self.look()
        sent, self.sent = bytes(self.sent), bytearray()
        return sent

    def look(self):
        """Brings all up to now."""
        now = self.chip.now_us
        while self.coming and self.coming[0][0] <= now:
            self.last_received, byte = self.coming.popleft()
            if len(self.received) == DEPTH:
                self.overruns += 1
                self.latched |= OVERRUN
            else:
                self.received.append(byte)
        if self.received and now >= self._timeout_at():
            self.latched |= TIMEOUT
        while self.sending and self.sending[0][0] <= now:
            self.sent.append(self.sending.popleft()[1])
            if len(self.sending) == LEVEL[self.peek(LEVELS) & 7]:
                self.latched |= TRANSMIT

    def _timeout_at(self):
        return self.last_received + 3.2 * self.character_us

    def raw(self):
        self.look()
        full_enough = len(self.received) >= LEVEL[self.peek(LEVELS) >> 3 & 7]
        return self.latched | (RECEIVE if full_enough else 0)

    def asks(self):
        return self.raw() & self.peek(MASK)

    def next_event(self):
        events = [queue[0][0] for queue in (self.coming, self.sending) if queue]
        if self.received and not self.latched & TIMEOUT:
            events.append(self._timeout_at())
        return min(events, default=FOREVER)

    def read(self, offset):
        if offset == DATA:
            self.look()
            byte = self.received.popleft() if self.received else 0
            if not self.received:
                self.latched &= ~TIMEOUT
            return byte
        if offset == FLAGS:
            self.look()
            waiting, empty = len(self.sending), not self.received
            return empty << 4 | (waiting >= DEPTH) << 5 | (len(self.received) == DEPTH) << 6 | (not waiting) << 7 | bool(waiting) << 3
        return {RAW: self.raw, MASKED: self.asks}.get(offset, lambda: self.peek(offset))()

    def write(self, offset, value):
        if offset == DATA:
            self.look()
            enabled = self.peek(CONTROL) & 0x101 == 0x101
            if not enabled or len(self.sending) >= DEPTH:
                raise RuntimeError("a byte is sent that has no room, or while the UART is off")
            begins = max(self.chip.now_us, self.sending[-1][0] if self.sending else 0)
            self.sending.append((begins + self.character_us, value & 0xFF))
            if len(self.sending) > LEVEL[self.peek(LEVELS) & 7]:
                self.latched &= ~TRANSMIT
        elif offset == CLEAR:
            self.latched &= ~value
        else:
            self.registers[offset] = value

"""What an RP2350 measures time with (data sheet, 12.8 and 12.9), in the ticks of its clocks."""

from block import Block
from processor import Fault

TIMER0_TICKS, WATCHDOG_TICKS = 3, 5


class Timer(Block):
    """12.8: microseconds, once the tick generator gives them."""

    def __init__(self, chip):
        super().__init__(0x4C)
        self.chip = chip
        self.armed = {}

    @property
    def now(self):
        return int(self.chip.now_us) if self.chip.clocks.ticks_run(TIMER0_TICKS) else 0

    def read(self, offset):
        self.look()
        if offset in (0x24, 0x28):
            return self.now >> (32 if offset == 0x24 else 0) & 0xFFFFFFFF
        if offset == 0x20:
            return sum(1 << alarm for alarm in self.armed)
        if offset == 0x48:
            return (self.peek(0x3C) | self.peek(0x44)) & self.peek(0x40)
        if offset not in (0x3C, 0x40, 0x44):
            raise Fault(f"read of TIMER0 at {offset:#x}")
        return self.peek(offset)

    def write(self, offset, value):
        if offset in range(0x10, 0x20, 4):
            self.armed[(offset - 0x10) // 4] = self.now + ((value - self.now) & 0xFFFFFFFF)
        elif offset == 0x20:
            for alarm in [alarm for alarm in self.armed if value >> alarm & 1]:
                del self.armed[alarm]
        elif offset == 0x3C:
            self.registers[0x3C] = self.peek(0x3C) & ~value
        elif offset in (0x40, 0x44):
            super().write(offset, value)
        else:
            raise Fault(f"write of TIMER0 at {offset:#x}")

    def look(self):
        for alarm in [alarm for alarm, due in self.armed.items() if due <= self.now]:
            del self.armed[alarm]
            self.registers[0x3C] = self.peek(0x3C) | 1 << alarm

    def asks(self, alarm):
        self.look()
        return (self.peek(0x3C) | self.peek(0x44)) & self.peek(0x40) & 1 << alarm


class Watchdog(Block):
    """12.9: it counts down once a tick, and is fed by a write of what is left."""

    ENABLED, TRIGGER = 1 << 30, 1 << 31

    def __init__(self, chip):
        super().__init__(0x2C)
        self.chip = chip
        self.due_us = 0
        self.fed = []

    def write(self, offset, value):
        super().write(offset, value)
        if offset == 4:
            self.due_us = self.chip.now_us + value
            self.fed.append(value)
        if offset == 0 and value & self.TRIGGER:
            raise Fault(f"the program restarts the chip: {self.chip.last_panic()}")

    @property
    def runs(self):
        return bool(self.peek(0) & self.ENABLED) and self.chip.clocks.ticks_run(WATCHDOG_TICKS)

    def look(self):
        if self.runs and self.chip.now_us > self.due_us:
            raise Fault("the watchdog was not fed")

"""What of an RP2350 the firmware with two cables uses beside the processor, as models by its data sheet (the sections are named).

All else ends the run with a fault: an address that is not here, a block that is still in reset, code in flash while that is not
mapped. Time is that of the chip: so many instructions at its clock, and leaps while it sleeps.
"""

import ctypes
import functools

from block import ALIASES, Block
from clocks import Clocks, Crystal
from processor import Fault, Processor
from timers import Timer, Watchdog
from uart import Uart
from unicorn import UC_PROT_EXEC, UC_PROT_NONE, UC_PROT_READ
from usb import SQUARE, Usb

FLASH, FLASH_UNCACHED, FLASH_BYTES, MAPPED_BYTES = 0x10000000, 0x14000000, 4 << 20, 16 << 20
# Where the flash is seen: again and again, and once beside the cache.
FLASH_WINDOWS = [*range(FLASH, FLASH + MAPPED_BYTES, FLASH_BYTES), FLASH_UNCACHED]
MEMORY, MEMORY_BYTES = 0x20000000, 520 * 1024
BOOT_MEMORY, BOOT_MEMORY_BYTES = 0x400E0000, 1024
USB_MEMORY, USB_MEMORY_BYTES = 0x50100000, 4096
OTP, OTP_BYTES, CHIP_NUMBER = 0x40130000, 0x8000, 0x1234
PIO0 = 0x50200000
PANIC_MARK = b"inaP"
TIMER0, USB_CONTROLLER, UART0 = 0, 14, 33


class Resets(Block):
    """7.5"""

    ALL = 0x1FFFFFFF
    # What the boot ROM (its published source, varm_boot_path.c) has taken out of reset: pins and pads, TIMER0, USB, TRNG and
    # SHA-256; SYSCFG, SYSINFO and JTAG are taken to be as well.
    BOOTED = ALL & ~(0b11111 << 6 | 0b1 << 17 | 0b11 << 20 | 1 << 23 | 1 << 25 | 1 << 28)
    USB = 1 << 28

    def __init__(self, chip):
        super().__init__(0xC, x0=self.BOOTED)
        self.chip = chip

    def read(self, offset):
        done = ~self.peek(0) & self.ALL
        return (done if self.chip.usb.is_ready else done & ~self.USB) if offset == 8 else self.peek(offset)

    def write(self, offset, value):
        changed = self.peek(offset) ^ value
        super().write(offset, value)
        if offset == 0 and changed & self.USB:
            self.chip.usb.reset(bool(value & self.USB))


class Sio(Block):
    """3.1: the number of the core, locks, and pins that the program drives."""

    OUTPUT = {0x10: 0, 0x18: 2, 0x20: 3, 0x28: 1, 0x30: 0, 0x38: 2, 0x40: 3, 0x48: 1}

    def __init__(self, chip):
        super().__init__(0x200)
        self.chip = chip
        self.claimed = set()
        # When each pin changed, and to what.
        self.changes = []
        # That of a Pico 2 W.
        self.radio = None

    def read(self, offset):
        if 0x100 <= offset < 0x180:
            lock = (offset - 0x100) // 4
            if lock in self.claimed:
                return 0
            self.claimed.add(lock)
            return 1 << lock
        if offset not in (0, 4, 0x10, 0x30):
            raise Fault(f"read of SIO at {offset:#x}")
        return self.radio.levels(self.chip) if offset == 4 and self.radio else self.peek(offset)

    def write(self, offset, value):
        if 0x100 <= offset < 0x180:
            self.claimed.discard((offset - 0x100) // 4)
            return
        if offset not in self.OUTPUT:
            raise Fault(f"write of SIO at {offset:#x}")
        register = 0x10 if offset < 0x30 else 0x30
        old = self.peek(register)
        self.registers[register] = ALIASES[self.OUTPUT[offset]](old, value)
        if register == 0x10 and old != self.registers[register]:
            self.changes.append((self.chip.now_us, self.registers[register]))
        if self.radio:
            self.radio.drive(self.chip, self.peek(0x10), self.peek(0x30))


class Identity(Block):
    """13: rows that are written once, of which the firmware reads the chip's number; seen with and without correction of errors."""

    def __init__(self):
        super().__init__(OTP_BYTES)

    def read(self, offset):
        return CHIP_NUMBER


class Pio(Block):
    """11: a block that does nothing, on lines that nobody drives."""

    FIFO_STATUS, ALL_EMPTY = 0x4, 0xF << 24 | 0xF << 8

    def read(self, offset):
        return self.ALL_EMPTY if offset == self.FIFO_STATUS else self.peek(offset)


class Chip:
    def __init__(self, socket=SQUARE):
        self.processor = Processor()
        self.now_us = 0.0
        self.flash = (ctypes.c_ubyte * FLASH_BYTES)()
        ctypes.memset(self.flash, 0xFF, FLASH_BYTES)
        self.is_mapped = True
        self._map_memory()
        self.resets, self.sio, self.clocks = Resets(self), Sio(self), Clocks()
        self.timer, self.watchdog, self.uart = Timer(self), Watchdog(self), Uart(self)
        self.pins, self.pads, self.usb = Block(0x2A0), Block(0xCC), Usb(self, socket)
        for pad in range(4, 0xC4, 4):
            # Isolated, as after a reset (9.11.3).
            self.pads.registers[pad] = 0x116
        self.boot_memory = Block(BOOT_MEMORY_BYTES)
        # Where a block is, and the bit that keeps it in reset.
        self.blocks = {
            0x40010000: (self.clocks, None), 0x40018000: (Block(0x10), None), 0x40020000: (self.resets, None),
            0x40028000: (self.pins, 6), 0x40038000: (self.pads, 9), 0x40048000: (Crystal(0x14), None),
            0x40050000: (self.clocks.pll_sys, 14), 0x40058000: (self.clocks.pll_usb, 15), 0x40070000: (self.uart, 26),
            0x400B0000: (self.timer, 23), 0x400D8000: (self.watchdog, None),
            BOOT_MEMORY: (self.boot_memory, None), 0x400E8000: (Block(0x28, x1C=1 << 31 | 1 << 12), None),
            0x40100000: (Block(0xD0, xC=0xB0), None), 0x40108000: (self.clocks.ticks, None),
            OTP: (Identity(), None), 0x50110000: (self.usb, 28), PIO0: (Pio(0x190), 11),
        }
        for start, size in ((0x40000000, 0x140000), (0x50110000, 0x4000), (PIO0, 0x4000)):
            self.processor.devices(start, size, *self._device(start))
        self.processor.devices(0xD0000000, 0x1000, lambda at, _: self.sio.read(at), lambda at, _, value: self.sio.write(at, value))
        self.processor.lines = {
            **{TIMER0 + alarm: functools.partial(self.timer.asks, alarm) for alarm in range(2)}, USB_CONTROLLER: self.usb.asks, UART0: self.uart.asks,
        }

    def _map_memory(self):
        uc = self.processor.uc
        for window in FLASH_WINDOWS:
            uc.mem_map_ptr(window, FLASH_BYTES, UC_PROT_READ | UC_PROT_EXEC, self.flash)
        uc.mem_map(MEMORY, MEMORY_BYTES)
        uc.mem_map(USB_MEMORY, USB_MEMORY_BYTES)

    def map_flash(self, mapped):
        """Has the flash answer as memory, or not: then what runs in it or reads it ends the run."""
        if mapped != self.is_mapped:
            self.is_mapped = mapped
            for window in FLASH_WINDOWS:
                self.processor.uc.mem_protect(window, FLASH_BYTES, UC_PROT_READ | UC_PROT_EXEC if mapped else UC_PROT_NONE)

    def _device(self, start):
        return (
            lambda offset, width: self._read(start + offset, width),
            lambda offset, width, value: self._write(start + offset, width, value),
        )

    def _find(self, address):
        base = address & ~0x7FFF
        block, reset = self.blocks.get(base, (None, None))
        alias, offset = (0, address - base) if base == OTP else divmod(address - base, 0x1000)
        if block is None or alias > 3 or offset >= block.size:
            raise Fault(f"nothing is modelled at {address:#x}: code at {self.processor.pc:#x}")
        if reset is not None and self.resets.peek(0) >> reset & 1:
            raise Fault(f"{address:#x} is in reset: code at {self.processor.pc:#x}")
        return block, alias, offset

    def _read(self, address, width):
        block, _, offset = self._find(address)
        return block.read(offset & ~3) >> 8 * (offset & 3) & (1 << 8 * width) - 1

    def _write(self, address, width, value):
        block, alias, offset = self._find(address)
        if width != 4:
            # Narrow writes reach all lanes (2.1.4).
            value = int.from_bytes(value.to_bytes(width, "little") * (4 // width), "little")
        block.write_by(alias, offset & ~3, value)

    def last_panic(self):
        """The place that the panic handler leaves in memory (`restart.rs`), if there is one."""
        memory = bytes(self.processor.uc.mem_read(MEMORY, MEMORY_BYTES))
        place = memory.find(PANIC_MARK)
        if place < 0:
            return "no panic"
        length = int.from_bytes(memory[place + 4 : place + 8], "little")
        return memory[place + 12 : place + 12 + length].decode(errors="replace")

    def run(self, until, limit_us, may_leap=lambda span_us: span_us):
        """Runs up to a condition. `may_leap` gives how far the time may go while the processor sleeps, of what it could."""
        end = self.now_us + limit_us
        while not until():
            if self.now_us >= end:
                raise Fault(f"nothing came in {limit_us / 1e6} s, at {self.processor.pc:#x}")
            ran = self.processor.run_slice()
            if ran:
                self.now_us = self.usb.pass_until(self.now_us + ran * 1e6 / self.clocks.hertz("sys"))
            else:
                self.now_us = self.usb.pass_until(self.now_us + may_leap(max(min(self.next_event(), end) - self.now_us, 0.01)))
            self.watchdog.look()

    def next_event(self):
        events = [*self.timer.armed.values(), self.uart.next_event()]
        if self.watchdog.runs:
            events.append(self.watchdog.due_us + 1)
        return min(events)

"""The clocks of an RP2350 (data sheet, 8): the crystal of a Pico 2, its PLLs, what they give, and the ticks of a microsecond."""

from block import Block
from processor import Fault

CRYSTAL_HZ = 12_000_000
# Of the ring oscillator, which the chip starts with: it is not known any better.
RING_HZ = 11_000_000


class Crystal(Block):
    """8.2"""

    def read(self, offset):
        enabled = self.peek(0) >> 12 == 0xFAB
        return enabled << 31 | enabled << 12 if offset == 4 else self.peek(offset)


class Pll(Block):
    """8.6"""

    POWERED_DOWN = 1 << 0 | 1 << 5

    def __init__(self):
        super().__init__(0x20, x0=1, x4=0x2D, xC=0x77000)

    def read(self, offset):
        locked = not self.peek(4) & self.POWERED_DOWN and self.peek(8)
        return self.peek(0) | (1 << 31 if locked else 0) if offset == 0 else self.peek(offset)

    @property
    def hertz(self):
        if self.peek(4) & (self.POWERED_DOWN | 1 << 3):
            return 0
        oscillator = CRYSTAL_HZ // (self.peek(0) & 0x3F) * self.peek(8)
        if not 750_000_000 <= oscillator <= 1_600_000_000:
            raise Fault(f"an oscillator of a PLL at {oscillator} Hz")
        return oscillator // (self.peek(0xC) >> 16 & 7) // (self.peek(0xC) >> 12 & 7)


class Clocks(Block):
    """8.1: the selection of a source is done at once. With the PLLs and the generators of ticks, which have registers elsewhere."""

    def __init__(self):
        super().__init__(0xD4)
        self.pll_sys, self.pll_usb, self.ticks = Pll(), Pll(), Block(0x48)

    def read(self, offset):
        source = {0x38: 1 << (self.peek(0x30) & 3), 0x44: 1 << (self.peek(0x3C) & 1), 0x50: 1}
        return source.get(offset, self.peek(offset))

    def ticks_run(self, generator):
        """Whether a generator of ticks gives one each microsecond (8.5)."""
        place = 12 * (generator - 1)
        if not self.ticks.peek(place) & 1:
            return False
        if self.hertz("ref") != 1_000_000 * (self.ticks.peek(place + 4) & 0x1FF):
            raise Fault(f"tick {generator} is not one of a microsecond")
        return True

    def hertz(self, name):
        """Of the reference, the system, UARTs or USB."""
        peek = self.peek
        if name == "ref":
            divisor = peek(0x34) >> 16 & 0xFF or 1
            return {0: RING_HZ, 1: self.pll_usb.hertz, 2: CRYSTAL_HZ}[peek(0x30) & 3] // divisor
        if name == "sys":
            auxiliary = [self.pll_sys.hertz, self.pll_usb.hertz, RING_HZ, CRYSTAL_HZ][peek(0x3C) >> 5 & 3]
            return (auxiliary if peek(0x3C) & 1 else self.hertz("ref")) * 65536 // (peek(0x40) or 65536)
        control, sources = {
            "peri": (0x48, [self.hertz("sys"), self.pll_sys.hertz, self.pll_usb.hertz, RING_HZ, CRYSTAL_HZ]),
            "usb": (0x60, [self.pll_usb.hertz, self.pll_sys.hertz, RING_HZ, CRYSTAL_HZ]),
        }[name]
        return sources[peek(control) >> 5 & 7] if peek(control) & 1 << 11 else 0

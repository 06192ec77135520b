"""Registers of a block of the chip, as others are made of."""

# The bits of a register are written plainly, inverted, set or cleared, by where it is written (2.1.3).
ALIASES = [
    lambda _, value: value,
    lambda old, value: old ^ value,
    lambda old, value: old | value,
    lambda old, value: old & ~value & 0xFFFFFFFF,
]


class Block:
    """Registers that keep what is written, but for those that a model reads and writes otherwise."""

    def __init__(self, size, **initial):
        self.size = size
        self.registers = {int(name[1:], 16): value for name, value in initial.items()}

    def peek(self, offset):
        return self.registers.get(offset, 0)

    def read(self, offset):
        return self.peek(offset)

    def write(self, offset, value):
        self.registers[offset] = value

    def write_by(self, alias, offset, value):
        """Writes as it is done at one of the aliases."""
        self.write(offset, ALIASES[alias](self.peek(offset), value) if alias else value)

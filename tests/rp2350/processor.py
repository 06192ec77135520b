"""A Cortex-M33 that runs a program: instructions by Unicorn, and here what that leaves out, the exceptions of the M profile
(Armv8-M Architecture Reference Manual, B3 and D1.2) with their frames, priorities and the controller of interrupts.
"""

import struct

from unicorn import (
    UC_ARCH_ARM, UC_ERR_INSN_INVALID, UC_HOOK_CODE, UC_HOOK_INTR, UC_MODE_MCLASS, UC_MODE_THUMB, Uc, UcError, arm_const as arm,
)

SYSTEM_CONTROL = 0xE000E000
INTERRUPTS = 52
# Interrupts are looked for after so many instructions at the latest.
SLICE = 400
NEVER = 0xFFFFFFFE
EXC_RETURN = 0xFFFFFF00
# Of EXC_RETURN in the secure state with the main stack: thread mode, handler mode; without this bit the frame has
# floating-point registers.
TO_THREAD, TO_HANDLER, PLAIN_FRAME = 0xFFFFFFF9, 0xFFFFFFF1, 1 << 4
ALIGNED = 1 << 9
FLOATING_POINT_ACTIVE = 1 << 2
THREAD_PRIORITY = 0x100
FIRST_INTERRUPT = 16
SEV, WFE, WFI = (struct.pack("<H", code) for code in (0xBF40, 0xBF20, 0xBF30))
CORE = [arm.UC_ARM_REG_R0, arm.UC_ARM_REG_R1, arm.UC_ARM_REG_R2, arm.UC_ARM_REG_R3, arm.UC_ARM_REG_R12, arm.UC_ARM_REG_LR]
FLOATING = [arm.UC_ARM_REG_S0 + number for number in range(16)]
# What the firmware may use of the system control space beside the interrupt controller: table of vectors, application
# interrupt and reset control, priorities of system handlers, coprocessor access, floating-point context.
VTOR = 0xED08
CELLS = {0xE008: 0, 0xED0C: 0, 0xED10: 0, 0xED14: 0, 0xED18: 0, 0xED1C: 0, 0xED20: 0, 0xED24: 0, 0xED88: 0, 0xEF34: 0xC0000000, 0xEDFC: 0}


class Fault(Exception):
    """The chip would have stopped here, or something is used that is not modelled."""


class Processor:
    def __init__(self):
        self.uc = Uc(UC_ARCH_ARM, UC_MODE_THUMB | UC_MODE_MCLASS)
        self.uc.ctl_set_cpu_model(arm.UC_CPU_ARM_CORTEX_M33)
        self.uc.hook_add(UC_HOOK_INTR, self._trapped)
        self.cells = dict(CELLS)
        self.vectors = 0
        self.enabled, self.pending = set(), set()
        # Interrupt -> whether what it comes from asks for it now.
        self.lines = {}
        self.priorities = bytearray(INTERRUPTS + 4)
        # The exceptions that are being handled, the innermost last.
        self.active = []
        self.taken = dict.fromkeys(range(INTERRUPTS), 0)
        self.event = self.sleeping = False
        self.trap = self.failure = None
        self.devices(0xE0000000, 0x10000, self._read_control, self._write_control)

    def devices(self, start, size, read, write):
        """Has a range of addresses answered by functions of an offset; a fault within them ends the run."""

        def guarded_read(_, offset, width, __):
            return self._guarded(read, offset, width) or 0

        def guarded_write(_, offset, width, value, __):
            self._guarded(write, offset, width, value)

        self.uc.mmio_map(start, size, guarded_read, None, guarded_write, None)

    def _guarded(self, function, *arguments):
        try:
            return function(*arguments)
        except Exception as error:  # Unicorn would drop it.
            self.failure = self.failure or error
            self.uc.emu_stop()

    def on_code(self, address, function):
        self.uc.hook_add(UC_HOOK_CODE, lambda *_: self._guarded(function), begin=address, end=address)

    def watch_events(self, code, start):
        """The instruction that sets the event is none to Unicorn. Data that looks like one only wakes the processor in vain."""
        place = code.find(SEV)
        while place >= 0:
            if place % 2 == 0:
                self.on_code(start + place, self._set_event)
            place = code.find(SEV, place + 1)

    def _set_event(self):
        self.event = True

    @property
    def pc(self):
        return self.uc.reg_read(arm.UC_ARM_REG_PC)

    def register(self, number):
        return self.uc.reg_read(arm.UC_ARM_REG_R0 + number)

    def word(self, address):
        return struct.unpack("<I", self.uc.mem_read(address, 4))[0]

    def reset(self, vectors):
        self.vectors = vectors
        self.uc.reg_write(arm.UC_ARM_REG_SP, self.word(vectors))
        self.uc.reg_write(arm.UC_ARM_REG_LR, 0xFFFFFFFF)
        self.uc.reg_write(arm.UC_ARM_REG_PC, self.word(vectors + 4))

    def run_slice(self):
        """Runs some instructions: returns how many, at the most. Sleeps if the program does."""
        self._take_interrupt()
        if self.sleeping:
            return 0
        self.trap = None
        count = 1 if self._in_condition() else SLICE
        try:
            self.uc.emu_start(self.pc | 1, NEVER, count=count)
        except UcError as error:
            if self.failure is None and not self._waits(error):
                raise Fault(f"{error} at {self.pc:#x}, called from {self.register(0):#x}") from error
        if self.failure is not None:
            raise self.failure
        if self.trap is not None:
            self._return_from_exception()
        return count

    def _in_condition(self):
        """Whether the next instruction is in the middle of an IT block, whose state is not kept over a stop."""
        return bool(self.uc.reg_read(arm.UC_ARM_REG_XPSR) & 0x0600FC00)

    def _waits(self, error):
        """Takes an instruction that waits for an event or an interrupt."""
        code = bytes(self.uc.mem_read(self.pc - 2, 2))
        if error.errno != UC_ERR_INSN_INVALID or code not in (WFE, WFI):
            return False
        self.sleeping = code == WFI or not self.event
        self.event = False
        return True

    def _trapped(self, _, number, __):
        self.trap = number
        self.uc.emu_stop()

    def requested(self):
        """The interrupt that is to come next, if one is; its priority."""
        asked = self.pending | {number for number, line in self.lines.items() if line()}
        return min(((self.priorities[number], number) for number in asked & self.enabled), default=None)

    def _current_priority(self):
        return min((self.priorities[number] for number in self.active), default=THREAD_PRIORITY)

    def _take_interrupt(self):
        asked = self.requested()
        if asked is None or asked[0] >= self._current_priority():
            return
        if self.sleeping:
            self.sleeping = False
        if self.uc.reg_read(arm.UC_ARM_REG_PRIMASK) & 1 or self._in_condition():
            return
        self._enter(asked[1])

    def _enter(self, number):
        uc, pc = self.uc, self.pc
        control = uc.reg_read(arm.UC_ARM_REG_CONTROL)
        has_floating = bool(control & FLOATING_POINT_ACTIVE)
        state = uc.reg_read(arm.UC_ARM_REG_XPSR) & ~ALIGNED | 1 << 24
        words = [*(uc.reg_read(register) for register in CORE), pc, None]
        if has_floating:
            words += [*(uc.reg_read(register) for register in FLOATING), uc.reg_read(arm.UC_ARM_REG_FPSCR), 0]
        top = uc.reg_read(arm.UC_ARM_REG_SP)
        stack = (top & ~7) - 4 * len(words)
        words[7] = state | (ALIGNED if top & 4 else 0)
        uc.mem_write(stack, struct.pack(f"<{len(words)}I", *words))
        uc.reg_write(arm.UC_ARM_REG_SP, stack)
        back = (TO_HANDLER if self.active else TO_THREAD) & ~(PLAIN_FRAME if has_floating else 0)
        uc.reg_write(arm.UC_ARM_REG_LR, back)
        uc.reg_write(arm.UC_ARM_REG_CONTROL, control & ~FLOATING_POINT_ACTIVE)
        self.active.append(number)
        self.pending.discard(number)
        self.taken[number] += 1
        self.event = True
        vector = self.word(self.vectors + 4 * (FIRST_INTERRUPT + number))
        if not vector & 1:
            raise Fault(f"the vector of interrupt {number} is {vector:#x}")
        uc.reg_write(arm.UC_ARM_REG_PC, vector)

    def _return_from_exception(self):
        uc, place = self.uc, self.pc | 1
        if place < EXC_RETURN or not self.active:
            raise Fault(f"exception {self.trap} at {place:#x}, link {uc.reg_read(arm.UC_ARM_REG_LR):#x}")
        self.active.pop()
        has_floating = not place & PLAIN_FRAME
        stack = uc.reg_read(arm.UC_ARM_REG_SP)
        length = 26 if has_floating else 8
        words = struct.unpack(f"<{length}I", uc.mem_read(stack, 4 * length))
        for register, value in zip(CORE, words):
            uc.reg_write(register, value)
        control = uc.reg_read(arm.UC_ARM_REG_CONTROL) & ~FLOATING_POINT_ACTIVE
        if has_floating:
            for register, value in zip(FLOATING, words[8:]):
                uc.reg_write(register, value)
            uc.reg_write(arm.UC_ARM_REG_FPSCR, words[24])
            control |= FLOATING_POINT_ACTIVE
        uc.reg_write(arm.UC_ARM_REG_CONTROL, control)
        uc.reg_write(arm.UC_ARM_REG_SP, stack + 4 * length + (4 if words[7] & ALIGNED else 0))
        uc.reg_write(arm.UC_ARM_REG_XPSR, words[7] & ~ALIGNED)
        uc.reg_write(arm.UC_ARM_REG_PC, words[6] | 1)
        self.event = True

    def _read_control(self, offset, _):
        if offset == VTOR:
            return self.vectors
        bits = self._interrupts_at(offset)
        if bits is not None:
            numbers, first = bits
            return sum(1 << (number - first) for number in numbers if first <= number < first + 32)
        if 0xE400 <= offset < 0xE400 + INTERRUPTS:
            return int.from_bytes(self.priorities[offset - 0xE400 : offset - 0xE400 + 4], "little")
        if offset not in self.cells:
            raise Fault(f"read of {0xE0000000 + offset:#x} at {self.pc:#x}")
        return self.cells[offset]

    def _interrupts_at(self, offset):
        """Of a register with a bit for each interrupt: those that are set, and the number of its first."""
        for start, numbers in ((0xE100, self.enabled), (0xE180, self.enabled), (0xE200, self.pending), (0xE280, self.pending)):
            if start <= offset < start + 8:
                return numbers, 8 * (offset - start)
        return None

    def _write_control(self, offset, width, value):
        bits = self._interrupts_at(offset)
        if bits is not None:
            numbers, first = bits
            changed = {first + bit for bit in range(32) if value >> bit & 1 and first + bit < INTERRUPTS}
            (numbers.difference_update if offset & 0x80 else numbers.update)(changed)
        elif 0xE400 <= offset < 0xE400 + INTERRUPTS:
            for place in range(width):
                # Four bits of each are there.
                self.priorities[offset - 0xE400 + place] = value >> (8 * place) & 0xF0
        elif offset == VTOR:
            if value % 512:
                raise Fault(f"the table of vectors at {value:#x} is not aligned")
            self.vectors = value
        elif offset in self.cells:
            self.cells[offset] = value
        else:
            raise Fault(f"write of {value:#x} to {0xE0000000 + offset:#x} at {self.pc:#x}")

"""The boot ROM of an RP2350, as far as the firmware calls it (data sheet, 5.4 and 5.5). Its functions are instructions that
return, and what they do is done here; one that takes its time is a loop in which interrupts come.
"""

import ctypes
import struct

from chip import FLASH_BYTES
from processor import Fault
from unicorn import arm_const as arm

LOOK_UP, FUNCTIONS = 0x100, 0x200
BUSY = 0x8000
# Secure code in Arm instructions (5.4.1).
SECURE_ARM = 0x0004
SECTOR, PAGE = 4096, 256
# As a worn flash takes (W25Q32RV data sheet, the longest times).
ERASE_US, PROGRAM_US = 400_000, 3_000
RETURN = struct.pack("<H", 0x4770)
# Loops while a word of a device is not zero: nop; ldr r3, [pc, #8]; ldr r3, [r3]; cmp r3, #0; bne; bx lr; .word
WAIT = struct.pack("<6HI", 0xBF00, 0x4B02, 0x681B, 0x2B00, 0xD1FB, 0x4770, BUSY)
# What the ROM leaves in memory of its own for mapping the flash, which runs wherever it is copied to: it calls a function of the
# ROM with two words behind it. ldr r0, [pc, #8]; ldr r1, [pc, #12]; ldr r2, [pc]; bx r2; .word
MODE, DIVISOR = 3, 3
MAP = struct.pack("<4H3I", 0x4802, 0x4903, 0x4A00, 0x4710, 0, MODE, DIVISOR)
REBOOT_TO_LOADER = 0x0102


class Rom:
    def __init__(self, chip):
        self.chip, self.processor = chip, chip.processor
        self.busy_until = 0.0
        self.erased, self.programmed = [], []
        self.on_erase = lambda: None
        self.rebooted = False
        code = bytearray(RETURN * 0x4000)
        # The version, and where the function is that looks others up (5.5.1).
        code[0x10:0x18] = b"Mu\x02\x02" + struct.pack("<2H", 0, LOOK_UP | 1)
        self.addresses = {}
        uc = self.processor.uc
        for index, (name, call) in enumerate(self._functions().items()):
            address = FUNCTIONS + 16 * index
            if name in ("RE", "RP"):
                code[address : address + len(WAIT)] = WAIT
            self.addresses[name] = address | 1
            self.processor.on_code(address, call)
        self.processor.on_code(LOOK_UP, self._look_up)
        uc.mem_map(0, len(code), 5)
        uc.mem_write(0, bytes(code))
        self.processor.devices(BUSY, 0x1000, self._is_busy, None)
        words = list(struct.unpack(f"<{len(MAP) // 4}I", MAP))
        words[2] = self.addresses["XM"]
        for place, word in enumerate(words):
            chip.boot_memory.registers[4 * place] = word

    def _functions(self):
        return {
            "IF": lambda: None, "EX": lambda: self.chip.map_flash(False), "FC": lambda: None,
            "RE": self._erase, "RP": self._program, "RB": self._reboot,
            "XM": self._map,
        }

    def _look_up(self):
        name, flags = struct.pack("<H", self.processor.register(0) & 0xFFFF).decode(), self.processor.register(1)
        if name not in self.addresses or flags != SECURE_ARM:
            raise Fault(f"the ROM's function {name} is looked up, flags {flags:#x}")
        self.processor.uc.reg_write(arm.UC_ARM_REG_R0, self.addresses[name])

    def _is_busy(self, _, __):
        """Time passes, up to what happens next; an interrupt that is asked for comes first."""
        chip = self.chip
        if chip.now_us >= self.busy_until:
            return 0
        if self.processor.requested() is None:
            chip.now_us = min(self.busy_until, max(chip.next_event(), chip.now_us + 1))
        return 1

    def _map(self):
        if (self.processor.register(0), self.processor.register(1)) != (MODE, DIVISOR):
            raise Fault("the flash is mapped in another way than the ROM had")
        self.chip.map_flash(True)

    def _check(self, offset, count, unit):
        if self.chip.is_mapped or offset % unit or count % unit or offset + count > FLASH_BYTES:
            raise Fault(f"the flash is written at {offset:#x}, {count} bytes; mapped: {self.chip.is_mapped}")

    def _erase(self):
        offset, count = self.processor.register(0), self.processor.register(1)
        self._check(offset, count, SECTOR)
        ctypes.memset(ctypes.byref(self.chip.flash, offset), 0xFF, count)
        self.erased.append(offset)
        self.on_erase()
        self.busy_until = self.chip.now_us + ERASE_US * count / SECTOR

    def _program(self):
        offset, source, count = (self.processor.register(number) for number in range(3))
        self._check(offset, count, PAGE)
        data = self.processor.uc.mem_read(source, count)
        for place, byte in enumerate(data, offset):
            self.chip.flash[place] &= byte
        self.programmed.append(offset)
        self.busy_until = self.chip.now_us + PROGRAM_US * count / PAGE

    def _reboot(self):
        if self.processor.register(0) != REBOOT_TO_LOADER:
            raise Fault(f"reboot of kind {self.processor.register(0):#x}")
        self.rebooted = True
        self.processor.uc.emu_stop()

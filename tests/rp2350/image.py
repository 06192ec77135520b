"""The images of a Pico 2 as they are handed out: UF2 files (https://github.com/microsoft/uf2), what the boot ROM looks for in
them (RP2350 data sheet, 5.9; its published source), and what the ELF file beside them puts into memory.
"""

import struct

from chip import FLASH, MEMORY, MEMORY_BYTES
from processor import Fault

PROGRAM_BYTES = 256 * 1024
BLOCK, PAGE = 512, 256
FIRST, SECOND, LAST = 0x0A324655, 0x9E5D5157, 0x0AB16F30
HAS_FAMILY = 0x2000
# Programs in Arm code, in the secure state.
FAMILY = 0xE48BFF59
MARKER_START, MARKER_END = 0xFFFFDED3, 0xAB123579
SEARCHED_BYTES = 4096
IMAGE_TYPE, LAST_ITEM = 0x42, 0xFF
# An executable, secure, Arm, for an RP2350, not one to be tried once.
EXECUTABLE = 0x1021
EXCEPTIONS, INTERRUPTS = 16, 52
RESERVED = {8, 9, 10, 13}
LOADED = 1


def check(holds, what):
    if not holds:
        raise Fault(what)


def read_uf2(data):
    """The program: what the boot loader writes from the beginning of the flash on."""
    program = bytearray()
    count = len(data) // BLOCK
    for number in range(count):
        block = data[BLOCK * number : BLOCK * (number + 1)]
        first, second, flags, address, length, at, total, family = struct.unpack_from("<8I", block)
        check((first, second) == (FIRST, SECOND) and block[-4:] == struct.pack("<I", LAST), f"block {number} is none of UF2")
        check((flags, length, at, total, family) == (HAS_FAMILY, PAGE, number, count, FAMILY), f"block {number} of UF2 is wrong")
        check(address == FLASH + len(program), f"block {number} leaves a gap")
        program += block[32 : 32 + PAGE]
    check(len(data) == BLOCK * count and len(program) <= PROGRAM_BYTES, "the program is too long")
    return bytes(program)


def check_definition(program):
    """What the boot ROM has to find: one block that is a loop of itself, with the type of the image."""
    words = struct.unpack(f"<{SEARCHED_BYTES // 4}I", program[:SEARCHED_BYTES])
    check(MARKER_START in words, "no block begins in the first 4 KiB")
    begins = words.index(MARKER_START)
    place, types = begins + 1, []
    while words[place] & 0xFF != LAST_ITEM:
        kind, size = words[place] & 0xFF, words[place] >> 8 & 0xFF
        # The highest bit of a type gives its size two bytes.
        check(kind < 0x80 and size > 0, f"an item of type {kind:#x}, {size} words long")
        types.append((kind, words[place] >> 16))
        place += size
    check(words[place] >> 8 & 0xFFFF == place - begins - 1, "the block has not the length that it names")
    check(words[place + 1 : place + 3] == (0, MARKER_END), "the block is no loop of itself, or has no end")
    check(types == [(IMAGE_TYPE, EXECUTABLE)], f"the image is {types}")


def check_vectors(program):
    """What the boot ROM starts with: the stack in memory, and handlers in the program."""
    stack, *handlers = struct.unpack(f"<{EXCEPTIONS + INTERRUPTS}I", program[: 4 * (EXCEPTIONS + INTERRUPTS)])
    check(stack % 8 == 0 and MEMORY < stack <= MEMORY + MEMORY_BYTES, f"the stack begins at {stack:#x}")
    for number, handler in enumerate(handlers, 1):
        is_code = handler & 1 and FLASH <= handler < FLASH + len(program)
        in_memory = handler & 1 and MEMORY <= handler < MEMORY + MEMORY_BYTES
        # Reserved exceptions have none, nor have interrupts that the program does not know: one that is enabled must have one.
        is_unused = handler == 0 and (number in RESERVED or number >= EXCEPTIONS)
        check(is_code or in_memory or is_unused, f"exception {number} at {handler:#x}")


def segments(elf):
    """Of each that is loaded: where it is in the file, in memory and in the flash, its bytes there, and those that it takes."""
    start, = struct.unpack_from("<I", elf, 28)
    size, count = struct.unpack_from("<HH", elf, 42)
    headers = (struct.unpack_from("<6I", elf, start + index * size) for index in range(count))
    return [fields for kind, *fields in headers if kind == LOADED and fields[4] > 0]


def check_places(elf, program):
    """What is loaded where: all in the program's part of the flash or in memory, and the flash as in the UF2 file."""
    for offset, address, physical, length, whole in segments(elf):
        in_flash = FLASH <= address and address + whole <= FLASH + PROGRAM_BYTES
        in_memory = MEMORY <= address and address + whole <= MEMORY + MEMORY_BYTES
        check(in_flash or in_memory, f"{whole} bytes at {address:#x}")
        place = physical - FLASH
        check(not length or elf[offset : offset + length] == program[place : place + length], f"the UF2 file differs at {physical:#x}")


def sizes(elf_path):
    """The bytes of flash and of memory that it takes."""
    with open(elf_path, "rb") as file:
        loaded = segments(file.read())
    return sum(length for *_, length, _ in loaded), sum(whole for _, address, _, _, whole in loaded if address >= MEMORY)


def check_image(elf_path):
    """All that; returns the program."""
    with open(f"{elf_path}.uf2", "rb") as file:
        program = read_uf2(file.read())
    check_definition(program)
    check_vectors(program)
    with open(elf_path, "rb") as file:
        check_places(file.read(), program)
    return program

"""Builds the programs of this directory for thumbv6m-none-eabi and looks into what was linked."""

import os
import re
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
TARGET = "thumbv6m-none-eabi"
OUT = os.path.join(HERE, "..", "..", "firmware-bridge", "target")


def path(program):
    return os.path.join(OUT, TARGET, "release", program)


def run(command, **options):
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, **options).stdout


def build():
    # Functions that are alike are kept apart, so that a call identifies its panic.
    run([os.path.join(HERE, "..", "thumbv6m-build"), HERE, "-Zmerge-functions=disabled", "-Zemit-stack-sizes"])


def section_sizes(elf):
    sizes = {}
    for line in run(["readelf", "-SW", elf]).splitlines():
        match = re.match(r"\s*\[\s*\d+\]\s+(\.\S+)\s+\S+\s+[0-9a-f]+\s+[0-9a-f]+\s+([0-9a-f]+)", line)
        if match:
            sizes[match[1]] = int(match[2], 16)
    return sizes


def functions(elf):
    """Address of each function -> (name, addresses of the functions it calls)."""
    found = {}
    current = None
    listing = run(["llvm-objdump", "-d", "--no-show-raw-insn", "-C", elf])
    for line in listing.splitlines():
        head = re.match(r"([0-9a-f]+) <(.*)>:$", line)
        if head and not head[2].startswith("$"):
            current = int(head[1], 16)
            found[current] = (head[2], set())
        call = re.search(r"\tb[a-z]*\t0x([0-9a-f]+)", line)
        if call and current is not None:
            found[current][1].add(int(call[1], 16))
        # What is called more than once may be called by its address, loaded from behind the function.
        word = re.search(r"\t\.word\t0x([0-9a-f]+)", line)
        if word and current is not None:
            found[current][1].add(int(word[1], 16) & ~1)
    return found


def panics(graph):
    """(function, panic) for each function beside those of Rust's core library that calls a panic."""
    names = {address: name for address, (name, _) in graph.items()}
    return sorted(
        (name, names[call])
        for name, calls in graph.values()
        for call in calls
        if re.match(r"core::(panicking|option::|result::|slice::index|str::)", names.get(call, ""))
        and re.search(r"panic|fail", names[call])
        and not re.match("core::|<core::(fmt|num)::", name)
    )


def harmful(panics):
    """Those that can happen: an async function that was polled after its end panics, which neither `.await` nor `block_on` does."""
    return [(name, panic) for name, panic in panics if not panic.endswith("::panic_const_async_fn_resumed")]


def frames(elf):
    """Name -> bytes of stack, by the compiler's own account."""
    sizes = {}
    for line in run(["llvm-readobj", "--stack-sizes", elf]).splitlines():
        match = re.match(r"\s*Functions: \[(.*)\]", line)
        if match:
            name = match[1]
        match = re.match(r"\s*Size: (0x[0-9A-Fa-f]+|\d+)", line)
        if match:
            sizes[name] = int(match[1], 0)
    return sizes


def symbols(elf):
    """Address of each function -> its name in the symbol table."""
    found = {}
    for line in run(["readelf", "-sW", elf]).splitlines():
        match = re.match(r"\s*\d+: ([0-9a-f]+)\s+\d+ FUNC\s+\S+\s+\S+\s+\S+\s+(\S+)", line)
        if match:
            found[int(match[1], 16) & ~1] = match[2]
    return found


def deepest_stack(graph, stack, names):
    def depth(address, above):
        name, calls = graph[address]
        if address in above:
            raise SystemExit(f"{name} calls itself: its stack use is unbounded")
        below = [depth(call, above | {address}) for call in calls if call in graph and call != address]
        size, path = max(below, default=(0, []))
        own = stack.get(names.get(address), 0)
        return size + own, [(own, name), *path]

    start = next(address for address, (name, _) in graph.items() if name.endswith("__cortex_m_rt_main"))
    return depth(start, frozenset())

#!/usr/bin/env python3
"""Fails if anything in a linked program can panic: `core/c/tests/panics.py ELF`."""

import os
import sys

sys.dont_write_bytecode = True
sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "tests", "thumbv6m-capture"))
import linked

found = linked.panics(linked.functions(sys.argv[1]))
if not found:
    sys.exit("no function calls a panic, not even those of async functions: are the symbols there?")
for name, panic in linked.harmful(found):
    print(f"can panic: {name} calls {panic}")
if linked.harmful(found):
    sys.exit(1)
print(f"nothing can panic but {len(found)} async functions if they were polled after their end, which nothing does")

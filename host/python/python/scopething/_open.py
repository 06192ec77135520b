"""What is open, and the end of the interpreter, before which all of it is closed."""

from __future__ import annotations

import atexit
import os
import weakref
from typing import Any

from . import _core

opened: weakref.WeakSet[Any] = weakref.WeakSet()
"""What must be closed before the interpreter goes."""


def _leave() -> None:
    _core.shut()
    for one in list(opened):
        one.close()


atexit.register(_leave)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_core.forget_threads)

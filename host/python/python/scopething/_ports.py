"""The serial ports of this computer."""

from __future__ import annotations

from typing import List, NamedTuple, Optional

from . import _core


class Port(NamedTuple):
    """A serial port."""

    name: str
    """The name that `connect` takes."""
    usb: Optional[str]
    """The USB device behind it, if it is one."""
    is_bitscope: bool
    """Whether it has a BitScope's USB id."""
    obstacle: Optional[str]
    """Why it cannot be used; None if it can."""


def list_ports() -> List[Port]:
    """The serial ports of this computer, and which of them are BitScopes. None of them is opened.

    Raises:
        NotFound: the operating system does not list them.
    """
    return [Port(*row) for row in _core.ports()]

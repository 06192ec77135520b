"""What goes wrong, one class for each thing that can be done about it."""

from __future__ import annotations

from typing import Dict

__all__ = [
    "BadAnswer",
    "Busy",
    "Cancelled",
    "Closed",
    "Error",
    "FileError",
    "LinkLost",
    "NotFound",
    "PlanError",
    "Usage",
    "WrongDevice",
]


class Error(Exception):
    """Any error of this package. Its text names what to do next."""

    __module__ = "scopething"


class NotFound(Error):
    """No scope is there: no serial port with a BitScope's USB id, no such port or host, or nothing that answers."""

    __module__ = "scopething"


class Busy(Error):
    """Another program has the scope."""

    __module__ = "scopething"


class WrongDevice(Error):
    """Something else than a BitScope Micro answers."""

    __module__ = "scopething"


class LinkLost(Error):
    """The link was cut or the device fell silent: connect again once it is back."""

    __module__ = "scopething"


class BadAnswer(Error):
    """The answers of the device made no sense: repeat the operation, the device is reset first."""

    __module__ = "scopething"


class PlanError(Error, ValueError):
    """The device cannot do what was asked, not even nearly.

    Attributes:
        limits: what it can do, by name where that is known: ``longest_period`` in seconds, ``fastest_rate`` and
            ``slowest_frame_rate`` in hertz.
    """

    __module__ = "scopething"
    limits: Dict[str, float]

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.limits = {}


class Usage(Error, ValueError):
    """An argument is not understood, or an operation does not fit the state of the scope."""

    __module__ = "scopething"


class FileError(Error, OSError):
    """A file cannot be read or written; one that was there is as it was."""

    __module__ = "scopething"


class Closed(Usage):
    """The scope was closed, perhaps by another thread or because the interpreter exits."""

    __module__ = "scopething"


class Cancelled(Error):
    """A capture was cancelled before its first sample, or a calibration before its end."""

    __module__ = "scopething"

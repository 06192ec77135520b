"""Traces in files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Mapping, Optional, TypedDict, Union

from . import _core
from ._arguments import Path, Quantity, listed, name_of, number, whole
from ._errors import FileError, Usage
from ._traces import Traces

if TYPE_CHECKING:
    from typing_extensions import Unpack


class ReadArguments(TypedDict, total=False):
    """The arguments of `read` besides the file: what to read of it."""

    format: Optional[str]
    channels: Union[str, Iterable[str]]
    columns: Union[None, str, Mapping[str, Union[str, int]]]
    rate: Optional[Quantity]
    skip: int
    start: Optional[Quantity]
    duration: Optional[Quantity]


def read(file: Path, **arguments: Unpack[ReadArguments]) -> Traces:
    """Reads the first trace of a file: csv, json, npz, parquet, sr (sigrok), vcd or wav, also of other programs.

    Args:
        file: the file.
        arguments: what to read of it:

            - ``format``: the format, where the ending does not name it.
            - ``channels``: only these, by the names in the file or those of a trace: ``"SCL,SDA"``.
            - ``columns``: which columns of a table are the time and the channels, by number from 1 or by name:
              ``{"time": 2, "A": "CH1"}`` or ``"time=2,A=CH1"``.
            - ``rate``: samples a second in hertz, where the file does not state it, or states a wrong one.
            - ``skip``: lines of a table to pass over first.
            - ``start``: the time in seconds, on the time axis of the file, to read from.
            - ``duration``: how many seconds to read.

    Messages name the program's options: ``--from`` is ``start``, ``--for`` is ``duration``, and the others are
    the arguments of their names.

    Raises:
        FileError: it cannot be read.
        Usage: its ending names no format, an argument is not understood, or the file does not have these channels.
    """
    return next(iter(_traces_of(file, arguments)))


def read_all(file: Path, **arguments: Unpack[ReadArguments]) -> List[Traces]:
    """Reads all traces of a file, as `read`."""
    return list(_traces_of(file, arguments))


def _traces_of(file: Path, arguments: ReadArguments) -> Iterable[Traces]:
    recordings = _core.read(os.fspath(file), _arguments_of(**arguments))
    if not recordings:
        raise FileError(f"{os.fspath(file)} has no trace in it")
    return (Traces(recording) for recording in recordings)


def _arguments_of(
    format: Optional[str] = None,
    channels: Union[str, Iterable[str]] = (),
    columns: Union[None, str, Mapping[str, Union[str, int]]] = None,
    rate: Optional[Quantity] = None,
    skip: int = 0,
    start: Optional[Quantity] = None,
    duration: Optional[Quantity] = None,
) -> Dict[str, Any]:
    if isinstance(columns, Mapping):
        columns = ",".join(f"{name}={column}" for name, column in columns.items())
    elif not (columns is None or isinstance(columns, str)):
        raise Usage(f"columns is {columns!r}: give 'time=2,A=CH1' or {{'time': 2, 'A': 'CH1'}}")
    return {
        "format": None if format is None else name_of(format, "format"),
        "channels": _names_of(channels),
        "columns": columns,
        "rate": None if rate is None else number(rate, "Hz", "rate"),
        "skip": _lines_of(skip),
        "start": None if start is None else number(start, "s", "start"),
        "duration": None if duration is None else number(duration, "s", "duration"),
    }


def _names_of(channels: Union[str, Iterable[str]]) -> List[str]:
    """The names of channels in a file, one text each; none for all."""
    example = "'SCL,SDA' or ['SCL', 'SDA']"
    names = channels.split(",") if isinstance(channels, str) else listed(channels, example)
    if not all(isinstance(name, str) and name.strip() for name in names):
        raise Usage(f"channels is {channels!r}: give {example}")
    return [name.strip() for name in names]


def _lines_of(skip: int) -> int:
    lines = whole(skip, "skip")
    if not 0 <= lines < 1 << 64:
        raise Usage(f"skip is {lines}: give how many lines, from 0")
    return lines

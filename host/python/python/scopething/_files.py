"""Traces in files."""

from __future__ import annotations

import os
from typing import Iterable, List

from . import _core
from ._arguments import Path
from ._errors import FileError
from ._traces import Traces


def read(file: Path) -> Traces:
    """Reads the first trace of a file: csv, json, npz, parquet, sr (sigrok), vcd or wav, also of other programs.

    Raises:
        FileError: it cannot be read.
        Usage: its ending names no format.
    """
    return next(iter(_traces_of(file)))


def read_all(file: Path) -> List[Traces]:
    """Reads all traces of a file, as `read`."""
    return list(_traces_of(file))


def _traces_of(file: Path) -> Iterable[Traces]:
    recordings = _core.read(os.fspath(file))
    if not recordings:
        raise FileError(f"{os.fspath(file)} has no trace in it")
    return (Traces(recording) for recording in recordings)

"""Streams: blocks of samples that follow on one another."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Optional

import numpy as np
import numpy.typing as npt

from . import _core
from ._arguments import quantity_text
from ._open import opened
from ._table import Table


class Block:
    """Samples of a stream that follow on one another.

    Attributes:
        start: seconds from the start of the stream to the first sample.
        lost: frames of the device that are missing just before this block, because the link could not carry them or the
            program did not keep up. None if some are, but how many is not known: ``start`` is an estimate from there on.
        sample_period: seconds from one sample to the next.
        samples: by channel, float32 of shape (n,), nobody can write to them; logic levels 0 or 1 as uint8. With an
            envelope the least of each sample; ``greatest`` has the greatest.
        greatest: by channel, with an envelope; empty otherwise.
    """

    __slots__ = ("greatest", "lost", "sample_period", "samples", "start")

    def __init__(
        self,
        start: float,
        lost: Optional[int],
        sample_period: float,
        samples: Dict[str, npt.NDArray[Any]],
        greatest: Dict[str, npt.NDArray[Any]],
    ) -> None:
        self.start = start
        self.lost = lost
        self.sample_period = sample_period
        self.samples = samples
        self.greatest = greatest

    @property
    def timestamps(self) -> npt.NDArray[np.float64]:
        """Seconds from the start of the stream to each sample, as float64 of shape (n,)."""
        return self.start + np.arange(len(self), dtype=np.float64) * self.sample_period

    def __getattr__(self, name: str) -> npt.NDArray[Any]:
        if not name.startswith("_") and name in self.samples:
            return self.samples[name]
        raise AttributeError(f"a block has no {name!r}")

    def __getitem__(self, channel: str) -> npt.NDArray[Any]:
        return self.samples[channel]

    def __len__(self) -> int:
        return len(next(iter(self.samples.values())))

    def __repr__(self) -> str:
        count = "an unknown number of" if self.lost is None else self.lost
        lost = "" if count == 0 else f", {count} frames lost before"
        return f"<Block of {', '.join(self.samples)}: {len(self)} samples from {quantity_text(self.start, 's', 6)}{lost}>"


class Stream(Iterator[Block]):
    """A stream that runs: iterate over it, and close it.

    What is received waits for the iteration, a million samples of each channel and 4096 blocks at most; what comes beyond is
    given up, and the next block reports it as lost.
    """

    def __init__(self, reader: _core.Reader) -> None:
        self._reader = reader
        self._columns = reader.columns
        self._is_closed = False
        opened.add(self)

    @property
    def channels(self) -> List[str]:
        """The channels, in the order A, B, L0 to L7."""
        return list(dict.fromkeys(name for name, _ in self._columns))

    @property
    def sample_period(self) -> float:
        """Seconds from one sample to the next."""
        return self._reader.row_period

    @property
    def sample_rate(self) -> float:
        """Samples a second: near the one that was asked for."""
        return 1.0 / self._reader.row_period

    @property
    def warnings(self) -> List[str]:
        """What is done otherwise than asked and what one should know of it, a sentence each."""
        return self._reader.warnings

    @property
    def totals(self) -> Table:
        """``frames`` received so far, ``lost`` ones that the device has numbered and that did not come, and ``gaps``."""
        return Table(zip(("frames", "lost", "gaps"), self._reader.totals))

    def __iter__(self) -> Stream:
        return self

    def __next__(self) -> Block:
        if self._is_closed:
            raise StopIteration
        block = self._reader.next()
        if block is None:
            raise StopIteration
        first, lost, columns = block
        samples: Dict[str, npt.NDArray[Any]] = {}
        greatest: Dict[str, npt.NDArray[Any]] = {}
        for (name, part), column in zip(self._columns, columns):
            array: npt.NDArray[Any] = column
            if name.startswith("L"):
                array = column.astype(np.uint8)
                array.flags.writeable = False
            (greatest if part == "greatest" else samples)[name] = array
        period = self._reader.row_period
        return Block(first * period, lost, period, samples, greatest)

    def close(self) -> None:
        """Ends the stream: the scope can be used again. Twice does no harm."""
        self._is_closed = True
        self._reader.close()
        opened.discard(self)

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Stream of {', '.join(self.channels)} at {quantity_text(self.sample_rate, 'S/s')}>"

"""What a scope generates: waveforms, clocks, and held logic lines."""

from __future__ import annotations

from typing import List, Mapping, NamedTuple, Optional, Tuple, Union

import numpy as np
import numpy.typing as npt

from . import _core
from ._arguments import Quantity, Trigger, flag, levels_text, number, word
from ._errors import Usage

Waveform = Union[str, npt.ArrayLike]
"""``"sine"``, ``"triangle"``, ``"exponential"``, ``"square"``, or the samples of a period from 0 to 1."""


class Clock(NamedTuple):
    """The real frequency in hertz and the real duty of a clock that runs."""

    frequency: float
    ratio: float


class Generators:
    """The generators of a connected scope."""

    _connection: _core.Connection

    def start_waveform(
        self,
        frequency: Quantity,
        waveform: Waveform = "sine",
        ratio: Quantity = 0.5,
        low: Quantity = 0,
        high: Optional[Quantity] = None,
        min_samples: int = 50,
        max_error: Quantity = 1e-4,
        *,
        once: bool = False,
    ) -> float:
        """Plays a waveform on the waveform output and L4, until `stop_waveform`. One that plays is replaced.

        Args:
            frequency: hertz.
            waveform: ``"sine"``, ``"triangle"``, ``"exponential"`` or ``"square"``; or an array of 2 to 1024 samples of one
                period from 0 for ``low`` to 1 for ``high``, of which fewer than 1024 give stairs.
            ratio: the part of the period spent rising, or high.
            low: the lowest output in volts.
            high: the highest output in volts; 3.3 if it is not given.
            min_samples: the fewest samples in a period, 2 to 1024.
            max_error: how far the frequency may be off, as a part of it.
            once: play it once instead of over and over.

        Returns:
            The real frequency in hertz.

        Raises:
            PlanError: there is no such waveform.
            Usage: a clock runs, or lines are held.

        >>> import scopething
        >>> with scopething.connect("sim:") as scope:
        ...     scope.start_waveform("1kHz", "triangle")
        1000.0
        """
        shape, table = "own", None
        if isinstance(waveform, str):
            shape = waveform.lower()
        else:
            try:
                samples = np.asarray(waveform, dtype=np.float32)
            except (TypeError, ValueError):
                samples = np.empty((0, 0), dtype=np.float32)
            if samples.ndim != 1 or not bool(np.all((samples >= 0) & (samples <= 1))):
                raise Usage("a waveform of one's own is a one-dimensional array of samples from 0 to 1")
            table = [float(sample) for sample in samples]
        return self._connection.start_waveform(
            {
                "frequency": number(frequency, "Hz", "frequency"),
                "shape": shape,
                "table": table,
                "ratio": number(ratio, "part", "ratio"),
                "low": number(low, "V", "low"),
                "high": 3.3 if high is None else number(high, "V", "high"),
                "min_samples": word(min_samples, "min_samples"),
                "max_error": number(max_error, "part", "max_error"),
                "once": flag(once, "once"),
            }
        )

    def stop_waveform(self) -> None:
        """Stops the waveform.

        Raises:
            Usage: none plays.
        """
        self._connection.stop("waveform")

    def start_clock(
        self,
        frequency: Quantity,
        ratio: Quantity = 0.5,
        max_error: Quantity = 1e-4,
        *,
        line: str = "L5",
        outputs: Optional[Mapping[str, Tuple[Quantity, Quantity]]] = None,
    ) -> Clock:
        """Runs a clock on a logic line, or up to three of one frequency, until `stop_clock`.

        Args:
            frequency: hertz.
            ratio: duty: the part of the period in which the line is high.
            max_error: how far the frequency may be off, as a part of it.
            line: the line that is driven.
            outputs: instead of ``ratio`` and ``line``, several lines with duty and phase each, the phase as a part of the
                period or as ``"90deg"``: ``{"L4": (0.5, 0), "L5": (0.5, "90deg")}``.

        Returns:
            The real frequency in hertz, and the real duty of the first line.

        Raises:
            PlanError: there is no such clock.
            Usage: a waveform plays, or lines are held.

        >>> import scopething
        >>> with scopething.connect("sim:") as scope:
        ...     scope.start_clock("3kHz", 0.3)
        Clock(frequency=3000.075001875047, ratio=0.30000750018750466)
        """
        rows = [(_line(line), number(ratio, "part", "ratio"), 0.0)] if outputs is None else _clock_rows(outputs)
        real, duties = self._connection.start_clocks(
            number(frequency, "Hz", "frequency"), rows, number(max_error, "part", "max_error")
        )
        return Clock(real, duties[0])

    def stop_clock(self) -> None:
        """Stops the clocks.

        Raises:
            Usage: none runs.
        """
        self._connection.stop("clocks")

    def hold(self, levels: Trigger) -> None:
        """Holds up to three logic lines high or low, until `release`: ``{"L3": 1, "L5": 0}`` or ``"L3=1,L5=0"``.

        This is experimental: it has not been tried on a device.

        Raises:
            Usage: lines that are not understood, or a waveform plays or clocks run.
            PlanError: lines that cannot be held.
        """
        self._connection.hold(levels_text(levels, "levels"))

    def release(self) -> None:
        """Lets go of the lines that `hold` holds.

        Raises:
            Usage: none is held.
        """
        self._connection.stop("levels")

    def stop(self) -> None:
        """Stops whatever is generated, if anything is."""
        self._connection.stop("all")


def _clock_rows(outputs: Mapping[str, Tuple[Quantity, Quantity]]) -> List[Tuple[int, float, float]]:
    """The number, duty and phase of each line."""
    if not isinstance(outputs, Mapping):
        raise Usage(f"outputs is {outputs!r}: give duty and phase of each line, such as {{'L4': (0.5, '90deg')}}")
    rows: List[Tuple[int, float, float]] = []
    for name, values in outputs.items():
        try:
            duty, phase = values
        except (TypeError, ValueError):
            raise Usage(f"outputs: {name} is {values!r}: give duty and phase, such as (0.5, '90deg')") from None
        part = _core.parse_phase(phase) if isinstance(phase, str) else number(phase, "part", "phase")
        rows.append((_line(name), number(duty, "part", "ratio"), part))
    return rows


def _line(name: Union[str, int]) -> int:
    text = str(name).upper()
    if len(text) == 2 and text[0] == "L" and text[1] in "01234567":
        return int(text[1])
    raise Usage(f"{name!r} is no logic line: give L0 to L7")

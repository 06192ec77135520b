"""The analysis of the pure-Python driver by its names, for scripts that were written for it: only their import lines change.

What is measured is measured by `scopething.analyse`, which finds periods of a few samples too and can do more.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ._analysis import analyse
from ._traces import Series, Traces
from .utils import DotDict

__all__ = ["annotate_series"]


def annotate_series(series: Any) -> bool:
    """Adds ``series.waveform``, if the series has a periodic one.

    Args:
        series: a `scopething.Series`, or anything else with ``samples`` and ``sample_rate``, and perhaps ``capture_start``.

    Returns:
        Whether it has one, whose amplitude and offset its samples show. It is a dictionary whose keys are attributes: ``period`` in seconds, ``frequency`` in hertz,
        ``shape``, ``duty_cycle`` of a square, ``error`` of the match; ``amplitude`` and ``offset`` in the unit of the samples;
        ``samples``, one averaged wave that rises through 0 at its beginning, in units of the amplitude, with ``timestamps``,
        ``sample_period`` and ``sample_rate``; ``beginning``, the sample where the first one starts, ``capture_start``, when that
        is in device time, and ``count``, how many there are.

    >>> import scopething
    >>> from scopething.analysis import annotate_series
    >>> with scopething.simulate(A="triangle 1kHz 0..3V") as scope:
    ...     series = scope.capture("A", period="20ms", nsamples=2000, low=0, high=3.3).A
    >>> annotate_series(series)
    True
    >>> round(series.waveform.frequency), series.waveform.shape, round(series.waveform.amplitude, 1)
    (1000, 'triangle', 1.5)
    """
    measured = series
    if not isinstance(series, Series):
        channel = "A"
        measured = Traces.from_arrays({channel: np.asarray(series.samples)}, series.sample_rate)[channel]
    if measured.is_logic:
        # As volts, since a wave is what is looked for.
        measured = Traces.from_arrays({"A": measured.samples}, measured.sample_rate).A
    wave = analyse(measured).get("wave")
    if not wave or not wave.get("averaged") or wave["amplitude"] is None or wave["offset"] is None:
        return False
    sample_period = 1.0 / series.sample_rate
    count = max(1, round(wave["period"] / sample_period))
    averaged = (np.asarray(wave["averaged"], dtype=float) - wave["offset"]) / wave["amplitude"]
    points = np.arange(count) * len(averaged) / count
    samples = np.interp(points, np.arange(len(averaged) + 1), np.append(averaged, averaged[0]))
    # The first sample of the wave, as those that are averaged are counted.
    beginning = math.ceil((wave["start"] - measured.timestamps[0]) / sample_period - 1e-9)
    capture_start = getattr(series, "capture_start", None)
    waveform = DotDict(
        period=wave["period"],
        frequency=wave["frequency"],
        samples=samples,
        beginning=beginning,
        count=wave["count"],
        amplitude=wave["amplitude"],
        offset=wave["offset"],
        timestamps=np.arange(count) * sample_period,
        sample_period=sample_period,
        sample_rate=series.sample_rate,
        capture_start=(capture_start or 0.0) + beginning * sample_period,
        shape=wave["shape"],
    )
    if wave.get("shape_error") is not None:
        waveform.error = wave["shape_error"]
    if wave.get("duty") is not None:
        waveform.duty_cycle = wave["duty"]
    series.waveform = waveform
    return True

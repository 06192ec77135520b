"""Traces: what a capture gives."""

from __future__ import annotations

import os
from typing import (
    TYPE_CHECKING,
    Any,
    Dict,
    ItemsView,
    Iterator,
    KeysView,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    Union,
    ValuesView,
    cast,
)

import numpy as np
import numpy.typing as npt

from . import _core
from ._arguments import Path, Quantity, flag, name_of, number, quantity_text, whole
from ._errors import Usage
from ._lazy import cached_property
from ._plan import Plan

if TYPE_CHECKING:
    import matplotlib.axes
    import pandas
    import xarray

Samples = Union["npt.NDArray[np.float32]", "npt.NDArray[np.uint8]"]


class Series:
    """The samples of one channel.

    Attributes:
        channel: ``"A"``, ``"B"``, or ``"L0"`` to ``"L7"``.
        label: the channel's name in the file that it was read from, where that is another one.
        sample_period: seconds from one sample of this channel to its next.
        unit: ``"V"``, ``"range"`` for fractions of it, ``""`` for logic levels.
        sample_rate: samples a second of this channel, in hertz.
        samples: volts, or with ``raw`` fractions of the range, as float32 of shape (n,); of a logic line 0 or 1 as uint8. Nobody
            can write to it; ``samples.copy()`` gives an array of one's own.
        waveform: what `scopething.analysis.annotate_series` has found; not there before.
    """

    waveform: Any

    # Most scripts look at the samples of a trace and at little else: all else that costs something is made when it is asked for.

    def __init__(self, recording: _core.Recording, index: int, row: Tuple[str, Optional[str], float, float, float, str]) -> None:
        self._recording = recording
        self._index = index
        self.channel, self.label, _, self.sample_period, self.sample_rate, self.unit = row
        self.samples: Any = recording.samples(index)

    @cached_property
    def timestamps(self) -> npt.NDArray[np.float64]:
        """Seconds from the start of the capture to each sample, as float64 of shape (n,).

        The B channel of a pair is sampled half a ``sample_period`` after A.
        """
        return self._recording.timestamps(self._index)

    @cached_property
    def clipped(self) -> Optional[bool]:
        """Whether a sample lies at an end of the range, so that the signal may go beyond it.

        None of logic lines, and where the range is not known, as in files that do not state it.
        """
        return self._recording.clipped(self._index)

    @property
    def _details(self) -> Dict[str, Any]:
        return self._recording.details

    @property
    def capture_start(self) -> Optional[float]:
        """When the capture started, in seconds of the device's own time; None of a file that does not say."""
        return cast("Optional[float]", self._details["capture_start"])

    @property
    def cause(self) -> Optional[str]:
        """Why the capture ended: ``"trigger"``, ``"timeout"`` or ``"cancel"``."""
        return cast("Optional[str]", self._details["cause"])

    def _trigger(self) -> Optional[Tuple[float, Optional[float], str, str]]:
        trigger = self._details.get("trigger")
        if trigger is None:
            return None
        source: str = trigger[3]
        lines = [part.split("=")[0] for part in source.split(",")]
        return cast("Tuple[float, Optional[float], str, str]", trigger) if self.channel in lines else None

    @property
    def trigger_timestamp(self) -> Optional[float]:
        """Seconds from the start of the capture to its trigger; None if this channel did not trigger it."""
        trigger = self._trigger()
        return None if trigger is None else trigger[0]

    @property
    def trigger_level(self) -> Optional[float]:
        """The level that this channel triggered at, in the unit of the samples; of a logic line 0 or 1."""
        trigger = self._trigger()
        if trigger is None or trigger[1] is not None:
            return None if trigger is None else trigger[1]
        levels = dict(part.split("=") for part in trigger[3].split(","))
        return float(levels[self.channel])

    @property
    def trigger_type(self) -> Optional[str]:
        """What this channel did at the trigger: ``"rising"``, ``"falling"``, ``"above"`` or ``"below"``."""
        trigger = self._trigger()
        return None if trigger is None else trigger[2]

    @property
    def is_logic(self) -> bool:
        """Whether this is a logic line."""
        return self.channel.startswith("L")

    def __len__(self) -> int:
        return len(self.samples)

    def __array__(self, dtype: Any = None, copy: Optional[bool] = None) -> Any:
        if dtype is None or np.dtype(dtype) == self.samples.dtype:
            return self.samples.copy() if copy else self.samples
        if copy is False:
            raise ValueError(f"{self.channel} holds {self.samples.dtype}: another type takes a copy")
        return self.samples.astype(dtype)

    def __reduce__(self) -> Any:
        # What an analysis adds, as it was done to the dictionaries of the pure-Python driver, comes along.
        added = {name: value for name, value in self.__dict__.items() if name not in _FIELDS}
        return _only, (Traces._of([self]), added)

    def plot(self, ax: Optional[matplotlib.axes.Axes] = None, **kwargs: Any) -> matplotlib.axes.Axes:
        """Plots this channel alone, as `Traces.plot`."""
        return Traces._of([self]).plot(ax, **kwargs)

    def to_pandas(self) -> pandas.Series:
        """The samples by their timestamps in seconds, as a `pandas.Series`."""
        import pandas

        index = pandas.Index(self.timestamps, name="time")
        return pandas.Series(self.samples, index=index, name=self.channel)

    def _repr_svg_(self) -> str:
        return Traces._of([self])._repr_svg_()

    def __getitem__(self, index: Any) -> Any:
        """``series[0]``, ``series[:10]``: samples. ``series["samples"]``: its attributes by name, as scripts for the pure-Python
        driver may ask for them."""
        if not isinstance(index, str):
            return self.samples[index]
        try:
            return getattr(self, index)
        except AttributeError as error:
            raise KeyError(str(error)) from None

    def __contains__(self, name: object) -> bool:
        # As by `__getitem__`: a text is an attribute, anything else a sample.
        return getattr(self, name, None) is not None if isinstance(name, str) else bool(name in self.samples)

    def __repr__(self) -> str:
        count = len(self.samples)
        rate = quantity_text(self.sample_rate, "S/s")
        if self.is_logic:
            edges = int(np.count_nonzero(np.diff(self.samples)))
            what = f"high {self.samples.mean():.1%} of the time, {edges} edges"
        else:
            unit = self.unit if self.unit == "V" else ""
            low, high, mean = (
                quantity_text(float(value), unit) for value in (self.samples.min(), self.samples.max(), self.samples.mean(dtype=float))
            )
            what = f"{low} to {high}, mean {mean}"
        clipped = ", clipped" if self.clipped else ""
        return f"<{self.channel}: {count} samples at {rate}, {what}{clipped}>"


_FIELDS = {
    "_recording", "_index", "channel", "label", "sample_period", "sample_rate", "unit", "samples", "timestamps", "clipped",
}  # fmt: skip


def _typed(name: str, samples: npt.ArrayLike) -> Samples:
    """Samples of a channel as a waveform has them."""
    try:
        array = np.asarray(samples)
    except (TypeError, ValueError):
        # Lists of several lengths, for example.
        raise Usage(f"the samples of {name} make no array: give numbers") from None
    if array.ndim != 1:
        raise Usage(f"the samples of {name} have {array.ndim} dimensions: give one")
    is_logic = name.upper().startswith("L")
    try:
        is_level = bool(np.all((array == 0) | (array == 1)))
        typed: Any = np.ascontiguousarray(array, dtype=np.uint8 if is_logic else np.float32)
    except (TypeError, ValueError):
        raise Usage(f"the samples of {name} are {array.dtype}: give numbers") from None
    if is_logic and not is_level:
        raise Usage(f"the samples of {name} are not all 0 or 1, as logic levels are")
    return cast("Samples", typed)


def _pair(values: Any) -> Tuple[float, float]:
    """Two numbers."""
    if isinstance(values, (str, bytes, Mapping)):
        raise TypeError
    low, high = values
    return float(low), float(high)


def _same(one: Series, other: Series) -> bool:
    facts = ("channel", "label", "sample_period", "sample_rate", "unit", "clipped")
    return (
        all(getattr(one, fact) == getattr(other, fact) for fact in facts)
        and len(one) == len(other)
        and np.array_equal(one.timestamps, other.timestamps)
        and np.array_equal(one.samples, other.samples, equal_nan=not one.is_logic)
    )


def _only(traces: Traces, added: Dict[str, Any]) -> Series:
    series = next(iter(traces.values()))
    series.__dict__.update(added)
    return series


class Traces(Mapping[str, Series]):
    """The channels of one capture: ``traces["A"]`` or ``traces.A``, in the order A, B, L0 to L7.

    In a notebook it shows its picture.

    >>> import scopething
    >>> with scopething.simulate(A="square 1kHz 0..3V") as scope:
    ...     traces = scope.capture("A", period="5ms", nsamples=2000, low=-0.5, high=3.5)
    >>> traces
    <Traces: Macro at 400.0 kS/s, triggered on A rising at 1.250 ms>
      <A: 2000 samples at 400.0 kS/s, 61.04 µV to 3.000 V, mean 1.500 V>
    >>> traces.A.samples.dtype, traces.A.samples.shape
    (dtype('float32'), (2000,))
    """

    def __init__(self, recording: _core.Recording) -> None:
        self._recording = recording
        self._series = {row[0]: Series(recording, index, row) for index, row in enumerate(recording.channels())}

    @property
    def _details(self) -> Dict[str, Any]:
        return self._recording.details

    @classmethod
    def from_arrays(
        cls,
        channels: Mapping[str, npt.ArrayLike],
        sample_rate: Quantity,
        *,
        range: Optional[Tuple[float, float]] = None,
        raw: bool = False,
        starts: Optional[Mapping[str, float]] = None,
    ) -> Traces:
        """Traces of samples that come from elsewhere, to be plotted, saved or analysed.

        Args:
            channels: samples by channel: volts of A and B, 0 or 1 of L0 to L7; one-dimensional.
            sample_rate: samples a second of each channel, in hertz.
            range: the lowest and highest level that the analog channels could show.
            raw: whether analog samples are fractions of the range.
            starts: seconds from the start of the capture to the first sample, of channels where that is not 0.

        Raises:
            Usage: there is no channel, or samples that a channel cannot have.

        >>> import numpy, scopething
        >>> ramp = scopething.Traces.from_arrays({"A": numpy.linspace(0, 3, 7)}, "1kHz")
        >>> float(ramp.A.timestamps[-1])
        0.006
        """
        rate = number(sample_rate, "Hz", "sample_rate")
        if not rate > 0:
            raise Usage(f"sample_rate is {rate}: give samples a second")
        rows: List[Tuple[str, float, float, Samples, bool]] = []
        if not isinstance(channels, Mapping):
            raise Usage("give arrays by channel, such as {'A': volts, 'L0': levels}")
        for name, samples in channels.items():
            rows.append((str(name).upper(), (starts or {}).get(name, 0.0), 1.0 / rate, _typed(str(name), samples), flag(raw, "raw")))
        try:
            limits = None if range is None else _pair(range)
        except (TypeError, ValueError):
            raise Usage(f"range is {range!r}: give the lowest and the highest level, such as (0, 3.3)") from None
        return cls(_core.Recording.of_arrays(rate, rows, limits, None))

    @classmethod
    def _of(cls, series: Sequence[Series]) -> Traces:
        details = series[0]._details
        rows: List[Tuple[str, float, float, Samples, bool]] = [
            (one.channel, float(one.timestamps[0]), one.sample_period, one.samples, one.unit == "range") for one in series
        ]
        traces = cls(_core.Recording.of_arrays(details["sample_rate"], rows, details["range"], details["capture_start"]))
        for key in ("cause", "mode", "warnings", "trigger"):
            if key in details:
                traces._details[key] = details[key]
        for one in series:
            traces._series[one.channel].clipped = one.clipped
            traces._series[one.channel].label = one.label
        return traces

    def __getitem__(self, channel: str) -> Series:
        try:
            return self._series[channel]
        except KeyError:
            raise KeyError(f"channel {channel} was not captured: there are {', '.join(self._series)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._series)

    def __len__(self) -> int:
        return len(self._series)

    # As a mapping has them, but without a detour by way of each key.

    def keys(self) -> KeysView[str]:
        """The names of the channels."""
        return self._series.keys()

    def values(self) -> ValuesView[Series]:
        """The channels."""
        return self._series.values()

    def items(self) -> ItemsView[str, Series]:
        """Names and channels."""
        return self._series.items()

    def __getattr__(self, name: str) -> Series:
        # Names of Python's own are asked for before there is a recording.
        series: Dict[str, Series] = {} if name.startswith("_") else self._series
        if name in series:
            return series[name]
        raise AttributeError(f"there is no {name!r}: channels are {', '.join(series)}")

    def __dir__(self) -> List[str]:
        return [*super().__dir__(), *self._series]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Traces):
            return NotImplemented
        return [*self] == [*other] and self._details == other._details and all(_same(self[name], other[name]) for name in self)

    __hash__ = None  # type: ignore[assignment]

    @property
    def warnings(self) -> List[str]:
        """What was done otherwise than asked and what one should know of it, a sentence each."""
        return cast("List[str]", self._details["warnings"])

    @property
    def mode(self) -> Optional[str]:
        """The trace mode of the device, such as ``"Macro"``; None of a file that does not say."""
        return cast("Optional[str]", self._details["mode"])

    @property
    def cause(self) -> Optional[str]:
        """Why the capture ended: ``"trigger"``, ``"timeout"`` or ``"cancel"``."""
        return cast("Optional[str]", self._details["cause"])

    @property
    def sample_rate(self) -> float:
        """Samples a second of the sample clock, in hertz: of a chopped pair twice that of each channel."""
        return cast("float", self._details["sample_rate"])

    @property
    def capture_start(self) -> Optional[float]:
        """When the capture started, in seconds of the device's own time."""
        return cast("Optional[float]", self._details["capture_start"])

    @property
    def range(self) -> Optional[Tuple[float, float]]:
        """The lowest and highest voltage that the analog channels could show; None without any, and of raw captures."""
        return cast("Optional[Tuple[float, float]]", self._details["range"])

    @cached_property
    def plan(self) -> Optional[Plan]:
        """How it was captured; None of a file."""
        plan = self._recording.plan()
        return None if plan is None else Plan(plan)

    def save(self, path: Path, format: Optional[str] = None) -> None:
        """Writes a file in the format of its ending: csv, json, npz, parquet, sr, vcd, wav, svg or png.

        A file that is there is replaced at once, or stays as it is if anything fails.

        Args:
            path: the file.
            format: the format, where the ending does not name it.

        Raises:
            Usage: the ending is no known format.
            FileError: the file was not written.
        """
        self._recording.save(os.fspath(path), None if format is None else name_of(format, "format"))

    def to_pandas(self) -> pandas.DataFrame:
        """A `pandas.DataFrame`: a column for each channel, by the time in seconds.

        Channels that were sampled at other times, as B of a pair, have rows of their own; there the others are NaN.
        """
        import pandas

        return pandas.DataFrame({name: series.to_pandas() for name, series in self.items()})

    def to_xarray(self) -> xarray.Dataset:
        """An `xarray.Dataset`: a variable for each channel, with units and the facts of the capture as attributes.

        Channels that were sampled at the same times share the dimension ``time``; the others have their own, such as
        ``time_B``.
        """
        import xarray

        first: Optional[Series] = None
        variables: Dict[str, Any] = {}
        for name, series in self.items():
            shared = first is None or np.array_equal(first.timestamps, series.timestamps)
            first = first or series
            time = "time" if shared else f"time_{name}"
            if time not in variables:
                variables[time] = (time, series.timestamps, {"units": "s"})
            units = {"V": "V", "range": "1"}.get(series.unit, "1")
            variables[name] = (time, series.samples, {"units": units})
        facts = {key: value for key, value in self._details.items() if isinstance(value, (str, float)) or key == "warnings"}
        coordinates = {name: variables.pop(name) for name in [*variables] if name.startswith("time")}
        return xarray.Dataset(variables, coordinates, facts)

    def plot(self, ax: Optional[matplotlib.axes.Axes] = None, **kwargs: Any) -> matplotlib.axes.Axes:
        """Plots the channels with matplotlib: analog ones in volts, logic lines as lanes below them.

        Args:
            ax: where to plot; a new figure if there is none.
            kwargs: for `matplotlib.axes.Axes.plot`.

        Returns:
            The axes.
        """
        from matplotlib import pyplot
        from matplotlib.ticker import EngFormatter

        if ax is None:
            _, ax = pyplot.subplots()
        analog = [series for series in self.values() if not series.is_logic]
        logic = [series for series in self.values() if series.is_logic]
        for series in analog:
            ax.plot(series.timestamps, series.samples, label=series.label or series.channel, **kwargs)
        # Lanes lie below what the analog channels show, a twelfth of their height each.
        low, high = (float(min(s.samples.min() for s in analog)), float(max(s.samples.max() for s in analog))) if analog else (0.0, 1.0)
        lane = (high - low) / 12 or 0.1
        for place, series in enumerate(logic):
            bottom = low - (1.5 + 1.5 * place) * lane if analog else -1.5 * place * lane
            ax.plot(series.timestamps, bottom + lane * series.samples, drawstyle="steps-post", label=series.channel, **kwargs)
            ax.annotate(series.channel, (0, bottom + lane / 2), xytext=(-4, 0), textcoords="offset points", ha="right", va="center")
        trigger = self._details.get("trigger")
        if trigger is not None:
            ax.axvline(trigger[0], color="0.6", linewidth=1, linestyle=":")
        ax.xaxis.set_major_formatter(EngFormatter("s"))
        if analog:
            if analog[0].unit == "V":
                ax.yaxis.set_major_formatter(EngFormatter("V"))
            else:
                ax.set_ylabel("part of the range")
        else:
            ax.set_yticks([])
        if len(self) > 1:
            ax.legend(loc="upper right")
        return ax

    def svg(self, width: int = 1200, height: int = 640) -> str:
        """The picture that the program makes, as SVG; it needs no other package.

        Args:
            width: 320 to 8192 units.
            height: 240 to 8192 units.
        """
        return self._recording.svg(whole(width, "width"), whole(height, "height"))

    def _repr_svg_(self) -> str:
        return self.svg(900, 480)

    def _repr_html_(self) -> Optional[str]:
        # A trace is its picture, which `_repr_svg_` gives.
        return None

    def __getstate__(self) -> Dict[str, Any]:
        rows: List[Tuple[str, float, float, Samples, bool]] = [
            (one.channel, float(one.timestamps[0]), one.sample_period, np.array(one.samples), one.unit == "range")
            for one in self.values()
        ]
        clipped = {name: series.clipped for name, series in self.items()}
        labels = {name: series.label for name, series in self.items()}
        return {"rows": rows, "details": self._details, "clipped": clipped, "labels": labels, "plan": self.plan}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        details = state["details"]
        recording = _core.Recording.of_arrays(details["sample_rate"], state["rows"], details["range"], details["capture_start"])
        Traces.__init__(self, recording)
        self._details.update(details)
        self.plan = state["plan"]
        for name, clipped in state["clipped"].items():
            self._series[name].clipped = clipped
            self._series[name].label = state["labels"][name]

    def __repr__(self) -> str:
        how = self.mode or "a capture"
        trigger = self._details.get("trigger")
        if trigger is not None:
            ended = f", triggered on {trigger[3]} {trigger[2]} at {quantity_text(trigger[0], 's')}"
        else:
            ended = f", ended by {self.cause}" if self.cause else ""
        lines = [f"<Traces: {how} at {quantity_text(self.sample_rate, 'S/s')}{ended}>"]
        lines += [f"  {series!r}" for series in self.values()]
        lines += [f"  {warning}" for warning in self.warnings]
        return "\n".join(lines)

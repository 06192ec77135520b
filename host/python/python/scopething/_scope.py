"""A connected scope."""

from __future__ import annotations

import os
import warnings as _warnings
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, List, Mapping, NamedTuple, Optional, Tuple, Union

import numpy as np
import numpy.typing as npt

from . import _core
from ._arguments import (
    Attenuation,
    CaptureArguments,
    Channels,
    Quantity,
    Trigger,
    attenuation_text,
    capture_arguments,
    channel_names,
    number,
    trigger_text,
    whole,
)
from ._errors import Cancelled, FileError, Usage
from ._open import opened
from ._stream import Stream
from ._traces import Plan, Table, Traces, table_of

if TYPE_CHECKING:
    from typing_extensions import Unpack

Waveform = Union[str, npt.ArrayLike]
"""``"sine"``, ``"triangle"``, ``"exponential"``, ``"square"``, or the samples of a period from 0 to 1."""

Path = Union[str, "os.PathLike[str]"]

_MAX_BLOCK = 1 << 19
"""Samples of a block of a stream: half of those that wait for the program at most."""


class Clock(NamedTuple):
    """The real frequency in hertz and the real duty of a clock that runs."""

    frequency: float
    ratio: float


class Scope:
    """A connected BitScope Micro. `scopething.connect` makes one.

    Use it in a ``with`` block, or `close` it: both stop what is generated. One operation runs at a time; those of other
    threads queue. While one waits, other threads run.

    Ctrl-C during a capture ends it with the trace around that moment, whose cause is ``"cancel"``. A second press during the
    same capture or within a second raises KeyboardInterrupt.
    """

    def __init__(self, connection: _core.Connection) -> None:
        self._connection = connection
        opened.add(self)

    @property
    def url(self) -> str:
        """Where the scope is: the port that was found, if none was named."""
        return self._connection.url

    @property
    def model(self) -> str:
        """The model, such as ``"BitScope Micro"``."""
        return self._connection.model

    @property
    def revision(self) -> str:
        """What the device calls itself, such as ``"BS000501"``."""
        return self._connection.revision

    @property
    def serial_number(self) -> Optional[str]:
        """The serial number; None if the device has none. It is read the first time that somebody asks.

        Raises:
            LinkLost: the device does not answer.
        """
        return self._connection.serial()[0]

    @property
    def generators(self) -> str:
        """What is generated: ``"off"``, ``"waveform"``, ``"clocks"`` or ``"levels"``."""
        return self._connection.generators

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._connection.is_closed

    def capture(
        self,
        channels: Channels = "A",
        *,
        trigger: Optional[Trigger] = None,
        trigger_level: Optional[Quantity] = None,
        trigger_type: str = "rising",
        hair_trigger: bool = False,
        trigger_position: Quantity = 0.25,
        trigger_mode: str = "normal",
        period: Quantity = 1e-3,
        nsamples: Union[int, str] = 1000,
        timeout: Optional[Quantity] = None,
        delay: Quantity = 0,
        low: Optional[Quantity] = None,
        high: Optional[Quantity] = None,
        raw: bool = False,
        bits: Optional[Union[int, str]] = None,
        probes: str = "x1",
        attenuation: Optional[Attenuation] = None,
        verify: bool = False,
    ) -> Traces:
        """Captures traces.

        Numbers may be texts with SI prefixes and units: ``period="5ms"``, ``low="-500mV"``.

        Args:
            channels: ``"A"``, ``"AB"``, ``["A", "L3"]``; ``"L"`` are all eight logic lines.
            trigger: what to trigger on: ``"A"``, ``"B"``, or levels of logic lines such as ``{"L3": 1, "L5": 0}`` or
                ``"L3=1,L5=0"``; the first of the channels if it is not given.
            trigger_level: volts, or with ``raw`` a fraction of the input span; the middle of the range if it is not given.
            trigger_type: ``"rising"`` or ``"falling"`` for an edge, ``"above"`` or ``"below"`` for a level.
            hair_trigger: trigger after 4 samples beyond the level instead of 8.
            trigger_position: part of the period before the trigger, 0 to 1; 0 above 5 MS/s.
            trigger_mode: ``"normal"`` waits for the trigger; ``"auto"`` captures without it after the period, at least 100 ms.
            period: time span in seconds.
            nsamples: roughly how many samples over the period; at most 12288.
            timeout: seconds to wait for the trigger; None waits for ever, 0 captures at once.
            delay: seconds from the trigger to the first sample, whole microseconds up to 4294 s; nothing is kept from before the
                trigger then.
            low: bottom of the range in volts; what the probe measures safely if it is not given, 0 for logic lines alone.
            high: top of the range in volts; likewise, 3.3 for logic lines alone.
            raw: take the range as fractions of the converters, and give samples as fractions of the range.
            bits: 8 for twice the captures a second, ``"best"`` for 16 where the sample rate allows it.
            probes: the name of the probe's calibration.
            attenuation: what the probes divide by beyond their calibration: ``10``, or ``{"A": 10, "B": 1}``. Range, trigger
                level and samples are volts at their tips, and the range is that of the first channel. If it is not given, of
                ``"x1"`` what the file of calibrations gives for the URL, otherwise 1.
            verify: read all samples twice and compare, for a link that may change bytes.

        Returns:
            The traces; ``traces.warnings`` lists what was done otherwise than asked.

        Raises:
            Usage: an argument is not understood.
            PlanError: the device cannot do it; ``limits`` lists what it can.
            LinkLost: the link or the device is gone.
            BadAnswer: the device's answers made no sense.
            Cancelled: `cancel` was called before the first sample.
            KeyboardInterrupt: Ctrl-C was pressed twice.

        >>> import scopething
        >>> with scopething.simulate(A="triangle 500Hz 0..2V") as scope:
        ...     a = scope.capture("A", period="4ms", nsamples=400, low=0, high="3.3V", trigger_level="1V").A
        >>> len(a.samples), a.cause, a.trigger_timestamp
        (400, 'trigger', 0.001)
        """
        arguments = capture_arguments(
            channels, trigger, trigger_level, trigger_type, hair_trigger, trigger_position, trigger_mode,
            period, nsamples, timeout, delay, low, high, raw, bits,
        )  # fmt: skip
        recording = self._connection.capture(arguments, probes, attenuation_text(attenuation), verify)
        if recording is None:
            raise Cancelled("the capture was cancelled before its first sample: capture again")
        return Traces(recording)

    def cancel(self) -> None:
        """Ends the capture that another thread runs: it gives the trace around this moment. Without one it does nothing."""
        self._connection.cancel()

    def plan(
        self,
        channels: Channels = "A",
        *,
        probes: str = "x1",
        attenuation: Optional[Attenuation] = None,
        **arguments: Unpack[CaptureArguments],
    ) -> Plan:
        """What `capture` would do with these arguments, now, without doing it.

        Raises:
            Usage: an argument is not understood.
            PlanError: the device cannot do it.
        """
        request = capture_arguments(channels, **arguments)
        return Plan(self._connection.plan(request, probes, attenuation_text(attenuation)))

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
            samples = np.asarray(waveform, dtype=np.float32)
            if samples.ndim != 1 or not bool(np.all((samples >= 0) & (samples <= 1))):
                raise Usage("a waveform of one's own is a one-dimensional array of samples from 0 to 1")
            table = [float(sample) for sample in samples]
        return self._connection.start_waveform(
            number(frequency, "Hz", "frequency"),
            shape,
            table,
            number(ratio, "part", "ratio"),
            number(low, "V", "low"),
            3.3 if high is None else number(high, "V", "high"),
            _word(min_samples, "min_samples"),
            number(max_error, "part", "max_error"),
            once,
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
        given = {line: (ratio, 0.0)} if outputs is None else outputs
        rows: List[Tuple[int, float, float]] = []
        for name, (duty, phase) in given.items():
            part = _core.parse_phase(phase) if isinstance(phase, str) else number(phase, "part", "phase")
            rows.append((_line(name), number(duty, "part", "ratio"), part))
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
        self._connection.hold(trigger_text(levels))

    def release(self) -> None:
        """Lets go of the lines that `hold` holds.

        Raises:
            Usage: none is held.
        """
        self._connection.stop("levels")

    def stop(self) -> None:
        """Stops whatever is generated, if anything is."""
        self._connection.stop("all")

    def calibrate(
        self,
        probes: str = "x1",
        n: int = 32,
        save: bool = True,
        progress: Optional[Callable[[int, int], object]] = None,
        *,
        channels: Channels = "AB",
        file: Optional[Path] = None,
    ) -> Table:
        """Finds the parameters of a probe by the device's own clock on L5, which the probes must be connected to.

        Args:
            probes: the name to keep the parameters by.
            n: converter settings a side of the grid, 8 to 64.
            save: keep the parameters in the file of calibrations, where captures of this URL find them. Captures of this
                connection take them in any case.
            progress: called before each point with the points measured and those in all. What it raises ends the
                calibration.
            channels: ``"A"``, ``"B"`` or both.
            file: the file of calibrations; ``~/.config/scopething/analog.conf`` if it is not given.

        Returns:
            ``before`` and ``after``, the eleven parameters by name; ``residual_volts`` rms; ``residual_of_range``; ``used``
            and ``rejected``, numbers of levels.

        Raises:
            BadAnswer: what was measured gives no parameters.
            FileError: they were not saved.
        """
        names = ",".join(channel_names(channels))
        return Table(
            table_of(self._connection.calibrate(probes, names, _word(n, "n"), save, None if file is None else os.fspath(file), progress))
        )

    def stream(
        self,
        channels: Channels = "A",
        rate: Quantity = 1e3,
        *,
        low: Optional[Quantity] = None,
        high: Optional[Quantity] = None,
        raw: bool = False,
        probes: str = "x1",
        attenuation: Optional[Attenuation] = None,
        envelope: bool = False,
        frame_rate: Optional[Quantity] = None,
        unframed: bool = False,
        block: Optional[int] = None,
    ) -> Stream:
        """Samples without a gap and without an end, as an iterator of blocks.

        The stream has the scope until it is closed: ``break`` out of the loop and close it, or use it in a ``with`` block.

        Args:
            channels: as of `capture`.
            rate: samples a second; below 2442 each is made of several of the device.
            low: bottom of the range in volts.
            high: top of the range in volts.
            raw: as of `capture`.
            probes: as of `capture`.
            attenuation: as of `capture`.
            envelope: keep the least and the greatest of what makes up a sample, instead of the mean.
            frame_rate: frames a second that the device sends.
            unframed: without frames: up to four times the rate of one channel, but lost samples go unnoticed.
            block: samples of a block, 1 to 524288; a tenth of a second of them if it is not given.

        Raises:
            Usage: an argument is not understood, or another stream of this scope runs.
            PlanError: no stream has this rate, or these channels.

        >>> import scopething
        >>> with scopething.simulate(A="sine 50Hz 0..3V") as scope, scope.stream("A", rate="1kHz", block=50) as stream:
        ...     block = next(stream)
        >>> block.A.shape, block.start, block.lost
        ((50,), 0.0, 0)
        """
        hertz = number(rate, "Hz", "rate")
        rows = (max(1, min(round(hertz / 10), _MAX_BLOCK)) if abs(hertz) < 1e9 else 1) if block is None else whole(block, "block")
        if not 1 <= rows <= _MAX_BLOCK:
            raise Usage(f"block is {rows}: give 1 to {_MAX_BLOCK} samples")
        arguments: Dict[str, Any] = {
            "channels": ",".join(channel_names(channels)),
            "rate": hertz,
            "frame_rate": None if frame_rate is None else number(frame_rate, "Hz", "frame_rate"),
            "low": None if low is None else number(low, "V", "low"),
            "high": None if high is None else number(high, "V", "high"),
            "raw": raw,
            "unframed": unframed,
            "envelope": envelope,
            "block": rows,
        }
        return Stream(self._connection.stream(arguments, probes, attenuation_text(attenuation)))

    def close(self) -> None:
        """Stops what is generated, ends what other threads wait for, and closes the link. Twice does no harm."""
        self._connection.close()
        opened.discard(self)

    def __enter__(self) -> Scope:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        connection = getattr(self, "_connection", None)
        if connection is not None and not connection.is_closed:
            _warnings.warn(f"{self!r} was not closed", ResourceWarning, source=self, stacklevel=2)
            connection.close()

    def __repr__(self) -> str:
        state = " closed" if self.closed else ""
        return f"<Scope {self.url or 'BitScope'}{state}>"


def _word(value: int, name: str) -> int:
    count = whole(value, name)
    if not 0 <= count <= 0xFFFF:
        raise Usage(f"{name} is {count}: give 0 to 65535")
    return count


def _line(name: Union[str, int]) -> int:
    text = str(name).upper()
    if len(text) == 2 and text[0] == "L" and text[1] in "01234567":
        return int(text[1])
    raise Usage(f"{name!r} is no logic line: give L0 to L7")


def connect(url: Optional[Path] = None) -> Scope:
    """Connects to a BitScope Micro.

    Args:
        url: where it is: ``/dev/ttyUSB0``, ``COM3``, ``socket://host:port``, ``bitscope-server://host:port``,
            ``bridge:///dev/ttyUSB0``, or ``sim:`` for the simulated one, also with signals: ``sim:?A=sine,1kHz,0..3V``. If it
            is not given, what the environment variable SCOPETHING_URL names, or the first serial port with a BitScope's USB
            id.

    Raises:
        NotFound: there is none.
        Busy: another program has it.
        WrongDevice: something else answers.
        Usage: the URL is not understood.

    >>> import scopething
    >>> with scopething.connect("sim:") as scope:
    ...     scope
    <Scope sim:>
    """
    where = os.environ.get("SCOPETHING_URL", "") if url is None else os.fspath(url)
    return Scope(_core.Connection.connect(where))


def plan(
    channels: Channels = "A",
    *,
    probes: str = "x1",
    attenuation: Optional[Attenuation] = None,
    url: str = "",
    waveform: bool = False,
    clock: bool = False,
    **arguments: Unpack[CaptureArguments],
) -> Plan:
    """What a capture with these arguments would do, without a device.

    Args:
        channels: and all that are not listed here, as of `Scope.capture`.
        url: the connection whose calibration of ``probes`` counts.
        waveform: plan as if a waveform played.
        clock: plan as if a clock ran on L5.

    Raises:
        Usage: an argument is not understood.
        PlanError: the device cannot do it; ``limits`` lists what it can.

    >>> import scopething
    >>> scopething.plan("AB", period="20ms", nsamples=6000)
    <Plan: 6014 samples over 20.00 ms at 300.8 kS/s, mode MacroChop>
    """
    request = capture_arguments(channels, **arguments)
    return Plan(_core.plan(request, url, probes, attenuation_text(attenuation), waveform, clock))


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


def read(file: Path) -> Traces:
    """Reads the first trace of a file: csv, json or sr (sigrok).

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

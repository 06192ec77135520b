"""A connected scope."""

from __future__ import annotations

import os
import warnings as _warnings
from typing import TYPE_CHECKING, Any, Callable, Dict, Optional, Tuple, Union

from . import _core
from ._arguments import (
    Attenuation,
    CaptureArguments,
    Channels,
    Path,
    Quantity,
    ReadCapture,
    Trigger,
    attenuation_text,
    capture_request,
    channels_text,
    flag,
    name_of,
    number,
    read_capture,
    whole,
    word,
)
from ._errors import Cancelled, Usage
from ._generators import Generators
from ._open import opened
from ._plan import Plan
from ._stream import Stream
from ._table import Table, table_of
from ._traces import Traces

if TYPE_CHECKING:
    from typing_extensions import Unpack

_MAX_BLOCK = 1 << 19
"""Samples of a block of a stream: half of those that wait for the program at most."""


class Scope(Generators):
    """A connected BitScope Micro. `scopething.connect` makes one.

    Use it in a ``with`` block, or `close` it: both stop what is generated. One operation runs at a time; those of other
    threads queue. While one waits, other threads run.

    Ctrl-C during a capture ends it with the trace around that moment, whose cause is ``"cancel"``. A second press during the
    same capture or within a second raises KeyboardInterrupt.
    """

    def __init__(self, connection: _core.Connection) -> None:
        self._connection = connection
        # One value, since threads share a scope: the arguments of the last capture, and what was read of them.
        self._last_capture: Tuple[Tuple[Any, ...], Optional[ReadCapture]] = ((), None)
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
    def waiting(self) -> Optional[str]:
        """What the capture that runs has waited for for three seconds, and why it does not come, if that was found out; None
        otherwise.

        It also goes to the logger ``"scopething"``, the reason as a warning, which Python prints unless its logging is set
        up otherwise.
        """
        return self._connection.waiting

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
        # In the order in which they are read.
        given = (
            trigger,
            trigger_level,
            trigger_type,
            hair_trigger,
            trigger_position,
            trigger_mode,
            period,
            nsamples,
            timeout,
            delay,
            low,
            high,
            raw,
            bits,
            probes,
            attenuation,
            verify,
        )
        last, read = self._last_capture
        if read is None or not _core.are_same(last, channels, given):
            # By identity: 1 is no True.
            last, read = self._last_capture = read_capture(channels, given)
        recording = self._connection.capture(*read)
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
        request = capture_request(channels, arguments)
        return Plan(self._connection.plan(request, name_of(probes, "probes"), attenuation_text(attenuation)))

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
            Usage: an argument is not understood.
            BadAnswer: what was measured gives no parameters.
            FileError: the file cannot be read, or they were not saved.
        """
        arguments: Dict[str, Any] = {
            "probe": name_of(probes, "probes"),
            "channels": channels_text(channels),
            "grid": word(n, "n"),
            "save": flag(save, "save"),
            "file": None if file is None else os.fspath(file),
        }
        return Table(table_of(self._connection.calibrate(arguments, progress)))

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
            "channels": channels_text(channels),
            "rate": hertz,
            "frame_rate": None if frame_rate is None else number(frame_rate, "Hz", "frame_rate"),
            "low": None if low is None else number(low, "V", "low"),
            "high": None if high is None else number(high, "V", "high"),
            "raw": flag(raw, "raw"),
            "unframed": flag(unframed, "unframed"),
            "envelope": flag(envelope, "envelope"),
            "block": rows,
        }
        return Stream(self._connection.stream(arguments, name_of(probes, "probes"), attenuation_text(attenuation)))

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
    where = os.environ.get("SCOPETHING_URL", "") if url is None else os.fsdecode(url)
    return Scope(_core.Connection.connect(where))

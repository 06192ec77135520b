"""Simulated scopes, for tests of programs that use one."""

from __future__ import annotations

from typing import Any, Callable, List, Literal, Optional, Tuple, Union, cast, overload

import numpy as np
import numpy.typing as npt

from . import _core
from ._arguments import Quantity, number
from ._errors import Usage
from ._open import opened
from ._scope import Scope, connect
from ._traces import Series

Signal = Union[str, npt.ArrayLike, Series, Callable[[Any], Any], Tuple[npt.ArrayLike, Quantity]]
"""What an input sees: a text such as ``"sine 1kHz 0..3V"``, a series, volts as a function of seconds, or an array of volts,
alone or with its sample rate in hertz. Arrays and series are played over and over."""

_INPUTS = ("A", "B", "L0", "L1", "L2", "L3", "L4", "L5", "L6", "L7")
_LOGIC_HIGH_V = 3.3


class Simulator:
    """A simulated scope that is served over TCP. `simulate` with ``tcp`` makes one.

    Close it, or use it in a ``with`` block.
    """

    def __init__(self, served: _core.Served) -> None:
        self._served = served
        opened.add(self)

    @property
    def url(self) -> str:
        """What clients connect to: ``socket://127.0.0.1:PORT``."""
        host = self.host
        return f"socket://[{host}]:{self.port}" if ":" in host else f"socket://{host}:{self.port}"

    @property
    def host(self) -> str:
        """The address that it listens on."""
        return self._served.host

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._served.port

    def connect(self) -> Scope:
        """Connects to it, as any other program could: one at a time."""
        return connect(self.url)

    def close(self) -> None:
        """Ends it; clients are disconnected. Twice does no harm.

        Raises:
            Exception: what a function that is a signal has raised.
        """
        opened.discard(self)
        self._served.close()

    def __enter__(self) -> Simulator:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Simulator {self.url}>"


@overload
def simulate(*, sample_rate: Quantity = ..., tcp: Literal[False] = False, **signals: Signal) -> Scope: ...
@overload
def simulate(*, sample_rate: Quantity = ..., tcp: Union[Literal[True], str], **signals: Signal) -> Simulator: ...
@overload
def simulate(*, sample_rate: Quantity = ..., tcp: Union[bool, str], **signals: Signal) -> Union[Scope, Simulator]: ...
def simulate(
    *, sample_rate: Quantity = 1e6, tcp: Union[bool, str] = False, **signals: Signal
) -> Union[Scope, Simulator]:
    """Simulates a BitScope Micro, down to its byte code.

    Args:
        sample_rate: samples a second of signals that are arrays without a rate of their own, in hertz.
        tcp: serve it to other programs instead: True on a free port of this computer, or ``"host:port"``.
        signals: what the inputs ``A``, ``B``, ``L0`` to ``L7`` see. A text is a signal of the program: ``"sine 1kHz 0..3V"``,
            ``"uart 9600bps text=Hello"``, ``"file:trace.sr#A"``. A number, or an array, is volts (of logic lines, if it is of whole numbers or
            booleans, levels 0 and 1). A function takes seconds, an array of them where it can, and gives volts. Anything else
            of a ``sim:`` URL: ``noise="5mV"``, ``latency="1ms"``, ``clock="fast"``, ``seed=1``, ``faults="drop@120"``.

    Returns:
        A connected `Scope`, or with ``tcp`` a `Simulator`.

    Raises:
        Usage: a signal or a setting is not understood.

    >>> import numpy, scopething
    >>> def ramp(t):
    ...     return 3 * (1000 * t % 1)
    >>> with scopething.simulate(A=ramp, L0=[0, 1, 1, 0], sample_rate="10kHz", noise="1mV") as scope:
    ...     traces = scope.capture(["A", "L0"], period="2ms", nsamples=200, low=0, high=3.3, trigger="A")
    >>> bool(abs(traces.A.samples.max() - 3) < 0.05), float(traces.L0.samples.mean())
    (True, 0.5)
    """
    rate = number(sample_rate, "Hz", "sample_rate")
    settings: List[Tuple[str, Any]] = []
    for name, signal in signals.items():
        if name not in _INPUTS:
            settings.append((name, _text(signal)))
        else:
            settings.append((name, _signal(name, signal, rate)))
    if tcp is False:
        return Scope(_core.simulate(settings))
    return Simulator(_core.serve(settings, "127.0.0.1:0" if tcp is True else str(tcp)))


def _text(value: Any) -> str:
    return "yes" if value is True else "no" if value is False else str(value)


def _signal(name: str, signal: Any, rate: float) -> Any:
    if isinstance(signal, str):
        return signal
    if isinstance(signal, Series):
        volts = np.ascontiguousarray(signal.samples, dtype=np.float32) * (_LOGIC_HIGH_V if signal.is_logic else 1)
        return signal.channel, signal.sample_period, volts.astype(np.float32), signal.is_logic
    if callable(signal):
        return getattr(signal, "__name__", "signal"), _vectorised(name, signal)
    if isinstance(signal, tuple):
        if len(signal) != 2:
            raise Usage(f"{name}: give an array, or a pair of an array and its sample rate")
        signal, own = signal
        rate = number(own, "Hz", f"the sample rate of {name}")
    if isinstance(signal, (int, float, np.number, np.bool_)):
        signal = [signal]
    try:
        array = np.asarray(signal)
        volts = np.ascontiguousarray(array, dtype=np.float32)
    except (TypeError, ValueError):
        raise Usage(f"{name}: {signal!r} is no signal: give a text, an array of volts, or a function of seconds") from None
    if array.ndim != 1 or array.size == 0:
        raise Usage(
            f"{name}: an array of {array.ndim} dimensions and {array.size} samples is no signal: give one dimension, or a text"
        )
    if not rate > 0:
        raise Usage(f"{name}: the sample rate is {rate}: give samples a second")
    is_levels = name.startswith("L") and array.dtype.kind in "biu"
    if is_levels:
        volts = np.where(array != 0, _LOGIC_HIGH_V, 0).astype(np.float32)
    return "samples", 1.0 / rate, volts, is_levels


def _vectorised(name: str, function: Callable[[Any], Any]) -> Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]:
    """A function of an array of times that gives an array of as many volts, whatever the given one can do."""
    one_by_one: Optional[bool] = None

    def volts(times: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        nonlocal one_by_one
        result: Any = None
        if not one_by_one:
            try:
                result = np.asarray(function(times), dtype=np.float64)
            except (TypeError, ValueError):
                # As of one that decides by `if` what comes of a time.
                if one_by_one is False:
                    raise
                one_by_one = True
            else:
                one_by_one = False
        if one_by_one:
            result = np.array([float(function(time)) for time in times.tolist()], dtype=np.float64)
        if result.shape not in ((), (1,), times.shape):
            raise Usage(f"{name}: the signal gives an array of {result.shape} for {times.size} times: give as many volts, or one")
        result = np.ascontiguousarray(np.broadcast_to(result, times.shape))
        if not np.all(np.isfinite(result)):
            raise Usage(f"{name}: the signal is not a number at {times[~np.isfinite(result)][0]:.9f} s")
        return cast("npt.NDArray[np.float64]", result)

    return volts

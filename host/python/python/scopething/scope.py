"""The names of the pure-Python driver, for scripts that were written for it: only their import lines change.

``from scope import await_, capture, main`` becomes ``from scopething.scope import await_, capture, main``.

`Scope` has coroutines, and traces and series are those of `scopething.Traces`. The file of calibrations is the same. What is
better than there: see the guide. Programs that are new had better use `scopething.connect` or `scopething.aio`.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import threading
from typing import TYPE_CHECKING, Any, Coroutine, Dict, List, NamedTuple, Optional, TypeVar, cast

from . import _core, aio
from ._errors import BadAnswer, PlanError, Usage
from ._generators import Clock
from ._traces import Traces

if TYPE_CHECKING:
    import pandas

__all__ = [
    "ConfigurationError",
    "Scope",
    "UsageError",
    "await_",
    "calibrate",
    "capture",
    "capturep",
    "main",
    "start_clock",
    "start_waveform",
    "stop_clock",
    "stop_waveform",
]

T = TypeVar("T")

UsageError = Usage
ConfigurationError = PlanError

Log = logging.getLogger("scopething")

s: Scope
"""What `main` has connected to."""


class AnalogParams(NamedTuple):
    """The parameters of a probe, in the order of the file of calibrations."""

    la: float
    lb: float
    lc: float
    ha: float
    hb: float
    hc: float
    scale: float
    offset: float
    safe_low: float
    safe_high: float
    ab_offset: float


class _Probes(Dict[str, AnalogParams]):
    """Parameters by probe; those that nobody has set are in the file of calibrations."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def __missing__(self, name: str) -> AnalogParams:
        try:
            self[name] = AnalogParams(**_core.probe(self._url, name))
        except Usage as error:
            raise KeyError(str(error)) from None
        return self[name]


class Scope:
    """A scope with coroutines: ``s = await Scope().connect("/dev/ttyUSB0")``."""

    AnalogParams = AnalogParams

    primary_clock_rate = 40000000
    primary_clock_period = 1 / 40000000
    capture_buffer_size = 12 << 10
    awg_wavetable_size = 1024
    awg_sample_buffer_size = 1024
    awg_minimum_clock = 33
    logic_low = 0
    logic_high = 3.3
    awg_maximum_voltage = 3.3
    clock_voltage = 3.3
    analog_lo_min = 0.07
    analog_hi_max = 0.88
    timeout_clock_period = (1 << 8) / 40000000
    timestamp_rollover = (1 << 32) / 40000000

    def __init__(self) -> None:
        self._scope: Optional[aio.Scope] = None
        self._taken: Dict[str, AnalogParams] = {}
        self.url: Optional[str] = None
        self.analog_params: Dict[str, AnalogParams] = {}

    def _connected(self) -> aio.Scope:
        if self._scope is None:
            raise Usage("there is no connection: await connect() first")
        return self._scope

    async def connect(self, url: Optional[str] = None) -> Scope:
        """Connects, as `scopething.connect` does, and closes what was connected before."""
        self.close()
        self._scope = await aio.connect(url)
        self.url = self._scope.url
        self.load_analog_params()
        return self

    async def reset(self) -> None:
        """Stops what is generated and forgets parameters that were not saved."""
        scope = self._connected()
        await scope.stop()
        await scope._worker.do(scope._scope._connection.forget_probes)
        self.load_analog_params()

    def load_analog_params(self) -> None:
        """Takes the parameters of probes from the file of calibrations."""
        self.analog_params = _Probes(self.url or "")
        self._taken = {"x1": self.analog_params["x1"]}

    def save_analog_params(self) -> None:
        """Keeps the parameters of probes in the file of calibrations."""
        for probes, parameters in self.analog_params.items():
            _core.save_probe(self.url or "", probes, list(parameters))

    def close(self) -> None:
        """Stops what is generated and closes the link. Twice does no harm."""
        if self._scope is not None:
            self._scope._scope.close()
            self._scope._worker.end()

    def __enter__(self) -> Scope:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def capture(
        self,
        channels: Any = ("A",),
        trigger: Any = None,
        trigger_level: Any = None,
        trigger_type: str = "rising",
        hair_trigger: bool = False,
        period: Any = 1e-3,
        nsamples: Any = 1000,
        timeout: Any = None,
        low: Any = None,
        high: Any = None,
        raw: bool = False,
        trigger_position: Any = 0.25,
        probes: str = "x1",
        **more: Any,
    ) -> Traces:
        """Captures, as `scopething.Scope.capture`; a task that is cancelled gets the trace around that moment."""
        scope = self._connected()
        parameters = self.analog_params.get(probes)
        if parameters is not None and self._taken.get(probes) != parameters:
            taken = list(parameters)
            await scope._worker.do(lambda: scope._scope._connection.set_probe(probes, taken))
            self._taken[probes] = AnalogParams(*taken)
        arguments = dict(
            trigger=trigger,
            trigger_level=trigger_level,
            trigger_type=trigger_type,
            hair_trigger=hair_trigger,
            period=period,
            nsamples=nsamples,
            timeout=timeout,
            low=low,
            high=high,
            raw=raw,
            trigger_position=trigger_position,
            probes=probes,
            **more,
        )
        future, begins = scope._start_capture(lambda: scope._scope.capture(channels, **arguments))
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            if future.done() or not await scope._end_capture(future, begins):
                raise
            return future.result()

    async def start_waveform(
        self,
        frequency: Any,
        waveform: Any = "sine",
        ratio: Any = 0.5,
        low: Any = 0,
        high: Any = None,
        min_samples: int = 50,
        max_error: Any = 1e-4,
    ) -> float:
        """As `scopething.Scope.start_waveform`."""
        return await self._connected().start_waveform(frequency, waveform, ratio, low, high, min_samples, max_error)

    async def stop_waveform(self) -> None:
        """As `scopething.Scope.stop_waveform`."""
        await self._connected().stop_waveform()

    async def start_clock(self, frequency: Any, ratio: Any = 0.5, max_error: Any = 1e-4) -> Clock:
        """As `scopething.Scope.start_clock`."""
        return await self._connected().start_clock(frequency, ratio, max_error)

    async def stop_clock(self) -> None:
        """As `scopething.Scope.stop_clock`."""
        await self._connected().stop_clock()

    async def calibrate(self, probes: str = "x1", n: int = 32, save: bool = True) -> bool:
        """As `scopething.Scope.calibrate`, whose result is logged. Returns whether it succeeded."""
        try:
            result = await self._connected().calibrate(probes, n, save)
        except BadAnswer as error:
            Log.warning("Calibration failed: %s", error)
            return False
        parameters = AnalogParams(**cast("Dict[str, float]", result["after"]))
        self.analog_params[probes] = self._taken[probes] = parameters
        Log.info("%r, residual %.3f mV rms", parameters, 1e3 * result["residual_volts"])
        return True

    def __repr__(self) -> str:
        return f"<Scope {self.url}>"


class _Loop:
    """An event loop on a thread of its own, so that `await_` works in a notebook too, where one runs already."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="scopething-loop", daemon=True).start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        done = threading.Event()
        tasks: List[asyncio.Task[T]] = []

        def start() -> None:
            task = self._loop.create_task(coroutine)
            tasks.append(task)
            task.add_done_callback(lambda _: done.set())

        def cancel() -> None:
            for task in tasks:
                task.cancel()

        self._loop.call_soon_threadsafe(start)
        interrupted = False
        while True:
            try:
                # With a time-out, since some systems do not break a wait without one for Ctrl-C.
                while not done.wait(0.2):
                    pass
            except KeyboardInterrupt:
                self._loop.call_soon_threadsafe(cancel)
                if interrupted:
                    raise
                interrupted = True
                continue
            try:
                return tasks[0].result()
            except asyncio.CancelledError:
                raise KeyboardInterrupt from None


_loop: Optional[_Loop] = None


def await_(g: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine to its end. Ctrl-C cancels it: a capture then gives the trace around that moment."""
    global _loop
    if _loop is None:
        _loop = _Loop()
    return _loop.run(g)


async def main() -> None:
    """Connects to the scope that the command line names, as ``s``; what was ``s`` before is closed."""
    global s
    parser = argparse.ArgumentParser(description="scopething")
    parser.add_argument("url", nargs="?", default=None, type=str, help="Device to connect to")
    parser.add_argument("--debug", action="store_true", default=False, help="Debug logging")
    parser.add_argument("--verbose", action="store_true", default=False, help="Verbose logging")
    args = parser.parse_args()
    level = logging.DEBUG if args.debug else (logging.INFO if args.verbose else logging.WARNING)
    logging.basicConfig(level=level, stream=sys.stdout)
    if "s" in globals():
        s.close()
    s = await Scope().connect(args.url)


def capture(*args: Any, **kwargs: Any) -> Traces:
    """Captures with ``s``, as `Scope.capture`."""
    return await_(s.capture(*args, **kwargs))


def capturep(*args: Any, **kwargs: Any) -> pandas.DataFrame:
    """Captures with ``s``, and gives a `pandas.DataFrame`."""
    return capture(*args, **kwargs).to_pandas()


def calibrate(*args: Any, **kwargs: Any) -> bool:
    """Calibrates with ``s``, as `Scope.calibrate`."""
    return await_(s.calibrate(*args, **kwargs))


def start_waveform(*args: Any, **kwargs: Any) -> float:
    """Plays a waveform with ``s``, as `Scope.start_waveform`."""
    return await_(s.start_waveform(*args, **kwargs))


def start_clock(*args: Any, **kwargs: Any) -> Clock:
    """Runs a clock with ``s``, as `Scope.start_clock`."""
    return await_(s.start_clock(*args, **kwargs))


def stop_waveform() -> None:
    """Stops the waveform of ``s``."""
    await_(s.stop_waveform())


def stop_clock() -> None:
    """Stops the clock of ``s``."""
    await_(s.stop_clock())


if __name__ == "__main__":
    await_(main())

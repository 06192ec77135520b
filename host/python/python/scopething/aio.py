"""The same for asyncio: coroutines, and streams to iterate over with ``async for``.

    import asyncio
    from scopething import aio

    async def main():
        async with await aio.connect("sim:?A=sine,1kHz,0..3V") as scope:
            traces = await scope.capture("A", period="5ms")

    asyncio.run(main())

Each scope has a thread, on which one operation after the other runs. A task that is cancelled while it waits for a capture
gets CancelledError, and the trace is dropped; `Scope.cancel` ends the capture with the trace around that moment instead.
"""

from __future__ import annotations

import asyncio
import functools
import queue
import threading
from typing import TYPE_CHECKING, Any, AsyncIterator, Callable, Coroutine, List, Optional, Tuple, TypeVar, Union

from . import _scope, _simulate, _stream
from ._arguments import Attenuation, CaptureArguments, Channels, Path, Quantity, StreamArguments
from ._errors import Cancelled
from ._stream import Block
from ._table import Table
from ._traces import Traces

if TYPE_CHECKING:
    from typing_extensions import Concatenate, ParamSpec, Unpack

    P = ParamSpec("P")

__all__ = ["Scope", "Stream", "connect", "simulate"]

T = TypeVar("T")
Job = Tuple["asyncio.AbstractEventLoop", "asyncio.Future[Any]", Callable[[], Any]]


class _Worker:
    """A thread that does one thing after the other, and hands futures back.

    It is a daemon: what it waits for ends when the interpreter exits, and scopes are closed then.
    """

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Optional[Job]] = queue.SimpleQueue()
        self._is_ended = False
        self._thread = threading.Thread(target=self._work, name="scopething", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            if job is None:
                return
            loop, future, do = job
            job = None
            if future.cancelled():
                continue
            result, error = _outcome(do)
            try:
                loop.call_soon_threadsafe(_settle, future, result, error)
            except RuntimeError:
                pass  # The loop was closed: nobody waits any more.
            del future, do, result, error

    def do(self, what: Callable[[], T]) -> asyncio.Future[T]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        if self._is_ended:
            # The scope is closed, so that this does not wait for anything.
            _settle(future, *_outcome(what))
        else:
            self._jobs.put((loop, future, what))
        return future

    def end(self) -> None:
        self._is_ended = True
        self._jobs.put(None)


def _outcome(do: Callable[[], Any]) -> Tuple[Any, Optional[BaseException]]:
    try:
        return do(), None
    except BaseException as error:  # It is the caller's, whatever it is.
        return None, error


def _settle(future: asyncio.Future[Any], result: Any, error: Optional[BaseException]) -> None:
    if future.cancelled():
        return
    if isinstance(error, StopIteration):
        # A future cannot hold it.
        error = RuntimeError("a stream ended early")
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


class _Ended:
    """What stands for the end of a stream."""


def _passed_on(method: Callable[Concatenate[_scope.Scope, P], T]) -> Callable[Concatenate[Scope, P], Coroutine[Any, Any, T]]:
    """A method of a scope as a coroutine, with the same arguments and documentation."""

    @functools.wraps(method)
    async def coroutine(scope: Scope, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await scope._worker.do(lambda: method(scope._scope, *args, **kwargs))

    return coroutine


class Scope:
    """A connected BitScope Micro, for asyncio: the methods are those of `scopething.Scope`, as coroutines."""

    def __init__(self, scope: _scope.Scope, worker: _Worker) -> None:
        self._scope = scope
        self._worker = worker

    @property
    def url(self) -> str:
        """As `scopething.Scope.url`."""
        return self._scope.url

    @property
    def model(self) -> str:
        """As `scopething.Scope.model`."""
        return self._scope.model

    @property
    def revision(self) -> str:
        """As `scopething.Scope.revision`."""
        return self._scope.revision

    @property
    def generators(self) -> str:
        """As `scopething.Scope.generators`."""
        return self._scope.generators

    @property
    def waiting(self) -> Optional[str]:
        """As `scopething.Scope.waiting`."""
        return self._scope.waiting

    @property
    def closed(self) -> bool:
        """As `scopething.Scope.closed`."""
        return self._scope.closed

    async def serial_number(self) -> Optional[str]:
        """As `scopething.Scope.serial_number`."""
        return await self._worker.do(lambda: self._scope.serial_number)

    async def capture(
        self,
        channels: Channels = "A",
        *,
        probes: str = "x1",
        attenuation: Optional[Attenuation] = None,
        verify: bool = False,
        **arguments: Unpack[CaptureArguments],
    ) -> Traces:
        """As `scopething.Scope.capture`, with the same arguments.

        Raises:
            asyncio.CancelledError: the task was cancelled; the capture has ended by then.
        """
        future, begins = self._start_capture(
            lambda: self._scope.capture(channels, probes=probes, attenuation=attenuation, verify=verify, **arguments)
        )
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            if not future.cancelled() and await self._end_capture(future, begins):
                future.exception()
            raise

    def _start_capture(self, do: Callable[[], Traces]) -> Tuple[asyncio.Future[Traces], threading.Lock]:
        """Queues a capture. It begins if it is the first to take the lock; whoever else does has called it off."""
        begins = threading.Lock()

        def capture() -> Traces:
            if not begins.acquire(blocking=False):
                raise Cancelled("the capture was cancelled before it began: capture again")
            return do()

        return self._worker.do(capture), begins

    async def _end_capture(self, future: asyncio.Future[Traces], begins: threading.Lock) -> bool:
        """Ends a capture whose task was cancelled, so that the scope is at rest when the task is. False if it had not begun."""
        if begins.acquire(blocking=False):
            future.cancel()
            return False
        while not future.done():
            # It may have been about to begin, and missed the call before.
            self._scope.cancel()
            try:
                await asyncio.wait([future], timeout=0.1)
            except asyncio.CancelledError:
                pass  # The task is being cancelled already.
        return not future.cancelled()

    def cancel(self) -> None:
        """Ends the capture that a task waits for: it gives the trace around this moment."""
        self._scope.cancel()

    start_waveform = _passed_on(_scope.Scope.start_waveform)
    """As `scopething.Scope.start_waveform`."""
    stop_waveform = _passed_on(_scope.Scope.stop_waveform)
    """As `scopething.Scope.stop_waveform`."""
    start_clock = _passed_on(_scope.Scope.start_clock)
    """As `scopething.Scope.start_clock`."""
    stop_clock = _passed_on(_scope.Scope.stop_clock)
    """As `scopething.Scope.stop_clock`."""
    hold = _passed_on(_scope.Scope.hold)
    """As `scopething.Scope.hold`."""
    release = _passed_on(_scope.Scope.release)
    """As `scopething.Scope.release`."""
    stop = _passed_on(_scope.Scope.stop)
    """As `scopething.Scope.stop`."""
    plan = _passed_on(_scope.Scope.plan)
    """As `scopething.Scope.plan`."""

    async def calibrate(
        self,
        probes: str = "x1",
        n: int = 32,
        save: bool = True,
        progress: Optional[Callable[[int, int], object]] = None,
        *,
        channels: Channels = "AB",
        file: Optional[Path] = None,
    ) -> Table:
        """As `scopething.Scope.calibrate`; ``progress`` is called on the scope's thread. Cancelling ends it soon."""
        cancelled = threading.Event()

        def report(done: int, points: int) -> None:
            if cancelled.is_set():
                raise asyncio.CancelledError
            if progress is not None:
                progress(done, points)

        future = self._worker.do(lambda: self._scope.calibrate(probes, n, save, report, channels=channels, file=file))
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            cancelled.set()
            await asyncio.wait([future])
            if not future.cancelled():
                future.exception()
            raise

    async def stream(
        self,
        channels: Channels = "A",
        rate: Quantity = 1e3,
        *,
        block: Optional[int] = None,
        **arguments: Unpack[StreamArguments],
    ) -> Stream:
        """As `scopething.Scope.stream`: ``async for block in await scope.stream("A", "1kHz")``."""
        return Stream(await self._worker.do(lambda: self._scope.stream(channels, rate, block=block, **arguments)), self._worker)

    async def close(self) -> None:
        """As `scopething.Scope.close`."""
        # On a thread of its own: that of the scope may wait for a trigger, which closing ends.
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()

        def close() -> None:
            result, error = _outcome(self._scope.close)
            self._worker.end()
            try:
                loop.call_soon_threadsafe(_settle, future, result, error)
            except RuntimeError:
                pass  # The loop was closed.

        threading.Thread(target=close, name="scopething-close", daemon=True).start()
        await asyncio.shield(future)

    async def __aenter__(self) -> Scope:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"{self._scope!r} for asyncio"


class Stream(AsyncIterator[Block]):
    """A stream that runs, for asyncio: iterate over it, and close it, or use it in an ``async with`` block."""

    def __init__(self, stream: _stream.Stream, worker: _Worker) -> None:
        self._stream = stream
        self._worker = worker
        # A wait for a block that was not taken yet.
        self._next: Optional[asyncio.Future[Union[Block, _Ended]]] = None

    @property
    def sample_rate(self) -> float:
        """As `scopething.Stream.sample_rate`."""
        return self._stream.sample_rate

    @property
    def totals(self) -> Table:
        """As `scopething.Stream.totals`."""
        return self._stream.totals

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> Block:
        if self._next is None:
            self._next = self._worker.do(self._take)
        # A task that is cancelled loses no block: the next one gets it.
        block = await asyncio.shield(self._next)
        self._next = None
        if isinstance(block, _Ended):
            raise StopAsyncIteration
        return block

    def _take(self) -> Union[Block, _Ended]:
        return next(self._stream, _Ended())

    async def close(self) -> None:
        """Ends the stream: the scope can be used again."""
        self._stream._reader.stop()
        await self._worker.do(self._stream.close)

    async def __aenter__(self) -> Stream:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def connect(url: Optional[Path] = None) -> Scope:
    """As `scopething.connect`."""
    return await _made(lambda: _scope.connect(url))


async def simulate(**signals: Any) -> Scope:
    """As `scopething.simulate` without ``tcp``."""
    return await _made(lambda: _simulate.simulate(tcp=False, **signals))


async def _made(make: Callable[[], _scope.Scope]) -> Scope:
    worker = _Worker()
    scopes: List[_scope.Scope] = []

    def close() -> None:
        # One that was connected after its task was cancelled.
        for scope in scopes:
            scope.close()

    try:
        await worker.do(lambda: scopes.append(make()))
        return Scope(scopes[0], worker)
    except BaseException:
        worker.do(close)
        worker.end()
        raise

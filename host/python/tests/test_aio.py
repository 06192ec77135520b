"""The same for asyncio."""

import asyncio
import threading

import pytest
from conftest import TIMEOUT_S, Watched

import scopething
from scopething import aio

NEVER = dict(low=0, high=3, trigger_level=2)


async def happened(event):
    assert await asyncio.to_thread(event.wait, TIMEOUT_S)


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, TIMEOUT_S))


def test_captures():
    async def main():
        async with await aio.connect("sim:?A=sine,1kHz,0..3V") as scope:
            assert (scope.url, scope.revision, await scope.serial_number()) == (
                "sim:?A=sine,1kHz,0..3V", "BS000501", "DB98TI79",
            )  # fmt: skip
            traces = await scope.capture("A", period="5ms", low=0, high=3.3)
            assert isinstance(traces, scopething.Traces) and len(traces.A) == 1000
            assert (await scope.plan("A", period="5ms")).samples == 1000
            with pytest.raises(scopething.Usage, match="parsec"):
                await scope.capture("A", period="1 parsec")
        assert scope.closed
        with pytest.raises(scopething.Closed):
            await scope.capture("A")

    run(main())


def test_a_cancelled_task_is_cancelled():
    async def main():
        signal = Watched()
        async with await aio.simulate(A=signal) as scope:
            task = asyncio.create_task(scope.capture("A", **NEVER))
            await asyncio.to_thread(signal.wait)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(scope.capture("A", **NEVER), 0.1)
            # The scope is at rest, and can be used at once.
            assert (await scope.capture("A", timeout=0)).cause == "timeout"

    run(main())


def test_one_that_waits_for_its_turn_can_be_cancelled():
    async def main():
        signal = Watched()
        async with await aio.simulate(A=signal) as scope:
            first = asyncio.create_task(scope.capture("A", **NEVER))
            second = asyncio.create_task(scope.capture("A", **NEVER))
            await asyncio.to_thread(signal.wait)
            second.cancel()
            with pytest.raises(asyncio.CancelledError):
                await second
            assert not first.done()
            scope.cancel()
            assert (await first).cause == "cancel"

    run(main())


def test_others_run_meanwhile():
    async def main():
        signal = Watched()
        async with await aio.simulate(A=signal) as scope:
            task = asyncio.create_task(scope.capture("A", **NEVER))
            # This coroutine runs on while the other one waits for its trigger, which does not come.
            await asyncio.to_thread(signal.wait, 0.1)
            assert not task.done()
            scope.cancel()
            assert (await task).cause == "cancel"

    run(main())


def test_two_scopes_at_once():
    async def main():
        signals = [Watched(), Watched()]
        scopes = await asyncio.gather(*(aio.simulate(A=signal) for signal in signals))
        tasks = [asyncio.create_task(scope.capture("A", **NEVER)) for scope in scopes]
        # Both wait for a trigger that does not come: neither waits for the other.
        await asyncio.gather(*(asyncio.to_thread(signal.wait) for signal in signals))
        for scope in scopes:
            scope.cancel()
        assert [traces.cause for traces in await asyncio.gather(*tasks)] == ["cancel", "cancel"]
        await asyncio.gather(*(scope.close() for scope in scopes))

    run(main())


def test_streams():
    async def main():
        async with await aio.simulate(A="dc 1V") as scope:
            async with await scope.stream("A", "1kHz", block=20) as stream:
                starts = []
                async for block in stream:
                    starts.append(round(block.start, 6))
                    if len(starts) == 3:
                        break
                assert starts == [0, 0.02, 0.04]
                # One that is cancelled loses no block.
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(stream.__anext__(), 1e-6)
                assert round((await stream.__anext__()).start, 6) == 0.06
            assert (await scope.capture("A", timeout=0)).cause == "timeout"

    run(main())


def test_generators_and_calibration():
    async def main():
        async with await aio.connect("sim:?clock=fast") as scope:
            assert await scope.start_waveform(1000) == 1000
            await scope.stop_waveform()
            assert (await scope.start_clock("10kHz")).ratio == 0.5
            assert scope.generators == "clocks"
            await scope.stop()
            await scope.hold("L3=1")
            await scope.release()
            seen = []
            result = await scope.calibrate(n=8, save=False, progress=lambda done, points: seen.append(done))
            assert len(seen) == 64 and result.used > 100
        async with await aio.connect("sim:") as scope:
            begun = threading.Event()
            task = asyncio.create_task(scope.calibrate(save=False, progress=lambda *_: begun.set()))
            await happened(begun)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert scope.generators == "off"

    run(main())


def test_closing_ends_what_waits():
    async def main():
        signal = Watched()
        scope = await aio.simulate(A=signal)
        task = asyncio.create_task(scope.capture("A", **NEVER))
        await asyncio.to_thread(signal.wait)
        await scope.close()
        with pytest.raises(scopething.Closed):
            await task

    run(main())


def test_a_stream_can_be_closed_after_its_scope():
    async def main():
        async with await aio.simulate(A="dc 1V") as scope:
            stream = await scope.stream("A")
        await stream.close()

    run(main())


def test_what_cannot_be_connected_to():
    with pytest.raises(scopething.NotFound):
        run(aio.connect("socket://127.0.0.1:1"))

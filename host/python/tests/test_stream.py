"""Streams: blocks that follow on one another, and what is missing between them."""

import time

import numpy as np
import pytest

import scopething


def test_blocks_follow_on_one_another(simulated_scope):
    scope = simulated_scope(A="sine 50Hz 0..3V", L0="square 100Hz 0..3.3V")
    with scope.stream("A,L0", "2kHz", low=0, high=3.3, block=100) as stream:
        assert stream.channels == ["A", "L0"] and stream.sample_rate == pytest.approx(2000, rel=1e-6)
        blocks = [next(stream) for _ in range(5)]
        assert iter(stream) is stream
    assert [len(block) for block in blocks] == [100] * 5 and sum(block.lost for block in blocks) == 0
    times = np.concatenate([block.timestamps for block in blocks])
    np.testing.assert_allclose(times, np.arange(500) / 2000, rtol=1e-6)
    a = np.concatenate([block.A for block in blocks])
    assert a.dtype == np.float32 and blocks[0]["L0"].dtype == np.uint8 and not blocks[0].A.flags.writeable
    found = scopething.analyse(scopething.Traces.from_arrays({"A": a}, 2000).A)
    assert found.wave.frequency == pytest.approx(50, rel=1e-3)
    with pytest.raises(StopIteration):
        next(stream)


def test_an_envelope_has_least_and_greatest(simulated_scope):
    scope = simulated_scope(A="sine 997Hz 0..3V")
    with scope.stream("A", "10Hz", low=0, high=3.3, envelope=True, block=2) as stream:
        block = next(stream)
    assert np.all(block.A < 0.1) and np.all(block.greatest["A"] > 2.9)


@pytest.mark.parametrize("rate", ["500kbps", "100kbps"])
def test_what_the_link_cannot_carry_is_reported(simulated_scope, rate):
    # Frames of four bytes, 20 000 a second, over a link for 50 000 or 10 000 bytes a second.
    scope = simulated_scope(A="dc 1V", rate=rate)
    with scope.stream("A", "20kHz", block=50) as stream:
        missing = 0
        end = 0.0
        is_counted = False
        while missing <= 1000:
            block = next(stream)
            before = round((block.start - end) * 20e3)
            # Frames have numbers that repeat after 256: of a slow link it may be unknown how many are lost.
            assert block.lost is None or block.lost == before
            is_counted = is_counted or bool(block.lost)
            missing += before
            end = block.start + len(block) * block.sample_period
        totals = stream.totals
    assert totals.lost >= missing and totals.gaps > 0
    # Five of eight frames arrive: gaps are short.
    assert is_counted or rate == "100kbps"


def test_an_unknown_loss_is_printed():
    block = scopething.Block(1.0, None, 1e-3, {"A": np.zeros(3, np.float32)}, {})
    assert "an unknown number of frames lost before" in repr(block)


def test_what_a_program_does_not_take_in_time_is_reported(simulated_scope):
    scope = simulated_scope(A="dc 1V")
    # The queue is a million samples: at this block size two blocks of half of it.
    with scope.stream("A", "500kHz", unframed=True, block=1 << 18) as stream:
        deadline = time.monotonic() + 60
        while stream.totals.frames < 7 << 18:
            assert time.monotonic() < deadline
            time.sleep(0.01)  # The program is busy with something else.
        blocks = []
        for block in stream:
            blocks.append(block)
            if block.lost:
                break
    assert blocks[-1].lost % (1 << 18) == 0 and blocks[-1].lost >= 1 << 18
    assert blocks[-1].start == pytest.approx((len(blocks) - 1 + blocks[-1].lost / (1 << 18)) * (1 << 18) / 500e3)


def test_streams_that_cannot_be(simulated_scope):
    scope = simulated_scope()
    with pytest.raises(scopething.PlanError, match="a stream cannot have a rate") as raised:
        scope.stream("A", "10MHz")
    assert raised.value.limits["fastest_rate"] == 500e3
    with pytest.raises(scopething.PlanError, match="frames"):
        scope.stream("AB", unframed=True)
    for channels, words in (("Q", "Q"), (None, "channels is None"), ([], "names none")):
        with pytest.raises(scopething.Usage, match=words):
            scope.stream(channels)
    for name in ("envelope", "unframed", "raw"):
        with pytest.raises(scopething.Usage, match=f"{name} is 'no'"):
            scope.stream("A", **{name: "no"})
    for block in (0, -1, 1 << 40):
        with pytest.raises(scopething.Usage, match="give 1 to 524288"):
            scope.stream("A", block=block)
    assert scope.capture("A", timeout=0)


def test_generators_run_on(simulated_scope):
    scope = simulated_scope()
    scope.start_clock("1kHz")
    with scope.stream("A", "10kHz", low=0, high=3.5, block=1000) as stream:
        a = next(stream).A
    assert scope.generators == "clocks" and a.max() > 3
    scope.stop_clock()

"""Scripts for the pure-Python driver: only their import lines change."""

import asyncio
import sys

import numpy as np
import pytest
from conftest import finish, interrupt

import scopething
from scopething import scope as driver
from scopething.analysis import annotate_series
from scopething.utils import DotDict


@pytest.fixture
def connected(simulated_scope, monkeypatch):
    made = []

    def connect(**signals):
        simulator = simulated_scope(tcp=True, **signals)
        monkeypatch.setattr(sys, "argv", ["script", simulator.url])
        driver.await_(driver.main())
        made.append(driver.s)
        return driver.s

    yield connect
    for scope in made:
        scope.close()


def test_module_functions(connected):
    scope = connected()
    assert repr(scope) == f"<Scope {scope.url}>" and isinstance(scope, driver.Scope)
    assert driver.start_waveform(2000, "triangle") == 2000.0
    traces = driver.capture(["A", "B"], period=1e-3, low=0, high=3.3)
    assert [name for name, series in traces.items() if len(series.samples) == len(series.timestamps)] == ["A", "B"]
    assert traces["A"]["channel"] == "A" and "trigger_timestamp" in traces.A and "trigger_timestamp" not in traces.B
    driver.stop_waveform()
    assert driver.start_clock(frequency=10000, ratio=0.25) == (10000.0, 0.25)
    with pytest.raises(driver.UsageError):
        driver.start_waveform(1000)
    driver.stop_clock()
    with pytest.raises(driver.ConfigurationError):
        driver.start_clock(39e6)


def test_main_again_takes_the_scope_over(connected):
    first = connected()
    # As a script whose function begins with it each time.
    driver.await_(driver.main())
    try:
        assert driver.s is not first and len(driver.capture(["A"], timeout=0).A) == 1000
        with pytest.raises(scopething.Closed):
            driver.await_(first.capture(["A"], timeout=0))
    finally:
        driver.s.close()


def test_pandas(connected):
    connected()
    table = driver.capturep(["A"], period=1e-3, timeout=0)
    assert list(table.columns) == ["A"] and len(table) == 1000


def test_a_logic_trigger_has_a_timestamp(connected):
    connected(L3="square 1kHz 0..3.3V")
    line = driver.capture(["L3"], trigger={"L3": 1}, period=2e-3, nsamples=200).L3
    assert (line.trigger_timestamp, line.trigger_level, line.trigger_type) == (0.5e-3, 1, "rising")


def test_coroutines_in_a_loop_of_ones_own(recorded):
    proxy = recorded(A="dc 1V")

    async def main():
        with await driver.Scope().connect(proxy.url) as scope:
            task = asyncio.ensure_future(scope.capture(["A"], low=0, high=3, trigger_level=2))
            await asyncio.to_thread(proxy.wait_for_capture)
            task.cancel()
            # A capture that is cancelled gives the trace around that moment.
            traces = await task
            assert traces.A.cause == "cancel"
            # One that is cancelled as soon as it is asked for waits for no trigger either.
            task = asyncio.ensure_future(scope.capture(["A"], low=0, high=3, trigger_level=2))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            return (await scope.capture(timeout=0)).A

    assert len(asyncio.run(main()).samples) == 1000


def test_parameters_of_probes(connected, home):
    scope = connected(A="dc 1V")
    nominal = scope.analog_params["x1"]
    assert nominal == scope.AnalogParams(1.1, -0.05, 0, 1.1, -0.05, -0.05, 18.333, -7.517, -5.5, 8, 0)
    scope.analog_params["x10"] = nominal._replace(scale=183.33, offset=-75.17, safe_low=-55, safe_high=80)
    ten = driver.capture(["A"], low=-50, high=50, timeout=0, probes="x10").A.samples
    # The same voltage at the input is ten times that at the tip of the probe.
    assert ten.mean() == pytest.approx(10, abs=0.2)
    scope.save_analog_params()
    text = (home / ".config" / "scopething" / "analog.conf").read_text()
    assert f"[{scope.url}]" in text and "x10 = 1.1 -0.05 0" in text
    scope.load_analog_params()
    assert scope.analog_params["x10"].scale == 183.33
    with pytest.raises(KeyError):
        scope.analog_params["x7"]


def test_calibration(connected):
    scope = connected()
    assert driver.calibrate(n=8, save=False) is True
    assert scope.analog_params["x1"].scale == pytest.approx(18.333, rel=5e-3)
    other = connected(A="dc 1V", B="dc 1V")
    assert other is not scope and driver.calibrate(n=8) is False


@pytest.mark.parametrize(
    "signal, shape", [("sine", "sine"), ("triangle", "triangle"), ("ramp", "sawtooth"), ("square", "square")]
)
def test_annotated_series(connected, signal, shape):
    connected(A=f"{signal} 1kHz 0..3V")
    series = driver.capture(["A"], period=20e-3, nsamples=2000, low=0, high=3.3).A
    assert annotate_series(series)
    waveform = series.waveform
    assert set(waveform) - {"duty_cycle"} == {
        "period", "frequency", "samples", "beginning", "count", "amplitude", "offset", "timestamps", "sample_period",
        "sample_rate", "capture_start", "error", "shape",
    }  # fmt: skip
    assert ("duty_cycle" in waveform) == (shape == "square")
    assert (waveform.shape, waveform.frequency, waveform["period"]) == (
        shape, pytest.approx(1000, rel=1e-3), pytest.approx(1e-3, rel=1e-3),
    )  # fmt: skip
    assert waveform.amplitude == pytest.approx(1.5, rel=0.03) and waveform.offset == pytest.approx(1.5, abs=0.03)
    # The averaged wave, put back to where it begins, is what was captured.
    assert len(waveform.samples) == len(waveform.timestamps) == 100
    wave = waveform.samples * waveform.amplitude + waveform.offset
    found = series.samples[waveform.beginning : waveform.beginning + 100]
    # Near the steps of square and sawtooth an average of whole waves lies between the levels.
    assert np.median(np.abs(wave - found)) < 0.05
    assert waveform.capture_start == pytest.approx(series.capture_start + waveform.beginning * series.sample_period)


def test_short_periods_are_found(connected):
    # Which the pure-Python driver does not look for: below a tenth of the capture.
    connected(A="sine 10kHz 0..3V")
    series = driver.capture(["A"], period=20e-3, nsamples=4000, low=0, high=3.3).A
    assert annotate_series(series) and series.waveform.frequency == pytest.approx(10e3, rel=1e-3)


def test_flat_series_have_no_waveform(connected):
    connected(A="dc 1V")
    series = driver.capture(["A"], timeout=0).A
    assert not annotate_series(series)
    with pytest.raises(AttributeError):
        series.waveform


def test_a_wave_without_a_known_amplitude_is_not_annotated():
    # A sine of four samples a period may be a triangle or a square as well.
    volts = np.sin(2 * np.pi * np.arange(1000) / 4 + 0.3)
    few = DotDict(samples=volts, sample_rate=1e6)
    assert not annotate_series(few)
    assert "waveform" not in few


def test_series_of_other_kinds_are_annotated():
    samples = [np.sin(2 * np.pi * i / 50) for i in range(1000)]
    series = DotDict(samples=samples, sample_rate=1e6, sample_period=1e-6, capture_start=5.0)
    assert annotate_series(series) and series.waveform.frequency == pytest.approx(20e3, rel=1e-3)
    assert series["waveform"] is series.waveform
    del series.waveform
    with pytest.raises(AttributeError, match="'waveform': there are samples, sample_rate"):
        series.waveform


def test_a_reset_forgets_parameters_that_were_not_saved(connected):
    scope = connected(A="dc 1V")
    for probes in ("x1", "x10"):
        scope.analog_params[probes] = scope.analog_params["x1"]._replace(scale=183.33, offset=-75.17)
        driver.capture(["A"], low=-50, high=50, timeout=0, probes=probes)
    driver.await_(scope.reset())
    assert driver.capture(["A"], low=-5, high=5, timeout=0).A.samples.mean() == pytest.approx(1, abs=0.02)
    with pytest.raises(driver.UsageError, match="x10"):
        driver.capture(["A"], timeout=0, probes="x10")


def test_ctrl_c_gives_the_trace(program, recorded):
    proxy = recorded(A="dc 1V")
    process = program(
        """
        from scopething.scope import await_, capture, main
        await_(main())
        print(capture(["A"], low=0, high=3, trigger_level=2).A.cause)
        """,
        proxy.url,
    )
    proxy.wait_for_capture()
    interrupt(process)
    assert finish(process)[0] == "cancel\n"

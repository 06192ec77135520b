"""Traces in files, pictures, and in the packages that people use them with."""

import inspect
import json
import pathlib
import re
import subprocess
import sys

import numpy as np
import pandas
import pytest
import scipy.signal
import xarray
from matplotlib import pyplot

import scopething
from scopething import aio

ROOT = pathlib.Path(__file__).parents[3]


@pytest.fixture
def traces(simulated_scope):
    scope = simulated_scope(A="sine 1kHz 0..3V", B="square 2kHz 0..3V", L0="square 1kHz 0..3.3V")
    return scope.capture("A,B,L0", period="5ms", nsamples=2000, low=0, high=3.3, trigger="A", trigger_level=1.5)


@pytest.mark.parametrize("ending", ["csv", "json", "npz", "parquet", "sr", "vcd"])
def test_files_are_read_as_they_were_written(tmp_path, simulated_scope, ending):
    scope = simulated_scope(A="sine 1kHz 0..3V")
    traces = scope.capture("A,L0", period="5ms", nsamples=2000, low=-0.3, high=3.3, timeout=0)
    path = tmp_path / f"trace.{ending}"
    traces.save(path)
    again = scopething.read(path)
    assert list(again) == ["A", "L0"] and again.A.clipped is traces.A.clipped is False
    np.testing.assert_array_equal(again.A.samples, traces.A.samples)
    np.testing.assert_array_equal(again.L0.samples, traces.L0.samples)
    # A file of sigrok's has its rate in whole hertz.
    rounding = 0.5 / traces.sample_rate if ending == "sr" else 1e-15
    np.testing.assert_allclose(again.A.timestamps, traces.A.timestamps, rtol=rounding, atol=1e-15)


def test_parts_of_files_are_read(tmp_path):
    table = tmp_path / "table.dat"
    table.write_text("of another program\nvolts;when;more\n1;0;7\n2;0.001;8\n3;0.002;9\n")
    for columns in ("time=when,A=volts", {"time": 2, "A": 1}):
        traces = scopething.read(table, format="csv", skip=1, columns=columns)
        assert list(traces) == ["A"] and list(traces.A) == [1, 2, 3] and traces.sample_rate == pytest.approx(1000)
    faster = scopething.read(table, format="csv", skip=1, columns="time=when,A=volts", rate="2kHz")
    assert faster.A.sample_period == 0.5e-3
    part = scopething.read(table, format="csv", skip=1, columns="time=when,A=volts", start="1ms", duration="2ms")
    assert list(part.A) == [2, 3] and part.A.timestamps[0] == pytest.approx(1e-3)
    ramp = tmp_path / "ramp.npz"
    scopething.Traces.from_arrays({"A": [1, 2, 3], "B": [4, 5, 6]}, 1000).save(ramp)
    assert list(scopething.read(ramp, channels="B")) == list(scopething.read_all(ramp, channels=["B"])[0]) == ["B"]
    for arguments, words in ({"columns": "A"}, "columns: .*NAME=COLUMN"), ({"skip": -1}, "skip"), ({"rate": "x"}, "rate"):
        with pytest.raises(scopething.Usage, match=words):
            scopething.read(table, format="csv", **arguments)
    with pytest.raises(scopething.Usage, match="no file format"):
        scopething.read(table, format="doc")
    with pytest.raises(TypeError, match="colums"):
        scopething.read(table, colums="A=1")
    # More than there are, and more than 16 bits of them.
    with pytest.raises(scopething.FileError):
        scopething.read(table, format="csv", skip=100_000)
    with pytest.raises(scopething.Usage, match="skip"):
        scopething.read(table, format="csv", skip=1 << 64)


@pytest.mark.parametrize(
    "arguments",
    [
        {"channels": None}, {"channels": 5}, {"channels": [1]}, {"channels": b"A"}, {"channels": ""}, {"channels": "A,"},
        {"columns": 5}, {"format": 5},
    ],
)  # fmt: skip
def test_arguments_of_reading_that_make_no_sense(tmp_path, arguments):
    table = tmp_path / "table.csv"
    table.write_text("time,A\n0,0.5\n1e-3,1.5\n")
    (name,) = arguments
    with pytest.raises(scopething.Usage, match=f"{name} is"):
        scopething.read(table, **arguments)


def test_what_is_read_otherwise_is_a_warning(tmp_path):
    table = tmp_path / "table.csv"
    rows = "".join(f"{row}e-3,{row}.5,{row}.25,{row}.75,{row}.125\n" for row in range(4))
    table.write_text(f"time,one,two,three,four\n{rows}")
    (warning,) = scopething.read(table).warnings
    assert "room for 2 analog channels" in warning and "three" in warning and "four" in warning
    assert scopething.read(table, channels=["three", "four"]).warnings == []
    for channels, words in (("five", "five"), ("one,two,three", "analog")):
        with pytest.raises(scopething.Usage, match=words):
            scopething.read(table, channels=channels)


def test_files_hold_what_repeats_the_capture(tmp_path, simulated_scope):
    scope = simulated_scope(A="sine 1kHz 0..3V")
    asked = dict(period=2e-3, nsamples=777, low=-0.3, high=3.3, trigger_level=1.25, trigger_type="falling", delay=1e-3)
    traces = scope.capture("A", **asked)
    traces.save(tmp_path / "trace.json")
    settings = json.loads((tmp_path / "trace.json").read_text())["settings"]
    assert settings["request"]["channels"] == ["A"] and {name: settings["request"][name] for name in asked} == asked
    assert settings["plan"]["mode"] == traces.mode and settings["device"] == f"{scope.model} {scope.revision}"


def test_files_for_others(tmp_path, traces):
    traces.save(tmp_path / "trace.npz")
    with np.load(tmp_path / "trace.npz") as arrays:
        assert any(np.array_equal(arrays[name], traces.A.samples) for name in arrays.files)
    for ending in ("svg", "png", "vcd", "parquet"):
        traces.save(tmp_path / f"trace.{ending}")
        assert (tmp_path / f"trace.{ending}").stat().st_size > 100
    traces.save(tmp_path / "trace", format="csv")
    lines = (tmp_path / "trace").read_text().splitlines()
    # The facts of the capture are comments above the table.
    assert next(line for line in lines if not line.startswith("#")).startswith("time,")
    with pytest.raises(scopething.Usage, match="extension"):
        traces.save(tmp_path / "trace.doc")
    with pytest.raises(scopething.FileError):
        traces.save(tmp_path / "nowhere" / "trace.csv")
    with pytest.raises(OSError):
        scopething.read(tmp_path / "absent.csv")
    assert traces.svg(800, 400).startswith("<svg") and 'width="800"' in traces.svg(800, 400)
    with pytest.raises(scopething.Usage, match="give 320 x 240"):
        traces.svg(10, 10)


def test_a_real_capture(traces):
    recorded = scopething.read(ROOT / "tests" / "data" / "micro-saw-triangle.sr")
    found = scopething.analyse(recorded)
    assert {channel.wave.shape for channel in found.channels.values() if channel.wave} == {"sawtooth", "triangle"}


def test_only_traces_are_measured():
    for other in (np.zeros(5), None, [1.0]):
        with pytest.raises(scopething.Usage, match="give traces or a series"):
            scopething.analyse(other)


def test_measurements(traces):
    found = scopething.analyse(traces, spectrum="blackman-harris")
    assert found.channels["A"].wave.shape == "sine"
    assert found.channels["A"].spectrum.window == "blackman-harris"
    assert found.channels["B"].wave.frequency == pytest.approx(2000, rel=1e-3)
    assert {(delay["from"], delay.to) for delay in found.delays} == {("A", "B"), ("A", "L0")}
    assert "<table>" in found._repr_html_() and "sine" in found._repr_html_()
    assert scopething.analyse(traces.L0).duty == pytest.approx(0.5, abs=0.01)
    with pytest.raises(scopething.Usage, match="window"):
        scopething.analyse(traces, spectrum="hole")


def test_pandas(traces):
    table = traces.to_pandas()
    assert isinstance(table, pandas.DataFrame) and list(table.columns) == ["A", "B", "L0"]
    assert table.index.name == "time" and table.index.is_monotonic_increasing
    pandas.testing.assert_series_equal(table["A"].dropna(), traces.A.to_pandas(), check_names=False)
    assert len(table["B"].dropna()) == len(traces.B)
    assert table["A"].mean() == pytest.approx(1.5, abs=0.02)


def test_xarray(traces):
    data = traces.to_xarray()
    assert isinstance(data, xarray.Dataset) and set(data) == {"A", "B", "L0"}
    assert data.A.dims == ("time",) and data.B.dims == ("time_B",) and data.A.attrs["units"] == "V"
    assert float(data.A.sel(time=1e-3, method="nearest")) == pytest.approx(float(traces.A.samples[np.searchsorted(traces.A.timestamps, 1e-3 - 1e-9)]))
    assert data.attrs["cause"] == "trigger" and data.attrs["mode"] == traces.mode


def test_matplotlib(traces):
    axes = traces.plot(linewidth=2)
    lines = {line.get_label(): line for line in axes.get_lines()}
    np.testing.assert_array_equal(lines["A"].get_ydata(), traces.A.samples)
    np.testing.assert_array_equal(lines["A"].get_xdata(), traces.A.timestamps)
    assert lines["A"].get_linewidth() == 2
    # The lane of the logic line lies below the analog channels.
    assert np.max(lines["L0"].get_ydata()) < min(traces.A.samples.min(), traces.B.samples.min())
    assert traces.A.plot(ax=axes) is axes
    pyplot.close("all")


def test_scipy(traces):
    a = traces.A
    frequencies, density = scipy.signal.welch(a.samples, a.sample_rate, nperseg=len(a), detrend="constant")
    assert frequencies[np.argmax(density)] == pytest.approx(1000, abs=frequencies[1])
    filtered = scipy.signal.sosfiltfilt(scipy.signal.butter(4, 10e3, fs=a.sample_rate, output="sos"), a.samples)
    np.testing.assert_allclose(filtered[50:-50], a.samples[50:-50], atol=0.02)
    peaks, _ = scipy.signal.find_peaks(a.samples, distance=int(0.8e-3 * a.sample_rate))
    assert np.median(np.diff(a.timestamps[peaks])) == pytest.approx(1e-3, rel=0.03)


def test_the_prompt():
    lines = "print(capture('A', period='5ms', timeout=0).cause)\nprint(capturep('A', timeout=0).shape)\nprint(start_clock(1000))\n"
    done = subprocess.run(
        [sys.executable, "-m", "scopething", "sim:"], input=lines, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split("\n")[:1] and "timeout" in done.stdout and "(1000, 1)" in done.stdout
    assert "Clock(frequency=1000.0, ratio=0.5)" in done.stdout and "Traceback" not in done.stderr
    for url, code, words in (("nonsense://", 2, "nonsense"), ("socket://127.0.0.1:1", 1, "refuses")):
        failed = subprocess.run([sys.executable, "-m", "scopething", url], capture_output=True, text=True, timeout=60)
        assert failed.returncode == code and words in failed.stderr


def test_the_version_is_that_of_the_workspace():
    text = (ROOT / "Cargo.toml").read_text(encoding="utf-8")
    version = re.search(r'\[workspace\.package\]\nversion = "(.+)"', text)
    assert version is not None and scopething.__version__ == version[1]


def test_everything_public_is_documented():
    things = {name: getattr(scopething, name) for name in scopething.__all__}
    things.update({f"aio.{name}": getattr(aio, name) for name in aio.__all__})
    for name, thing in things.items():
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert thing.__doc__, name
        if inspect.isclass(thing):
            for member, value in vars(thing).items():
                if not member.startswith("_") and (inspect.isfunction(value) or isinstance(value, property)):
                    assert value.__doc__, f"{name}.{member}"

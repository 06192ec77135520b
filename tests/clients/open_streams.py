"""Opens a stream in every format with the tool that its users open it with, and compares each sample with the signals.

    open_streams.py DIRECTORY

The directory holds stream.csv, .npz, .parquet, .wav and .sr of one stream, 1 kHz of A (a triangle of 1 Hz from 0 V to 3 V)
and L3 (a square of 50 Hz, first high). When in the signals' period it began is not known: the moment is looked for at
which the first tool's samples fit best, and holds for all tools. Prints a JSON object: for each tool how many samples it
sees of each channel, by how many volts the worst of A is off, how many levels of L3 are wrong, and by how many seconds the
worst time is off.
"""

import json
import os
import subprocess
import sys

import numpy
import pandas

RATE_HZ = 1000.0
# Four frames are a row, 0.25 ms apart.
FRAMES_S = numpy.arange(4) * 0.25e-3


def triangle(times_s):
    """The mean of a row's frames."""
    phase = (times_s[:, None] + FRAMES_S) % 1.0
    return (3.0 * (1.0 - numpy.abs(2.0 * phase - 1.0))).mean(axis=1)


def levels(times_s):
    """What most of a row's frames are; half of them where that is not clear."""
    high = ((times_s[:, None] + FRAMES_S) * 50.0 % 1.0 < 0.5).sum(axis=1)
    return numpy.where(high > 2, 1.0, numpy.where(high < 2, 0.0, 0.5))


def sigrok_csv(path):
    """A channel at a time: of both together libsigrok 0.5.2 prints the analog ones a sample late."""

    def channel(name):
        command = ["sigrok-cli", "-i", path, "-C", name, "-O", "csv"]
        lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
        return numpy.array([line for line in lines if not line.startswith(";")][1:], dtype=float)

    return None, channel("A"), channel("D3")


def sox(path):
    """Clips at 1 V, as audio does."""
    raw = subprocess.run(["sox", path, "-t", "f32", "-"], check=True, capture_output=True).stdout
    rate = float(subprocess.run(["soxi", "-r", path], check=True, capture_output=True).stdout)
    assert rate == RATE_HZ, rate
    return None, numpy.frombuffer(raw, "<f4").astype(float), None


def chunks(path):
    """All of it, by the description of the format: Python's `wave` reads whole numbers only."""
    with open(path, "rb") as file:
        content = file.read()
    assert content[:4] == b"RIFF" and content[8:12] == b"WAVE"
    assert int.from_bytes(content[4:8], "little") == len(content) - 8
    found, at = {}, 12
    while at < len(content):
        length = int.from_bytes(content[at + 4 : at + 8], "little")
        found[content[at : at + 4]] = content[at + 8 : at + 8 + length]
        at += 8 + length + length % 2
    assert int.from_bytes(found[b"fmt "][4:8], "little") == RATE_HZ
    return None, numpy.frombuffer(found[b"data"], "<f4").astype(float), None


def table(frame):
    assert list(frame.columns) == ["time", "A", "L3", "lost"], frame.columns
    assert (frame["lost"] == 0).all()
    return tuple(frame[name].to_numpy(dtype=float) for name in ["time", "A", "L3"])


def arrays(path):
    with numpy.load(path, allow_pickle=False) as file:
        assert float(file["sample_rate"]) == RATE_HZ
        assert (file["lost"] == 0).all()
        return tuple(file[name].astype(float) for name in ["time", "A", "L3"])


def main():
    def path(ending):
        return os.path.join(sys.argv[1], "stream." + ending)

    tools = {
        "pandas csv": table(pandas.read_csv(path("csv"))),
        "numpy npz": arrays(path("npz")),
        "pandas pyarrow parquet": table(pandas.read_parquet(path("parquet"), engine="pyarrow")),
        "numpy wav": chunks(path("wav")),
        "sox wav": sox(path("wav")),
        "sigrok-cli sr": sigrok_csv(path("sr")),
    }
    _, first, _ = tools["pandas csv"]
    grid_s = numpy.arange(len(first)) / RATE_HZ
    start_s, reach_s = 0.5, 0.5
    # The further off a start is, the worse it fits.
    for step_s in [1e-2, 0.25e-3]:
        starts_s = numpy.arange(start_s - reach_s, start_s + reach_s, step_s)
        start_s = min(starts_s, key=lambda start_s: numpy.abs(triangle(grid_s + start_s) - first).mean())
        reach_s = step_s

    expected = triangle(grid_s + start_s)
    truth = levels(grid_s + start_s)
    clear = truth != 0.5
    seen = {}
    for tool, (times_s, volts, high) in tools.items():
        seen[tool] = {
            "samples": len(volts),
            "off_v": float(numpy.abs(numpy.minimum(expected, 1.0 if tool == "sox wav" else 9.0) - volts).max()),
            "off_s": None if times_s is None else float(numpy.abs(times_s - grid_s).max()),
            "levels": None if high is None else len(high),
            "wrong_levels": None if high is None else int((high != truth)[clear].sum()),
            "unclear_levels": int((~clear).sum()),
        }
    json.dump(seen, sys.stdout)


if __name__ == "__main__":
    main()

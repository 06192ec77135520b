"""Opens a capture in every format with the tool that its users open it with, and prints what each one sees.

    open_files.py DIRECTORY

The directory holds capture.csv, .json, .npz, .parquet, .vcd and .wav of one capture, and several.csv of three. Prints a JSON object: for each tool
a channel's samples and times, and what else it finds of the capture under "about".
"""

import json
import os
import struct
import subprocess
import sys
import wave

import numpy
import pandas
import polars
from vcdvcd import VCDVCD


def columns(frame):
    """The channels of a table, each with the rows that have a sample of it."""
    channels = {}
    for name in frame.columns:
        if name not in ("time", "trace"):
            rows = frame[frame[name].notna()]
            channels[name] = {"samples": rows[name].tolist(), "times": rows["time"].tolist()}
    return channels


def polars_columns(frame):
    channels = {}
    for name in frame.columns:
        if name != "time":
            rows = frame.filter(frame[name].is_not_null())
            channels[name] = {"samples": rows[name].to_list(), "times": rows["time"].to_list()}
    return channels


def numpy_arrays(path):
    with numpy.load(path, allow_pickle=False) as arrays:
        names = [name for name in arrays if name + "_timestamps" in arrays]
        about = {name: arrays[name].tolist() for name in arrays if name.split("_")[0] not in names}
        channels = {
            name: {"samples": arrays[name].tolist(), "times": arrays[name + "_timestamps"].tolist()}
            for name in names
        }
    return {**channels, "about": about}


def json_lines(path):
    row = pandas.read_json(path, lines=True, precise_float=True).iloc[0]
    return {
        name: {"samples": channel["samples"], "times": channel["timestamps"]}
        for name, channel in row["channels"].items()
    } | {"about": {"sample_rate": float(row["sample_rate"]), "cause": row["cause"], "mode": row["mode"]}}


def vcd_changes(path):
    dump = VCDVCD(path)
    second = 1 / float(dump.timescale["timescale"])
    channels = {}
    for name in dump.signals:
        changes = dump[name].tv
        channels[name.split(".")[-1]] = {
            "samples": [float(value) for _, value in changes],
            "times": [time / second for time, _ in changes],
        }
    return channels


def full_scale(path):
    """The volts of full scale, of the comment in an audio file."""
    with open(path, "rb") as file:
        comment = file.read().split(b"full_scale: ", 1)[1]
    return float(comment.split(b"\n", 1)[0])


def wave_samples(path):
    with wave.open(path) as audio:
        frames = audio.readframes(audio.getnframes())
        samples = struct.unpack("<%di" % (len(frames) // 4), frames)
        count, rate = audio.getnchannels(), audio.getframerate()
    unit = full_scale(path) / 2**31
    return {
        name: {
            "samples": [sample * unit for sample in samples[first::count]],
            "times": [index / rate for index in range(len(samples) // count)],
        }
        for first, name in enumerate("AB")
    }


def traces(path):
    """A table of several captures: the kinds of its columns, and how many rows each capture has."""
    frame = pandas.read_csv(path, comment="#")
    return {
        "kinds": {name: str(kind) for name, kind in frame.dtypes.items()},
        "rows": frame.groupby("trace").size().tolist(),
    }


def sox_samples(path):
    raw = subprocess.run(["sox", path, "-t", "f32", "-"], check=True, capture_output=True).stdout
    rate = float(subprocess.run(["soxi", "-r", path], check=True, capture_output=True).stdout)
    count = int(subprocess.run(["soxi", "-c", path], check=True, capture_output=True).stdout)
    samples = numpy.frombuffer(raw, "<f4").reshape(-1, count).T * full_scale(path)
    return {
        name: {"samples": channel.tolist(), "times": [index / rate for index in range(len(channel))]}
        for name, channel in zip("AB", samples)
    }


def about_parquet(path):
    import pyarrow.parquet

    known = pyarrow.parquet.read_schema(path).metadata
    return {key.decode(): value.decode() for key, value in known.items()}


def main():
    def path(ending):
        return os.path.join(sys.argv[1], "capture." + ending)

    arrow = columns(pandas.read_parquet(path("parquet"), engine="pyarrow"))
    seen = {
        "numpy npz": numpy_arrays(path("npz")),
        "pandas csv": columns(pandas.read_csv(path("csv"), float_precision="round_trip", comment="#")),
        "pandas json": json_lines(path("json")),
        "pandas pyarrow parquet": {**arrow, "about": about_parquet(path("parquet"))},
        "polars csv": polars_columns(polars.read_csv(path("csv"), comment_prefix="#")),
        "polars parquet": polars_columns(polars.read_parquet(path("parquet"))),
        "vcdvcd vcd": vcd_changes(path("vcd")),
        "sox wav": sox_samples(path("wav")),
        "wave wav": wave_samples(path("wav")),
        "pandas traces": traces(os.path.join(sys.argv[1], "several.csv")),
    }
    json.dump(seen, sys.stdout)


if __name__ == "__main__":
    main()

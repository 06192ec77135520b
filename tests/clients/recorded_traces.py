"""Opens files that `scopething record` has written, each with a tool of its users, and prints the traces in it.

    recorded_traces.py FILE..

Prints a line a trace: its number and how many samples channel A has. In formats that hold one trace the number is that in
the file's name. Fails where a tool does not open a file, or a table has an incomplete row or trace.
"""

import csv
import json
import os
import subprocess
import sys


def of_csv(path):
    with open(path, newline="") as file:
        rows = list(csv.DictReader((line for line in file if not line.startswith("#")), strict=True))
    assert all(None not in row and None not in row.values() for row in rows), f"{path} has a row that is cut"
    begin = 0
    while begin < len(rows):
        end = begin + int(rows[begin]["rows"])
        trace = rows[begin:end]
        assert len({row["trace"] for row in trace}) == 1 and end <= len(rows), f"{path} has a trace that is cut"
        yield trace[0]["trace"], sum(row["A"] != "" for row in trace)
        begin = end


def of_json(path):
    with open(path) as file:
        for line in file:
            trace = json.loads(line)
            yield trace["trace"], len(trace["channels"]["A"]["samples"])


def of_npz(path):
    import numpy

    with numpy.load(path, allow_pickle=False) as arrays:
        return len(arrays["A"])


def of_parquet(path):
    import pyarrow.parquet

    return pyarrow.parquet.read_table(path).num_rows


def of_sr(path):
    samples = subprocess.run(
        ["sigrok-cli", "-i", path, "-O", "csv", "-C", "A"], check=True, capture_output=True, text=True
    ).stdout
    # Comments come first, then the unit.
    return len([line for line in samples.splitlines() if line and not line.startswith(";")]) - 1


def of_vcd(path):
    from vcdvcd import VCDVCD

    return len(VCDVCD(path)[next(iter(VCDVCD(path).signals))].tv)


def of_wav(path):
    return int(subprocess.run(["soxi", "-s", path], check=True, capture_output=True, text=True).stdout)


GROWING = {"csv": of_csv, "json": of_json}
ONE_TRACE = {"npz": of_npz, "parquet": of_parquet, "sr": of_sr, "vcd": of_vcd, "wav": of_wav}

for path in sys.argv[1:]:
    ending = path.rsplit(".", 1)[-1]
    if ending in GROWING:
        for number, samples in GROWING[ending](path):
            print(int(number), samples)
    else:
        print(int(os.path.basename(path).split("-")[1]), ONE_TRACE[ending](path))

#!/usr/bin/env python3
"""Prints what it costs to read and write large traces of A and B, beside other programs: seconds of CPU, seconds, peak memory.

    target/python/bin/python3 host/files/benches/beside.py [RUNS [SAMPLES ...]]     3 runs of 1000000 and 10000000

Each figure is the median of the runs, which take turns. `read` is to a file that costs little to write, of this program wav,
and into arrays by the others; `write` is from npz, which costs little to read, and of sigrok-cli from sr. Imports of Python
are not counted in the time of the others, but in their memory. Needs `cargo build --release -p scopething-cli`, sigrok-cli,
and a Python with numpy, pandas and pyarrow. The files, 2 GB for 10 million samples, lie in a temporary directory. What fails
is reported as such: sigrok-cli with libsigrok 0.5.2 ends with a segmentation fault, or writes wrong rows, where two analog channels
of more than 1048576 samples become csv.
"""

import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

PROGRAM = pathlib.Path(__file__).parents[3] / "target/release/scopething"
FORMATS = ["csv", "npz", "parquet", "wav", "sr", "vcd"]
# Name -> imports, what is measured. `d` is the directory of the files, `out` that of what is written.
IN_PYTHON = {
    "pandas read csv": ("import pandas", "pandas.read_csv(f'{d}/t.csv', comment='#')"),
    "pyarrow read csv": (
        "import pyarrow.csv as c",
        "c.read_csv(f'{d}/plain.csv', c.ReadOptions(use_threads=False))",
    ),
    "numpy read npz": ("import numpy", "z = numpy.load(f'{d}/t.npz'); [z[name] for name in z]"),
    "pandas read parquet": ("import pandas", "pandas.read_parquet(f'{d}/t.parquet')"),
    "pyarrow read parquet": (
        "import pyarrow.parquet as q",
        "q.read_table(f'{d}/t.parquet', use_threads=False)",
    ),
    "wave read wav": (
        "import wave, array",
        "w = wave.open(f'{d}/t.wav'); array.array('i').frombytes(w.readframes(w.getnframes()))",
    ),
    "pandas write csv": ("import pandas", "frame().to_csv(f'{out}/p.csv', index=False)"),
    "pyarrow write csv": (
        "import pyarrow as a, pyarrow.csv as c",
        "c.write_csv(a.table(columns()), f'{out}/a.csv')",
    ),
    "numpy write npz": ("import numpy", "numpy.savez(f'{out}/n.npz', **columns())"),
    "pandas write parquet": ("import pandas", "frame().to_parquet(f'{out}/p.parquet', compression='gzip')"),
    "pyarrow write parquet": (
        "import pyarrow as a, pyarrow.parquet as q",
        "q.write_table(a.table(columns()), f'{out}/a.parquet', compression='gzip')",
    ),
    "wave write wav": (
        "import wave",
        "c = columns(); w = wave.open(f'{out}/w.wav', 'wb'); w.setnchannels(2); w.setsampwidth(4);"
        "w.setframerate(1000000); both = numpy.stack([c['A'], c['B']], 1) * (2**31 / 8);"
        "w.writeframes(both.astype('<i4').tobytes()); w.close()",
    ),
}
PRELUDE = """
import sys, time, numpy
d, out = sys.argv[1:]
def columns():
    z = numpy.load(f'{d}/t.npz')
    return {'time': numpy.arange(len(z['A'])) / 1e6, 'A': z['A'], 'B': z['B']}
def frame():
    return pandas.DataFrame(columns())
"""
TIMED = "\nbegun = time.process_time(), time.perf_counter()\n"
REPORT = "\nprint(time.process_time() - begun[0], time.perf_counter() - begun[1])\n"


def samples(count):
    """A and B as a converter of 8 bits has them, in 32-bit volts: a sine with noise of 0.7 steps each."""
    import numpy

    random, seconds, step_v = numpy.random.default_rng(14), numpy.arange(count) / 1e6, 10 / 256
    def of(hertz):
        volts = 4 * numpy.sin(2 * numpy.pi * hertz * seconds) + random.normal(0, 0.7 * step_v, count)
        return (numpy.round(volts / step_v) * step_v).astype(numpy.float32)
    return seconds, of(1000.7), of(333.3)


def prepare(directory, count):
    """Writes the trace in each format."""
    import pyarrow
    import pyarrow.csv

    table = pyarrow.table(dict(zip(["time", "A", "B"], samples(count))))
    pyarrow.csv.write_csv(table, directory / "plain.csv", pyarrow.csv.WriteOptions(quoting_style="none"))
    for name in FORMATS:
        convert = [PROGRAM, "--quiet", "convert", directory / "plain.csv", "-o", directory / f"t.{name}"]
        subprocess.run(convert, check=True)


def jobs(directory, out):
    """Name -> command."""
    convert = [PROGRAM, "--quiet", "convert", "--force"]
    found = {}
    for name in FORMATS:
        found[f"scopething read {name}"] = [*convert, directory / f"t.{name}", "-o", out / "read.wav"]
        found[f"scopething write {name}"] = [*convert, directory / "t.npz", "-o", out / f"write.{name}"]
    for name, (imports, work) in IN_PYTHON.items():
        source = f"{imports}{PRELUDE}{TIMED}{work}{REPORT}"
        found[name] = [sys.executable, "-c", source, directory, out]
    sigrok = ["sigrok-cli", "-i", directory / "t.sr", "-o"]
    found["sigrok-cli read sr, write sr"] = [*sigrok, out / "sigrok.sr", "-O", "srzip"]
    found["sigrok-cli read sr, write csv"] = [*sigrok, out / "sigrok.csv", "-O", "csv"]
    found["sigrok-cli read csv, write sr"] = [
        *["sigrok-cli", "-I", "csv:column_formats=t,2a", "-i", directory / "plain.csv"],
        *["-O", "srzip", "-o", out / "sigrok.sr"],
    ]
    return found


def measured(command):
    """CPU seconds, seconds and peak memory in MB of a run; None of those of one that fails."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        return None
    seconds = usage.ru_utime + usage.ru_stime, time.perf_counter() - begun
    if command[0] == sys.executable:
        seconds = [float(number) for number in printed.split()]
    return *seconds, usage.ru_maxrss / 1e3


def main():
    if sys.argv[1:2] == ["prepare"]:
        return prepare(pathlib.Path(sys.argv[2]), int(sys.argv[3]))
    numbers = [int(argument) for argument in sys.argv[1:]]
    runs, counts = (numbers or [3])[0], numbers[1:] or [1_000_000, 10_000_000]
    for count in counts:
        with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/var/tmp")) as parent:
            directory, out = pathlib.Path(parent) / "in", pathlib.Path(parent) / "out"
            directory.mkdir()
            out.mkdir()
            # A process begins with the peak of the one that started it: this one must stay small.
            subprocess.run([sys.executable, __file__, "prepare", directory, str(count)], check=True)
            sizes = ", ".join(f"{name} {(directory / f't.{name}').stat().st_size / 1e6:.1f}" for name in FORMATS)
            print(f"\n{count} samples of A and B, MB: {sizes}\n\n{'':32}{'CPU s':>8}{'s':>8}{'MB':>8}", flush=True)
            commands = jobs(directory, out)
            rows = {name: [] for name in commands}
            for _ in range(runs):
                for name, command in commands.items():
                    rows[name].append(measured(command))
            for name, results in sorted(rows.items(), key=lambda row: row[0].split()[1:]):
                if None in results:
                    print(f"{name:32}  failed")
                    continue
                cpu_s, wall_s, megabytes = map(statistics.median, zip(*results))
                print(f"{name:32}{cpu_s:8.2f}{wall_s:8.2f}{megabytes:8.0f}", flush=True)


main()

#!/usr/bin/env python3
"""Measures random signals with `scopething analyse` and compares what it prints with what is known of them.

Each signal is drawn from a seed: shape, level, noise, steps of a converter, wild and stale samples, clipping, rate and
number of periods; then half as many with 2.1 to 10 samples a period. What must come out is known from how the signal
was made, or computed from its samples with numpy and scipy, which share no code with the program. The errors' distribution is
printed, and a bound is kept on its quantiles.

    target/python/bin/python tests/measurements/known_signals.py PROGRAM [--signals 2000] [--seed 1] [--no-bounds]
"""

import argparse
import collections
import dataclasses
import json
import math
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from scipy import optimize

SHAPES = ["sine", "triangle", "exponential", "sawtooth", "square", "trapezoid", "distorted", "dc"]
TIME_CONSTANTS = 5.0


@dataclasses.dataclass
class Signal:
    shape: str
    rate_hz: float
    periods: float
    low: float
    peak_to_peak: float
    noise: float
    turn: float
    duty: float
    rising: bool
    edge: float = 0.0  # of a trapezoid, in periods
    harmonics: dict = dataclasses.field(default_factory=dict)  # of a distorted sine, relative to the fundamental
    outliers: int = 0
    clip_range: tuple | None = None
    clipped: int = 0
    delay_periods: float | None = None
    channels: dict = dataclasses.field(default_factory=dict)
    few: bool = False  # samples a period
    phases: int = 0  # at which it is sampled, if they are few

    @property
    def count(self):
        return len(self.channels["A"])

    @property
    def frequency_hz(self):
        return self.periods * self.rate_hz / self.count

    @property
    def samples_a_period(self):
        return self.count / self.periods


def height(signal, phase):
    """0 to 1 at phases from 0 on; each shape rises through its middle at a phase of 0, or jumps there."""
    phase = np.mod(phase, 1.0)
    match signal.shape:
        case "sine":
            return 0.5 + 0.5 * np.sin(math.tau * phase)
        case "distorted":
            sum_of_sines = np.sin(math.tau * phase)
            for number, share in signal.harmonics.items():
                sum_of_sines = sum_of_sines + share * np.sin(math.tau * number * phase + number)
            return 0.5 + 0.5 * sum_of_sines
        case "triangle":
            return 1.0 - np.abs(2.0 * np.mod(phase + 0.25, 1.0) - 1.0)
        case "exponential":
            part = np.mod(2.0 * phase, 1.0)
            charged = -np.expm1(-TIME_CONSTANTS * part) / -math.expm1(-TIME_CONSTANTS)
            return np.where(phase < 0.5, charged, 1.0 - charged)
        case "sawtooth":
            return phase if signal.rising else 1.0 - phase
        case "square":
            return (phase < signal.duty).astype(float)
        case "trapezoid":
            rise = np.clip(phase / signal.edge + 0.5, 0.0, 1.0)
            fall = np.clip((signal.duty - phase) / signal.edge + 0.5, 0.0, 1.0)
            again = np.clip((phase - 1.0) / signal.edge + 0.5, 0.0, 1.0)
            return np.minimum(rise, fall) + again
        case "dc":
            return np.zeros_like(phase)
    raise ValueError(signal.shape)


def log_uniform(rng, low, high):
    return float(low * (high / low) ** rng.random())


def draw(rng):
    shape = SHAPES[rng.integers(len(SHAPES))]
    count = int(log_uniform(rng, 100, 2000))
    periods = log_uniform(rng, 2.0, min(60.0, count / 10.0))
    signal = Signal(
        shape=shape,
        rate_hz=float(np.round(log_uniform(rng, 1e3, 20e6))),
        periods=periods,
        low=0.0,
        peak_to_peak=log_uniform(rng, 0.01, 10.0),
        noise=0.0 if rng.random() < 0.3 else log_uniform(rng, 0.001, 0.05),
        turn=rng.random(),
        duty=float(rng.uniform(0.15, 0.85)),
        rising=bool(rng.random() < 0.5),
    )
    if shape == "trapezoid":
        signal.duty = float(rng.uniform(0.35, 0.65))
        signal.edge = float(rng.uniform(0.05, 0.25))
    if shape == "distorted":
        signal.harmonics = {int(n): log_uniform(rng, 0.003, 0.1) for n in rng.choice([2, 3, 4], 2, replace=False)}
    signal.low = float(signal.peak_to_peak * rng.uniform(-3, 3))
    phases = signal.turn + np.arange(count) * periods / count
    turns = {"A": 0.0}
    if shape != "dc" and rng.random() < 0.4:
        signal.delay_periods = float(rng.uniform(-0.45, 0.45))
        # The second channel of a pair is sampled half a period of its own after the first.
        turns["B"] = signal.delay_periods - 0.5 * periods / count
    clip = shape in ("sine", "triangle") and rng.random() < 0.15
    bits = [None, 8, 12][rng.integers(3)]
    for name, late in turns.items():
        clean = signal.low + signal.peak_to_peak * height(signal, phases - late)
        noise = signal.noise * signal.peak_to_peak
        samples = clean + rng.normal(0.0, noise, count) if noise else clean
        ends = (signal.low - 0.5 * signal.peak_to_peak, signal.low + 1.5 * signal.peak_to_peak)
        if clip and name == "A":
            ends = (ends[0], signal.low + signal.peak_to_peak * rng.uniform(0.6, 0.9))
            signal.clip_range = ends
        if bits:
            steps = 2**bits - 1
            step = (ends[1] - ends[0]) / steps
            samples = ends[0] + step * np.clip(np.round((samples - ends[0]) / step), 0, steps)
        samples = np.clip(samples, *ends) if signal.clip_range and name == "A" else samples
        if name == "A" and signal.clip_range:
            signal.clipped = int(np.sum(samples >= ends[1] - 1e-9 * (ends[1] - ends[0])))
        elif name == "A" and shape != "dc" and rng.random() < 0.2:
            signal.outliers = int(rng.integers(1, 1 + max(1, count // 300)))
            wild = signal.low + signal.peak_to_peak * rng.choice([-1, 1], signal.outliers) * rng.uniform(2, 4)
            if rng.random() < 0.3:
                samples[: signal.outliers] = wild[0]
            else:
                samples[rng.choice(count, signal.outliers, replace=False)] = wild
        signal.channels[name] = samples.astype(np.float32)
    return signal


FEW = ["sine", "triangle", "sawtooth", "square"]


def draw_few(rng):
    """2.1 to 10 samples a period; of half of the signals a ratio of small whole numbers, so that all samples fall on a few
    phases."""
    count = int(log_uniform(rng, 100, 2000))
    samples_a_period = log_uniform(rng, 2.1, 10.0)
    phases = 0
    if rng.random() < 0.5:
        phases = int(rng.integers(3, 15))
        turns = rng.integers(max(1, math.ceil(phases / 10.0)), max(2, math.floor(phases / 2.1) + 1))
        samples_a_period = max(phases / int(turns), 2.1)
        phases = phases // math.gcd(phases, int(turns))
    shape = FEW[rng.integers(len(FEW))]
    signal = Signal(
        shape=shape,
        rate_hz=float(np.round(log_uniform(rng, 1e3, 20e6))),
        periods=count / samples_a_period,
        low=0.0,
        peak_to_peak=log_uniform(rng, 0.01, 10.0),
        noise=0.0 if rng.random() < 0.5 else log_uniform(rng, 0.001, 0.02),
        turn=rng.random(),
        duty=float(rng.uniform(0.3, 0.7)),
        rising=bool(rng.random() < 0.5),
        few=True,
        phases=phases,
    )
    signal.low = float(signal.peak_to_peak * rng.uniform(-1, 1))
    clean = height(signal, signal.turn + np.arange(count) / samples_a_period)
    noise = rng.normal(0.0, signal.noise, count) if signal.noise else 0.0
    signal.channels["A"] = (signal.low + signal.peak_to_peak * (clean + noise)).astype(np.float32)
    return signal


def line(signal):
    period_s = 1.0 / signal.rate_hz
    pair = len(signal.channels) == 2
    channels = {}
    for name, samples in signal.channels.items():
        start_s = 0.5 * period_s if name == "B" else 0.0
        times = start_s + np.arange(len(samples)) * period_s
        channels[name] = {"unit": "V", "samples": samples.astype(float).tolist(), "timestamps": times.tolist()}
    record = {"sample_rate": (2 if pair else 1) * signal.rate_hz, "channels": channels}
    if signal.clip_range:
        record["range"] = list(signal.clip_range)
    return json.dumps(record)


def sine_fit(samples, frequency):
    """Fundamental, harmonics up to half of the sample rate and rest of a sine of about `frequency` (cycles a sample)."""
    time = np.arange(len(samples))
    samples = samples.astype(float)

    def design(frequency, harmonics):
        columns = [np.ones_like(time, dtype=float)]
        for number in range(1, harmonics + 1):
            angle = math.tau * number * frequency * time
            columns += [np.cos(angle), np.sin(angle)]
        return np.stack(columns, axis=1)

    def rest(frequency, harmonics=1):
        columns = design(frequency, harmonics)
        factors = np.linalg.lstsq(columns, samples, rcond=None)[0]
        return samples - columns @ factors, factors

    width = 0.3 / len(samples)
    found = optimize.minimize_scalar(
        lambda frequency: float(np.sum(rest(frequency)[0] ** 2)),
        bounds=(frequency - width, frequency + width),
        method="bounded",
        options={"xatol": 1e-9 * frequency},
    )
    frequency = found.x
    left, factors = rest(frequency)
    power = 0.5 * float(factors[1] ** 2 + factors[2] ** 2)
    # What scatters about the fit has that many degrees of freedom less than there are samples.
    sinad = 10.0 * math.log10(power / max(np.sum(left**2) / (len(samples) - 4), 1e-30))
    # Harmonics pull at the frequency: it is moved until the first ten are fitted best, then more, which hold it better where
    # they are strong and would lead it astray from farther away.
    below = max(1, math.floor((0.5 - 0.5 / len(samples)) / frequency))
    for first in (min(10, below), min(64, below)):
        for _ in range(8):
            columns = design(frequency, first)
            base, _ = np.linalg.qr(columns)
            factors = np.linalg.lstsq(columns, samples, rcond=None)[0]
            left = samples - columns @ factors
            slope = np.zeros_like(left)
            for number in range(1, first + 1):
                angle = math.tau * number * frequency * time
                cosine, sine = factors[2 * number - 1], factors[2 * number]
                slope += math.tau * number * time * (sine * np.cos(angle) - cosine * np.sin(angle))
            across = slope - base @ (base.T @ slope)
            step = float(across @ left / (across @ across))
            frequency += step
            if abs(step) * len(samples) < 1e-10:
                break
    harmonics = max(1, math.floor((0.5 - 0.5 / len(samples)) / frequency))
    # Of one at half of the sample rate, a single factor is seen.
    at_half = abs((harmonics + 1) * frequency - 0.5) <= 0.5 / len(samples)
    columns = design(frequency, harmonics + at_half)
    all_factors = np.linalg.lstsq(columns, samples, rcond=None)[0]
    all_left = samples - columns @ all_factors
    freedom = len(samples) - 3 - 2 * harmonics - at_half
    power = 0.5 * float(all_factors[1] ** 2 + all_factors[2] ** 2)
    snr = 10.0 * math.log10(power / max(np.sum(all_left**2) / max(freedom, 1), 1e-30)) if freedom > 0 else None
    return {"sinad": sinad, "snr": snr, "freedom": freedom}


class Errors:
    """Errors of one value: of how many signals it was known, and how they are distributed."""

    def __init__(self):
        self.of = collections.defaultdict(list)
        self.unknown = collections.Counter()

    def add(self, name, measured, expected, unit=1.0):
        if measured is None:
            self.unknown[name] += 1
        else:
            self.of[name].append(abs(measured - expected) / unit)

    def right(self, name, is_right):
        self.of[name].append(0.0 if is_right else 1.0)

    def rows(self):
        for name in sorted(set(self.of) | set(self.unknown)):
            values = np.sort(self.of[name]) if self.of[name] else np.array([np.nan])
            quantiles = [float(np.quantile(values, q)) for q in (0.5, 0.9, 0.99, 1.0)]
            yield name, len(self.of[name]), self.unknown[name], *quantiles


def wrapped(turn):
    return turn - round(turn)


# Null where they do not apply: to a square only, to a sawtooth only.
OF_ONE_SHAPE = {"duty", "rising"}


def without_reason(found):
    """What is null without a reason beside it."""
    for name, channel in found["channels"].items():
        reasons = channel.get("unknown", {})
        if "all" in reasons:
            continue
        wave = {key: value for key, value in (channel["wave"] or {}).items() if key not in OF_ONE_SHAPE}
        for key, value in (channel | wave).items():
            if (value is None or (key == "shape" and value == "unknown")) and key not in reasons:
                yield f"{name}.{key}"
        spectrum = channel.get("spectrum", {})
        if any(value is None for key, value in spectrum.items() if key != "unknown") and not spectrum["unknown"]:
            yield f"{name}.spectrum"
    for pair in found["delays"]:
        if pair["delay"] is None and not pair.get("unknown"):
            yield "delay"


def judge_few(signal, a, errors):
    """What is not known at so few samples a period may be unknown; what is printed must be right."""
    peak_to_peak, frequency = signal.peak_to_peak, signal.frequency_hz
    wave = a["wave"] or {}
    # Samples of few phases repeat with a lower frequency, which is as good a reading of what is hardly a sine.
    repetition = signal.rate_hz / signal.phases if signal.phases else frequency
    if signal.shape != "sine" and a["edge_frequency"] and abs(a["edge_frequency"] / repetition - 1.0) < 0.001:
        frequency = repetition
    periods = frequency * signal.count / signal.rate_hz
    kind = "sine" if signal.shape == "sine" else "square" if signal.shape == "square" else "ramps"
    shape = wave.get("shape", "unknown")
    if shape == "unknown":
        errors.unknown[f"few: shape wrong, {kind}"] += 1
    else:
        errors.right(f"few: shape wrong, {kind}", shape == signal.shape)
    errors.add(f"few: frequency, {kind} (of it)", wave.get("frequency"), frequency, frequency)
    errors.add(f"few: edge frequency, {kind} (of it)", a["edge_frequency"], frequency, frequency)
    errors.add(f"few: amplitude, {kind} (of peak to peak)", wave.get("amplitude"), 0.5 * peak_to_peak, peak_to_peak)
    errors.add(f"few: top, {kind} (of peak to peak)", a["top"], signal.low + peak_to_peak, peak_to_peak)
    errors.add(f"few: base, {kind} (of peak to peak)", a["base"], signal.low, peak_to_peak)
    errors.add(f"few: noise, {kind} (of peak to peak)", a["noise"], signal.noise * peak_to_peak, peak_to_peak)
    overshoot = a["overshoot"]
    if kind == "square" or overshoot is not None:
        # Of noise alone.
        errors.add(f"few: overshoot, {kind}", overshoot, 3.0 * signal.noise)
    if kind == "sine":
        errors.add("few: duty, sine", a["duty"], 0.5)
    if a["rising_edges"] is None:
        errors.unknown[f"few: edges wrong by two or more, {kind}"] += 1
    else:
        errors.right(f"few: edges wrong by two or more, {kind}", abs(a["rising_edges"] - periods) < 2.0)


def judge(signal, found, errors):
    errors.right("unknown without a reason", not list(without_reason(found)))
    a = found["channels"]["A"]
    samples = signal.channels["A"].astype(float)
    peak_to_peak = signal.peak_to_peak
    errors.add("mean (of peak to peak)", a["mean"], samples.mean(), peak_to_peak)
    errors.add("RMS (of peak to peak)", a["rms"], math.sqrt(np.mean(samples**2)), peak_to_peak)
    errors.add("extremes (of peak to peak)", a["peak_to_peak"], samples.max() - samples.min(), peak_to_peak)
    if signal.few:
        judge_few(signal, a, errors)
        return
    if signal.clip_range:
        clipping = a.get("clipped") or {}
        errors.add("clipped samples (of all)", clipping.get("high"), signal.clipped, signal.count)
        return
    if signal.shape == "dc":
        errors.right("DC has no edges", a["rising_edges"] == 0 and a["falling_edges"] == 0)
        errors.right("DC has no wave", a["wave"] is None)
        return
    wave = a["wave"] or {}
    group = "with wild samples" if signal.outliers else "clean" if not signal.noise else "noisy"
    shape = {"distorted": "sine", "trapezoid": None}.get(signal.shape, signal.shape)
    has_shape = shape is not None and (signal.shape != "distorted" or sum(signal.harmonics.values()) < 0.02)
    if has_shape:
        errors.right(f"shape wrong, {group}", wave.get("shape") == shape)
    levels_known = signal.shape in ("square", "trapezoid") or (signal.shape in ("sine", "triangle", "sawtooth"))
    if levels_known:
        kind = "square" if signal.shape in ("square", "trapezoid") else "other"
        errors.add(f"top, {kind}, {group} (of peak to peak)", a["top"], signal.low + peak_to_peak, peak_to_peak)
        errors.add(f"base, {kind}, {group} (of peak to peak)", a["base"], signal.low, peak_to_peak)
    if has_shape and signal.shape != "distorted":
        errors.add(f"amplitude, {group} (of peak to peak)", wave.get("amplitude"), 0.5 * peak_to_peak, peak_to_peak)
    frequency = signal.frequency_hz
    kind = "square" if signal.shape in ("square", "trapezoid") else signal.shape
    errors.add(f"frequency, {kind} (of it)", wave.get("frequency"), frequency, frequency)
    errors.add("edge frequency (of it)", a["edge_frequency"], frequency, frequency)
    if signal.shape == "square" and a["edge_frequency"] is not None and not signal.noise:
        is_within = abs(a["edge_frequency"] - frequency) <= a["edge_frequency_uncertainty"] * (1.0 + 1e-9)
        errors.right("edge frequency of a square beyond its uncertainty", is_within)
    if signal.shape == "square":
        errors.add("duty, square (samples)", a["duty"], signal.duty, 1.0 / signal.samples_a_period)
    if signal.shape in ("square", "trapezoid", "sine", "triangle", "exponential"):
        # Edges near the ends of the record may or may not be seen.
        errors.right("edges wrong by two or more", abs(a["rising_edges"] - signal.periods) < 2.0)
    rise = {
        "sine": 2.0 * math.asin(0.8) / math.tau,
        "triangle": 0.4,
        "trapezoid": 0.8 * signal.edge,
    }.get(signal.shape)
    if rise and rise * signal.samples_a_period > 4.0:
        group = "noise to 1 %" if signal.noise <= 0.01 else "noise above 1 %"
        errors.add(f"rise time, {group} (of it)", a["rise_time"], rise / frequency, rise / frequency)
    if signal.delay_periods is not None:
        pair = (found["delays"] or [{}])[0]
        delay = pair.get("delay")
        if delay is not None and pair["from"] == "B":
            delay = -delay
        turn = None if delay is None else wrapped(delay * frequency - signal.delay_periods)
        kind = "sine" if signal.shape in ("sine", "distorted") else "other"
        errors.add(f"delay, {kind} (samples)", None if turn is None else turn * signal.samples_a_period, 0.0)
    if signal.shape in ("sine", "distorted"):
        spectrum = a["spectrum"]
        fit = sine_fit(signal.channels["A"], signal.periods / signal.count)
        if fit["sinad"] < 100:
            errors.add("SINAD (dB)", spectrum.get("sinad_db"), fit["sinad"])
        if fit["snr"] is not None and fit["snr"] < 100 and fit["freedom"] > 30:
            errors.add("SNR (dB)", spectrum.get("snr_db"), fit["snr"])
        if fit["freedom"] > 30 and not signal.outliers:
            expected = math.sqrt(sum(share**2 for share in signal.harmonics.values()))
            errors.add("THD (of the fundamental)", spectrum.get("thd"), expected)


# The greatest that a quantile may be: value, which quantile (0.5, 0.9, 0.99, 1), bound.
BOUNDS = [
    ("unknown without a reason", 1.0, 0.0),
    ("mean (of peak to peak)", 1.0, 1e-6),
    ("RMS (of peak to peak)", 1.0, 1e-6),
    ("extremes (of peak to peak)", 1.0, 1e-6),
    ("DC has no edges", 0.9, 0.0),
    ("DC has no wave", 1.0, 0.0),
    ("clipped samples (of all)", 1.0, 0.0),
    ("edges wrong by two or more", 0.99, 0.0),
    ("shape wrong, clean", 0.9, 0.0),
    ("shape wrong, noisy", 0.9, 0.0),
    ("shape wrong, with wild samples", 0.9, 0.0),
    ("top, square, clean (of peak to peak)", 0.9, 0.005),
    ("top, square, noisy (of peak to peak)", 0.9, 0.01),
    ("top, square, with wild samples (of peak to peak)", 0.9, 0.01),
    ("base, square, with wild samples (of peak to peak)", 0.9, 0.01),
    ("top, other, with wild samples (of peak to peak)", 0.9, 0.03),
    ("frequency, square (of it)", 0.9, 0.003),
    ("frequency, sine (of it)", 0.9, 0.001),
    ("edge frequency (of it)", 0.9, 0.003),
    ("edge frequency of a square beyond its uncertainty", 1.0, 0.0),
    ("rise time, noise to 1 % (of it)", 0.9, 0.02),
    ("rise time, noise above 1 % (of it)", 0.9, 0.05),
    ("delay, sine (samples)", 0.9, 0.1),
    ("delay, other (samples)", 0.9, 0.3),
    ("few: frequency, sine (of it)", 0.9, 0.001),
    ("few: amplitude, sine (of peak to peak)", 0.9, 0.005),
    ("few: top, sine (of peak to peak)", 0.9, 0.005),
    ("few: base, sine (of peak to peak)", 0.9, 0.005),
    ("few: noise, sine (of peak to peak)", 0.9, 0.002),
    ("few: noise, square (of peak to peak)", 0.9, 0.002),
    ("few: noise, ramps (of peak to peak)", 0.9, 0.002),
    ("few: frequency, square (of it)", 0.9, 0.001),
    ("few: frequency, ramps (of it)", 0.9, 0.001),
    ("few: amplitude, square (of peak to peak)", 0.9, 0.005),
    ("few: amplitude, ramps (of peak to peak)", 0.9, 0.005),
    ("few: top, square (of peak to peak)", 0.9, 0.005),
    ("few: base, square (of peak to peak)", 0.9, 0.005),
    ("few: top, ramps (of peak to peak)", 0.9, 0.01),
    ("few: base, ramps (of peak to peak)", 0.9, 0.01),
    ("few: duty, sine", 0.9, 0.01),
    ("few: edges wrong by two or more, sine", 1.0, 0.0),
    ("few: edges wrong by two or more, ramps", 0.99, 0.0),
    ("few: edges wrong by two or more, square", 0.9, 0.0),
    ("few: shape wrong, sine", 1.0, 0.0),
    ("few: shape wrong, ramps", 0.99, 0.0),
    ("few: shape wrong, square", 1.0, 0.0),
    ("top, square, clean (of peak to peak)", 1.0, 0.01),
    ("base, square, clean (of peak to peak)", 1.0, 0.01),
    ("SINAD (dB)", 0.99, 0.01),
    ("SNR (dB)", 0.99, 0.2),
    ("THD (of the fundamental)", 0.9, 0.01),
]


def measured(program, signals):
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory, "signals.json")
        path.write_text("\n".join(map(line, signals)) + "\n")
        command = [program, "analyse", str(path), "--json", "--spectrum"]
        output = subprocess.run(command, capture_output=True, text=True, check=False)
    if output.returncode:
        sys.exit(f"{' '.join(command)} failed: {output.stderr}")
    found = [json.loads(text) for text in output.stdout.splitlines()]
    assert len(found) == len(signals), (len(found), len(signals))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="the program scopething")
    parser.add_argument("--signals", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-bounds", action="store_true", help="only print the distribution")
    parser.add_argument("--worst", metavar="NAME", help="print the signals that this value is worst of")
    arguments = parser.parse_args()
    signals = [draw(np.random.default_rng([arguments.seed, number])) for number in range(arguments.signals)]
    signals += [draw_few(np.random.default_rng([arguments.seed, number, 1])) for number in range(arguments.signals // 2)]
    errors = Errors()
    worst = []
    for number, (signal, found) in enumerate(zip(signals, measured(arguments.program, signals), strict=True)):
        before = {name: len(values) for name, values in errors.of.items()}
        judge(signal, found, errors)
        for name, values in errors.of.items():
            if arguments.worst and name.startswith(arguments.worst):
                worst += [(value, number) for value in values[before.get(name, 0) :]]
    print(f"{len(signals)} signals of seed {arguments.seed}: absolute errors")
    print(f"{'':50} {'known':>6} {'unkn.':>6} {'median':>9} {'90 %':>9} {'99 %':>9} {'largest':>9}")
    rows = {}
    for name, known, unknown, *quantiles in errors.rows():
        rows[name] = dict(zip((0.5, 0.9, 0.99, 1.0), quantiles), unknown=unknown, known=known)
        print(f"{name:50} {known:6} {unknown:6} " + " ".join(f"{value:9.2g}" for value in quantiles))
    for value, number in sorted(worst, reverse=True)[:12]:
        signal = signals[number]
        about = {key: v for key, v in vars(signal).items() if key != "channels"}
        print(f"{value:.3g}: signal {number}, {signal.count} samples, {about}")
    if arguments.no_bounds:
        return
    beyond = [
        f"{name}: {rows.get(name, {}).get(which)} at {which}, and {bound} is the bound"
        for name, which, bound in BOUNDS
        if name not in rows or not rows[name][which] <= bound
    ]
    if beyond:
        sys.exit("beyond its bound:\n" + "\n".join(beyond))


if __name__ == "__main__":
    main()

"""Finds the parameters of the analog front end with the device's own clock: planes by least squares."""

import statistics

from bitscope_client import clipped

CLOCK_V = 3.3


def levels(samples):
    """The low and the high level of a square wave."""
    middle = (min(samples) + max(samples)) / 2
    low, high = [s for s in samples if s < middle], [s for s in samples if s >= middle]
    return statistics.fmean(low), statistics.fmean(high)


def measure(scope, lo, hi):
    """Where 0 V and 3.3 V lie in the range of two DAC fractions, and by how much A lies above B, in parts of it."""
    scope.set(ConverterLo=clipped(lo), ConverterHi=clipped(hi))
    # A period of the 2 kHz clock and more, in words, both channels: 40 ticks a sample, 2000 samples of each.
    scope.configure(19, 5, 40, 0, 4000, analog=3, timeout=700)
    scope.set(TriggerMask=0xFF, TriggerIntro=0, TriggerOutro=0, TraceOutro=4000)
    scope.start()
    _, _, address = scope.end()
    first = (address - 4000) % 6144
    parts = [[(s + 32768) / 65536 for s in scope.dump(channel, first, 2000, native=True)] for channel in (0, 1)]
    (zero_a, full_a), (zero_b, full_b) = map(levels, parts)
    return (zero_a + zero_b) / 2, (full_a + full_b) / 2, (zero_a - zero_b + full_a - full_b) / 2


def solve(matrix, vector):
    """Three linear equations by elimination."""
    rows = [row[:] + [value] for row, value in zip(matrix, vector)]
    for i in range(3):
        pivot = max(range(i, 3), key=lambda k: abs(rows[k][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for k in range(3):
            if k != i:
                factor = rows[k][i] / rows[i][i]
                rows[k] = [a - factor * b for a, b in zip(rows[k], rows[i])]
    return [rows[i][3] / rows[i][i] for i in range(3)]


def plane(points):
    """The a, b, c of z = a x + b y + c nearest to points (x, y, z)."""
    basis = [((x, y, 1.0), z) for x, y, z in points]
    matrix = [[sum(v[i] * v[j] for v, _ in basis) for j in range(3)] for i in range(3)]
    return solve(matrix, [sum(v[i] * z for v, z in basis) for i in range(3)])


def calibrate(scope, n=8):
    """The nine parameters and the offset between A and B, in volts, by an n x n grid of DAC settings."""
    scope.start_clock(20000, 10000)
    # At the neutral point the DACs do nothing: the range is the middle third of the span.
    zero, full, _ = measure(scope, 1 / 3, 2 / 3)
    zero, full = (zero + 1) / 3, (full + 1) / 3
    scale = CLOCK_V / (full - zero)
    offset = -zero * scale
    low_points, high_points, differences = [], [], []
    for i in range(n):
        for k in range(n):
            lo, hi = 0.07 + (0.5 - 0.07) * i / n, 0.88 - (0.88 - 0.5) * k / (n - 1)
            zero, full, difference = measure(scope, lo, hi)
            if not 0.01 < zero < full < 0.99:
                continue
            volts = CLOCK_V / (full - zero)
            low = (-zero * volts - offset) / scale
            high = ((1 - zero) * volts - offset) / scale
            low_points.append((low, high, lo))
            high_points.append((high, low, hi))
            differences.append(difference * volts)
    scope.stop_clock()
    la, lb, lc = plane(low_points)
    ha, hb, hc = plane(high_points)
    return {"la": la, "lb": lb, "lc": lc, "ha": ha, "hb": hb, "hc": hc, "scale": scale, "offset": offset,
            "ab_offset": statistics.fmean(differences)}

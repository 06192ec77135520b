// Spectrum, averages and arithmetic of traces. Pure functions.

import { volts, timeOf } from "./frame.js";

/** Windows by name: their values, and what a sine's amplitude becomes (coherent gain). */
export const WINDOWS = {
  hann: (x) => 0.5 - 0.5 * Math.cos(2 * Math.PI * x),
  "flat top": (x) => {
    const turn = 2 * Math.PI * x;
    return 0.21557895 - 0.41663158 * Math.cos(turn) + 0.277263158 * Math.cos(2 * turn)
      - 0.083578947 * Math.cos(3 * turn) + 0.006947368 * Math.cos(4 * turn);
  },
  rectangle: () => 1,
};

/** The discrete Fourier transform in place; the number of values is a power of two. */
export function fft(re, im) {
  const n = re.length;
  for (let i = 1, j = 0; i < n; i += 1) {
    let bit = n >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      [re[i], re[j]] = [re[j], re[i]];
      [im[i], im[j]] = [im[j], im[i]];
    }
  }
  for (let length = 2; length <= n; length <<= 1) {
    const angle = (-2 * Math.PI) / length;
    const half = length >> 1;
    for (let k = 0; k < half; k += 1) {
      const cos = Math.cos(angle * k);
      const sin = Math.sin(angle * k);
      for (let i = k; i < n; i += length) {
        const j = i + half;
        const tr = re[j] * cos - im[j] * sin;
        const ti = re[j] * sin + im[j] * cos;
        re[j] = re[i] - tr;
        im[j] = im[i] - ti;
        re[i] += tr;
        im[i] += ti;
      }
    }
  }
}

/**
 * The amplitudes of the sines in samples, in dBV (0 dB is a sine of 1 V rms), from 0 Hz to half the rate. The mean is taken
 * off; where the number of samples is no power of two, zeros follow.
 */
export function spectrum(samples, period, window = "hann") {
  const count = samples.length;
  if (count < 16) return null;
  let size = 1;
  while (size < count) size <<= 1;
  let mean = 0;
  for (const sample of samples) mean += sample / count;
  const re = new Float64Array(size);
  const im = new Float64Array(size);
  let gain = 0;
  const shape = WINDOWS[window] ?? WINDOWS.hann;
  for (let i = 0; i < count; i += 1) {
    const weight = shape(i / count);
    gain += weight;
    re[i] = (samples[i] - mean) * weight;
  }
  fft(re, im);
  const db = new Float64Array(size / 2 + 1);
  for (let k = 0; k <= size / 2; k += 1) {
    const amplitude = (2 * Math.hypot(re[k], im[k])) / gain;
    db[k] = 20 * Math.log10(Math.max(amplitude / Math.SQRT2, 1e-9));
  }
  // A window spreads a sine over so many bins to either side.
  return { db, binHz: 1 / (size * period), maxHz: 1 / (2 * period), lobe: Math.ceil((5 * size) / count) };
}

/** The highest places of a spectrum that stand out by 20 dB of the median, the strongest first; none in the lobe of a stronger. */
export function peaks(found, most = 5) {
  const { db, binHz } = found;
  const sorted = Float64Array.from(db).sort();
  const floor = sorted[sorted.length >> 1] + 20;
  const all = [];
  for (let k = 2; k < db.length - 1; k += 1) {
    if (db[k] > floor && db[k] >= db[k - 1] && db[k] > db[k + 1]) {
      // The vertex of the parabola through three points.
      const [a, b, c] = [db[k - 1], db[k], db[k + 1]];
      const bend = a - 2 * b + c;
      const off = bend === 0 ? 0 : (0.5 * (a - c)) / bend;
      all.push({ hz: (k + off) * binHz, db: b - 0.25 * (a - c) * off });
    }
  }
  const kept = [];
  for (const peak of all.sort((one, other) => other.db - one.db)) {
    const apart = kept.every((one) => Math.abs(one.hz - peak.hz) > found.lobe * binHz);
    // Side lobes reach farther, and lie lower.
    if (apart && (kept.length === 0 || peak.db > kept[0].db - 90)) kept.push(peak);
    if (kept.length === most) break;
  }
  return kept;
}

export const OPERATIONS = {
  "A+B": (a, b) => a + b,
  "A−B": (a, b) => a - b,
  "A×B": (a, b) => a * b,
};

/** A and B combined, at the times of A; B is interpolated where it was sampled between. None without both. */
export function combine(trace, operation) {
  const { A, B } = trace.channels;
  const apply = OPERATIONS[operation];
  if (!A || !B || !apply) return null;
  const [a, b] = [volts(A), volts(B)];
  const values = new Float64Array(a.length);
  const pace = (A.stride * A.period) / (B.stride * B.period);
  const late = (timeOf(A, 0) - timeOf(B, 0)) / (B.stride * B.period);
  for (let i = 0; i < a.length; i += 1) {
    values[i] = apply(a[i], interpolated(b, i * pace + late));
  }
  return { values, start: timeOf(A, 0), period: A.stride * A.period, unit: operation === "A×B" ? "V²" : "V" };
}

/** The value at a place between samples; before the first and behind the last, that one. */
export function interpolated(values, place) {
  const last = values.length - 1;
  if (place <= 0) return values[0];
  if (place >= last) return values[last];
  const index = Math.floor(place);
  const part = place - index;
  return values[index] * (1 - part) + values[index + 1] * part;
}

/** A mean over the last traces, as long as they are alike; the weight of each is one over their number, up to `most`. */
export class Average {
  constructor(most) {
    this.most = most;
    this.reset();
  }

  reset() {
    this.key = null;
    this.count = 0;
    this.means = {};
  }

  /** The trace with its samples replaced by their means. Traces that ended without a trigger cannot be laid over others. */
  add(trace) {
    const key = [trace.changes, trace.rate, ...Object.values(trace.channels).map((one) => `${one.name}${one.data.length}${one.bottom}${one.step}`)].join();
    if (key !== this.key || trace.ended !== "trigger") {
      this.reset();
      this.key = key;
      if (trace.ended !== "trigger") return trace;
    }
    this.count = Math.min(this.count + 1, this.most);
    const channels = { ...trace.channels };
    for (const name of ["A", "B"]) {
      const channel = trace.channels[name];
      if (!channel) continue;
      this.means[name] ??= new Float64Array(channel.data.length);
      const mean = this.means[name];
      for (let i = 0; i < mean.length; i += 1) mean[i] += (channel.data[i] - mean[i]) / this.count;
      channels[name] = { ...channel, data: Float64Array.from(mean) };
    }
    return { ...trace, channels, averaged: this.count };
  }
}

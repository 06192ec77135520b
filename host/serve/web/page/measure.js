// Readings: statistics, edges around a place, what can be measured. Pure functions.

import { elements, levelOf, timeOf, voltsOf } from "./frame.js";

/** What can be measured of an analog channel and of a line: name, words, unit, and where it is in the server's answer. */
export const ANALOG = [
  ["frequency", "Frequency", "Hz", (m) => m.wave?.frequency ?? m.edge_frequency],
  ["period", "Period", "s", (m) => m.wave?.period ?? (m.edge_frequency ? 1 / m.edge_frequency : null)],
  ["peak_to_peak", "Peak to peak", "V", (m) => m.peak_to_peak],
  ["mean", "Mean", "V", (m) => m.mean],
  ["rms", "RMS", "V", (m) => m.rms],
  ["ac_rms", "AC RMS", "V", (m) => m.ac_rms],
  ["max", "Maximum", "V", (m) => m.max],
  ["min", "Minimum", "V", (m) => m.min],
  ["top", "Top", "V", (m) => m.top],
  ["base", "Base", "V", (m) => m.base],
  ["amplitude", "Amplitude", "V", (m) => (m.top === null || m.base === null ? null : m.top - m.base)],
  ["overshoot", "Overshoot", "%", (m) => m.overshoot],
  ["undershoot", "Undershoot", "%", (m) => m.undershoot],
  ["rise_time", "Rise time", "s", (m) => m.rise_time],
  ["fall_time", "Fall time", "s", (m) => m.fall_time],
  ["duty", "Duty", "%", (m) => m.duty],
  ["rising_edges", "Rising edges", "", (m) => m.rising_edges],
  ["falling_edges", "Falling edges", "", (m) => m.falling_edges],
];
export const LOGIC = [
  ["frequency", "Frequency", "Hz", (m) => m.edge_frequency],
  ["period", "Period", "s", (m) => (m.edge_frequency ? 1 / m.edge_frequency : null)],
  ["duty", "Duty", "%", (m) => m.duty],
  ["high", "High", "%", (m) => m.high],
  ["rising_edges", "Rising edges", "", (m) => m.rising_edges],
  ["falling_edges", "Falling edges", "", (m) => m.falling_edges],
];
/** Of two channels: how much later the second is than the first. */
export const PAIR = [
  ["delay", "Delay", "s", (m) => m.delay],
  ["phase", "Phase", "°", (m) => m.phase_degrees],
];

export function kindsFor(channel) {
  if (channel.includes("→")) return PAIR;
  return channel.startsWith("L") ? LOGIC : ANALOG;
}

/** The value of a measurement in the server's answer; null if it is unknown. */
export function valueOf(measured, channel, name) {
  const kind = kindsFor(channel).find(([one]) => one === name);
  if (!kind || !measured) return null;
  const source = channel.includes("→")
    ? measured.delays?.find((pair) => `${pair.from}→${pair.to}` === channel)
    : measured.channels?.[channel];
  const value = source ? kind[3](source) : null;
  return Number.isFinite(value) ? value : null;
}

/** Count, mean, standard deviation and extremes of what was added; what is unknown does not count. */
export class Statistics {
  constructor() {
    this.reset();
  }

  reset() {
    Object.assign(this, { n: 0, mean: null, min: null, max: null, last: null, sum: 0 });
  }

  add(value) {
    this.last = value;
    if (value === null) return;
    this.n += 1;
    const before = this.mean ?? 0;
    this.mean = before + (value - before) / this.n;
    this.sum += (value - before) * (value - this.mean);
    this.min = Math.min(this.min ?? value, value);
    this.max = Math.max(this.max ?? value, value);
  }

  get deviation() {
    return this.n > 1 ? Math.sqrt(this.sum / (this.n - 1)) : null;
  }
}

/**
 * When a channel crosses the middle of its range, in seconds: of lines every change, of volts with a tenth of hysteresis. A
 * gap, in which it may have done so too, counts as one with `gap`.
 */
export function crossings(channel, line = null) {
  const times = [];
  const count = elements(channel);
  if (line !== null) {
    let before = levelOf(channel, line, 0);
    for (let i = 1; i < count; i += 1) {
      const now = levelOf(channel, line, i);
      const gap = now === -1 || before === -1;
      if (now !== before || now === 2) times.push({ time: timeOf(channel, i), rising: now === 1 || (now === 2 && before !== 1), gap });
      before = now;
    }
    return times;
  }
  let [low, high] = [Infinity, -Infinity];
  for (let i = 0; i < count; i += 1) {
    const [l, h] = voltsOf(channel, i);
    if (l < low) low = l;
    if (h > high) high = h;
  }
  const middle = (low + high) / 2;
  const slack = (high - low) / 20;
  if (high - low <= 2 * channel.step) return times;
  let state = 0;
  let last = null;
  for (let i = 0; i < count; i += 1) {
    const [l, h] = voltsOf(channel, i);
    const value = (l + h) / 2;
    const time = timeOf(channel, i);
    if (Number.isNaN(value)) {
      if (last !== null) times.push({ time, rising: false, gap: true });
      [state, last] = [0, null];
      continue;
    }
    const next = value > middle + slack ? 1 : value < middle - slack ? -1 : state;
    if (state !== 0 && next !== state) times.push({ time: between(last, [time, value], middle), rising: next > 0 });
    if (next !== state || (value - middle) * state > 0) last = [time, value];
    state = next;
  }
  return times;
}

/** When the line from one point to another is at a value. */
function between([t0, v0], [t1, v1], value) {
  return v1 === v0 ? t1 : t0 + ((value - v0) / (v1 - v0)) * (t1 - t0);
}

/** The pulse and the period around a time: edges before and after. Null where they are not on the screen. */
export function around(edges, time) {
  const after = edges.findIndex((edge) => edge.time > time);
  const next = after < 0 ? null : edges[after];
  const before = after < 0 ? edges[edges.length - 1] : edges[after - 1];
  if (!next || !before || next.gap || before.gap) return null;
  const [later, earlier] = [edges[after + 1], edges[after - 2]].map((edge) => (edge?.gap ? undefined : edge));
  const end = later ? [before.time, later.time] : earlier ? [earlier.time, next.time] : null;
  return { from: before.time, to: next.time, high: before.rising, width: next.time - before.time, period: end ? end[1] - end[0] : null };
}

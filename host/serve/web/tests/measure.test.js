import assert from "node:assert/strict";
import test from "node:test";

import { Average, combine, fft, peaks, spectrum } from "../page/dsp.js";
import { decode } from "../page/frame.js";
import * as masks from "../page/masks.js";
import { around, crossings, Statistics, valueOf } from "../page/measure.js";
import { analog, frame, sine } from "./traces.js";

const near = (actual, expected, slack, what = "") => assert.ok(Math.abs(actual - expected) <= slack, `${what} ${actual} is not ${expected} ± ${slack}`);

test("statistics are those of the textbook", () => {
  const s = new Statistics();
  for (const value of [2, 4, 4, 4, 5, 5, 7, 9, null]) s.add(value);
  assert.deepEqual([s.n, s.mean, s.min, s.max, s.last], [8, 5, 2, 9, null]);
  near(s.deviation, Math.sqrt(32 / 7), 1e-12);
  assert.equal(new Statistics().deviation, null);
});

test("what the server does not know is unknown", () => {
  const measured = { channels: { A: { wave: null, edge_frequency: null, top: null, base: 1 }, L0: { edge_frequency: 100 } }, delays: [{ from: "A", to: "B", delay: 1e-3, phase_degrees: 90 }] };
  assert.equal(valueOf(measured, "A", "frequency"), null);
  assert.equal(valueOf(measured, "A", "amplitude"), null);
  assert.equal(valueOf(measured, "L0", "period"), 0.01);
  assert.equal(valueOf(measured, "A→B", "phase"), 90);
  assert.equal(valueOf(measured, "B", "mean"), null);
  assert.equal(valueOf(null, "A", "mean"), null);
});

test("edges are found between samples", () => {
  const { A } = decode(frame({}, [analog("A", 4000, sine(1e3))])).channels;
  const found = crossings(A);
  assert.equal(found.length, 7);
  near(found[0].time, 500e-6, 1e-7);
  assert.deepEqual(found.slice(0, 2).map((edge) => edge.rising), [false, true]);
  const pulse = around(found, 1.2e-3);
  near(pulse.width, 500e-6, 2e-7);
  near(pulse.period, 1e-3, 2e-7);
  assert.equal(pulse.high, true);
  assert.equal(around(found, 0), null);
  assert.deepEqual(crossings(decode(frame({}, [analog("A", 100, () => 1)])).channels.A), []);
});

test("edges of a line are its changes", () => {
  const data = Uint8Array.from({ length: 100 }, (_, index) => (index % 20 < 5 ? 4 : 0));
  const { L } = decode(frame({}, [{ name: "L", kind: "logic", lines: 4, data }])).channels;
  const found = crossings(L, 2);
  near(found[0].time, 5e-6, 1e-12);
  const pulse = around(found, 22e-6);
  near(pulse.width, 5e-6, 1e-12);
  assert.equal(pulse.high, true);
  near(pulse.period, 20e-6, 1e-12);
});

test("the transform is that of its definition", () => {
  const n = 16;
  const signal = Array.from({ length: n }, (_, index) => Math.cos(index) + 0.3 * index);
  const re = Float64Array.from(signal);
  const im = new Float64Array(n);
  fft(re, im);
  for (let k = 0; k < n; k += 1) {
    let [a, b] = [0, 0];
    for (let i = 0; i < n; i += 1) {
      a += signal[i] * Math.cos((2 * Math.PI * k * i) / n);
      b -= signal[i] * Math.sin((2 * Math.PI * k * i) / n);
    }
    near(re[k], a, 1e-9);
    near(im[k], b, 1e-9);
  }
});

test("a sine of 1 V rms is 0 dBV at its frequency", () => {
  const samples = Float64Array.from({ length: 4096 }, (_, index) => 2.5 + Math.SQRT2 * Math.sin((2 * Math.PI * 100 * index) / 4096) + 0.01 * Math.SQRT2 * Math.sin((2 * Math.PI * 900 * index) / 4096));
  for (const window of ["hann", "flat top"]) {
    const [first, second] = peaks(spectrum(samples, 1 / 4096, window));
    near(first.db, 0, 0.02, window);
    near(first.hz, 100, 0.05, window);
    near(second.db, -40, 0.05, window);
    near(second.hz, 900, 0.05, window);
  }
  assert.equal(spectrum(new Float64Array(3), 1), null);
});

test("B is taken at the times of A", () => {
  // A ramp of 1 V per 100 us, sampled at other moments.
  const trace = decode(frame({}, [
    analog("A", 500, (index) => (index * 2e-6) * 1e4 / 10, { period: 2e-6 }),
    analog("B", 500, (index) => (index * 2e-6 + 1e-6) * 1e4 / 10, { period: 2e-6, start: 1e-6 }),
  ]));
  const difference = combine(trace, "A−B");
  // The first has no B before it.
  for (let i = 1; i < 500; i += 1) near(difference.values[i], 0, 1.1e-3, String(i));
  near(combine(trace, "A+B").values[250], 2 * 0.5, 2e-3);
  const product = combine(trace, "A×B");
  near(product.values[400], 0.8 * 0.8, 3e-3);
  assert.equal(product.unit, "V²");
  assert.equal(combine(decode(frame({}, [analog("A", 5, () => 0)])), "A+B"), null);
});

test("averages of traces with noise come near the signal, and begin anew with other settings", () => {
  const average = new Average(16);
  let seed = 1;
  const noise = () => {
    seed = (seed * 16807) % 2147483647;
    return (seed / 2147483647 - 0.5) * 0.4;
  };
  let mean;
  for (let i = 0; i < 64; i += 1) mean = average.add(decode(frame({}, [analog("A", 200, () => 1 + noise())])));
  assert.equal(mean.averaged, 16);
  const { A } = mean.channels;
  const off = Math.sqrt(A.data.reduce((sum, one) => sum + (A.bottom + A.step * one - 1) ** 2, 0) / A.data.length);
  // 0.4 V / sqrt(12) of one trace; an exponential mean of 16 leaves about 0.18 of it.
  assert.ok(off < 0.4 / Math.sqrt(12) / 4, String(off));
  assert.equal(average.add(decode(frame({ changes: 1 }, [analog("A", 200, () => 0)]))).averaged, 1);
  assert.equal(average.add(decode(frame({ changes: 1, ended: "auto" }, [analog("A", 200, () => 0)]))).averaged, undefined);
});

test("a mask passes what it was made from, and fails what leaves it", () => {
  const at = (offset, amplitude = 1) => decode(frame({ trigger: 0.5e-3 }, [analog("A", 1000, sine(2e3, amplitude, offset))]));
  const mask = masks.make(at(0), "A", 5e-6, 0.1);
  assert.deepEqual(masks.violations(mask, at(0)), []);
  assert.deepEqual(masks.violations(mask, at(0.09)), []);
  assert.ok(masks.violations(mask, at(0.3)).length > 500);
  const peak = masks.violations(mask, at(0, 1.3));
  assert.ok(peak.length > 0 && peak.length < 900, String(peak.length));
  assert.equal(masks.make(at(0), "B", 0, 0), null);
  assert.equal(masks.violations({ ...mask, name: "B" }, at(0)), null);
});

test("nothing is measured across a gap", () => {
  // Low, high, low, a gap, high, low: columns of one sample.
  const levels = [0, 0, 9, 9, 0, 0, null, 9, 9, 0, 0];
  const data = Uint16Array.from(levels.flatMap((level) => (level === null ? [65535, 0] : [level, level])));
  const { A } = decode(frame({}, [{ name: "A", kind: "volts", layout: "extremes", bottom: 0, step: 1, data, samples: 11, period: 1 }])).channels;
  const edges = crossings(A);
  assert.deepEqual(edges.map(({ rising, gap }) => (gap ? "gap" : rising)), [true, false, "gap", false]);
  near(around(edges, 2.5).width, 2, 1e-9, "the pulse before the gap");
  assert.equal(around(edges, 5), null);
  assert.equal(around(edges, 8), null);
  const mask = masks.make({ trigger: 0, channels: { A } }, "A", 0, 1);
  assert.deepEqual(masks.violations(mask, { trigger: 0, channels: { A } }), []);
});

import assert from "node:assert/strict";
import test from "node:test";

import { decode, elements, indexAt, levelOf, linesOf, pairs, reduce, timeOf, voltAt, volts, voltsOf } from "../page/frame.js";
import { decodePiece, isPiece, Roll, still } from "../page/roll.js";
import { analog, frame } from "./traces.js";

test("a frame is its header and arrays", () => {
  const trace = decode(frame({ seq: 7 }, [
    analog("A", 3, (index) => index),
    { name: "L", kind: "logic", lines: 0b101, data: Uint8Array.of(0, 1, 5, 4) },
  ]));
  assert.equal(trace.seq, 7);
  assert.deepEqual([...volts(trace.channels.A)].map((one) => Number(one.toFixed(6))), [0, 1, 2]);
  assert.deepEqual(linesOf(trace.channels.L), [0, 2]);
  assert.deepEqual([0, 1, 2, 3].map((index) => levelOf(trace.channels.L, 2, index)), [0, 0, 1, 1]);
});

test("the right edge of what rolled is now", () => {
  assert.equal(decode(frame({ ended: "roll", trigger: 0, duration: 2 }, [])).trigger, 2);
  assert.equal(decode(frame({ ended: "auto", trigger: 0.5, duration: 2 }, [])).trigger, 0.5);
});

test("columns have extremes", () => {
  const data = Uint16Array.of(5000, 6000, 4000, 4500);
  const { A } = decode(frame({}, [{ name: "A", kind: "volts", layout: "extremes", bottom: -5, step: 1e-3, first: 100, stride: 10, data }])).channels;
  assert.equal(elements(A), 2);
  assert.deepEqual(voltsOf(A, 0).map((one) => Number(one.toFixed(6))), [0, 1]);
  assert.ok(Math.abs(timeOf(A, 1) - 110e-6) < 1e-12);
  assert.equal(indexAt(A, 109e-6), 0);
  assert.equal(indexAt(A, 111e-6), 1);
  assert.ok(Math.abs(voltAt(A, 115e-6) + 0.75) < 1e-9);
  const { L } = decode(frame({}, [{ name: "L", kind: "logic", layout: "extremes", lines: 3, data: Uint8Array.of(1, 3, 0, 0) }])).channels;
  assert.deepEqual([levelOf(L, 0, 0), levelOf(L, 1, 0), levelOf(L, 0, 1)], [1, 2, 0]);
});

test("what is no frame is refused", () => {
  const good = frame({}, [analog("A", 100, () => 0)]);
  for (const length of [0, 4, 7, 20, good.byteLength - 4]) assert.throws(() => decode(good.slice(0, length)), Error, String(length));
  const other = good.slice(0);
  new Uint8Array(other)[3] = 0x32;
  assert.throws(() => decode(other), /version/);
});

test("reducing keeps every extreme", () => {
  const values = Float64Array.from({ length: 1000 }, (_, index) => (index === 537 ? 9 : index === 12 ? -9 : 0));
  const { low, high } = reduce(values, 0, 0.1, 100);
  assert.equal(high[53], 9);
  assert.equal(low[1], -9);
  assert.equal([...high].filter((one) => one === 9).length, 1);
  // What lies outside is left out, and what has no sample is none.
  const shifted = reduce(values, 50, 0.01, 100);
  assert.ok(Number.isNaN(shifted.low[49]) && shifted.low[50] === -9 && Number.isNaN(shifted.low[60]));
});

test("the second of two channels that are sampled in turns is interpolated at the times of the first", () => {
  const channel = (start, data) => ({ start, period: 2, first: 0, stride: 1, extremes: false, bottom: 0, step: 0.5, data });
  const a = channel(0, [0, 4, 8, 12]);
  const b = channel(1, [2, 6, 10, 14]);
  // Both are the ramp of 1 V a second: B over A is a diagonal.
  assert.deepEqual(pairs(a, b), [[2, 2], [4, 4], [6, 6]]);
  assert.deepEqual(pairs(a, a), [[0, 0], [2, 2], [4, 4], [6, 6]]);
});

/** A piece of columns of A, lowest and highest in turns, from a number on. */
function piece(first, extremes, roll = 1) {
  const data = Uint16Array.from(extremes);
  const buffer = frame({ roll, first, count: extremes.length / 2, columns: 4, period: 0.5, seen: 1, gaps: 0, lost: 0, changes: 3 },
    [{ name: "A", kind: "volts", layout: "extremes", bottom: 0, step: 1, stride: 10, period: 0.05, data }]);
  new Uint8Array(buffer).set(new TextEncoder().encode("STP1"));
  return buffer;
}

test("pieces are joined, and only a screen of them is kept", () => {
  const first = decodePiece(piece(0, [1, 2, 3, 4]));
  const roll = new Roll(first);
  roll.add(first);
  roll.add(decodePiece(piece(2, [5, 6])));
  const trace = roll.trace();
  assert.deepEqual(Array.from(trace.channels.A.data), [1, 2, 3, 4, 5, 6]);
  assert.deepEqual([trace.duration, trace.trigger, trace.ended], [1.5, 1.5, "roll"]);
  assert.equal(timeOf(trace.channels.A, 2), 1);
  const kept = still(trace);
  for (let next = 3; next < 100; next += 3) roll.add(decodePiece(piece(next, [next, next, next + 1, next + 1, next + 2, next + 2])));
  assert.deepEqual(Array.from(roll.trace().channels.A.data), [98, 98, 99, 99, 100, 100, 101, 101]);
  assert.deepEqual(Array.from(kept.channels.A.data), [1, 2, 3, 4, 5, 6]);
});

test("columns that did not come are empty, and neither drawn nor measured", () => {
  const first = decodePiece(piece(0, [1, 2]));
  const roll = new Roll(first);
  roll.add(first);
  roll.add(decodePiece(piece(2, [3, 4])));
  const { A } = roll.trace().channels;
  assert.deepEqual([0, 1, 2].map((index) => voltsOf(A, index)), [[1, 2], [NaN, NaN], [3, 4]]);
  assert.ok(Number.isNaN(volts(A)[1]));
  // Of a screen that was missed nothing is left.
  roll.add(decodePiece(piece(50, [7, 8])));
  assert.deepEqual(Array.from(roll.trace().channels.A.data), [7, 8]);
});

test("what is no piece is refused", () => {
  assert.equal(isPiece(frame({}, [])), false);
  const whole = piece(0, [1, 2]);
  assert.equal(isPiece(whole), true);
  for (const length of [12, whole.byteLength - 1]) assert.throws(() => decodePiece(whole.slice(0, length)), /cut off|JSON/);
});

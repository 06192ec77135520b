import assert from "node:assert/strict";
import test from "node:test";

import { format, parse, short, step125 } from "../page/units.js";

test("values have the prefix that leaves one to three digits before the point", () => {
  for (const [value, unit, expected] of [
    [0.001234, "V", "1.23 mV"], [999.9996, "Hz", "1.00 kHz"], [-0.5, "V", "-500 mV"], [0, "s", "0 s"],
    [12345678, "Hz", "12.3 MHz"], [2.5e-8, "s", "25.0 ns"], [0.1234, "%", "12.3 %"], [90, "°", "90.0 °"],
    [null, "V", "—"], [NaN, "V", "—"], [Infinity, "V", "—"], [3, "", "3.00"],
  ]) assert.equal(format(value, unit), expected, `${value} ${unit}`);
});

test("what is written is read", () => {
  for (const [text, unit, expected] of [
    ["2.5mV", "V", 2.5e-3], ["1 kHz", "Hz", 1e3], ["10", "V", 10], ["-.5", "V", -0.5], ["1e-3s", "s", 1e-3], ["3us", "s", 3e-6],
    ["5 µs", "s", 5e-6], ["50%", "%", 0.5], ["50", "%", 0.5], ["1 ms/div", "s", 1e-3], ["1,5 V", "V", 1.5], ["2M", "Hz", 2e6],
  ]) assert.ok(Math.abs(parse(text, unit) / expected - 1) < 1e-12, `${text}: ${parse(text, unit)}`);
  for (const [text, unit] of [["", "V"], ["x", "V"], ["5 s", "V"], ["5 Q", ""], ["1..2", "V"]]) assert.ok(Number.isNaN(parse(text, unit)), text);
});

test("knobs read back what they show", () => {
  for (const value of [1e-9, 2e-9, 5e-6, 1e-3, 0.02, 0.5, 1, 5, 20, 100]) {
    assert.ok(Math.abs(parse(short(value, "s"), "s") / value - 1) < 1e-9, short(value, "s"));
  }
  assert.equal(short(0.5, "V"), "500 mV");
  assert.equal(short(1, "V"), "1 V");
});

test("steps are 1, 2, 5", () => {
  let value = 1e-3;
  const up = [];
  for (let i = 0; i < 6; i += 1) up.push((value = step125(value, 1, 1e-3, 5)));
  assert.deepEqual(up, [2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1]);
  for (let i = 0; i < 9; i += 1) value = step125(value, -1, 1e-3, 5);
  assert.equal(value, 1e-3);
  assert.equal(step125(5, 1, 1e-3, 5), 5);
  assert.equal(step125(0.7, 1, 1e-3, 5), 1);
  assert.equal(step125(0.7, -1, 1e-3, 5), 0.5);
});

import assert from "node:assert/strict";
import test from "node:test";

import { decode } from "../page/frame.js";
import { actionFor, KEYS } from "../page/keys.js";
import { Geometry, points, Screen } from "../page/screen.js";
import { DEFAULTS, fromLink, merged, toLink, viewOf } from "../page/store.js";
import { analog, frame } from "./traces.js";

const SETTINGS = {
  channels: { A: { on: true, volts_per_div: 0.5, middle: 1 }, B: { on: false, volts_per_div: 1, middle: 0 } },
  time_per_div: 1e-3, position: 0.25, trigger: { source: "A", level: 1 },
};
const LIMITS = { horizontal_divisions: 10, vertical_divisions: 8 };
const geometry = (view = {}, lines = []) => new Geometry(1000, 400, SETTINGS, LIMITS, { ...DEFAULTS, ...view }, lines);

test("seconds and volts are where the divisions say", () => {
  const g = geometry();
  assert.equal(g.x(0), 250);
  assert.ok(Math.abs(g.x(1e-3) - 350) < 1e-9);
  assert.equal(g.y("A", 1), 200);
  assert.equal(g.y("A", 1.5), 150);
  for (const x of [0, 123, 999]) assert.ok(Math.abs(g.x(g.time(x)) - x) < 1e-9);
  for (const y of [0, 123, 399]) assert.ok(Math.abs(g.y("A", g.volts("A", y)) - y) < 1e-9);
});

test("a zoom shows a part, and asks for that part of the trace", () => {
  const g = geometry({ zoom: { from: 0.25, to: 0.35 } });
  assert.ok(Math.abs(g.x(0)) < 1e-9);
  assert.ok(Math.abs(g.x(1e-3) - 1000) < 1e-6);
  const { from, to } = g.part(10e-3, 2.5e-3);
  assert.ok(Math.abs(from - 0.25) < 1e-9 && Math.abs(to - 0.35) < 1e-9);
});

test("lanes of lines lie under the volts, one beside the other", () => {
  const g = geometry({}, [0, 3, 5]);
  assert.equal(g.bottom + 3 * 26, 400);
  assert.equal(g.lane(3).top, g.bottom + 26);
  // However many there are, the volts keep more than half.
  assert.ok(new Geometry(1000, 200, SETTINGS, LIMITS, DEFAULTS, [0, 1, 2, 3, 4, 5, 6, 7]).bottom >= 110);
});

test("a line is drawn through every sample, or through the extremes of each pixel", () => {
  const g = geometry();
  const few = decode(frame({ trigger: 2.5e-3 }, [analog("A", 11, (index) => index / 10, { period: 1e-3 })]));
  const { all } = points(few.channels.A, null, g, few.trigger, (value) => g.y("A", value));
  assert.equal(all.length, 22);
  assert.ok(Math.abs(all[2] - 100) < 1e-6 && Math.abs(all[3] - g.y("A", 0.1)) < 1e-6);
  const many = decode(frame({ trigger: 2.5e-3 }, [analog("A", 10000, (index) => (index === 5005 ? 3 : 1))]));
  const spike = points(many.channels.A, null, g, many.trigger, (value) => g.y("A", value)).all;
  assert.ok(spike.length <= 4 * 1001);
  const tops = spike.filter((value, index) => index % 2 === 1 && Math.abs(value - g.y("A", 3)) < 0.1);
  assert.equal(tops.length, 1);
});

test("X-Y draws no line across a gap", () => {
  let path = [];
  let last = null;
  const context = {
    beginPath() { path = []; },
    moveTo(...to) { path.push(["move", ...to]); },
    lineTo(...to) { path.push(["line", ...to]); },
    stroke() { last = path; },
    fillText() {},
  };
  // Three columns, none, and two more: with the interpolation of B two pairs before the gap, and two behind it.
  const channel = (name) => ({ name, kind: "volts", layout: "extremes", bottom: 0, step: 1, stride: 10, data: Uint16Array.of(0, 0, 1, 1, 2, 2, 65535, 0, 4, 4, 5, 5) });
  const trace = decode(frame({}, [channel("A"), channel("B")]));
  Screen.prototype.drawXY(context, { geometry: geometry(), trace, colours: {} });
  // What has no numbers is left out by a canvas.
  const drawn = last.filter(([, x, y]) => !Number.isNaN(x + y));
  assert.deepEqual(drawn.map(([kind]) => kind), ["move", "line", "move", "line"]);
});

test("each key has one action, and none is taken from a field", () => {
  assert.equal(new Set(KEYS.map(([key]) => key)).size, KEYS.length);
  const press = (key, target = {}) => actionFor({ key, target, ctrlKey: false, metaKey: false, altKey: false });
  for (const [key, , , action] of KEYS) assert.equal(press(key), action, key);
  assert.equal(press("S"), "single");
  assert.equal(press("s", { tagName: "INPUT" }), null);
  assert.equal(press(" ", { tagName: "BUTTON" }), null);
  assert.equal(actionFor({ key: "s", ctrlKey: true, target: {} }), null);
});

test("a link carries settings and view, and a broken one nothing", () => {
  const view = { ...DEFAULTS, averages: 16, zoom: { from: 0.1, to: 0.2 } };
  const carried = fromLink(toLink(SETTINGS, view));
  assert.deepEqual(carried.settings, SETTINGS);
  assert.deepEqual(carried.view, view);
  for (const text of ["", "%%%", "e30", "bm90IGpzb24"]) assert.ok(fromLink(text) === null || fromLink(text).settings === null, text);
  assert.equal(merged(DEFAULTS, { averages: "many", theme: 7 }).averages, 1);
});

test("a view that cannot be shown becomes one that can", () => {
  for (const zoom of [{ from: 0.5, to: 0.5 }, { from: 0.9, to: 0.1 }, { from: -1, to: 1 }, { from: 0, to: 2 }, { from: "a", to: null }]) {
    assert.deepEqual(viewOf({ zoom }).zoom, DEFAULTS.zoom, JSON.stringify(zoom));
  }
  const view = viewOf({ cursors: { channel: "Z", t1: 0.1 }, mask: { channel: 7 }, measurements: [null, {}, { channel: "A", name: "mean" }, { channel: 1, name: 2 }] });
  assert.deepEqual([view.cursors.channel, view.cursors.t1, view.mask.channel], ["A", 0.1, "A"]);
  assert.deepEqual(view.measurements, [{ channel: "A", name: "mean" }]);
  const zoom = { from: 0.3, to: 0.3 + 1e-4 };
  assert.deepEqual(viewOf({ zoom, cursors: { channel: "B" } }), { ...DEFAULTS, zoom, cursors: { ...DEFAULTS.cursors, channel: "B" } });
});

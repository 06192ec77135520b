// The page in a real browser, on a simulated BitScope: each knob changes what the device is programmed with, and the picture
// shows the signal that was put in.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";

import { axePath, bench, home, launch, start, startIn, stop, until } from "./support.js";

const SIGNALS = [
  "A=sine,1kHz,-2..2V", "B=triangle,500Hz,-1..3V", "L0=square,2kHz", "L1=square,500Hz", "L2=square,4kHz",
  "L3=square,2.5kHz", "L4=uart,9600,text=Hi", "L5=square,5kHz",
];
/** Volts that the whole of a converter's or comparator's register spans, by the reference of the device. */
const INPUT_SPAN_V = 18.333;

let b;
let browser;
let page;
const problems = [];

before(async () => {
  [b, browser] = await Promise.all([bench(SIGNALS), launch()]);
  page = await open(b.link);
  await page.waitForFunction(() => window.scopething?.trace);
});

after(async () => {
  await browser?.close();
  await b?.close();
});

async function open(link, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1360, height: 820 }, colorScheme: "dark", ...options });
  const one = await context.newPage();
  one.on("console", (message) => { if (message.type() === "error") problems.push(message.text()); });
  one.on("pageerror", (error) => problems.push(error.message));
  const home = new URL(link).origin;
  one.on("request", (request) => {
    const { origin, protocol } = new URL(request.url());
    if (origin !== home && protocol !== "blob:" && !request.url().startsWith(home.replace("http", "ws"))) problems.push(`a request to ${request.url()}`);
  });
  await one.goto(link);
  return one;
}

/** Gives the settings that the tests begin with, and waits for a trace of them. */
async function settle(settings = {}) {
  await page.evaluate((more) => {
    const { scopething } = window;
    // The end of a drag of the test before.
    scopething.flush();
    scopething.look({ zoom: { from: 0, to: 1 }, averages: 1, persistence: "off", math: "off", spectrum: "off", xy: false, cursors: { ...scopething.view.cursors, time: false, volts: false } });
    scopething.backToLive();
    return scopething.transport.command({
      type: "set",
      settings: {
        channels: { A: { on: true, volts_per_div: 1, middle: 0, probe: 1 }, B: { on: true, volts_per_div: 1, middle: 0, probe: 1 } },
        lines: ["L"], time_per_div: 500e-6, position: 0.5, bits: 16, samples: 0, roll: "auto",
        trigger: { source: "A", type: "rising", level: 0, hair: false, mode: "auto", hold_off: 0 },
      },
    }).then(() => scopething.transport.command({ type: "set", settings: more })).then(() => scopething.transport.command({ type: "run", run: "run" }));
  }, settings);
  await fresh();
}

/** Waits until the page shows a new trace that was captured with the present settings. */
async function fresh(one = page) {
  const seq = await one.evaluate(() => window.scopething.trace?.seq ?? 0);
  await one.waitForFunction((before) => {
    const { trace, state } = window.scopething;
    return trace?.seq > before && trace.changes === state.changes;
  }, seq);
}

const knob = (label) => page.getByRole("textbox", { name: label, exact: true });

async function type(label, text) {
  await knob(label).fill(text);
  await knob(label).press("Enter");
}

const settings = () => page.evaluate(() => window.scopething.state.settings);
const trace = (work, argument) => page.evaluate(`(${work})(window.scopething.trace, ${JSON.stringify(argument ?? null)})`);

/** The heights of the pixels of a channel's colour in a column of the picture, from the top, in pixels. */
function drawn(name, columns) {
  return page.evaluate(({ name, columns }) => {
    const canvas = document.getElementById("screen");
    const copy = document.createElement("canvas");
    [copy.width, copy.height] = [canvas.width, canvas.height];
    const context = copy.getContext("2d", { willReadFrequently: true });
    context.drawImage(canvas, 0, 0);
    const colour = getComputedStyle(document.body).getPropertyValue(`--c-${name}`).trim();
    const wanted = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
    return columns.map((x) => {
      const { data } = context.getImageData(x, 0, 1, copy.height);
      const rows = [];
      for (let y = 0; y < copy.height; y += 1) {
        if (wanted.every((part, index) => Math.abs(data[4 * y + index] - part) < 60)) rows.push(y);
      }
      return rows.length ? (rows[0] + rows[rows.length - 1]) / 2 : null;
    });
  }, { name, columns });
}

test("the picture shows the signal that was put in", async () => {
  await settle({ channels: { A: { on: true }, B: { on: false } }, lines: [], trigger: { source: "A", level: 1, mode: "normal" } });
  const place = await page.evaluate(() => {
    const g = window.scopething.geometry();
    return { width: g.width, bottom: g.bottom, span: g.span, rows: g.rows };
  });
  const columns = Array.from({ length: 40 }, (_, index) => Math.round(30 + (index * (place.width - 60)) / 40));
  const heights = await drawn("A", columns);
  let compared = 0;
  columns.forEach((x, index) => {
    if (heights[index] === null) return;
    // A rises through 1 V in the middle of the screen: 2 V sin(phase) = 1 V at 30 degrees.
    const time = (x / place.width - 0.5) * place.span;
    const volts = 2 * Math.sin(2 * Math.PI * 1e3 * time + Math.PI / 6);
    const steepness = Math.abs(Math.cos(2 * Math.PI * 1e3 * time + Math.PI / 6));
    const expected = place.bottom / 2 - volts * (place.bottom / place.rows);
    // A pixel across is some pixels up where the sine is steep.
    assert.ok(Math.abs(heights[index] - expected) <= 3 + 8 * steepness, `at ${x}: ${heights[index]} instead of ${expected}`);
    compared += 1;
  });
  assert.ok(compared >= 35, `${compared} columns have the trace`);
});

test("logic lines are the square waves that were put in", async () => {
  await settle({ trigger: { source: "L1=1", type: "rising", mode: "normal" } });
  const edges = await trace(`(trace) => {
    const { L } = trace.channels;
    // Of each column, 6 us wide: what is high all the time, and what is high at any time.
    const at = (i) => L.start + (L.first + i * L.stride) * L.period - trace.trigger;
    const any = (i, line) => (L.data[2 * i + 1] >> line) & 1;
    return [0, 1, 2].map((line) => {
      const found = [];
      for (let i = 1; i < L.data.length / 2; i += 1) if (any(i, line) > any(i - 1, line)) found.push(at(i));
      return found;
    });
  }`);
  for (const [line, hertz] of [[0, 2000], [1, 500], [2, 4000]]) {
    assert.ok(edges[line].length >= 3, `${edges[line]}`);
    for (const time of edges[line]) {
      const periods = time * hertz;
      assert.ok(Math.abs(periods - Math.round(periods)) <= 8e-6 * hertz, `L${line} rises at ${time}`);
    }
  }
});

/** Each knob: what is done with it, and what the registers of the device must then be. */
const total = (r) => (r.TraceIntro + r.TraceOutro) * r.ClockTicks * Math.max(1, r.ClockScale) * 25e-9;
const within = (value, expected, part) => Math.abs(value / expected - 1) <= part || `${value} instead of ${expected}`;
const KNOBS = [
  ["time/div", {}, () => type("Time/div", "1ms"), (r) => within(total(r), 12e-3, 0.01)],
  ["time/div by a button", {}, () => page.getByRole("button", { name: "Time/div: more" }).click(), (r) => within(total(r), 12e-3, 0.01)],
  ["time/div by a key", {}, () => page.keyboard.press("ArrowLeft"), (r) => within(total(r), 2.4e-3, 0.02)],
  ["trigger position", {}, () => type("Trigger position", "20%"), (r) => within(r.TraceIntro / (r.TraceIntro + r.TraceOutro), 0.2, 0.02)],
  ["trigger position by a handle", {}, async () => drag("position", -200, 0), (r) => r.TraceIntro / (r.TraceIntro + r.TraceOutro) < 0.35 || r],
  ["trigger level", {}, () => type("Level", "1.5V"), (r, was) => within(r.TriggerLevel - was.TriggerLevel, (1.5 / INPUT_SPAN_V) * 65536, 0.02)],
  ["trigger level by a handle", {}, async () => drag("level", 0, -60), (r, was) => r.TriggerLevel > was.TriggerLevel + 1000 || r],
  ["level to 50 %", { trigger: { level: -1.8 } }, () => page.getByRole("button", { name: "Level to 50 %" }).click(), (r, was) => within(r.TriggerLevel - was.TriggerLevel, (1.8 / INPUT_SPAN_V) * 65536, 0.03)],
  ["trigger source B", {}, () => radio("Source", "B"), (r) => (r.SpockOption & 0x04) !== 0 || r],
  ["falling", {}, () => radio("When", "Falling"), (r) => (r.SpockOption & 0x40) !== 0 || r],
  ["above", {}, () => radio("When", "Above"), (r) => r.TriggerIntro === 0 || r],
  ["below", {}, () => radio("When", "Below"), (r) => (r.TriggerIntro === 0 && (r.SpockOption & 0x40) !== 0) || r],
  ["hair trigger", {}, () => page.getByRole("button", { name: "Hair trigger" }).click(), (r, was) => r.TriggerIntro * 2 === was.TriggerIntro || r],
  ["a pattern", { trigger: { source: "L0=1" } }, async () => {
    await page.getByRole("button", { name: "Trigger when L3 is anything" }).click();
    await page.getByRole("button", { name: "Trigger when L5 is anything" }).click();
    await page.getByRole("button", { name: "Trigger when L5 is high" }).click();
  }, (r) => ((r.TriggerMask & 0x3f) === (0xff & ~0x29 & 0x3f) && (r.TriggerLogic & 0x29) === 0x09) || r],
  ["volts/div", { channels: { B: { on: false } } }, () => type("Volts/div of A", "500mV"), (r, was) => within((r.ConverterHi - r.ConverterLo) / (was.ConverterHi - was.ConverterLo), 0.5, 0.15)],
  ["volts/div by a key", { channels: { B: { on: false } } }, () => page.keyboard.press("ArrowUp"), (r, was) => r.ConverterHi - r.ConverterLo > 1.4 * (was.ConverterHi - was.ConverterLo) || r],
  ["middle", { channels: { B: { on: false } } }, () => type("Middle of A", "1V"), (r, was) => (r.ConverterLo > was.ConverterLo && r.ConverterHi > was.ConverterHi) || r],
  ["middle by a handle", { channels: { B: { on: false } } }, async () => drag("zero-A", 0, 80), (r, was) => (r.ConverterLo > was.ConverterLo + 500) || r],
  ["a probe", { channels: { A: { volts_per_div: 1 }, B: { on: false } } }, () => page.getByLabel("Probe of A").selectOption("10"), () => true],
  ["channel B off", {}, () => page.getByRole("button", { name: "Channel B on" }).click(), (r) => (r.AnalogEnable & 3) === 1 || r],
  ["channel A off", { trigger: { source: "B" } }, () => page.keyboard.press("1"), (r) => (r.AnalogEnable & 3) === 2 || r],
  ["no lines", {}, () => page.getByRole("button", { name: "None" }).click(), (r, was) => (r.TraceMode !== was.TraceMode && r.DigitalEnable === 0) || r],
  ["one line less", {}, () => page.getByRole("button", { name: "Line L2 on" }).click(), async () => !(await settings()).lines.includes("L2")],
  ["8 bits", { channels: { B: { on: false } }, lines: [], time_per_div: 2e-3 }, () => radio("Bits", "8, faster"), (r, was) => r.TraceMode !== was.TraceMode || r],
];

async function radio(group, name) {
  await page.getByRole("radiogroup", { name: group }).getByRole("radio", { name, exact: true }).click();
}

async function drag(handle, dx, dy) {
  const box = await page.locator(`[data-handle="${handle}"]`).boundingBox();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x + dx / 2, y + dy / 2, { steps: 3 });
  await page.mouse.move(x + dx, y + dy, { steps: 3 });
  await page.mouse.up();
}

test("each knob changes what the device is programmed with", async (t) => {
  await page.getByRole("tab", { name: "Scope" }).click();
  for (const [name, begin, turn, expected] of KNOBS) {
    await t.test(name, async () => {
      await settle(begin);
      await page.locator("body").press("Escape");
      const was = b.registers.all();
      await turn();
      await until(name, () => expected(b.registers.all(), was));
    });
  }
});

test("a probe multiplies what is shown, and not what is captured", async () => {
  await settle({ channels: { A: { on: true, volts_per_div: 1 }, B: { on: false } }, lines: [] });
  const was = b.registers.all();
  await page.getByLabel("Probe of A").selectOption("10");
  await until("ten times the volts", async () => {
    const top = await trace("(trace) => { const { A } = trace.channels; return A.bottom + A.step * Math.max(...A.data); }");
    return Math.abs(top - 20) < 0.5 || top;
  });
  assert.equal((await settings()).channels.A.volts_per_div, 10);
  assert.deepEqual([b.registers.get("ConverterLo"), b.registers.get("ConverterHi")], [was.ConverterLo, was.ConverterHi]);
});

test("run, stop, single and force", async () => {
  await settle();
  await page.getByRole("button", { name: "Stop", exact: true }).click();
  await page.getByText("Stopped", { exact: true }).waitFor();
  const traces = b.registers.traces;
  // Some ten traces would take that long: that there are none cannot be waited for.
  await page.waitForTimeout(300);
  assert.equal(b.registers.traces, traces, "the device captures though it is stopped");
  await page.getByRole("button", { name: "Single" }).click();
  await until("one trace", () => b.registers.traces === traces + 1 || b.registers.traces);
  await page.getByText("Stopped", { exact: true }).waitFor();
  // A level that is never reached: it shows what it waits for, and Force ends that.
  await page.evaluate(() => window.scopething.set({ trigger: { level: 3.5, mode: "normal" } }));
  const seq = await page.evaluate(() => window.scopething.trace.seq);
  await page.getByRole("button", { name: "Single" }).click();
  await page.getByText("Waiting for A to rise through 3.500 V", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Force" }).click();
  await page.waitForFunction((before) => window.scopething.trace.seq > before, seq);
  assert.equal(await page.locator("#fig-ended").textContent(), "forced");
  await page.evaluate(() => window.scopething.set({ trigger: { mode: "auto" } }));
  await page.locator("#panel").focus();
  await page.keyboard.press("Space");
  await page.waitForFunction(() => window.scopething.trace.ended === "auto");
});

test("the time that is seen and the dead time are those of the device's clock", async () => {
  await settle();
  await until("figures", async () => {
    const seen = await page.locator("#fig-seen").textContent();
    return /^\d.* %$/.test(seen) || seen;
  });
  const { seen, dead, duration } = await trace("({ seen, dead, duration }) => ({ seen, dead, duration })");
  assert.ok(dead > 0 && seen > 0 && seen < 1, `${seen} ${dead}`);
  assert.ok(Math.abs(duration / (duration + dead) / seen - 1) < 0.05, `${seen} ${dead} ${duration}`);
  // Hold-off keeps the device from the next trace for so long.
  await page.getByRole("tab", { name: "Scope" }).click();
  await type("Hold-off", "200ms");
  await until("a trace behind the hold-off", () => trace("({ dead, changes }) => changes === window.scopething.state.changes && dead !== null && (dead >= 0.2 || dead)"));
  assert.equal((await settings()).trigger.hold_off, 0.2);
});

test("autoset shows what is there", async () => {
  await settle({ channels: { A: { volts_per_div: 5, middle: 9 }, B: { on: false } }, time_per_div: 1e-6, trigger: { level: 9 } });
  await page.getByRole("button", { name: "Autoset" }).click();
  await until("settings that show A", async () => {
    const { channels, time_per_div: time } = await settings();
    return (channels.A.on && channels.B.on && channels.A.volts_per_div <= 1 && time >= 100e-6 && time <= 500e-6) || { channels, time };
  });
  await fresh();
  assert.equal(await trace("(trace) => trace.ended"), "trigger");
});

test("measurements are those of the signal, with statistics", async () => {
  await settle();
  await page.getByRole("tab", { name: "Measure" }).click();
  await page.getByRole("button", { name: "Remove all" }).click();
  const expected = [["A", "Frequency", 1e3, 2], ["A", "Peak to peak", 4, 0.05], ["B", "Mean", 1, 0.05], ["L0", "Duty", 0.5, 0.01], ["L3", "Frequency", 2500, 10]];
  for (const [channel, what] of expected) {
    await page.locator("#panel-measure").getByLabel("Channel", { exact: true }).selectOption(channel);
    await page.locator("#panel-measure").getByLabel("What").selectOption({ label: what });
    await page.getByRole("button", { name: "Add" }).click();
  }
  await until("three of each", () => page.evaluate(() => {
    const all = [...window.scopething.statistics.values()];
    return (all.length === 5 && all.every((one) => one.n >= 3)) || all.map((one) => one.n);
  }));
  const found = await page.evaluate(() => window.scopething.view.measurements.map((one) => window.scopething.statistics.get(`${one.channel}.${one.name}`).mean));
  expected.forEach(([channel, what, value, slack], index) => assert.ok(Math.abs(found[index] - value) <= slack, `${channel} ${what}: ${found[index]}`));
  assert.match(await page.locator('[data-measurement="A.frequency"] .now').textContent(), /^(1\.00\d kHz|99\d\.\d Hz)$/);
});

test("cursors read seconds and volts", async () => {
  await settle();
  await page.getByRole("tab", { name: "Measure" }).click();
  await page.getByRole("button", { name: "Time cursors" }).click();
  await page.getByRole("button", { name: "Voltage cursors" }).click();
  const before = await page.locator("#cursor-readout").textContent();
  // A quarter and three quarters of 12 divisions of 500 us.
  assert.match(before, /Δt 3\.000 ms, 1\/Δt 333\.3 Hz/);
  await drag("t1", 100, 0);
  await page.locator('[data-handle="v1"]').press("ArrowUp");
  const later = await page.locator("#cursor-readout").textContent();
  assert.notEqual(later, before);
  assert.match(later, /ΔV -/);
});

test("hovering measures from edge to edge", async () => {
  await settle();
  const place = await page.evaluate(() => {
    const g = window.scopething.geometry();
    return [g.x(0.3e-3), g.y("A", 2 * Math.sin(2 * Math.PI * 0.3)), g.lane(3).top + g.lane(3).height / 2];
  });
  const box = await page.locator("#screen").boundingBox();
  await page.mouse.move(box.x + place[0], box.y + place[1]);
  // To the pixel, which is 6 us wide.
  await page.getByText(/A high (49|50)\d\.?\d* µs, period (1\.00\d ms|99\d\.\d µs)/).waitFor();
  await page.mouse.move(box.x + place[0], box.y + place[2]);
  await page.getByText(/L3 (high|low) (19|20)\d\.?\d* µs/).waitFor();
  await page.mouse.move(5, 5);
});

test("spectrum, math, X-Y, averages and persistence", async () => {
  await settle({ lines: [] });
  const shot = async () => (await page.locator("#screen").screenshot()).toString("base64");
  await page.getByRole("tab", { name: "Analyse" }).click();
  await radio("Of", "A");
  await until("every sample", () => trace("(trace) => trace.channels.A.layout === 'samples' && trace.channels.A.data.length > 2000"));
  const peak = await page.evaluate(async () => {
    const { spectrum, peaks } = await import("/dsp.js");
    const { volts } = await import("/frame.js");
    const { A } = window.scopething.trace.channels;
    return peaks(spectrum(volts(A), A.period, "hann"), 1)[0];
  });
  // 2 V are 3.01 dBV.
  assert.ok(Math.abs(peak.hz - 1000) < 30 && Math.abs(peak.db - 3.01) < 1.5, JSON.stringify(peak));
  await page.getByLabel("Math", { exact: true }).selectOption("A−B");
  await page.getByText("A−B", { exact: true }).first().waitFor();
  await page.getByRole("button", { name: "X-Y" }).click();
  const xy = await shot();
  await page.getByRole("button", { name: "X-Y" }).click();
  assert.notEqual(xy, await shot());
  await page.getByRole("tab", { name: "Scope" }).click();
  await radio("Average", "16");
  await page.getByText(/^mean of \d+$/).waitFor();
  await radio("Average", "Off");
  await radio("Persist", "Infinite");
  await fresh();
  await radio("Persist", "Off");
});

test("averages that are switched off leave the last trace, also of one that is stopped", async () => {
  await settle();
  await page.getByRole("tab", { name: "Scope" }).click();
  await radio("Average", "16");
  await page.getByText(/^mean of \d+$/).waitFor();
  await page.getByRole("button", { name: "Stop", exact: true }).click();
  await page.getByText("Stopped", { exact: true }).waitFor();
  await radio("Average", "Off");
  await page.getByText(/^mean of \d+$/).waitFor({ state: "detached" });
  assert.equal(await trace("(trace) => trace.averaged ?? null"), null);
});

test("another time base shows all of its traces", async () => {
  for (const division of [2e-3, 200e-6, 0.1, 500e-6]) {
    await settle({ time_per_div: division, lines: ["L1"] });
    // Not the part that the time base before would have shown.
    await until(`all of ${division} s/div`, () => page.evaluate(() => {
      const { trace } = window.scopething;
      const g = window.scopething.geometry();
      const ends = Object.values(trace.channels).map((one) => {
        const count = one.data.length / (one.extremes ? 2 : 1);
        return [0, count].map((index) => Math.round(g.x(one.start + (one.first + index * one.stride) * one.period - trace.trigger)));
      });
      const isWhole = ends.every(([from, to]) => from < 20 && to > g.width - 20);
      return isWhole || { ends, width: g.width };
    }));
  }
});

test("zoom shows a part with all its samples", async () => {
  await settle({ channels: { A: { on: true }, B: { on: false } }, lines: [] });
  const box = await page.locator("#screen").boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + 100);
  for (let i = 0; i < 12; i += 1) await page.mouse.wheel(0, -100);
  await until("a part of the trace", () => trace("(trace) => trace.to - trace.from < 0.12 && trace.channels.A.layout === 'samples'"));
  // 6 ms of 16 bits at 1 MS/s.
  const period = await trace("(trace) => trace.channels.A.period");
  assert.ok(Math.abs(period - 1e-6) < 1e-9, String(period));
  await page.keyboard.press("u");
  await until("all of it", () => trace("(trace) => trace.to - trace.from > 0.99"));
});

test("masks count, references stay, the history keeps", async () => {
  await settle({ lines: [] });
  await page.getByRole("tab", { name: "Analyse" }).click();
  await page.getByRole("button", { name: "From this trace" }).click();
  await until("traces that pass", () => page.evaluate(() => window.scopething.maskCounts.pass >= 2 || window.scopething.maskCounts));
  assert.equal(await page.evaluate(() => window.scopething.maskCounts.fail), 0);
  // A sine that triggers elsewhere leaves the mask.
  await page.evaluate(() => window.scopething.set({ trigger: { level: 1.5 } }));
  await until("traces that fail", () => page.evaluate(() => window.scopething.maskCounts.fail >= 2 || window.scopething.maskCounts));
  await page.getByText(/^\d+ traces: \d+ passed, \d+ failed$/).waitFor();
  await page.evaluate(() => window.scopething.set({ trigger: { level: 0 } }));
  await page.getByRole("button", { name: "Keep this trace" }).click();
  await page.locator("#references").getByText(/^Trace \d+$/).waitFor();
  // What is counted while a button is held does not take it away.
  const counted = await page.evaluate(() => {
    window.held = [...document.querySelectorAll("#references button, #readings button")];
    return [window.scopething.maskCounts.pass, window.scopething.statistics.get("A.frequency").n];
  });
  await until("traces and measurements that are counted", () => page.evaluate(([pass, n]) => window.scopething.maskCounts.pass > pass + 2 && window.scopething.statistics.get("A.frequency").n > n + 1, counted));
  assert.deepEqual(await page.evaluate(() => window.held.filter((button) => button.isConnected).length), await page.locator("#references button, #readings button").count());
  await page.getByRole("button", { name: "Remove mask" }).click();
  await page.getByRole("button", { name: "Remove", exact: true }).click();
  // Both are of all of a trace, with its samples, where only a part of it is on the screen.
  await page.evaluate(() => window.scopething.zoom(0.1, 0.5));
  await until("a part of a trace", () => trace("(trace) => trace.to - trace.from < 0.2"));
  await page.keyboard.press("k");
  await page.keyboard.press("r");
  await until("a mask and a reference of a whole trace", () => page.evaluate(() => {
    const { mask, references: [reference] } = window.scopething;
    return (mask?.width * mask?.low.length > 5.9e-3 && reference?.trace.channels.A.layout === "samples" && reference.trace.to === 1) || [mask?.width, reference?.trace.to];
  }));
  await page.evaluate(() => { window.scopething.removeMask(); window.scopething.removeReference(0); });
  await page.keyboard.press("u");
  await page.getByRole("tab", { name: "Traces" }).click();
  const first = page.locator("#history li").first();
  await first.waitFor();
  page.once("dialog", (dialog) => dialog.accept("before the change"));
  await first.getByRole("button", { name: "Pin" }).click();
  await page.locator("#history").getByText("before the change").waitFor();
  await page.getByRole("button", { name: "Compare with before the change" }).click();
  // The page gets its samples from the server first.
  await until("the reference", () => page.evaluate(() => window.scopething.references.length === 1 || window.scopething.references.length));
  await page.getByRole("button", { name: "Show before the change" }).click();
  await page.getByText(/^Shows trace \d+ of the history$/).waitFor();
  // Live traces go on, and do not take its place.
  const live = await page.evaluate(() => window.scopething.trace.seq);
  await until("three more traces", () => page.evaluate((seq) => window.scopething.trace.seq >= seq + 3, live));
  await page.getByText(/^Shows trace \d+ of the history$/).waitFor();
  // It is what masks are made from and files hold, and not the live ones, which are twice as long now.
  await page.evaluate(() => window.scopething.set({ time_per_div: 1e-3 }));
  await fresh();
  await page.keyboard.press("k");
  const [span, seq] = await page.evaluate(() => [window.scopething.mask.width * window.scopething.mask.low.length, window.scopething.kept.seq]);
  assert.ok(Math.abs(span - 6e-3) < 0.1e-3, `a mask of ${span} s`);
  const [picture] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "PNG", exact: true }).click()]);
  assert.equal(picture.suggestedFilename(), `scopething-${seq}.png`);
  await page.evaluate(() => window.scopething.removeMask());
  await page.getByRole("button", { name: "Back to live" }).click();
  await page.getByRole("button", { name: "Delete before the change" }).click();
  await page.locator("#history").getByText("before the change").waitFor({ state: "detached" });
  await page.evaluate(() => window.scopething.removeReference(0));
});

test("slow time bases roll: the newest sample is at the right edge", async () => {
  await settle({ lines: ["L1"] });
  await page.getByRole("tab", { name: "Scope" }).click();
  await type("Time/div", "100ms");
  await page.getByText("Rolling: the right edge is now").waitFor();
  await until("a stream", () => (b.registers.get("TraceMode") === 1 && b.registers.get("ClockTicks") > 16000) || b.registers.all());
  // Long before a capture of 1.2 s would have ended there is something on the screen.
  await page.waitForFunction(() => window.scopething.trace?.rolling && window.scopething.trace.duration > 0.2);
  const [before, after] = await page.evaluate(async () => {
    const look = () => {
      const { trace, roll } = window.scopething;
      const g = window.scopething.geometry();
      const { data } = trace.channels.A;
      return { end: roll.end, edge: Math.abs(g.x(trace.duration - trace.trigger) - g.width), data: Array.from(data), length: data.length / 2 };
    };
    const one = look();
    await new Promise((resolve) => {
      const wait = () => (window.scopething.roll.end >= one.end + 300 ? resolve() : setTimeout(wait, 10));
      wait();
    });
    return [one, look()];
  });
  assert.ok(before.edge < 1 && after.edge < 1, `${before.edge} ${after.edge}`);
  // What was at the right edge has moved to the left by as many columns as came, and is the same.
  const moved = after.end - before.end;
  const last = before.data.slice(-200);
  assert.deepEqual(after.data.slice(after.data.length - 2 * moved - 200, after.data.length - 2 * moved), last);
  // A sine of 2 V, in steps of 8 bits, but where the device was not heard.
  const [low, high] = await trace(`(trace) => {
    const { A } = trace.channels;
    const seen = Array.from(A.data).filter((_, index) => A.data[index - index % 2] <= A.data[index - index % 2 + 1]);
    return [A.bottom + A.step * Math.min(...seen), A.bottom + A.step * Math.max(...seen)];
  }`);
  assert.ok(Math.abs(low + 2) < 0.1 && Math.abs(high - 2) < 0.1, `${low} ${high}`);
  await until("measurements of it", () => page.evaluate(() => Math.abs((window.scopething.measured?.channels?.A?.peak_to_peak ?? 0) - 4) < 0.2));
  // What the link loses stays empty, and is counted.
  b.lose(true);
  await page.waitForTimeout(150);
  b.lose(false);
  await until("a gap", () => trace(`({ gaps, lost, channels: { A, L } }) => {
    const empty = Array.from({ length: A.data.length / 2 }, (_, index) => A.data[2 * index] > A.data[2 * index + 1]);
    const both = empty.every((none, index) => none === (L.data[2 * index] === 255 && L.data[2 * index + 1] === 0));
    return (gaps >= 1 && lost > 100 && empty.filter(Boolean).length > 100 && both) || { gaps, lost, empty: empty.filter(Boolean).length, both };
  }`));
  await until("the gaps as a figure", () => page.locator("#fig-dead").textContent().then((text) => /^\d+ gaps$/.test(text) || text));
  // What was on the screen when it was stopped is kept.
  await page.getByRole("button", { name: "Stop", exact: true }).click();
  await page.getByText("Stopped", { exact: true }).waitFor();
  await page.waitForFunction(() => window.scopething.trace.rolling === false);
  const seq = await page.evaluate(() => window.scopething.trace.seq);
  assert.equal(await page.locator("#fig-ended").textContent(), "rolling");
  // The trace that was made of the end of it, in which decoders look, begins where its columns are on the screen.
  const { compared, outside } = await page.evaluate(async () => {
    const { trace: shown, transport } = window.scopething;
    const { decode, elements, voltsOf } = await import("/frame.js");
    const { A } = decode(await transport.trace(shown.seq)).channels;
    const column = (index) => Math.round(shown.begins / A.period) + index;
    const all = Array.from({ length: elements(A) }, (_, index) => index).filter((index) => column(index) < elements(shown.channels.A));
    const isOutside = (index) => {
      const [low, high] = voltsOf(shown.channels.A, column(index));
      const [mean] = voltsOf(A, index);
      return !(mean > low - 2 * A.step - 1e-6 && mean < high + 2 * A.step + 1e-6);
    };
    return { compared: all.length, outside: all.filter(isOutside).length };
  });
  assert.ok(compared > 16 && outside === 0, `${outside} of ${compared}`);
  await page.getByRole("tab", { name: "Traces" }).click();
  await page.locator("#history").getByText(`Trace ${seq}`, { exact: true }).waitFor();
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "CSV", exact: true }).click()]);
  const rows = (await readFile(await download.path(), "utf8")).split("\n").filter((line) => /^[-\d]/.test(line));
  assert.ok(rows.length >= 16, `${rows.length} rows`);
  // One screen, and then it stops by itself.
  await page.getByRole("button", { name: "Single" }).click();
  await page.waitForFunction((last) => window.scopething.state.run === "stop" && window.scopething.trace.seq > last && !window.scopething.trace.rolling, seq);
  // Nor does it roll where that is switched off, or a trigger is waited for.
  await page.getByRole("tab", { name: "Scope" }).click();
  await radio("Roll", "Off");
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await page.getByText(/^Waiting for A to rise/).waitFor();
  await radio("Roll", "Slow ones");
  await page.getByText("Rolling: the right edge is now").waitFor();
  await radio("Mode", "Normal");
  await page.getByText(/^Waiting for A to rise/).waitFor();
});

test("decoders are lanes of the trace that they were found in", async () => {
  await settle({ lines: ["L4"], time_per_div: 1e-3, trigger: { mode: "auto" } });
  await page.getByRole("tab", { name: "Analyse" }).click();
  await until("the decoders that sigrok has", () => page.locator("#decoder-choice option").count().then((count) => count > 20 || count), 30_000);
  await page.locator("#decoder-choice").selectOption("uart");
  await until("what it takes", () => page.locator("#decoder").inputValue().then((text) => text === "uart:rx=L4,baudrate=9600" || text));
  await page.locator("#decoder").fill("uart:rx=L4,baudrate=9600,format=ascii");
  await page.getByRole("button", { name: "Add decoder" }).click();
  const found = await page.waitForFunction(() => {
    const { scopething } = window;
    const [lane] = scopething.decoders.lanesOf(scopething.trace);
    const letters = lane?.annotations.filter(({ texts }) => texts[0] === "H" || texts[0] === "i");
    if (!letters || letters.length < 4) return null;
    const { L } = scopething.trace.channels;
    return { title: lane.title, widths: letters.map(({ start, end }) => end - start), period: L.period };
  }, null, { timeout: 20_000 }).then((handle) => handle.jsonValue());
  assert.equal(found.title, "RX");
  // Eight bits of 9600 baud.
  for (const width of found.widths) assert.ok(Math.abs(width - 8 / 9600) < 5 * found.period, `${width}`);
  await page.locator(".lane-name.decoded", { hasText: "RX" }).waitFor();
  await page.getByRole("button", { name: "Stop", exact: true }).click();
  await until("the last trace decoded", () => page.evaluate(() => window.scopething.state.run === "stop" && window.scopething.decoders.lanesOf(window.scopething.last).length === 1 && window.scopething.trace.seq === window.scopething.last.seq));
  // The start bit of a letter begins a bit before the annotation, in every sample and not what is left of them for the screen.
  const letters = await page.evaluate(async () => {
    const { scopething } = window;
    const { decode, indexAt, levelOf, timeOf } = await import("/frame.js");
    const { L } = decode(await scopething.transport.trace(scopething.trace.seq)).channels;
    const [lane] = scopething.decoders.lanesOf(scopething.trace);
    return lane.annotations.filter(({ texts }) => texts[0] === "H" || texts[0] === "i").map(({ start }) => {
      const falls = [];
      const middle = indexAt(L, start - 1 / 9600);
      for (let i = Math.max(1, middle - 20); i < middle + 20; i += 1) if (levelOf(L, 4, i - 1) === 1 && levelOf(L, 4, i) === 0) falls.push(timeOf(L, i) - start);
      return { falls, period: L.period, extremes: L.extremes };
    });
  });
  assert.ok(letters.length >= 4, `${letters.length} letters`);
  for (const { falls, period, extremes } of letters) {
    assert.equal(extremes, false);
    assert.equal(falls.length, 1);
    assert.ok(Math.abs(falls[0] + 1 / 9600) <= 2 * period, `${falls[0]} s, samples of ${period} s`);
  }
  await page.getByRole("button", { name: "Remove uart:rx=L4" }).click();
  await page.locator(".lane-name.decoded").waitFor({ state: "detached" });
});

/** Has what the page wants decoded wait for `answer`, which answers the last request, until `release`: `window.decodes`. */
const holdDecodes = () => page.evaluate(() => {
  const { scopething } = window;
  const own = scopething.transport.decode;
  const asked = [];
  scopething.transport.decode = (seq) => new Promise((resolve, reject) => { asked.push({ seq, resolve, reject }); });
  window.decodes = {
    asked,
    answer() {
      const { seq, resolve } = asked.at(-1);
      resolve({ seq, duration: scopething.next.duration, lanes: [{ decoder: "uart", title: "RX", annotations: [] }] });
    },
    release() {
      asked.at(-1)?.reject(new Error("the test is over"));
      scopething.transport.decode = own;
    },
    async within(what, condition) {
      const end = performance.now() + 8000;
      while (!condition()) {
        if (performance.now() > end) throw new Error(what);
        await new Promise((resolve) => { setTimeout(resolve, 5); });
      }
    },
    /** Stops, and waits for the last trace: one may still be on its way when the state has come. */
    async stop() {
      await scopething.command({ type: "run", run: "stop" });
      await this.within("the end", () => scopething.state.run === "stop" && scopething.status.state === "stopped");
      const [{ seq }] = await scopething.transport.traces();
      await this.within("the last trace that was captured", () => scopething.last.seq === seq);
    },
  };
});

test("traces that wait for what is decoded keep their mean, are counted once, and are shown where decoding fails", async () => {
  await settle({ lines: ["L4"], time_per_div: 1e-3, trigger: { mode: "auto" } });
  await holdDecodes();
  const seen = await page.evaluate(async () => {
    const { scopething, decodes: { asked, within, answer, release } } = window;
    const last = () => scopething.last.seq;
    try {
      scopething.look({ averages: 4 });
      scopething.look({ decoders: ["uart:rx=L4"] });
      await within("a first request", () => asked.length === 1);
      answer();
      await within("a second request", () => asked.length === 2);
      await within("a trace that waits", () => last() > asked[1].seq + 4 && scopething.isHeld());
      const held = scopething.trace.seq;
      await window.decodes.stop();
      const waiting = { held, seq: scopething.trace.seq, last: last() };
      // The same trace again, for another part of the screen.
      const { count } = scopething.average;
      let counted = 0;
      const countAll = scopething.count;
      scopething.count = (trace) => { counted += 1; countAll.call(scopething, trace); };
      const once = scopething.last;
      scopething.transport.view({ ...scopething.transport.wish, columns: 100, from: 0.2, to: 0.4 });
      await within("the same trace again", () => scopething.last !== once);
      scopething.askForView();
      answer();
      await within("a third request", () => asked.length === 3);
      const third = { seq: asked[2].seq, shown: scopething.trace.averaged ?? null };
      answer();
      await within("the last trace", () => scopething.trace.seq === last());
      const whole = { averaged: scopething.trace.averaged ?? null, isNext: scopething.trace === scopething.next, count: scopething.average.count, before: count, counted };
      delete scopething.count;
      // And where it fails.
      await scopething.command({ type: "run", run: "run" });
      await within("a fourth request", () => asked.length === 4);
      await within("another that waits", () => last() > asked[3].seq);
      await window.decodes.stop();
      const before = scopething.trace.seq;
      asked[3].reject(new Error("none"));
      await within("the last trace without lanes", () => scopething.trace.seq === last());
      return { waiting, third, whole, failed: { before, seq: scopething.trace.seq, asked: asked.length, averaged: scopething.trace.averaged ?? null } };
    } finally {
      release();
      scopething.look({ decoders: [], averages: 1 });
    }
  });
  assert.equal(seen.waiting.held, seen.waiting.seq);
  assert.ok(seen.waiting.last > seen.waiting.held, JSON.stringify(seen.waiting));
  assert.equal(seen.third.seq, seen.waiting.last);
  assert.deepEqual(seen.whole, { averaged: seen.whole.averaged, isNext: true, count: seen.whole.before, before: seen.whole.before, counted: 0 });
  assert.ok(seen.whole.averaged >= 1 && seen.third.shown >= 1, JSON.stringify(seen));
  assert.ok(seen.failed.seq > seen.failed.before && seen.failed.averaged >= 1, JSON.stringify(seen.failed));
});

test("a trace that waited while one of the history was shown is the live one after it, and a mask is held against all of a trace", async () => {
  await settle({ lines: ["L4"], time_per_div: 1e-3, trigger: { mode: "auto" } });
  await holdDecodes();
  const seen = await page.evaluate(async () => {
    const { scopething, decodes: { asked, within, answer, release } } = window;
    try {
      scopething.look({ decoders: ["uart:rx=L4"] });
      await within("a first request", () => asked.length === 1);
      const first = asked[0].seq;
      answer();
      await within("a trace that waits", () => asked.length === 2 && scopething.next.seq > asked[1].seq && scopething.isHeld());
      await window.decodes.stop();
      const held = scopething.trace.seq;
      await scopething.showKept(first);
      answer();
      await within("a request for the one of the history", () => asked.length === 3);
      const third = asked[2].seq;
      scopething.backToLive();
      const live = scopething.shown.seq;
      answer();
      await within("a request for the live one", () => asked.length === 4);
      return { first, held, third, live, after: scopething.shown.seq, fourth: asked[3].seq, last: scopething.last.seq };
    } finally {
      release();
      scopething.look({ decoders: [] });
    }
  });
  assert.ok(seen.held < seen.last, JSON.stringify(seen));
  assert.deepEqual([seen.third, seen.live, seen.after, seen.fourth], [seen.first, seen.last, seen.last, seen.last], JSON.stringify(seen));
  await settle();
  await page.evaluate(() => {
    window.scopething.makeMask();
    window.scopething.look({ zoom: { from: 0.4, to: 0.5 } });
  });
  await page.waitForFunction(() => {
    const { A } = window.scopething.trace.channels;
    return !A.extremes && A.first === 0 && A.data.length === A.samples;
  });
  await page.evaluate(() => window.scopething.removeMask());
  await page.waitForFunction(() => window.scopething.trace.channels.A.first > 0);
});

test("files hold the trace", async () => {
  await settle();
  await page.getByRole("tab", { name: "Traces" }).click();
  const magic = { CSV: /^(# .+: .*\n)+time,A,B,L0/, sigrok: /^PK/, NumPy: /^PK/, SVG: /<svg/, PNG: /^.PNG/ };
  for (const [name, begins] of Object.entries(magic)) {
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name, exact: true }).click()]);
    const text = (await readFile(await download.path())).subarray(0, 2000).toString("latin1");
    assert.match(text, begins, name);
  }
});

test("the generator plays what is asked for", async () => {
  await settle();
  await page.getByRole("tab", { name: "Output" }).click();
  await page.getByLabel("Shape").selectOption("square");
  await page.getByLabel("Frequency", { exact: true }).fill("2kHz");
  await page.getByLabel("Frequency", { exact: true }).press("Enter");
  await page.getByRole("button", { name: "Play" }).click();
  await page.getByText(/the waveform generator plays square of 2\.0/).waitFor();
  await until("its output", () => (b.registers.get("KitchenSinkB") & 0x40) !== 0 || b.registers.all());
  await page.locator("#panel-generator").getByRole("button", { name: "Stop" }).click();
  await until("the output off", () => (b.registers.get("KitchenSinkB") & 0x40) === 0 || b.registers.all());
  await page.getByLabel("Clock frequency").fill("10kHz");
  await page.getByLabel("Clock frequency").press("Enter");
  await page.getByRole("button", { name: "Run the clock" }).click();
  await page.getByText(/clocks of 10\.0\d* kHz.* run on L5/).waitFor();
  await until("the line of the clock", () => b.registers.get("Map5") !== 0 || b.registers.all());
  // Another kind takes its place.
  await page.getByRole("button", { name: "Hold", exact: true }).click();
  await page.getByText("held: L3=1").waitFor();
  await page.locator("#panel-generator").getByRole("button", { name: "Stop" }).click();
  await page.getByText("Nothing is generated.").waitFor();
});

test("a value that is none is refused with a reason", async () => {
  await settle();
  await page.getByRole("tab", { name: "Scope" }).click();
  await type("Time/div", "fast");
  await page.getByText("“fast” is no value for “Time/div”").waitFor();
  await type("Time/div", "1000s");
  await page.getByText(/a division of 1000 s is not possible/).waitFor();
  await knob("Time/div").press("Escape");
  assert.equal((await settings()).time_per_div, 500e-6);
});

test("two browsers share the settings, and a view-only link has none of the knobs", async () => {
  await settle();
  const [other, viewer] = [await open(b.link), await open(b.viewLink)];
  await page.getByRole("tab", { name: "Scope" }).click();
  await type("Time/div", "200us");
  for (const one of [other, viewer]) {
    await one.waitForFunction(() => window.scopething?.state?.settings.time_per_div === 200e-6);
    await one.waitForFunction(() => window.scopething.trace);
  }
  assert.ok(!viewer.url().includes("token"), viewer.url());
  await viewer.getByRole("tab", { name: "Scope" }).click();
  await viewer.getByRole("button", { name: "Time/div: more" }).click();
  await viewer.getByText("this link is to look only").waitFor();
  assert.equal((await settings()).time_per_div, 200e-6);
  await other.context().close();
  await viewer.context().close();
});

test("a link carries the settings", async () => {
  await settle();
  await page.evaluate(() => window.scopething.look({ averages: 4 }));
  const link = await page.evaluate(async () => {
    const { toLink } = await import("/store.js");
    return `${location.origin}/#s=${toLink(window.scopething.state.settings, window.scopething.view)}`;
  });
  await settle({ time_per_div: 100e-6 });
  const other = await open(link);
  await other.waitForFunction(() => window.scopething?.state?.settings.time_per_div === 500e-6);
  assert.equal(await other.evaluate(() => window.scopething.view.averages), 4);
  await other.context().close();
  // Beside a token, which is not lost by that.
  const viewer = await open(`${b.viewLink}&${new URL(link).hash.slice(1)}`);
  await viewer.waitForFunction(() => window.scopething?.state?.role === "view");
  assert.equal(await viewer.evaluate(() => window.scopething.view.averages), 4);
  assert.equal(new URL(viewer.url()).hash, "");
  await viewer.context().close();
});

test("it can be used without a mouse and read without eyes", async () => {
  const AXE = await readFile(axePath, "utf8");
  for (const [colorScheme, viewport] of [["dark", { width: 1360, height: 820 }], ["light", { width: 390, height: 844 }]]) {
    const one = await open(b.link, { colorScheme, viewport });
    await one.waitForFunction(() => window.scopething?.trace);
    await one.evaluate(() => window.scopething.look({ cursors: { ...window.scopething.view.cursors, time: true, volts: true } }));
    const wide = await one.evaluate(() => document.documentElement.scrollWidth > innerWidth);
    assert.equal(wide, false, "the page is wider than the screen");
    // Playwright's way into the page, which the policy of the page does not let a script of its own have.
    await one.evaluate(AXE);
    for (const tab of ["Scope", "Measure", "Analyse", "Output", "Traces"]) {
      await one.getByRole("tab", { name: tab }).click();
      const violations = await one.evaluate(async () => (await window.axe.run(document)).violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).slice(0, 3)}`));
      assert.deepEqual(violations, [], `${tab}, ${colorScheme}`);
    }
    await one.keyboard.press("?");
    assert.equal(await one.locator("#keys").evaluate((dialog) => dialog.open), true);
    await one.context().close();
  }
});

test("nothing was reported, and nothing asked for elsewhere", () => assert.deepEqual(problems, []));

test("it reports a lost scope, and shows one that is back", async () => {
  const own = await bench(["A=sine,1kHz,-2..2V"]);
  const one = await (await browser.newContext()).newPage();
  try {
    await one.goto(own.link);
    await one.waitForFunction(() => window.scopething?.trace);
    own.unplug();
    await one.getByText(/The oscilloscope is gone/).first().waitFor();
    const { seq } = await one.evaluate(() => window.scopething.trace);
    await own.replug();
    await one.waitForFunction((last) => window.scopething.trace.seq > last, seq);
    await one.getByText("Running").waitFor();
  } finally {
    await one.context().close();
    await own.close();
  }
});

test("it calibrates, shows how to get decoders, and connects again to a server that was started anew", async () => {
  const first = await startIn({ SCOPETHING_SIGROK_CLI: "/nowhere/sigrok-cli" }, "serve", "--url", "sim:?clock=fast", "--web", "127.0.0.1:0");
  // The page of the other tests, which draws traces as fast as they come, would take the processor from this one.
  await page.evaluate(() => window.scopething.command({ type: "run", run: "stop" }));
  const one = await (await browser.newContext()).newPage();
  try {
    await one.goto(first.addresses.web_link);
    await one.waitForFunction(() => window.scopething?.trace);
    const calibration = one.locator("#calibration-text");
    const grid = (name) => one.getByRole("radiogroup", { name: "Grid" }).getByRole("radio", { name }).click();
    await one.getByRole("button", { name: "Calibrate", exact: true }).click();
    await one.getByText(/^Calibrating: \d+ of 1024 points$/).waitFor();
    // Not by the mouse: it waits for frames of the browser that lay the button out at one place, and may come when all is measured.
    await one.getByRole("button", { name: "Cancel", exact: true }).dispatchEvent("click");
    await calibration.getByText("Cancelled: the old parameters stay.").waitFor();
    await grid("Quick");
    await one.getByRole("button", { name: "Calibrate", exact: true }).click();
    await calibration.getByText(/^Done\. Span 18\.333 V is now 18\.\d+ V/).waitFor({ timeout: 20_000 });
    const kept = await readFile(`${home}/.config/scopething/analog.conf`, "utf8");
    assert.match(kept, /\[sim:\?clock=fast\]\nx1 = 1\.\d+ /);
    await fresh(one);
    // What the probes are not connected for is refused with what to do.
    await one.evaluate(() => window.scopething.command({ type: "calibrate", channels: ["L0"] }));
    await one.getByText(/no channel to calibrate/).waitFor();
    await one.getByRole("tab", { name: "Analyse" }).click();
    await one.getByText(/sudo apt install sigrok-cli/).waitFor();
    await stop(first);
    await one.waitForFunction(() => window.scopething.link !== "open");
    const again = await start("serve", "--url", "sim:", "--web", new URL(first.addresses.web_link).host);
    try {
      await one.waitForFunction(() => window.scopething.link === "open");
      await one.getByText("Running").waitFor();
    } finally {
      await stop(again);
    }
  } finally {
    await one.context().close();
    await stop(first);
  }
});

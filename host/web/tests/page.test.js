// The page that needs no server, from a folder behind a server that only has files: with the simulated BitScope, and with one
// behind a port of Web Serial.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";

import { axePath, launch, start, stop, until } from "../../serve/web/tests/support.js";
import { giveSerialPort, serveFolder } from "./support.js";

const SIGNALS = "A=sine,1kHz,-2..2V&B=triangle,500Hz,0..3V&L0=square,2kHz";
/** What is at the other end of the serial port. */
const WIRED = ["A=sine,2kHz,0..3V", "B=dc,1V", "L0=square,1kHz"];

let browser;
let files;
let simulator;
const problems = [];

before(async () => {
  [browser, files, simulator] = await Promise.all([
    launch(), serveFolder("/some/folder/"), start("simulate", "--tcp", "127.0.0.1:0", ...WIRED.flatMap((signal) => ["--signal", signal])),
  ]);
});

after(async () => {
  await browser?.close();
  await files?.close();
  if (simulator) await stop(simulator);
});

async function open({ signals = SIGNALS, options = {}, prepare = async () => {} } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 760 }, colorScheme: "dark", ...options });
  await prepare(context);
  const page = await context.newPage();
  page.on("console", (message) => { if (message.type() === "error") problems.push(message.text()); });
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("request", (request) => {
    const { origin, protocol } = new URL(request.url());
    if (origin !== new URL(files.link).origin && protocol !== "blob:") problems.push(`a request to ${request.url()}`);
  });
  await page.goto(signals === null ? files.link : `${files.link}#sim=${encodeURIComponent(signals)}`);
  await page.waitForFunction(() => window.scopething?.trace);
  return page;
}

/** Has something set, and waits for a trace that was captured with it. */
async function set(page, settings) {
  await page.evaluate((settings) => window.scopething.set(settings), settings);
  await fresh(page);
}

async function fresh(page) {
  const seq = await page.evaluate(() => window.scopething.trace?.seq ?? 0);
  await page.waitForFunction((before) => {
    const { trace, state } = window.scopething;
    return trace?.seq > before && trace.changes === state.changes;
  }, seq);
}

/** Every sample of a channel of the last trace, with the time between two: volts, or levels of L0. */
function samples(page, name) {
  return page.evaluate(async (name) => {
    const { scopething } = window;
    const { decode, volts } = await import("./frame.js");
    const channel = decode(await scopething.transport.trace(scopething.trace.seq)).channels[name];
    return { period: channel.period, values: name === "L" ? Array.from(channel.data, (byte) => byte & 1) : Array.from(volts(channel)) };
  }, name);
}

/** The frequency of what passes a level upwards, over whole periods, in hertz. */
function frequency({ period, values }, level) {
  const places = [];
  for (let i = 1; i < values.length; i += 1) {
    const [before, now] = [values[i - 1], values[i]];
    if (before < level && now >= level) places.push(i - 1 + (level - before) / (now - before));
  }
  assert.ok(places.length >= 3, `${places.length} periods`);
  return (places.length - 1) / ((places.at(-1) - places[0]) * period);
}

const near = (value, wanted, by, what) => assert.ok(Math.abs(value - wanted) <= by, `${what}: ${value} instead of ${wanted}`);

async function picture(page, name) {
  if (process.env.PICTURES) await page.screenshot({ path: `${process.env.PICTURES}/${name}.png`, fullPage: true });
}

/** How many captures the page gets a second. */
async function rate(page, seconds = 3) {
  const seq = () => page.evaluate(() => window.scopething.trace.seq);
  const [first, began] = [await seq(), performance.now()];
  await page.waitForTimeout(seconds * 1000);
  return ((await seq()) - first) / ((performance.now() - began) / 1000);
}

/** The same of what a page begins with, which the device takes a fifth of a second to send, and of short ones. */
async function rates(page) {
  const settings = await page.evaluate(() => window.scopething.state.settings);
  const long = await rate(page, 1.5);
  await set(page, { samples: 256, bits: "8", lines: [], time_per_div: 10e-6, channels: { B: { on: false } } });
  const short = await rate(page, 1.5);
  assert.ok(long > 0 && short > 0, `${long} ${short}`);
  await set(page, settings);
  return `${long.toFixed(0)} captures a second, ${short.toFixed(0)} of 256 samples`;
}

test("the simulated device", async (t) => {
  const page = await open();
  await t.test("captures show the signals that were put in", async () => {
    await fresh(page);
    const a = await samples(page, "A");
    near(Math.max(...a.values), 2, 0.05, "highest of A");
    near(Math.min(...a.values), -2, 0.05, "lowest of A");
    near(frequency(a, 0), 1000, 2, "frequency of A");
    near(frequency(await samples(page, "B"), 1.5), 500, 2, "frequency of B");
    near(frequency(await samples(page, "L"), 0.5), 2000, 20, "frequency of L0");
    await until("the measurements of the instrument", async () => {
      const measured = await page.evaluate(() => window.scopething.measured?.channels?.A?.peak_to_peak ?? null);
      return measured !== null && Math.abs(measured - 4) < 0.1 ? true : measured;
    });
    await picture(page, "simulated");
  });
  await t.test("the picture shows the signal", async () => {
    await set(page, { channels: { B: { on: false } }, lines: [], trigger: { source: "A", level: 0, mode: "normal" } });
    const rows = await page.evaluate(() => {
      const { scopething } = window;
      scopething.dirty = true;
      scopething.render();
      const canvas = document.getElementById("screen");
      const copy = document.createElement("canvas");
      [copy.width, copy.height] = [canvas.width, canvas.height];
      const context = copy.getContext("2d", { willReadFrequently: true });
      context.drawImage(canvas, 0, 0);
      const colour = getComputedStyle(document.body).getPropertyValue("--c-A").trim();
      const wanted = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
      const { data } = context.getImageData(0, 0, copy.width, copy.height);
      const rows = new Set();
      for (let i = 0; i < data.length; i += 4) {
        if (wanted.every((part, index) => Math.abs(data[i + index] - part) < 60)) rows.add(Math.floor(i / 4 / copy.width));
      }
      return { top: Math.min(...rows), bottom: Math.max(...rows), height: copy.height };
    });
    // 4 V of 8 divisions of 1 V (7.5 % of the picture are its margins, at most).
    const part = (rows.bottom - rows.top) / rows.height;
    assert.ok(part > 0.4 && part < 0.62, JSON.stringify(rows));
  });
  await t.test("knobs change what is captured", async () => {
    await set(page, { time_per_div: 100e-6, bits: 8, channels: { A: { volts_per_div: 0.5 } } });
    const { state, trace } = await page.evaluate(() => ({ state: window.scopething.state, trace: window.scopething.trace }));
    near(trace.duration, 1.2e-3, 0.1e-3, "duration");
    assert.equal(state.actual.bits, 8);
    near(state.actual.input_range[1] - state.actual.input_range[0], 4, 0.2, "input range");
    await page.getByRole("textbox", { name: "Time/div", exact: true }).fill("1 ms");
    await page.getByRole("textbox", { name: "Time/div", exact: true }).press("Enter");
    await fresh(page);
    near(await page.evaluate(() => window.scopething.trace.duration), 12e-3, 1e-3, "duration by the knob");
  });
  await t.test("run, stop, single, force, and what is waited for", async () => {
    await page.getByRole("button", { name: "Stop", exact: true }).click();
    await page.waitForFunction(() => document.getElementById("status-text").textContent === "Stopped");
    const seq = await page.evaluate(() => window.scopething.trace.seq);
    await page.getByRole("button", { name: "Single", exact: true }).click();
    await page.waitForFunction((seq) => window.scopething.trace.seq === seq + 1 && window.scopething.state.run === "stop", seq);
    await page.evaluate(() => window.scopething.set({ trigger: { level: 3.5, mode: "normal" } }));
    await page.getByRole("button", { name: "Run", exact: true }).click();
    await page.waitForFunction(() => document.getElementById("status-text").textContent.includes("to rise through 3.500 V"));
    await page.getByRole("button", { name: "Force", exact: true }).click();
    await page.waitForFunction(() => window.scopething.trace.ended === "forced");
  });
  await t.test("autoset", async () => {
    await page.getByRole("button", { name: "Autoset", exact: true }).click();
    await page.waitForFunction(() => window.scopething.state.settings.trigger.mode === "auto", null, { timeout: 10_000 });
    await fresh(page);
    near(frequency(await samples(page, "A"), 0), 1000, 5, "frequency");
    const { channels } = await page.evaluate(() => window.scopething.state.settings);
    assert.ok(channels.A.on && channels.B.on);
  });
  await t.test("a slow time base rolls, and stops", async () => {
    await page.evaluate(() => window.scopething.set({ time_per_div: 0.1, trigger: { mode: "auto" }, channels: { A: { on: true, volts_per_div: 1, middle: 0 }, B: { on: false } }, lines: [] }));
    await page.getByText("Rolling: the right edge is now").waitFor();
    await page.waitForFunction(() => window.scopething.trace?.rolling && window.scopething.trace.duration > 0.3);
    const { end, highest } = await page.evaluate(() => {
      const { A } = window.scopething.trace.channels;
      const seen = A.data.filter((value) => value < 65535);
      return { end: window.scopething.roll.end, highest: A.bottom + A.step * Math.max(...seen) };
    });
    near(highest, 2, 0.1, "highest of A");
    await page.waitForFunction((end) => window.scopething.roll.end > end, end);
    await page.getByRole("button", { name: "Stop", exact: true }).click();
    await page.waitForFunction(() => window.scopething.state.run === "stop" && window.scopething.trace.rolling === false);
    await page.evaluate(() => window.scopething.set({ time_per_div: 1e-3 }));
    await page.getByRole("button", { name: "Run", exact: true }).click();
    await fresh(page);
  });
  await t.test("a calibration that is not wired reports it, and decoders need the program", async () => {
    await page.getByRole("button", { name: "Calibrate", exact: true }).click();
    await page.getByText(/^Not calibrated: channel A does not see the clock/).waitFor();
    await page.getByRole("tab", { name: "Analyse" }).click();
    await page.getByText(/^Decoders need the program/).waitFor();
    await page.getByRole("tab", { name: "Scope" }).click();
    await fresh(page);
  });
  await t.test("files and history are those of the trace", async () => {
    await page.getByRole("button", { name: "Stop", exact: true }).click();
    await page.waitForFunction(() => window.scopething.state.run === "stop");
    await page.waitForFunction(() => document.getElementById("status-text").textContent === "Stopped");
    // The last one may still be on its way to the screen.
    await page.waitForFunction(async () => (await window.scopething.transport.traces())[0].seq === window.scopething.trace.seq);
    const text = (kind) => page.evaluate(async (kind) => {
      const { transport, trace } = window.scopething;
      return (await transport.file(trace.seq, kind)).text();
    }, kind);
    const a = await samples(page, "A");
    const rows = (await text("csv")).split("\n").filter((line) => /^[0-9-]/.test(line)).map((line) => line.split(","));
    // A is held beside logic lines, which are sampled twice as often.
    assert.ok(rows.length >= a.values.length, `${rows.length} rows`);
    for (const [time, volts] of rows) near(Number(volts), a.values[Math.floor(Number(time) / a.period + 1e-6)], 1e-3, `A at ${time} s`);
    assert.match(await text("sr"), /^PK/);
    assert.match(await text("vcd"), /\$timescale/);
    assert.match(await text("svg"), /^<svg/);
    assert.ok(JSON.parse(await text("json")).channels.A);
    assert.match(await page.evaluate(() => window.scopething.transport.file(window.scopething.trace.seq, "npz").catch((error) => error.message)), /choose csv/);
    const traces = await page.evaluate(() => window.scopething.transport.traces());
    assert.equal(traces[0].seq, await page.evaluate(() => window.scopething.trace.seq));
    await page.getByRole("tab", { name: "Traces" }).click();
    assert.equal(await page.getByRole("button", { name: "Parquet", exact: true }).count(), 0);
    await picture(page, "traces");
  });
  await t.test("other signals, and a generator that plays", async () => {
    await page.getByRole("button", { name: "Simulated", exact: true }).click();
    const signals = page.getByRole("textbox", { name: "Signals", exact: true });
    const present = await page.evaluateHandle(() => window.scopething.transport.instrument);
    await signals.fill("A=sinus");
    await signals.press("Enter");
    await page.waitForFunction(() => document.getElementById("device-failure").textContent.includes("sinus"));
    await picture(page, "device");
    assert.ok(await page.evaluate((present) => window.scopething.transport.instrument === present, present), "the device was given up");
    await signals.fill("B=dc,1V&clock=fast");
    await page.getByRole("button", { name: "Use the simulated one", exact: true }).click();
    await page.waitForFunction(() => window.scopething.transport.signals.startsWith("B=dc"));
    await page.getByRole("button", { name: "Close", exact: true }).last().click();
    // A sees the generator where it has no other signal.
    await page.evaluate(() => window.scopething.command({ type: "generate", wave: "sine 3kHz 0V..2V" }));
    await set(page, { channels: { A: { on: true, volts_per_div: 1 }, B: { on: false } }, lines: [], time_per_div: 200e-6, trigger: { source: "A", level: 1 } });
    await page.evaluate(() => window.scopething.command({ type: "run", run: "run" }));
    await fresh(page);
    near(frequency(await samples(page, "A"), 1), 3000, 30, "frequency of the generator");
  });
  await t.test("captures a second", async (t) => {
    t.diagnostic(`simulated device that waits for nothing: ${await rates(page)}`);
  });
  await t.test("it can be read without eyes", async () => {
    await page.getByRole("button", { name: "Simulated", exact: true }).click();
    await page.evaluate(await readFile(axePath, "utf8"));
    const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
    assert.deepEqual(found.violations.map((one) => `${one.id}: ${one.nodes[0].html}`), []);
  });
  await page.context().close();
});

test("a link with signals that are not understood shows why, and others", async () => {
  const page = await open({ signals: "A=sinus,1kHz" });
  await page.getByRole("dialog", { name: "Device", exact: true }).waitFor();
  assert.match(await page.locator("#device-failure").textContent(), /sinus/);
  assert.match(await page.evaluate(() => window.scopething.transport.signals), /^A=sine/);
  near(frequency(await samples(page, "A"), 0), 1000, 2, "frequency of A");
  await page.context().close();
});

test("a BitScope behind Web Serial", async (t) => {
  let wire;
  const page = await open({ prepare: async (context) => { wire = await giveSerialPort(context, files, simulator.addresses.tcp); } });
  const device = (name) => page.waitForFunction((name) => document.body.dataset.device === name, name);
  await device("simulated");
  await t.test("captures are those of the device", async () => {
    await page.getByRole("button", { name: "Simulated", exact: true }).click();
    await page.getByRole("button", { name: "Connect a BitScope…" }).click();
    await device("BitScope");
    await page.getByRole("button", { name: "Close", exact: true }).last().click();
    await set(page, { channels: { A: { on: true, volts_per_div: 1 }, B: { on: true } }, time_per_div: 500e-6, trigger: { source: "A", level: 1.5, mode: "auto" } });
    const a = await samples(page, "A");
    near(Math.max(...a.values), 3, 0.05, "highest of A");
    near(Math.min(...a.values), 0, 0.05, "lowest of A");
    near(frequency(a, 1.5), 2000, 4, "frequency of A");
    const b = await samples(page, "B");
    assert.ok(b.values.every((value) => Math.abs(value - 1) < 0.05));
    near(frequency(await samples(page, "L"), 0.5), 1000, 10, "frequency of L0");
    await picture(page, "serial");
  });
  await t.test("captures a second", async (t) => {
    t.diagnostic(`over a serial port that is none, at the speed of the device's: ${await rates(page)}`);
  });
  await t.test("that it is unplugged is shown, and it goes on when it is back", async () => {
    await page.evaluate(() => window.serial.unplug());
    wire.close();
    await page.waitForFunction(() => document.getElementById("status-text").textContent === "The oscilloscope is unplugged");
    await picture(page, "unplugged");
    const seq = await page.evaluate(() => window.scopething.trace.seq);
    await page.evaluate(() => window.serial.plug());
    await page.waitForFunction((seq) => window.scopething.trace.seq > seq, seq, { timeout: 15_000 });
    await fresh(page);
    near(frequency(await samples(page, "A"), 1.5), 2000, 4, "frequency of A");
  });
  await t.test("a page that is loaded again has it at once", async () => {
    // As long as the browser keeps what the user has permitted.
    await page.addInitScript(() => { window.serial.isGranted = true; });
    await page.goto(files.link);
    await page.reload();
    await device("BitScope");
    await page.waitForFunction(() => window.scopething.trace);
  });
  await t.test("and gives it up for the simulated one", async () => {
    await page.getByRole("button", { name: "BitScope", exact: true }).click();
    await page.getByRole("button", { name: "Use the simulated one", exact: true }).click();
    await device("simulated");
    await fresh(page);
    near(frequency(await samples(page, "A"), 0), 1000, 2, "frequency of A");
  });
  await page.context().close();
});

test("Connect is disabled on a narrow page without Web Serial", async () => {
  const page = await open({ options: { viewport: { width: 390, height: 844 }, colorScheme: "light" }, prepare: (context) => context.addInitScript(() => { delete Navigator.prototype.serial; }) });
  await page.getByRole("button", { name: "Simulated", exact: true }).click();
  assert.ok(await page.getByRole("button", { name: "Connect a BitScope…" }).isDisabled());
  assert.ok(await page.getByText("This browser has no Web Serial").isVisible());
  await picture(page, "narrow");
  await page.context().close();
});

test("it works without a network", async () => {
  const page = await open();
  await page.evaluate(async () => { await navigator.serviceWorker.ready; });
  await files.close();
  await page.goto(files.link);
  await page.waitForFunction(() => window.scopething?.trace);
  near(frequency(await samples(page, "A"), 0), 1000, 2, "frequency of A");
  assert.ok(await page.evaluate(() => navigator.serviceWorker.controller !== null));
  await page.context().close();
  files = null;
});

test("nothing was reported, and nothing asked for elsewhere", () => {
  assert.deepEqual(problems, []);
});

// The page: what is set and what is seen, brought together.

import { analysePanel, el, generatorPanel, measurePanel, Panel, scopePanel } from "./controls.js";
import { Average } from "./dsp.js";
import { copy, download, picture } from "./exporting.js";
import { decode, elements, indexAt, levelOf, linesOf, voltAt, voltsOf } from "./frame.js";
import { historyPanel } from "./history.js";
import { actionFor, fillHelp } from "./keys.js";
import * as masks from "./masks.js";
import { around, crossings, kindsFor, Statistics, valueOf } from "./measure.js";
import { colours, Geometry, Screen, spectrumHz, spectrumOf } from "./screen.js";
import * as store from "./store.js";
import { Transport } from "./transport.js";
import { format, short, step125 } from "./units.js";

const $ = (id) => document.getElementById(id);
/** How long a wait must last to be shown as one, so that the line does not flicker with each trace. */
const WAIT_SHOWN_MS = 350;
const MAX_REFERENCES = 4;
const HANDLE_HEIGHT = 21;
const TOAST_MS = 6000;
const PANELS = [
  ["scope", "Scope", scopePanel], ["measure", "Measure", measurePanel], ["analyse", "Analyse", analysePanel],
  ["generator", "Output", generatorPanel], ["history", "Traces", historyPanel],
];

class App {
  constructor() {
    this.state = null;
    this.view = store.load();
    this.trace = null;
    /** The last trace as it came: `trace` may be a mean. */
    this.last = null;
    this.kept = null;
    /** The trace of the history that was asked for. */
    this.wantedKept = null;
    this.references = [];
    this.mask = null;
    this.violations = null;
    this.maskCounts = { pass: 0, fail: 0, lost: 0 };
    this.measured = null;
    this.statistics = new Map();
    this.average = new Average(this.view.averages);
    this.status = { state: "stopped" };
    this.statusSince = performance.now();
    this.rates = { at: 0, traces: 0, seen: null, dead: null };
    this.selected = "A";
    this.hover = null;
    this.fresh = false;
    this.dirty = true;
    this.moved = true;
    this.link = "connecting";
    /** The numbers of frames that arrived and are not on the screen yet. */
    this.undrawn = [];
    this.frames = 0;
    this.screen = new Screen($("screen"));
    this.panel = new Panel(this);
    this.offered = this.takeLink();
    this.theme();
    this.build();
    this.transport = new Transport({
      state: (state) => this.takeState(state),
      status: (status) => this.takeStatus(status),
      frame: (buffer) => this.takeFrame(buffer),
      measurements: (measured) => this.takeMeasurements(measured),
      link: (link, reason) => this.takeLinkState(link, reason),
    });
    const tick = () => {
      this.render();
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
    setInterval(() => this.figures(), 500);
  }

  takeLink() {
    const text = store.takeParameter("s");
    if (!text) return null;
    const carried = store.fromLink(text);
    if (carried) this.view = carried.view;
    else this.toast("The settings in this link cannot be read: they are left as they are.");
    return carried?.settings ?? null;
  }

  // What arrives.

  takeState(state) {
    const first = this.state === null;
    const changed = !first && JSON.stringify(this.state.settings) !== JSON.stringify(state.settings);
    this.state = state;
    document.body.dataset.run = state.run;
    document.body.dataset.role = state.role;
    if (first) this.buildPanels();
    if (changed) this.forgetWhatWasMeasured();
    if (first && this.offered && state.role === "control") this.set(this.offered);
    this.offered = null;
    $("run").textContent = state.run === "stop" ? "Run" : "Stop";
    for (const id of ["run", "single", "force", "autoset"]) $(id).disabled = state.role !== "control";
    this.panel.update();
    this.showActual();
    this.showStatus();
    this.askForView();
    this.moved = true;
    this.dirty = true;
  }

  takeStatus(status) {
    if (status.state !== this.status.state || status.until !== this.status.until) this.statusSince = performance.now();
    this.status = status;
    this.showStatus();
    this.dirty = true;
  }

  takeFrame(buffer) {
    let trace;
    try {
      trace = decode(buffer);
    } catch (error) {
      this.toast(error.message);
      return;
    }
    const again = this.trace?.seq === trace.seq;
    const means = this.trace?.averaged;
    this.statusSince = performance.now();
    this.frames += 1;
    if (!again) this.count(trace);
    this.last = trace;
    if (this.view.averages > 1 && !again) trace = this.average.add(trace);
    else if (again && this.view.averages > 1 && this.trace.averaged) trace = this.trace;
    if (!again) this.test(trace);
    this.trace = trace;
    this.moved ||= trace.averaged !== means;
    this.fresh = !again;
    this.dirty = true;
    this.undrawn.push(trace.seq);
    this.showStatus();
  }

  takeMeasurements(measured) {
    // What was captured before a change does not count for what is set now.
    if (this.trace?.seq === measured.seq && this.trace.changes !== this.state?.changes) return;
    this.measured = measured;
    for (const wanted of this.view.measurements) {
      const key = `${wanted.channel}.${wanted.name}`;
      if (!this.statistics.has(key)) this.statistics.set(key, new Statistics());
      this.statistics.get(key).add(valueOf(measured, wanted.channel, wanted.name));
    }
    this.showReadings();
  }

  takeLinkState(link, reason) {
    this.link = link;
    this.linkReason = reason;
    document.body.dataset.link = link;
    this.showStatus();
    this.dirty = true;
  }

  count(trace) {
    this.rates.traces += 1;
    if (trace.dead !== null) this.rates.dead = mixed(this.rates.dead, trace.dead);
    if (trace.seen !== null) this.rates.seen = mixed(this.rates.seen, trace.seen);
  }

  test(trace) {
    if (!this.mask) return;
    this.violations = masks.violations(this.mask, trace);
    if (this.violations === null) this.maskCounts.lost += 1;
    else if (this.violations.length === 0) this.maskCounts.pass += 1;
    else {
      this.maskCounts.fail += 1;
      if (this.view.mask.stop) this.command({ type: "run", run: "stop" });
    }
    if (this.view.panel === "analyse") this.panel.update();
  }

  forgetWhatWasMeasured() {
    this.resetStatistics();
    this.average.reset();
    this.rates.dead = null;
    this.rates.seen = null;
  }

  /** The trace on the screen: one of the history, or the last live one. */
  get shown() {
    return this.kept ?? this.trace;
  }

  // What is asked for.

  command(message) {
    this.flush();
    return this.transport.command(message).catch((error) => this.toast(error.message));
  }

  set(settings) {
    return this.command({ type: "set", settings });
  }

  /** Settings that follow one another quickly: the last of them counts. */
  setSoon(settings) {
    this.soon = settings;
    this.soonTimer ??= setTimeout(() => this.flush(), 30);
  }

  /** Sends the settings that were still to follow: nothing overtakes them. */
  flush() {
    if (!this.soonTimer) return;
    clearTimeout(this.soonTimer);
    this.soonTimer = null;
    this.set(this.soon);
  }

  look(change) {
    this.view = { ...this.view, ...change };
    if ("averages" in change) {
      this.average = new Average(this.view.averages);
      // Also where no other trace follows.
      this.trace = this.last;
    }
    if ("measurements" in change) this.forgetRemoved();
    store.save(this.view);
    this.panel.update();
    this.showReadings();
    this.askForView();
    this.moved = true;
    this.dirty = true;
  }

  askForView() {
    if (!this.state) return;
    const { view } = this;
    const whole = view.averages > 1 || view.math !== "off" || view.spectrum !== "off" || view.xy;
    const wish = { paced: true, measure: view.measurements.length > 0, rate: document.hidden ? 1 : 60 };
    if (!whole) {
      wish.columns = Math.max(100, this.screen.canvas.width);
      if (this.trace) {
        const part = this.geometry().part(this.trace.duration, this.trace.trigger);
        if (part.to > part.from) Object.assign(wish, { from: Number(part.from.toFixed(6)), to: Number(part.to.toFixed(6)) });
      }
    }
    this.transport?.view(wish);
  }

  startGenerator() {
    const { shape, frequency, low, high, symmetry } = this.view.generator;
    const bare = (text) => text.replaceAll(" ", "");
    return this.command({ type: "generate", wave: `${shape} ${bare(frequency)} ${bare(low)}..${bare(high)} ${bare(symmetry)}` });
  }

  startClock() {
    const { clock, duty, line } = this.view.generator;
    return this.command({ type: "generate", clock: `${clock.replaceAll(" ", "")} ${line} ${duty.replaceAll(" ", "")}` });
  }

  hold() {
    return this.command({ type: "generate", hold: this.view.generator.hold });
  }

  stopGenerator() {
    return this.command({ type: "generate" });
  }

  addMeasurement(wanted) {
    const same = this.view.measurements.some((one) => one.channel === wanted.channel && one.name === wanted.name);
    if (!same) this.look({ measurements: [...this.view.measurements, wanted] });
  }

  /** A measurement that is added again later begins anew. */
  forgetRemoved() {
    const wanted = new Set(this.view.measurements.map(({ channel, name }) => `${channel}.${name}`));
    for (const key of this.statistics.keys()) if (!wanted.has(key)) this.statistics.delete(key);
  }

  resetStatistics() {
    this.statistics.clear();
    this.showReadings();
  }

  removeReference(index) {
    this.references = this.references.filter((_, one) => one !== index);
    this.panel.update();
    this.dirty = true;
  }

  removeMask() {
    this.mask = null;
    this.violations = null;
    this.maskCounts = { pass: 0, fail: 0, lost: 0 };
    this.panel.update();
    this.dirty = true;
  }

  async showKept(seq) {
    this.wantedKept = seq;
    try {
      const trace = decode(await this.transport.trace(seq));
      // Another one, or the live ones, may be wanted by now.
      if (this.wantedKept !== seq) return;
      this.kept = trace;
      this.moved = true;
      this.dirty = true;
      this.showStatus();
      this.toast(`Trace ${seq} is shown; “Back to live” returns.`, true);
    } catch (error) {
      this.toast(error.message);
    }
  }

  /** Whoever asks for a trace wants to see it, and not one of the history. */
  acquire(message) {
    this.backToLive();
    return this.command(message);
  }

  backToLive() {
    this.wantedKept = null;
    this.kept = null;
    this.moved = true;
    this.dirty = true;
    this.showStatus();
  }

  async compare(seq, name) {
    try {
      this.addReference(decode(await this.transport.trace(seq)), name);
    } catch (error) {
      this.toast(error.message);
    }
  }

  addReference(trace, name) {
    this.references = [...this.references, { trace, name }].slice(-MAX_REFERENCES);
    this.panel.update();
    this.dirty = true;
  }

  async save(kind) {
    const trace = this.shown;
    if (!trace) {
      this.toast("There is no trace to save yet.");
      return;
    }
    try {
      download(await this.transport.file(trace.seq, kind), `scopething-${trace.seq}.${kind}`);
    } catch (error) {
      this.toast(error.message);
    }
  }

  // Actions of buttons and keys.

  do(name) {
    if (name !== "help" && !this.state) return;
    this.actions()[name]?.();
  }

  actions() {
    const s = this.state?.settings;
    const own = s?.channels[this.selected];
    const limits = this.state?.limits;
    const channel = (change) => this.set({ channels: { [this.selected]: change } });
    const toggle = (name) => this.set({ channels: { [name]: { on: !s.channels[name].on } } });
    const next = (all, now) => all[(all.indexOf(now) + 1) % all.length];
    const volts = (direction) => channel({ volts_per_div: step125(own.volts_per_div, direction, ...limits.volts_per_div.map((one) => one * own.probe)) });
    const time = (direction) => this.set({ time_per_div: step125(s.time_per_div, direction, ...limits.time_per_div) });
    const move = (direction) => channel({ middle: Number((own.middle - direction * own.volts_per_div / 2).toPrecision(6)) });
    const position = (by) => this.set({ position: Math.min(1, Math.max(0, Math.round((s.position + by) * 100) / 100)) });
    const level = (direction) => {
      if (s.trigger.level !== null) this.set({ trigger: { level: Number((s.trigger.level + direction * this.triggerScale() / 10).toPrecision(6)) } });
    };
    return {
      toggleRun: () => this.acquire({ type: "run", run: this.state.run === "stop" ? "run" : "stop" }),
      single: () => this.acquire({ type: "run", run: "single" }),
      force: () => this.acquire({ type: "force" }),
      autoset: () => this.acquire({ type: "autoset" }),
      toggleA: () => toggle("A"),
      toggleB: () => toggle("B"),
      toggleLines: () => this.set({ lines: s.lines.length ? [] : ["L"] }),
      selectNext: () => {
        this.selected = this.selected === "A" ? "B" : "A";
        this.toast(`Channel ${this.selected} is selected`, true);
      },
      voltsUp: () => volts(1),
      voltsDown: () => volts(-1),
      moveUp: () => move(1),
      moveDown: () => move(-1),
      timeUp: () => time(1),
      timeDown: () => time(-1),
      positionLeft: () => position(-0.05),
      positionRight: () => position(0.05),
      levelUp: () => level(1),
      levelDown: () => level(-1),
      levelMiddle: () => this.command({ type: "level" }),
      nextSource: () => this.set({ trigger: { source: next(["A", "B", "L0=1"], s.trigger.source) } }),
      nextType: () => this.set({ trigger: { type: next(limits.trigger_types, s.trigger.type) } }),
      nextMode: () => this.set({ trigger: { mode: next(limits.trigger_modes, s.trigger.mode) } }),
      toggleHair: () => this.set({ trigger: { hair: !s.trigger.hair } }),
      toggleBits: () => this.set({ bits: next(limits.bits, s.bits) }),
      toggleGenerator: () => (this.state.generator.text ? this.stopGenerator() : this.startGenerator()),
      cursorsTime: () => this.look({ cursors: { ...this.view.cursors, time: !this.view.cursors.time } }),
      cursorsVolts: () => this.look({ cursors: { ...this.view.cursors, volts: !this.view.cursors.volts } }),
      nextAverages: () => this.look({ averages: next([1, 4, 16, 64], this.view.averages) }),
      nextPersistence: () => this.look({ persistence: next(["off", "short", "long", "infinite"], this.view.persistence) }),
      nextSpectrum: () => this.look({ spectrum: next(["off", "A", "B", "M"], this.view.spectrum) }),
      nextMath: () => this.look({ math: next(["off", "A+B", "A−B", "A×B"], this.view.math) }),
      toggleXY: () => this.look({ xy: !this.view.xy }),
      reference: () => {
        const trace = this.shown;
        if (trace) this.addReference(trace, `Trace ${trace.seq}`);
      },
      mask: () => this.makeMask(),
      zoomIn: () => this.zoom(0.5, 0.5),
      zoomOut: () => this.zoom(2, 0.5),
      zoomReset: () => this.look({ zoom: { from: 0, to: 1 } }),
      savePng: async () => download(await picture(this.screen.canvas, this.captions(), this.ink()), `scopething-${this.shown?.seq ?? 0}.png`),
      saveCsv: () => this.save("csv"),
      help: () => $("keys").showModal(),
    };
  }

  makeMask() {
    const trace = this.shown;
    if (!trace) return;
    const { channel, dx, dy } = this.view.mask;
    const s = this.state.settings;
    this.removeMask();
    this.mask = masks.make(trace, channel, dx * s.time_per_div, dy * s.channels[channel].volts_per_div);
    if (!this.mask) this.toast(`Channel ${channel} was not captured: choose the other one, or turn it on.`);
    this.panel.update();
    this.dirty = true;
  }

  /** Zooms about a place of the present window. */
  zoom(factor, about) {
    const { from, to } = this.view.zoom;
    const width = Math.min(1, Math.max(store.MIN_ZOOM, (to - from) * factor));
    const centre = from + about * (to - from);
    const start = Math.min(1 - width, Math.max(0, centre - about * width));
    this.look({ zoom: { from: start, to: start + width } });
  }

  /** Volts a division of what the trigger watches. */
  triggerScale() {
    const { trigger, channels } = this.state.settings;
    return channels[trigger.source]?.volts_per_div ?? 1;
  }

  // What is shown.

  geometry() {
    const [width, height] = this.screen.size;
    const captured = this.state.actual.channels ?? [];
    const lines = [0, 1, 2, 3, 4, 5, 6, 7].filter((line) => captured.includes(`L${line}`));
    return new Geometry(width, height, this.state.settings, this.state.limits, this.view, lines);
  }

  render() {
    if (this.screen.resize()) {
      this.askForView();
      this.moved = true;
      this.dirty = true;
    }
    if (this.dirty && this.state) {
      this.dirty = false;
      this.screen.draw({
        geometry: this.geometry(),
        trace: this.shown,
        view: this.view,
        colours: this.ink(),
        references: this.references,
        mask: this.mask,
        violations: this.kept ? null : this.violations,
        hover: this.hover,
        fresh: this.fresh && !this.kept,
      });
      this.fresh = false;
    }
    if (this.moved && this.state) {
      this.moved = false;
      this.placeHandles();
    }
    for (const seq of this.undrawn) this.transport.drawn(seq);
    this.undrawn = [];
  }

  figures() {
    const now = performance.now();
    const passed = (now - this.rates.at) / 1000;
    const rate = this.rates.traces / passed;
    Object.assign(this.rates, { at: now, traces: 0 });
    if (!this.state) return;
    const running = this.state.run !== "stop" && this.link === "open";
    $("fig-rate").textContent = running && rate > 0 ? `${rate.toFixed(rate < 10 ? 1 : 0)} /s` : "—";
    $("fig-seen").textContent = this.rates.seen === null ? "unknown" : format(this.rates.seen, "%", 3);
    $("fig-dead").textContent = this.rates.dead === null ? "unknown" : format(this.rates.dead, "s", 3);
    this.showStatus();
    const trace = this.shown;
    $("screen").setAttribute("aria-label", trace ? this.captions().join(". ") : "No trace yet");
  }

  captions() {
    const trace = this.shown;
    const s = this.state.settings;
    const channels = ["A", "B"].filter((name) => s.channels[name].on);
    const scales = channels.map((name) => `${name} ${short(s.channels[name].volts_per_div, "V")}/div around ${short(s.channels[name].middle, "V")}`);
    return [
      `${scales.join(", ")}${scales.length ? ", " : ""}${short(s.time_per_div, "s")}/div; trigger ${s.trigger.source} ${s.trigger.type}${s.trigger.level === null ? "" : ` ${format(s.trigger.level, "V")}`}`,
      trace ? `Trace ${trace.seq}, ended by ${trace.ended}, ${format(trace.rate, "Hz", 4)}, ${new Date(trace.unix_ms).toISOString()}` : "No trace",
    ];
  }

  showActual() {
    const { actual, settings } = this.state;
    const place = $("actual");
    if (actual.error) {
      place.replaceChildren(el("span", { className: "adjusted" }, actual.error));
      return;
    }
    const parts = [
      `${format(actual.sample_rate, "Hz", 4)}`, `${actual.samples} samples`, `${actual.bits} bits`, `mode ${actual.mode}`,
      actual.input_range ? `input ${format(actual.input_range[0], "V")} to ${format(actual.input_range[1], "V")}` : null,
    ].filter(Boolean);
    const asked = settings.time_per_div * this.state.limits.horizontal_divisions;
    const adjusted = [...actual.notices];
    if (Math.abs(actual.duration / asked - 1) > 0.02) adjusted.unshift(`captures ${format(actual.duration, "s", 4)} instead of ${format(asked, "s", 4)}`);
    if (Math.abs(actual.position - settings.position) > 0.01) adjusted.unshift(`trigger at ${format(actual.position, "%")} of the trace`);
    place.replaceChildren(parts.join(" · "), ...(adjusted.length ? [el("span", { className: "adjusted" }, ` · ${adjusted.join(" · ")}`)] : []));
  }

  showStatus() {
    let [lamp, text, notice] = ["", "Stopped", ""];
    const waited = performance.now() - this.statusSince;
    const { state: what } = this.status;
    if (this.link === "refused") {
      [lamp, text] = ["bad", "No access"];
      notice = this.linkReason;
    } else if (what === "closed" && this.link !== "open") {
      [lamp, text] = ["bad", "The oscilloscope is gone"];
      notice = `The oscilloscope is gone: ${this.status.reason}. Plug it in and start the program again; this page connects by itself.`;
    } else if (this.link !== "open") {
      [lamp, text] = ["bad", "No connection"];
      notice = this.state ? "The connection is lost: trying again…" : "Connecting to the oscilloscope…";
    } else if (what === "refused") {
      [lamp, text] = ["bad", this.status.reason];
      notice = this.status.reason;
    } else if (this.kept) {
      [lamp, text] = ["", `Shows trace ${this.kept.seq} of the history`];
    } else if (what === "waiting" && this.state?.run !== "stop") {
      const long = waited > WAIT_SHOWN_MS;
      [lamp, text] = long || this.state?.run === "single" ? ["wait", `Waiting for ${this.status.until}`] : ["good", "Running"];
      if (long && !this.trace) notice = `Waiting for ${this.status.until}. “Force” captures now.`;
    } else if (this.state?.run === "stop") {
      [lamp, text] = ["", this.trace ? "Stopped" : "Stopped: “Run” or “Single” captures"];
      if (!this.trace) notice = "Stopped. “Run” starts.";
    }
    if ($("status").dataset.lamp !== lamp) $("status").dataset.lamp = lamp;
    if ($("status-text").textContent !== text) $("status-text").textContent = text;
    if ($("notice").hidden !== (notice === "")) $("notice").hidden = notice === "";
    if (notice && $("notice-text").textContent !== notice) $("notice-text").textContent = notice;
    const trace = this.shown;
    const ended = trace ? trace.ended : "—";
    if ($("fig-ended").textContent !== ended) $("fig-ended").textContent = ended;
  }

  showReadings() {
    const { measurements } = this.view;
    const key = JSON.stringify(measurements);
    // Rows stay while their values change: what is being clicked is not replaced.
    if (key !== this.readingsKey) {
      this.readingsKey = key;
      this.buildReadings(measurements);
    }
    for (const { key: of, unit, cells } of this.readings) {
      const s = this.statistics.get(of);
      const texts = s
        ? [s.last === null ? "unknown" : format(s.last, unit, 4), ...[s.mean, s.min, s.max, s.deviation].map((value) => format(value, unit, 4)), String(s.n)]
        : ["—", "—", "—", "—", "—", "0"];
      cells.forEach((cell, index) => { if (cell.textContent !== texts[index]) cell.textContent = texts[index]; });
    }
  }

  buildReadings(measurements) {
    const head = ["Measurement", "Now", "Mean", "Min", "Max", "σ", "n", ""];
    this.readings = [];
    const body = measurements.map((wanted, index) => {
      const [, words, unit] = kindsFor(wanted.channel).find(([name]) => name === wanted.name) ?? ["", wanted.name, ""];
      const key = `${wanted.channel}.${wanted.name}`;
      const cells = [el("td", { className: "now" }), ...head.slice(2, -1).map(() => el("td", {}))];
      this.readings.push({ key, unit, cells });
      return el("tr", { "data-measurement": key }, el("th", { scope: "row" }, `${wanted.channel} ${words}`), ...cells,
        el("td", {}, el("button", { type: "button", "aria-label": `Remove ${wanted.channel} ${words}`, onclick: () => this.look({ measurements: measurements.filter((_, one) => one !== index) }) }, "×")));
    });
    $("readings").replaceChildren(...(measurements.length === 0 ? [] : [el("table", {},
      el("thead", {}, el("tr", {}, ...head.map((name) => (name ? el("th", { scope: "col" }, name) : el("td", {}))))),
      el("tbody", {}, ...body))]));
  }

  theme() {
    const { theme } = this.view;
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    this.recolour();
  }

  recolour() {
    this.inks = null;
    this.labelsKey = "";
    this.moved = true;
    this.dirty = true;
  }

  /** The colours of the theme, which take time to find. */
  ink() {
    this.inks ??= colours(document.body);
    return this.inks;
  }

  toast(text, good = false) {
    const place = $("toasts");
    const one = el("div", { className: good ? "good" : "" }, text);
    place.append(one);
    while (place.children.length > 3) place.firstChild.remove();
    setTimeout(() => one.remove(), TOAST_MS);
  }

  // What is on the screen to be dragged.

  placeHandles() {
    if (!this.state) return;
    const g = this.geometry();
    const s = this.state.settings;
    const ink = this.ink();
    const wanted = new Map();
    for (const name of ["A", "B"]) {
      if (!s.channels[name].on || this.view.xy) continue;
      const scale = s.channels[name].volts_per_div;
      wanted.set(`zero-${name}`, {
        className: "handle left", text: name, colour: ink[name], y: clamp(g.y(name, 0), 0, g.bottom), label: `Position of ${name}`,
        value: s.channels[name].middle, words: `${format(s.channels[name].middle, "V")} in the middle of the screen`,
        drag: (x, y) => this.setSoon({ channels: { [name]: { middle: rounded(((y - g.bottom / 2) / (g.bottom / g.rows)) * scale, scale / 20) } } }),
        step: (direction) => this.set({ channels: { [name]: { middle: rounded(s.channels[name].middle - direction * scale / 10, scale / 20) } } }),
      });
    }
    const source = s.trigger.source;
    if (s.trigger.level !== null && s.channels[source]?.on && !this.view.xy) {
      const scale = s.channels[source].volts_per_div;
      wanted.set("level", {
        className: "handle right", text: "T", colour: ink.trigger, y: clamp(g.y(source, s.trigger.level), 0, g.bottom), label: "Trigger level",
        value: s.trigger.level, words: format(s.trigger.level, "V"),
        drag: (x, y) => this.setSoon({ trigger: { level: rounded(g.volts(source, clamp(y, 0, g.bottom)), scale / 50) } }),
        step: (direction) => this.set({ trigger: { level: rounded(s.trigger.level + direction * scale / 10, scale / 50) } }),
      });
    }
    if (!this.view.xy) {
      wanted.set("position", {
        className: "handle top", text: "T", colour: ink.trigger, x: clamp(g.x(0), 0, g.width), label: "Trigger position",
        value: s.position, words: `${format(s.position, "%")} of the screen`,
        drag: (x) => this.setSoon({ position: clamp(round(this.view.zoom.from + (x / g.width) * (this.view.zoom.to - this.view.zoom.from)), 0, 1) }),
        step: (direction) => this.set({ position: clamp(round(s.position + direction * 0.01), 0, 1) }),
      });
    }
    // Two that lie over one another are both to be gripped.
    const [a, b] = [wanted.get("zero-A"), wanted.get("zero-B")];
    if (a && b && Math.abs(a.y - b.y) < HANDLE_HEIGHT) {
      const first = a.y <= b.y ? a : b;
      const second = first === a ? b : a;
      const middle = (a.y + b.y) / 2;
      [first.y, second.y] = [middle - HANDLE_HEIGHT / 2, middle + HANDLE_HEIGHT / 2];
    }
    this.wantCursors(wanted, g);
    this.keepHandles(wanted, g);
    this.placeLabels(g, ink);
    this.placeZoom();
    this.showCursors(g);
  }

  wantCursors(wanted, g) {
    const c = this.view.cursors;
    const cursor = (key, change, along, words) => ({
      text: key.slice(1), label: `Cursor ${key}`, value: round(c[key] * 100), words,
      ...(along === "x" ? { className: "handle cursor-t", x: c[key] * g.width } : { className: "handle cursor-v", y: c[key] * g.bottom }),
      drag: (x, y) => this.look({ cursors: { ...c, [key]: clamp(along === "x" ? x / g.width : y / g.bottom, 0, 1) } }),
      step: (direction) => this.look({ cursors: { ...c, [key]: clamp(c[key] + (along === "x" ? direction : -direction) * change, 0, 1) } }),
    });
    if (this.view.xy) return;
    if (c.time) for (const key of ["t1", "t2"]) wanted.set(key, cursor(key, 1 / 400, "x", format(g.time(c[key] * g.width), "s", 4)));
    if (c.volts) for (const key of ["v1", "v2"]) wanted.set(key, cursor(key, 1 / 400, "y", format(g.volts(c.channel, c[key] * g.bottom), "V", 4)));
  }

  keepHandles(wanted, g) {
    this.handles ??= new Map();
    for (const [key, handle] of this.handles) {
      if (!wanted.has(key)) {
        handle.remove();
        this.handles.delete(key);
      }
    }
    for (const [key, want] of wanted) {
      let handle = this.handles.get(key);
      if (!handle) {
        handle = this.makeHandle(key);
        this.handles.set(key, handle);
        $("handles").append(handle);
      }
      handle.want = want;
      if (handle.className !== want.className) handle.className = want.className;
      if (handle.textContent !== want.text) handle.textContent = want.text;
      handle.style.background = want.colour ?? "";
      handle.style.left = want.x === undefined ? "" : `${want.x}px`;
      handle.style.top = want.y === undefined ? "" : `${want.y}px`;
      if (want.className.includes("cursor-t")) handle.style.height = `${g.spectrumTop}px`;
      set(handle, "aria-label", want.label);
      set(handle, "aria-valuenow", String(want.value));
      set(handle, "aria-valuetext", want.words);
    }
  }

  makeHandle(key) {
    const handle = el("div", { role: "slider", tabIndex: 0, "data-handle": key });
    handle.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      handle.focus();
      handle.setPointerCapture(event.pointerId);
      const box = $("stage").getBoundingClientRect();
      const grip = handle.getBoundingClientRect();
      // The place that was gripped stays under the pointer.
      const off = [event.clientX - (grip.left + grip.width / 2), event.clientY - (grip.top + grip.height / 2)];
      const move = (at) => handle.want?.drag(at.clientX - box.left - off[0], at.clientY - box.top - off[1]);
      const up = () => {
        handle.removeEventListener("pointermove", move);
        handle.removeEventListener("pointerup", up);
        handle.removeEventListener("pointercancel", up);
      };
      handle.addEventListener("pointermove", move);
      handle.addEventListener("pointerup", up);
      handle.addEventListener("pointercancel", up);
    });
    handle.addEventListener("keydown", (event) => {
      const direction = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 10, PageDown: -10 }[event.key];
      if (!direction) return;
      event.preventDefault();
      handle.want?.step(direction);
    });
    return handle;
  }

  placeLabels(g, ink) {
    const s = this.state.settings;
    const key = JSON.stringify([s, g.lines, g.lanes, g.bottom, this.view.zoom, this.view.math, this.view.averages, document.documentElement.dataset.theme, this.shown?.averaged]);
    if (key === this.labelsKey) return;
    this.labelsKey = key;
    const labels = [];
    const label = (text, colour) => {
      const one = el("span", {}, text);
      one.style.color = colour;
      labels.push(one);
    };
    for (const name of ["A", "B"]) if (s.channels[name].on) label(`${name}  ${short(s.channels[name].volts_per_div, "V")}/div`, ink[name]);
    label(`${short((g.to - g.from) / g.columns, "s")}/div`, ink.text);
    if (this.view.math !== "off") label(this.view.math, ink.M);
    if (this.shown?.averaged) label(`mean of ${this.shown.averaged}`, ink.text);
    $("scales").replaceChildren(...labels);
    for (const old of document.querySelectorAll(".lane-name")) old.remove();
    if (this.view.xy) return;
    for (const line of g.lines) {
      const { top, height } = g.lane(line);
      const name = el("span", { className: "lane-name", "aria-hidden": "true" }, `L${line}`);
      name.style.top = `${top + height / 2 - 8}px`;
      $("handles").append(name);
    }
  }

  placeZoom() {
    const { from, to } = this.view.zoom;
    const place = $("overview-window");
    place.style.left = `${from * 100}%`;
    place.style.width = `${Math.max(0.5, (to - from) * 100)}%`;
    set(place, "aria-valuenow", String(Math.round(from * 100)));
    set(place, "aria-valuetext", to - from > 0.999 ? "The whole screen" : `${format(to - from, "%")} of the screen, from ${format(from, "%")} on`);
  }

  showCursors(g) {
    const c = this.view.cursors;
    const readout = this.panel.cursorReadout;
    if (!readout) return;
    const parts = [];
    if (c.time) {
      const [t1, t2] = [g.time(c.t1 * g.width), g.time(c.t2 * g.width)];
      parts.push(`t1 ${format(t1, "s", 4)}, t2 ${format(t2, "s", 4)}, Δt ${format(t2 - t1, "s", 4)}, 1/Δt ${format(t1 === t2 ? null : 1 / Math.abs(t2 - t1), "Hz", 4)}`);
    }
    if (c.volts) {
      const [v1, v2] = [g.volts(c.channel, c.v1 * g.bottom), g.volts(c.channel, c.v2 * g.bottom)];
      parts.push(`V1 ${format(v1, "V", 4)}, V2 ${format(v2, "V", 4)}, ΔV ${format(v2 - v1, "V", 4)}`);
    }
    const text = parts.join("; ") || "Drag the cursors, or move them by arrow keys.";
    if (readout.textContent !== text) readout.textContent = text;
  }

  hoverAt(x, y) {
    const trace = this.shown;
    if (!this.view.hover || !trace || this.view.xy || !this.state) return this.leave();
    const g = this.geometry();
    if (y > g.spectrumTop) return this.hoverSpectrum(g, trace, x, y);
    const time = g.time(x);
    const lines = [`${format(time, "s", 4)}`];
    for (const name of ["A", "B"]) {
      if (trace.channels[name]) lines.push(`${name}  ${format(voltAt(trace.channels[name], time + trace.trigger), "V", 4)}`);
    }
    const { L } = trace.channels;
    if (L) {
      const at = indexAt(L, time + trace.trigger);
      lines.push(linesOf(L).map((line) => `L${line}=${"01↕"[levelOf(L, line, at)]}`).join(" "));
    }
    const pulse = this.pulseAt(g, trace, time, y);
    if (pulse) {
      lines.push(`${pulse.name} ${pulse.high ? "high" : "low"} ${format(pulse.width, "s", 4)}${pulse.period ? `, period ${format(pulse.period, "s", 4)}, ${format(1 / pulse.period, "Hz", 4)}` : ""}`);
    }
    this.hover = { x, y, pulse };
    this.showTip(x, y, lines);
  }

  hoverSpectrum(g, trace, x, y) {
    const found = spectrumOf(trace, this.view);
    if (!found) return this.leave();
    const hz = spectrumHz(found, x, g.width);
    const db = found.db[Math.min(found.db.length - 1, Math.round(hz / found.binHz))];
    this.hover = null;
    this.showTip(x, y, [format(hz, "Hz", 4), format(db, "dBV", 3)]);
  }

  /** The pulse under the pointer: of the lane, or of the channel whose trace is nearest. */
  pulseAt(g, trace, time, y) {
    let [name, channel, line] = [null, null, null];
    if (y > g.bottom && trace.channels.L) {
      line = g.lines.find((one) => y >= g.lane(one).top && y < g.lane(one).top + g.lane(one).height) ?? null;
      if (line === null) return null;
      [name, channel] = [`L${line}`, trace.channels.L];
    } else {
      let best = 60;
      for (const one of ["A", "B"]) {
        const candidate = trace.channels[one];
        if (!candidate || !this.state.settings.channels[one].on) continue;
        const [low, high] = voltsOf(candidate, indexAt(candidate, time + trace.trigger));
        const distance = Math.max(0, y - g.y(one, low), g.y(one, high) - y);
        if (distance < best) [best, name, channel] = [distance, one, candidate];
      }
    }
    if (!channel || elements(channel) < 3) return null;
    const found = around(crossings(channel, line), time + trace.trigger);
    return found && { ...found, name, from: found.from - trace.trigger, to: found.to - trace.trigger };
  }

  showTip(x, y, lines) {
    const tip = $("tip");
    tip.hidden = false;
    tip.textContent = lines.join("\n");
    const [width] = this.screen.size;
    tip.style.left = `${x > width - 260 ? x - tip.offsetWidth - 14 : x + 14}px`;
    tip.style.top = `${Math.max(0, y - 20)}px`;
    this.dirty = true;
  }

  leave() {
    if (this.hover) this.dirty = true;
    this.hover = null;
    $("tip").hidden = true;
  }

  // The page itself.

  build() {
    const on = (id, action) => $(id).addEventListener("click", () => this.do(action));
    on("run", "toggleRun");
    on("single", "single");
    on("force", "force");
    on("autoset", "autoset");
    on("help", "help");
    $("theme").addEventListener("click", () => {
      const dark = getComputedStyle(document.documentElement).colorScheme === "dark";
      this.view.theme = dark ? "light" : "dark";
      store.save(this.view);
      this.theme();
    });
    $("share").addEventListener("click", async () => {
      if (!this.state) return;
      const address = `${location.origin}${location.pathname}#s=${store.toLink(this.state.settings, this.view)}`;
      const copied = await copy(address);
      if (!copied) prompt("Copy this link", address);
      else this.toast("The link is copied; it carries all settings.", true);
    });
    fillHelp($("keys"));
    document.addEventListener("keydown", (event) => {
      const action = actionFor(event);
      if (!action) return;
      event.preventDefault();
      this.do(action);
    });
    document.addEventListener("visibilitychange", () => this.askForView());
    matchMedia("(prefers-color-scheme: light)").addEventListener("change", () => {
      this.recolour();
    });
    this.buildPointer();
    this.buildOverview();
    this.buildTabs();
    $("panels").addEventListener("click", (event) => {
      if (this.state?.role === "view" && event.target.closest("button")) this.panel.update();
    });
  }

  buildPointer() {
    const canvas = $("screen");
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    canvas.addEventListener("pointermove", (event) => this.hoverAt(...at(event)));
    canvas.addEventListener("pointerdown", (event) => this.hoverAt(...at(event)));
    canvas.addEventListener("pointerleave", () => this.leave());
    canvas.addEventListener("dblclick", () => this.do("zoomReset"));
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const [width] = this.screen.size;
      if (event.shiftKey) this.pan(Math.sign(event.deltaY || event.deltaX) * 0.1);
      else this.zoom(event.deltaY < 0 ? 0.8 : 1.25, at(event)[0] / width);
    }, { passive: false });
    // Two fingers zoom.
    const fingers = new Map();
    let apart = null;
    canvas.addEventListener("pointerdown", (event) => fingers.set(event.pointerId, event.clientX));
    const lift = (event) => {
      fingers.delete(event.pointerId);
      apart = null;
    };
    canvas.addEventListener("pointerup", lift);
    canvas.addEventListener("pointercancel", lift);
    canvas.addEventListener("pointermove", (event) => {
      if (!fingers.has(event.pointerId)) return;
      fingers.set(event.pointerId, event.clientX);
      if (fingers.size !== 2) return;
      const [one, other] = [...fingers.values()];
      const now = Math.abs(one - other);
      if (apart !== null && now > 10) this.zoom(apart / now, 0.5);
      apart = now;
    });
  }

  pan(part) {
    const { from, to } = this.view.zoom;
    const by = clamp(part * (to - from), -from, 1 - to);
    this.look({ zoom: { from: from + by, to: to + by } });
  }

  buildOverview() {
    const place = $("overview-window");
    place.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      place.setPointerCapture(event.pointerId);
      const width = $("overview").clientWidth;
      let last = event.clientX;
      const move = (now) => {
        const { from, to } = this.view.zoom;
        this.pan((now.clientX - last) / width / (to - from));
        last = now.clientX;
      };
      place.addEventListener("pointermove", move);
      place.addEventListener("pointerup", () => place.removeEventListener("pointermove", move), { once: true });
    });
    place.addEventListener("keydown", (event) => {
      const action = { ArrowLeft: () => this.pan(-0.1), ArrowRight: () => this.pan(0.1), ArrowUp: () => this.zoom(0.8, 0.5), ArrowDown: () => this.zoom(1.25, 0.5), Home: () => this.do("zoomReset") }[event.key];
      if (!action) return;
      event.preventDefault();
      action();
    });
  }

  buildTabs() {
    const buttons = PANELS.map(([name, words]) => el("button", {
      type: "button", role: "tab", id: `tab-${name}`, "aria-controls": `panel-${name}`, onclick: () => this.openPanel(name),
    }, words));
    $("tabs").append(...buttons);
    $("tabs").addEventListener("keydown", (event) => {
      const direction = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!direction) return;
      event.preventDefault();
      const index = PANELS.findIndex(([name]) => name === this.view.panel);
      const [name] = PANELS[(index + direction + PANELS.length) % PANELS.length];
      this.openPanel(name);
      $(`tab-${name}`).focus();
    });
  }

  buildPanels() {
    for (const [name, , fill] of PANELS) {
      $("panels").append(el("div", { role: "tabpanel", id: `panel-${name}`, "aria-labelledby": `tab-${name}`, tabIndex: 0 }, ...fill(this.panel)));
    }
    if (!PANELS.some(([name]) => name === this.view.panel)) this.view.panel = "scope";
    this.openPanel(this.view.panel);
    this.showReadings();
  }

  openPanel(name) {
    this.view.panel = name;
    store.save(this.view);
    for (const [one] of PANELS) {
      const tab = $(`tab-${one}`);
      tab.setAttribute("aria-selected", String(one === name));
      tab.tabIndex = one === name ? 0 : -1;
      const place = $(`panel-${one}`);
      if (place) place.hidden = one !== name;
    }
    if (name === "history" && this.state) this.panel.showHistory?.();
    this.panel.update();
  }
}

/** A running mean that follows within some ten values. */
function mixed(before, value) {
  return before === null ? value : before + (value - before) * 0.15;
}

function clamp(value, least, most) {
  return Math.min(most, Math.max(least, value));
}

function round(value) {
  return Math.round(value * 1e4) / 1e4;
}

/** A multiple of a step, without the digits that floating point adds. */
function rounded(value, step) {
  return Number((Math.round(value / step) * step).toPrecision(9));
}

function set(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

// For tests, and for those who look behind the page.
window.scopething = new App();

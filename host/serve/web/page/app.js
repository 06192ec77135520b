// The page: what is set and what is seen, brought together.

import { $, el, Panel } from "./controls.js";
import { Decoders } from "./decoders.js";
import { Average } from "./dsp.js";
import { copy, download, picture } from "./exporting.js";
import { decode } from "./frame.js";
import { Handles } from "./handles.js";
import { actionFor, fillHelp } from "./keys.js";
import * as masks from "./masks.js";
import { Statistics, valueOf } from "./measure.js";
import { Pointer } from "./pointer.js";
import { Readout } from "./readout.js";
import { decodePiece, isPiece, Roll, still } from "./roll.js";
import { colours, Geometry, Screen } from "./screen.js";
import * as store from "./store.js";
import { Tabs } from "./tabs.js";
import { Transport } from "./transport.js";
import { step125 } from "./units.js";

const MAX_REFERENCES = 4;
const TOAST_MS = 6000;

class App {
  constructor() {
    this.state = null;
    this.view = store.load();
    this.trace = null;
    /** The last trace as it came: `trace` may be a mean. */
    this.last = null;
    /** The last trace as it is to be shown: `trace` may wait for what is decoded. */
    this.next = null;
    /** What has come of a time base that rolls; null where none does. */
    this.roll = null;
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
    this.fresh = false;
    this.dirty = true;
    this.moved = true;
    this.link = "connecting";
    /** The numbers of frames that arrived and are not on the screen yet. */
    this.undrawn = [];
    this.frames = 0;
    this.decoders = new Decoders(this);
    this.screen = new Screen($("screen"));
    this.panel = new Panel(this);
    this.handles = new Handles(this);
    this.pointer = new Pointer(this);
    this.readout = new Readout(this);
    this.tabs = new Tabs(this);
    this.offered = this.takeLink();
    this.theme();
    this.build();
    this.transport = new Transport({
      state: (state) => this.takeState(state),
      status: (status) => this.takeStatus(status),
      frame: (buffer) => this.takeFrame(buffer),
      measurements: (measured) => this.takeMeasurements(measured),
      link: (link, reason) => this.takeLinkState(link, reason),
      device: () => this.takeDevice(),
    });
    const tick = () => {
      this.render();
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
    setInterval(() => this.readout.figures(), 500);
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
    if (first) this.tabs.fill();
    if (changed) this.forgetWhatWasMeasured();
    if (first && this.offered && state.role === "control") this.set(this.offered);
    this.offered = null;
    $("run").textContent = state.run === "stop" ? "Run" : "Stop";
    for (const id of ["run", "single", "force", "autoset"]) $(id).disabled = state.role !== "control";
    this.panel.update();
    this.readout.showActual();
    this.readout.showStatus();
    this.askForView();
    this.moved = true;
    this.dirty = true;
  }

  takeStatus(status) {
    if (status.state !== this.status.state || status.until !== this.status.until) this.statusSince = performance.now();
    this.status = status;
    this.readout.showStatus();
    this.dirty = true;
  }

  takeFrame(buffer) {
    let trace;
    try {
      if (isPiece(buffer)) {
        this.takePiece(decodePiece(buffer));
        return;
      }
      trace = decode(buffer);
    } catch (error) {
      this.toast(error.message);
      return;
    }
    if (trace.ended === "roll") trace = this.endOfRoll(trace);
    else this.roll = null;
    const again = this.last?.seq === trace.seq && !this.last.rolling;
    this.statusSince = performance.now();
    this.frames += 1;
    if (!again) this.count(trace);
    this.last = trace;
    if (this.view.averages > 1 && !again && trace.ended !== "roll") trace = this.average.add(trace);
    else if (again && this.view.averages > 1 && this.next?.averaged) trace = this.next;
    this.next = trace;
    if (!again) this.test(trace);
    if (!again) this.decoders.decode(this.kept ?? trace);
    this.undrawn.push(trace.seq);
    // The picture and what was found in it belong together.
    if (this.trace?.seq !== trace.seq && this.isHeld()) return;
    this.show(trace);
    this.readout.showStatus();
  }

  /** Brings a live trace to the screen. */
  show(trace) {
    const before = this.trace;
    this.trace = trace;
    if (before?.changes !== trace.changes) this.askForView();
    this.moved ||= trace.averaged !== before?.averaged;
    this.fresh = before?.seq !== trace.seq;
    this.dirty = true;
  }

  takePiece(piece) {
    const isNew = this.roll?.id !== piece.roll;
    if (isNew) this.roll = new Roll(piece);
    this.roll.add(piece);
    this.frames += 1;
    this.trace = this.roll.trace();
    this.last = this.trace;
    this.next = this.trace;
    this.violations = null;
    this.rates.seen = piece.seen;
    this.rates.dead = null;
    this.moved ||= isNew;
    this.dirty = true;
    this.undrawn.push(piece.seq);
    if (isNew) this.readout.showStatus();
  }

  /** Whether the trace on the screen stays until another one is decoded. */
  isHeld() {
    return !this.kept && this.view.decoders.length > 0 && this.decoders.isBusy && this.decoders.lanesOf(this.trace).length > 0;
  }

  /** Something was decoded, or could not be. */
  decoded() {
    const { found, failure } = this.decoders;
    const shown = failure || found?.seq === this.next?.seq ? this.next : found?.trace;
    if (shown && this.takesPlace(shown)) this.show(shown);
    // What came meanwhile, or was stopped at.
    this.decoders.decode(this.kept ?? this.next);
    this.panel.update();
    this.moved = true;
    this.dirty = true;
  }

  /** Whether a trace that was decoded is to be on the screen instead of the one that is there. */
  takesPlace(decoded) {
    const isLive = !this.kept && !decoded.isKept && !this.trace?.rolling && decoded.changes === this.state?.changes;
    if (!isLive || decoded.seq > (this.next?.seq ?? 0)) return false;
    const seq = this.trace?.seq ?? 0;
    // The first one that was decoded is older than what is shown by then: from it on traces wait for what is found in them.
    const isFirst = decoded.seq < seq && this.decoders.lanesOf(decoded).length > 0 && this.decoders.lanesOf(this.trace).length === 0;
    return decoded.seq > seq || isFirst;
  }

  /** What there was of a roll when it ended: all that is on the screen, also before its last gap. */
  endOfRoll(trace) {
    const isThis = this.roll?.id === trace.roll && this.roll.about;
    const shown = isThis ? still(this.roll.trace()) : trace;
    // What is found in the trace lies where that begins on this screen.
    const begins = isThis ? (trace.first_column - this.roll.first) * this.roll.about.period : 0;
    return { ...shown, begins, seq: trace.seq, unix_ms: trace.unix_ms, warnings: trace.warnings, settings: trace.settings, trigger: shown.duration };
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
    this.readout.showReadings();
  }

  takeLinkState(link, reason) {
    this.link = link;
    this.linkReason = reason;
    document.body.dataset.link = link;
    // What comes now may be of another device.
    if (link === "open") this.average.reset();
    this.readout.showStatus();
    this.dirty = true;
  }

  /** What comes from now on is of another device, which numbers its traces anew: those of the last one can no longer be had. */
  takeDevice() {
    this.trace = null;
    this.last = null;
    this.next = null;
    this.roll = null;
    this.decoders.forget();
    this.undrawn = [];
    this.measured = null;
    this.violations = null;
    this.maskCounts = { pass: 0, fail: 0, lost: 0 };
    this.forgetWhatWasMeasured();
    this.backToLive();
  }

  count(trace) {
    this.rates.traces += 1;
    if (trace.dead !== null) this.rates.dead = mixed(this.rates.dead, trace.dead);
    if (trace.seen !== null) this.rates.seen = mixed(this.rates.seen, trace.seen);
  }

  test(trace) {
    if (!this.mask || trace.ended === "roll") return;
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
      this.next = this.last;
      this.trace = this.last;
    }
    if ("measurements" in change) this.forgetRemoved();
    if ("decoders" in change) {
      this.decoders.changed();
      this.decoders.decode(this.kept ?? this.next);
    }
    store.save(this.view);
    this.panel.update();
    this.readout.showReadings();
    this.askForView();
    this.moved = true;
    this.dirty = true;
  }

  askForView() {
    if (!this.state) return;
    const { view } = this;
    const whole = view.averages > 1 || view.math !== "off" || view.spectrum !== "off" || view.xy || this.mask !== null;
    const wish = { paced: true, measure: view.measurements.length > 0, rate: document.hidden ? 1 : 60, roll: true };
    if (!whole) {
      wish.columns = Math.max(100, this.screen.canvas.width);
      // Of one that was captured with other settings nothing is known of those that come.
      if (this.trace && this.trace.changes === this.state.changes && this.trace.ended !== "roll") {
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
    this.readout.showReadings();
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
    this.askForView();
    this.panel.update();
    this.dirty = true;
  }

  async showKept(seq) {
    this.wantedKept = seq;
    try {
      const trace = { ...decode(await this.transport.trace(seq)), isKept: true };
      // Another one, or the live ones, may be wanted by now.
      if (this.wantedKept !== seq) return;
      this.kept = trace;
      this.decoders.decode(trace);
      this.moved = true;
      this.dirty = true;
      this.readout.showStatus();
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
    if (this.kept) {
      this.kept = null;
      // It may have waited for what is decoded when the other one was shown.
      if (this.next && this.next !== this.trace) this.show(this.next);
      this.decoders.decode(this.next);
    }
    this.moved = true;
    this.dirty = true;
    this.readout.showStatus();
  }

  async compare(seq, name) {
    try {
      this.addReference(decode(await this.transport.trace(seq)), name);
    } catch (error) {
      this.toast(error.message);
    }
  }

  addReference(trace, name) {
    this.references = [...this.references, { trace: still(trace), name }].slice(-MAX_REFERENCES);
    this.panel.update();
    this.dirty = true;
  }

  async save(kind) {
    const trace = this.shown;
    if (!trace || trace.seq === 0) {
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
      toggleRoll: () => this.set({ roll: s.roll === "auto" ? "off" : "auto" }),
      toggleBits: () => this.set({ bits: next(limits.bits, s.bits) }),
      toggleGenerator: () => (this.state.generator.text ? this.stopGenerator() : this.startGenerator()),
      cursorsTime: () => this.look({ cursors: { ...this.view.cursors, time: !this.view.cursors.time } }),
      cursorsVolts: () => this.look({ cursors: { ...this.view.cursors, volts: !this.view.cursors.volts } }),
      nextAverages: () => this.look({ averages: next([1, 4, 16, 64], this.view.averages) }),
      nextPersistence: () => this.look({ persistence: next(["off", "short", "long", "infinite"], this.view.persistence) }),
      nextSpectrum: () => this.look({ spectrum: next(["off", "A", "B", "M"], this.view.spectrum) }),
      nextMath: () => this.look({ math: next(["off", "A+B", "A−B", "A×B"], this.view.math) }),
      toggleXY: () => this.look({ xy: !this.view.xy }),
      reference: async () => {
        const trace = this.shown;
        if (trace) this.addReference(await this.whole(trace), `Trace ${trace.seq}`);
      },
      mask: () => this.makeMask(),
      zoomIn: () => this.zoom(0.5, 0.5),
      zoomOut: () => this.zoom(2, 0.5),
      zoomReset: () => this.look({ zoom: { from: 0, to: 1 } }),
      savePng: async () => download(await picture(this.screen.canvas, this.readout.captions(), this.ink()), `scopething-${this.shown?.seq ?? 0}.png`),
      saveCsv: () => this.save("csv"),
      help: () => $("keys").showModal(),
    };
  }

  /** A trace with all its samples: what is on the screen is thinned out to its pixels, and of what is zoomed into only a part. */
  async whole(trace) {
    const isWhole = trace.from <= 0 && trace.to >= 1 && !Object.values(trace.channels).some((channel) => channel.extremes);
    if (isWhole || trace.isKept || trace.averaged || trace.ended === "roll") return trace;
    try {
      return decode(await this.transport.trace(trace.seq));
    } catch (error) {
      this.toast(`Only what is on the screen of trace ${trace.seq} is taken: ${error.message}`);
      return trace;
    }
  }

  async makeMask() {
    if (!this.shown) return;
    const { channel, dx, dy } = this.view.mask;
    const s = this.state.settings;
    const trace = await this.whole(this.shown);
    this.removeMask();
    this.mask = masks.make(trace, channel, dx * s.time_per_div, dy * s.channels[channel].volts_per_div);
    if (!this.mask) this.toast(`Channel ${channel} was not captured: choose the other one, or turn it on.`);
    this.askForView();
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
    return new Geometry(width, height, this.state.settings, this.state.limits, this.view, lines, { isRolling: this.shown?.ended === "roll", decoded: this.decoders.lanesOf(this.shown) });
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
        hover: this.pointer.hover,
        fresh: this.fresh && !this.kept,
      });
      this.fresh = false;
    }
    if (this.moved && this.state) {
      this.moved = false;
      this.handles.place();
    }
    for (const seq of this.undrawn) this.transport.drawn(seq);
    this.undrawn = [];
  }

  theme() {
    const { theme } = this.view;
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    this.recolour();
  }

  recolour() {
    this.inks = null;
    this.handles.labelsKey = "";
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
    this.pointer.watchScreen();
    this.pointer.watchOverview();
    this.tabs.build();
    $("panels").addEventListener("click", (event) => {
      if (this.state?.role === "view" && event.target.closest("button")) this.panel.update();
    });
  }
}

/** A running mean that follows within some ten values. */
function mixed(before, value) {
  return before === null ? value : before + (value - before) * 0.15;
}

// For tests, and for those who look behind the page.
window.scopething = new App();

// What is reported: the status of the acquisition, its figures, what becomes of the settings, and measurements.

import { $, el } from "./controls.js";
import { kindsFor } from "./measure.js";
import { format, short } from "./units.js";

/** How long a wait must last to be shown as one, so that the line does not flicker with each trace. */
const WAIT_SHOWN_MS = 350;

export class Readout {
  constructor(app) {
    this.app = app;
    /** The rows of the measurements, and what they were made of. */
    this.readings = [];
    this.readingsKey = null;
  }

  figures() {
    const now = performance.now();
    const passed = (now - this.app.rates.at) / 1000;
    const rate = this.app.rates.traces / passed;
    Object.assign(this.app.rates, { at: now, traces: 0 });
    if (!this.app.state) return;
    const running = this.app.state.run !== "stop" && this.app.link === "open";
    $("fig-rate").textContent = running && rate > 0 ? `${rate.toFixed(rate < 10 ? 1 : 0)} /s` : "—";
    $("fig-seen").textContent = this.app.rates.seen === null ? "unknown" : format(this.app.rates.seen, "%", 3);
    const rolling = this.app.shown?.ended === "roll" ? this.app.shown : null;
    if (rolling) $("fig-dead").textContent = rolling.gaps ? `${rolling.gaps} gaps` : "none";
    else $("fig-dead").textContent = this.app.rates.dead === null ? "unknown" : format(this.app.rates.dead, "s", 3);
    this.showStatus();
    const trace = this.app.shown;
    $("screen").setAttribute("aria-label", trace ? this.captions().join(". ") : "No trace yet");
  }

  captions() {
    const trace = this.app.shown;
    const s = this.app.state.settings;
    const channels = ["A", "B"].filter((name) => s.channels[name].on);
    const scales = channels.map((name) => `${name} ${short(s.channels[name].volts_per_div, "V")}/div around ${short(s.channels[name].middle, "V")}`);
    return [
      `${scales.join(", ")}${scales.length ? ", " : ""}${short(s.time_per_div, "s")}/div; trigger ${s.trigger.source} ${s.trigger.type}${s.trigger.level === null ? "" : ` ${format(s.trigger.level, "V")}`}`,
      trace ? `Trace ${trace.seq}, ${trace.ended === "roll" ? "rolling" : `ended by ${trace.ended}`}, ${format(trace.rate, "Hz", 4)}, ${new Date(trace.unix_ms).toISOString()}` : "No trace",
    ];
  }

  showActual() {
    const { actual, settings } = this.app.state;
    const place = $("actual");
    if (actual.error) {
      place.replaceChildren(el("span", { className: "adjusted" }, actual.error));
      return;
    }
    const parts = [
      `${format(actual.sample_rate, "Hz", 4)}`, `${actual.samples} samples`, `${actual.bits} bits`, `mode ${actual.mode}`,
      actual.input_range ? `input ${format(actual.input_range[0], "V")} to ${format(actual.input_range[1], "V")}` : null,
    ].filter(Boolean);
    const asked = settings.time_per_div * this.app.state.limits.horizontal_divisions;
    const adjusted = [...actual.notices];
    if (Math.abs(actual.duration / asked - 1) > 0.02) adjusted.unshift(`captures ${format(actual.duration, "s", 4)} instead of ${format(asked, "s", 4)}`);
    if (actual.mode !== "stream" && Math.abs(actual.position - settings.position) > 0.01) adjusted.unshift(`trigger at ${format(actual.position, "%")} of the trace`);
    place.replaceChildren(parts.join(" · "), ...(adjusted.length ? [el("span", { className: "adjusted" }, ` · ${adjusted.join(" · ")}`)] : []));
  }

  showStatus() {
    let [lamp, text, notice] = ["", "Stopped", ""];
    const waited = performance.now() - this.app.statusSince;
    const { state: what } = this.app.status;
    if (this.app.link === "refused") {
      [lamp, text] = ["bad", "No access"];
      notice = this.app.linkReason;
    } else if (what === "closed" && this.app.link !== "open") {
      [lamp, text] = ["bad", "The oscilloscope is gone"];
      notice = `The oscilloscope is gone: ${this.app.status.reason}. Plug it in and start the program again; this page connects by itself.`;
    } else if (this.app.link === "full") {
      [lamp, text] = ["bad", "No room"];
      notice = `${this.app.linkReason} This page connects when there is room.`;
    } else if (this.app.link !== "open") {
      [lamp, text] = ["bad", "No connection"];
      notice = this.app.state ? "The connection is lost: trying again…" : "Connecting to the oscilloscope…";
    } else if (what === "lost") {
      [lamp, text] = ["bad", "The oscilloscope is unplugged"];
      notice = `The oscilloscope is gone: ${this.app.status.reason}. Plug it in: this page goes on by itself.`;
    } else if (what === "refused") {
      [lamp, text] = ["bad", this.app.status.reason];
      notice = this.app.status.reason;
    } else if (this.app.kept) {
      [lamp, text] = ["", `Shows trace ${this.app.kept.seq} of the history`];
    } else if (this.app.state?.calibration.state === "running") {
      const { done, left } = this.app.state.calibration;
      [lamp, text] = ["wait", `Calibrating: ${done} of ${done + left} points`];
    } else if (what === "rolling" && this.app.state?.run !== "stop") {
      [lamp, text] = ["good", "Rolling: the right edge is now"];
    } else if (what === "waiting" && this.app.state?.run !== "stop") {
      const long = waited > WAIT_SHOWN_MS;
      [lamp, text] = long || this.app.state?.run === "single" ? ["wait", `Waiting for ${this.app.status.until}`] : ["good", "Running"];
      const { hint } = this.app.status;
      if (hint) [lamp, text] = ["wait", hint];
      if (hint || (long && !this.app.trace)) notice = `Waiting for ${this.app.status.until}. ${hint ? `${hint}. ` : ""}“Force” captures now.`;
    } else if (this.app.state?.run === "stop") {
      [lamp, text] = ["", this.app.trace ? "Stopped" : "Stopped: “Run” or “Single” captures"];
      if (!this.app.trace) notice = "Stopped. “Run” starts.";
    }
    if ($("status").dataset.lamp !== lamp) $("status").dataset.lamp = lamp;
    if ($("status-text").textContent !== text) $("status-text").textContent = text;
    if ($("notice").hidden !== (notice === "")) $("notice").hidden = notice === "";
    if (notice && $("notice-text").textContent !== notice) $("notice-text").textContent = notice;
    const trace = this.app.shown;
    const ended = !trace ? "—" : trace.ended === "roll" ? "rolling" : trace.ended;
    if ($("fig-ended").textContent !== ended) $("fig-ended").textContent = ended;
  }

  showReadings() {
    const { measurements } = this.app.view;
    const key = JSON.stringify(measurements);
    // Rows stay while their values change: what is being clicked is not replaced.
    if (key !== this.readingsKey) {
      this.readingsKey = key;
      this.buildReadings(measurements);
    }
    for (const { key: of, unit, cells } of this.readings) {
      const s = this.app.statistics.get(of);
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
        el("td", {}, el("button", { type: "button", "aria-label": `Remove ${wanted.channel} ${words}`, onclick: () => this.app.look({ measurements: measurements.filter((_, one) => one !== index) }) }, "×")));
    });
    $("readings").replaceChildren(...(measurements.length === 0 ? [] : [el("table", {},
      el("thead", {}, el("tr", {}, ...head.map((name) => (name ? el("th", { scope: "col" }, name) : el("td", {}))))),
      el("tbody", {}, ...body))]));
  }
}

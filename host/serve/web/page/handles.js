// What lies over the screen: handles and cursors to be dragged, labels, and the window of the zoom.

import { $, el } from "./controls.js";
import { clamp, format, short } from "./units.js";

const HANDLE_HEIGHT = 21;

export class Handles {
  constructor(app) {
    this.app = app;
    this.all = new Map();
    /** What the labels were made of. */
    this.labelsKey = "";
  }

  place() {
    if (!this.app.state) return;
    const g = this.app.geometry();
    const s = this.app.state.settings;
    const ink = this.app.ink();
    const wanted = new Map();
    for (const name of ["A", "B"]) {
      if (!s.channels[name].on || this.app.view.xy) continue;
      const scale = s.channels[name].volts_per_div;
      wanted.set(`zero-${name}`, {
        className: "handle left", text: name, colour: ink[name], y: clamp(g.y(name, 0), 0, g.bottom), label: `Position of ${name}`,
        value: s.channels[name].middle, words: `${format(s.channels[name].middle, "V")} in the middle of the screen`,
        drag: (x, y) => this.app.setSoon({ channels: { [name]: { middle: rounded(((y - g.bottom / 2) / (g.bottom / g.rows)) * scale, scale / 20) } } }),
        step: (direction) => this.app.set({ channels: { [name]: { middle: rounded(s.channels[name].middle - direction * scale / 10, scale / 20) } } }),
      });
    }
    const source = s.trigger.source;
    if (s.trigger.level !== null && s.channels[source]?.on && !this.app.view.xy && !g.isRolling) {
      const scale = s.channels[source].volts_per_div;
      wanted.set("level", {
        className: "handle right", text: "T", colour: ink.trigger, y: clamp(g.y(source, s.trigger.level), 0, g.bottom), label: "Trigger level",
        value: s.trigger.level, words: format(s.trigger.level, "V"),
        drag: (x, y) => this.app.setSoon({ trigger: { level: rounded(g.volts(source, clamp(y, 0, g.bottom)), scale / 50) } }),
        step: (direction) => this.app.set({ trigger: { level: rounded(s.trigger.level + direction * scale / 10, scale / 50) } }),
      });
    }
    if (!this.app.view.xy && !g.isRolling) {
      wanted.set("position", {
        className: "handle top", text: "T", colour: ink.trigger, x: clamp(g.x(0), 0, g.width), label: "Trigger position",
        value: s.position, words: `${format(s.position, "%")} of the screen`,
        drag: (x) => this.app.setSoon({ position: clamp(round(this.app.view.zoom.from + (x / g.width) * (this.app.view.zoom.to - this.app.view.zoom.from)), 0, 1) }),
        step: (direction) => this.app.set({ position: clamp(round(s.position + direction * 0.01), 0, 1) }),
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
    const c = this.app.view.cursors;
    const cursor = (key, change, along, words) => ({
      text: key.slice(1), label: `Cursor ${key}`, value: round(c[key] * 100), words,
      ...(along === "x" ? { className: "handle cursor-t", x: c[key] * g.width } : { className: "handle cursor-v", y: c[key] * g.bottom }),
      drag: (x, y) => this.app.look({ cursors: { ...c, [key]: clamp(along === "x" ? x / g.width : y / g.bottom, 0, 1) } }),
      step: (direction) => this.app.look({ cursors: { ...c, [key]: clamp(c[key] + (along === "x" ? direction : -direction) * change, 0, 1) } }),
    });
    if (this.app.view.xy) return;
    if (c.time) for (const key of ["t1", "t2"]) wanted.set(key, cursor(key, 1 / 400, "x", format(g.time(c[key] * g.width), "s", 4)));
    if (c.volts) for (const key of ["v1", "v2"]) wanted.set(key, cursor(key, 1 / 400, "y", format(g.volts(c.channel, c[key] * g.bottom), "V", 4)));
  }

  keepHandles(wanted, g) {
    for (const [key, handle] of this.all) {
      if (!wanted.has(key)) {
        handle.remove();
        this.all.delete(key);
      }
    }
    for (const [key, want] of wanted) {
      let handle = this.all.get(key);
      if (!handle) {
        handle = this.makeHandle(key);
        this.all.set(key, handle);
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
    const s = this.app.state.settings;
    const key = JSON.stringify([s, g.lines, g.decoded.map((lane) => `${lane.decoder} ${lane.title}`), g.lanes, g.bottom, this.app.view.zoom, this.app.view.math, this.app.view.averages, document.documentElement.dataset.theme, this.app.shown?.averaged]);
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
    if (this.app.view.math !== "off") label(this.app.view.math, ink.M);
    if (this.app.shown?.averaged) label(`mean of ${this.app.shown.averaged}`, ink.text);
    $("scales").replaceChildren(...labels);
    for (const old of document.querySelectorAll(".lane-name")) old.remove();
    if (this.app.view.xy) return;
    for (const line of g.lines) {
      const { top, height } = g.lane(line);
      const name = el("span", { className: "lane-name", "aria-hidden": "true" }, `L${line}`);
      name.style.top = `${top + height / 2 - 8}px`;
      $("handles").append(name);
    }
    g.decoded.forEach((lane, index) => {
      const { top, height } = g.decodedLane(index);
      const name = el("span", { className: "lane-name decoded", title: `${lane.decoder}: ${lane.title}`, "aria-hidden": "true" }, lane.title);
      name.style.top = `${top + height / 2 - 8}px`;
      $("handles").append(name);
    });
  }

  placeZoom() {
    const { from, to } = this.app.view.zoom;
    const place = $("overview-window");
    place.style.left = `${from * 100}%`;
    place.style.width = `${Math.max(0.5, (to - from) * 100)}%`;
    set(place, "aria-valuenow", String(Math.round(from * 100)));
    set(place, "aria-valuetext", to - from > 0.999 ? "The whole screen" : `${format(to - from, "%")} of the screen, from ${format(from, "%")} on`);
  }

  showCursors(g) {
    const c = this.app.view.cursors;
    const readout = this.app.panel.cursorReadout;
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

// The panel of knobs. Each control shows what is set, and asks for what is turned.

import { ANALOG, LOGIC, PAIR, kindsFor } from "./measure.js";
import { calibrationCard } from "./calibrate.js";
import { decoderCard } from "./decoders.js";
import { WINDOWS, OPERATIONS } from "./dsp.js";
import { parse, short, step125 } from "./units.js";

let ids = 0;

/** The element of the page with an id. */
export const $ = (id) => document.getElementById(id);

/** An element with properties, attributes (those with a dash, and `role`), and children. */
export function el(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key.includes("-") || key === "role" || key === "for") element.setAttribute(key, value);
    else element[key] = value;
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

/** Controls, and how they are brought up to date. */
export class Panel {
  constructor(app) {
    this.app = app;
    this.updates = [];
  }

  update() {
    for (const update of this.updates) update();
  }

  /** A value that is typed, or stepped by buttons, arrow keys and the wheel. */
  knob({ label, unit, get, set, step, name }) {
    ids += 1;
    const id = `knob-${ids}`;
    const input = el("input", { id, type: "text", "aria-label": label, autocomplete: "off", spellcheck: false, "data-knob": name ?? label });
    const turn = (direction) => {
      const value = get();
      if (value !== null && value !== undefined) set(step(value, direction));
    };
    const typed = () => {
      const value = parse(input.value, unit);
      const wrong = !Number.isFinite(value);
      input.setAttribute("aria-invalid", String(wrong));
      if (wrong) this.app.toast(`“${input.value}” is no value for “${label}”: write it like ${short(get(), unit)}`);
      else set(value);
    };
    input.addEventListener("change", typed);
    input.addEventListener("keydown", (event) => {
      if (event.key === "ArrowUp" || event.key === "ArrowDown") {
        event.preventDefault();
        turn(event.key === "ArrowUp" ? 1 : -1);
      } else if (event.key === "Escape") {
        input.value = short(get(), unit);
        input.blur();
      } else if (event.key === "Enter") {
        input.select();
      }
    });
    input.addEventListener("focus", () => input.select());
    const box = el(
      "div",
      { className: "spin" },
      el("button", { type: "button", "aria-label": `${label}: less`, onclick: () => turn(-1) }, "−"),
      input,
      el("button", { type: "button", "aria-label": `${label}: more`, onclick: () => turn(1) }, "+"),
    );
    box.addEventListener("wheel", (event) => {
      event.preventDefault();
      turn(event.deltaY < 0 ? 1 : -1);
    }, { passive: false });
    this.updates.push(() => {
      const value = get();
      const none = value === null || value === undefined;
      for (const part of box.children) part.disabled = none;
      if (document.activeElement === input && input.value !== "" && this.dirty(input)) return;
      input.value = none ? "—" : short(value, unit);
      input.defaultValue = input.value;
      input.removeAttribute("aria-invalid");
    });
    return [el("label", { for: id }, label.replace(/ of (A|B)$/, "")), box];
  }

  dirty(input) {
    return input.value !== input.defaultValue;
  }

  /** One of several values, as buttons. */
  choice({ label, options, get, set }) {
    const buttons = options.map(([value, text, title]) =>
      el("button", { type: "button", role: "radio", title: title ?? "", "aria-label": title ?? text, onclick: () => set(value) }, text));
    this.updates.push(() => {
      const now = get();
      options.forEach(([value], index) => buttons[index].setAttribute("aria-checked", String(value === now)));
    });
    return [el("span", { className: "label" }, label), el("div", { className: "buttons", role: "radiogroup", "aria-label": label }, ...buttons)];
  }

  /** One of several values, from a list. */
  select({ label, options, get, set }) {
    ids += 1;
    const id = `select-${ids}`;
    const list = el("select", { id, onchange: () => set(list.value) });
    let shown = "";
    this.updates.push(() => {
      const now = typeof options === "function" ? options() : options;
      const key = JSON.stringify(now);
      if (key !== shown) {
        shown = key;
        list.replaceChildren(...now.map(([value, text]) => el("option", { value }, text)));
      }
      list.value = get();
    });
    return [el("label", { for: id }, label), list];
  }

  /** A switch: a button that is pressed or not. */
  toggle({ label, text, get, set, className = "" }) {
    const button = el("button", { type: "button", className, "aria-label": label, onclick: () => set(!get()) }, text ?? label);
    this.updates.push(() => button.setAttribute("aria-pressed", String(Boolean(get()))));
    return button;
  }

  check({ label, get, set }) {
    const input = el("input", { type: "checkbox", onchange: () => set(input.checked) });
    this.updates.push(() => { input.checked = Boolean(get()); });
    return el("label", { className: "check" }, input, label);
  }

  button(text, action, title = "") {
    return el("button", { type: "button", title, onclick: action }, text);
  }
}

/** A group of controls with a name. */
function card(title, className, ...children) {
  return el("fieldset", { className: `card ${className}` }, el("legend", {}, title), ...children);
}

function rows(...pairs) {
  return el("div", { className: "rows" }, ...pairs.flat());
}

/** What is set of the instrument. */
export function scopePanel(panel) {
  const { app } = panel;
  const s = () => app.state.settings;
  const limits = () => app.state.limits;
  const set = (settings) => app.set(settings);
  const channel = (name) => {
    const own = () => s().channels[name];
    const patch = (change) => set({ channels: { [name]: change } });
    const place = el("fieldset", { className: `card ch-${name}` });
    place.append(
      el("legend", {}, `Channel ${name}`, panel.toggle({
        label: `Channel ${name} on`, text: "On", className: "switch", get: () => own().on, set: (on) => patch({ on }),
      })),
      rows(
        panel.knob({
          label: `Volts/div of ${name}`, unit: "V", get: () => own().volts_per_div, set: (volts) => patch({ volts_per_div: volts }),
          step: (value, direction) => step125(value, direction, ...limits().volts_per_div.map((volts) => volts * own().probe)),
        }),
        panel.knob({
          label: `Middle of ${name}`, unit: "V", get: () => own().middle, set: (middle) => patch({ middle }),
          step: (value, direction) => Number((value + direction * own().volts_per_div / 2).toPrecision(6)),
        }),
        panel.select({
          label: `Probe`, options: () => {
            const known = [["1", "×1"], ["10", "×10"], ["100", "×100"]];
            return known.some(([value]) => value === String(own().probe)) ? known : [...known, [String(own().probe), `×${own().probe}`]];
          },
          get: () => String(own().probe), set: (probe) => patch({ probe: Number(probe) }),
        }),
      ),
    );
    place.querySelector("select").setAttribute("aria-label", `Probe of ${name}`);
    return place;
  };
  const lineButtons = [0, 1, 2, 3, 4, 5, 6, 7].map((line) => panel.toggle({
    label: `Line L${line} on`, text: `L${line}`, get: () => s().lines.includes(`L${line}`),
    set: (on) => set({ lines: on ? [...s().lines, `L${line}`] : s().lines.filter((name) => name !== `L${line}`) }),
  }));
  const pattern = (line) => {
    const match = new RegExp(`L${line}=([01])`).exec(s().trigger.source);
    return match ? match[1] : "X";
  };
  const patternButtons = [0, 1, 2, 3, 4, 5, 6, 7].map((line) => {
    const button = el("button", {
      type: "button",
      onclick: () => {
        const next = { X: "1", 1: "0", 0: "X" }[pattern(line)];
        const levels = [0, 1, 2, 3, 4, 5, 6, 7].map((one) => [one, one === line ? next : pattern(one)]);
        const source = levels.filter(([, level]) => level !== "X").map(([one, level]) => `L${one}=${level}`).join(",");
        set({ trigger: { source: source || "A" } });
      },
    });
    panel.updates.push(() => {
      const level = pattern(line);
      button.textContent = level;
      button.setAttribute("aria-pressed", String(level !== "X"));
      button.setAttribute("aria-label", `Trigger when L${line} is ${level === "X" ? "anything" : level === "1" ? "high" : "low"}`);
    });
    return button;
  });
  const analog = () => s().trigger.source === "A" || s().trigger.source === "B";
  return [
    channel("A"),
    channel("B"),
    card("Time", "",
      rows(
        panel.knob({
          label: "Time/div", unit: "s", get: () => s().time_per_div, set: (seconds) => set({ time_per_div: seconds }),
          step: (value, direction) => step125(value, direction, ...limits().time_per_div),
        }),
        panel.knob({
          label: "Trigger position", unit: "%", get: () => s().position, set: (position) => set({ position }),
          step: (value, direction) => Math.min(1, Math.max(0, Math.round((value + direction * 0.05) * 100) / 100)),
        }),
        panel.choice({ label: "Roll", options: [["auto", "Slow ones"], ["off", "Off"]], get: () => s().roll, set: (roll) => set({ roll }) }),
      ),
      rollHint(panel)),
    card("Trigger", "ch-T",
      rows(
        panel.choice({
          label: "Source", options: [["A", "A"], ["B", "B"], ["L", "Lines"]],
          get: () => (analog() ? s().trigger.source : "L"),
          set: (source) => set({ trigger: { source: source === "L" ? "L0=1" : source } }),
        }),
        panel.choice({
          label: "When",
          options: [["rising", "↗", "Rising"], ["falling", "↘", "Falling"], ["above", "↥", "Above"], ["below", "↧", "Below"]],
          get: () => s().trigger.type, set: (type) => set({ trigger: { type } }),
        }),
        panel.knob({
          label: "Level", unit: "V", get: () => s().trigger.level, set: (level) => set({ trigger: { level } }),
          step: (value, direction) => Number((value + direction * app.triggerScale() / 10).toPrecision(6)),
        }),
        el("span", { className: "label" }, "Pattern"),
        el("div", { className: "lines", role: "group", "aria-label": "Pattern of lines, L0 to L7" }, ...patternButtons),
        panel.choice({
          label: "Mode", options: [["auto", "Auto"], ["normal", "Normal"]], get: () => s().trigger.mode, set: (mode) => set({ trigger: { mode } }),
        }),
        panel.knob({
          label: "Hold-off", unit: "s", get: () => s().trigger.hold_off, set: (seconds) => set({ trigger: { hold_off: seconds } }),
          step: (value, direction) => (value === 0 ? (direction > 0 ? 1e-3 : 0) : value <= 1e-3 && direction < 0 ? 0 : step125(value, direction, 1e-3, 60)),
        }),
      ),
      el("div", { className: "buttons hint" },
        panel.button("Level to 50 %", () => app.do("levelMiddle"), "Halfway between the lowest and the highest voltage of the last trace"),
        panel.toggle({ label: "Hair trigger", get: () => s().trigger.hair, set: (hair) => set({ trigger: { hair } }) }),
      )),
    card("Logic lines", "ch-L",
      el("div", { className: "lines", role: "group", "aria-label": "Lines that are shown" }, ...lineButtons),
      el("div", { className: "buttons hint" },
        panel.button("All", () => set({ lines: ["L"] })), panel.button("None", () => set({ lines: [] })))),
    card("Acquisition", "",
      rows(
        panel.choice({ label: "Bits", options: [["16", "16"], ["8", "8, faster"]], get: () => s().bits, set: (bits) => set({ bits }) }),
        panel.choice({
          label: "Average", options: [[1, "Off"], [4, "4"], [16, "16"], [64, "64"]], get: () => app.view.averages, set: (averages) => app.look({ averages }),
        }),
        panel.choice({
          label: "Persist", options: [["off", "Off"], ["short", "Short"], ["long", "Long"], ["infinite", "∞", "Infinite"]],
          get: () => app.view.persistence, set: (persistence) => app.look({ persistence }),
        }),
      )),
    calibrationCard(panel),
  ];
}

/** From where on time bases roll. */
function rollHint(panel) {
  const hint = el("p", { className: "hint" });
  panel.updates.push(() => {
    const text = `From ${short(panel.app.state.limits.roll, "s")}/div on, in trigger mode Auto, samples are shown as they come.`;
    if (hint.textContent !== text) hint.textContent = text;
  });
  return hint;
}

const SHAPES = ["sine", "triangle", "exponential", "square"];

/** What the device puts out. */
export function generatorPanel(panel) {
  const { app } = panel;
  const field = (label, key, hint) => {
    ids += 1;
    const id = `field-${ids}`;
    const input = el("input", { id, type: "text", placeholder: hint, onchange: () => app.look({ generator: { ...app.view.generator, [key]: input.value } }) });
    panel.updates.push(() => { if (document.activeElement !== input) input.value = app.view.generator[key]; });
    return [el("label", { for: id }, label), input];
  };
  const lamp = el("p", { className: "hint", id: "generator-text" });
  panel.updates.push(() => { lamp.textContent = app.state.generator.text ?? "Nothing is generated."; });
  const stop = () => panel.button("Stop", () => app.stopGenerator());
  const generator = () => app.view.generator;
  return [
    card("What is generated", "", lamp, el("div", { className: "buttons hint" }, stop())),
    card("Waveform", "",
      rows(
        panel.select({
          label: "Shape", options: SHAPES.map((shape) => [shape, shape]), get: () => generator().shape,
          set: (shape) => app.look({ generator: { ...generator(), shape } }),
        }),
        field("Frequency", "frequency", "1kHz"),
        field("Low", "low", "0V"),
        field("High", "high", "3.3V"),
        field("Symmetry", "symmetry", "50%"),
      ),
      el("div", { className: "buttons hint" }, panel.button("Play", () => app.startGenerator()))),
    card("Clock", "",
      rows(
        field("Clock frequency", "clock", "1kHz"),
        field("Duty", "duty", "50%"),
        panel.select({
          label: "Line", options: [0, 1, 2, 3, 4, 5].map((line) => [`L${line}`, `L${line}`]), get: () => generator().line,
          set: (line) => app.look({ generator: { ...generator(), line } }),
        }),
      ),
      el("div", { className: "buttons hint" }, panel.button("Run the clock", () => app.startClock()))),
    card("Hold lines", "",
      rows(field("Levels", "hold", "L3=1,L5=0")),
      el("div", { className: "buttons hint" }, panel.button("Hold", () => app.hold())),
      el("p", { className: "hint" }, "Experimental: it has not been tried on a device.")),
  ];
}

/** Readings: measurements, cursors. */
export function measurePanel(panel) {
  const { app } = panel;
  const chosen = { channel: "A", name: "frequency" };
  const channels = () => {
    const captured = app.state.actual.channels ?? [];
    const pairs = app.measured?.delays?.map((pair) => `${pair.from}→${pair.to}`) ?? [];
    const all = [...captured, ...pairs];
    return (all.length ? all : ["A"]).map((name) => [name, name]);
  };
  const cursors = () => app.view.cursors;
  const look = (change) => app.look({ cursors: { ...cursors(), ...change } });
  const readout = el("p", { className: "hint", id: "cursor-readout", "aria-live": "off" });
  panel.cursorReadout = readout;
  return [
    card("Measurements", "",
      rows(
        panel.select({
          label: "Channel", options: channels, get: () => chosen.channel,
          set: (channel) => {
            chosen.channel = channel;
            if (!kindsFor(channel).some(([name]) => name === chosen.name)) [[chosen.name]] = kindsFor(channel);
            panel.update();
          },
        }),
        panel.select({
          label: "What", options: () => kindsFor(chosen.channel).map(([name, words]) => [name, words]), get: () => chosen.name,
          set: (name) => { chosen.name = name; },
        }),
      ),
      el("div", { className: "buttons hint" },
        panel.button("Add", () => app.addMeasurement({ ...chosen })),
        panel.button("Reset statistics", () => app.resetStatistics()),
        panel.button("Remove all", () => app.look({ measurements: [] }))),
      el("p", { className: "hint" }, `${ANALOG.length} of analog channels, ${LOGIC.length} of lines, ${PAIR.length} between two channels; as “scopething analyse” defines them.`)),
    card("Cursors", "",
      el("div", { className: "buttons" },
        panel.toggle({ label: "Time cursors", get: () => cursors().time, set: (time) => look({ time }) }),
        panel.toggle({ label: "Voltage cursors", get: () => cursors().volts, set: (volts) => look({ volts }) }),
        panel.toggle({ label: "Hover measures", get: () => app.view.hover, set: (hover) => app.look({ hover }) })),
      el("div", { className: "rows hint" }, ...panel.choice({
        label: "Volts of", options: [["A", "A"], ["B", "B"]], get: () => cursors().channel, set: (channel) => look({ channel }),
      })),
      readout),
  ];
}

/** Views of traces beside volts over time, and masks. */
export function analysePanel(panel) {
  const { app } = panel;
  const mask = () => app.view.mask;
  const counts = el("p", { className: "hint", id: "mask-counts" });
  const references = el("ul", { className: "list", id: "references" });
  let listed = null;
  panel.updates.push(() => {
    const { pass, fail, lost } = app.maskCounts;
    counts.textContent = app.mask
      ? `${pass + fail} traces: ${pass} passed, ${fail} failed${lost ? `, ${lost} without the channel` : ""}`
      : "No mask yet.";
    // The list stays while traces are counted: what is being clicked is not replaced.
    if (app.references === listed) return;
    listed = app.references;
    references.replaceChildren(...app.references.map((reference, index) => el("li", {},
      el("strong", {}, reference.name), el("div", { className: "meta" }, reference.trace.settings),
      el("div", { className: "buttons" }, panel.button("Remove", () => app.removeReference(index))))));
  });
  return [
    card("Math and X-Y", "", rows(
      panel.select({ label: "Math", options: [["off", "Off"], ...Object.keys(OPERATIONS).map((one) => [one, one])], get: () => app.view.math, set: (math) => app.look({ math }) })),
    el("div", { className: "buttons hint" }, panel.toggle({ label: "X-Y", get: () => app.view.xy, set: (xy) => app.look({ xy }) }))),
    card("Spectrum", "", rows(
      panel.choice({ label: "Of", options: [["off", "Off"], ["A", "A"], ["B", "B"], ["M", "Math", "Math trace"]], get: () => app.view.spectrum, set: (spectrum) => app.look({ spectrum }) }),
      panel.select({ label: "Window", options: Object.keys(WINDOWS).map((one) => [one, one]), get: () => app.view.window, set: (window) => app.look({ window }) }))),
    card("Zoom", "", el("div", { className: "buttons" },
      panel.button("In", () => app.do("zoomIn")), panel.button("Out", () => app.do("zoomOut")), panel.button("Whole screen", () => app.do("zoomReset")))),
    card("References", "", references, el("div", { className: "buttons hint" }, panel.button("Keep this trace", () => app.do("reference")))),
    card("Mask", "", rows(
      panel.choice({ label: "Channel", options: [["A", "A"], ["B", "B"]], get: () => mask().channel, set: (channel) => app.look({ mask: { ...mask(), channel } }) }),
      panel.knob({ label: "Margin, div across", unit: "", get: () => mask().dx, set: (dx) => app.look({ mask: { ...mask(), dx } }), step: (value, direction) => Math.max(0, Number((value + direction * 0.05).toFixed(3))) }),
      panel.knob({ label: "Margin, div up", unit: "", get: () => mask().dy, set: (dy) => app.look({ mask: { ...mask(), dy } }), step: (value, direction) => Math.max(0, Number((value + direction * 0.05).toFixed(3))) })),
    el("div", { className: "buttons hint" }, panel.button("From this trace", () => app.do("mask")), panel.button("Remove mask", () => app.removeMask()),
      panel.toggle({ label: "Stop on fail", get: () => mask().stop, set: (stop) => app.look({ mask: { ...mask(), stop } }) })),
    counts),
    decoderCard(panel),
  ];
}

// The last traces, and what leaves the page.

import { el } from "./controls.js";
import { clock, format } from "./units.js";

/** Formats by what they are for. */
export const FORMATS = [
  ["csv", "CSV"], ["sr", "sigrok"], ["npz", "NumPy"], ["json", "JSON"], ["vcd", "VCD"], ["parquet", "Parquet"], ["wav", "WAV"], ["svg", "SVG"],
];

/** The panel of the history. */
export function historyPanel(panel) {
  const { app } = panel;
  const list = el("ul", { className: "list", id: "history" });
  const show = async () => {
    let traces;
    try {
      traces = await app.transport.traces();
    } catch (error) {
      app.toast(error.message);
      return;
    }
    list.replaceChildren(...traces.map((trace) => entry(app, trace, show)));
    if (traces.length === 0) list.replaceChildren(el("li", {}, "No trace yet."));
  };
  panel.showHistory = show;
  const exports = el("fieldset", { className: "card" }, el("legend", {}, "Save this trace"),
    el("div", { className: "buttons" },
      ...FORMATS.filter(([kind]) => app.transport.formats?.includes(kind) ?? true).map(([kind, name]) => el("button", { type: "button", onclick: () => app.save(kind) }, name)),
      el("button", { type: "button", onclick: () => app.do("savePng") }, "PNG")),
    el("p", { className: "hint" }, "Files hold all samples as they were captured, at the input; PNG is the picture of the screen."));
  const kept = el("fieldset", { className: "card" }, el("legend", {}, "Last traces"),
    el("div", { className: "buttons" }, el("button", { type: "button", onclick: show }, "Refresh"),
      el("button", { type: "button", onclick: () => app.backToLive() }, "Back to live")), el("p", { className: "hint" }, "The last 32, and up to 16 that are pinned."), list);
  return [exports, kept];
}

function entry(app, trace, refresh) {
  const name = trace.name ?? `Trace ${trace.seq}`;
  const act = (message) => async () => {
    try {
      await app.transport.command(message);
    } catch (error) {
      app.toast(error.message);
    }
    await refresh();
  };
  const pin = trace.name === null
    ? el("button", { type: "button", onclick: () => {
      const given = prompt("Name of this trace", name);
      if (given) act({ type: "pin", seq: trace.seq, name: given })();
    } }, "Pin")
    : el("button", { type: "button", onclick: act({ type: "pin", seq: trace.seq, name: null }) }, "Unpin");
  return el("li", {},
    el("strong", {}, name), ` · ${clock(trace.unix_ms)} · ${trace.ended}`,
    el("div", { className: "meta" }, `${format(trace.duration, "s")} at ${format(trace.rate, "Hz")}, ${trace.mode}; ${trace.settings}`),
    el("div", { className: "buttons" },
      el("button", { type: "button", "aria-label": `Show ${name}`, onclick: () => app.showKept(trace.seq) }, "Show"),
      el("button", { type: "button", "aria-label": `Compare with ${name}`, onclick: () => app.compare(trace.seq, name) }, "Compare"),
      pin,
      el("button", { type: "button", "aria-label": `Delete ${name}`, onclick: act({ type: "drop", seq: trace.seq }) }, "Delete")));
}

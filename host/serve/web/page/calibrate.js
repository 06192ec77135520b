// The calibration of the probes: what to connect, how far it has come, and what was found.

import { el } from "./controls.js";
import { format } from "./units.js";

/** The sides of the grid: how many settings of the converters are measured is their square. */
const GRIDS = [[8, "Quick"], [32, "Usual"], [64, "Fine"]];

export function calibrationCard(panel) {
  const { app } = panel;
  const chosen = { channels: ["A", "B"], grid: 32 };
  const now = () => app.state.calibration;
  const start = panel.button("Calibrate", () => app.command({ type: "calibrate", ...chosen }));
  const cancel = panel.button("Cancel", () => app.command({ type: "cancel-calibration" }));
  const bar = el("progress", { "aria-label": "Progress of the calibration" });
  const text = el("p", { className: "hint", id: "calibration-text", role: "status" });
  start.id = "calibrate";
  cancel.id = "cancel-calibration";
  panel.updates.push(() => {
    const calibration = now();
    const isRunning = calibration.state === "running";
    start.disabled = isRunning || app.state.role !== "control";
    cancel.hidden = !isRunning;
    bar.hidden = !isRunning;
    if (isRunning) [bar.max, bar.value] = [Math.max(1, calibration.done + calibration.left), calibration.done];
    const words = described(calibration);
    if (text.textContent !== words) text.textContent = words;
  });
  const choice = (options) => panel.choice({ ...options, set: (value) => { options.set(value); panel.update(); } });
  return el("fieldset", { className: "card" }, el("legend", {}, "Calibration"),
    el("p", { className: "hint" }, "Connect the tips of the probes to L5 and their grounds to GND. The device measures its own clock of 3.3 V, 2 kHz there; traces and the generator wait meanwhile."),
    el("div", { className: "rows" },
      ...choice({ label: "Probes", options: [["AB", "A and B"], ["A", "A"], ["B", "B"]], get: () => chosen.channels.join(""), set: (names) => { chosen.channels = [...names]; } }),
      ...choice({ label: "Grid", options: GRIDS, get: () => chosen.grid, set: (grid) => { chosen.grid = grid; } })),
    el("div", { className: "buttons hint" }, start, cancel), bar, text);
}

/** A calibration in words. */
export function described(calibration) {
  switch (calibration.state) {
    case "running":
      return `${calibration.done} of ${calibration.done + calibration.left} points measured.`;
    case "done": {
      const { residual_volts: residual, residual_of_range: part, used, rejected, scale, scale_before: before, offset, offset_before: offsetBefore, kept, not_kept: notKept } = calibration;
      const levels = `Levels are met within ${format(residual, "V")} rms, ${format(part, "%")} of the range; ${used} were used, ${rejected} left out.`;
      const change = `Span ${format(before, "V", 5)} is now ${format(scale, "V", 5)}, offset ${format(offsetBefore, "V", 5)} is now ${format(offset, "V", 5)}.`;
      return `Done. ${change} ${levels} ${kept ? `Kept as ${kept}.` : `Kept until this ends only: ${notKept}.`}`;
    }
    case "failed":
      return `Not calibrated: ${calibration.reason}.`;
    case "cancelled":
      return "Cancelled: the old parameters stay.";
    default:
      return "";
  }
}

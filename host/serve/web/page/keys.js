// A key for each knob.

/** What each key does: the key, its words, and the name of the action in app.js. */
export const KEYS = [
  [" ", "Space", "Run or stop", "toggleRun"],
  ["s", "S", "Single", "single"],
  ["f", "F", "Force a trigger", "force"],
  ["a", "A", "Autoset", "autoset"],
  ["1", "1", "Channel A on or off", "toggleA"],
  ["2", "2", "Channel B on or off", "toggleB"],
  ["l", "L", "Logic lines on or off", "toggleLines"],
  ["c", "C", "Select the next channel", "selectNext"],
  ["ArrowUp", "↑", "More volts per division", "voltsUp"],
  ["ArrowDown", "↓", "Fewer volts per division", "voltsDown"],
  ["PageUp", "Page ↑", "Move the channel up", "moveUp"],
  ["PageDown", "Page ↓", "Move the channel down", "moveDown"],
  ["ArrowRight", "→", "More time per division", "timeUp"],
  ["ArrowLeft", "←", "Less time per division", "timeDown"],
  [",", ",", "Trigger position to the left", "positionLeft"],
  [".", ".", "Trigger position to the right", "positionRight"],
  ["+", "+", "Trigger level up", "levelUp"],
  ["-", "−", "Trigger level down", "levelDown"],
  ["0", "0", "Trigger level to 50 %", "levelMiddle"],
  ["t", "T", "Next trigger source", "nextSource"],
  ["e", "E", "Next trigger type", "nextType"],
  ["m", "M", "Trigger mode auto or normal", "nextMode"],
  ["h", "H", "Hair trigger", "toggleHair"],
  ["j", "J", "Slow time bases roll, or not", "toggleRoll"],
  ["b", "B", "8 bits or the best resolution", "toggleBits"],
  ["g", "G", "Generator on or off", "toggleGenerator"],
  ["x", "X", "Time cursors", "cursorsTime"],
  ["y", "Y", "Voltage cursors", "cursorsVolts"],
  ["v", "V", "Averages: off, 4, 16, 64", "nextAverages"],
  ["p", "P", "Persistence", "nextPersistence"],
  ["d", "D", "Spectrum", "nextSpectrum"],
  ["n", "N", "Math", "nextMath"],
  ["o", "O", "X-Y", "toggleXY"],
  ["r", "R", "Keep the trace as a reference", "reference"],
  ["k", "K", "Mask from the trace", "mask"],
  ["z", "Z", "Zoom in at the middle", "zoomIn"],
  ["u", "U", "The whole screen again", "zoomReset"],
  ["i", "I", "Picture (PNG)", "savePng"],
  ["w", "W", "Samples (CSV)", "saveCsv"],
  ["?", "?", "These keys", "help"],
];

/** The action of a key press; none where it belongs to what has the focus. */
export function actionFor(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return null;
  const target = event.target;
  const tag = target?.tagName;
  if (tag === "INPUT" || tag === "SELECT" || tag === "TEXTAREA" || target?.closest?.("dialog")) return null;
  if (event.key === " " && (tag === "BUTTON" || tag === "SUMMARY" || tag === "A")) return null;
  const sliding = target?.getAttribute?.("role") === "slider" || target?.getAttribute?.("role") === "tab";
  if (sliding && /^(Arrow|Page|Home|End)/.test(event.key)) return null;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const found = KEYS.find(([one]) => one === key || (one === "+" && key === "="));
  return found ? found[3] : null;
}

/** Fills the dialog that lists them. */
export function fillHelp(dialog) {
  const list = document.createElement("dl");
  for (const [, name, words] of KEYS) {
    const row = document.createElement("div");
    const key = document.createElement("dt");
    const kbd = document.createElement("kbd");
    kbd.textContent = name;
    key.append(kbd);
    const what = document.createElement("dd");
    what.textContent = words;
    row.append(key, what);
    list.append(row);
  }
  const title = document.createElement("h2");
  title.id = "keys-title";
  title.textContent = "Keys";
  const close = document.createElement("button");
  close.type = "button";
  close.textContent = "Close";
  close.addEventListener("click", () => dialog.close());
  dialog.replaceChildren(title, list, close);
}

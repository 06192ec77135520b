import assert from "node:assert/strict";
import test from "node:test";

import { decode } from "../page/frame.js";
import { Pointer } from "../page/pointer.js";
import { frame } from "./traces.js";

test("over a gap a line is neither low nor high", () => {
  // Columns that are low, both, without samples and high.
  const trace = decode(frame({ trigger: 0 }, [{ name: "L", kind: "logic", layout: "extremes", lines: 1, stride: 10, data: Uint8Array.of(0, 0, 0, 1, 255, 0, 1, 1) }]));
  const app = { shown: trace, view: { hover: true, xy: false }, state: {}, geometry: () => ({ spectrumTop: 100, bottom: 50, lines: [], time: (x) => x }) };
  const pointer = new Pointer(app);
  const shown = [];
  pointer.showTip = (x, y, lines) => shown.push(lines[1]);
  for (const column of [0, 1, 2, 3]) pointer.hoverAt((column + 0.5) * 10e-6, 60);
  assert.deepEqual(shown, ["L0=0", "L0=↕", "L0=—", "L0=1"]);
});

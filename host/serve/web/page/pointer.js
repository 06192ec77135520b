// What the pointer does on the screen: it measures what it is over, zooms and pans.

import { $ } from "./controls.js";
import { elements, indexAt, levelOf, linesOf, voltAt, voltsOf } from "./frame.js";
import { around, crossings } from "./measure.js";
import { spectrumHz, spectrumOf } from "./screen.js";
import { clamp, format } from "./units.js";

export class Pointer {
  constructor(app) {
    this.app = app;
    /** Where it is, and the pulse under it. */
    this.hover = null;
  }

  hoverAt(x, y) {
    const trace = this.app.shown;
    if (!this.app.view.hover || !trace || this.app.view.xy || !this.app.state) return this.leave();
    const g = this.app.geometry();
    if (y > g.spectrumTop) return this.hoverSpectrum(g, trace, x, y);
    const time = g.time(x);
    const lines = [`${format(time, "s", 4)}`];
    for (const name of ["A", "B"]) {
      if (trace.channels[name]) lines.push(`${name}  ${format(voltAt(trace.channels[name], time + trace.trigger), "V", 4)}`);
    }
    const { L } = trace.channels;
    if (L) {
      const at = indexAt(L, time + trace.trigger);
      lines.push(linesOf(L).map((line) => `L${line}=${"01↕"[levelOf(L, line, at)] ?? "—"}`).join(" "));
    }
    const pulse = this.pulseAt(g, trace, time, y);
    if (pulse) {
      lines.push(`${pulse.name} ${pulse.high ? "high" : "low"} ${format(pulse.width, "s", 4)}${pulse.period ? `, period ${format(pulse.period, "s", 4)}, ${format(1 / pulse.period, "Hz", 4)}` : ""}`);
    }
    this.hover = { x, y, pulse };
    this.showTip(x, y, lines);
  }

  hoverSpectrum(g, trace, x, y) {
    const found = spectrumOf(trace, this.app.view);
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
        if (!candidate || !this.app.state.settings.channels[one].on) continue;
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
    const [width] = this.app.screen.size;
    tip.style.left = `${x > width - 260 ? x - tip.offsetWidth - 14 : x + 14}px`;
    tip.style.top = `${Math.max(0, y - 20)}px`;
    this.app.dirty = true;
  }

  leave() {
    if (this.hover) this.app.dirty = true;
    this.hover = null;
    $("tip").hidden = true;
  }

  watchScreen() {
    const canvas = $("screen");
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    canvas.addEventListener("pointermove", (event) => this.hoverAt(...at(event)));
    canvas.addEventListener("pointerdown", (event) => this.hoverAt(...at(event)));
    canvas.addEventListener("pointerleave", () => this.leave());
    canvas.addEventListener("dblclick", () => this.app.do("zoomReset"));
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const [width] = this.app.screen.size;
      if (event.shiftKey) this.pan(Math.sign(event.deltaY || event.deltaX) * 0.1);
      else this.app.zoom(event.deltaY < 0 ? 0.8 : 1.25, at(event)[0] / width);
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
    canvas.addEventListener("pointerleave", lift);
    canvas.addEventListener("pointermove", (event) => {
      if (!fingers.has(event.pointerId)) return;
      fingers.set(event.pointerId, event.clientX);
      if (fingers.size !== 2) return;
      const [one, other] = [...fingers.values()];
      const now = Math.abs(one - other);
      if (apart !== null && now > 10) this.app.zoom(apart / now, 0.5);
      apart = now;
    });
  }

  watchOverview() {
    const place = $("overview-window");
    place.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      place.setPointerCapture(event.pointerId);
      const width = $("overview").clientWidth;
      let last = event.clientX;
      const move = (now) => {
        const { from, to } = this.app.view.zoom;
        this.pan((now.clientX - last) / width / (to - from));
        last = now.clientX;
      };
      place.addEventListener("pointermove", move);
      place.addEventListener("lostpointercapture", () => place.removeEventListener("pointermove", move), { once: true });
    });
    place.addEventListener("keydown", (event) => {
      const action = { ArrowLeft: () => this.pan(-0.1), ArrowRight: () => this.pan(0.1), ArrowUp: () => this.app.zoom(0.8, 0.5), ArrowDown: () => this.app.zoom(1.25, 0.5), Home: () => this.app.do("zoomReset") }[event.key];
      if (!action) return;
      event.preventDefault();
      action();
    });
  }

  pan(part) {
    const { from, to } = this.app.view.zoom;
    const by = clamp(part * (to - from), -from, 1 - to);
    this.app.look({ zoom: { from: from + by, to: to + by } });
  }
}

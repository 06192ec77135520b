// The screen: where seconds and volts are, and what is drawn there.

import { elements, isEmpty, levelOf, linesOf, pairs, reduce, timeOf, volts } from "./frame.js";
import { combine, peaks, spectrum } from "./dsp.js";
import { LANE_HEIGHT } from "./decoders.js";
import { format, short } from "./units.js";

const LANE = 26;
const MAX_LANES_PART = 0.45;
const SPECTRUM_PART = 0.42;
/** Decibels from the top of a spectrum to its bottom. */
const SPECTRUM_DB = 120;

/**
 * Where things are, in pixels of CSS. Times are seconds from the trigger; the window is what the settings ask for, cut to the
 * part that is zoomed into.
 */
export class Geometry {
  constructor(width, height, settings, limits, view, lines, { isRolling = false, decoded = [] } = {}) {
    this.width = width;
    this.height = height;
    this.settings = settings;
    this.columns = limits.horizontal_divisions;
    this.rows = limits.vertical_divisions;
    this.span = settings.time_per_div * this.columns;
    // The right edge of a screen that rolls is now.
    this.start = -(isRolling ? 1 : settings.position) * this.span;
    this.isRolling = isRolling;
    this.zoom = view.zoom;
    this.from = this.start + view.zoom.from * this.span;
    this.to = this.start + view.zoom.to * this.span;
    this.lines = lines;
    this.spectrumTop = view.spectrum === "off" ? height : Math.round(height * (1 - SPECTRUM_PART));
    const wanted = lines.length * LANE;
    const none = !settings.channels.A.on && !settings.channels.B.on;
    this.decoded = decoded;
    this.decodedTop = this.spectrumTop - Math.min(decoded.length * LANE_HEIGHT, Math.floor(this.spectrumTop * MAX_LANES_PART));
    this.lanes = none ? this.decodedTop : Math.min(wanted, this.decodedTop * MAX_LANES_PART);
    this.bottom = this.decodedTop - this.lanes;
  }

  x(time) {
    return ((time - this.from) / (this.to - this.from)) * this.width;
  }

  time(x) {
    return this.from + (x / this.width) * (this.to - this.from);
  }

  y(name, value) {
    const { middle, volts_per_div: scale } = this.settings.channels[name];
    return this.bottom / 2 - ((value - middle) / scale) * (this.bottom / this.rows);
  }

  volts(name, y) {
    const { middle, volts_per_div: scale } = this.settings.channels[name];
    return middle + ((this.bottom / 2 - y) / (this.bottom / this.rows)) * scale;
  }

  /** The top and height of a line's lane. */
  lane(line) {
    const index = this.lines.indexOf(line);
    const height = this.lanes / this.lines.length;
    return { top: this.bottom + index * height, height };
  }

  /** The top and height of the lane of a decoder's row. */
  decodedLane(index) {
    const height = (this.spectrumTop - this.decodedTop) / this.decoded.length;
    return { top: this.decodedTop + index * height, height };
  }

  /** The part of a trace that is on the screen, as fractions of it. */
  part(duration, trigger) {
    const fraction = (time) => Math.min(1, Math.max(0, (time + trigger) / duration));
    return { from: fraction(this.from), to: fraction(this.to) };
  }
}

/** The colours of the theme. */
export function colours(element) {
  const style = getComputedStyle(element);
  const names = ["screen", "grid", "axis", "text", "muted", "A", "B", "L", "M", "R", "trigger", "bad", "mask", "cursor"];
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--c-${name}`).trim()]));
}

export class Screen {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false });
    this.glow = document.createElement("canvas");
    this.glowKey = "";
    /** Whether its place may have another size: asking for that makes the browser lay the page out. */
    this.mayBeResized = true;
    new ResizeObserver(() => { this.mayBeResized = true; }).observe(canvas);
    this.resize();
  }

  /** Takes the size of its place; true if that has changed. */
  resize() {
    if (!this.mayBeResized && window.devicePixelRatio === this.ratio) return false;
    this.mayBeResized = false;
    const { clientWidth, clientHeight } = this.canvas;
    const ratio = window.devicePixelRatio || 1;
    this.ratio = ratio;
    const [width, height] = [Math.max(1, Math.round(clientWidth * ratio)), Math.max(1, Math.round(clientHeight * ratio))];
    if (this.canvas.width === width && this.canvas.height === height) return false;
    this.canvas.width = width;
    this.canvas.height = height;
    this.glow.width = width;
    this.glow.height = height;
    return true;
  }

  /** The size in pixels of CSS. */
  get size() {
    return [this.canvas.width / this.ratio, this.canvas.height / this.ratio];
  }

  /**
   * Draws everything. `scene`: geometry, trace, view, colours, references, mask with its violations, hover, and whether the
   * trace is a new one.
   */
  draw(scene) {
    const { context: c } = this;
    c.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    const { geometry: g, colours: ink, trace, view } = scene;
    c.fillStyle = ink.screen;
    c.fillRect(0, 0, g.width, g.height);
    if (view.xy) {
      this.drawXY(c, scene);
      return;
    }
    grid(c, g, ink);
    c.save();
    c.beginPath();
    c.rect(0, 0, g.width, g.spectrumTop);
    c.clip();
    this.drawMask(c, scene);
    this.drawGlow(c, scene);
    for (const reference of scene.references) drawTrace(c, g, reference.trace, { A: ink.R, B: ink.R, L: ink.R, M: ink.R }, view, 1, true);
    if (trace) drawTrace(c, g, trace, ink, view, 1.6, false);
    if (trace) drawDecoded(c, g, trace, ink);
    this.drawViolations(c, scene);
    drawHover(c, scene);
    c.restore();
    drawTrigger(c, g, ink);
    if (view.spectrum !== "off") drawSpectrum(c, scene);
  }

  drawGlow(c, { geometry: g, trace, view, colours: ink, fresh }) {
    if (view.persistence === "off" || trace?.ended === "roll") {
      this.glowKey = "";
      return;
    }
    const context = this.glow.getContext("2d");
    const key = JSON.stringify([g.from, g.to, g.width, g.height, g.settings.channels, view.persistence]);
    context.setTransform(1, 0, 0, 1, 0, 0);
    if (key !== this.glowKey) {
      context.clearRect(0, 0, this.glow.width, this.glow.height);
      this.glowKey = key;
    }
    if (fresh && trace) {
      if (view.persistence !== "infinite") {
        context.globalCompositeOperation = "destination-out";
        context.fillStyle = `rgba(0,0,0,${view.persistence === "short" ? 0.18 : 0.03})`;
        context.fillRect(0, 0, this.glow.width, this.glow.height);
        context.globalCompositeOperation = "source-over";
      }
      context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
      context.globalAlpha = 0.55;
      drawTrace(context, g, trace, ink, view, 1.2, true);
      context.globalAlpha = 1;
    }
    c.drawImage(this.glow, 0, 0, g.width, g.height);
  }

  drawMask(c, { geometry: g, mask, colours: ink }) {
    if (!mask) return;
    c.fillStyle = ink.mask;
    const { low, high, from, width, name } = mask;
    const dx = Math.max(1, g.x(from + width) - g.x(from) + 0.6);
    for (let i = 0; i < low.length; i += 1) {
      if (low[i] > high[i]) continue;
      const x = g.x(from + i * width);
      const [top, bottom] = [g.y(name, high[i]), g.y(name, low[i])];
      c.fillRect(x, 0, dx, Math.max(0, top));
      c.fillRect(x, bottom, dx, Math.max(0, g.bottom - bottom));
    }
  }

  drawViolations(c, { geometry: g, violations, colours: ink }) {
    if (!violations?.length) return;
    c.fillStyle = ink.bad;
    for (const time of violations) c.fillRect(g.x(time) - 1, g.bottom - 6, 2, 6);
  }

  drawXY(c, { geometry: g, trace, colours: ink }) {
    const size = Math.min(g.width, g.height);
    const [left, top] = [(g.width - size) / 2, (g.height - size) / 2];
    c.strokeStyle = ink.grid;
    c.lineWidth = 1;
    c.beginPath();
    for (let i = 0; i <= g.rows; i += 1) {
      const at = Math.round((i * size) / g.rows) + 0.5;
      c.moveTo(left + at, top);
      c.lineTo(left + at, top + size);
      c.moveTo(left, top + at);
      c.lineTo(left + size, top + at);
    }
    c.stroke();
    c.fillStyle = ink.muted;
    c.font = "12px system-ui, sans-serif";
    c.fillText("A →", left + size - 30, top + size - 8);
    c.fillText("B ↑", left + 8, top + 16);
    const { A, B } = trace?.channels ?? {};
    if (!A || !B) {
      c.fillText("X-Y shows B over A: turn both channels on", left + 40, top + size / 2);
      return;
    }
    const place = (name, value) => (value - g.settings.channels[name].middle) / g.settings.channels[name].volts_per_div / g.rows;
    c.strokeStyle = ink.M;
    c.lineWidth = 1.2;
    // Where either has no samples there is no line.
    stroke(c, pairs(A, B).flatMap(([a, b]) => (Number.isNaN(a + b) ? [NaN, NaN] : [left + size * (0.5 + place("A", a)), top + size * (0.5 - place("B", b))])));
  }
}

function grid(c, g, ink) {
  c.lineWidth = 1;
  c.strokeStyle = ink.grid;
  c.beginPath();
  const zoomed = g.zoom.to - g.zoom.from < 0.999;
  const step = zoomed ? (g.to - g.from) / g.columns : g.settings.time_per_div;
  const first = zoomed ? g.from : g.start;
  for (let i = 1; i < g.columns; i += 1) {
    const x = Math.round(g.x(first + i * step)) + 0.5;
    c.moveTo(x, 0);
    c.lineTo(x, g.spectrumTop);
  }
  for (let i = 1; i < g.rows; i += 1) {
    const y = Math.round((i * g.bottom) / g.rows) + 0.5;
    c.moveTo(0, y);
    c.lineTo(g.width, y);
  }
  c.stroke();
  c.strokeStyle = ink.axis;
  c.beginPath();
  const middle = Math.round(g.bottom / 2) + 0.5;
  c.moveTo(0, middle);
  c.lineTo(g.width, middle);
  if (g.lanes > 0 && g.bottom > 0) {
    c.moveTo(0, Math.round(g.bottom) + 0.5);
    c.lineTo(g.width, Math.round(g.bottom) + 0.5);
  }
  // Fifths of divisions along the middle.
  for (let i = 0; i <= g.columns * 5; i += 1) {
    const x = Math.round((i * g.width) / (g.columns * 5)) + 0.5;
    c.moveTo(x, middle - 3);
    c.lineTo(x, middle + 3);
  }
  c.stroke();
}

/** The points of a line that shows volts: the extremes of each column of pixels, or every sample. */
export function points(channel, values, g, trigger, y) {
  const count = channel ? elements(channel) : values.values.length;
  const start = channel ? timeOf(channel, 0) : values.start;
  const period = channel ? channel.stride * channel.period : values.period;
  const x0 = g.x(start - trigger);
  const dx = g.x(start + period - trigger) - x0;
  const all = [];
  if (channel?.extremes) {
    for (let i = 0; i < count; i += 1) {
      const x = x0 + i * dx;
      if (x < -2 * dx || x > g.width + 2 * dx) continue;
      if (isEmpty(channel, i)) {
        all.push(NaN, NaN);
        continue;
      }
      const low = y(channel.bottom + channel.step * channel.data[2 * i]);
      const high = y(channel.bottom + channel.step * channel.data[2 * i + 1]);
      push(all, x, low, high);
    }
    return { all, dx };
  }
  const samples = channel ? volts(channel) : values.values;
  if (dx < 0.5) {
    const columns = Math.ceil(g.width);
    const { low, high } = reduce(samples, x0, dx, columns);
    for (let i = 0; i < columns; i += 1) {
      if (!Number.isNaN(low[i])) push(all, i, y(low[i]), y(high[i]));
    }
    return { all, dx };
  }
  for (let i = 0; i < count; i += 1) {
    const x = x0 + i * dx;
    if (x < -dx || x > g.width + dx) continue;
    all.push(x, y(samples[i]));
  }
  return { all, dx };
}

/** Both ends of a column, the one nearer to the point before it first. */
function push(all, x, low, high) {
  const before = all[all.length - 1];
  if (low === high) all.push(x, low);
  else if (before !== undefined && Math.abs(before - high) < Math.abs(before - low)) all.push(x, high, x, low);
  else all.push(x, low, x, high);
}

function stroke(c, all) {
  c.beginPath();
  for (let i = 0; i < all.length; i += 2) {
    // Where there were no samples there is no line.
    if (i === 0 || Number.isNaN(all[i - 1])) c.moveTo(all[i], all[i + 1]);
    else if (!Number.isNaN(all[i + 1])) c.lineTo(all[i], all[i + 1]);
  }
  c.stroke();
}

function drawTrace(c, g, trace, ink, view, width, plain) {
  c.lineJoin = "round";
  for (const name of ["B", "A"]) {
    const channel = trace.channels[name];
    if (!channel || !g.settings.channels[name].on) continue;
    const { all, dx } = points(channel, null, g, trace.trigger, (value) => g.y(name, value));
    c.save();
    c.beginPath();
    c.rect(0, 0, g.width, g.bottom);
    c.clip();
    c.strokeStyle = ink[name];
    c.lineWidth = width;
    stroke(c, all);
    if (!plain && dx > 7) {
      c.fillStyle = ink[name];
      for (let i = 0; i < all.length; i += 2) c.fillRect(all[i] - 2, all[i + 1] - 2, 4, 4);
    }
    c.restore();
  }
  if (view.math !== "off" && !plain) drawMath(c, g, trace, ink, view, width);
  if (trace.channels.L) drawLogic(c, g, trace, ink, plain);
}

function drawMath(c, g, trace, ink, view, width) {
  const values = combine(trace, view.math);
  if (!values) return;
  // Volts on the scale of A; squares of volts on the square of it.
  const scale = g.settings.channels.A.volts_per_div;
  const unit = values.unit === "V" ? scale : scale * scale;
  const { all } = points(null, values, g, trace.trigger, (value) => g.bottom / 2 - (value / unit) * (g.bottom / g.rows));
  c.strokeStyle = ink.M;
  c.lineWidth = width;
  stroke(c, all);
}

function drawLogic(c, g, trace, ink, plain) {
  const channel = trace.channels.L;
  const count = elements(channel);
  const x0 = g.x(timeOf(channel, 0) - trace.trigger);
  const dx = g.x(timeOf(channel, 1) - trace.trigger) - x0;
  for (const line of linesOf(channel)) {
    if (!g.lines.includes(line)) continue;
    const { top, height } = g.lane(line);
    const [high, low] = [top + height * 0.22, top + height * 0.8];
    c.strokeStyle = ink.L;
    c.fillStyle = ink.L;
    c.lineWidth = plain ? 1 : 1.5;
    c.beginPath();
    let before = levelOf(channel, line, 0);
    // After a column with edges in it the next one shows where the line is.
    let y = before === 0 ? low : high;
    c.moveTo(x0, y);
    for (let i = 0; i < count; i += 1) {
      const now = levelOf(channel, line, i);
      if (now === before && now !== 2) continue;
      const x = x0 + i * dx;
      const isAfterNone = before === -1;
      if (now === -1) c.lineTo(x, y);
      before = now;
      if (now === -1) continue;
      if (isAfterNone) {
        y = now === 1 ? high : low;
        c.moveTo(x, y);
        if (now !== 2) continue;
      }
      if (now === 2) {
        c.lineTo(x, y);
        c.lineTo(x, high + low - y);
        c.lineTo(x, y);
        continue;
      }
      const next = now === 0 ? low : high;
      c.lineTo(x, y);
      c.lineTo(x, next);
      y = next;
    }
    if (before !== -1) c.lineTo(x0 + count * dx, y);
    c.stroke();
  }
}

/** The longest of the texts that there is room for; as much as fits of the shortest otherwise. */
export function fitting(texts, room, widthOf) {
  const found = texts.find((text) => widthOf(text) <= room);
  if (found !== undefined) return found;
  let text = texts[texts.length - 1];
  while (text !== "" && widthOf(text) > room) text = text.slice(0, -1);
  return text;
}

function drawDecoded(c, g, trace, ink) {
  c.font = "11px system-ui, sans-serif";
  c.lineWidth = 1;
  const widthOf = (text) => c.measureText(text).width;
  g.decoded.forEach((lane, index) => {
    const { top, height } = g.decodedLane(index);
    for (const { start, end, texts } of lane.annotations) {
      const [from, to] = [start, end].map((time) => g.x(time + lane.offset - trace.trigger));
      if (to < 0 || from > g.width) continue;
      const [left, right] = [Math.max(from, -1), Math.min(to, g.width + 1)];
      c.fillStyle = ink.mask;
      c.strokeStyle = ink.M;
      c.fillRect(left, top + 3, Math.max(1, right - left), height - 6);
      c.strokeRect(left + 0.5, top + 3.5, Math.max(1, right - left - 1), height - 7);
      if (right - left < 8) continue;
      const text = fitting(texts, right - left - 6, widthOf);
      c.fillStyle = ink.text;
      c.textAlign = "center";
      c.fillText(text, (left + right) / 2, top + height / 2 + 4);
      c.textAlign = "left";
    }
  });
}

function drawTrigger(c, g, ink) {
  // Nothing triggers.
  if (g.isRolling) return;
  const source = g.settings.trigger.source;
  const x = g.x(0);
  c.strokeStyle = ink.trigger;
  c.lineWidth = 1;
  c.setLineDash([2, 5]);
  c.beginPath();
  if (x >= 0 && x <= g.width) {
    c.moveTo(x, 0);
    c.lineTo(x, g.spectrumTop);
  }
  if ((source === "A" || source === "B") && g.settings.trigger.level !== null) {
    const y = g.y(source, g.settings.trigger.level);
    c.moveTo(0, y);
    c.lineTo(g.width, y);
  }
  c.stroke();
  c.setLineDash([]);
}

function drawHover(c, { geometry: g, hover, colours: ink }) {
  if (!hover) return;
  c.strokeStyle = ink.cursor;
  c.lineWidth = 1;
  c.beginPath();
  c.moveTo(hover.x + 0.5, 0);
  c.lineTo(hover.x + 0.5, g.spectrumTop);
  if (hover.pulse) {
    const [from, to] = [g.x(hover.pulse.from), g.x(hover.pulse.to)];
    const { y } = hover;
    c.moveTo(from, y - 6);
    c.lineTo(from, y + 6);
    c.moveTo(from, y);
    c.lineTo(to, y);
    c.moveTo(to, y - 6);
    c.lineTo(to, y + 6);
  }
  c.stroke();
}

/** Where a frequency of a spectrum is, on a scale of decades from its second bin to half the rate. */
export function spectrumX(found, hz, width) {
  return (Math.log(hz / (2 * found.binHz)) / Math.log(found.maxHz / (2 * found.binHz))) * width;
}

/** The frequency at a place. */
export function spectrumHz(found, x, width) {
  return 2 * found.binHz * (found.maxHz / (2 * found.binHz)) ** (x / width);
}

/** The spectrum that the view asks for. */
export function spectrumOf(trace, view) {
  if (!trace) return null;
  if (view.spectrum === "M") {
    const values = combine(trace, view.math === "off" ? "A−B" : view.math);
    return values && !values.values.some(Number.isNaN) ? spectrum(values.values, values.period, view.window) : null;
  }
  const channel = trace.channels[view.spectrum];
  const values = channel && volts(channel);
  return values && !values.some(Number.isNaN) ? spectrum(values, channel.stride * channel.period, view.window) : null;
}

function drawSpectrum(c, { geometry: g, trace, view, colours: ink }) {
  const [top, height] = [g.spectrumTop, g.height - g.spectrumTop];
  c.fillStyle = ink.screen;
  c.fillRect(0, top, g.width, height);
  c.strokeStyle = ink.axis;
  c.lineWidth = 1;
  c.beginPath();
  c.moveTo(0, top + 0.5);
  c.lineTo(g.width, top + 0.5);
  c.stroke();
  c.font = "11px system-ui, sans-serif";
  const found = spectrumOf(trace, view);
  c.fillStyle = ink.muted;
  if (!found) {
    c.fillText("Spectrum: this channel was not captured, or has gaps", 10, top + 18);
    return;
  }
  const highest = 20;
  const y = (db) => top + ((highest - db) / SPECTRUM_DB) * height;
  const x = (hz) => spectrumX(found, hz, g.width);
  c.strokeStyle = ink.grid;
  c.beginPath();
  c.textAlign = "right";
  for (let db = 0; db > highest - SPECTRUM_DB; db -= 20) {
    c.moveTo(0, Math.round(y(db)) + 0.5);
    c.lineTo(g.width, Math.round(y(db)) + 0.5);
    c.fillText(`${db} dBV`, g.width - 5, y(db) - 3);
  }
  c.textAlign = "left";
  for (let decade = 1e-3; decade < found.maxHz; decade *= 10) {
    for (let digit = 1; digit < 10; digit += 1) {
      const at = Math.round(x(decade * digit)) + 0.5;
      if (at <= 0 || at >= g.width) continue;
      c.moveTo(at, digit === 1 ? top : g.height - 5);
      c.lineTo(at, g.height);
      if (digit === 1) c.fillText(short(decade, "Hz"), at + 3, g.height - 7);
    }
  }
  c.stroke();
  const columns = Math.ceil(g.width);
  const heights = new Float32Array(columns).fill(NaN);
  const all = [];
  let last = -1;
  for (let k = 1; k < found.db.length; k += 1) {
    const column = Math.min(columns - 1, Math.round(x(k * found.binHz)));
    if (column < 0) continue;
    if (!(heights[column] >= found.db[k])) heights[column] = found.db[k];
    if (column !== last && last >= 0) all.push(last, y(heights[last]));
    last = column;
  }
  c.save();
  c.beginPath();
  c.rect(0, top, g.width, height);
  c.clip();
  c.strokeStyle = ink[view.spectrum];
  c.lineWidth = 1.3;
  stroke(c, all);
  c.restore();
  c.fillStyle = ink.text;
  const placed = [];
  for (const peak of peaks(found, 5)) {
    const [px, py] = [x(peak.hz), y(peak.db)];
    c.fillRect(px - 2, py - 2, 4, 4);
    const label = [Math.min(px + 6, g.width - 190), Math.max(top + 14, py + 4)];
    if (placed.some(([ox, oy]) => Math.abs(ox - label[0]) < 130 && Math.abs(oy - label[1]) < 13)) continue;
    placed.push(label);
    c.fillText(`${format(peak.hz, "Hz", 4)}  ${format(peak.db, "dBV", 3)}`, ...label);
  }
}

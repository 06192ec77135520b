// Traces as they come: a JSON object and arrays behind it. Pure functions.

const MAGIC = 0x31575453; // "STW1"

/** The trace in a frame. Throws where it is none. */
export function decode(buffer) {
  const view = new DataView(buffer);
  if (buffer.byteLength < 8 || view.getUint32(0, true) !== MAGIC) throw new Error("not a trace of this version");
  const length = view.getUint32(4, true);
  if (8 + length > buffer.byteLength) throw new Error("a trace was cut off");
  const about = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  const channels = {};
  for (const block of about.channels) {
    const at = 8 + length + block.offset;
    if (at + block.bytes > buffer.byteLength) throw new Error("a trace was cut off");
    const data = block.kind === "volts"
      ? new Uint16Array(buffer, at, block.bytes / 2)
      : new Uint8Array(buffer, at, block.bytes);
    channels[block.name] = { ...block, data, extremes: block.layout === "extremes" };
  }
  // The right edge of what rolled is now.
  const trigger = about.ended === "roll" ? about.duration : about.trigger;
  return { ...about, trigger, channels };
}

/** How many elements there are: samples, or columns with their extremes. */
export function elements(channel) {
  return channel.extremes ? channel.data.length / 2 : channel.data.length;
}

/** When an element was sampled, or when its column begins, in seconds from the start of the trace. */
export function timeOf(channel, index) {
  return channel.start + (channel.first + index * channel.stride) * channel.period;
}

/** The element at a time, or the nearest to it. */
export function indexAt(channel, time) {
  const sample = (time - channel.start) / channel.period - channel.first;
  const index = channel.extremes ? Math.floor(sample / channel.stride) : Math.round(sample);
  return Math.max(0, Math.min(elements(channel) - 1, index));
}

/** The lowest and highest voltage of an element; not numbers where a column has no samples. */
export function voltsOf(channel, index) {
  const { data, bottom, step } = channel;
  if (isEmpty(channel, index)) return [NaN, NaN];
  if (channel.extremes) return [bottom + step * data[2 * index], bottom + step * data[2 * index + 1]];
  const volts = bottom + step * data[index];
  return [volts, volts];
}

/** The voltage of an element; of a column the middle of its extremes. */
export function voltAt(channel, time) {
  const [low, high] = voltsOf(channel, indexAt(channel, time));
  return (low + high) / 2;
}

/** Whether a column of volts has no samples: time that passed while none came. */
export function isEmpty(channel, index) {
  return channel.extremes && channel.data[2 * index] > channel.data[2 * index + 1];
}

/** Whether a line is low (0), high (1), or both (2) in an element; -1 where a column has no samples. */
export function levelOf(channel, line, index) {
  const bit = 1 << line;
  if (channel.extremes && channel.data[2 * index] & ~channel.data[2 * index + 1] & bit) return -1;
  if (!channel.extremes) return channel.data[index] & bit ? 1 : 0;
  const all = channel.data[2 * index] & bit;
  const any = channel.data[2 * index + 1] & bit;
  return all ? 1 : any ? 2 : 0;
}

/** All samples in volts; of a trace that was thinned out, the middles of its columns. */
export function volts(channel) {
  const count = elements(channel);
  const all = new Float64Array(count);
  const { data, bottom, step } = channel;
  if (channel.extremes) {
    for (let i = 0; i < count; i += 1) all[i] = isEmpty(channel, i) ? NaN : bottom + step * (data[2 * i] + data[2 * i + 1]) / 2;
  } else {
    for (let i = 0; i < count; i += 1) all[i] = bottom + step * data[i];
  }
  return all;
}

/**
 * What one channel was at the times of another, as pairs of volts. Two channels of one device are sampled in turns, half a
 * period apart: the second is interpolated.
 */
export function pairs(a, b) {
  const [x, y] = [volts(a), volts(b)];
  const found = [];
  for (let i = 0; i < x.length; i += 1) {
    const place = ((timeOf(a, i) - b.start) / b.period - b.first) / b.stride;
    const before = Math.min(Math.floor(place), y.length - 2);
    // Beyond the ends by no more than what rounding makes of them.
    if (before < 0 || place > y.length - 1 + 1e-6) continue;
    found.push([x[i], y[before] + (place - before) * (y[before + 1] - y[before])]);
  }
  return found;
}

/** The lines that were captured. */
export function linesOf(channel) {
  return [0, 1, 2, 3, 4, 5, 6, 7].filter((line) => channel && channel.lines & (1 << line));
}

/**
 * The lowest and highest of the samples that fall on each pixel: three arrays of `columns`, NaN where there is none. `values`
 * are evenly spaced, the first at `x0` pixels, `dx` pixels apart.
 */
export function reduce(values, x0, dx, columns) {
  const low = new Float32Array(columns).fill(NaN);
  const high = new Float32Array(columns).fill(NaN);
  for (let i = 0; i < values.length; i += 1) {
    const column = Math.floor(x0 + i * dx);
    const value = values[i];
    if (column < 0 || column >= columns || Number.isNaN(value)) continue;
    if (!(low[column] <= value)) low[column] = value;
    if (!(high[column] >= value)) high[column] = value;
  }
  return { low, high };
}

// Masks: the band that a trace must stay in, made from one trace with a margin. Pure functions.

import { elements, timeOf, voltsOf } from "./frame.js";

/** The number of places in time at which a mask is held. */
const PLACES = 500;

/**
 * The band around a channel of a trace: `dt` seconds and `dv` volts to each side. Times are those from the trigger.
 */
export function make(trace, name, dt, dv) {
  const channel = trace.channels[name];
  if (!channel) return null;
  const from = timeOf(channel, 0) - trace.trigger;
  const to = timeOf(channel, elements(channel) - 1) - trace.trigger;
  const width = (to - from) / PLACES;
  const low = new Float64Array(PLACES).fill(Infinity);
  const high = new Float64Array(PLACES).fill(-Infinity);
  each(trace, channel, (time, l, h) => {
    const first = Math.max(0, Math.floor((time - dt - from) / width));
    const last = Math.min(PLACES - 1, Math.floor((time + dt - from) / width));
    for (let place = first; place <= last; place += 1) {
      low[place] = Math.min(low[place], l - dv);
      high[place] = Math.max(high[place], h + dv);
    }
  });
  return { name, from, width, low, high };
}

function each(trace, channel, visit) {
  const count = elements(channel);
  const half = channel.extremes ? (channel.stride * channel.period) / 2 : 0;
  for (let i = 0; i < count; i += 1) {
    const [low, high] = voltsOf(channel, i);
    if (Number.isNaN(low)) continue;
    visit(timeOf(channel, i) + half - trace.trigger, low, high);
  }
}

/** Where a trace leaves the band: times from the trigger, none if it stays within; null if its channel was not captured. */
export function violations(mask, trace) {
  const channel = trace.channels[mask.name];
  if (!channel) return null;
  const outside = [];
  each(trace, channel, (time, low, high) => {
    const place = Math.floor((time - mask.from) / mask.width);
    if (place < 0 || place >= mask.low.length || mask.low[place] > mask.high[place]) return;
    if (low < mask.low[place] || high > mask.high[place]) outside.push(time);
  });
  return outside;
}

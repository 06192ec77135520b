// Frames as the server sends them, made here by their description and not by its code.

/** A frame of these channels: objects of name, kind and numbers. */
export function frame(about, channels) {
  const blocks = [];
  const parts = [];
  let offset = 0;
  for (const { data, ...block } of channels) {
    const bytes = new Uint8Array(data.buffer);
    blocks.push({ layout: "samples", start: 0, period: 1e-6, samples: data.length, first: 0, stride: 1, ...block, offset, bytes: bytes.length });
    const padded = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
    padded.set(bytes);
    parts.push(padded);
    offset += padded.length;
  }
  let json = JSON.stringify({ seq: 1, ended: "trigger", trigger: 0, duration: 1e-3, rate: 1e6, changes: 0, dead: null, seen: null, ...about, channels: blocks });
  json = json.padEnd(Math.ceil(json.length / 4) * 4);
  const head = new ArrayBuffer(8);
  new Uint8Array(head).set(new TextEncoder().encode("STW1"));
  new DataView(head).setUint32(4, json.length, true);
  const all = [new Uint8Array(head), new TextEncoder().encode(json), ...parts];
  const result = new Uint8Array(all.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of all) {
    result.set(part, at);
    at += part.length;
  }
  return result.buffer;
}

/** Samples of a function of the index as steps of a millivolt from -5 V on. */
export function analog(name, count, value, more = {}) {
  const data = Uint16Array.from({ length: count }, (_, index) => Math.round((value(index) + 5) * 1000));
  return { name, kind: "volts", bottom: -5, step: 1e-3, data, ...more };
}

export function sine(hertz, amplitude = 1, offset = 0, period = 1e-6) {
  return (index) => offset + amplitude * Math.sin(2 * Math.PI * hertz * index * period);
}

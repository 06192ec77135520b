// What belongs to this browser alone: how traces are looked at. Kept for the next visit, and carried by links.

const KEY = "scopething.view.1";

export const DEFAULTS = {
  theme: "system",
  panel: "scope",
  zoom: { from: 0, to: 1 },
  averages: 1,
  persistence: "off",
  math: "off",
  spectrum: "off",
  window: "hann",
  xy: false,
  hover: true,
  cursors: { time: false, volts: false, channel: "A", t1: 0.25, t2: 0.75, v1: 0.35, v2: 0.65 },
  measurements: [
    { channel: "A", name: "frequency" },
    { channel: "A", name: "peak_to_peak" },
  ],
  mask: { channel: "A", dx: 0.1, dy: 0.3, stop: false },
  generator: { shape: "sine", frequency: "1kHz", low: "0V", high: "3.3V", symmetry: "50%", clock: "1kHz", duty: "50%", line: "L5", hold: "L3=1" },
};

/** Values of `stored` in the places of `defaults`, as far as they are of the same kind. */
export function merged(defaults, stored) {
  if (Array.isArray(defaults)) return Array.isArray(stored) ? stored : defaults;
  if (typeof defaults === "object" && defaults !== null) {
    const result = {};
    for (const [key, value] of Object.entries(defaults)) result[key] = merged(value, stored?.[key]);
    return result;
  }
  return typeof stored === typeof defaults ? stored : defaults;
}

export function load() {
  try {
    return merged(DEFAULTS, JSON.parse(localStorage.getItem(KEY) ?? "{}"));
  } catch {
    return merged(DEFAULTS, {});
  }
}

export function save(view) {
  try {
    localStorage.setItem(KEY, JSON.stringify(view));
  } catch {
    // A browser that keeps nothing: the next visit begins anew.
  }
}

/** Settings and view as text for a link. */
export function toLink(settings, view) {
  const bytes = new TextEncoder().encode(JSON.stringify({ settings, view }));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** What a link carries; null if it carries nothing that can be read. */
export function fromLink(text) {
  try {
    const bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
    const { settings, view } = JSON.parse(new TextDecoder().decode(bytes));
    return { settings: settings ?? null, view: merged(DEFAULTS, view ?? {}) };
  } catch {
    return null;
  }
}

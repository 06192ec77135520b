// What belongs to this browser alone: how traces are looked at. Kept for the next visit, and carried by links.

const KEY = "scopething.view.1";
/** The least part of a trace that is zoomed into. */
export const MIN_ZOOM = 1e-4;

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
  decoders: [],
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

/** A view with the values of `stored`; what cannot be shown is as at first. */
export function viewOf(stored) {
  const view = merged(DEFAULTS, stored);
  const { zoom, cursors, mask } = view;
  // Some digits are lost by zooming.
  if (!(zoom.from > -1e-9 && zoom.to < 1 + 1e-9 && zoom.to - zoom.from > MIN_ZOOM / 2)) view.zoom = DEFAULTS.zoom;
  for (const [part, defaults] of [[cursors, DEFAULTS.cursors], [mask, DEFAULTS.mask]]) {
    if (part.channel !== "A" && part.channel !== "B") part.channel = defaults.channel;
  }
  view.decoders = view.decoders.filter((one) => typeof one === "string");
  view.measurements = view.measurements.filter((one) => typeof one?.channel === "string" && typeof one.name === "string");
  return view;
}

export function load() {
  try {
    return viewOf(JSON.parse(localStorage.getItem(KEY) ?? "{}"));
  } catch {
    return viewOf({});
  }
}

export function save(view) {
  try {
    localStorage.setItem(KEY, JSON.stringify(view));
  } catch {
    // A browser that keeps nothing: the next visit begins anew.
  }
}

/** Takes a parameter out of the address of the page, behind its #; null if it has none. */
export function takeParameter(name) {
  const parameters = new URLSearchParams(location.hash.slice(1));
  const value = parameters.get(name);
  if (value !== null) {
    parameters.delete(name);
    const rest = parameters.toString();
    history.replaceState(null, "", location.pathname + (rest ? `#${rest}` : ""));
  }
  return value;
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
    return { settings: settings ?? null, view: viewOf(view) };
  } catch {
    return null;
  }
}

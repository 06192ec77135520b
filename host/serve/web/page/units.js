// Numbers with units, as people write them: 2.5 mV, 1 kHz. Pure functions.

const PREFIXES = [
  ["T", 1e12], ["G", 1e9], ["M", 1e6], ["k", 1e3], ["", 1], ["m", 1e-3], ["µ", 1e-6], ["n", 1e-9], ["p", 1e-12],
];
const FACTORS = { T: 1e12, G: 1e9, M: 1e6, k: 1e3, K: 1e3, m: 1e-3, u: 1e-6, "µ": 1e-6, "μ": 1e-6, n: 1e-9, p: 1e-12 };

/** A value with the prefix that leaves one to three digits before the point. What is not a number is a dash. */
export function format(value, unit, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "—";
  if (unit === "%") return `${trimmed(value * 100, digits)} %`;
  if (unit === "°" || unit === "dB" || unit === "dBV") return `${trimmed(value, digits)} ${unit}`;
  if (unit === "" || unit === "x") return trimmed(value, digits);
  if (value === 0) return `0 ${unit}`;
  // Rounded first, so that 999.9996 is 1.00 k and not 1000.
  const rounded = Number(value.toPrecision(digits));
  const found = PREFIXES.find(([, factor]) => Math.abs(rounded) >= factor * (1 - 1e-12));
  const [prefix, factor] = found ?? PREFIXES[PREFIXES.length - 1];
  return `${trimmed(rounded / factor, digits)} ${prefix}${unit}`;
}

/** So many significant digits, without an exponent. */
function trimmed(value, digits) {
  if (value === 0) return "0";
  const text = Number(value.toPrecision(digits));
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(text))));
  return text.toFixed(Math.min(decimals, 12));
}

/** As `format`, without zeros at the end: for knobs, whose values are round. */
export function short(value, unit) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "—";
  const text = format(value, unit, 4);
  const [number, ...rest] = text.split(" ");
  const plain = number.includes(".") ? number.replace(/0+$/, "").replace(/\.$/, "") : number;
  return [plain, ...rest].join(" ");
}

/** The number in a text such as `2.5mV`, `1 kHz`, `50%`; NaN where there is none. */
export function parse(text, unit) {
  const match = /^\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*(.*?)\s*$/i.exec(String(text).replace(",", "."));
  if (!match) return NaN;
  const number = Number(match[1]);
  let rest = match[2];
  if (unit === "%") return rest === "%" || rest === "" ? number / 100 : NaN;
  // A division is what the knob is about: "1 ms/div" is 1 ms.
  rest = rest.replace(/\/div$/i, "").trim();
  if (unit && rest.toLowerCase().endsWith(unit.toLowerCase())) rest = rest.slice(0, rest.length - unit.length);
  rest = rest.trim();
  if (rest === "") return number;
  return rest in FACTORS ? number * FACTORS[rest] : NaN;
}

/** The next value of 1, 2, 5, 10.. above (1) or below (-1) a value, within limits. */
export function step125(value, direction, least, most) {
  const decade = Math.floor(Math.log10(value) + 1e-9);
  const all = [];
  for (let power = decade - 1; power <= decade + 1; power += 1) {
    for (const digit of [1, 2, 5]) all.push(Number(`${digit}e${power}`));
  }
  const off = 1 + 1e-6;
  const next = direction > 0
    ? all.find((one) => one > value * off)
    : all.reverse().find((one) => one < value / off);
  return Math.min(most, Math.max(least, next ?? value));
}

export function clamp(value, least, most) {
  return Math.min(most, Math.max(least, value));
}

/** A date as hours, minutes, seconds and tenths. */
export function clock(unixMs) {
  const date = new Date(unixMs);
  const two = (number) => String(number).padStart(2, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${Math.floor(date.getMilliseconds() / 100)}`;
}

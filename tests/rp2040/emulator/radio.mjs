// The radio of a Pico W, a CYW43439, at its pins: power, gSPI, and the registers that drive the pin with the LED. No program runs
// in it.
//
// After data sheets of its family (CYW43362, 4.2.1: gSPI; CYW43438, 22.1: power-up) and what published drivers have alike; adverse
// where these leave something open. What they forbid ends the emulation with an error.

/** The pins of the board that lead to it. */
const [POWER, DATA, SELECT, CLOCK] = [23, 24, 25, 29];
const [LOW, HIGH] = [0, 1];

/** Off for so long, on for so long before the first access; from the request of the clock until it runs. */
const MIN_OFF_NANOS = 10e6;
const MIN_ON_NANOS = 150e6;
const CLOCK_NANOS = 3e6;
/** The shortest level of a clock of 50 MHz. */
const MIN_LEVEL_NANOS = 10;
/** From the fall of the clock until the processor sees a bit: output, a resistor of 470 ohms, synchroniser. */
const OUTPUT_NANOS = 40;

const CHIP_COMMON = 0x18000000;
/** What lies there: the chip's number below its revision; what the other pins are set to is none of the host's business. */
const RESET = { 0x00: 0x1540a9af, 0x64: 0b100, 0x68: 0b110, 0x6c: 0xfffffff9 };
const [LEVELS, DRIVEN, OTHERS] = [0x64, 0x68, 0x6c];

/** Of the bus's settings: words of 32 bits, bytes the other way round, the fast mode, awake, a delay of function 0 as well. */
const [WHOLE, REVERSED, FAST, AWAKE, DELAY_ALL] = [0, 1, 4, 7, 18].map((bit) => 1 << bit);
/** What may be set: these, a delay in bytes, and interrupts, of which there are none. No status, no other edges, no reset. */
const SETTINGS = WHOLE | REVERSED | FAST | AWAKE | DELAY_ALL | 0xff00 | (1 << 5) | (1 << 17);
const DEMANDED = WHOLE | FAST | AWAKE;
/** The request of the clock that is there without a program: the value that published drivers write. */
const CLOCK_REQUEST = 8;

const numberOf = (bits) => bits.reduce((word, bit) => ((word << 1) | bit) >>> 0, 0);
const bitsOf = (word) => Array.from({ length: 32 }, (_, at) => (word >>> (31 - at)) & 1);
const hex = (number) => `0x${number.toString(16)}`;

/** A pin without a chip of rp2040js: what drives it sets its fields, and calls `listener` with the `value` that they give. */
export class LoosePin {
  outputEnable = false;

  outputValue = false;

  listener = () => {};

  addListener(listener) {
    this.listener = listener;
  }

  /** Low, high, or not driven. */
  get value() {
    return this.outputEnable ? Number(this.outputValue) : 2;
  }
}

export class Radio {
  /** `onLed(lit)` is called when the LED changes. Without `hasClock` the clock that is requested never runs. */
  constructor({ hasClock = true } = {}) {
    this.hasClock = hasClock;
    this.onLed = () => {};
    /** How often it was switched on, and the longest time that one access took. */
    this.starts = 0;
    this.longestNanos = 0;
  }

  /** Solders it to a chip that starts; `now()` is the time in nanoseconds. */
  attach(chip, now) {
    this.now = now;
    this.pins = chip.gpio;
    this.#powerOff();
    const handlers = [[POWER, this.#power], [SELECT, this.#select], [CLOCK, this.#clock]];
    for (const [pin, handler] of handlers) chip.gpio[pin].addListener((state) => handler.call(this, state));
    // What the processor reads depends on when it does.
    Object.defineProperty(chip.gpio[DATA], 'rawInputValue', { get: () => this.#dataLevel, set() {} });
  }

  get lit() {
    return this.on && (this.common[LEVELS] & this.common[DRIVEN] & ~this.common[OTHERS] & 1) === 1;
  }

  /** The level that a pin is driven to; undefined if it is not. */
  #driven(pin) {
    const { outputEnable, outputValue } = this.pins[pin];
    return outputEnable ? Number(outputValue) : undefined;
  }

  get #dataLevel() {
    const driven = this.#driven(DATA);
    if (driven !== undefined) return driven === HIGH;
    if (!this.answer?.length) return false;
    // In one mode a bit goes as the clock rises, in the other as it falls: it is certain between fall and rise alone.
    const isCertain = this.#driven(CLOCK) === LOW && this.now() - this.clockChanged >= OUTPUT_NANOS;
    return (this.answer[0] === 1) === isCertain;
  }

  #powerOff() {
    const wasLit = this.lit;
    this.on = false;
    this.offSince = this.now();
    this.sent = null;
    this.answer = null;
    if (wasLit) this.onLed(false);
  }

  #power(state) {
    if (state !== HIGH) {
      if (this.on) this.#powerOff();
      return;
    }
    if (this.#driven(DATA) !== LOW) throw new Error('the radio is switched on without data low: it would speak SDIO');
    if (this.#driven(SELECT) !== HIGH || this.#driven(CLOCK) !== LOW) throw new Error('the radio is switched on in an access');
    if (this.now() - this.offSince < MIN_OFF_NANOS) throw new Error('the radio was off too short');
    this.on = true;
    this.starts += 1;
    this.onSince = this.now();
    this.clockChanged = -Infinity;
    this.settings = 0;
    this.accesses = 0;
    this.delay = null;
    this.window = [0, 0, 0];
    this.clockRequested = Infinity;
    this.common = { ...RESET };
  }

  #select(state) {
    if (!this.on) return;
    if (state === LOW) {
      if (this.now() - this.onSince < MIN_ON_NANOS) throw new Error('the radio is accessed before it is ready');
      if (this.#driven(CLOCK) !== LOW) throw new Error('the radio is selected with its clock high');
      // Before the first access the line selects gSPI; later it is the radio's, to interrupt.
      if (this.accesses > 0 && this.#driven(DATA) !== undefined) throw new Error('data is driven between two accesses of the radio');
      this.accesses += 1;
      this.sent = [];
      this.answer = null;
      this.selectedAt = this.now();
      return;
    }
    if (!this.sent) return;
    if (this.answer ? this.answer.length > 0 : this.sent.length !== 64) {
      throw new Error(`an access of the radio ends after ${this.sent.length} bits, with ${this.answer?.length ?? 0} left`);
    }
    this.longestNanos = Math.max(this.longestNanos, this.now() - this.selectedAt);
    this.sent = null;
    this.answer = null;
  }

  #clock(state) {
    if (!this.on) return;
    if (this.now() - this.clockChanged < MIN_LEVEL_NANOS) throw new Error('the clock of the radio is too fast');
    this.clockChanged = this.now();
    if (state !== HIGH || !this.sent) return;
    const level = this.#driven(DATA);
    if (this.answer) {
      if (level !== undefined) throw new Error('both the radio and the processor drive the data line');
      if (this.answer.length === 0) throw new Error('the radio is read beyond an answer');
      this.answer.shift();
      return;
    }
    if (level === undefined) throw new Error('nothing drives a bit for the radio');
    this.sent.push(level);
    if (this.sent.length === 32) this.#command();
    else if (this.sent.length === 64) this.#write(this.#inOrder(numberOf(this.sent.slice(32))));
    else if (this.sent.length > 64) throw new Error('the radio is sent more than a command and a value');
  }

  /** A word as it is on the wire, and the other way round: at first two halves, the low one first. */
  #inOrder(word) {
    const swapped = ((word << 16) | (word >>> 16)) >>> 0;
    if (this.settings & REVERSED) return (((swapped & 0xff00ff) << 8) | ((swapped >>> 8) & 0xff00ff)) >>> 0;
    return this.settings & WHOLE ? word : swapped;
  }

  #command() {
    const command = this.#inOrder(numberOf(this.sent));
    this.register = { function: (command >>> 28) & 3, address: (command >>> 11) & 0x1ffff, bytes: command & 0x7ff };
    if (!((command >>> 30) & 1)) throw new Error(`a command of the radio whose address does not go up: ${hex(command)}`);
    if (command >>> 31) return;
    const noise = Array.from({ length: 8 * this.#delayBytes }, (_, at) => Number(at % 3 === 0));
    this.answer = [...noise, ...bitsOf(this.#inOrder(this.#read() >>> 0))];
  }

  /** Bytes that come before what is read. */
  get #delayBytes() {
    if (this.register.function !== 0) return this.delay;
    return this.settings & DELAY_ALL ? (this.settings >>> 8) & 0xff : 0;
  }

  /** Which register that is, by function and address: of ChipCommon by its place there. */
  #place(isRead) {
    const { function: number, address, bytes } = this.register;
    const name = `${number}:${hex(address)}`;
    if (number === 0) return `${name}/${bytes}`;
    if ((this.settings & DEMANDED) !== DEMANDED) throw new Error(`${name} of the radio before it is awake`);
    if (isRead && this.delay === null) throw new Error(`${name} of the radio is read without a delay`);
    if (number !== 1 || !(address & 0x8000) || address >= 0x10000) return `${name}/${bytes}`;
    if (!this.#clockRuns) throw new Error(`${name} of the radio without its clock`);
    const [low, middle, high] = this.window;
    const base = ((high << 24) | (middle << 16) | (low << 8)) >>> 0;
    if (base !== CHIP_COMMON || bytes !== 4) throw new Error(`${bytes} bytes of ${hex(base + (address & 0x7fff))} of the radio`);
    return address & 0x7fff;
  }

  get #clockRuns() {
    return this.hasClock && this.now() >= this.clockRequested + CLOCK_NANOS;
  }

  #read() {
    const place = this.#place(true);
    if (place === '0:0x14/4') return 0xfeedbead;
    // What is above a byte is of no meaning.
    if (place === '1:0x1000e/1') return 0xaaaaaa08 | (this.#clockRuns ? 0x40 : 0);
    const value = this.common[place];
    if (value === undefined) throw new Error(`the radio is read where nothing is: ${place}`);
    return value;
  }

  #write(value) {
    const place = this.#place(false);
    const window = ['1:0x1000a/1', '1:0x1000b/1', '1:0x1000c/1'].indexOf(place);
    if (place === '0:0x0/4') this.#setUp(value);
    else if (place === '0:0x1d/1') this.delay = value & 0xff;
    else if (place === '1:0x1000e/1') this.#requestClock(value & 0xff);
    else if (window >= 0) this.window[window] = value & 0xff;
    else if (place === LEVELS || place === DRIVEN || place === OTHERS) this.#set(place, value);
    else throw new Error(`the radio is written where nothing is: ${place}`);
  }

  #setUp(settings) {
    if (settings & ~SETTINGS) throw new Error(`settings of the radio's bus that nobody uses: ${hex(settings)}`);
    this.settings = settings;
  }

  #requestClock(request) {
    if (request !== CLOCK_REQUEST) throw new Error(`the clock of the radio is requested by ${hex(request)}`);
    this.clockRequested = this.now();
  }

  #set(place, value) {
    if ((value ^ this.common[place]) & ~1) throw new Error(`other pins of the radio change: ${hex(value)} in ${hex(place)}`);
    const wasLit = this.lit;
    this.common[place] = value;
    if (this.lit !== wasLit) this.onLed(this.lit);
  }
}

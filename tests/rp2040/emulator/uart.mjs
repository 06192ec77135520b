// UART0: a PL011 with its two FIFOs, its baud rate, its level, time-out and error interrupts (RP2040 data sheet,
// section 4.2), and a receiving pin that picks up noise where nothing drives it. rp2040js' own has neither a baud rate nor a transmit interrupt that clears.
import { BasePeripheral } from 'rp2040js';

const IRQ = 20;
const FIFO_DEPTH = 32;
const DR = 0x00;
const FR = 0x18;
const IBRD = 0x24;
const FBRD = 0x28;
const LCR_H = 0x2c;
const CR = 0x30;
const IFLS = 0x34;
const IMSC = 0x38;
const RIS = 0x3c;
const MIS = 0x40;
const ICR = 0x44;
const DMACR = 0x48;
const INT_RX = 1 << 4;
const INT_TX = 1 << 5;
const INT_RT = 1 << 6;
const INT_OE = 1 << 10;
/** A byte of the wire without its stop bit, and a wire that stays low: as they stand in the data register. */
export const FRAMING_ERROR = 1 << 8;
export const BREAK = 1 << 10;
const DATA_OVERRUN = 1 << 11;
// Which bit of the data register raises which interrupt.
const ERRORS = [[FRAMING_ERROR, 1 << 7], [BREAK, 1 << 9]];
// A wire that nothing drives picks something up so often.
const NOISE_NANOS = 20e6;
const ENABLED = 1 << 0;
const RTS_ENABLED = 1 << 14;
const CTS_ENABLED = 1 << 15;
// The interrupt levels of IFLS, in FIFO entries.
const LEVELS = [4, 8, 16, 24, 28];
// A character of eight bits with start and stop bit.
const CHARACTER_BITS = 10;
// The receive time-out comes after so many bit times without a character.
const TIMEOUT_BITS = 32;

export class Uart extends BasePeripheral {
  /**
   * `wire.send` is called with each byte that has left; `wire.next` gives the next byte that comes in, or undefined.
   * While `wire.undriven` the pin floats, unless it is `pulledUp`. `cts` gives the level of CTS: low lets it send. A wire that
   * `heedsRts` sends only while RTS is low, if that pin is the UART's (`rtsIsWired`).
   */
  constructor(chip, wire, { pulledUp, cts, rtsIsWired }) {
    super(chip, 'UART0');
    this.wire = wire;
    this.pulledUp = pulledUp;
    this.cts = cts;
    this.rtsIsWired = rtsIsWired;
    this.noiseSeed = 1;
    /** Bytes of noise that came in. */
    this.noise = 0;
    /** Bytes that came in while the FIFO was full. */
    this.lost = 0;
    this.sender = chip.clock.createAlarm(() => this.#sent());
    this.receiver = chip.clock.createAlarm(() => this.#receive());
    this.silence = chip.clock.createAlarm(() => this.#raise(INT_RT));
    this.floating = chip.clock.createAlarm(() => this.#float());
    this.reset();
    this.floating.schedule(NOISE_NANOS);
  }

  /** What the reset controller does. */
  reset() {
    this.transmitting = [];
    this.received = [];
    this.registers = { [IBRD]: 0, [FBRD]: 0, [LCR_H]: 0, [CR]: 0x300, [IFLS]: 0x12, [IMSC]: 0, [DMACR]: 0 };
    this.raw = 0;
    this.overrun = false;
    for (const alarm of [this.sender, this.receiver, this.silence]) alarm.cancel();
    this.#interrupt();
  }

  /** Bits a second, from the divisors and clk_peri. */
  get baud() {
    const divisor = this.registers[IBRD] + this.registers[FBRD] / 64;
    return divisor > 0 ? this.rp2040.clkPeri / (16 * divisor) : 0;
  }

  /** Bytes are waiting at the wire: receive them at the baud rate. */
  wake() {
    if (!this.receiver.scheduled && this.#enabled && !this.#holdsBack && this.wire.waiting()) {
      this.receiver.schedule(this.#characterNanos);
    }
    this.#send();
  }

  /** RTS is high, and whoever sends heeds it: with RTSEn, from the level of the receive interrupt on (section 4.2.5). */
  get #holdsBack() {
    const high = (this.registers[CR] & RTS_ENABLED) !== 0 && this.received.length >= this.#level(3);
    return this.wire.heedsRts === true && (high || !this.rtsIsWired());
  }

  /** Has the next byte take its time on the wire, if CTS lets it. */
  #send() {
    const waits = (this.registers[CR] & CTS_ENABLED) !== 0 && this.cts() !== 0;
    if (this.transmitting.length && !this.sender.scheduled && !waits) this.sender.schedule(this.#characterNanos);
  }

  readUint32(offset) {
    switch (offset) {
      case DR:
        return this.#take();
      case FR:
        return (this.transmitting.length ? 1 << 3 : 1 << 7) | (this.transmitting.length >= FIFO_DEPTH ? 1 << 5 : 0)
          | (this.received.length ? 0 : 1 << 4) | (this.received.length >= FIFO_DEPTH ? 1 << 6 : 0);
      case RIS:
        return this.raw;
      case MIS:
        return this.raw & this.registers[IMSC];
      case ICR:
        return 0;
      default:
        return this.registers[offset] ?? super.readUint32(offset);
    }
  }

  writeUint32(offset, value) {
    if (offset === DR) {
      if (this.transmitting.length < FIFO_DEPTH) this.transmitting.push(value & 0xff);
      if (this.transmitting.length > this.#level(0)) this.#clear(INT_TX);
      this.#send();
    } else if (offset === ICR) {
      this.#clear(this.rawWriteValue);
    } else if (offset in this.registers) {
      this.registers[offset] = value;
      this.#interrupt();
      this.wake();
    } else {
      super.writeUint32(offset, value);
    }
  }

  get #enabled() {
    return (this.registers[CR] & ENABLED) !== 0 && this.baud > 0;
  }

  get #characterNanos() {
    return (CHARACTER_BITS * 1e9) / this.baud;
  }

  #level(shift) {
    return LEVELS[(this.registers[IFLS] >> shift) & 7];
  }

  #sent() {
    this.sender.scheduled = false;
    this.wire.send(this.transmitting.shift());
    // The interrupt comes as the level is passed on the way down, not while it is low.
    if (this.transmitting.length === this.#level(0)) this.#raise(INT_TX);
    this.#send();
  }

  #receive() {
    this.receiver.scheduled = false;
    const byte = this.wire.next();
    if (byte === undefined) return;
    for (const [flag, interrupt] of ERRORS) if (byte & flag) this.#raise(interrupt);
    if (this.received.length < FIFO_DEPTH) {
      this.received.push(byte | (this.overrun ? DATA_OVERRUN : 0));
      this.overrun = false;
      if (this.received.length >= this.#level(3)) this.#raise(INT_RX);
    } else {
      this.overrun = true;
      this.lost += 1;
      this.#raise(INT_OE);
    }
    this.silence.schedule((TIMEOUT_BITS * 1e9) / this.baud);
    this.wake();
  }

  /** What an open pin picks up: bytes of any value, some of which do not end with a stop bit. */
  #float() {
    this.floating.scheduled = false;
    this.floating.schedule(NOISE_NANOS);
    if (!this.wire.undriven || this.pulledUp() || !this.#enabled) return;
    this.noiseSeed = (this.noiseSeed * 75 + 74) % 65537;
    this.noise += 1;
    this.wire.incoming.push((this.noiseSeed & 0xff) | (this.noiseSeed & 0x100 ? FRAMING_ERROR : 0));
    this.wake();
  }

  #take() {
    const value = this.received.shift() ?? 0;
    this.wake();
    if (this.received.length < this.#level(3)) this.#clear(INT_RX);
    if (this.received.length === 0) {
      this.silence.cancel();
      this.#clear(INT_RT);
    }
    return value;
  }

  #raise(bits) {
    if (bits === INT_RT) this.silence.scheduled = false;
    this.raw |= bits;
    this.#interrupt();
  }

  #clear(bits) {
    this.raw &= ~bits;
    this.#interrupt();
  }

  #interrupt() {
    this.rp2040.setInterrupt(IRQ, (this.raw & this.registers[IMSC]) !== 0);
  }
}

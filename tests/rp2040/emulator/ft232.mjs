// A BitScope Micro as a USB host sees it: an FT232R (0403:6001) in front of a serial line.
//
// Control endpoint of 8 bytes, bulk endpoints of 64, two status bytes before the data of every packet, a packet when 62
// bytes wait or the latency timer runs out and NAK until then. Descriptors and vendor requests as libftdi's `ftdi.h` and
// the chip's data sheet (DS_FT232R) have them. It is strict: what a host may not do is refused with a stall, and kept in
// `complaints`. And it is a UART: at another rate than its line has, or another format, bytes turn to garbage both ways.

const DEVICE = [0x12, 1, 0x00, 2, 0, 0, 0, 8, 0x03, 0x04, 0x01, 0x60, 0x00, 6, 1, 2, 3, 1];
const CONFIGURATION = [
  9, 2, 32, 0, 1, 1, 0, 0xa0, 45,
  9, 4, 0, 0, 2, 0xff, 0xff, 0xff, 2,
  7, 5, 0x81, 2, 64, 0, 0,
  7, 5, 0x02, 2, 64, 0, 0,
];
const STRINGS = ['\u0409', 'BitScope', 'BitScope Micro', 'BS000501'];
const CONTROL_BYTES = 8;
const PACKET_BYTES = 64;
const STATUS = [0x31, 0x60];
const PAYLOAD_BYTES = PACKET_BYTES - STATUS.length;
// Buffers of the chip: 256 bytes towards the host, 128 towards the line (data sheet, section 2).
const TO_HOST_BYTES = 256;
const TO_LINE_BYTES = 128;
const BITS_PER_BYTE = 10;
/** The line status byte's bit for bytes that were lost in the chip (libftdi's `ftdi.h`, modem status). */
export const OVERRUN = 1 << 1;
// The chip's divisor of 3 MHz, whose fraction is in eighths (AN232B-05); a UART tolerates so much in all.
const BASE_BAUD = 3_000_000;
const EIGHTHS = [0, 4, 2, 1, 3, 5, 6, 7];
const BAUD_TOLERANCE = 0.03;
const FORMAT_8N1 = 8;

const ACK = { ack: true };
const NAK = { nak: true };
const STALL = { stall: true };
const SILENT = { silent: true };
// A device may be silent for so long when it has a new address (USB 2.0, 9.2.6.3).
const ADDRESS_RECOVERY_NANOS = 2e6;

export class Ft232 {
  /** `clock` is the board's; `line` has `write(bytes)`, and `incoming`, an array of bytes that waits to be taken. */
  constructor(clock, line, { lineBaud = 3_000_000, uartBaud = 115_200, vendor = 0x0403, deviceClass = 0, lowSpeed = false } = {}) {
    this.uartBaud = uartBaud;
    this.lowSpeed = lowSpeed;
    this.clock = clock;
    this.line = line;
    this.byteNanos = (BITS_PER_BYTE * 1e9) / lineBaud;
    this.descriptor = [...DEVICE];
    this.descriptor.splice(8, 2, vendor & 0xff, vendor >> 8);
    this.descriptor[4] = deviceClass;
    this.complaints = [];
    /** How often it was readied: each client purges what it sends last of all. */
    this.readied = 0;
    this.vendorRequests = [];
    this.leaving = clock.createAlarm(() => this.#leave());
    this.powerUp();
  }

  /** It has been plugged in. */
  powerUp() {
    this.latencyMs = 16;
    /** What a client sets: nothing of it is known after power-up. */
    this.uart = { baud: null, format: null, flowControl: null, dtr: false, rts: false };
    /** Line status bits of the next packet. */
    this.lineStatus = 0;
    this.reset();
  }

  /** A reset of the bus. */
  reset() {
    this.address = 0;
    this.newAddress = null;
    this.answersNanos = 0;
    this.configured = false;
    this.control = null;
    this.toggles = { in: 0, out: 0 };
    this.pending = null;
    this.toHost = [];
    this.toLine = [];
    this.arrivedNanos = this.clock.nanos;
    this.sentNanos = this.clock.nanos;
  }

  setup(address, endpoint, bytes) {
    if (address !== this.address || this.clock.nanos < this.answersNanos) return SILENT;
    if (endpoint !== 0) return STALL;
    const [type, request] = bytes;
    const word = (at) => bytes[at] | (bytes[at + 1] << 8);
    this.control = this.#request({ type, request, value: word(2), index: word(4), length: word(6) });
    this.control.toggle = 1;
    return ACK;
  }

  in(address, endpoint) {
    if (address !== this.address) return SILENT;
    this.lastIn = endpoint;
    if (endpoint === 0) return this.#controlIn();
    if (endpoint !== 1 || !this.configured) return this.#complain(`read of endpoint ${endpoint}`);
    // What was sent and not acknowledged is sent again.
    this.pending ??= this.#packet();
    return this.pending ? { data: this.pending, toggle: this.toggles.in } : NAK;
  }

  /** The host has acknowledged what it read last. */
  acknowledged() {
    if (this.lastIn === 0) return this.#controlAcknowledged();
    this.toggles.in ^= 1;
    this.pending = null;
    this.sentNanos = this.clock.nanos;
    return undefined;
  }

  out(address, endpoint, toggle, data) {
    if (address !== this.address) return SILENT;
    if (endpoint === 0) return this.#controlOut(toggle, data);
    if (endpoint !== 2 || !this.configured) return this.#complain(`write to endpoint ${endpoint}`);
    if (data.length === 0) return this.#complain('empty packet');
    // A packet seen before is acknowledged again and not taken again.
    if (toggle !== this.toggles.out) return ACK;
    if (this.toLine.length + data.length > TO_LINE_BYTES) return NAK;
    this.toggles.out ^= 1;
    this.toLine.push(...data);
    if (!this.leaving.scheduled) this.leaving.schedule(this.byteNanos * data.length);
    return ACK;
  }

  #complain(what) {
    this.complaints.push(what);
    return STALL;
  }

  /** Its endpoints begin anew. */
  #configure(value) {
    this.configured = value === 1;
    this.toggles = { in: 0, out: 0 };
    this.arrivedNanos = this.clock.nanos;
    this.sentNanos = this.clock.nanos;
    return [];
  }

  #request({ type, request, value, index, length }) {
    const standard = {
      '80 6': () => this.#descriptor(value),
      '0 5': () => { this.newAddress = value; return []; },
      '0 9': () => this.#configure(value),
      '80 8': () => [this.configured ? 1 : 0],
      '2 1': () => { this.toggles[index & 0x80 ? 'in' : 'out'] = 0; return []; },
    };
    const answer = (type & 0x60) === 0x40
      ? this.#vendor(type, request, value, index)
      : standard[`${type.toString(16)} ${request}`]?.();
    if (answer === undefined) {
      this.complaints.push(`request ${type.toString(16)} ${request} ${value} ${index}`);
      return { stalled: true };
    }
    return { left: [...answer].slice(0, length), toHost: (type & 0x80) !== 0 && length > 0 };
  }

  #descriptor(value) {
    switch (value >> 8) {
      case 1:
        return this.descriptor;
      case 2:
        return CONFIGURATION;
      case 3: {
        const text = STRINGS[value & 0xff];
        if (text === undefined) return undefined;
        return [2 + 2 * text.length, 3, ...Buffer.from(text, 'utf16le')];
      }
      default:
        return undefined;
    }
  }

  #vendor(type, request, value, index) {
    this.vendorRequests.push({ request, value });
    if (type === 0xc0) return { 5: STATUS, 10: [this.latencyMs] }[request];
    switch (request) {
      case 0:
        if (value === 2) this.readied += 1;
        if (value === 0 || value === 1) this.#purgeToHost();
        if (value === 0 || value === 2) this.toLine = [];
        return value <= 2 ? [] : undefined;
      case 9:
        if (value < 1 || value > 255) return undefined;
        this.latencyMs = value;
        return [];
      case 1:
        if (value & 0x100) this.uart.dtr = (value & 1) !== 0;
        if (value & 0x200) this.uart.rts = (value & 2) !== 0;
        return [];
      case 2:
        this.uart.flowControl = index >> 8;
        return [];
      case 3:
        this.uart.baud = BASE_BAUD / ((value & 0x3fff) + EIGHTHS[(value >> 14) | ((index & 1) << 2)] / 8);
        return [];
      case 4:
        this.uart.format = value;
        return [];
      case 6: case 7: case 11:
        return [];
      default:
        return undefined;
    }
  }

  #purgeToHost() {
    this.#arrive();
    this.toHost = [];
  }

  #controlIn() {
    const { control } = this;
    if (!control || control.stalled) return STALL;
    // Without data for the host this is the status stage: an empty packet.
    control.sending = control.toHost ? control.left.slice(0, CONTROL_BYTES) : [];
    return { data: Uint8Array.from(control.sending), toggle: control.toggle };
  }

  #controlAcknowledged() {
    const { control } = this;
    control.toggle ^= 1;
    control.left = control.left.slice(control.sending.length);
    if (!control.toHost) {
      this.control = null;
      if (this.newAddress !== null) {
        this.address = this.newAddress;
        this.answersNanos = this.clock.nanos + ADDRESS_RECOVERY_NANOS;
      }
      this.newAddress = null;
    }
  }

  #controlOut(toggle, data) {
    const { control } = this;
    if (!control || control.stalled) return STALL;
    if (!control.toHost || data.length > 0 || toggle !== 1) return this.#complain('data with a request that takes none');
    this.control = null;
    return ACK;
  }

  /** Takes over what has come along the line since, no more than fits and than its speed allows. */
  #arrive() {
    const now = this.clock.nanos;
    const { incoming } = this.line;
    const due = Math.floor((now - this.arrivedNanos) / this.byteNanos);
    const count = Math.min(due, incoming.length, TO_HOST_BYTES - this.toHost.length);
    this.toHost.push(...incoming.splice(0, count).map((byte) => this.#onWire(byte)));
    // A line that waits for bytes or for room saves up no time.
    this.arrivedNanos = count < due ? now : this.arrivedNanos + count * this.byteNanos;
  }

  /** The packet that is ready, or null. */
  #packet() {
    this.#arrive();
    const expired = this.clock.nanos - this.sentNanos >= this.latencyMs * 1e6;
    if (this.toHost.length < PAYLOAD_BYTES && !expired) return null;
    const [modem, line] = STATUS;
    const status = [modem, line | this.lineStatus];
    this.lineStatus = 0;
    return Uint8Array.from([...status, ...this.toHost.splice(0, PAYLOAD_BYTES)]);
  }

  #leave() {
    this.leaving.scheduled = false;
    this.line.write(Uint8Array.from(this.toLine.splice(0), (byte) => this.#onWire(byte)));
  }

  /** A byte as the other end's UART sees it. */
  #onWire(byte) {
    const { baud, format } = this.uart;
    const right = format === FORMAT_8N1 && Math.abs(baud / this.uartBaud - 1) <= BAUD_TOLERANCE;
    // Bits are cut elsewhere: a fixed, wrong value.
    return right ? byte : (byte * 2 + 0x81) & 0xff;
  }
}

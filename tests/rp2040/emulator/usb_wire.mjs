// The wire between two pins that drive USB at full speed and a device: bit by bit, in cycles of the chip's clock.
//
// Section numbers are of USB 2.0. Both ends are strict: what the pins send must have bits of the right length, right stuffing and
// checksums, or the device hears nothing; two that drive at once end the emulation. A device that hears nothing for 3 ms is
// suspended (7.1.7.6), and answers again some time after it hears something (7.1.7.7).

const BITS_PER_SECOND = 12e6;
const [SE0, J, K] = ['SE0', 'J', 'K'];
/** What a device waits at the least and at the most before it answers, and a host for it (7.1.18), in bits. */
const TURNAROUND = 3;
const ANSWER_LIMIT = 18;
/** An end of packet is two bits of SE0 (7.1.13.2), a reset 2.5 us at the least (7.1.7.5). */
const EOP_BITS = [1.5, 3];
const RESET_BITS = 30;
const SUSPEND_NANOS = 3e6;
/** How long this device takes until its oscillator runs again. */
const WAKE_NANOS = 5e6;
/** A bit may be off by so much of its length where it ends. */
const MAX_JITTER = 0.2;
const PIDS = { OUT: 0xe1, IN: 0x69, SOF: 0xa5, SETUP: 0x2d, DATA0: 0xc3, DATA1: 0x4b, ACK: 0xd2, NAK: 0x5a, STALL: 0x1e };
const NAMES = new Map(Object.entries(PIDS).map(([name, pid]) => [pid, name]));

function crc(bits, width, polynomial) {
  let remainder = (1 << width) - 1;
  for (const bit of bits) {
    const top = (remainder >>> (width - 1)) & 1;
    remainder = (remainder << 1) & ((1 << width) - 1);
    if (top !== bit) remainder ^= polynomial;
  }
  // Sent inverted, its highest bit first.
  return Array.from({ length: width }, (_, at) => 1 - ((remainder >>> (width - 1 - at)) & 1));
}

const crc5 = (bits) => crc(bits, 5, 0b00101);
const crc16 = (bits) => crc(bits, 16, 0x8005);
const bitsOf = (bytes) => [...bytes].flatMap((byte) => Array.from({ length: 8 }, (_, at) => (byte >>> at) & 1));
const numberOf = (bits) => bits.reduce((all, bit, at) => all | (bit << at), 0);
const bytesOf = (bits) => Uint8Array.from({ length: bits.length / 8 }, (_, at) => numberOf(bits.slice(8 * at, 8 * at + 8)));
const SYNC = [0, 0, 0, 0, 0, 0, 0, 1];

/** The states of the wire that are a packet: sync, stuffed and encoded bits, end. */
export function encode(bits) {
  const states = [];
  let state = J;
  let ones = 0;
  const send = (bit) => {
    if (bit === 0) state = state === J ? K : J;
    states.push(state);
  };
  for (const bit of [...SYNC, ...bits]) {
    send(bit);
    ones = bit ? ones + 1 : 0;
    if (ones === 6) {
      send(0);
      ones = 0;
    }
  }
  return [...states, SE0, SE0, J];
}

/** The bits behind the sync of such states without their end; null if they are none. */
export function decode(states) {
  const bits = [];
  let before = J;
  let ones = 0;
  for (const state of states) {
    const bit = state === before ? 1 : 0;
    before = state;
    if (ones === 6) {
      if (bit) return null;
      ones = 0;
      continue;
    }
    bits.push(bit);
    ones = bit ? ones + 1 : 0;
  }
  const sync = bits.splice(0, 8);
  return sync.every((bit, at) => bit === SYNC[at]) ? bits : null;
}

/** Bits of a data packet. */
export function dataBits(toggle, bytes) {
  const payload = bitsOf(bytes);
  return [...bitsOf([toggle ? PIDS.DATA1 : PIDS.DATA0]), ...payload, ...crc16(payload)];
}

export class UsbWire {
  /** The pins are GPIOs of the chip. `skew` is how much faster the device's clock runs. */
  constructor(chip, { plus = 0, minus = 1, skew = 0.002 } = {}) {
    Object.assign(this, { chip, plus, minus, device: null, states: [], sending: null, hostEnded: -Infinity });
    this.pinMask = (1 << plus) | (1 << minus);
    this.skew = skew;
    /** What is wrong with what the pins have sent: texts. */
    this.complaints = [];
    /** How often the device was suspended, and what it heard. */
    this.suspensions = 0;
    this.heard = { SOF: 0 };
    /** Bits between the device's data and the acknowledgements of them. */
    this.turnarounds = [];
    /** What becomes of a packet of the device: 'damage' or 'lose'; undefined: it arrives. */
    this.disturb = () => undefined;
    /** Whether an acknowledgement of the host is lost: the device sends the packet again. */
    this.losesAcknowledgement = () => false;
    this.level = null;
    this.since = 0;
    this.heardNanos = null;
    this.awakeNanos = 0;
  }

  get bit() {
    return this.chip.clkSys / BITS_PER_SECOND;
  }

  /** Puts a device at the end of the wire, or takes it off (null). */
  plug(device) {
    this.device = device;
    device?.powerUp();
    this.sending = null;
    this.heardNanos = null;
    this.wake = true;
  }

  /** Whether something goes on that the pins do not cause. */
  isBusy() {
    return this.wake || this.sending !== null || this.states.length > 0;
  }

  /** One cycle; gives the inputs of the block. */
  cycle(pio) {
    this.wake = false;
    const drive = pio.pinDirections & this.pinMask;
    let host = null;
    if (drive === this.pinMask) {
      const [plus, minus] = [(pio.pinValues >>> this.plus) & 1, (pio.pinValues >>> this.minus) & 1];
      if (plus && minus) throw new Error('both lines are driven high');
      host = plus ? J : minus ? K : SE0;
    }
    const device = this.#deviceDrives(pio.cycles);
    if (host && device) throw new Error('the pins and the device drive the wire at once');
    const level = host ?? device ?? (this.device ? J : SE0);
    this.#listen(host, pio.cycles);
    if (level !== this.level) {
      this.level = level;
      this.chip.gpio[this.plus].rawInputValue = level === J;
      this.chip.gpio[this.minus].rawInputValue = level === K;
    }
    const { gpio } = this.chip;
    return (gpio[this.plus].inputValue ? 1 << this.plus : 0) | (gpio[this.minus].inputValue ? 1 << this.minus : 0);
  }

  #deviceDrives(cycle) {
    const { sending } = this;
    if (!sending || cycle < sending.start) return null;
    const at = Math.floor((cycle - sending.start) / (this.bit / (1 + this.skew)));
    if (at < sending.states.length) return sending.states[at];
    this.sending = null;
    this.ended = cycle;
    return null;
  }

  /** Takes what the pins drive, state after state. */
  #listen(host, cycle) {
    if (host === this.driven) return;
    const bits = (cycle - this.since) / this.bit;
    const { driven } = this;
    this.driven = host;
    this.since = cycle;
    if (driven === SE0) {
      this.#ended(bits, cycle);
    } else if (driven && (this.states.length || driven === K)) {
      const count = Math.round(bits);
      if (!this.states.length) this.began = cycle - bits * this.bit;
      if (host !== null && Math.abs(bits - count) > MAX_JITTER) this.complaints.push(`a state of ${bits.toFixed(2)} bits`);
      for (let at = 0; at < count; at += 1) this.states.push(driven);
      // A packet without an end.
      if (host === null) this.states = [];
    }
  }

  #ended(bits, cycle) {
    const { states } = this;
    this.states = [];
    if (bits >= RESET_BITS) {
      this.device?.reset();
      this.#hear(cycle);
      return;
    }
    if (!this.device) return;
    if (bits < EOP_BITS[0] || bits > EOP_BITS[1]) this.complaints.push(`an end of packet of ${bits.toFixed(2)} bits`);
    const wasAwake = this.#hear(cycle);
    const packet = decode(states);
    if (packet === null || packet.length < 8) {
      this.complaints.push(`no packet: ${states.length} states`);
      return;
    }
    if (wasAwake) this.#packet(packet, cycle);
  }

  /** Notes that the wire moves; gives whether the device listens. */
  #hear(cycle) {
    const now = (cycle * 1e9) / this.chip.clkSys;
    if (this.heardNanos !== null && now - this.heardNanos > SUSPEND_NANOS) {
      this.suspensions += 1;
      this.awakeNanos = now + WAKE_NANOS;
    }
    this.heardNanos = now;
    return now >= this.awakeNanos;
  }

  #packet(bits, cycle) {
    const pid = numberOf(bits.slice(0, 8));
    const name = NAMES.get(pid);
    const body = bits.slice(8);
    this.heard[name] = (this.heard[name] ?? 0) + 1;
    switch (name) {
      case 'SOF': case 'SETUP': case 'IN': case 'OUT':
        this.#token(name, body, cycle);
        break;
      case 'DATA0': case 'DATA1':
        this.#data(name === 'DATA1' ? 1 : 0, body, cycle);
        break;
      case 'ACK':
        if (!this.awaited || !this.losesAcknowledgement()) this.#acknowledged();
        this.awaited = false;
        break;
      default:
        this.complaints.push(`a packet with PID ${pid.toString(16)}`);
    }
  }

  #acknowledged() {
    if (!this.awaited) {
      this.complaints.push('an acknowledgement of nothing');
      return;
    }
    const bits = (this.began - this.ended) / this.bit;
    this.turnarounds.push(bits);
    if (bits <= ANSWER_LIMIT) this.device.acknowledged();
    else this.complaints.push(`an acknowledgement ${bits.toFixed(1)} bits after the packet`);
  }

  #token(name, body, cycle) {
    this.token = null;
    // What was sent and not acknowledged is sent again.
    this.awaited = false;
    if (body.length !== 16 || crc5(body.slice(0, 11)).some((bit, at) => bit !== body[11 + at])) {
      this.complaints.push(`a ${name} with a wrong checksum`);
      return;
    }
    if (name === 'SOF') return;
    const token = { name, address: numberOf(body.slice(0, 7)), endpoint: numberOf(body.slice(7, 11)) };
    if (name !== 'IN') {
      this.token = token;
      return;
    }
    const answer = this.device.in(token.address, token.endpoint);
    if (answer.data) this.#answer(dataBits(answer.toggle, answer.data), cycle, true);
    else this.#handshake(answer, cycle);
  }

  #data(toggle, body, cycle) {
    const { token } = this;
    this.token = null;
    const payload = body.slice(0, -16);
    if (body.length % 8 || body.length < 16 || crc16(payload).some((bit, at) => bit !== body[payload.length + at])) {
      this.complaints.push('data with a wrong checksum');
      return;
    }
    if (!token) return;
    const bytes = bytesOf(payload);
    const { name, address, endpoint } = token;
    this.#handshake(name === 'SETUP' ? this.device.setup(address, endpoint, bytes) : this.device.out(address, endpoint, toggle, bytes), cycle);
  }

  #handshake(answer, cycle) {
    const name = answer.ack ? 'ACK' : answer.nak ? 'NAK' : answer.stall ? 'STALL' : null;
    if (name) this.#answer(bitsOf([PIDS[name]]), cycle, false);
  }

  #answer(bits, cycle, isData) {
    const fate = this.disturb();
    this.awaited = isData && fate === undefined;
    if (fate === 'lose') return;
    const sent = [...bits];
    if (fate === 'damage') sent[sent.length - 1] ^= 1;
    this.sending = { start: cycle + TURNAROUND * this.bit, states: encode(sent) };
  }
}

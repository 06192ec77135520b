// The firmware's log: its bytes come by RTT as a debug probe would fetch them, its texts stand in the ELF file.
//
// The format is defmt's (https://defmt.ferrous-systems.com/ser-format), frames in its rzCOBS encoding. It knows what the
// firmware logs: numbers, strings, and values with a derived format; bit fields and arrays it refuses.

const UP_CHANNEL = 24;
const NUMBERS = {
  u8: [1, (view, at) => view.getUint8(at)], i8: [1, (view, at) => view.getInt8(at)],
  u16: [2, (view, at) => view.getUint16(at, true)], i16: [2, (view, at) => view.getInt16(at, true)],
  u32: [4, (view, at) => view.getUint32(at, true)], i32: [4, (view, at) => view.getInt32(at, true)],
  usize: [4, (view, at) => view.getUint32(at, true)], isize: [4, (view, at) => view.getInt32(at, true)],
  u64: [8, (view, at) => view.getBigUint64(at, true)], i64: [8, (view, at) => view.getBigInt64(at, true)],
  f32: [4, (view, at) => view.getFloat32(at, true)], f64: [8, (view, at) => view.getFloat64(at, true)],
  bool: [1, (view, at) => view.getUint8(at) !== 0],
};

/** Undoes rzCOBS: the frame is read from its end. */
export function decodeFrame(frame) {
  const decoded = [];
  let at = frame.length;
  const next = () => {
    if (at === 0) throw new Error('a log frame is cut');
    at -= 1;
    return frame[at];
  };
  while (at > 0) {
    const code = next();
    if (code < 0x80) {
      for (let bit = 6; bit >= 0; bit -= 1) decoded.push(code & (1 << bit) ? 0 : next());
    } else if (code < 0xff) {
      decoded.push(0);
      for (let count = (code & 0x7f) + 7; count > 0; count -= 1) decoded.push(next());
    } else {
      for (let count = 134; count > 0; count -= 1) decoded.push(next());
    }
  }
  return Uint8Array.from(decoded.reverse());
}

/** Turns frames into lines of text. */
export class LogDecoder {
  constructor(elf) {
    this.texts = new Map();
    for (const { name, value, section } of elf.symbols) {
      if (section === '.defmt' && name.startsWith('{')) this.texts.set(value, JSON.parse(name));
    }
    this.timestamp = [...this.texts.values()].find(({ tag }) => tag === 'defmt_timestamp')?.data;
  }

  /** The line of a frame: { ms, level, text }. */
  line(frame) {
    const bytes = decodeFrame(frame);
    const reader = { view: new DataView(bytes.buffer), at: 0 };
    const { tag, data } = this.#text(reader);
    const time = this.timestamp === undefined ? '' : this.#format(this.timestamp, reader);
    const ms = this.timestamp?.includes(':us}') ? Number(time) / 1000 : Number(time);
    return { ms, level: tag.replace('defmt_', ''), text: this.#format(data, reader) };
  }

  #text(reader) {
    const index = this.#number(reader, 'u16');
    const text = this.texts.get(index);
    if (!text) throw new Error(`the log has no text ${index}: the ELF file is another's`);
    return text;
  }

  #number(reader, type) {
    const [size, get] = NUMBERS[type];
    const value = get(reader.view, reader.at);
    reader.at += size;
    return value;
  }

  #format(text, reader) {
    const parameter = /\{\{|\}\}|\{(\d*)(?:=([^:}]+))?(?::([^}]*))?\}/g;
    return text.replace(parameter, (whole, _place, type = '?', hint = '') => {
      if (whole === '{{') return '{';
      if (whole === '}}') return '}';
      return this.#show(this.#value(type, reader), hint);
    });
  }

  #value(type, reader) {
    if (type in NUMBERS) return this.#number(reader, type);
    if (type === 'str') {
      const length = this.#number(reader, 'u32');
      const text = Buffer.from(reader.view.buffer, reader.at, length).toString();
      reader.at += length;
      return text;
    }
    if (type === 'istr') return this.#text(reader).data;
    if (type === '?') {
      const { tag, data } = this.#text(reader);
      if (tag === 'defmt_derived' && data.includes('|')) {
        return this.#format(data.split('|')[this.#number(reader, 'u8')], reader);
      }
      return this.#format(data, reader);
    }
    throw new Error(`a log of type ${type}`);
  }

  #show(value, hint) {
    const hex = /^(#?)(0?)(\d*)x/.exec(hint);
    if (!hex) return String(value);
    return (hex[1] ? '0x' : '') + Number(value).toString(16).padStart(Number(hex[3] || 0), '0');
  }
}

/** Fetches what a board logs, as a probe does. */
export class Rtt {
  constructor(elf) {
    this.decoder = new LogDecoder(elf);
    this.block = elf.address('_SEGGER_RTT');
    this.frame = [];
  }

  /** The lines since the last call. A chip that has not got so far has none. */
  lines(chip) {
    const { sramView } = chip;
    const field = (offset) => (this.block & 0xffffff) + UP_CHANNEL + offset;
    const id = Buffer.from(chip.sram.buffer, this.block & 0xffffff, 10).toString();
    if (id !== 'SEGGER RTT') return [];
    const buffer = sramView.getUint32(field(4), true) & 0xffffff;
    const size = sramView.getUint32(field(8), true);
    const written = sramView.getUint32(field(12), true);
    let read = sramView.getUint32(field(16), true);
    const lines = [];
    for (; read !== written; read = (read + 1) % size) {
      const byte = chip.sram[buffer + read];
      if (byte !== 0) {
        this.frame.push(byte);
      } else if (this.frame.length) {
        lines.push(this.decoder.line(this.frame));
        this.frame = [];
      }
    }
    sramView.setUint32(field(16), read, true);
    return lines;
  }
}

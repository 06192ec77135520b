// A flash chip as on a Pico (W25Q16JV, 2 MiB) or a board like it: memory that programming can only clear and erasing only
// set, with the times of the data sheet, the report of its size, and a power that can fail at any of its operations.
//
// It takes its longest times, as a chip that is worn or cold does: what works with them works with any.

export const MIB = 1024 * 1024;
/** What the RP2040 maps of a flash, which is there again and again if it is smaller. */
const MAPPED = 16 * MIB;
const SECTOR = 4096;
const PAGE = 256;
/** The data sheet's times (section 9.6): the typical ones, and those that no chip exceeds. */
export const TYPICAL = { eraseNanos: 45e6, programNanos: 0.4e6 };
export const LONGEST = { eraseNanos: 400e6, programNanos: 3e6 };

// The instructions that a chip answers which reports itself (data sheet, sections 8.1, 8.2.26 and 8.2.29).
const READ_ID = 0x9f;
const READ_PARAMETERS = 0x5a;
const READ_UNIQUE_ID = 0x4b;
const UNIQUE_ID = [0xe4, 0x62, 0xa8, 0x5c, 0x7b, 0x21, 0x03, 0x19];
const WINBOND = 0xef;
const Q_SERIES = 0x40;
const PARAMETERS_AT = 0x80;

/** The table of parameters of a chip of so many bytes (JESD216), up to the size. */
function parametersOf(size) {
  const table = new Uint8Array(PARAMETERS_AT + 8).fill(0xff);
  table.set(Buffer.from('SFDP'));
  table.set([0x05, 0x01, 0x00, 0xff, 0x00, 0x05, 0x01, 0x10, PARAMETERS_AT, 0x00, 0x00, 0xff], 4);
  table.set([0xe5, 0x20, 0xf9, 0xff], PARAMETERS_AT);
  new DataView(table.buffer).setUint32(PARAMETERS_AT + 4, size * 8 - 1, true);
  return table;
}

/** The power failed within an operation of the flash. */
export class PowerCut extends Error {}

export class Flash {
  /** `reported` is the size that the chip reports: 0 if it answers nothing, more than `size` if it lies. */
  constructor(times = LONGEST, { size = 2 * MIB, reported = size } = {}) {
    this.times = times;
    this.size = size;
    this.reported = reported;
    /** As it is mapped, and the chip's own bytes, which are the first of that. */
    this.mapped = new Uint8Array(MAPPED).fill(0xff);
    this.bytes = this.mapped.subarray(0, size);
    this.command = [];
    /** Sectors erased and pages programmed so far. */
    this.operations = 0;
    /** The operation at which the power fails, and how much of it is done by then (0..1). */
    this.cut = null;
    /** How often each sector was erased. */
    this.erasures = new Uint32Array(size / SECTOR);
    /** Who hears when a sector begins to be erased. */
    this.onErase = () => {};
  }

  /** Erases whole sectors; gives the time that takes. */
  erase(offset, count) {
    if (offset % SECTOR || count % SECTOR || offset + count > this.size) throw new Error(`erase of ${count} bytes at ${offset}`);
    for (let at = offset; at < offset + count; at += SECTOR) {
      this.erasures[at / SECTOR] += 1;
      this.#operate(at, SECTOR, (done) => this.bytes.fill(0xff, at, at + done));
    }
    this.onErase();
    return (count / SECTOR) * this.times.eraseNanos;
  }

  /** Programs whole pages; gives the time that takes. */
  program(offset, data) {
    if (offset % PAGE || data.length % PAGE || offset + data.length > this.size) {
      throw new Error(`programming of ${data.length} bytes at ${offset}`);
    }
    for (let at = 0; at < data.length; at += PAGE) {
      this.#operate(offset + at, PAGE, (done) => {
        for (let index = at; index < at + done; index += 1) this.bytes[offset + index] &= data[index];
      });
    }
    return (data.length / PAGE) * this.times.programNanos;
  }

  /** As it is mapped: what lies beyond its end is its beginning. */
  map() {
    for (let at = this.size; at < MAPPED; at += this.size) this.mapped.copyWithin(at, 0, this.size);
    return this.mapped;
  }

  /** The chip select goes down: a command begins. */
  select() {
    this.command = [];
  }

  /** Takes a byte of a command; gives the one that comes back meanwhile. */
  exchange(byte) {
    const at = this.command.push(byte) - 1;
    const [instruction, high, middle, low] = this.command;
    if (![READ_ID, READ_PARAMETERS, READ_UNIQUE_ID].includes(instruction)) throw new Error(`flash command ${instruction}`);
    if (at === 0 || this.reported === 0) return 0xff;
    if (instruction === READ_ID) return [WINBOND, Q_SERIES, Math.log2(this.reported)][at - 1] ?? 0xff;
    // The address, and a byte of pause.
    if (at < 5) return 0xff;
    if (instruction === READ_UNIQUE_ID) return UNIQUE_ID[at - 5] ?? 0xff;
    return parametersOf(this.reported)[((high << 16) | (middle << 8) | low) + at - 5] ?? 0xff;
  }

  #operate(at, length, change) {
    const operation = this.operations;
    this.operations += 1;
    const fails = this.cut?.operation === operation;
    change(fails ? Math.floor(this.cut.part * length) : length);
    for (let copy = this.size + at; copy < MAPPED; copy += this.size) this.mapped.copyWithin(copy, at, at + length);
    if (fails) throw new PowerCut(`power failed at flash operation ${operation}`);
  }
}

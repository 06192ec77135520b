// The flash chip of the Pico (W25Q16JV): 2 MiB that programming can only clear and erasing only set, with the times of
// its data sheet, and a power that can fail at any of its operations.
//
// It takes its longest times, as a chip that is worn or cold does: what works with them works with any.

const SIZE = 2 * 1024 * 1024;
const SECTOR = 4096;
const PAGE = 256;
/** The data sheet's times (section 9.6): the typical ones, and those that no chip exceeds. */
export const TYPICAL = { eraseNanos: 45e6, programNanos: 0.4e6 };
export const LONGEST = { eraseNanos: 400e6, programNanos: 3e6 };

/** The power failed within an operation of the flash. */
export class PowerCut extends Error {}

export class Flash {
  constructor(times = LONGEST) {
    this.times = times;
    this.bytes = new Uint8Array(SIZE).fill(0xff);
    /** Sectors erased and pages programmed so far. */
    this.operations = 0;
    /** The operation at which the power fails, and how much of it is done by then (0..1). */
    this.cut = null;
    /** How often each sector was erased. */
    this.erasures = new Uint32Array(SIZE / SECTOR);
  }

  /** Erases whole sectors; gives the time that takes. */
  erase(offset, count) {
    if (offset % SECTOR || count % SECTOR || offset + count > SIZE) throw new Error(`erase of ${count} bytes at ${offset}`);
    for (let at = offset; at < offset + count; at += SECTOR) {
      this.erasures[at / SECTOR] += 1;
      this.#operate(SECTOR, (done) => this.bytes.fill(0xff, at, at + done));
    }
    return (count / SECTOR) * this.times.eraseNanos;
  }

  /** Programs whole pages; gives the time that takes. */
  program(offset, data) {
    if (offset % PAGE || data.length % PAGE || offset + data.length > SIZE) {
      throw new Error(`programming of ${data.length} bytes at ${offset}`);
    }
    for (let at = 0; at < data.length; at += PAGE) {
      this.#operate(PAGE, (done) => {
        for (let index = at; index < at + done; index += 1) this.bytes[offset + index] &= data[index];
      });
    }
    return (data.length / PAGE) * this.times.programNanos;
  }

  #operate(length, change) {
    const operation = this.operations;
    this.operations += 1;
    if (this.cut?.operation === operation) {
      change(Math.floor(this.cut.part * length));
      throw new PowerCut(`power failed at flash operation ${operation}`);
    }
    change(length);
  }
}

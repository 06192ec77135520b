// The serial interface of the flash as rp2040js has it, and the command that reads the flash chip's unique number (W25Q16JV data
// sheet, section 8.2.29: four bytes of anything, then eight).
import { RPSSI } from '../node_modules/rp2040js/dist/esm/peripherals/ssi.js';

const STATUS = 0x28;
const DATA = 0x60;
const RECEIVED = 1 << 3;
const READ_UNIQUE_ID = 0x4b;

export class FlashInterface extends RPSSI {
  constructor(chip, uniqueId) {
    super(chip, 'SSI');
    this.uniqueId = uniqueId;
    this.answer = null;
  }

  readUint32(offset) {
    if (!this.answer) return super.readUint32(offset);
    if (offset === STATUS) return this.answer.length ? RECEIVED : 0;
    if (offset !== DATA) return super.readUint32(offset);
    const byte = this.answer.shift() ?? 0;
    if (!this.answer.length) this.answer = null;
    return byte;
  }

  writeUint32(offset, value) {
    if (offset === DATA && (value & 0xff) === READ_UNIQUE_ID) this.answer = [0, 0, 0, 0, ...this.uniqueId];
    else super.writeUint32(offset, value);
  }
}

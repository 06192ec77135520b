// What the emulator needs of an ELF file: what goes where in flash, where symbols are, and the names of the log.
import { readFileSync } from 'node:fs';

const LOADED = 1;
const SYMBOLS = 2;

/** A 32-bit little-endian ELF file. */
export class Elf {
  constructor(path) {
    this.bytes = readFileSync(path);
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
    if (this.view.getUint32(0, false) !== 0x7f454c46) throw new Error(`${path} is no ELF file`);
    this.sections = this.#sections();
  }

  /** What is loaded: [{ address, bytes }], by physical address. */
  get segments() {
    const { view } = this;
    const start = view.getUint32(28, true);
    const size = view.getUint16(42, true);
    const found = [];
    for (let index = 0; index < view.getUint16(44, true); index += 1) {
      const at = start + index * size;
      const length = view.getUint32(at + 16, true);
      if (view.getUint32(at, true) !== LOADED || length === 0) continue;
      const offset = view.getUint32(at + 4, true);
      found.push({ address: view.getUint32(at + 12, true), bytes: this.bytes.subarray(offset, offset + length) });
    }
    return found;
  }

  /** The symbols: [{ name, value, section }]. */
  get symbols() {
    const { view } = this;
    const table = this.sections.find((section) => section.type === SYMBOLS);
    const names = this.sections[table.link];
    const found = [];
    for (let at = table.offset; at < table.offset + table.size; at += 16) {
      const section = this.sections[view.getUint16(at + 14, true)]?.name;
      found.push({ name: this.#text(names.offset + view.getUint32(at, true)), value: view.getUint32(at + 4, true), section });
    }
    return found;
  }

  /** Whether there is a symbol of this name. */
  has(name) {
    return this.symbols.some((candidate) => candidate.name === name);
  }

  /** The address of a symbol. */
  address(name) {
    const symbol = this.symbols.find((candidate) => candidate.name === name);
    if (!symbol) throw new Error(`no symbol ${name}`);
    return symbol.value;
  }

  #sections() {
    const { view } = this;
    const start = view.getUint32(32, true);
    const size = view.getUint16(46, true);
    const sections = [];
    for (let index = 0; index < view.getUint16(48, true); index += 1) {
      const at = start + index * size;
      const word = (offset) => view.getUint32(at + offset, true);
      sections.push({ nameAt: word(0), type: word(4), address: word(12), offset: word(16), size: word(20), link: word(24) });
    }
    const names = sections[view.getUint16(50, true)].offset;
    for (const section of sections) section.name = this.#text(names + section.nameAt);
    return sections;
  }

  #text(offset) {
    return this.bytes.toString('utf8', offset, this.bytes.indexOf(0, offset));
  }
}

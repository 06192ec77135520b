// The drive of the boot loader in the ROM (RP2040 data sheet, section 2.8.4): a directory that stands for it while the board is in
// it. A UF2 file that is copied there goes into flash, and the board restarts.
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const INFORMATION = 'INFO_UF2.TXT';
const BLOCK_BYTES = 512;
const FLASH = 0x10000000;
const SECTOR_BYTES = 4096;
const FAMILY = 0xe48bff56;

/** The blocks of a UF2 file (https://github.com/microsoft/uf2) that is whole and for this chip: [{ address, data }]; else null. */
function blocks(file) {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const count = file.length / BLOCK_BYTES;
  if (!file.length || view.getUint32(24, true) !== count || view.getUint32(28, true) !== FAMILY) return null;
  return Array.from({ length: count }, (_, number) => {
    const start = number * BLOCK_BYTES;
    const [address, length] = [view.getUint32(start + 12, true), view.getUint32(start + 16, true)];
    return { address, data: file.subarray(start + 32, start + 32 + length) };
  });
}

export class BootDrive {
  constructor(directory) {
    this.directory = directory;
    mkdirSync(directory, { recursive: true });
  }

  /** The board has started its boot loader. */
  mount() {
    writeFileSync(join(this.directory, INFORMATION), 'UF2 Bootloader v3.0\r\nModel: Raspberry Pi RP2\r\nBoard-ID: RPI-RP2\r\n');
  }

  /** Takes firmware that was copied whole since; gives whether there was any. */
  take(flash) {
    for (const name of readdirSync(this.directory).filter((name) => name.toLowerCase().endsWith('.uf2'))) {
      const path = join(this.directory, name);
      const found = blocks(readFileSync(path));
      if (!found) continue;
      const sectors = new Set(found.map(({ address }) => Math.floor((address - FLASH) / SECTOR_BYTES)));
      for (const sector of sectors) flash.bytes.fill(0xff, sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES);
      for (const { address, data } of found) flash.bytes.set(data, address - FLASH);
      // The drive goes with the boot loader.
      for (const file of [path, join(this.directory, INFORMATION)]) rmSync(file, { force: true });
      return true;
    }
    return false;
  }
}

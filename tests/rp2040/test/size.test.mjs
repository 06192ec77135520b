import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readFileSync } from 'node:fs';
import { Elf } from '../emulator/elf.mjs';
import { FIRMWARE, ONE_CABLE, elf } from './bench.mjs';

const RAM_BYTES = 256 * 1024;
// The program has 256 KiB.
const FLASH_LIMIT = 224 * 1024;
// Of which 80 KiB are for traces, 48 for bytes from the UART, 16 for the list of traces, and 12 for the capture.
const RAM_LIMIT = 192 * 1024;
const README = readFileSync(new URL('../../../firmware-bridge/README.md', import.meta.url), 'utf8');
/** Another compiler may make a little more or less of it than the one that the table is of. */
const TABLE_TOLERANCE = 0.02;

/** Bytes of the sections with such names. */
function bytes(elf, ...names) {
  return elf.sections.filter(({ name }) => names.includes(name)).reduce((sum, { size }) => sum + size, 0);
}

/** What the table of images has of one, in bytes. */
function inTable(image) {
  const row = README.match(new RegExp(`^\\| \`${image}\` \\| (\\d+) KiB of 256 \\| (\\d+) KiB of 256 \\| (\\d+) KiB \\|$`, 'm'));
  assert.ok(row, `no row of ${image}`);
  return row.slice(1).map((text) => Number(text) * 1024);
}

for (const [name, file] of [['pico-uart', elf], ['pico-one-cable', new Elf(ONE_CABLE)]]) {
  test(`flash and static RAM of ${name}`, (t) => {
    const flash = bytes(file, '.boot2', '.vector_table', '.text', '.rodata', '.data');
    const ram = bytes(file, '.data', '.bss', '.uninit');
    assert.ok(flash > 0 && ram > 0);
    t.diagnostic(`flash ${flash} of ${FLASH_LIMIT} bytes, static RAM ${ram} of ${RAM_LIMIT}`);
    t.diagnostic(`${RAM_BYTES - ram} bytes left for the stack`);
    assert.ok(flash <= FLASH_LIMIT && ram <= RAM_LIMIT);
    for (const [at, built] of [flash, ram, RAM_BYTES - ram].entries()) {
      const stated = inTable(name)[at];
      assert.ok(Math.abs(stated - built) <= TABLE_TOLERANCE * RAM_BYTES, `${stated / 1024} KiB in the README, ${built} bytes built`);
    }
  });
}

test('the UF2 file puts the same bytes into flash', () => {
  const uf2 = readFileSync(`${FIRMWARE}.uf2`);
  const view = new DataView(uf2.buffer, uf2.byteOffset, uf2.byteLength);
  const flash = new Map();
  const blocks = uf2.length / 512;
  // Of https://github.com/microsoft/uf2: magic numbers, flags, address, size, number, count, and the RP2040's family.
  for (let number = 0; number < blocks; number += 1) {
    const word = (at) => view.getUint32(512 * number + at, true);
    assert.deepEqual([word(0), word(4), word(508)], [0x0a324655, 0x9e5d5157, 0x0ab16f30]);
    assert.deepEqual([word(8), word(16), word(20), word(24), word(28)], [0x2000, 256, number, blocks, 0xe48bff56]);
    for (let at = 0; at < 256; at += 1) flash.set(word(12) + at, uf2[512 * number + 32 + at]);
  }
  for (const { address, bytes } of elf.segments) {
    if (address >= 0x20000000) continue;
    bytes.forEach((byte, at) => assert.equal(flash.get(address + at), byte));
  }
});

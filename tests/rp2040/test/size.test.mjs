import assert from 'node:assert/strict';
import { test } from 'node:test';
import { elf } from './bench.mjs';

const RAM_END = 0x20040000;
const FLASH_LIMIT = 160 * 1024;
const RAM_LIMIT = 72 * 1024;

/** Bytes of the sections with such names. */
function bytes(...names) {
  return elf.sections.filter(({ name }) => names.includes(name)).reduce((sum, { size }) => sum + size, 0);
}

test('flash and static RAM', (t) => {
  const flash = bytes('.boot2', '.vector_table', '.text', '.rodata', '.data');
  const ram = bytes('.data', '.bss', '.uninit');
  assert.ok(flash > 0 && ram > 0);
  t.diagnostic(`flash ${flash} of ${FLASH_LIMIT} bytes, static RAM ${ram} of ${RAM_LIMIT}, ${RAM_END - 0x20000000 - ram} left for the stack`);
  assert.ok(flash <= FLASH_LIMIT && ram <= RAM_LIMIT);
});

// A flash that holds anything but a store.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Flash, LONGEST, MIB } from '../emulator/flash.mjs';
import { Bench, SQUARE, elf, random } from './bench.mjs';

const STORE = 256 * 1024;

const FILLINGS = {
  zeros: () => 0,
  'random bytes': (numbers) => Math.floor(256 * numbers.next().value),
  'a few random bytes': (numbers) => (numbers.next().value < 0.01 ? Math.floor(256 * numbers.next().value) : 0xff),
};

for (const [name, filling] of Object.entries(FILLINGS)) {
  test(`starts on a flash of ${name}, and stores`, async (t) => {
    const flash = new Flash();
    const numbers = random(3);
    for (let at = STORE; at < flash.bytes.length; at += 1) flash.bytes[at] = filling(numbers);
    const bench = await Bench.open(t, { flash });
    const { board } = bench;
    let stored = 0;
    bench.onStored = () => { stored += 1; };
    // The whole index and the settings are erased first, each sector for 400 ms.
    board.paced = false;
    await board.run(() => board.log.some(({ text }) => text.startsWith('now ')), 20, 'the start');
    board.paced = true;
    await bench.plug();
    // BOOTSEL has it capture: no computer waits for an answer while the whole flash is gone through.
    for (let trace = 1; trace <= 2; trace += 1) {
      board.bootsel = true;
      const pressed = board.nanos;
      await board.run(() => board.nanos > pressed + 800e6);
      board.bootsel = false;
      await board.run(() => stored === trace, 30, `stored trace ${trace}`);
    }
    assert.equal((await bench.fetch()).length, 2);
    assert.equal(board.resets.length, 0);
  });
}

// As `bridge status` reports the chip: its size, how that is known, and what it identifies itself by.
const CHIPS = [
  { size: 16 * MIB, reported: 16 * MIB, expected: [16 * MIB, 'reported', 'ef4018'] },
  { size: 4 * MIB, reported: 0, expected: [2 * MIB, 'assumed', 'ffffff'] },
  { size: 2 * MIB, reported: 16 * MIB, expected: [2 * MIB, 'repeats', 'ef4018'] },
];

test('the size of the flash is found out, and used', async (t) => {
  for (const { expected, ...chip } of CHIPS) {
    const flash = new Flash(LONGEST, chip);
    const bench = await Bench.open(t, { flash, signals: SQUARE });
    await bench.configure('--repeat', 1);
    await bench.plug();
    await bench.board.run(() => bench.board.log.some(({ text }) => text === 'now Finished'), 8, 'a stored trace');
    const { out, err, code } = await bench.host(['bridge', 'status', '--url', bench.bridge, '--json']);
    assert.equal(code, 0, err);
    const { flash: found, traces } = JSON.parse(out);
    assert.deepEqual([found.bytes, found.size, found.id], expected);
    assert.equal(found.used_bytes, found.bytes);
    // All but the program, the settings and the index.
    const [bytes] = expected;
    assert.ok(traces.capacity_bytes < bytes - STORE && traces.capacity_bytes > 0.9 * (bytes - STORE), `${traces.capacity_bytes}`);
    assert.equal((await bench.fetch()).length, 1);
    const program = flash.bytes.subarray(0, STORE);
    assert.ok(elf.segments.filter(({ address }) => address < 0x20000000).every(({ address, bytes: part }) =>
      part.every((byte, at) => program[address - 0x10000000 + at] === byte)), 'the program is as it was');
  }
});

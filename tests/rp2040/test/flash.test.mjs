// A flash that holds anything but a store.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Flash } from '../emulator/flash.mjs';
import { Bench, random } from './bench.mjs';

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

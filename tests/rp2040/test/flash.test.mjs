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
    await bench.configure('--repeat', 2);
    let stored = 0;
    bench.onStored = () => { stored += 1; };
    await bench.plug();
    await bench.board.run(() => stored === 2, 5, 'two stored traces');
    assert.equal((await bench.fetch()).length, 2);
    assert.equal(bench.board.resets.length, 0);
  });
}

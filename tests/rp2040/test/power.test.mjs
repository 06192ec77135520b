// Power fails within operations of the flash: what was reported stored is there afterwards, whole.
//
// Every operation of a run that fills and wraps the ring is cut in the tests of the firmware's library, on a flash of its
// own; here some are on the board, with what else runs there.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PowerCut } from '../emulator/flash.mjs';
import { Bench, QUANTISING_STEP, SQUARE, random, unlikeness } from './bench.mjs';

const CUTS = 16;
// Operations of a stored trace: pages and an item of the index, a sector to erase now and then.
const REACH = 24;
const KEPT = 6;

test(`power fails at ${CUTS} seeded operations of the flash`, async (t) => {
  const bench = await Bench.open(t, { signals: SQUARE });
  const { board } = bench;
  await bench.configure('--keep', KEPT);
  const parts = random(5);
  let newest = 0;
  let atStake = 0;
  for (let cut = 0; cut < CUTS; cut += 1) {
    let stored = 0;
    bench.onStored = () => { stored += 1; };
    await bench.plug();
    const operation = board.flash.operations + 1 + Math.floor(REACH * parts.next().value);
    board.flash.cut = { operation, part: parts.next().value };
    await assert.rejects(board.run(() => false, 10), PowerCut);
    bench.unplug();
    board.powerOn();
    const traces = await bench.list();
    const numbers = traces.map(({ trace }) => trace);
    // The numbers go up one by one; of those that were reported none is missing that was to be kept.
    const last = numbers.at(-1) ?? 0;
    assert.ok(last >= newest + stored, `${stored} after ${newest} were stored, the newest is ${last}`);
    assert.ok(numbers.every((number, at) => at === 0 || number === numbers[at - 1] + 1), `${numbers}`);
    // One may have gone to make room for the one that was being written.
    assert.ok(numbers.length >= Math.min(last, KEPT) - 1, `${numbers}`);
    newest = last;
    atStake += numbers.length;
  }
  const traces = await bench.fetch();
  await bench.plug();
  const direct = await bench.captureDirectly();
  for (const trace of traces) assert.ok(unlikeness(trace, direct) <= QUANTISING_STEP);
  t.diagnostic(`${newest} traces stored over ${CUTS} power failures, ${atStake} looked for, none lost`);
});

// The BitScope is pulled out and plugged in again at seeded moments: the bridge recovers by itself and loses no trace.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bench, QUANTISING_STEP, SQUARE, random, unlikeness } from './bench.mjs';

const ROUNDS = 8;
const DUMP = 'A'.charCodeAt(0);

/** Runs for so many emulated milliseconds. */
async function pass(board, milliseconds) {
  const end = board.nanos + milliseconds * 1e6;
  await board.run(() => board.nanos >= end);
}

/** Until the bridge waits for its trigger. */
async function armed(bench) {
  await bench.board.run(() => bench.board.log.at(-1)?.text === 'now Armed', 5, 'an armed bridge');
}

// Each brings the bridge to a moment of its kind, `part` of the way through what happens there.
const MOMENTS = {
  async enumerating(bench, part) {
    bench.unplug();
    await pass(bench.board, 30);
    await bench.plug();
    await pass(bench.board, 75 * part);
  },
  async armed(bench, part) {
    await armed(bench);
    await pass(bench.board, 4 * part);
  },
  async 'in a dump'(bench, part) {
    let dumping = false;
    const { line } = bench;
    const write = line.write.bind(line);
    line.write = (bytes) => {
      dumping ||= bytes.at(-1) === DUMP;
      write(bytes);
    };
    await bench.board.run(() => dumping, 5, 'a dump');
    await pass(bench.board, 6 * part);
  },
  async 'writing flash'(bench, part) {
    const { flash } = bench.board;
    const before = flash.operations;
    await bench.board.run(() => flash.operations > before + 8 * part, 5, 'flash being written');
  },
};

for (const [seed, [kind, reach]] of Object.entries(MOMENTS).entries()) {
  test(`unplugged ${ROUNDS} times while ${kind}`, async (t) => {
    const bench = await Bench.open(t, { signals: SQUARE });
    const { board } = bench;
    let stored = 0;
    bench.onStored = () => { stored += 1; };
    await bench.configure();
    await bench.plug();
    const parts = random(seed + 1);
    const recoveries = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      await reach(bench, parts.next().value);
      bench.unplug();
      await pass(board, 10 + 190 * parts.next().value);
      const before = stored;
      await bench.plug();
      const plugged = board.nanos;
      await board.run(() => stored > before, 5, `a trace after round ${round}`);
      recoveries.push((board.nanos - plugged) / 1e9);
    }
    const disarmed = await bench.host(['bridge', 'disarm', '--url', bench.bridge]);
    assert.equal(disarmed.code, 0, disarmed.err);
    const traces = await bench.fetch();
    assert.ok(traces.length >= stored, `${stored} were stored, ${traces.length} are there`);
    const direct = await bench.captureDirectly();
    for (const trace of traces) assert.ok(unlikeness(trace, direct) <= QUANTISING_STEP);
    assert.equal(board.resets.length, 0, 'the watchdog had no part in it');
    const slowest = Math.max(...recoveries).toFixed(2);
    t.diagnostic(`${traces.length} traces, each whole; a new one ${slowest} s after plugging in at the latest`);
  });
}

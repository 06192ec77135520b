// The bridge by itself: it arms at power-up, captures, and stores; a computer fetches the traces later.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bench, QUANTISING_STEP, SQUARE, stackUntouched, unlikeness } from './bench.mjs';

const TRACES = 5;
const STACK_LEAST = 16 * 1024;

test('captures by itself from power-up, and a computer fetches what it captured', async (t) => {
  const bench = await Bench.open(t, { signals: SQUARE });
  const { board } = bench;
  await bench.configure('--repeat', TRACES);
  await bench.plug();
  board.powerOn();
  const powerUp = board.nanos;
  const stored = [];
  bench.onStored = () => stored.push((board.nanos - powerUp) / 1e9);
  await board.run(() => stored.length === TRACES, 3, `${TRACES} stored traces`);
  assert.ok(stored[0] < 1.5, `the first trace was stored after ${stored[0]} s`);

  const traces = await bench.list();
  assert.deepEqual(traces.map(({ trace, cause }) => [trace, cause]), [1, 2, 3, 4, 5].map((trace) => [trace, 'trigger']));
  const fetched = await bench.fetch();
  assert.equal(fetched.length, TRACES);
  const direct = await bench.captureDirectly();
  const { samples } = direct.channels.A;
  assert.ok(Math.min(...samples) < 0.1 && Math.max(...samples) > 2.9, 'it is the square of 0..3 V');
  const worst = fetched.map((trace) => unlikeness(trace, direct));
  assert.ok(Math.max(...worst) <= QUANTISING_STEP, `off by ${worst} V`);

  const untouched = stackUntouched(board);
  assert.ok(untouched >= STACK_LEAST, `${untouched}`);
  t.diagnostic(`stored ${stored.map((at) => at.toFixed(3)).join(', ')} s after power-up`);
  t.diagnostic(`at most ${(Math.max(...worst) * 1000).toFixed(3)} mV from a direct capture`);
  t.diagnostic(`highest stack ${0x20040000 - board.stackLowest} bytes, ${untouched} never touched`);
});

const CAPTURES = 12;

test('of the traces of a job with bands only those outside are kept', async (t) => {
  // The levels of a slow square: half of the captures show one, half the other.
  const bench = await Bench.open(t, { signals: ['--signal', 'A=square 2Hz 0..3V'] });
  const { board } = bench;
  await bench.configure('--repeat', CAPTURES, '--spacing', '90ms', '--timeout', '0', '--outside', 'A max ..1V', '--outside', 'A mean -0.1..');
  await bench.plug();
  const durations = [];
  let triggered;
  const { onLog } = board;
  board.onLog = (line) => {
    onLog(line);
    if (line.text === 'now Triggered') triggered = line.ms;
    else if (line.text === 'now Spacing' && triggered !== undefined) durations.push(line.ms - triggered);
  };
  await board.run(() => board.log.some(({ text }) => text === 'now Finished'), 12, 'the end of the job');
  const { out, err, code } = await bench.host(['bridge', 'status', '--url', bench.bridge, '--json']);
  assert.equal(code, 0, err);
  const { captures, within_bands: within, job } = JSON.parse(out);
  assert.equal(captures, CAPTURES);
  assert.deepEqual(job.bands[0], { channel: 'A', measure: 'max', low: null, high: 1 });
  const traces = await bench.fetch();
  assert.equal(traces.length, CAPTURES - within);
  assert.ok(traces.length > 0 && within > 0, `${within} of ${CAPTURES} lay within`);
  for (const { channels } of traces) assert.ok(Math.max(...channels.A.samples) > 1);
  t.diagnostic(`${within} of ${CAPTURES} traces lay within; measuring took ${Math.min(...durations)} ms at the least`);
  // What no trace can lie in is refused before it is stored.
  const refused = await bench.host(['bridge', 'configure', 'A', '--outside', 'B mean 0..1V', '--url', bench.bridge]);
  assert.equal(refused.code, 2);
  assert.match(refused.err, /B has a band and is not captured/);
});

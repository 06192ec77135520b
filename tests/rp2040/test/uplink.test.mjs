// An uplink that damages what it carries: files are right, or the tool reports what failed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bench, QUANTISING_STEP, SQUARE, random, unlikeness } from './bench.mjs';

/** Damages bytes both ways: of each kind (changed, lost, twice) so many in each byte. */
function damage(uart, rate, seed) {
  const numbers = random(seed);
  const damaged = (byte) => {
    const number = numbers.next().value;
    if (number < rate) return [byte ^ (1 << Math.floor(8 * (number / rate)))];
    if (number < 2 * rate) return [];
    if (number < 3 * rate) return [byte, byte];
    return [byte];
  };
  const send = uart.send.bind(uart);
  uart.send = (byte) => damaged(byte).forEach(send);
  const arrive = uart.arrive.bind(uart);
  uart.arrive = (bytes) => arrive([...bytes].flatMap(damaged));
}

for (const [rate, mustSucceed] of [[1e-4, true], [1e-3, true], [2e-2, false]]) {
  test(`${rate} of the bytes changed, as many lost, as many twice`, async (t) => {
    const bench = await Bench.open(t, { signals: SQUARE });
    await bench.configure('--repeat', 3);
    let stored = 0;
    bench.onStored = () => { stored += 1; };
    await bench.plug();
    await bench.board.run(() => stored === 3, 3, 'three stored traces');
    const right = await bench.fetch();
    damage(bench.uart, rate, 7);
    const args = ['bridge', 'fetch', '--url', bench.bridge, '--json'];
    const { out, err, code } = await bench.host(args, { limitSeconds: 60 });
    const traces = out.trim().split('\n').filter(Boolean).map((line) => JSON.parse(line));
    if (mustSucceed) assert.equal(code, 0, err);
    if (code === 0) assert.equal(traces.length, right.length);
    else assert.match(err, /error: .{20}/);
    traces.forEach((trace, at) => assert.ok(unlikeness(trace, right[at]) <= QUANTISING_STEP));
    t.diagnostic(code === 0 ? `${traces.length} traces, each right` : `exit code ${code}: ${err.match(/error: .*/)[0]}`);
  });
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bench } from './bench.mjs';

const LOW = 0;
const HIGH = 3;
const FREQUENCY = 1000;
// The range of a capture by default is -5.5..8 V, its trigger level the middle.
const LEVEL = 1.25;

/** The voltage of the signal so long after it rose through the trigger level. */
function expected(seconds) {
  const middle = (LOW + HIGH) / 2;
  const amplitude = (HIGH - LOW) / 2;
  return middle + amplitude * Math.sin(2 * Math.PI * FREQUENCY * seconds + Math.asin((LEVEL - middle) / amplitude));
}

/** How far the worst sample of a capture is off. */
function worst(capture) {
  const { samples, timestamps } = capture.channels.A;
  return Math.max(...samples.map((volts, at) => Math.abs(volts - expected(timestamps[at] - capture.trigger_time))));
}

test('captures through the bridge, a hundred, none wrong', async (t) => {
  const bench = await Bench.open(t);
  await bench.plug();
  const args = ['capture', '--url', bench.stream, '--period', '2ms', '--samples', '1000', '-n', '100', '--json'];
  const { out, err, code } = await bench.host(args);
  assert.equal(code, 0, err);
  const captures = out.trim().split('\n').map((line) => JSON.parse(line));
  assert.equal(captures.length, 100);
  // The trigger falls between two samples: half a period of them, at the steepest of the signal, and its noise.
  const tolerance = 2 * Math.PI * FREQUENCY * ((HIGH - LOW) / 2) * 2e-6 + 0.01;
  for (const capture of captures) {
    assert.equal(capture.cause, 'trigger');
    assert.equal(capture.channels.A.samples.length, 1000);
    assert.ok(worst(capture) < tolerance, `off by ${worst(capture)} V`);
  }
  assert.deepEqual(bench.device.complaints, []);
  assert.equal(bench.board.uart.lost, 0);
  t.diagnostic(`worst sample off by ${Math.max(...captures.map(worst)).toFixed(4)} V`);
});

test('a dump fills the UART', async (t) => {
  const bench = await Bench.open(t);
  await bench.plug();
  const sent = [];
  const send = bench.uart.send.bind(bench.uart);
  bench.uart.send = (byte) => {
    sent.push(bench.board.nanos);
    send(byte);
  };
  const { err, code } = await bench.host(['capture', '--url', bench.stream, '--period', '5ms', '--samples', '12000', '--json']);
  assert.equal(code, 0, err);
  // 11765 samples of a byte each: all but its ends are the dump.
  const count = 11000;
  assert.ok(sent.length > count);
  const fastest = Math.min(...sent.slice(count).map((nanos, at) => nanos - sent[at]));
  const possible = (count * 10) / 1e6;
  const part = possible / (fastest / 1e9);
  t.diagnostic(`${(100 * part).toFixed(1)} % of what 1 Mbaud carries`);
  assert.ok(part >= 0.8, `${part}`);
  // Once it was seen above 1 by less than 0.0005, which was not traced to its cause: a byte of the whole dump is allowed.
  assert.ok(part <= 1 + 1 / count, `no UART is faster than itself: ${part}`);
});

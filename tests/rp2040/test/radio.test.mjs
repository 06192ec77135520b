// A Pico W, whose LED is lit by its radio's registers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GPIOPinState } from 'rp2040js';
import { Radio } from '../emulator/radio.mjs';
import { Bench } from './bench.mjs';

const PINS = [23, 24, 25, 29];
/** The longest that other tasks of the firmware may wait for an access of the radio. */
const LIMIT_NANOS = 100e3;

/** What the LED does in so many emulated seconds from now: how long it is lit each time, in milliseconds. */
async function flashes(board, seconds) {
  const [first, end] = [board.ledChanges.length, board.nanos + seconds * 1e9];
  board.paced = board.device !== null;
  await board.run(() => board.nanos >= end);
  board.paced = true;
  const changes = board.ledChanges.slice(first);
  return changes.flatMap(({ nanos, lit }, at) => (lit && changes[at + 1] ? [Math.round((changes[at + 1].nanos - nanos) / 1e6)] : []));
}

/** Has the board use the radio's LED, by the real message, from a start after it on. */
async function useRadio(bench) {
  const { err, code } = await bench.host(['bridge', 'board', '--led', 'radio', '--url', bench.bridge]);
  assert.equal(code, 0, err);
  bench.board.powerOn();
}

const logs = async (bench) => {
  const { out, err, code } = await bench.host(['bridge', 'logs', '--url', bench.bridge]);
  assert.equal(code, 0, err);
  return out;
};

test('the LED of a Pico W shows what that of a Pico does', async (t) => {
  const radio = new Radio();
  const bench = await Bench.open(t, { radio });
  const { board } = bench;
  assert.deepEqual(await flashes(board, 3.5), [], 'a radio that nobody uses stays off');
  assert.equal(radio.starts, 0);
  await useRadio(bench);
  const started = board.nanos;
  await board.run(() => radio.lit, 3.5, 'light');
  t.diagnostic(`lit ${((board.nanos - started) / 1e6).toFixed(0)} ms after the start`);
  assert.deepEqual(await flashes(board, 6.2), [30, 30], 'it passes bytes through');
  // It waits for a BitScope, by the job that is armed.
  await bench.configure();
  assert.deepEqual(new Set(await flashes(board, 3)), new Set([500]));
  t.diagnostic(`an access takes ${(radio.longestNanos / 1e3).toFixed(0)} us at the most`);
  assert.ok(radio.longestNanos > 0 && radio.longestNanos < LIMIT_NANOS);
  assert.equal(radio.starts, 1);
  assert.ok(!(await logs(bench)).includes('LED'));
  const { out } = await bench.host(['bridge', 'status', '--url', bench.bridge, '--json']);
  assert.deepEqual(JSON.parse(out).line, { overruns: 0, framing: 0 });
});

test('captures go on where no radio answers, and the log has it', async (t) => {
  const bench = await Bench.open(t, { signals: ['--signal', 'A=square 500Hz 0..3V'] });
  const { board } = bench;
  await useRadio(bench);
  // On a Pico one of the pins is that by which it sees the 5 V of its socket.
  board.chip.gpio[24].setInputValue(true);
  await bench.plug();
  await board.run(() => board.log.some(({ text }) => text.includes('no LED at the radio')), 2, 'an end of the attempts');
  const driven = [];
  for (const pin of PINS) {
    assert.equal(board.chip.gpio[pin].value, GPIOPinState.InputPullDown, `GP${pin} as after a reset`);
    board.chip.gpio[pin].addListener(() => driven.push(pin));
  }
  await bench.configure('--repeat', 2);
  await board.run(() => board.log.some(({ text }) => text === 'now Finished'), 5, 'the traces');
  assert.equal((await bench.list()).length, 2);
  assert.match(await logs(bench), /LED: no radio answers: is this a Pico W\? Else name a pin/);
  assert.deepEqual(driven, [], 'it is not tried again');
});

test('a radio whose clock does not start is let go', async (t) => {
  const radio = new Radio({ hasClock: false });
  const bench = await Bench.open(t, { radio });
  await useRadio(bench);
  await flashes(bench.board, 2);
  assert.deepEqual([radio.starts, radio.on, bench.board.ledChanges.length], [2, false, 0]);
  assert.match(await logs(bench), /LED: the clock of the radio does not start/);
});

test('accesses of the radio do not disturb a BitScope at two pins', async (t) => {
  const radio = new Radio();
  const bench = await Bench.openOneCable(t, { radio });
  const { board } = bench;
  await useRadio(bench);
  await bench.plug();
  await board.run(() => bench.device.readied === 1, 3, 'the FT232 being readied');
  const { suspensions } = board.wire;
  await bench.configure('--repeat', 2);
  await board.run(() => board.log.some(({ text }) => text === 'now Finished'), 20, 'the traces');
  assert.ok(board.ledChanges.length > 0);
  assert.equal(board.wire.suspensions, suspensions);
  const { out, err, code } = await bench.host(['bridge', 'status', '--url', bench.bridge, '--json']);
  assert.equal(code, 0, err);
  const { usb, captures } = JSON.parse(out);
  assert.deepEqual([captures, usb.retries, usb.failures], [2, 0, 0]);
  t.diagnostic(`an access takes ${(radio.longestNanos / 1e3).toFixed(0)} us at the most`);
  assert.ok(radio.longestNanos > 0 && radio.longestNanos < LIMIT_NANOS);
});

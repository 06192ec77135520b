// What a chip does and a kind emulator hides: each of these once failed here, with firmware that passed everything else.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BREAK, FRAMING_ERROR } from '../emulator/uart.mjs';
import { DISTURBANCES } from '../emulator/usb_host.mjs';
import { Bench, QUANTISING_STEP, SQUARE, random, unlikeness } from './bench.mjs';

const SCHMITT = 1 << 1;
const PULL_UP = 1 << 3;

/** Runs for so many emulated seconds. */
async function pass(board, seconds) {
  const end = board.nanos + seconds * 1e9;
  await board.run(() => board.nanos >= end);
}

/** Runs until the job has stored so many traces. */
async function stored(bench, count, seconds) {
  let reported = 0;
  bench.onStored = () => { reported += 1; };
  await bench.board.run(() => reported >= count, seconds, `${count} stored traces`);
}

test('the receiving pin is pulled up, and has its Schmitt trigger', async (t) => {
  const { board } = await Bench.open(t);
  await board.run(() => board.uart.baud > 0, 1);
  const pad = board.chip.gpio[1].padValue;
  assert.equal(pad & (SCHMITT | PULL_UP), SCHMITT | PULL_UP, `0x${pad.toString(16)}`);
});

test('with nothing wired to the UART an armed job goes on capturing', async (t) => {
  const bench = await Bench.open(t, { signals: SQUARE });
  await bench.configure('--repeat', 3);
  await bench.plug();
  bench.uart.undriven = true;
  bench.board.powerOn();
  await stored(bench, 3, 8);
  assert.equal(bench.board.uart.noise, 0);
});

test('noise on the UART does not take the BitScope from an armed job', async (t) => {
  const bench = await Bench.open(t, { signals: SQUARE });
  await bench.configure('--repeat', 3);
  await bench.plug();
  bench.board.powerOn();
  await pass(bench.board, 0.05);
  // Openings without a stop bit, a break, and whole bytes that open nothing.
  const noise = [0x21 | FRAMING_ERROR, 0x3f | FRAMING_ERROR, BREAK, 0x55, 0xff, 0x80];
  bench.uart.incoming.push(...noise);
  await stored(bench, 3, 8);
});

const QUIRKS = [true, false].flatMap((bufferSelect) =>
  [true, false].map((acknowledgesRepeats) => ({ bufferSelect, acknowledgesRepeats })));

for (const usbQuirks of QUIRKS) {
  test(`a fifth of the packets disturbed, on silicon with ${JSON.stringify(usbQuirks)}`, async (t) => {
    const bench = await Bench.open(t, { signals: SQUARE, usbQuirks });
    await bench.configure('--repeat', 5);
    const numbers = random(11);
    let disturbed = 0;
    let inRow = 0;
    bench.board.disturbUsb = () => {
      // A packet that fails three times may fail its transfer.
      if (inRow === 2 || numbers.next().value >= 0.2) {
        inRow = 0;
        return undefined;
      }
      inRow += 1;
      disturbed += 1;
      return DISTURBANCES[Math.floor(DISTURBANCES.length * numbers.next().value)];
    };
    await bench.plug();
    await stored(bench, 5, 12);
    assert.ok(disturbed > 20, `${disturbed}`);
    assert.ok(!bench.board.log.some(({ text }) => text.startsWith('the bus failed')), 'nothing was enumerated anew');
    assert.deepEqual(bench.device.complaints, []);
    bench.board.disturbUsb = () => undefined;
    const traces = await bench.fetch();
    assert.equal(traces.length, 5);
    const direct = await bench.captureDirectly();
    for (const trace of traces) assert.ok(unlikeness(trace, direct) <= QUANTISING_STEP);
    t.diagnostic(`${disturbed} packets disturbed`);
  });
}

test('the FT232 is set up as a client of its driver does', async (t) => {
  const bench = await Bench.open(t);
  await bench.plug();
  await bench.board.run(() => bench.device.readied > 0, 3, 'the FT232 being readied');
  const { baud, ...uart } = bench.device.uart;
  assert.deepEqual(uart, { format: 8, flowControl: 0, dtr: true, rts: true });
  assert.ok(Math.abs(baud / 115_200 - 1) < 0.005, `${baud}`);
  assert.equal(bench.device.latencyMs, 1);
});

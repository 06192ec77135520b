// What a chip does and a kind emulator hides: each of these once failed here, with firmware that passed everything else.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Flash } from '../emulator/flash.mjs';
import { BREAK, FRAMING_ERROR } from '../emulator/uart.mjs';
import { DISTURBANCES } from '../emulator/usb_host.mjs';
import { Bench, QUANTISING_STEP, SQUARE, random, unlikeness } from './bench.mjs';

const SCHMITT = 1 << 1;
/** Where the store begins in flash (memory_rp2040.x). */
const STORE = 256 * 1024;
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

// A stream of bytes that opens nothing, so that an armed job goes on beside it.
const STREAM = Array.from({ length: 60_000 }, (_, at) => 0x80 | (at & 0x3f));

test('no byte at 1 Mbaud is lost while the flash takes its longest times', async (t) => {
  const bench = await Bench.open(t, { signals: SQUARE });
  const { board, uart } = bench;
  await bench.configure('--repeat', 3);
  await bench.plug();
  // The stream begins as the first sector begins to be erased, and is longer than that takes.
  let [erasedUntil, beside] = [0, 0];
  board.flash.onErase = () => {
    if (erasedUntil > 0) return;
    erasedUntil = board.nanos + board.flash.times.eraseNanos;
    uart.arrive(STREAM);
    board.uart.wake();
  };
  const next = uart.next.bind(uart);
  uart.next = () => {
    if (board.nanos < erasedUntil) beside += 1;
    return next();
  };
  let reported = 0;
  bench.onStored = () => { reported += 1; };
  board.powerOn();
  await board.run(() => erasedUntil > 0, 8, 'an erasure');
  await board.run(() => !uart.waiting(), 3, 'the end of the stream');
  // All of them may be by then.
  await board.run(() => reported > 0, 8, 'a stored trace');
  // 400 ms at 1 Mbaud are 40 000 bytes.
  assert.ok(beside > 39_000 && beside < STREAM.length, `${beside} bytes came while a sector was erased`);
  assert.equal(board.uart.lost, 0);
  t.diagnostic(`${beside} of ${STREAM.length} bytes came while a sector was erased`);
});

test('a computer that heeds RTS loses nothing while nobody reads, and one that does not is reported', async (t) => {
  for (const heedsRts of [true, false]) {
    const flash = new Flash();
    // An index of something else is erased before the bridge serves anybody: 400 ms a sector.
    flash.bytes.fill(0, STORE);
    const bench = await Bench.open(t, { flash });
    const { board, uart } = bench;
    uart.heedsRts = heedsRts;
    await board.run(() => board.uart.baud > 0, 1);
    // More than a second of it.
    uart.arrive([...STREAM, ...STREAM]);
    board.paced = false;
    await board.run(() => board.log.some(({ text }) => text.startsWith('now ')), 20, 'the start');
    await board.run(() => !uart.waiting(), 3, 'the end of the stream');
    board.paced = true;
    uart.heedsRts = false;
    const { out, err, code } = await bench.host(['bridge', 'status', '--url', bench.bridge, '--json']);
    assert.equal(code, 0, err);
    const { overruns } = JSON.parse(out).line;
    if (heedsRts) assert.deepEqual([board.uart.lost, overruns], [0, 0]);
    else assert.ok(board.uart.lost > 1000 && overruns > 0, `${board.uart.lost} were lost, ${overruns} reported`);
  }
});

test('it sends only while CTS is low, and where that is not wired at any time', async (t) => {
  const bench = await Bench.open(t);
  const { board, uart } = bench;
  await bench.plug();
  await board.run(() => bench.device.readied > 0, 3, 'the FT232 being readied');
  const sent = [];
  uart.send = (byte) => sent.push(byte);
  uart.cts = 1;
  uart.arrive(Buffer.from('?'));
  await pass(board, 0.3);
  assert.deepEqual(sent, []);
  uart.cts = 0;
  await pass(board, 0.1);
  assert.match(Buffer.from(sent).toString('latin1'), /BS0005/);
  uart.cts = undefined;
  sent.length = 0;
  uart.arrive(Buffer.from('?'));
  await pass(board, 0.3);
  assert.match(Buffer.from(sent).toString('latin1'), /BS0005/);
});

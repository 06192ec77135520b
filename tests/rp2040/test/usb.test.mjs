// What goes wrong on the USB bus.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bench } from './bench.mjs';

/** Runs for so many emulated seconds. */
async function pass(board, seconds) {
  const end = board.nanos + seconds * 1e9;
  await board.run(() => board.nanos >= end);
}

async function ready(bench) {
  await bench.board.run(() => bench.device.readied >= 1, 3, 'the FT232 being readied');
}

/** One capture through the plain stream is right. */
async function captures(bench) {
  const { err, code } = await bench.host(['capture', '--url', bench.stream, '--json']);
  assert.equal(code, 0, err);
}

// USB 2.0 has a host wait 100 ms for contacts to settle (7.1.7.3), reset for 50 ms (7.1.7.5) and wait for another 10 ms.
test('the FT232 is readied as libftdi does, within 250 ms of power-up', async (t) => {
  const bench = await Bench.open(t);
  await bench.plug();
  await ready(bench);
  assert.ok(bench.board.nanos < 250e6, `${bench.board.nanos}`);
  const readying = [[0, 0], [4, 8], [3, 26], [2, 0], [1, 0x303], [9, 1], [0, 1], [0, 2]].map(([request, value]) => ({ request, value }));
  assert.deepEqual(bench.device.vendorRequests, readying);
  await pass(bench.board, 0.5);
  assert.deepEqual(bench.device.complaints, []);
  assert.equal(bench.device.latencyMs, 1);
});

test('an unsupported device is named and left alone', async (t) => {
  const bench = await Bench.open(t);
  await bench.plug({ vendor: 0x1209 });
  await pass(bench.board, 2.5);
  assert.ok(bench.board.log.some(({ text }) => text === 'an unsupported device is plugged in: 1209:6001'));
  assert.deepEqual(bench.device.vendorRequests, []);
  bench.unplug();
  await pass(bench.board, 0.1);
  await bench.plug();
  await ready(bench);
  await captures(bench);
});

test('a device that does not answer is tried again until it does', async (t) => {
  const bench = await Bench.open(t);
  await bench.plug();
  const { device } = bench;
  device.setup = () => ({ silent: true });
  await pass(bench.board, 3.3);
  assert.deepEqual(device.vendorRequests, []);
  // That it is of no use is logged once, and shown by four whole flashes.
  const { log, ledChanges } = bench.board;
  assert.equal(log.filter(({ text }) => text.startsWith('the USB device is of no use')).length, 1);
  const spans = ledChanges.slice(1).map(({ nanos }, at) => Math.round((nanos - ledChanges[at].nanos) / 1e7) * 10);
  assert.match(spans.join(' '), /120 180 120 180 120 180 120 9[78]0/);
  delete device.setup;
  await ready(bench);
  await captures(bench);
});

const FAULTS = {
  'a device that only answers NAK': (device) => { device.in = () => ({ nak: true }); return () => { delete device.in; }; },
  'an endpoint that halts': (device) => { device.in = () => ({ stall: true }); return () => { delete device.in; }; },
  'a packet that is too long': (device) => {
    device.in = () => ({ data: new Uint8Array(65), toggle: device.toggles.in });
    return () => { delete device.in; };
  },
  'a device that falls silent': (device) => {
    device.in = () => ({ silent: true });
    return () => { delete device.in; };
  },
  'a device that takes no more': (device) => {
    device.out = () => ({ nak: true });
    return () => { delete device.out; };
  },
};

for (const [name, break_] of Object.entries(FAULTS)) {
  test(`${name}: enumerated anew, and captures again`, async (t) => {
    const bench = await Bench.open(t);
    await bench.plug();
    await ready(bench);
    await captures(bench);
    const mend = break_(bench.device);
    // A byte for the device, so that there is something to write.
    bench.uart.incoming.push('?'.charCodeAt(0));
    await bench.board.run(() => bench.board.log.some(({ text }) => text.startsWith('the bus failed')), 1, 'the failure');
    mend();
    await bench.board.run(() => bench.device.readied >= 2, 3, 'the FT232 being readied again');
    await captures(bench);
    assert.equal(bench.board.resets.length, 0, 'the watchdog had no part in it');
  });
}

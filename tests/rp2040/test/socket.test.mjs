// What is in the USB socket and cannot be used, as its user sees it: by the status, the LED, the log and the events.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OVERRUN } from '../emulator/ft232.mjs';
import { Bench } from './bench.mjs';

/** Runs for so many emulated seconds, which nobody outside waits for. */
async function pass(board, seconds) {
  const end = board.nanos + seconds * 1e9;
  board.paced = false;
  await board.run(() => board.nanos >= end);
  board.paced = true;
}

/** What `scopething bridge` prints. */
async function bridge(bench, ...words) {
  const { out, err, code } = await bench.host(['bridge', ...words, '--url', bench.bridge]);
  assert.equal(code, 0, err);
  return out;
}

/** The lengths of light and dark within so many seconds, in milliseconds. */
async function light(board, seconds) {
  const before = board.ledChanges.length;
  await pass(board, seconds);
  const changes = board.ledChanges.slice(before);
  return changes.slice(1).map(({ nanos }, at) => Math.round((nanos - changes[at].nanos) / 1e7) * 10).join(' ');
}

const FOUR_FLASHES = /120 180 120 180 120 180 120 9[78]0/;

/** Plugs it in and out, as a contact that is loose or a supply that breaks down does. */
async function flap(bench) {
  for (let time = 0; time < 4; time += 1) {
    await bench.plug();
    await pass(bench.board, 0.15);
    bench.unplug();
    await pass(bench.board, 0.05);
  }
}

const UNUSABLE = [
  ['a device of low speed', { device: { lowSpeed: true } }, /of low speed is plugged in/, /of no use: LowSpeed/],
  ['a hub', { device: { vendor: 0x05e3, deviceClass: 9 } }, /a hub is plugged in \(05e3:6001\): .*without it/, /unsupported device is plugged in: 05e3:6001/],
  ['a stranger', { device: { vendor: 0x1209 } }, /no BitScope Micro is plugged in \(1209:6001\)/, /unsupported device is plugged in: 1209:6001/],
  ['a controller without frames', { quirks: { frames: false } }, /counts no frames: power the bridge off and on/, /of no use: NoFrames/],
  ['a device that comes and goes, as with over-current', { flaps: true }, /comes and goes: .*5 V.*over-current/, /of no use: Unsteady/],
];

for (const [name, { device, quirks, flaps }, status, log] of UNUSABLE) {
  test(`${name} is reported`, async (t) => {
    const bench = await Bench.open(t, { usbQuirks: quirks });
    const { board } = bench;
    bench.isUsable = false;
    const put = () => (flaps ? flap(bench) : bench.plug(device));
    await put();
    await pass(board, 0.7);
    assert.match(await light(board, 4), flaps ? /./ : FOUR_FLASHES);
    // One that comes and goes is reported until nothing has come for a second.
    if (flaps) await flap(bench);
    const json = JSON.parse(await bridge(bench, 'status', '--json'));
    assert.match(json.usb.state, status);
    assert.equal(json.usb.fault, true);
    const lines = board.log.filter(({ text }) => log.test(text));
    assert.ok(lines.length === (flaps ? 2 : 1) && lines.every(({ level }) => level === 'warn'), JSON.stringify(lines));
    assert.match(await bridge(bench, 'logs'), status);
    // A BitScope in its place works.
    if (flaps || device) {
      bench.unplug();
      await pass(board, 0.1);
      bench.isUsable = true;
      await bench.plug();
      await board.run(() => bench.device.readied >= 1, 3, 'the FT232 being readied');
      assert.equal(JSON.parse(await bridge(bench, 'status', '--json')).usb.fault, false);
    }
  });
}

test('an empty socket and what to check are reported', async (t) => {
  const bench = await Bench.open(t);
  assert.match(await bridge(bench, 'status'), /nothing is plugged in.*5 V between VBUS \(pin 40\) and GND/);
});

test('bytes that the FT232 has lost are counted and reported', async (t) => {
  const bench = await Bench.open(t);
  await bench.plug();
  await bench.board.run(() => bench.device.readied >= 1, 3, 'the FT232 being readied');
  for (let time = 0; time < 2; time += 1) {
    bench.device.lineStatus |= OVERRUN;
    await bench.board.run(() => bench.device.lineStatus === 0, 1, 'a packet with the status');
  }
  await pass(bench.board, 0.01);
  assert.equal(JSON.parse(await bridge(bench, 'status', '--json')).usb.overruns, 2);
  assert.match(await bridge(bench, 'status'), /2 overruns/);
  assert.equal(bench.board.log.filter(({ text }) => text.includes('FT232 has lost')).length, 1);
});

// The image for one cable: the computer in the board's socket, the BitScope at two pins, on which the packets are looked at bit by bit.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { BootDrive } from '../emulator/boot_drive.mjs';
import { Bench, ONE_CABLE, PROGRAM, QUANTISING_STEP, SQUARE, random, unlikeness } from './bench.mjs';

/** A capture where its samples do not matter: few, as the program's time-outs are of wall time, by which this chip is slow. */
const SHORT = ['capture', 'A', '--samples', '50', '--json'];

/** Fails on anything that the pins sent and USB does not allow. */
function assertClean({ board, device }) {
  assert.deepEqual(board.wire.complaints, []);
  assert.deepEqual(device.complaints, []);
}

test('the computer sees two serial ports with a serial number', async (t) => {
  const bench = await Bench.openOneCable(t);
  const { computer, board } = bench;
  await board.run(() => computer.isReady, 1, 'the enumeration');
  const { device, strings } = computer.identity;
  assert.deepEqual(strings, ['ScopeThing', 'ScopeThing bridge', 'E462A85C7B210319']);
  // The vendor and the product, and the class of a device with several functions (USB ECN of interface associations).
  assert.deepEqual(device.slice(8, 12), [0x09, 0x12, 0x01, 0x00]);
  assert.deepEqual(device.slice(4, 7), [0xef, 2, 1]);
  assert.equal(new Set(computer.ports.flatMap(({ in: to, out, interface: number }) => [`i${to}`, `o${out}`, `f${number}`])).size, 6);
});

test('a job is configured, runs and is fetched', async (t) => {
  const bench = await Bench.openOneCable(t);
  await bench.plug();
  await bench.board.run(() => bench.device.readied === 1, 3, 'the FT232 being readied');
  const { suspensions } = bench.board.wire;
  const erased = () => bench.board.flash.erasures.reduce((sum, count) => sum + count, 0);
  const before = erased();
  await bench.configure('--repeat', 2);
  await bench.board.run(() => bench.board.log.filter(({ text }) => text === 'now Triggered').length >= 2, 20, 'two traces');
  await bench.board.run(() => bench.board.log.at(-1).text !== 'now Triggered', 5, 'the trace being stored');
  const status = JSON.parse((await bench.host(['bridge', 'status', '--url', bench.bridge, '--json'])).out);
  assert.equal(status.captures, 2);
  const traces = await bench.fetch();
  assert.equal(traces.length, 2);
  assertClean(bench);
  // Sectors were erased meanwhile, 400 ms each.
  assert.ok(erased() > before);
  assert.equal(bench.board.wire.suspensions, suspensions, 'it has heard a start of frame in time, always');
  const direct = await bench.captureDirectly();
  for (const trace of traces) assert.ok(unlikeness(trace, direct) <= QUANTISING_STEP, `${unlikeness(trace, direct)} V`);
});

test('the BitScope does not suspend while a full buffer is measured and kept in memory', async (t) => {
  const bench = await Bench.openOneCable(t, { signals: ['--signal', 'A=square 10kHz 0..3V'] });
  const { board } = bench;
  await bench.plug();
  await board.run(() => bench.device.readied === 1, 3, 'the FT232 being readied');
  const { suspensions } = board.wire;
  const job = ['A', '--period', '0.6ms', '--samples', '12000', '--repeat', '1', '--flash', 'never', '--outside', 'A frequency 1kHz..2kHz'];
  const { err, code } = await bench.host(['bridge', 'configure', ...job, '--arm', '--url', bench.bridge]);
  assert.equal(code, 0, err);
  await board.run(() => board.log.some(({ text }) => text === 'now Finished'), 20, 'the end of the job');
  assert.equal(board.wire.suspensions, suspensions);
  assertClean(bench);
  const traces = await bench.fetch();
  assert.equal(traces.length, 1);
  assert.equal(traces[0].channels.A.samples.length, 12000);
});

test('the second port is the BitScope, and the first answers messages meanwhile', async (t) => {
  const bench = await Bench.openOneCable(t);
  await bench.plug();
  const { board } = bench;
  const args = ['capture', 'A', '--period', '2ms', '--samples', '1000', '--url', bench.stream, '-n', '10', '--json'];
  const { out, err, code } = await bench.host(args);
  assert.equal(code, 0, err);
  const captures = out.trim().split('\n').map((line) => JSON.parse(line));
  assert.equal(captures.length, 10);
  assertClean(bench);
  const { turnarounds } = board.wire;
  assert.ok(turnarounds.length > 100);
  t.diagnostic(`acknowledges ${Math.min(...turnarounds).toFixed(1)} to ${Math.max(...turnarounds).toFixed(1)} bits after the data`);

  const reader = spawn(PROGRAM, ['capture', 'A', '--url', bench.stream, '-n', '1000'], { stdio: 'ignore' });
  t.after(() => reader.kill());
  await board.run(() => bench.computer.scope.client, 5, 'the port being opened');
  await board.run(() => board.wire.heard.DATA1 > 0, 1);
  const status = await bench.host(['bridge', 'status', '--url', bench.bridge]);
  assert.equal(status.code, 0, status.err);
  const refused = await bench.host(['capture', 'A', '--url', bench.bridge]);
  assert.equal(refused.code, 1);
  assert.match(refused.err, /in use through the bridge's other port/);
  reader.kill();
  await board.run(() => !bench.computer.scope.client, 5, 'the port being closed');
  const after = await bench.host([...SHORT, '--url', bench.bridge]);
  assert.equal(after.code, 0, after.err);

  const direct = await bench.captureDirectly();
  for (const capture of captures) assert.ok(unlikeness(capture, direct) <= QUANTISING_STEP);
});

test('software that leaves DTR alone has the BitScope too', async (t) => {
  const bench = await Bench.openOneCable(t);
  await bench.plug();
  bench.computer.scope.openLines = 0;
  const { err, code } = await bench.host([...SHORT, '--url', bench.stream]);
  assert.equal(code, 0, err);
  const refused = await bench.host(['capture', 'A', '--url', bench.bridge]);
  assert.equal(refused.code, 1);
  assert.match(refused.err, /in use through the bridge's other port/);
});

test('packets that are damaged or lost at the pins cost no sample and are counted', async (t) => {
  const bench = await Bench.openOneCable(t);
  await bench.plug();
  const { board } = bench;
  await board.run(() => bench.device.readied >= 1, 3, 'the FT232 being readied');
  const status = async () => JSON.parse((await bench.host(['bridge', 'status', '--url', bench.bridge, '--json'])).out).usb;
  const before = await status();
  assert.equal(before.retries, 0, 'nothing was disturbed');
  const numbers = random(7);
  const count = { damage: 0, lose: 0, repeat: 0 };
  board.wire.disturb = () => {
    const number = numbers.next().value;
    const fate = number < 0.05 ? 'damage' : number < 0.1 ? 'lose' : undefined;
    if (fate) count[fate] += 1;
    return fate;
  };
  board.wire.losesAcknowledgement = () => {
    const isLost = numbers.next().value < 0.05;
    if (isLost) count.repeat += 1;
    return isLost;
  };
  const args = ['capture', 'A', '--period', '2ms', '--samples', '1000', '--url', bench.stream, '-n', '5', '--json'];
  const { out, err, code } = await bench.host(args);
  assert.equal(code, 0, err);
  board.wire.disturb = () => undefined;
  board.wire.losesAcknowledgement = () => false;
  assert.ok(Math.min(...Object.values(count)) > 10, JSON.stringify(count));
  t.diagnostic(JSON.stringify(count));
  // A damaged answer cannot be distinguished from one that there is nothing yet.
  const after = await status();
  assert.deepEqual([after.retries, after.failures], [count.lose + count.repeat, 0]);
  const direct = await bench.captureDirectly();
  for (const line of out.trim().split('\n')) assert.ok(unlikeness(JSON.parse(line), direct) <= QUANTISING_STEP);
});

test('a BitScope comes and goes at the pins', async (t) => {
  const bench = await Bench.openOneCable(t);
  const { board } = bench;
  for (let time = 0; time < 2; time += 1) {
    await bench.plug();
    await board.run(() => bench.device.readied === 1, 3, 'the FT232 being readied');
    const { err, code } = await bench.host([...SHORT, '--url', bench.bridge]);
    assert.equal(code, 0, err);
    assertClean(bench);
    bench.unplug();
    await board.run(() => board.log.filter(({ text }) => text === 'the FT232 was unplugged').length === time + 1, 1, 'that being noticed');
  }
});

test('firmware is put on the board by a command, and its traces stay', async (t) => {
  const bench = await Bench.openOneCable(t);
  const { board } = bench;
  const drive = mkdtempSync(join(tmpdir(), 'scopething-drive-'));
  t.after(() => rmSync(drive, { recursive: true }));
  board.drive = new BootDrive(drive);
  const mount = board.drive.mount.bind(board.drive);
  board.drive.mount = () => {
    // The old program: what is copied must be written in its place.
    board.flash.bytes.fill(0, 0x100, 0x8000);
    mount();
  };
  await bench.plug();
  await bench.configure('--repeat', 1);
  await board.run(() => board.log.some(({ text }) => text === 'now Finished'), 20, 'the end of the job');
  const [stored] = await bench.list();
  const { err, code } = await bench.host(['bridge', 'update', `${ONE_CABLE}.uf2`, '--drive', drive, '--url', bench.bridge]);
  assert.equal(code, 0, err);
  assert.match(err, /the board starts it by itself/);
  const starts = () => board.log.filter(({ text }) => text.startsWith('the bridge starts')).length;
  await board.run(() => starts() === 2, 5, 'the new firmware');
  assert.deepEqual(readdirSync(drive), []);
  const [kept] = await bench.list();
  assert.deepEqual([kept.trace, kept.stored_bytes, kept.boot], [stored.trace, stored.stored_bytes, 1]);
});

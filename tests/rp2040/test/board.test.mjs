// What a user without a computer has, and what happens when the firmware itself goes wrong.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LogDecoder } from '../emulator/defmt.mjs';
import { Bench, elf } from './bench.mjs';

const RAM = 0x20000000;
const WFI = 0xbf30;
const BRANCH_BACK = 0xe7fd;
const FREE_RAM = 0x20030000;

/** How often the LED went on within so many emulated seconds. */
async function flashes(board, seconds) {
  const before = board.ledChanges.length;
  const end = board.nanos + seconds * 1e9;
  // Without a BitScope nobody answers in the wall clock's time.
  board.paced = board.device !== null;
  await board.run(() => board.nanos >= end);
  board.paced = true;
  return board.ledChanges.slice(before).filter(({ lit }) => lit).length;
}

function logged(board, text) {
  return board.log.some((line) => line.text.includes(text));
}

/** The frames of a log: each ends with a zero byte. */
function frames(bytes) {
  const found = [];
  let start = 0;
  bytes.forEach((byte, at) => {
    if (byte !== 0) return;
    if (at > start) found.push(bytes.subarray(start, at));
    start = at + 1;
  });
  return found;
}

async function press(board, milliseconds) {
  board.bootsel = true;
  const end = board.nanos + milliseconds * 1e6;
  await board.run(() => board.nanos >= end);
  board.bootsel = false;
}

test('GP0 and GP1 are the UART at 1 Mbaud', async (t) => {
  const { board } = await Bench.open(t);
  await board.run(() => board.uart.baud > 0, 1);
  // Function 2 of these pins is UART0 (RP2040 data sheet, table 2).
  assert.deepEqual([board.chip.gpio[0].functionSelect, board.chip.gpio[1].functionSelect], [2, 2]);
  assert.ok(Math.abs(board.uart.baud / 1e6 - 1) < 0.001, `${board.uart.baud}`);
});

test('BOOTSEL captures without a computer, and the LED shows it', async (t) => {
  const bench = await Bench.open(t);
  const { board } = bench;
  assert.equal(await flashes(board, 3), 1, 'it passes bytes through');
  await press(board, 200);
  await board.run(() => logged(board, 'BOOTSEL: Short'), 1);
  assert.equal(await flashes(board, 3), 3, 'it waits for a BitScope');
  // The start is counted there.
  const { operations } = board.flash;
  await bench.plug();
  await board.run(() => board.flash.operations > operations, 2, 'a trace in flash');
  await press(board, 1500);
  assert.ok(logged(board, 'BOOTSEL: Long'));
});

test('a task that gets nowhere has the watchdog restart the chip', async (t) => {
  const bench = await Bench.open(t);
  const { board } = bench;
  await bench.plug();
  await board.run(() => bench.device.readied === 1, 1);
  // It waits for an interrupt again and again, and none comes.
  board.chip.writeUint16(FREE_RAM, WFI);
  board.chip.writeUint16(FREE_RAM + 2, BRANCH_BACK);
  board.chip.core.enabledInterrupts = 0;
  board.chip.core.waiting = false;
  board.chip.core.PC = FREE_RAM;
  await board.run(() => board.resets.length === 1, 5, 'a restart');
  await board.run(() => logged(board, 'the bridge starts: Watchdog'), 1);
  await board.run(() => bench.device.readied === 2, 1, 'the BitScope, anew');
});

test('a panic is reported after the restart', async (t) => {
  const bench = await Bench.open(t);
  const { board } = bench;
  await board.run(() => logged(board, 'now '), 1);
  // `unwrap` of nothing, called with a `Location` of our own: file, line and column.
  const file = 'src/somewhere.rs';
  board.chip.sram.set(Buffer.from(file), FREE_RAM - RAM + 16);
  [FREE_RAM + 16, file.length, 42, 7].forEach((word, at) => board.chip.writeUint32(FREE_RAM + 4 * at, word));
  const panic = elf.symbols.find(({ name }) => /4core6option13unwrap_failed$/.test(name));
  board.chip.core.waiting = false;
  board.chip.core.registers[0] = FREE_RAM;
  board.chip.core.PC = panic.value & ~1;
  await board.run(() => board.resets.length === 1, 1, 'a restart');
  await board.run(() => logged(board, 'src/somewhere.rs:42'), 1);
  const { out, err, code } = await bench.host(['bridge', 'status', '--url', bench.bridge]);
  assert.equal(code, 0, err);
  assert.match(out, /panic at src\/somewhere\.rs:42/);
  // And after a power failure.
  board.powerOn();
  const later = await bench.host(['bridge', 'status', '--url', bench.bridge, '--json']);
  assert.equal(later.code, 0, later.err);
  const { restart, last_failure: failure, boot } = JSON.parse(later.out);
  assert.deepEqual({ restart, failure, boot }, { restart: 'power-up', failure: { boot: 2, cause: 'panic at src/somewhere.rs:42' }, boot: 3 });
});

test('what happened is printed in plain text with the time of day', async (t) => {
  const bench = await Bench.open(t);
  await bench.plug();
  await bench.board.run(() => logged(bench.board, 'an FT232 is plugged in'), 1);
  const { out, err, code } = await bench.host(['bridge', 'logs', '--url', bench.bridge]);
  assert.equal(code, 0, err);
  const lines = out.trim().split('\n');
  const year = new Date().getUTCFullYear();
  assert.ok(lines.every((line) => line.startsWith(`${year}-`)), out);
  assert.match(out, /powered up\n.*passing through\n.*USB: a BitScope Micro is plugged in\n/);
});

test('the log comes over the uplink as it comes by RTT', async (t) => {
  const bench = await Bench.open(t);
  await bench.plug();
  await bench.board.run(() => logged(bench.board, 'an FT232 is plugged in'), 1);
  const { out, err, code } = await bench.host(['bridge', 'logs', '--defmt', '--url', bench.bridge], { binary: true });
  assert.equal(code, 0, err);
  const decoder = new LogDecoder(elf);
  const lines = frames(out).map((frame) => decoder.line(frame));
  assert.ok(lines.length >= 3);
  assert.deepEqual(lines, bench.board.log.slice(0, lines.length));
});

test('rate and pins are set by message, and kept', async (t) => {
  const bench = await Bench.open(t);
  const { board } = bench;
  const words = ['--baud', '115200', '--led', '22', '--trigger-out', '6', '--trigger-in', '7'];
  const { err, code } = await bench.host(['bridge', 'board', ...words, '--url', bench.bridge]);
  assert.equal(code, 0, err);
  board.powerOn();
  const pin = (gpio) => {
    const changes = [];
    board.chip.gpio[gpio].addListener((state) => changes.push({ nanos: board.nanos, state }));
    return changes;
  };
  const [led, trigger, before] = [pin(22), pin(6), board.ledChanges.length];
  await bench.plug();
  await board.run(() => bench.device.readied > 0, 3, 'the FT232 being readied');
  assert.ok(Math.abs(board.uart.baud / 115_200 - 1) < 0.01, `${board.uart.baud}`);
  const { operations } = board.flash;
  await press(board, 200);
  await board.run(() => board.flash.operations > operations + 2, 3, 'a trace in flash');
  await flashes(board, 1);
  assert.ok(led.length > 2, 'the LED on its pin');
  assert.equal(board.ledChanges.length, before, 'and not on that of before');
  // High is 1, low is 0 (rp2040js, GPIOPinState).
  const rise = trigger.findIndex(({ state }) => state === 1);
  const width = (trigger[rise + 1].nanos - trigger[rise].nanos) / 1e6;
  assert.ok(width >= 1, `${width} ms`);
  assert.equal(trigger.filter(({ state }) => state === 1).length, 1, 'one pulse a trace');

  // The trigger input captures when it rises, and not while it is high.
  const pulses = () => trigger.filter(({ state }) => state === 1).length;
  const rose = board.nanos;
  board.chip.gpio[7].setInputValue(true);
  await board.run(() => pulses() === 2, 3, 'a trace by the trigger input');
  t.diagnostic(`captured and read out ${((board.nanos - rose) / 1e6).toFixed(0)} ms after the trigger input rose`);
  await flashes(board, 0.5);
  assert.equal(pulses(), 2);
  board.chip.gpio[7].setInputValue(false);
  await flashes(board, 0.5);
  assert.equal(pulses(), 2);
  // That of an armed job whose trigger does not come.
  const { onLog } = board;
  board.onLog = (line) => {
    onLog(line);
    if (line.text !== 'now Armed') return;
    // At once: the longer it waits, the farther the clocks of a slow emulation and of the simulated BitScope part, which the
    // driver takes for a fault and tries again.
    board.chip.gpio[7].setInputValue(false);
    board.chip.gpio[7].setInputValue(true);
  };
  await bench.configure('--trigger', 'A', '--level', '5', '--trigger-mode', 'normal', '--timeout', 'none', '--repeat', 1);
  await board.run(() => logged(board, 'now Finished'), 5, 'a trace of the armed job');
  board.onLog = onLog;
  await flashes(board, 0.1);
  assert.equal(pulses(), 3);
  const causes = (await bench.list()).map(({ cause }) => cause);
  assert.deepEqual([causes.length, causes[2]], [3, 'cancel']);
});

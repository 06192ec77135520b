// The models of the emulator by themselves: what the firmware is judged with must be right first.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimulationClock } from '../node_modules/rp2040js/dist/esm/clock/simulation-clock.js';
import { decodeFrame } from '../emulator/defmt.mjs';
import { Flash, MIB, PowerCut, TYPICAL } from '../emulator/flash.mjs';
import { Ft232 } from '../emulator/ft232.mjs';
import { LoosePin, Radio } from '../emulator/radio.mjs';

function ft232(options) {
  const clock = new SimulationClock();
  const line = { incoming: [], written: [], write(bytes) { this.written.push(...bytes); } };
  return { clock, line, device: new Ft232(clock, line, options) };
}

function request(device, type, code, value, length) {
  const bytes = [type, code, value & 0xff, value >> 8, 0, 0, length, 0];
  return device.setup(device.address, 0, bytes);
}

/** A control request without data, as a host does it: setup, status. */
function command(device, type, code, value) {
  assert.deepEqual(request(device, type, code, value, 0), { ack: true });
  const status = device.in(device.address, 0);
  if (status.stall) return false;
  assert.equal(status.data.length, 0);
  assert.equal(status.toggle, 1);
  device.acknowledged();
  return true;
}

function configured(options) {
  const parts = ft232(options);
  assert.ok(command(parts.device, 0x00, 5, 1));
  // At its new address it is silent for as long as it may be.
  parts.clock.tick(1.9e6);
  assert.deepEqual(request(parts.device, 0x00, 9, 1, 0), { silent: true });
  parts.clock.tick(0.1e6);
  assert.ok(command(parts.device, 0x00, 9, 1));
  // 8N1, 3 MHz / 26.
  assert.ok(command(parts.device, 0x40, 4, 8));
  assert.ok(command(parts.device, 0x40, 3, 26));
  return parts;
}

test('FT232: the device descriptor comes in packets of 8 bytes with their toggles', () => {
  const { device } = ft232();
  request(device, 0x80, 6, 0x0100, 18);
  const packets = [];
  for (let count = 0; count < 3; count += 1) {
    packets.push(device.in(0, 0));
    device.acknowledged();
  }
  assert.deepEqual(packets.map(({ data, toggle }) => [data.length, toggle]), [[8, 1], [8, 0], [2, 1]]);
  const descriptor = packets.flatMap(({ data }) => [...data]);
  // 0403:6001, endpoint 0 of 8 bytes, one configuration: offsets by USB 2.0, table 9-8.
  assert.deepEqual([descriptor[7], ...descriptor.slice(8, 12), descriptor[17]], [8, 0x03, 0x04, 0x01, 0x60, 1]);
  assert.deepEqual(device.out(0, 0, 1, []), { ack: true });
});

test('FT232: it answers its address alone, and takes that after the status stage', () => {
  const { device } = ft232();
  request(device, 0x00, 5, 7, 0);
  assert.equal(device.address, 0);
  device.in(0, 0);
  device.acknowledged();
  assert.equal(device.address, 7);
  assert.deepEqual(device.in(0, 1), { silent: true });
  assert.deepEqual(device.out(0, 2, 0, [1]), { silent: true });
});

test('FT232: what is unknown, or out of turn, is stalled and noted', () => {
  const { device } = ft232();
  assert.ok(!command(device, 0x40, 99, 0));
  assert.deepEqual(device.in(0, 1), { stall: true });
  assert.equal(device.complaints.length, 2);
});

test('FT232: NAK until the latency timer runs out, then two status bytes', () => {
  const { clock, device } = configured();
  clock.tick(15.9e6);
  assert.deepEqual(device.in(1, 1), { nak: true });
  clock.tick(0.2e6);
  assert.deepEqual([...device.in(1, 1).data], [0x31, 0x60]);
  device.acknowledged();
  assert.ok(command(device, 0x40, 9, 1));
  clock.tick(0.9e6);
  assert.deepEqual(device.in(1, 1), { nak: true });
  clock.tick(0.2e6);
  assert.equal(device.in(1, 1).data.length, 2);
});

test('FT232: 62 bytes make a packet at once, at the speed of its line, and an unacknowledged one comes again', () => {
  const { clock, line, device } = configured({ lineBaud: 1_000_000 });
  line.incoming.push(...Array.from({ length: 100 }, (_, byte) => byte));
  clock.tick(0.61e6);
  assert.deepEqual(device.in(1, 1), { nak: true });
  clock.tick(0.02e6);
  const first = device.in(1, 1);
  assert.equal(first.data.length, 64);
  assert.deepEqual([...first.data.slice(2)], Array.from({ length: 62 }, (_, byte) => byte));
  assert.deepEqual(device.in(1, 1), first);
  device.acknowledged();
  clock.tick(16e6);
  const second = device.in(1, 1);
  assert.notEqual(second.toggle, first.toggle);
  assert.equal(second.data[2], 62);
});

test('FT232: it takes 128 bytes, and a repeated packet once', () => {
  const { clock, line, device } = configured({ lineBaud: 1_000_000 });
  const packet = Array.from({ length: 64 }, (_, byte) => byte);
  assert.deepEqual(device.out(1, 2, 0, packet), { ack: true });
  assert.deepEqual(device.out(1, 2, 0, packet), { ack: true });
  assert.deepEqual(device.out(1, 2, 1, packet), { ack: true });
  assert.deepEqual(device.out(1, 2, 0, [1]), { nak: true });
  clock.tick(2e6);
  assert.deepEqual(line.written, [...packet, ...packet]);
});

test('FT232: at a rate or in a format that its line does not have bytes are garbage both ways', () => {
  for (const [code, value, right] of [[3, 26, true], [3, 0x4138, false], [3, 13, false], [4, 7, false], [4, 8, true]]) {
    const { clock, line, device } = configured();
    assert.ok(command(device, 0x40, code, value));
    line.incoming.push(...Buffer.from('BS0005'));
    clock.tick(20e6);
    assert.equal(Buffer.from(device.in(1, 1).data.slice(2)).toString('latin1') === 'BS0005', right, `${code} ${value}`);
    device.out(1, 2, 0, Uint8Array.from([0x21]));
    clock.tick(1e6);
    assert.equal(line.written[0] === 0x21, right);
  }
});

test('flash: programming clears bits, erasing sets them, both take their time', () => {
  const flash = new Flash();
  assert.equal(flash.program(256, new Uint8Array(256).fill(0xf0)), 3e6);
  flash.program(256, new Uint8Array(256).fill(0x3c));
  assert.deepEqual([...flash.bytes.subarray(255, 258)], [0xff, 0x30, 0x30]);
  assert.equal(flash.erase(0, 8192), 800e6);
  assert.equal(flash.bytes[256], 0xff);
  assert.throws(() => flash.erase(1, 4096));
  assert.throws(() => flash.program(0, new Uint8Array(10)));
});

test('flash: it reports a size, and what lies beyond its own is its beginning', () => {
  const flash = new Flash(TYPICAL, { size: 2 * MIB, reported: 16 * MIB });
  const answer = (...command) => {
    flash.select();
    return command.map((byte) => flash.exchange(byte));
  };
  assert.deepEqual(answer(0x9f, 0, 0, 0), [0xff, 0xef, 0x40, 0x18]);
  assert.equal(Buffer.from(answer(0x5a, 0, 0, 0, 0, 0, 0, 0, 0).slice(5)).toString(), 'SFDP');
  // 128 Mbit less one, in the second word of the table at 0x80.
  assert.deepEqual(answer(0x5a, 0, 0, 0x84, 0, 0, 0, 0, 0).slice(5), [0xff, 0xff, 0xff, 0x07]);
  const mapped = flash.map();
  flash.program(4096, new Uint8Array(256).fill(0x12));
  for (let at = 4096; at < 16 * MIB; at += 2 * MIB) assert.deepEqual([mapped[at], mapped[at + 256]], [0x12, 0xff]);
  flash.erase(4096, 4096);
  assert.ok(mapped.every((byte) => byte === 0xff));
  assert.throws(() => flash.erase(2 * MIB, 4096));
});

test('flash: a power cut leaves an operation half done', () => {
  const flash = new Flash();
  flash.cut = { operation: 1, part: 0.5 };
  flash.program(0, new Uint8Array(256));
  assert.throws(() => flash.program(256, new Uint8Array(512)), PowerCut);
  assert.equal(flash.bytes.indexOf(0xff), 256 + 128);
});

test('log: rzCOBS as its specification has it', () => {
  // Frames and what they stand for, from the definition: a code byte for seven bytes, of which zeros are left out.
  assert.deepEqual([...decodeFrame([0x01, 0x02, 0x7c])], [1, 2, 0, 0, 0, 0, 0]);
  assert.deepEqual([...decodeFrame([1, 2, 3, 4, 5, 6, 7, 0x80])], [1, 2, 3, 4, 5, 6, 7, 0]);
  assert.throws(() => decodeFrame([0x00]));
});

/** A radio at pins that are driven by hand: power, data, select, clock. */
function radioAtPins() {
  const gpio = Array.from({ length: 30 }, () => new LoosePin());
  const radio = new Radio();
  const parts = { radio, nanos: 0 };
  radio.attach({ gpio }, () => parts.nanos);
  const drive = (at, level) => {
    parts.nanos += 50;
    Object.assign(gpio[at], { outputEnable: level !== undefined, outputValue: level === 1 });
    gpio[at].listener(gpio[at].value);
  };
  const pulse = () => [1, 0].forEach((level) => drive(29, level));
  const send = (word) => {
    for (let bit = 31; bit >= 0; bit -= 1) {
      drive(24, (word >>> bit) & 1);
      pulse();
    }
  };
  const read = (isLate) => Array.from({ length: 32 }, () => {
    if (isLate) drive(29, 1);
    parts.nanos += 50;
    const bit = Number(gpio[24].rawInputValue);
    if (!isLate) drive(29, 1);
    drive(29, 0);
    return bit;
  });
  const powerUp = ({ data = 0, off = 20e6, on = 250e6 } = {}) => {
    for (const [at, level] of [[25, 1], [29, 0], [24, data]]) drive(at, level);
    parts.nanos += off;
    drive(23, 1);
    parts.nanos += on;
    drive(25, 0);
  };
  /** Switches it on and writes the settings of its bus, in the words of 16 bits that it has until then. */
  const setUp = (settings) => {
    powerUp();
    send(0x0004c000);
    send(((settings << 16) | (settings >>> 16)) >>> 0);
    drive(25, 1);
  };
  return Object.assign(parts, { drive, send, read, powerUp, setUp });
}

// Read 4 bytes of 0x14 by function 0 with the halves of each word swapped, as drivers of a Pico W send it first.
const READ_TEST = 0xa0044000;
/** What embassy's driver sets: words of 32 bits, fast, interrupts high, awake; a delay of 4; interrupts with status. */
const RIGHT_SETTINGS = 0x1 | 0x10 | 0x20 | 0x80 | (0x4 << 8) | (0x2 << 16);
const TEST_SWAPPED = [...(0xbeadfeed).toString(2)].map(Number);

test('radio: its test register is read by one order of bits and edges alone', () => {
  const right = radioAtPins();
  right.powerUp();
  right.send(READ_TEST);
  right.drive(24, undefined);
  assert.deepEqual(right.read(false), TEST_SWAPPED);
  right.drive(25, 1);
  const late = radioAtPins();
  late.powerUp();
  late.send(READ_TEST);
  late.drive(24, undefined);
  assert.notDeepEqual(late.read(true), TEST_SWAPPED);
  // In the other order it is another command.
  const whole = radioAtPins();
  whole.powerUp();
  assert.throws(() => whole.send(0x4000a004), /does not go up/);
  const floating = radioAtPins();
  floating.powerUp();
  floating.drive(24, undefined);
  assert.throws(() => floating.drive(29, 1), /nothing drives a bit/);
});

test('radio: what is forbidden ends the emulation', () => {
  assert.throws(() => radioAtPins().powerUp({ data: 1 }), /SDIO/);
  assert.throws(() => radioAtPins().powerUp({ off: 5e6 }), /off too short/);
  assert.throws(() => radioAtPins().powerUp({ on: 100e6 }), /before it is ready/);
  const cut = radioAtPins();
  cut.powerUp();
  cut.send(READ_TEST);
  assert.throws(() => cut.drive(25, 1), /ends after 32 bits/);
  const both = radioAtPins();
  both.powerUp();
  both.send(READ_TEST);
  assert.throws(() => both.drive(29, 1), /both the radio and the processor/);
  const unknown = radioAtPins();
  unknown.powerUp();
  // A write of 4 bytes to 0x14, halves swapped: 0xc000a004.
  unknown.send(0xa004c000);
  assert.throws(() => unknown.send(0), /written where nothing is/);
  // The same without the bit by which the address goes up.
  const fixed = radioAtPins();
  fixed.powerUp();
  assert.throws(() => fixed.send(0xa0048000), /does not go up/);
  const driven = radioAtPins();
  driven.setUp(RIGHT_SETTINGS);
  assert.throws(() => driven.drive(25, 0), /between two accesses/);
});

test('radio: the settings of its bus are those of published drivers', () => {
  // Read 4 bytes of 0x14, and write a byte of 0x1000e, where the clock is requested.
  const [test, clock] = [0x4000a004, 0xd8007001];
  const withSettings = (settings) => {
    const parts = radioAtPins();
    parts.setUp(settings);
    parts.drive(24, undefined);
    parts.drive(25, 0);
    return parts;
  };
  const right = withSettings(RIGHT_SETTINGS);
  right.send(test);
  right.drive(24, undefined);
  assert.equal(right.read(false).join(''), (0xfeedbead).toString(2));
  right.drive(25, 1);
  right.drive(25, 0);
  right.send(clock);
  assert.throws(() => right.send(9), /requested by 0x9/);
  for (const bit of [2, 3, 16, 26]) assert.throws(() => withSettings(RIGHT_SETTINGS ^ (1 << bit)), /that nobody uses/, `bit ${bit}`);
  for (const bit of [4, 7]) {
    const asleep = withSettings(RIGHT_SETTINGS ^ (1 << bit));
    asleep.send(clock);
    assert.throws(() => asleep.send(8), /before it is awake/, `bit ${bit}`);
  }
  // The same bytes are another command.
  assert.throws(() => withSettings(RIGHT_SETTINGS ^ 2).send(test), /does not go up/);
  const delayed = withSettings(RIGHT_SETTINGS ^ (1 << 18));
  delayed.send(test);
  delayed.drive(24, undefined);
  delayed.read(false);
  assert.throws(() => delayed.drive(25, 1), /with 32 left/);
});

// Firmware in C over libscopething_core_c: captures what the simulated BitScope on its UART sees. `core/c/test` builds and runs it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Board } from '../../../tests/rp2040/emulator/board.mjs';
import { Elf } from '../../../tests/rp2040/emulator/elf.mjs';
import { PROGRAM, simulate } from '../../../tests/rp2040/emulator/simulator.mjs';
import { ScopeLine } from '../../../tests/rp2040/emulator/tcp.mjs';

const { FIRMWARE } = process.env;
const RAM_END = 0x20040000;
// As the documentation has it.
const MAX_STACK = 2560;

/** UART0's wire, which ends at a BitScope. */
class ScopeWire {
  constructor(line) {
    this.line = line;
    this.outgoing = [];
    this.undriven = false;
  }

  get incoming() {
    return this.line.incoming;
  }

  waiting() {
    return this.incoming.length > 0;
  }

  next() {
    return this.incoming.shift();
  }

  send(byte) {
    this.outgoing.push(byte);
  }

  flush() {
    if (this.outgoing.length) this.line.write(Uint8Array.from(this.outgoing));
    this.outgoing = [];
  }
}

/** Runs the firmware to its end, and gives what it prints. */
async function run(t, line) {
  const board = new Board({ elf: new Elf(FIRMWARE), uart: new ScopeWire(line) });
  let printed = '';
  board.chip.uart[1].onByte = (byte) => { printed += String.fromCharCode(byte); };
  await board.run(() => /done\n|open:.*\n|capture:.*\n/.test(printed), 20, 'the end of the program');
  const stack = RAM_END - board.stackLowest;
  t.diagnostic(`${board.instructions} instructions in ${(board.nanos / 1e6).toFixed(0)} ms of its time, ${stack} bytes of stack`);
  assert.ok(stack < MAX_STACK, `${stack} bytes of stack`);
  return printed;
}

test('firmware in C captures what is there', async (t) => {
  const scope = await simulate(PROGRAM, ['--signal', 'A=sine 1kHz 0.5..2.5V'], 'ignore');
  t.after(() => scope.stop());
  const line = await ScopeLine.open(scope.host, scope.port);
  t.after(() => line.close());
  const printed = await run(t, line);
  const lines = printed.trim().split('\n');
  assert.equal(lines[0], 'BS000501', printed);
  assert.equal(lines.length, 5, printed);
  for (const text of lines.slice(1, 4)) {
    const [, samples, low, high] = /^(\d+) samples, (-?\d+) mV to (-?\d+) mV$/.exec(text).map(Number);
    assert.equal(samples, 1000);
    assert.ok(Math.abs(low - 500) < 30 && Math.abs(high - 2500) < 30, text);
  }
});

test('firmware in C reports what is not there', async (t) => {
  const printed = await run(t, { incoming: [], write() {} });
  assert.match(printed, /^open: no answer within \d+ ms while .*\n$/);
});

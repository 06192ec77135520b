// The USB controller of an RP2350 as a host, and the BitScope in its socket: the models of the RP2040, whose controller it is but
// for the isolation of its pins, for an emulator that is another program.
//
// A message: what is asked, the time in nanoseconds, an offset, a value, how it is written (as it is, inverted, set, cleared), and
// the memory of the controller, which counts when a transaction is started. All but writes are answered: a value, whether it
// interrupts, whether that memory has changed, the time that it got to, and the memory.
import { SimulationClock } from '../rp2040/node_modules/rp2040js/dist/esm/clock/simulation-clock.js';
import { Ft232 } from '../rp2040/emulator/ft232.mjs';
import { PROGRAM, simulate } from '../rp2040/emulator/simulator.mjs';
import { ScopeLine } from '../rp2040/emulator/tcp.mjs';
import { UsbHost } from '../rp2040/emulator/usb_host.mjs';

const MEMORY_BYTES = 4096;
const EXCHANGED_BYTES = 512;
const REQUEST_BYTES = 21 + EXCHANGED_BYTES;
const SIE_CTRL = 0x4c;
const START_TRANS = 1 << 0;

const clock = new SimulationClock();
const usbDPRAM = new Uint8Array(MEMORY_BYTES);
let interrupts = false;
const chip = {
  clock,
  usbDPRAM,
  usbDPRAMView: new DataView(usbDPRAM.buffer),
  setInterrupt(_, on) { interrupts = on; },
};
const host = new UsbHost(chip);
host.release();
const scope = await simulate(PROGRAM, process.argv.slice(2), 'ignore');
let device = null;

/** Lets time pass up to a moment, or to the first interrupt before it. */
function advance(nanos) {
  const wasInterrupting = interrupts;
  while (clock.nextAlarm && clock.nextAlarm.nanos <= nanos && (wasInterrupting || !interrupts)) {
    clock.tick(Math.max(clock.nextAlarm.nanos - clock.nanos, 0));
  }
  if (wasInterrupting || !interrupts) clock.tick(Math.max(nanos - clock.nanos, 0));
}

const requests = {
  read: ({ offset }) => host.readUint32(offset),
  write: ({ offset, value, alias }) => host.writeUint32Atomic(offset, value, alias),
  reset: ({ value }) => {
    if (!value) return void host.release();
    host.reset();
    return void host.plug(device);
  },
  plug: async ({ value }) => {
    device = value ? new Ft232(clock, await ScopeLine.open(scope.host, scope.port), { lowSpeed: value === 2 }) : null;
    host.plug(device);
  },
  pass: () => {},
};
const names = Object.keys(requests);

/** The memory as the other program has it. */
const shared = Buffer.alloc(EXCHANGED_BYTES);
const exchanged = () => usbDPRAM.subarray(0, EXCHANGED_BYTES);

async function serve(message) {
  const name = names[message[0]];
  const [nanos, offset, value] = [message.readDoubleLE(1), message.readUInt32LE(9), message.readUInt32LE(13)];
  advance(nanos);
  if (name === 'write' && offset === SIE_CTRL && value & START_TRANS) {
    message.copy(shared, 0, REQUEST_BYTES - EXCHANGED_BYTES);
    usbDPRAM.set(shared);
  }
  const result = await requests[name]({ offset, value, alias: message.readUInt32LE(17) });
  if (name === 'write') return;
  const reply = Buffer.alloc(14 + EXCHANGED_BYTES);
  reply.writeUInt32LE((result ?? 0) >>> 0, 0);
  reply[4] = interrupts ? 1 : 0;
  reply[5] = shared.equals(exchanged()) ? 0 : 1;
  reply.writeDoubleLE(clock.nanos, 6);
  shared.set(exchanged());
  reply.set(shared, 14);
  process.stdout.write(reply);
}

process.on('exit', () => scope.stop());
let waiting = Buffer.alloc(0);
for await (const bytes of process.stdin) {
  waiting = Buffer.concat([waiting, bytes]);
  while (waiting.length >= REQUEST_BYTES) {
    await serve(waiting.subarray(0, REQUEST_BYTES));
    waiting = waiting.subarray(REQUEST_BYTES);
  }
}
process.exit(0);

// The USB controller of an RP2350, for an emulator that is another program: the models of the RP2040, whose controller it is but for
// the isolation of its pins. As a host it has a simulated BitScope in its socket, whose signals are the arguments; with
// `--computer` it is a device of a computer that has its two serial ports as TCP ports.
//
// A message: what is asked, and whether an answer is wanted; the time in nanoseconds, an offset, a value, how it is written (as it
// is, inverted, set, cleared), and the controller's memory. An answer: a value, whether it interrupts, whether that memory has
// changed, the time that it got to, and the memory.
import { SimulationClock } from '../rp2040/node_modules/rp2040js/dist/esm/clock/simulation-clock.js';
import { CdcHost } from '../rp2040/emulator/cdc_host.mjs';
import { Ft232 } from '../rp2040/emulator/ft232.mjs';
import { PROGRAM, simulate } from '../rp2040/emulator/simulator.mjs';
import { ScopeLine } from '../rp2040/emulator/tcp.mjs';
import { UsbHost } from '../rp2040/emulator/usb_host.mjs';

const MEMORY_BYTES = 4096;
const REQUEST_BYTES = 22 + MEMORY_BYTES;
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

/** Lets time pass up to a moment, or to the first interrupt before it. */
function advance(nanos) {
  const wasInterrupting = interrupts;
  while (clock.nextAlarm && clock.nextAlarm.nanos <= nanos && (wasInterrupting || !interrupts)) {
    clock.tick(Math.max(clock.nextAlarm.nanos - clock.nanos, 0));
  }
  if (wasInterrupting || !interrupts) clock.tick(Math.max(nanos - clock.nanos, 0));
}

/** The controller as a host, with a BitScope to plug in. */
async function socket(signals) {
  const model = new UsbHost(chip);
  model.release();
  const scope = await simulate(PROGRAM, signals, 'ignore');
  process.on('exit', () => scope.stop());
  let device = null;
  return {
    model,
    /** The program writes the memory before a transaction, and reads it after. */
    takesMemory: ({ name, offset, value }) => name === 'write' && offset === SIE_CTRL && (value & START_TRANS) !== 0,
    reset({ value }) {
      if (!value) return void model.release();
      model.reset();
      return void model.plug(device);
    },
    async plug({ value }) {
      device = value ? new Ft232(clock, await ScopeLine.open(scope.host, scope.port), { lowSpeed: value === 2 }) : null;
      model.plug(device);
    },
  };
}

/** The controller as a device, with a computer. */
async function plug() {
  const computer = await CdcHost.listen();
  return {
    model: computer.plugInto(chip),
    takesMemory: () => true,
    reset() {},
    port: ({ value }) => Number(computer.ports[value].address.split(':')[1]),
    flush: () => computer.flush(),
  };
}

const [first, ...rest] = process.argv.slice(2);
const end = first === '--computer' ? await plug() : await socket([first, ...rest]);
const requests = {
  read: ({ offset }) => end.model.readUint32(offset),
  write: ({ offset, value, alias }) => end.model.writeUint32Atomic(offset, value, alias),
  reset: end.reset,
  plug: end.plug,
  pass() {},
  port: end.port,
};
const names = Object.keys(requests);
/** The memory as the other program has it. */
const shared = Buffer.alloc(MEMORY_BYTES);

async function serve(message) {
  const request = {
    name: names[message[0]], offset: message.readUInt32LE(10), value: message.readUInt32LE(14), alias: message.readUInt32LE(18),
  };
  if (end.takesMemory(request)) {
    message.copy(shared, 0, REQUEST_BYTES - MEMORY_BYTES);
    usbDPRAM.set(shared);
  }
  advance(message.readDoubleLE(2));
  const result = await requests[request.name](request);
  end.flush?.();
  if (!message[1]) return;
  const reply = Buffer.alloc(14 + MEMORY_BYTES);
  reply.writeUInt32LE((result ?? 0) >>> 0, 0);
  reply[4] = interrupts ? 1 : 0;
  reply[5] = shared.equals(usbDPRAM) ? 0 : 1;
  reply.writeDoubleLE(clock.nanos, 6);
  shared.set(usbDPRAM);
  reply.set(shared, 14);
  process.stdout.write(reply);
}

let waiting = Buffer.alloc(0);
for await (const bytes of process.stdin) {
  waiting = Buffer.concat([waiting, bytes]);
  while (waiting.length >= REQUEST_BYTES) {
    await serve(waiting.subarray(0, REQUEST_BYTES));
    waiting = waiting.subarray(REQUEST_BYTES);
  }
}
process.exit(0);

// The emulated bridge as a program for users.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { Board } from './board.mjs';
import { BootDrive } from './boot_drive.mjs';
import { CdcHost } from './cdc_host.mjs';
import { Elf } from './elf.mjs';
import { Flash, TYPICAL } from './flash.mjs';
import { Ft232 } from './ft232.mjs';
import { simulate } from './simulator.mjs';
import { ScopeLine, UartPort } from './tcp.mjs';

const HELP = `Run the bridge's firmware in an emulated Raspberry Pi Pico, with a simulated BitScope plugged in

Usage: tests/rp2040/emulate [OPTIONS]

Options:
      --uart <PORT>       The TCP port on 127.0.0.1 that is the other end of the UART [default: any that is free]
      --one-cable         The image for one cable: the TCP ports are its two serial ports, --uart that of messages
      --scope <ADDR>      A BitScope at this TCP address, instead of one that is simulated here
      --signal <SIGNAL>   What the simulated BitScope sees (may be given several times; see scopething simulate --help)
      --flash <FILE>      Keep the flash in this file, so that jobs and traces outlast the program
      --drive <DIR>       The drive that the board is after scopething bridge update, for its --drive DIR: what is copied there is run
  -h, --help              Print help

On standard input: 'b' presses BOOTSEL, 'B' holds it for a second and a half, 'u' unplugs the BitScope or plugs it in again,
'p' turns power off and on. The first line on standard output has the URLs; the firmware's log goes to standard error.

Example:
  tests/rp2040/emulate --uart 5030 --signal 'A=sine 1kHz 0..3V'
      Then, elsewhere: scopething capture --url socket://127.0.0.1:5030 --plot`;

const { values } = parseArgs({
  options: {
    uart: { type: 'string', default: '0' }, scope: { type: 'string' }, signal: { type: 'string', multiple: true },
    flash: { type: 'string' }, drive: { type: 'string' }, 'one-cable': { type: 'boolean' }, help: { type: 'boolean', short: 'h' },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}

const flash = new Flash(TYPICAL);
if (values.flash && existsSync(values.flash)) flash.bytes.set(readFileSync(values.flash).subarray(0, flash.bytes.length));
const [host, scopePort] = values.scope?.split(':') ?? [];
const scope = values.scope
  ? { host, port: Number(scopePort) }
  : await simulate(process.env.SCOPETHING, (values.signal ?? []).flatMap((signal) => ['--signal', signal]));
const port = Number(values.uart);
const computer = values['one-cable'] ? await CdcHost.listen([port, 0]) : undefined;
const uart = computer ? undefined : await UartPort.listen(port);
const board = new Board({ elf: new Elf(process.env.FIRMWARE), uart, computer, flash });
if (values.drive) board.drive = new BootDrive(values.drive);
board.onLog = ({ ms, level, text }) => console.error(`${(ms / 1000).toFixed(3).padStart(9)} ${level.padEnd(5)} ${text}`);

let line = null;
async function togglePlug() {
  if (line) {
    board.plug(null);
    line.close();
    line = null;
  } else {
    line = await ScopeLine.open(scope.host, scope.port);
    board.plug(new Ft232(board.clock, line));
  }
}

function hold(milliseconds) {
  board.bootsel = true;
  setTimeout(() => { board.bootsel = false; }, milliseconds);
}

const keys = { b: () => hold(200), B: () => hold(1500), u: togglePlug, p: () => board.powerOn() };
createInterface({ input: process.stdin }).on('line', (text) => keys[text.trim()]?.());

let over = false;
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => { over = true; });
await togglePlug();
await board.run(() => over || board.device.latencyMs === 1);
if (computer) await board.run(() => over || computer.isReady);
const [stream, messages] = computer ? [computer.scope, computer.messages] : [uart, uart];
console.log(JSON.stringify({ stream: `socket://${stream.address}`, bridge: `bridge://${messages.address}` }));
await board.run(() => over);
if (values.flash) writeFileSync(values.flash, flash.bytes);
scope.stop?.();
process.exit(0);

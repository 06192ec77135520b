// A bench for tests: a board with the firmware, a simulated BitScope behind its FT232, and the host program at its UART.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Board } from '../emulator/board.mjs';
import { Elf } from '../emulator/elf.mjs';
import { Ft232 } from '../emulator/ft232.mjs';
import { simulate } from '../emulator/simulator.mjs';
import { ScopeLine, UartPort } from '../emulator/tcp.mjs';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const PROGRAM = process.env.SCOPETHING ?? `${root}target/debug/scopething`;
const FIRMWARE = process.env.FIRMWARE
  ?? `${root}firmware-bridge/target/thumbv6m-none-eabi/release/scopething-bridge`;

export const elf = new Elf(FIRMWARE);

export class Bench {
  /** `signals` are the simulator's arguments. */
  static async open(t, { signals = ['--signal', 'A=sine 1kHz 0..3V'], flash } = {}) {
    const scope = await simulate(PROGRAM, signals, 'ignore');
    const uart = await UartPort.listen();
    const bench = new Bench(scope, uart, new Board({ elf, uart, flash }));
    t.after(() => bench.close());
    return bench;
  }

  constructor(scope, uart, board) {
    this.scope = scope;
    this.uart = uart;
    this.board = board;
    this.devices = [];
  }

  /** Plugs the BitScope into the board, as from the shelf: with a connection of its own. */
  async plug(options) {
    this.line = await ScopeLine.open(this.scope.host, this.scope.port);
    this.device = new Ft232(this.board.clock, this.line, options);
    this.devices.push(this.device);
    this.board.plug(this.device);
  }

  /** Pulls it out. */
  unplug() {
    this.board.plug(null);
    this.line.close();
  }

  /** Runs the host program while the board runs, for so many emulated seconds at the most. */
  async host(args, { limitSeconds = 30 } = {}) {
    const child = spawn(PROGRAM, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const output = { out: '', err: '', code: null };
    child.stdout.on('data', (text) => { output.out += text; });
    child.stderr.on('data', (text) => { output.err += text; });
    child.on('close', (code) => { output.code = code; });
    try {
      await this.board.run(() => output.code !== null, limitSeconds, `the end of scopething ${args.join(' ')}`);
    } finally {
      child.kill();
    }
    return output;
  }

  /** The URL of the board's UART as a plain stream, and with messages. */
  get stream() {
    return `socket://${this.uart.address}`;
  }

  get bridge() {
    return `bridge://${this.uart.address}`;
  }

  close() {
    this.line?.close();
    this.uart.close();
    this.scope.stop();
  }
}

/** Numbers in 0..1 that are the same in each run: xorshift32. */
export function* random(seed) {
  let state = seed;
  while (true) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    yield (state >>> 0) / 2 ** 32;
  }
}

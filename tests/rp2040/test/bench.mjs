// A bench for tests: a board with the firmware, a simulated BitScope behind its FT232, and the host program at its UART.
import { spawn } from 'node:child_process';
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { Board } from '../emulator/board.mjs';
import { CdcHost } from '../emulator/cdc_host.mjs';
import { Elf } from '../emulator/elf.mjs';
import { Ft232 } from '../emulator/ft232.mjs';
import { PROGRAM, simulate } from '../emulator/simulator.mjs';
import { ScopeLine, UartPort } from '../emulator/tcp.mjs';

const root = fileURLToPath(new URL('../../../', import.meta.url));
export { PROGRAM };
export const FIRMWARE = process.env.FIRMWARE
  ?? `${root}firmware-bridge/target/thumbv6m-none-eabi/release/scopething-bridge`;

export const ONE_CABLE = process.env.FIRMWARE_ONE_CABLE ?? `${FIRMWARE}-pico-one-cable`;

export const elf = new Elf(FIRMWARE);

/** A signal whose captures are alike however its edges fall between samples. */
export const SQUARE = ['--signal', 'A=square 500Hz 0..3V'];
/** The step of a capture in 16 bits over the range by default, -5.5..8 V. */
export const QUANTISING_STEP = 13.5 / 65536;
const REQUEST = ['A', '--period', '2ms', '--samples', '1000'];
const STATIC_END = Math.max(...elf.sections
  .filter(({ name }) => ['.data', '.bss', '.uninit'].includes(name)).map(({ address, size }) => address + size));

/** Bytes of RAM between the static variables and the deepest that the stack reached. */
export function stackUntouched(board) {
  return board.stackLowest - STATIC_END;
}

/** How far two captures of the square are apart at most, in volts: next to an edge a sample is of either level. */
export function unlikeness(capture, other) {
  const [samples, others] = [capture, other].map(({ channels }) => channels.A.samples);
  assert.equal(samples.length, others.length);
  const atEdge = (at) => Math.abs(others[Math.max(at - 2, 0)] - others[Math.min(at + 2, others.length - 1)]) > 0.5;
  return Math.max(...samples.map((volts, at) => (atEdge(at) ? 0 : Math.abs(volts - others[at]))));
}

export class Bench {
  /** `signals` are the simulator's arguments. */
  static async open(t, { signals = ['--signal', 'A=sine 1kHz 0..3V'], flash, radio, usbQuirks } = {}) {
    const scope = await simulate(PROGRAM, signals, 'ignore');
    const uart = await UartPort.listen();
    const bench = new Bench(scope, uart, new Board({ elf, uart, radio, flash, usbQuirks }));
    t.after(() => bench.close());
    return bench;
  }

  /** A board whose computer is in its socket, the BitScope at two pins. */
  static async openOneCable(t, { signals = SQUARE, flash, radio } = {}) {
    const scope = await simulate(PROGRAM, signals, 'ignore');
    const computer = await CdcHost.listen();
    const bench = new Bench(scope, null, new Board({ elf: new Elf(ONE_CABLE), computer, radio, flash }));
    t.after(() => bench.close());
    return bench;
  }

  constructor(scope, uart, board) {
    this.scope = scope;
    this.uart = uart;
    this.board = board;
    this.computer = board.computer;
    this.onStored = () => {};
    /** Whether what is plugged in is one that the bridge readies. */
    this.isUsable = true;
    let storing = false;
    board.onLog = ({ text }) => {
      // A trace that was being stored when power failed was not reported.
      if (storing && text.startsWith('now ') && text !== 'now Triggered') this.onStored();
      storing = text === 'now Triggered';
    };
  }

  /** Plugs the BitScope into the board, as from the shelf: with a connection of its own. */
  async plug(options) {
    this.line = await ScopeLine.open(this.scope.host, this.scope.port);
    this.device = new Ft232(this.board.clock, this.line, options);
    this.board.plug(this.device);
  }

  /** Pulls it out. */
  unplug() {
    this.board.plug(null);
    this.line.close();
  }

  /** Runs the host program while the board runs, for so many emulated seconds at the most. */
  async host(args, { limitSeconds = 30, binary = false } = {}) {
    await this.board.run(() => this.#isUp, 5, 'a bridge that is up');
    const child = spawn(PROGRAM, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const output = { out: null, err: null, code: null };
    const [out, err] = [[], []];
    child.stdout.on('data', (bytes) => out.push(bytes));
    child.stderr.on('data', (bytes) => err.push(bytes));
    child.on('close', (code) => {
      output.out = binary ? Buffer.concat(out) : Buffer.concat(out).toString();
      output.err = Buffer.concat(err).toString();
      output.code = code ?? 'ended by a signal';
    });
    try {
      await this.board.run(() => output.code !== null, limitSeconds, `the end of scopething ${args.join(' ')}`);
    } finally {
      child.kill();
    }
    return output;
  }

  /** Stores a job that captures the square, and arms it. */
  async configure(...options) {
    const args = ['bridge', 'configure', ...REQUEST, ...options.map(String), '--arm', '--url', this.bridge];
    // Each trace to flash, not as few as it is to last with.
    if (!options.includes('--flash')) args.push('--flash', 'each');
    const { err, code } = await this.host(args);
    assert.equal(code, 0, err);
  }

  /** The traces that are stored, as `bridge list` prints them. */
  async list() {
    return this.#objects(['bridge', 'list', '--url', this.bridge, '--json']);
  }

  /** The traces themselves. */
  async fetch() {
    return this.#objects(['bridge', 'fetch', '--url', this.bridge, '--json']);
  }

  /** A capture of the same without the bridge's doing: over TCP, from the simulated BitScope. */
  async captureDirectly() {
    this.unplug();
    const url = `socket://${this.scope.host}:${this.scope.port}`;
    const [capture] = await this.#objects(['capture', ...REQUEST, '--url', url, '--json']);
    return capture;
  }

  async #objects(args) {
    const { out, err, code } = await this.host(args);
    assert.equal(code, 0, err);
    return out.trim().split('\n').filter(Boolean).map((line) => JSON.parse(line));
  }

  /** Whether the firmware has started, and has readied what is plugged in: before that bytes go nowhere. */
  get #isUp() {
    const { log, device } = this.board;
    const start = log.findLastIndex(({ text }) => text.startsWith('the bridge starts'));
    const started = log.slice(start).some(({ text }) => text.startsWith('now '));
    return started && (this.computer?.isReady ?? true) && (!device || !this.isUsable || device.latencyMs === 1);
  }

  /** The URL of the board's BitScope as a plain stream, and with messages. */
  get stream() {
    return `socket://${(this.computer?.scope ?? this.uart).address}`;
  }

  get bridge() {
    return `bridge://${(this.computer?.messages ?? this.uart).address}`;
  }

  close() {
    this.line?.close();
    this.uart?.close();
    this.computer?.close();
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

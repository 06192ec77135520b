// The computer that the board is plugged into: enumerates it, and has each of its serial ports (CDC-ACM) as a TCP port, open while
// a client is connected, with DTR set then, as an operating system does it. It reads a port only while that is open.
import { createServer } from 'node:net';
import { NAK, STALLED, UsbDevice } from './usb_device.mjs';

const PACKET_BYTES = 64;
const [DEVICE, CONFIGURATION, STRING, INTERFACE, ENDPOINT] = [1, 2, 3, 4, 5];
const CDC_DATA = 10;
const BULK = 2;
const ENGLISH = 0x0409;
const ADDRESS = 5;
const SET_LINE_CODING = 0x20;
const SET_CONTROL_LINE_STATE = 0x22;
const TO_HOST = 0x80;
const CLASS_TO_INTERFACE = 0x21;
const DTR_AND_RTS = 3;
/** A million bits a second, one stop bit, no parity, eight bits of data. */
const LINE_CODING = [0x40, 0x42, 0x0f, 0x00, 0, 0, 8];
/** A reset is 10 ms (USB 2.0, 7.1.7.5); transactions come so often, so many of each endpoint at a time. */
const RESET_NANOS = 10e6;
// A device has so long for taking its new address (USB 2.0, 9.2.6.3).
const ADDRESS_RECOVERY_NANOS = 2e6;
const INTERVAL_NANOS = 100e3;
const MAX_PACKETS = 8;

/** A serial port of the board. */
class CdcPort {
  constructor(host, index) {
    /** What its lines are while it is open: software may leave DTR alone. */
    Object.assign(this, { host, index, client: null, openLines: DTR_AND_RTS });
    this.reset();
  }

  reset() {
    Object.assign(this, { incoming: [], outgoing: [], interface: null, in: null, out: null, toggleIn: 0, toggleOut: 0 });
  }

  async listen(port) {
    this.server = createServer({ noDelay: true });
    await new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(port, '127.0.0.1', resolve);
    });
    this.address = `127.0.0.1:${this.server.address().port}`;
    this.server.on('connection', (client) => this.#opened(client));
  }

  #opened(client) {
    this.client?.destroy();
    this.client = client;
    client.on('data', (bytes) => { for (const byte of bytes) this.incoming.push(byte); });
    client.on('error', () => {});
    client.on('close', () => {
      if (this.client !== client) return;
      this.client = null;
      this.incoming = [];
      this.host.setLines(this, 0);
    });
    this.host.setLines(this, this.openLines);
  }

  /** Transactions of its endpoints, until the board has nothing or takes nothing. */
  exchange(usb) {
    for (let count = 0; this.client && count < MAX_PACKETS; count += 1) {
      const packet = usb.in(this.in);
      if (packet === NAK) break;
      if (packet === STALLED || packet.toggle !== this.toggleIn) throw new Error(`port ${this.index} sends out of turn`);
      this.toggleIn ^= 1;
      this.outgoing.push(...packet.bytes);
    }
    for (let count = 0; this.incoming.length && count < MAX_PACKETS; count += 1) {
      const packet = Uint8Array.from(this.incoming.slice(0, PACKET_BYTES));
      if (usb.out(this.out, this.toggleOut, packet) !== null) break;
      this.toggleOut ^= 1;
      this.incoming.splice(0, packet.length);
    }
  }

  /** Hands on what the board has sent. */
  flush() {
    if (this.outgoing.length) this.client?.write(Uint8Array.from(this.outgoing.splice(0)));
  }

  close() {
    this.client?.destroy();
    this.server.close();
  }
}

export class CdcHost {
  /** Two ports that listen, on any TCP port or these. */
  static async listen(ports = [0, 0]) {
    const host = new CdcHost();
    for (const [index, port] of ports.entries()) {
      host.ports.push(new CdcPort(host, index));
      await host.ports[index].listen(port);
    }
    return host;
  }

  constructor() {
    this.ports = [];
    /** What the board says it is: { device, configuration, strings }. */
    this.identity = null;
    this.isReady = false;
    this.transfers = [];
  }

  /** Where messages go, and what speaks to the BitScope itself. */
  get messages() {
    return this.ports[0];
  }

  get scope() {
    return this.ports[1];
  }

  /** The board is no serial port any more. */
  unplug() {
    Object.assign(this, { isReady: false, transfers: [] });
    for (const port of this.ports) port.client?.destroy();
  }

  /** Plugs in a board that has just started; gives the controller for its chip. */
  plugInto(chip) {
    Object.assign(this, { isReady: false, identity: null, transfers: [] });
    for (const port of this.ports) port.reset();
    this.polls = chip.clock.createAlarm(() => this.#poll());
    this.resets = chip.clock.createAlarm(() => {
      this.usb.reset();
      this.polls.schedule(INTERVAL_NANOS);
      this.#enumerate();
    });
    this.usb = new UsbDevice(chip, () => this.resets.schedule(RESET_NANOS));
    return this.usb;
  }

  #poll() {
    this.polls.schedule(INTERVAL_NANOS);
    if (this.transfers.length) this.#control();
    if (this.isReady) for (const port of this.ports) port.exchange(this.usb);
  }

  flush() {
    for (const port of this.ports) port.flush();
  }

  async setLines(port, lines) {
    if (this.isReady) await this.#request([CLASS_TO_INTERFACE, SET_CONTROL_LINE_STATE, lines, 0, port.interface, 0, 0, 0]);
  }

  async #enumerate() {
    await this.#request([0, 5, ADDRESS, 0, 0, 0, 0, 0]);
    await new Promise((resolve) => { this.usb.rp2040.clock.createAlarm(resolve).schedule(ADDRESS_RECOVERY_NANOS); });
    if (this.usb.address !== ADDRESS) throw new Error('the board does not take its address');
    const device = await this.#descriptor(DEVICE, 0, 18);
    const head = await this.#descriptor(CONFIGURATION, 0, 9);
    const configuration = await this.#descriptor(CONFIGURATION, 0, head[2] | (head[3] << 8));
    const strings = [];
    for (const index of device.slice(14, 17)) strings.push(await this.#string(index));
    this.identity = { device, configuration, strings };
    this.#findPorts(configuration);
    await this.#request([0, 9, configuration[5], 0, 0, 0, 0, 0]);
    for (const port of this.ports) {
      await this.#request([CLASS_TO_INTERFACE, SET_LINE_CODING, 0, 0, port.interface, 0, LINE_CODING.length, 0], LINE_CODING);
    }
    this.isReady = true;
    for (const port of this.ports) if (port.client) await this.setLines(port, port.openLines);
  }

  /** Its ports, in the order of their interfaces: each has one of control before the one of data. */
  #findPorts(configuration) {
    let data = false;
    let found = -1;
    for (let at = 0; at < configuration.length; at += configuration[at]) {
      const [, type, second, third, , fifth] = configuration.slice(at, at + 6);
      if (type === INTERFACE) {
        data = fifth === CDC_DATA;
        if (data) {
          found += 1;
          this.ports[found].interface = second - 1;
        }
      } else if (type === ENDPOINT && data && third === BULK) this.ports[found][second & 0x80 ? 'in' : 'out'] = second & 15;
    }
    if (found !== this.ports.length - 1) throw new Error(`the board has ${found + 1} serial ports`);
  }

  #descriptor(type, index, length, language = 0) {
    return this.#request([TO_HOST, 6, index, type, language & 0xff, language >> 8, length & 0xff, length >> 8]);
  }

  async #string(index) {
    const bytes = await this.#descriptor(STRING, index, 255, ENGLISH);
    return Buffer.from(bytes.slice(2, bytes[0])).toString('utf16le');
  }

  /** A transfer of endpoint 0, after those before it: gives what the board sends in it. */
  #request(setup, data = []) {
    return new Promise((resolve) => {
      const toHost = (setup[0] & TO_HOST) !== 0;
      this.transfers.push({ setup, resolve, toHost, length: setup[6] | (setup[7] << 8), left: [...data], received: [], stage: 'setup', toggle: 1 });
    });
  }

  /** The next transactions of the transfer that is under way, until the board has it wait. */
  #control() {
    const [transfer] = this.transfers;
    while (this.transfers[0] === transfer) {
      const answer = this.#stage(transfer);
      if (answer === NAK) return;
      if (answer === STALLED) throw new Error(`the board refuses the request ${transfer.setup}`);
    }
  }

  /** A transaction of a transfer; gives what it failed with. */
  #stage(transfer) {
    const { usb } = this;
    if (transfer.stage === 'setup') {
      usb.setup(transfer.setup);
      transfer.stage = transfer.length ? 'data' : 'status';
      return null;
    }
    if (transfer.stage === 'status') {
      const answer = transfer.toHost ? usb.out(0, 1, []) : usb.in(0);
      if (answer === NAK || answer === STALLED) return answer;
      if (answer?.bytes.length) throw new Error('a status stage with data');
      this.transfers.shift();
      transfer.resolve(transfer.received);
      return null;
    }
    const packet = transfer.left.slice(0, PACKET_BYTES);
    const answer = transfer.toHost ? usb.in(0) : usb.out(0, transfer.toggle, packet);
    if (answer === NAK || answer === STALLED) return answer;
    if (transfer.toHost && answer.toggle !== transfer.toggle) throw new Error('endpoint 0 sends out of turn');
    transfer.toggle ^= 1;
    transfer.received.push(...(answer?.bytes ?? []));
    transfer.left.splice(0, packet.length);
    const isWhole = transfer.toHost ? answer.bytes.length < PACKET_BYTES || transfer.received.length >= transfer.length : !transfer.left.length;
    if (isWhole) transfer.stage = 'status';
    return null;
  }

  close() {
    for (const port of this.ports) port.close();
  }
}

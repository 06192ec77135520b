// What the board is connected to by TCP: the simulated BitScope behind the FT232, and whoever talks to the UART.
import { connect, createServer } from 'node:net';

/** The serial line between the FT232 and a BitScope that listens at host and port. */
export class ScopeLine {
  static async open(host, port) {
    const socket = connect({ host, port, noDelay: true });
    await new Promise((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return new ScopeLine(socket);
  }

  constructor(socket) {
    this.socket = socket;
    /** Bytes from the BitScope that the FT232 has not taken yet. */
    this.incoming = [];
    socket.on('data', (bytes) => { for (const byte of bytes) this.incoming.push(byte); });
    socket.on('error', () => {});
  }

  write(bytes) {
    this.socket.write(bytes);
  }

  close() {
    this.socket.destroy();
  }
}

/** The other end of the UART: a TCP port that one client at a time talks to. */
export class UartPort {
  static async listen(port = 0, host = '127.0.0.1') {
    const server = createServer({ noDelay: true });
    await new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, resolve);
    });
    return new UartPort(server);
  }

  constructor(server) {
    this.server = server;
    this.address = `${server.address().address}:${server.address().port}`;
    this.incoming = [];
    this.taken = 0;
    this.outgoing = [];
    this.client = null;
    /** Whether nothing is wired to GP1, not even a client that is silent. */
    this.undriven = false;
    /** Whether whoever sends heeds RTS, and the level that CTS is driven to; undefined: it is not wired. */
    this.heedsRts = false;
    this.cts = undefined;
    server.on('connection', (client) => {
      this.client?.destroy();
      this.client = client;
      client.on('data', (bytes) => this.arrive(bytes));
      client.on('error', () => {});
      client.on('close', () => { if (this.client === client) this.client = null; });
    });
  }

  /** Bytes for the board. */
  arrive(bytes) {
    for (const byte of bytes) this.incoming.push(byte);
  }

  /** Whether a byte waits to be received by the board. */
  waiting() {
    return this.taken < this.incoming.length;
  }

  /** The next byte to the board. */
  next() {
    const byte = this.incoming[this.taken];
    this.taken += 1;
    if (this.taken >= this.incoming.length) {
      this.incoming = [];
      this.taken = 0;
    }
    return byte;
  }

  /** A byte from the board. */
  send(byte) {
    this.outgoing.push(byte);
  }

  /** Hands on what the board has sent; without a client it is lost, as on a wire that ends nowhere. */
  flush() {
    if (!this.outgoing.length) return;
    this.client?.write(Uint8Array.from(this.outgoing));
    this.outgoing = [];
  }

  close() {
    this.client?.destroy();
    this.server.close();
  }
}

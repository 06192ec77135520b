// A BitScope at a port of Web Serial, as the instrument wants it: bytes wait here until they are taken, so that a read that
// is given up loses none.

/** The USB adaptor inside a BitScope Micro. */
const FILTERS = [{ usbVendorId: 0x0403, usbProductId: 0x6001 }];
/** The device sets the speed of its adaptor by itself. The buffer holds more than a dump. */
const OPTIONS = { baudRate: 115200, bufferSize: 65536 };

/** Whether this browser has Web Serial here. */
export const isSupported = () => "serial" in navigator;

/** A port that the user has given this page before, if it is there; null if there is none. */
export async function permittedPort() {
  if (!isSupported()) return null;
  const ports = await navigator.serial.getPorts();
  const is = (port) => FILTERS.some(({ usbVendorId, usbProductId }) => {
    const info = port.getInfo();
    return info.usbVendorId === usbVendorId && info.usbProductId === usbProductId;
  });
  return ports.find((port) => is(port) && port.connected !== false) ?? null;
}

/** Has the user choose a port; null if none was. */
export async function requestPort() {
  try {
    return await navigator.serial.requestPort({ filters: FILTERS });
  } catch (error) {
    if (error.name === "NotFoundError") return null;
    throw error;
  }
}

/** A port that is open. */
export class Port {
  static async open(port) {
    try {
      await port.open(OPTIONS);
    } catch (error) {
      throw new Error(`${error.message} Close other programs and pages that use the BitScope; on Linux join the group of its port (often dialout or uucp).`);
    }
    return new Port(port);
  }

  constructor(port) {
    this.name = "of the BitScope";
    this.port = port;
    this.chunks = [];
    this.failure = null;
    /** Settled when bytes arrive, or when there will be none; null while nobody waits. */
    this.arrival = null;
    this.reader = port.readable.getReader();
    this.writer = port.writable.getWriter();
    this.ended = this.pump();
  }

  async pump() {
    try {
      for (;;) {
        const { value, done } = await this.reader.read();
        if (done) throw new Error("the port was closed");
        if (value.length > 0) this.chunks.push(value);
        this.arrival?.resolve();
        this.arrival = null;
      }
    } catch (error) {
      // Also where bytes were lost and the port stays open: what came behind them would be taken for something else.
      this.failure = error;
      this.arrival?.reject(error);
      this.arrival = null;
    } finally {
      this.reader.releaseLock();
    }
  }

  /** Waits until bytes have arrived. */
  ready() {
    if (this.chunks.length > 0) return Promise.resolve();
    if (this.failure) return Promise.reject(this.failure);
    if (!this.arrival) {
      this.arrival = Promise.withResolvers();
      // Whoever waited may be gone.
      this.arrival.promise.catch(() => {});
    }
    return this.arrival.promise;
  }

  /** Takes up to `most` bytes of those that have arrived. */
  take(most) {
    const first = this.chunks[0] ?? new Uint8Array();
    if (first.length <= most) {
      this.chunks.shift();
      return first;
    }
    this.chunks[0] = first.subarray(most);
    return first.subarray(0, most);
  }

  write(bytes) {
    return this.writer.write(bytes);
  }

  /** Closes it, also where it has failed. */
  async close() {
    if (!this.failure) await this.reader.cancel().catch(() => {});
    await this.ended;
    await this.writer.abort().catch(() => {});
    this.writer.releaseLock();
    await this.port.close().catch(() => {});
  }
}

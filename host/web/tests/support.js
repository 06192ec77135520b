// What the tests of the page need beside what those of the server's page have: a file server, and ports of Web Serial that are
// none.

import { once } from "node:events";
import { readFile } from "node:fs/promises";
import http from "node:http";
import net from "node:net";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../..");
const target = process.env.CARGO_TARGET_DIR ?? path.join(root, "target");
/** Where `host/web/build` puts the page. */
export const folder = path.join(target, "web/page");

const KINDS = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".wasm": "application/wasm" };

/**
 * Serves a folder below a path, as any web server does; knows nothing of what is in it. `wire` is at the other end of the
 * stand-in for a serial port, which pages reach here as well, since they may ask for nothing elsewhere.
 */
export async function serveFolder(prefix = "/", wire = new Wire()) {
  const server = http.createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    if (pathname.startsWith("/serial/")) {
      await wire.answer(pathname.slice("/serial/".length), request, response);
      return;
    }
    const name = pathname.startsWith(prefix) ? pathname.slice(prefix.length) || "index.html" : null;
    try {
      if (name === null || name.includes("/")) throw new Error("not here");
      const content = await readFile(path.join(folder, name));
      response.writeHead(200, { "Content-Type": KINDS[path.extname(name)] ?? "application/octet-stream" }).end(content);
    } catch {
      response.writeHead(404).end();
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    wire,
    link: `http://127.0.0.1:${server.address().port}${prefix}`,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** The way from a page to what listens at an address: bytes as the bodies of requests. */
class Wire {
  constructor() {
    this.address = null;
    this.socket = null;
  }

  async answer(what, request, response) {
    if (what === "read") {
      // The connection lasts as long as its answer.
      this.close();
      const [host, port] = this.address.split(":");
      const socket = net.connect(Number(port), host).setNoDelay(true);
      this.socket = socket;
      socket.on("error", () => {});
      await once(socket, "connect");
      response.socket.setNoDelay(true);
      response.writeHead(200, { "Content-Type": "application/octet-stream" });
      response.flushHeaders();
      socket.on("data", (data) => response.write(data));
      socket.on("close", () => response.end());
      response.on("close", () => socket.destroy());
      return;
    }
    for await (const chunk of request) this.socket?.write(chunk);
    response.writeHead(204).end();
  }

  close() {
    this.socket?.destroy();
    this.socket = null;
  }
}

/** What the page finds as `navigator.serial`: runs in the page. */
function pretend() {
  const lost = () => new DOMException("The device has been lost.", "NetworkError");
  class Port {
    constructor() {
      this.readable = null;
      this.writable = null;
    }

    getInfo() {
      return { usbVendorId: 0x0403, usbProductId: 0x6001 };
    }

    async open({ baudRate }) {
      if (this.readable) throw new DOMException("The port is already open.", "InvalidStateError");
      if (!window.serial.isPlugged) throw new DOMException("Failed to open serial port.", "NetworkError");
      if (!(baudRate > 0)) throw new TypeError("no baud rate");
      this.reading = new AbortController();
      const answer = await fetch("/serial/read", { signal: this.reading.signal });
      this.readable = new ReadableStream({ start: (controller) => { this.input = controller; } });
      this.pump(answer.body.getReader());
      this.writable = new WritableStream({
        start: (controller) => { this.output = controller; },
        write: (chunk) => {
          if (!window.serial.isPlugged) throw lost();
          return fetch("/serial/write", { method: "POST", body: chunk });
        },
      });
    }

    async pump(reader) {
      const { input } = this;
      try {
        for (;;) {
          const { value, done } = await reader.read();
          if (done) return;
          if (window.serial.isPlugged) input.enqueue(value);
        }
      } catch {
        // The port was closed, or unplugged.
      }
    }

    async close() {
      if (this.readable?.locked || this.writable?.locked) throw new TypeError("a stream is locked");
      [this.readable, this.writable] = [null, null];
      this.reading.abort();
    }
  }
  const port = new Port();
  window.serial = {
    isPlugged: true,
    isGranted: false,
    unplug() {
      window.serial.isPlugged = false;
      port.input?.error(lost());
      port.output?.error(lost());
    },
    plug() {
      window.serial.isPlugged = true;
    },
  };
  const present = () => (window.serial.isPlugged && window.serial.isGranted ? [port] : []);
  Object.defineProperty(navigator, "serial", {
    value: {
      getPorts: async () => present(),
      requestPort: async () => {
        if (!window.serial.isPlugged) throw new DOMException("No port selected by the user.", "NotFoundError");
        window.serial.isGranted = true;
        return port;
      },
    },
  });
}

/** Gives pages of a context a serial port, with what listens at an address behind it; `served` is what serves them. */
export async function giveSerialPort(context, served, address) {
  served.wire.address = address;
  await context.addInitScript(pretend);
  return { close: () => served.wire.close() };
}

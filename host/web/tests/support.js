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

/** Serves a folder below a path, as any web server does; knows nothing of what is in it. */
export async function serveFolder(prefix = "/") {
  const server = http.createServer(async (request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
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
    link: `http://127.0.0.1:${server.address().port}${prefix}`,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** What the page finds as `navigator.serial`: runs in the page. */
function pretend() {
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
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
      await window.serialOpen();
      this.readable = new ReadableStream({ start: (controller) => { this.input = controller; } });
      this.writable = new WritableStream({
        start: (controller) => { this.output = controller; },
        write: (chunk) => {
          if (!window.serial.isPlugged) throw lost();
          return window.serialWrite(btoa(String.fromCharCode(...chunk)));
        },
      });
    }

    async close() {
      if (this.readable?.locked || this.writable?.locked) throw new TypeError("a stream is locked");
      [this.readable, this.writable] = [null, null];
      await window.serialClose();
    }
  }
  const port = new Port();
  window.serial = {
    isPlugged: true,
    isGranted: false,
    arrived: (text) => { if (window.serial.isPlugged) port.input?.enqueue(bytes(text)); },
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

/** Gives pages of a context a serial port with what listens at an address behind it. */
export async function giveSerialPort(context, address) {
  const [host, port] = address.split(":");
  let socket = null;
  const close = () => {
    socket?.destroy();
    socket = null;
  };
  await context.exposeBinding("serialOpen", async ({ page }) => {
    close();
    const opened = net.connect(Number(port), host).setNoDelay(true);
    await once(opened, "connect");
    opened.on("error", () => {});
    opened.on("data", (data) => {
      // A page that was closed meanwhile takes nothing.
      if (socket === opened) page.evaluate((text) => window.serial.arrived(text), data.toString("base64")).catch(() => {});
    });
    socket = opened;
  });
  await context.exposeBinding("serialWrite", (_, text) => { socket?.write(Buffer.from(text, "base64")); });
  await context.exposeBinding("serialClose", close);
  await context.addInitScript(pretend);
  return { close };
}

// Figures of the page: node measure.mjs [SECONDS]. Frames a second and processor time of an ideal link in headless Chromium, how
// long drawing takes, and the server's memory with clients of which half never read.

import { readFileSync } from "node:fs";
import net from "node:net";

import { launch, start, stop } from "./support.js";
import { analog, frame, sine } from "./traces.js";

const seconds = Number(process.argv[2] ?? 10);
const TICKS = 100;

/** Processor time of a process and its children in seconds. */
function cpu(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

function rss(pid) {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]);
}

function children(parent) {
  return readFileSync(`/proc/${parent}/task/${parent}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number).flatMap((pid) => [pid, ...children(pid)]);
}

const wait = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
const served = await start("serve", "--url", "sim:?A=sine,1kHz,-2..2V&B=triangle,500Hz,-1..3V&clock=fast", "--web", "127.0.0.1:0");
const browser = await launch();
const page = await browser.newPage({ viewport: { width: 1360, height: 820 } });
await page.goto(served.addresses.web_link);
await page.waitForFunction(() => window.scopething?.trace);
await page.evaluate(() => window.scopething.look({ measurements: [] }));

async function rate(what) {
  const processes = children(process.pid).filter((pid) => pid !== served.child.pid);
  const total = () => processes.reduce((sum, pid) => { try { return sum + cpu(pid); } catch { return sum; } }, 0);
  const [frames, server, rest, at] = [await page.evaluate(() => window.scopething.frames), cpu(served.child.pid), total(), Date.now()];
  await wait(seconds * 1000);
  const passed = (Date.now() - at) / 1000;
  const drawn = (await page.evaluate(() => window.scopething.frames)) - frames;
  console.log(`${what}: ${(drawn / passed).toFixed(1)} frames/s; server ${(100 * (cpu(served.child.pid) - server) / passed).toFixed(0)} % of a core, browser ${(100 * (total() - rest) / passed).toFixed(0)} %`);
}
await rate("A, B and lines, thinned out");
await page.evaluate(() => window.scopething.look({ averages: 16 }));
await rate("A, B and lines, every sample, averaged");
await page.evaluate(() => window.scopething.look({ averages: 1 }));
await page.evaluate(() => window.scopething.set({ channels: { B: { on: false } }, lines: [], bits: 8, time_per_div: 100e-6 }));
await rate("A alone, 12288 samples thinned out");

const big = Buffer.from(frame({ trigger: 6e-3, duration: 12.288e-3, settings: "", unix_ms: 0 }, [
  analog("A", 12288, sine(1e3, 2)), analog("B", 12288, sine(700, 3)),
  { name: "L", kind: "logic", lines: 255, data: Uint8Array.from({ length: 12288 }, (_, index) => (index >> 4) & 255) },
])).toString("base64");
const drawing = await page.evaluate(async (base64) => {
  const app = window.scopething;
  app.transport.view({ rate: 0, columns: 100 });
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0)).buffer;
  await new Promise((resolve) => { setTimeout(resolve, 300); });
  await app.set({ channels: { B: { on: true } }, lines: ["L"], time_per_div: 1e-3 });
  await new Promise((resolve) => { setTimeout(resolve, 300); });
  const times = [];
  for (let i = 0; i < 100; i += 1) {
    const began = performance.now();
    app.trace = null;
    app.takeFrame(bytes.slice(0));
    app.undrawn = [];
    app.render();
    app.screen.context.getImageData(0, 0, 1, 1);
    times.push(performance.now() - began);
    await new Promise((resolve) => { setTimeout(resolve, 0); });
  }
  times.sort((one, other) => one - other);
  return [times[50], times[95]];
}, big);
console.log(`a frame of 12288 x 2 + 8 lines, every sample, is decoded and drawn in ${drawing.map((ms) => ms.toFixed(1)).join(" ms (median), ")} ms (95 %)`);
await browser.close();

const { hostname, port } = new URL(served.addresses.web_link);
const sockets = [];
const PONG = Buffer.from([0x8a, 0x80, 0, 0, 0, 0]);
function client(reads) {
  const socket = net.connect(Number(port), hostname);
  socket.on("error", () => {});
  socket.write(`GET /api/v1/live HTTP/1.1\r\nHost: ${hostname}:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`);
  if (reads) socket.on("data", () => {});
  else {
    socket.pause();
    // It is disconnected after some time, which who does not read learns when he writes (here a pong), and comes again.
    const knocking = setInterval(() => socket.write(PONG), 1000);
    socket.on("close", () => { clearInterval(knocking); setTimeout(() => client(false), 100); });
  }
  sockets.push(socket);
}
for (let i = 0; i < 10; i += 1) client(i % 2 === 0);
const sizes = [];
for (let i = 0; i <= 10; i += 1) {
  sizes.push(rss(served.child.pid));
  if (i < 10) await wait(seconds * 1000 * 1.8);
}
console.log(`server's memory with 10 clients of which 5 never read, over ${(seconds * 18).toFixed(0)} s, in kB: ${sizes.join(" ")}`);
for (const socket of sockets) socket.removeAllListeners("close").destroy();
await stop(served);
process.exit(0);

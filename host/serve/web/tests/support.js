// A simulated BitScope, the program that serves it, a browser that looks, and what was written to the device.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../../..");
const target = process.env.CARGO_TARGET_DIR ?? path.join(root, "target");
const modules = createRequire(path.join(root, "target/web-tests/package.json"));
export const { chromium } = modules("playwright-core");
export const axePath = modules.resolve("axe-core/axe.min.js");
export const program = process.env.SCOPETHING ?? path.join(target, "debug/scopething");
const browsers = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser"].filter(Boolean);

/** What the program keeps for a user goes here, and not to who runs the tests. */
export const home = mkdtempSync(path.join(tmpdir(), "scopething-home-"));
process.on("exit", () => rmSync(home, { recursive: true, force: true }));

/** Starts the program; gives the process and the addresses that it prints. */
export function start(...args) {
  return startIn({}, ...args);
}

/** The same with some variables of its environment. */
export async function startIn(environment, ...args) {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, HOME: home, ...environment } });
  let errors = "";
  child.stderr.on("data", (data) => { errors = (errors + data).slice(-4000); });
  const lines = createInterface({ input: child.stdout });
  const line = await Promise.race([
    once(lines, "line").then(([text]) => text),
    once(child, "exit").then(([code]) => { throw new Error(`${args.join(" ")} ended with ${code}: ${errors}`); }),
  ]);
  return { child, addresses: JSON.parse(line), errors: () => errors };
}

export async function stop({ child }) {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill("SIGINT");
    await once(child, "exit");
  }
}

/** Bytes of registers by name: address and number of bytes, as the reference of the device lists them. */
const REGISTERS = {
  TriggerLogic: [0x05, 1], TriggerMask: [0x06, 1], SpockOption: [0x07, 1], ClockScale: [0x14, 2], TraceMode: [0x21, 1],
  TraceIntro: [0x26, 2], TraceOutro: [0x2a, 2], Timeout: [0x2c, 2], ClockTicks: [0x2e, 2], TriggerIntro: [0x32, 2],
  AnalogEnable: [0x37, 1], DigitalEnable: [0x38, 1], ConverterLo: [0x64, 2], ConverterHi: [0x66, 2], TriggerLevel: [0x68, 2],
  KitchenSinkB: [0x7c, 1], Clock: [0x50, 2], Modulo: [0x52, 2], Size: [0x4a, 2], Rise: [0x82, 2], Fall: [0x84, 2], Map5: [0x99, 1],
};

/** The virtual machine's registers, as far as what is written to it sets them. */
export class Registers {
  constructor() {
    this.bytes = new Uint8Array(256);
    this.r0 = 0;
    this.r1 = 0;
    this.traces = 0;
  }

  write(data) {
    for (const byte of data) {
      const letter = String.fromCharCode(byte);
      if (letter === "[") this.r0 = 0;
      else if (/[0-9a-f]/.test(letter)) this.r0 = ((this.r0 << 4) | parseInt(letter, 16)) & 0xff;
      else if (letter === "@") this.r1 = this.r0;
      else if (letter === "s") this.bytes[this.r1] = this.r0;
      else if (letter === "z") {
        this.bytes[this.r1] = this.r0;
        this.r1 = (this.r1 + 1) & 0xff;
      } else if (letter === "n") this.r1 = (this.r1 + 1) & 0xff;
      else if (letter === "D") this.traces += 1;
    }
  }

  get(name) {
    const [address, count] = REGISTERS[name];
    let value = 0;
    for (let i = count - 1; i >= 0; i -= 1) value = value * 256 + this.bytes[address + i];
    return value;
  }

  all() {
    return Object.fromEntries(Object.keys(REGISTERS).map((name) => [name, this.get(name)]));
  }
}

/** A way to the device that keeps what is written to it. */
async function tap(address) {
  const [host, port] = address.split(":");
  const registers = new Registers();
  const sockets = new Set();
  let isLosing = false;
  const server = net.createServer((client) => {
    const device = net.connect(Number(port), host);
    for (const socket of [client, device]) {
      socket.setNoDelay(true);
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => { client.destroy(); device.destroy(); });
    }
    client.on("data", (data) => { registers.write(data); device.write(data); });
    device.on("data", (data) => { if (!isLosing) client.write(data); });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port: own } = server.address();
  return {
    url: `socket://127.0.0.1:${own}`,
    registers,
    /** Loses what the device sends, or no longer. */
    lose(loses) { isLosing = loses; },
    /** Lets the device be reached again. */
    async open() {
      server.listen(own, "127.0.0.1");
      await once(server, "listening");
    },
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** The whole of it: signals as for `simulate --signal`. */
export async function bench(signals, ...more) {
  const simulator = await start("simulate", "--tcp", "127.0.0.1:0", ...signals.flatMap((signal) => ["--signal", signal]));
  const way = await tap(simulator.addresses.tcp);
  const served = await start("serve", "--url", way.url, "--web", "127.0.0.1:0", ...more);
  return {
    simulator, served, registers: way.registers, link: served.addresses.web_link, viewLink: served.addresses.web_view_link,
    lose: (loses) => way.lose(loses),
    unplug: () => way.close(),
    replug: () => way.open(),
    async close() {
      await stop(served);
      way.close();
      await stop(simulator);
    },
  };
}

export async function launch() {
  const executablePath = browsers.find((one) => existsSync(one));
  if (!executablePath) throw new Error("there is no Chromium: install Debian's package chromium, or name one by CHROMIUM");
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu", "--force-color-profile=srgb", ...(process.env.CHROMIUM_ARGS ?? "").split(" ").filter(Boolean)] });
}

/** Waits until a condition holds; fails with what it was last. */
export async function until(what, condition, limit = 8000) {
  const end = Date.now() + limit;
  let last;
  for (;;) {
    last = await condition();
    if (last === true) return;
    if (Date.now() > end) throw new Error(`${what}: ${JSON.stringify(last)}`);
    await new Promise((resolve) => { setTimeout(resolve, 25); });
  }
}

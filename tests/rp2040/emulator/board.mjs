// A Raspberry Pi Pico that boots an image as it is flashed: second stage, vector table, clocks, and the parts that
// rp2040js has no true model of.
//
// Emulated time is counted in nanoseconds of the chip's own clock. While the chip sleeps it leaps to the next event; with
// `paced` it never runs ahead of the wall clock, for those that are connected by TCP answer in its time.
import { BasePeripheral, ConsoleLogger, LogLevel, RP2040 } from 'rp2040js';
import { SimulationClock } from '../node_modules/rp2040js/dist/esm/clock/simulation-clock.js';
import { Rtt } from './defmt.mjs';
import { Flash } from './flash.mjs';
import { Pio } from './pio.mjs';
import { Rom } from './rom.mjs';
import { Uart } from './uart.mjs';
import { UsbHost } from './usb_host.mjs';
import { UsbWire } from './usb_wire.mjs';

const FLASH = 0x10000000;
const RAM = 0x20000000;
const ROM_END = 0x4000;
const BOOT2_BYTES = 252;
// Where the boot ROM puts the second stage (RP2040 data sheet, section 2.8.1.3.1).
const BOOT2_RAM = 0x20041f00;
const RESETS = 0x4000c;
const XIP_CONTROL = 0x14000;
const PIO0 = 0x50200;
const PIO0_INTERRUPT = 7;
const IO_QSPI = 0x40018;
const UART0 = 0x40034;
const WATCHDOG = 0x40058;
const USB_CONTROLLER = 0x50110;
const RESET_UART0 = 1 << 22;
const RESET_USB = 1 << 24;
const RESET_DONE = 0x8;
const RX_PIN = 1;
const PULL_UP = 1 << 3;
const PULL_DOWN = 1 << 2;
const CTS_PIN = 2;
const RTS_PIN = 3;
const UART_FUNCTION = 2;
const LED_PIN = 25;
const GPIO_STATUS_IN_FROM_PAD = 1 << 17;
const QSPI_SS_STATUS = 0x08;
const QSPI_SS_CONTROL = 0x0c;
const OUTPUT_OVERRIDE = 0x300;
const OUTPUT_LOW = 0x200;
const SSI = 0x18000;
const SSI_STATUS = 0x28;
const SSI_DATA = 0x60;
const SSI_CAN_SEND = 1 << 1;
const SSI_ALL_SENT = 1 << 2;
const SSI_HAS_RECEIVED = 1 << 3;
const SSI_FIFO = 16;

/** The clock of a chip that starts when its power comes on: its alarms end with it. */
class ChipClock {
  constructor(clock) {
    this.clock = clock;
    this.start = clock.nanos;
    this.alarms = [];
  }

  get nanos() {
    return this.clock.nanos - this.start;
  }

  get micros() {
    return this.nanos / 1000;
  }

  createAlarm(callback) {
    const alarm = this.clock.createAlarm(callback);
    this.alarms.push(alarm);
    return alarm;
  }

  stop() {
    for (const alarm of this.alarms) alarm.cancel();
  }
}

/** The pins of the flash, of which the chip select shows whether BOOTSEL is pressed. */
class QspiPins extends BasePeripheral {
  constructor(chip, board) {
    super(chip, 'IO_QSPI');
    this.board = board;
    this.control = new Map();
  }

  readUint32(offset) {
    if (offset === QSPI_SS_STATUS) return this.board.bootsel ? 0 : GPIO_STATUS_IN_FROM_PAD;
    return this.control.get(offset) ?? 0;
  }

  /** Whether a program holds the chip select down by itself. */
  get isSelected() {
    return ((this.control.get(QSPI_SS_CONTROL) ?? 0) & OUTPUT_OVERRIDE) === OUTPUT_LOW;
  }

  writeUint32(offset, value) {
    const before = this.isSelected;
    this.control.set(offset, value);
    if (this.isSelected && !before) this.board.flash.select();
  }
}

/** Lets a program send commands to the flash through the serial interface, a byte at a time. */
function connectFlash(ssi, pins, board) {
  const received = [];
  const [read, write] = [ssi.readUint32.bind(ssi), ssi.writeUint32.bind(ssi)];
  ssi.readUint32 = (offset) => {
    if (!pins.isSelected) return read(offset);
    if (offset === SSI_STATUS) {
      return SSI_ALL_SENT | (received.length < SSI_FIFO ? SSI_CAN_SEND : 0) | (received.length ? SSI_HAS_RECEIVED : 0);
    }
    if (offset !== SSI_DATA) return read(offset);
    if (received.length === 0) throw new Error('a byte is read that the flash has not sent');
    return received.shift();
  };
  ssi.writeUint32 = (offset, value) => {
    if (offset !== SSI_DATA || !pins.isSelected) return write(offset, value);
    if (board.flashMapped) throw new Error('a flash command while the flash is mapped');
    if (received.length === SSI_FIFO) throw new Error('bytes from the flash are lost');
    received.push(board.flash.exchange(value & 0xff));
  };
}

/** The control registers of the flash cache: nothing streams, and nothing is cached. */
class XipControl extends BasePeripheral {
  readUint32() {
    return 0;
  }

  writeUint32() {}
}

/** rp2040js only logs the instruction SEV; here it sets the event that WFE waits for, as the core does. */
class CoreLogger extends ConsoleLogger {
  constructor(chip) {
    super(LogLevel.Error, true);
    this.chip = chip;
  }

  info(component, message) {
    if (message === 'SEV') this.chip.core.eventRegistered = true;
  }
}

/** What is wired to the UART where nothing is. */
const NOTHING_WIRED = { undriven: true, send() {}, next() { return 0; }, waiting() { return false; }, flush() {} };

/** CRC-32 as the boot ROM checks the second stage: no reflection, no final inversion. */
function bootCrc(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte << 24;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 0x80000000 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  }
  return crc >>> 0;
}

export class Board {
  /**
   * `uart` is what is wired to GP0 and GP1: `send(byte)`, `next()`, `waiting()`, `flush()`, `undriven`. With `computer`, a
   * `CdcHost`, that is in the USB socket instead, and the USB devices that are plugged in are at these pins. With a `Radio` it is
   * a Pico W, whose LED is there.
   */
  constructor({ elf, uart = NOTHING_WIRED, computer = null, radio = null, flash = new Flash(), paced = true, usbQuirks = {} }) {
    this.radio = radio;
    this.computer = computer;
    this.usbQuirks = usbQuirks;
    /** What becomes of each packet on the USB: see `UsbHost`. */
    this.disturbUsb = () => undefined;
    this.clock = new SimulationClock();
    this.flash = flash;
    this.uartWire = uart;
    this.paced = paced;
    this.bootsel = false;
    this.device = null;
    this.resets = [];
    this.ledChanges = [];
    /** What the firmware has logged: [{ ms, level, text }], and who hears of each line. */
    this.log = [];
    this.onLog = () => {};
    this.rtt = elf.has('_SEGGER_RTT') ? new Rtt(elf) : { frame: [], lines: () => [] };
    this.stackLowest = RAM + 264 * 1024;
    this.instructions = 0;
    /** A `BootDrive` that shows while the board is in the boot loader of its ROM. */
    this.drive = null;
    this.#program(elf);
    this.powerOn();
  }

  get nanos() {
    return this.clock.nanos;
  }

  /** Starts the chip; `kept` is what a reset by the watchdog leaves as it was. */
  powerOn(kept) {
    this.chipClock?.stop();
    this.rtt.frame = [];
    this.chipClock = new ChipClock(this.clock);
    const chip = new RP2040(this.chipClock);
    chip.logger = new CoreLogger(chip);
    chip.flash = this.flash.map();
    chip.flash16 = new Uint16Array(chip.flash.buffer);
    chip.flashView = new DataView(chip.flash.buffer);
    this.chip = chip;
    this.flashMapped = false;
    this.inBootLoader = false;
    this.rom = new Rom(this);
    this.rom.install(chip);
    this.#fit(chip);
    if (kept) {
      chip.sram.set(kept.sram);
      chip.peripherals[WATCHDOG].scratchData.set(kept.scratch);
      chip.peripherals[WATCHDOG].reason = kept.reason;
    } else {
      // What RAM holds after power-up is anything.
      let seed = 1;
      for (let at = 0; at < chip.sram.length; at += 1) chip.sram[at] = (seed = (seed * 75 + 74) % 65537) & 0xff;
    }
    this.#boot(chip);
    this.#socket.plug(this.device);
    this.uart.wake();
  }

  /** Stops the program for good: the board is a drive now, until it is given another or its power is cycled. */
  enterBootLoader() {
    this.inBootLoader = true;
    this.chipClock.stop();
    this.computer?.unplug();
    this.drive?.mount();
  }

  /** Where BitScopes are plugged in. */
  get #socket() {
    return this.wire ?? this.chip.usb;
  }

  /** Puts a device into the USB socket, or pulls out the one that is there (null). */
  plug(device) {
    this.device = device;
    this.#socket.plug(device);
  }

  /** Whether the LED is lit. */
  get led() {
    return this.ledChanges.at(-1)?.lit ?? false;
  }

  /** Runs for so long in one go; what is connected by TCP hears of it later. */
  advance(nanos) {
    const end = this.nanos + nanos;
    while (this.nanos < end && !this.inBootLoader) this.#step(end);
    if (this.inBootLoader) this.clock.tick(end - this.nanos);
    for (const line of this.rtt.lines(this.chip)) {
      this.log.push(line);
      this.onLog(line);
    }
  }

  /** Runs until `done()`, looked at once a millisecond; fails when that takes longer than `limitSeconds` emulated. */
  async run(done, limitSeconds = Infinity, what = 'what was waited for') {
    const end = this.nanos + limitSeconds * 1e9;
    let origin = performance.now() - this.nanos / 1e6;
    while (!done()) {
      if (this.nanos > end) throw new Error(`${what} did not come within ${limitSeconds} s`);
      this.uart.wake();
      this.advance(SLICE_NANOS);
      if (this.inBootLoader && this.drive?.take(this.flash)) this.powerOn();
      this.uartWire.flush();
      this.computer?.flush();
      const ahead = this.nanos / 1e6 - (performance.now() - origin);
      // Time lost to slow emulation is not made up for at the cost of those that answer in real time.
      if (ahead < -CATCH_UP_MS) origin += -CATCH_UP_MS - ahead;
      await (this.paced && ahead > 1 ? new Promise((go) => setTimeout(go, ahead)) : new Promise(setImmediate));
    }
  }

  /** What a pin reads that is driven to `level`, or by nothing (undefined): then by its pull. */
  #levelOf(pin, level) {
    const { padValue, functionSelect } = this.chip.gpio[pin];
    // An input of the UART that no pin leads to is low.
    if (functionSelect !== UART_FUNCTION) return 0;
    // One that floats may read anything: the worse of it.
    return level ?? (padValue & PULL_DOWN ? 0 : 1);
  }

  #program(elf) {
    for (const { address, bytes } of elf.segments) {
      if (address < FLASH || address >= RAM) continue;
      this.flash.bytes.set(bytes, address - FLASH);
    }
  }

  #fit(chip) {
    this.uart = new Uart(chip, this.uartWire, {
      pulledUp: () => (chip.gpio[RX_PIN].padValue & PULL_UP) !== 0,
      cts: () => this.#levelOf(CTS_PIN, this.uartWire.cts),
      rtsIsWired: () => chip.gpio[RTS_PIN].functionSelect === UART_FUNCTION,
    });
    if (this.computer) this.#fitPins(chip);
    else {
      chip.usb = new UsbHost(chip, this.usbQuirks, () => this.disturbUsb());
      chip.usbCtrl = { DPRAMUpdated() {} };
      chip.peripherals[USB_CONTROLLER] = chip.usb;
    }
    chip.peripherals[UART0] = this.uart;
    chip.peripherals[XIP_CONTROL] = new XipControl(chip, 'XIP_CTRL');
    const pins = new QspiPins(chip, this);
    chip.peripherals[IO_QSPI] = pins;
    connectFlash(chip.peripherals[SSI], pins, this);
    const resets = chip.peripherals[RESETS];
    const write = resets.writeUint32.bind(resets);
    const read = resets.readUint32.bind(resets);
    resets.readUint32 = (offset) => (offset === RESET_DONE && chip.usb && !chip.usb.isReady ? read(offset) & ~RESET_USB : read(offset));
    resets.writeUint32 = (offset, value) => {
      if (chip.usb && offset === 0 && value & RESET_USB && !(resets.reset & RESET_USB)) {
        chip.usb.reset();
        chip.usb.plug(this.device);
      }
      if (chip.usb && offset === 0 && !(value & RESET_USB) && (resets.reset & RESET_USB || !chip.usb.isReady)) chip.usb.release();
      if (offset === 0 && value & RESET_UART0 && !(resets.reset & RESET_UART0)) this.uart.reset();
      write(offset, value);
    };
    chip.peripherals[WATCHDOG].onWatchdogTrigger = () => {
      const { scratchData, reason, timer } = chip.peripherals[WATCHDOG];
      // rp2040js would have it expire again at once, for ever.
      timer.enable = false;
      this.restart = { sram: chip.sram, scratch: scratchData, reason };
    };
    if (this.radio) {
      this.radio.onLed = (lit) => this.ledChanges.push({ nanos: this.nanos, lit });
      this.radio.attach(chip, () => this.nanos);
    } else {
      chip.gpio[LED_PIN].addListener(() => {
        const { outputEnable, outputValue } = chip.gpio[LED_PIN];
        const lit = outputEnable && outputValue;
        if (lit !== this.led) this.ledChanges.push({ nanos: this.nanos, lit });
      });
    }
  }

  /** The board with one cable: the computer in its socket, the BitScope at two pins. */
  #fitPins(chip) {
    this.wire = new UsbWire(chip);
    this.pio = new Pio(chip, this.wire, PIO0_INTERRUPT);
    chip.pio[0] = this.pio;
    chip.peripherals[PIO0] = this.pio;
    chip.usbCtrl = this.computer.plugInto(chip);
    chip.peripherals[USB_CONTROLLER] = chip.usbCtrl;
  }

  /** Lets the pins have the time that has passed. */
  #catchUp() {
    if (this.pio) this.pio.runTo(Math.floor((this.chipClock.nanos * this.chip.clkSys) / 1e9));
  }

  /** As the boot ROM does: checks the second stage, and runs it from RAM; it goes on to the program by itself. */
  #boot(chip) {
    const boot2 = this.flash.bytes.subarray(0, BOOT2_BYTES);
    const stored = new DataView(this.flash.bytes.buffer).getUint32(BOOT2_BYTES, true);
    if (bootCrc(boot2) !== stored) throw new Error('the second stage has a wrong checksum: the chip would not boot');
    for (let at = 0; at < 256; at += 1) chip.writeUint8(BOOT2_RAM + at, this.flash.bytes[at]);
    chip.core.SP = BOOT2_RAM;
    chip.core.LR = 0;
    chip.core.PC = BOOT2_RAM;
  }

  #step(end) {
    const { chip, clock } = this;
    const { core } = chip;
    while (this.nanos < end) {
      if (core.waiting) {
        const next = clock.nextAlarm ? clock.nextAlarm.nanos : end;
        clock.tick(Math.min(next, end) - clock.nanos);
        this.#catchUp();
      } else {
        const pc = core.PC;
        if (pc < ROM_END) {
          this.rom.call(core);
          if (this.inBootLoader) return;
        } else this.#execute(core, pc, chip);
        if (clock.nextAlarm && clock.nextAlarm.nanos <= clock.nanos) clock.tick(0);
      }
      if (this.restart) {
        const kept = this.restart;
        this.restart = null;
        this.resets.push({ nanos: this.nanos, reason: kept.reason });
        this.powerOn(kept);
        return;
      }
    }
  }

  #execute(core, pc, chip) {
    if (pc < RAM && !this.flashMapped) {
      // The second stage maps the flash, and jumps there.
      if (chip.peripherals[SSI].ssienr !== 1) throw new Error(`code at 0x${pc.toString(16)} runs in unmapped flash`);
      this.flashMapped = true;
    }
    this.clock.nanosCounter += (core.executeInstruction() * 1e9) / chip.clkSys;
    this.instructions += 1;
    this.#catchUp();
    if (core.registers[13] < this.stackLowest) this.stackLowest = core.registers[13];
  }
}

const SLICE_NANOS = 1e6;
const CATCH_UP_MS = 5;

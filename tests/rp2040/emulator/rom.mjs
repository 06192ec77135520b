// The boot ROM's functions that the firmware calls (RP2040 data sheet, section 2.8). A call of one is seen by its address.

const LOOKUP = 0x100;
const FUNCTIONS = 0x200;
const NUMBER_OF_SECTORS_LIMIT = 0x200000;
const XIP_BASE = 0x10000000;
const SSI = 0x18000;
// What a program relies on: the version and the three 16-bit pointers (data sheet, section 2.8.3).
const MAGIC = 0x0201754d;

const code = (text) => text.charCodeAt(0) | (text.charCodeAt(1) << 8);

/** Answers calls into the ROM of a board. */
export class Rom {
  constructor(board) {
    this.board = board;
    this.calls = new Map([[LOOKUP, (core) => this.#lookUp(core)]]);
    /** Until when the call that runs takes its time; null: none does. */
    this.busyUntil = null;
    this.addresses = new Map();
    const functions = {
      IF: () => {},
      EX: () => {
        board.flashMapped = false;
        // Until the second stage has set the interface up anew, nothing is read from the flash as memory.
        board.chip.peripherals[SSI].ssienr = 0;
      },
      RE: (core) => this.#erase(core),
      RP: (core) => this.#program(core),
      FC: () => {},
      C4: (core) => this.#copy(core),
      MC: (core) => this.#copy(core),
      MS: (core) => this.#fill(core),
      S4: (core) => this.#fill(core),
      UB: () => board.enterBootLoader(),
    };
    Object.entries(functions).forEach(([name, call], index) => {
      const address = FUNCTIONS + 4 * index;
      this.calls.set(address, call);
      this.addresses.set(code(name), address);
    });
  }

  /** Puts the pointers where programs look for them. */
  install(chip) {
    chip.bootrom.fill(0);
    chip.bootrom[0x10 / 4] = MAGIC;
    chip.bootrom[0x14 / 4] = (FUNCTIONS - 4) | ((FUNCTIONS - 4) << 16);
    chip.bootrom[0x18 / 4] = LOOKUP | 1;
  }

  /** Carries out the call that the core has just made, and returns from it once its time is over; interrupts come in between. */
  call(core) {
    if (this.busyUntil !== null) {
      this.#wait(core);
      return;
    }
    const address = core.PC & ~1;
    const call = this.calls.get(address);
    if (!call) throw new Error(`call of 0x${address.toString(16)} in the boot ROM, from 0x${core.LR.toString(16)}`);
    call(core);
    if (this.busyUntil === null) core.PC = core.LR & ~1;
  }

  /** Lets time pass in the middle of a call, up to what happens next. */
  #wait(core) {
    const { clock } = this.board;
    if (clock.nanos >= this.busyUntil) {
      this.busyUntil = null;
      core.PC = core.LR & ~1;
      return;
    }
    const next = Math.min(clock.nextAlarm?.nanos ?? Infinity, this.busyUntil);
    clock.tick(Math.max(next - clock.nanos, 0));
    // The core looks for interrupts as it executes: here it would have been in a loop of the ROM.
    if (core.interruptsUpdated) core.checkForInterrupts();
  }

  #lookUp(core) {
    const address = this.addresses.get(core.registers[1] & 0xffff);
    core.registers[0] = address === undefined ? 0 : address | 1;
  }

  #flashOnly(what) {
    if (this.board.flashMapped) throw new Error(`${what} while the flash is mapped`);
  }

  #erase(core) {
    this.#flashOnly('erase');
    const [offset, count] = core.registers;
    if (count > NUMBER_OF_SECTORS_LIMIT) throw new Error(`erase of ${count} bytes`);
    this.busyUntil = this.board.clock.nanos + this.board.flash.erase(offset, count);
  }

  #program(core) {
    this.#flashOnly('programming');
    const [offset, source, count] = core.registers;
    if (source >= XIP_BASE && source < 0x20000000) throw new Error('programming the flash from the flash');
    const data = new Uint8Array(count).map((_, index) => this.board.chip.readUint8(source + index));
    this.busyUntil = this.board.clock.nanos + this.board.flash.program(offset, data);
  }

  #copy(core) {
    const [target, source, count] = core.registers;
    for (let index = 0; index < count; index += 1) {
      this.board.chip.writeUint8(target + index, this.board.chip.readUint8(source + index));
    }
  }

  #fill(core) {
    const [target, value, count] = core.registers;
    for (let index = 0; index < count; index += 1) this.board.chip.writeUint8(target + index, value & 0xff);
  }
}

// A block of PIO, cycle by cycle (RP2040 data sheet, section 3): four state machines, each by its own divider, with delays,
// side-set, autopush and autopull, stalls, flags that the next cycle sees, and inputs two cycles late.
//
// rp2040js has PIO too, but lets it run beside the processor in bursts of its own, without dividers and delays.
import { BasePeripheral } from 'rp2040js';

const CTRL = 0x000;
const FSTAT = 0x004;
const FDEBUG = 0x008;
const TXF = 0x010;
const RXF = 0x020;
const IRQ = 0x030;
const IRQ_FORCE = 0x034;
const DBG_PADOUT = 0x03c;
const DBG_PADOE = 0x040;
const INSTR_MEM = 0x048;
const MACHINES = 0x0c8;
const MACHINES_END = 0x128;
const MACHINE_BYTES = 0x18;
const INTR = 0x128;
const INTE = 0x12c;
const [CLKDIV, EXECCTRL, SHIFTCTRL, ADDR, INSTR, PINCTRL] = [0, 4, 8, 12, 16, 20];
const COUNT = 4;
/** Without a change for so many cycles nothing will change by itself: longer than the slowest divider used ticks. */
const SETTLED = 64;

const field = (word, at, bits) => (word >>> at) & ((1 << bits) - 1);

class Machine {
  constructor(pio, index) {
    Object.assign(this, { pio, index, enabled: false, pc: 0, x: 0, y: 0, isr: 0, osr: 0, tx: [], rx: [] });
    Object.assign(this, { clkdiv: 0x10000, execctrl: 0x1f000, shiftctrl: 0xc0000, pinctrl: 0x14000000, phase: 0 });
    this.restart();
  }

  /** What the restart bit of CTRL clears. */
  restart() {
    this.isr = 0;
    this.isrCount = 0;
    this.osrCount = 32;
    this.delay = 0;
    this.raised = false;
  }

  get txDepth() {
    return field(this.shiftctrl, 30, 1) ? 8 : field(this.shiftctrl, 31, 1) ? 0 : 4;
  }

  get rxDepth() {
    return field(this.shiftctrl, 31, 1) ? 8 : field(this.shiftctrl, 30, 1) ? 0 : 4;
  }

  setShiftctrl(value) {
    // A change of how the FIFOs are joined empties both.
    if ((value ^ this.shiftctrl) >>> 30) [this.tx, this.rx] = [[], []];
    this.shiftctrl = value;
  }

  /** Whether its divider ticks in this cycle. */
  ticks() {
    const divider = field(this.clkdiv, 8, 24) || 0x1000000;
    this.phase += 256;
    if (this.phase < divider) return false;
    this.phase -= divider;
    return true;
  }

  /** One tick; gives whether anything has changed. */
  tick() {
    if (this.delay > 0) {
      this.delay -= 1;
      return true;
    }
    const instruction = this.pio.instructions[this.pc];
    const before = this.pc;
    const { stalled, changed } = this.execute(instruction);
    if (!stalled) {
      this.delay = field(instruction, 8, 5 - field(this.pinctrl, 29, 3));
      if (this.jumped !== null) this.pc = this.jumped;
      else this.pc = this.pc === field(this.execctrl, 12, 5) ? field(this.execctrl, 7, 5) : (this.pc + 1) & 31;
    }
    this.#refill(instruction);
    return changed || (!stalled && (this.pc !== before || this.delay > 0));
  }

  /** Autopull in the cycles of other instructions. */
  #refill(instruction) {
    if (instruction >>> 13 === 3 || !field(this.shiftctrl, 17, 1)) return;
    if (this.osrCount >= this.#threshold(25) && this.tx.length) this.#pull();
  }

  #threshold(at) {
    return field(this.shiftctrl, at, 5) || 32;
  }

  #pull() {
    this.osr = this.tx.shift();
    this.osrCount = 0;
  }

  /** Carries out an instruction, but for its delay and the next address. */
  execute(instruction) {
    this.jumped = null;
    this.#sideSet(instruction);
    const argument = field(instruction, 5, 3);
    const count = field(instruction, 0, 5) || 32;
    switch (instruction >>> 13) {
      case 0:
        return this.#jump(argument, field(instruction, 0, 5));
      case 1:
        return this.#wait(field(instruction, 7, 1), field(instruction, 5, 2), field(instruction, 0, 5));
      case 2:
        return this.#in(argument, count);
      case 3:
        return this.#out(argument, count);
      case 4:
        return this.#pushOrPull(instruction);
      case 5:
        return this.#move(argument, field(instruction, 3, 2), field(instruction, 0, 3));
      case 6:
        return this.#irq(field(instruction, 6, 1), field(instruction, 5, 1), field(instruction, 0, 5));
      default:
        return this.#set(argument, field(instruction, 0, 5));
    }
  }

  #sideSet(instruction) {
    const bits = field(this.pinctrl, 29, 3);
    if (!bits) return;
    const optional = field(this.execctrl, 30, 1);
    let value = field(instruction, 13 - bits, bits);
    if (optional && !(value >>> (bits - 1))) return;
    const count = bits - optional;
    value &= (1 << count) - 1;
    this.#pins(field(this.execctrl, 29, 1) ? 'pinDirections' : 'pinValues', field(this.pinctrl, 10, 5), count, value);
  }

  #pins(what, base, count, value) {
    const mask = (((1 << count) - 1) << base) >>> 0;
    this.pio[what] = ((this.pio[what] & ~mask) | ((value << base) & mask)) >>> 0;
  }

  #jump(condition, target) {
    const { x, y } = this;
    const taken = [
      () => true, () => x === 0, () => { this.x = (x - 1) >>> 0; return x !== 0; },
      () => y === 0, () => { this.y = (y - 1) >>> 0; return y !== 0; },
      () => x !== y, () => (this.pio.inputs >>> field(this.execctrl, 24, 5)) & 1, () => this.osrCount < this.#threshold(25),
    ][condition]();
    if (taken) this.jumped = target;
    return { changed: this.x !== x || this.y !== y };
  }

  #wait(polarity, source, index) {
    if (source === 2) {
      const flag = this.#flag(index);
      const stalled = ((this.pio.irq >>> flag) & 1) !== polarity;
      if (!stalled && polarity) this.pio.lowered |= 1 << flag;
      return { stalled, changed: !stalled };
    }
    const pin = source === 0 ? index : (index + field(this.pinctrl, 15, 5)) % 32;
    const stalled = ((this.pio.inputs >>> pin) & 1) !== polarity;
    return { stalled, changed: !stalled };
  }

  #flag(index) {
    return index & 0x10 ? (index & 4) | ((index + this.index) & 3) : index & 7;
  }

  #irq(clear, wait, index) {
    const bit = 1 << this.#flag(index);
    if (clear) {
      this.pio.lowered |= bit;
      return { changed: true };
    }
    if (!this.raised) {
      this.pio.raised |= bit;
      this.raised = wait === 1;
      return { stalled: this.raised, changed: true };
    }
    this.raised = (this.pio.irq & bit) !== 0;
    return { stalled: this.raised, changed: !this.raised };
  }

  #source(source) {
    const base = field(this.pinctrl, 15, 5);
    const { inputs } = this.pio;
    const pins = base ? ((inputs >>> base) | (inputs << (32 - base))) >>> 0 : inputs;
    return [pins, this.x, this.y, 0, 0, 0, this.isr, this.osr][source];
  }

  #in(source, count) {
    const pushes = field(this.shiftctrl, 16, 1) && this.isrCount + count >= this.#threshold(20);
    if (pushes && this.rx.length >= this.rxDepth) return { stalled: true };
    const whole = count === 32;
    const value = whole ? this.#source(source) : this.#source(source) & ((1 << count) - 1);
    if (whole) this.isr = value;
    else if (field(this.shiftctrl, 18, 1)) this.isr = ((this.isr >>> count) | (value << (32 - count))) >>> 0;
    else this.isr = ((this.isr << count) | value) >>> 0;
    this.isrCount = Math.min(this.isrCount + count, 32);
    if (!pushes) return { changed: true };
    this.rx.push(this.isr);
    [this.isr, this.isrCount] = [0, 0];
    return { changed: true };
  }

  #out(target, count) {
    const automatic = field(this.shiftctrl, 17, 1);
    if (automatic && this.osrCount >= this.#threshold(25)) {
      const refilled = this.tx.length > 0;
      if (refilled) this.#pull();
      return { stalled: true, changed: refilled };
    }
    let value = this.osr;
    if (count === 32) this.osr = 0;
    else if (field(this.shiftctrl, 19, 1)) {
      value &= (1 << count) - 1;
      this.osr >>>= count;
    } else {
      value >>>= 32 - count;
      this.osr = (this.osr << count) >>> 0;
    }
    this.osrCount = Math.min(this.osrCount + count, 32);
    if (automatic && this.osrCount >= this.#threshold(25) && this.tx.length) this.#pull();
    const [base, pins] = [field(this.pinctrl, 0, 5), field(this.pinctrl, 20, 6)];
    const write = {
      0: () => this.#pins('pinValues', base, pins, value), 1: () => { this.x = value; }, 2: () => { this.y = value; },
      3: () => {}, 4: () => this.#pins('pinDirections', base, pins, value), 5: () => { this.jumped = value & 31; },
      6: () => { [this.isr, this.isrCount] = [value, count]; },
    }[target];
    if (!write) throw new Error('OUT EXEC is not modelled');
    write();
    return { changed: true };
  }

  #pushOrPull(instruction) {
    const [pull, ifAny, block] = [field(instruction, 7, 1), field(instruction, 6, 1), field(instruction, 5, 1)];
    if (pull) {
      if (ifAny && this.osrCount < this.#threshold(25)) return { changed: true };
      if (this.tx.length) this.#pull();
      else if (block) return { stalled: true };
      else [this.osr, this.osrCount] = [this.x, 0];
      return { changed: true };
    }
    if (ifAny && this.isrCount < this.#threshold(20)) return { changed: true };
    if (this.rx.length < this.rxDepth) this.rx.push(this.isr);
    else if (block) return { stalled: true };
    [this.isr, this.isrCount] = [0, 0];
    return { changed: true };
  }

  #move(target, operation, source) {
    let value = this.#source(source);
    if (operation === 1) value = ~value >>> 0;
    if (operation > 1) throw new Error('the operation of a MOV is not modelled');
    const write = {
      1: () => { this.x = value; }, 2: () => { this.y = value; }, 5: () => { this.jumped = value & 31; },
      6: () => { [this.isr, this.isrCount] = [value, 0]; }, 7: () => { [this.osr, this.osrCount] = [value, 0]; },
    }[target];
    if (!write) throw new Error('the target of a MOV is not modelled');
    write();
    return { changed: true };
  }

  #set(target, value) {
    const [base, count] = [field(this.pinctrl, 5, 5), field(this.pinctrl, 26, 3)];
    if (target === 0) this.#pins('pinValues', base, count, value);
    else if (target === 1) this.x = value;
    else if (target === 2) this.y = value;
    else if (target === 4) this.#pins('pinDirections', base, count, value);
    return { changed: true };
  }

  read(offset) {
    return {
      [CLKDIV]: this.clkdiv, [EXECCTRL]: this.execctrl, [SHIFTCTRL]: this.shiftctrl, [ADDR]: this.pc,
      [INSTR]: this.pio.instructions[this.pc], [PINCTRL]: this.pinctrl,
    }[offset] >>> 0;
  }

  write(offset, value) {
    if (offset === CLKDIV) this.clkdiv = value >>> 0;
    else if (offset === EXECCTRL) this.execctrl = value >>> 0;
    else if (offset === SHIFTCTRL) this.setShiftctrl(value >>> 0);
    else if (offset === PINCTRL) this.pinctrl = value >>> 0;
    else if (offset === INSTR) {
      this.delay = 0;
      this.raised = false;
      const { stalled } = this.execute(value & 0xffff);
      if (stalled) throw new Error('an instruction from the processor stalls: not modelled');
      if (this.jumped !== null) this.pc = this.jumped;
    }
  }
}

export class Pio extends BasePeripheral {
  /** `line` is what its pins lead to: `cycle(pio)` gives what they read, `isBusy` whether that may change by itself. */
  constructor(chip, line, interrupt) {
    super(chip, 'PIO');
    this.line = line;
    this.interrupt = interrupt;
    this.instructions = new Uint16Array(32);
    this.own = Array.from({ length: COUNT }, (_, index) => new Machine(this, index));
    // What rp2040js asks a block of PIO for.
    this.machines = [];
    Object.assign(this, { pinValues: 0, pinDirections: 0, irq: 0, raised: 0, lowered: 0, enabled: 0, settled: 0, cycles: 0 });
    Object.assign(this, { inputs: 0, arriving: 0 });
  }

  /** Runs up to this cycle of the chip's clock. */
  runTo(cycle) {
    while (this.cycles < cycle) {
      if (this.settled > SETTLED && !this.line.isBusy(this.cycles)) {
        this.cycles = cycle;
        return;
      }
      this.#cycle();
    }
  }

  #cycle() {
    this.cycles += 1;
    let changed = false;
    for (const machine of this.own) if (machine.enabled && machine.ticks()) changed = machine.tick() || changed;
    this.irq = (this.irq & ~this.lowered) | this.raised;
    this.lowered = 0;
    this.raised = 0;
    const seen = this.line.cycle(this);
    // Two flip-flops between the pins and the program (section 3.5.6.3).
    if (this.inputs !== this.arriving || this.arriving !== seen) changed = true;
    this.inputs = this.arriving;
    this.arriving = seen;
    this.settled = changed ? 0 : this.settled + 1;
    this.#interrupt();
  }

  #interrupt() {
    this.rp2040.setInterrupt(this.interrupt, (this.#raw() & this.enabled) !== 0);
  }

  #raw() {
    const fifos = this.own.map(({ rx, tx, txDepth }, index) => ((rx.length ? 1 : 0) | (tx.length < txDepth ? 16 : 0)) << index);
    return fifos.reduce((all, bits) => all | bits, (this.irq & 15) << 8);
  }

  readUint32(offset) {
    if (offset >= MACHINES && offset < MACHINES_END) {
      const place = offset - MACHINES;
      return this.own[Math.floor(place / MACHINE_BYTES)].read(place % MACHINE_BYTES);
    }
    if (offset >= TXF + 16 && offset < RXF + 16) return this.own[(offset - RXF) / 4].rx.shift() ?? 0;
    switch (offset) {
      case CTRL:
        return this.own.reduce((all, { enabled }, index) => all | (enabled ? 1 << index : 0), 0);
      case FSTAT:
        return this.own.reduce((all, { tx, rx, txDepth, rxDepth }, index) => {
          const bits = (tx.length ? 0 : 1 << 24) | (tx.length < txDepth ? 0 : 1 << 16) | (rx.length ? 0 : 1 << 8) | (rx.length < rxDepth ? 0 : 1);
          return all | (bits << index);
        }, 0) >>> 0;
      case FDEBUG:
        return 0;
      case IRQ:
        return this.irq;
      case DBG_PADOUT:
        return this.pinValues;
      case DBG_PADOE:
        return this.pinDirections;
      case INTR:
        return this.#raw();
      case INTE:
        return this.enabled;
      case INTE + 8:
        return this.#raw() & this.enabled;
      default:
        return super.readUint32(offset);
    }
  }

  writeUint32(offset, value) {
    this.settled = 0;
    if (offset >= INSTR_MEM && offset < MACHINES) this.instructions[(offset - INSTR_MEM) / 4] = value;
    else if (offset >= MACHINES && offset < MACHINES_END) {
      const place = offset - MACHINES;
      this.own[Math.floor(place / MACHINE_BYTES)].write(place % MACHINE_BYTES, value);
    } else if (offset >= TXF && offset < RXF) this.#push(this.own[(offset - TXF) / 4], value);
    else if (offset === CTRL) this.#control(value);
    else if (offset === IRQ) this.irq &= ~this.rawWriteValue;
    else if (offset === IRQ_FORCE) this.irq |= value;
    else if (offset === INTE) this.enabled = value;
  }

  #push(machine, value) {
    if (machine.tx.length >= machine.txDepth) throw new Error(`state machine ${machine.index}: its send FIFO has overflown`);
    machine.tx.push(value >>> 0);
  }

  #control(value) {
    this.own.forEach((machine, index) => {
      machine.enabled = ((value >>> index) & 1) !== 0;
      if ((value >>> (4 + index)) & 1) machine.restart();
      if ((value >>> (8 + index)) & 1) machine.phase = 0;
    });
  }
}

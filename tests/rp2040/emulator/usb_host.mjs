// The USB controller of the RP2040 as a full-speed host, with its one endpoint for control and bulk transfers (EPX).
//
// Register by register as the data sheet's section 4.1 has it: packets move one at a time between a buffer and the device,
// each takes its time on the wire, a NAK is asked again, silence raises the receive time-out. Where the data sheet leaves
// open what the silicon does, it is an option (`quirks`), and tests run with each answer. It is no device controller, and
// transfers of interrupt endpoints, hubs and low-speed devices are refused: the firmware uses none.
import { BasePeripheral } from 'rp2040js';

const IRQ = 5;
const ADDR_ENDP = 0x00;
const MAIN_CTRL = 0x40;
const SOF_RD = 0x48;
const SIE_CTRL = 0x4c;
const SIE_STATUS = 0x50;
const INT_EP_CTRL = 0x54;
const BUFF_STATUS = 0x58;
const BUFF_CPU_SHOULD_HANDLE = 0x5c;
const NAK_POLL = 0x6c;
const EP_STATUS_STALL_NAK = 0x70;
const USB_MUXING = 0x74;
const USB_PWR = 0x78;
const INTR = 0x8c;
const INTE = 0x90;
const INTF = 0x94;
const INTS = 0x98;

const HOST = 1 << 1;
const CONTROLLER_ENABLED = 1 << 0;

const START_TRANS = 1 << 0;
const SEND_SETUP = 1 << 1;
const SEND_DATA = 1 << 2;
const RECEIVE_DATA = 1 << 3;
const STOP_TRANS = 1 << 4;
const PREAMBLE = 1 << 6;
const SOF_ENABLE = 1 << 9;
const RESET_BUS = 1 << 13;
// START_TRANS, STOP_TRANS and RESET_BUS read as 0.
const SELF_CLEARING = START_TRANS | STOP_TRANS | RESET_BUS;

const LOW_SPEED = 1 << 8;
const FULL_SPEED = 2 << 8;
const SPEED = 3 << 8;
const TRANS_COMPLETE = 1 << 18;
const CRC_ERROR = 1 << 24;
const BIT_STUFF_ERROR = 1 << 25;
const RX_OVERFLOW = 1 << 26;
const RX_TIMEOUT = 1 << 27;
const NAK_REC = 1 << 28;
const STALL_REC = 1 << 29;
const ACK_REC = 1 << 30;
const DATA_SEQ_ERROR = 2 ** 31;

// Which bit of SIE_STATUS raises which bit of INTR.
const INTERRUPTS = [
  [SPEED, 0], [TRANS_COMPLETE, 3], [DATA_SEQ_ERROR, 5], [RX_TIMEOUT, 6], [RX_OVERFLOW, 7], [BIT_STUFF_ERROR, 8], [CRC_ERROR, 9],
  [STALL_REC, 10],
];
const BUFF_STATUS_INTERRUPT = 1 << 4;

const DPRAM_SETUP = 0x000;
const DPRAM_EPX_BUFFER = 0x080;
const DPRAM_EPX_CONTROL = 0x100;
const EP_ENABLE = 2 ** 31;
const EP_DOUBLE = 1 << 30;
const EP_PER_BUFFER = 1 << 29;

const FULL = 1 << 15;
const LAST = 1 << 14;
const PID = 1 << 13;
const SELECT_FIRST = 1 << 12;
const AVAILABLE = 1 << 10;
const LENGTH = 0x3ff;
const BUFFER_BYTES = 64;

// USB 2.0: 12 Mbit/s; token, turnaround and handshake are some 75 bits, a data packet 40 bits beside its bytes; a reset
// lasts 10 ms at the least (7.1.7.5).
const BIT_NANOS = 1000 / 12;
const TRANSACTION_BITS = 75;
const DATA_BITS = 40;
const BUS_RESET_NANOS = 10e6;
// A block that leaves reset runs a few cycles of its own clock later (2.14: RESET_DONE reports when); rounded up.
const RESET_NANOS = 2000;
/** What can become of a packet on the wire; see `disturb`. */
export const DISTURBANCES = ['crc', 'bit stuffing', 'lost', 'acknowledgement lost'];
// The line has to be quiet so long before a device counts as attached (7.1.7.3).
const ATTACH_NANOS = 2.5e-3 * 1e9;

export class UsbHost extends BasePeripheral {
  /**
   * `quirks.bufferSelect`: whether bit 12 of the buffer control makes buffer 0 the next one in host mode, as the register's
   * description has it, or only for a device, as the table beside it has it. `quirks.acknowledgesRepeats`: whether a packet
   * with the wrong data PID is acknowledged. `quirks.frames`: whether its clock runs, so that it counts frames.
   *
   * `disturb(packet)` returns what becomes of a packet: one of DISTURBANCES, or undefined.
   */
  constructor(chip, quirks = {}, disturb = () => undefined) {
    super(chip, 'USB');
    this.quirks = { bufferSelect: true, acknowledgesRepeats: false, frames: true, ...quirks };
    this.disturb = disturb;
    this.device = null;
    this.transaction = chip.clock.createAlarm(() => this.#transact());
    this.busReset = chip.clock.createAlarm(() => { this.busReset.scheduled = false; this.device?.reset(); });
    this.attach = chip.clock.createAlarm(() => this.#attached());
    this.reset();
  }

  /** What the reset controller does. */
  reset() {
    this.readyNanos = Infinity;
    this.registers = {
      [ADDR_ENDP]: 0, [MAIN_CTRL]: 0, [SIE_CTRL]: 0, [INT_EP_CTRL]: 0, [NAK_POLL]: 0x100010, [EP_STATUS_STALL_NAK]: 0,
      [USB_MUXING]: 0, [USB_PWR]: 0, [INTE]: 0, [INTF]: 0,
    };
    this.status = 0;
    this.connectionChanged = false;
    this.buffStatus = 0;
    this.selected = 0;
    this.retired = 0;
    this.#stop();
    this.busReset.cancel();
    this.attach.cancel();
    this.#interrupt();
  }

  /** Plugs a device in, or pulls it out (null). */
  plug(device) {
    this.device = device;
    this.attach.cancel();
    if (device) {
      device.powerUp();
      this.#watchForDevice();
    } else if (this.status & SPEED) {
      this.status &= ~SPEED;
      this.connectionChanged = true;
      this.#interrupt();
    }
  }

  /** The reset controller lets go of it. */
  release() {
    this.readyNanos = this.rp2040.clock.nanos + RESET_NANOS;
  }

  /** Whether the block has left reset. */
  get isReady() {
    return this.rp2040.clock.nanos >= this.readyNanos;
  }

  readUint32(offset) {
    if (!this.isReady) throw new Error('the USB controller is read before RESET_DONE reports it');
    switch (offset) {
      case SIE_STATUS:
        return this.status >>> 0;
      case BUFF_STATUS:
        return this.buffStatus;
      case BUFF_CPU_SHOULD_HANDLE:
        return this.retired;
      case SOF_RD:
        return this.quirks.frames && this.registers[SIE_CTRL] & SOF_ENABLE ? Math.floor(this.rp2040.clock.nanos / 1e6) & 0x7ff : 0;
      case INTR:
        return this.#raw >>> 0;
      case INTS:
        return ((this.#raw & this.registers[INTE]) | this.registers[INTF]) >>> 0;
      default:
        return this.registers[offset] ?? super.readUint32(offset);
    }
  }

  writeUint32(offset, value) {
    if (!this.isReady) throw new Error('the USB controller is written to before RESET_DONE reports it');
    switch (offset) {
      case SIE_STATUS:
        // Written ones clear what happened; the connection is a state, only its change is cleared.
        if (this.rawWriteValue & SPEED) this.connectionChanged = false;
        this.status &= ~(this.rawWriteValue & ~SPEED);
        break;
      case BUFF_STATUS:
        this.buffStatus &= ~this.rawWriteValue;
        break;
      case SIE_CTRL:
        this.registers[SIE_CTRL] = (value & ~SELF_CLEARING) >>> 0;
        this.#control(value);
        break;
      case MAIN_CTRL:
        this.registers[MAIN_CTRL] = value;
        this.#watchForDevice();
        break;
      case INT_EP_CTRL:
        if (value) throw new Error('interrupt endpoints are not modelled');
        break;
      default:
        if (!(offset in this.registers)) return super.writeUint32(offset, value);
        this.registers[offset] = value;
    }
    this.#interrupt();
    return undefined;
  }

  get #raw() {
    let bits = this.connectionChanged ? 1 : 0;
    for (const [status, bit] of INTERRUPTS.slice(1)) if (this.status & status) bits |= 1 << bit;
    return this.buffStatus ? bits | BUFF_STATUS_INTERRUPT : bits;
  }

  #interrupt() {
    const ints = (this.#raw & this.registers[INTE]) | this.registers[INTF];
    this.rp2040.setInterrupt(IRQ, ints !== 0);
  }

  #watchForDevice() {
    const on = HOST | CONTROLLER_ENABLED;
    if (this.device && (this.registers[MAIN_CTRL] & on) === on && !(this.status & SPEED)) {
      this.attach.schedule(ATTACH_NANOS);
    }
  }

  #attached() {
    this.attach.scheduled = false;
    this.status |= this.device.lowSpeed ? LOW_SPEED : FULL_SPEED;
    this.connectionChanged = true;
    this.#interrupt();
  }

  #stop() {
    this.transaction.cancel();
    this.arriving = null;
  }

  #control(value) {
    if (value & PREAMBLE) throw new Error('low speed is not modelled');
    if (value & RESET_BUS) this.busReset.schedule(BUS_RESET_NANOS);
    if (value & STOP_TRANS) this.#stop();
    if (value & START_TRANS) {
      if (this.transaction.scheduled) throw new Error('a transaction is started while another runs');
      this.#selectFirst();
      this.#next(0);
    }
  }

  /** Has the next packet take its time on the wire, after so many nanoseconds. */
  #next(delay) {
    const control = this.registers[SIE_CTRL];
    const bytes = control & SEND_SETUP ? 8 : control & SEND_DATA ? this.#buffer & LENGTH : 0;
    this.transaction.schedule(delay + (TRANSACTION_BITS + DATA_BITS + 8 * bytes) * BIT_NANOS);
  }

  get #endpointControl() {
    return this.rp2040.usbDPRAMView.getUint32(DPRAM_EPX_CONTROL, true);
  }

  #half(buffer) {
    return this.rp2040.usbDPRAMView.getUint16(DPRAM_EPX_BUFFER + 2 * buffer, true);
  }

  #setHalf(buffer, value) {
    this.rp2040.usbDPRAMView.setUint16(DPRAM_EPX_BUFFER + 2 * buffer, value, true);
  }

  #selectFirst() {
    if (!this.quirks.bufferSelect || !(this.#half(0) & SELECT_FIRST)) return;
    this.selected = 0;
    this.#setHalf(0, this.#half(0) & ~SELECT_FIRST);
  }

  /** Which buffer is filled or sent: the selector counts with two buffers only. */
  get #turn() {
    return this.#endpointControl & EP_DOUBLE ? this.selected : 0;
  }

  /** What buffer is in turn: its half of the buffer control. */
  get #buffer() {
    return this.#half(this.#turn);
  }

  #transact() {
    this.transaction.scheduled = false;
    const control = this.registers[SIE_CTRL];
    const address = this.registers[ADDR_ENDP] & 0x7f;
    const endpoint = (this.registers[ADDR_ENDP] >> 16) & 0xf;
    const device = this.busReset.scheduled ? null : this.device;
    if (this.arriving) {
      this.#received(this.arriving, device);
      this.arriving = null;
    } else if (control & SEND_SETUP) {
      const setup = this.rp2040.usbDPRAM.slice(DPRAM_SETUP, DPRAM_SETUP + 8);
      this.#settle(this.#sent(() => device?.setup(address, endpoint, setup)), TRANS_COMPLETE);
    } else {
      this.#data(device, address, endpoint, control);
    }
    this.#interrupt();
  }

  #data(device, address, endpoint, control) {
    const endpointControl = this.#endpointControl;
    if (!(endpointControl & EP_ENABLE)) throw new Error('a transfer over an endpoint that is not enabled');
    const buffer = this.#buffer;
    // With no buffer to fill or send the controller waits for one.
    if (!(buffer & AVAILABLE)) return void this.#next(1000);
    const at = (endpointControl & 0xffc0) + BUFFER_BYTES * this.#turn;
    const length = buffer & LENGTH;
    const toggle = buffer & PID ? 1 : 0;
    if (control & RECEIVE_DATA) {
      const answer = device?.in(address, endpoint) ?? { silent: true };
      if (answer.data === undefined) return void this.#settle(answer, 0);
      // Its bytes take their time before anything is known of them, and the device may be pulled out meanwhile.
      this.arriving = { ...answer, at, length, expected: toggle, buffer, endpointControl };
      this.transaction.schedule(8 * answer.data.length * BIT_NANOS);
    } else {
      if (!(buffer & FULL)) throw new Error('an empty buffer is sent');
      const data = this.rp2040.usbDPRAM.slice(at, at + length);
      const answer = this.#sent(() => device?.out(address, endpoint, toggle, data));
      if (!answer.ack) return void this.#settle(answer, 0);
      this.#retire(buffer & ~FULL, endpointControl);
      this.status |= ACK_REC;
      if (buffer & LAST) this.status |= TRANS_COMPLETE;
      else this.#next(0);
    }
  }

  /** What a packet to the device is answered, if both arrive. */
  #sent(deliver) {
    const disturbance = this.disturb();
    if (disturbance && disturbance !== 'acknowledgement lost') return { silent: true };
    const answer = deliver() ?? { silent: true };
    return disturbance ? { silent: true } : answer;
  }

  #received({ data, toggle, expected, at, length, buffer, endpointControl }, device) {
    const disturbance = this.disturb();
    if (!device || disturbance === 'lost') {
      this.status |= RX_TIMEOUT;
    } else if (disturbance === 'crc') {
      this.status |= CRC_ERROR;
    } else if (disturbance === 'bit stuffing') {
      this.status |= BIT_STUFF_ERROR;
    } else if (toggle !== expected) {
      this.status |= DATA_SEQ_ERROR;
      if (this.quirks.acknowledgesRepeats) device.acknowledged();
    } else if (data.length > length) {
      this.status |= RX_OVERFLOW;
    } else {
      if (disturbance !== 'acknowledgement lost') device.acknowledged();
      this.rp2040.usbDPRAM.set(data, at);
      this.#retire((buffer & ~LENGTH) | FULL | data.length, endpointControl);
      if (buffer & LAST || data.length === 0) this.status |= TRANS_COMPLETE;
      else this.#next(0);
    }
  }

  /**
   * Gives a buffer back to the program, and turns to the other one: also with a single one, where the status then comes in
   * the wrong half of the buffer control, and its own half stays as it was (erratum RP2040-E4).
   */
  #retire(buffer, endpointControl) {
    this.#setHalf(this.selected, buffer & ~(AVAILABLE | SELECT_FIRST));
    this.retired = this.selected;
    if (endpointControl & EP_PER_BUFFER) this.buffStatus |= 1;
    this.selected ^= 1;
  }

  /** What follows an answer without data; `complete` is set in the status if it is an acknowledgement. */
  #settle(answer, complete) {
    if (answer.ack) {
      this.status |= ACK_REC | complete;
    } else if (answer.nak) {
      this.status |= NAK_REC;
      this.#next(((this.registers[NAK_POLL] >> 16) & 0x3ff) * 1000);
    } else if (answer.stall) {
      this.status |= STALL_REC;
    } else {
      this.status |= RX_TIMEOUT;
    }
  }
}

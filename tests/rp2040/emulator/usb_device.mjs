// The USB controller as a device (RP2040 data sheet, section 4.1): a host's transactions against its registers and its memory.
//
// A buffer is the program's until it gives it away with AVAILABLE, and the controller's until a transaction has used it; until
// then the host gets a NAK. rp2040js takes each buffer back at once.
import { BasePeripheral } from 'rp2040js';

const [ADDRESS, MAIN_CONTROL, SIE_CONTROL, SIE_STATUS, BUFFER_STATUS, STALL_ARM] = [0x00, 0x40, 0x4c, 0x50, 0x58, 0x68];
const [INTR, INTE, INTF, INTS] = [0x8c, 0x90, 0x94, 0x98];
const INTERRUPT = 5;
const ENABLE = 1;
const PULL_UP = 1 << 16;
const EP0_INTERRUPT = 1 << 29;
const [SETUP_RECEIVED, BUS_RESET] = [1 << 17, 1 << 19];
const [RAISED_BY_BUFFER, RAISED_BY_RESET, RAISED_BY_SETUP] = [1 << 4, 1 << 12, 1 << 16];
// Of a buffer's control, and of an endpoint's.
const [FULL, TOGGLE, STALL, AVAILABLE, LENGTH] = [1 << 15, 1 << 13, 1 << 11, 1 << 10, 0x3ff];
const ENDPOINT_ENABLE = 1 << 31;
const PER_BUFFER = 1 << 29;
const EP0_BUFFER = 0x100;

export const NAK = 'NAK';
export const STALLED = 'STALL';

export class UsbDevice extends BasePeripheral {
  /** `onPullUp` hears of it when the device shows itself. */
  constructor(chip, onPullUp) {
    super(chip, 'USB');
    this.onPullUp = onPullUp;
    this.registers = new Map();
    this.status = 0;
    this.buffers = 0;
    this.enabled = 0;
    this.isUp = false;
    this.stallArmed = 0;
  }

  /** rp2040js reports each write to the controller's memory. */
  DPRAMUpdated() {}

  /** The host resets the bus. */
  reset() {
    this.status |= BUS_RESET;
    this.#interrupt();
  }

  /** A SETUP packet: never refused. */
  setup(bytes) {
    this.rp2040.usbDPRAM.set(bytes);
    this.status |= SETUP_RECEIVED;
    this.stallArmed = 0;
    this.#interrupt();
  }

  /** The host reads a packet: { bytes, toggle }, NAK or STALL. */
  in(endpoint) {
    const place = 0x80 + 8 * endpoint;
    const control = this.#word(place);
    const answer = this.#refusal(endpoint, control, false);
    if (answer) return answer;
    if (!(control & FULL)) throw new Error(`endpoint ${endpoint} has an empty buffer to send`);
    const start = this.#buffer(endpoint, false);
    const bytes = this.rp2040.usbDPRAM.slice(start, start + (control & LENGTH));
    this.#setWord(place, control & ~(AVAILABLE | FULL));
    this.#used(endpoint, false);
    return { bytes, toggle: control & TOGGLE ? 1 : 0 };
  }

  /** The host writes a packet: null when it was taken, NAK or STALL. */
  out(endpoint, toggle, bytes) {
    const place = 0x84 + 8 * endpoint;
    const control = this.#word(place);
    const answer = this.#refusal(endpoint, control, true);
    if (answer) return answer;
    if (bytes.length > (control & LENGTH)) throw new Error(`endpoint ${endpoint} takes ${control & LENGTH} bytes, not ${bytes.length}`);
    // One seen before is acknowledged and dropped.
    if ((control & TOGGLE ? 1 : 0) !== toggle) return null;
    this.rp2040.usbDPRAM.set(bytes, this.#buffer(endpoint, true));
    this.#setWord(place, (control & ~(AVAILABLE | LENGTH)) | FULL | bytes.length);
    this.#used(endpoint, true);
    return null;
  }

  #refusal(endpoint, control, out) {
    if (endpoint > 0 && !(this.#endpoint(endpoint, out) & ENDPOINT_ENABLE)) throw new Error(`endpoint ${endpoint} is not enabled`);
    const isArmed = endpoint > 0 || this.stallArmed & (out ? 2 : 1);
    if (control & STALL && isArmed) return STALLED;
    return control & AVAILABLE ? null : NAK;
  }

  #used(endpoint, out) {
    const reports = endpoint > 0 ? this.#endpoint(endpoint, out) & PER_BUFFER : this.registers.get(SIE_CONTROL) & EP0_INTERRUPT;
    if (reports) this.buffers |= 1 << (2 * endpoint + (out ? 1 : 0));
    this.#interrupt();
  }

  #endpoint(endpoint, out) {
    return this.#word(8 * endpoint + (out ? 4 : 0));
  }

  #buffer(endpoint, out) {
    return endpoint > 0 ? this.#endpoint(endpoint, out) & 0xffc0 : EP0_BUFFER;
  }

  #word(place) {
    return this.rp2040.usbDPRAMView.getUint32(place, true);
  }

  #setWord(place, value) {
    this.rp2040.usbDPRAMView.setUint32(place, value, true);
  }

  get #raised() {
    return (this.buffers ? RAISED_BY_BUFFER : 0) | (this.status & BUS_RESET ? RAISED_BY_RESET : 0)
      | (this.status & SETUP_RECEIVED ? RAISED_BY_SETUP : 0);
  }

  #interrupt() {
    this.rp2040.setInterrupt(INTERRUPT, (this.#raised & this.enabled) !== 0);
  }

  readUint32(offset) {
    switch (offset) {
      case SIE_STATUS:
        return this.status;
      case BUFFER_STATUS:
        return this.buffers;
      case INTR:
        return this.#raised;
      case INTE:
        return this.enabled;
      case INTS:
        return this.#raised & this.enabled;
      default:
        return this.registers.get(offset) ?? 0;
    }
  }

  writeUint32(offset, value) {
    if (offset === SIE_STATUS) this.status &= ~this.rawWriteValue;
    else if (offset === BUFFER_STATUS) this.buffers &= ~this.rawWriteValue;
    else if (offset === INTE) this.enabled = value;
    else if (offset === STALL_ARM) this.stallArmed = value;
    else if (offset === INTF && value !== 0) throw new Error('forced interrupts are not modelled');
    this.registers.set(offset, value);
    this.#interrupt();
    const isUp = (this.registers.get(MAIN_CONTROL) & ENABLE) !== 0 && (this.registers.get(SIE_CONTROL) & PULL_UP) !== 0;
    if (isUp && !this.isUp) this.onPullUp();
    this.isUp = isUp;
  }

  /** The address that it answers at. */
  get address() {
    return (this.registers.get(ADDRESS) ?? 0) & 0x7f;
  }
}

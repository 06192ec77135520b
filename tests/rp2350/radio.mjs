// The model of a Pico W's radio, for an emulated RP2350 in another process: a line for each thing that happens at its pins.
//
// `set NANOS LEVELS DRIVEN` has the pins driven so, `read NANOS` is answered by the level of the data line, and `led` by what the LED
// has done until now: [[nanoseconds, lit]].
import { createInterface } from 'node:readline';
import { LoosePin, Radio } from '../rp2040/emulator/radio.mjs';

const PINS = 30;
const DATA = 24;

let now = 0;
const gpio = Array.from({ length: PINS }, () => new LoosePin());
const radio = new Radio();
const changes = [];
radio.onLed = (lit) => changes.push([now, lit]);
radio.attach({ gpio }, () => now);

function set(levels, driven) {
  const before = gpio.map(({ value }) => value);
  gpio.forEach((pin, at) => {
    pin.outputValue = ((levels >>> at) & 1) === 1;
    pin.outputEnable = ((driven >>> at) & 1) === 1;
  });
  gpio.forEach((pin, at) => pin.value !== before[at] && pin.listener(pin.value));
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const [what, nanos, levels, driven] = line.split(' ');
  if (nanos !== undefined) now = Number(nanos);
  if (what === 'set') set(Number(levels), Number(driven));
  else if (what === 'read') console.log(Number(gpio[DATA].rawInputValue));
  else console.log(JSON.stringify(changes));
});

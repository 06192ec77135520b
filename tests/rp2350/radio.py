"""The radio of a Pico 2 W at the pins of an RP2350: the Pico W's model in a process of its own, `radio.mjs`."""

import json
import os
import subprocess

from processor import Fault

HERE = os.path.dirname(os.path.abspath(__file__))
PINS = (23, 24, 25, 29)
DATA = 24
# Of a pin: it is driven by the program, and not isolated nor disabled at its pad.
SIO_FUNCTION = 5
ISOLATED, OUTPUT_OFF = 1 << 8, 1 << 7
# Within a slice the chip's time stands: so long passes with each access of a pin.
ACCESS_NANOS = 50


class Radio:
    def __init__(self):
        self.process = subprocess.Popen(
            ["node", os.path.join(HERE, "radio.mjs")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        self.nanos = 0
        self.before = None

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def _ask(self, line):
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise Fault("the model of the radio has ended")
        return json.loads(answer)

    def _pass(self, chip):
        self.nanos = max(round(chip.now_us * 1e3), self.nanos + ACCESS_NANOS)
        return self.nanos

    def drive(self, chip, levels, enabled):
        """The program drives its pins so."""
        driven = 0
        for pin in PINS:
            is_free = chip.pins.peek(8 * pin + 4) & 0x1F == SIO_FUNCTION
            if is_free and not chip.pads.peek(4 + 4 * pin) & (ISOLATED | OUTPUT_OFF):
                driven |= enabled & 1 << pin
        now = (levels & driven, driven)
        if now != self.before:
            self.before = now
            self.process.stdin.write(f"set {self._pass(chip)} {now[0]} {driven}\n")

    def levels(self, chip):
        """What the program reads at its pins."""
        return self._ask(f"read {self._pass(chip)}") << DATA

    def lit_ms(self, since_us):
        """How long its LED was lit each time since then, in milliseconds."""
        changes = [(nanos / 1e3, lit) for nanos, lit in self._ask("led") if nanos / 1e3 >= since_us]
        return [round((end - at) / 1e3) for (at, lit), (end, _) in zip(changes, changes[1:]) if lit]

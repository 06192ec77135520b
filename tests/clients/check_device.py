"""Checks a device against the reference of the virtual machine, over TCP and as a bitscope-server.

    python3 check_device.py --tcp HOST:PORT --bitscope-server HOST:PORT --bare HOST:PORT

The device of the first two has A on a sine of 1 kHz from 0 to 3 V and B on a triangle of 500 Hz from -1 to 2 V, its logic
lines on a counter that moves on every 10 us. That of the third (TCP) has nothing connected, and a front end away from nominal:
la 1.105, lb -0.06, lc 0.005, ha 1.08, hb -0.04, hc -0.04, scale 18.1 V, offset -7.3 V, ab_offset 30 mV.
"""

import argparse
import math
import sys
import unittest

from bitscope_client import TICK_S, BitScope, TcpTransport, UdpTransport, pause
from calibration import calibrate

ADDRESSES = argparse.Namespace()
# The step of a byte in the range of -5.5 V to 8 V.
BYTE_V = 13.5 / 256


def triangle(seconds):
    phase = (seconds * 500) % 1
    return -1 + 6 * phase if phase < 0.5 else 5 - 6 * phase


class Captures:
    """What is the same over every transport."""

    def setUp(self):
        self.scope = BitScope(self.connect())
        self.scope.set_range(-5.5, 8)

    def tearDown(self):
        self.scope.close()

    def assertClose(self, samples, expected, tolerance):
        worst = max(abs(s - e) for s, e in zip(samples, expected))
        self.assertLessEqual(worst, tolerance)

    def test_connects(self):
        self.assertEqual(self.scope.identify(), "BS000501")
        self.assertEqual(self.scope.serial_number(), "DB98TI79")
        self.scope.set(TraceDelay=0x12345678)
        self.assertEqual(self.scope.get("TraceDelay"), 0x12345678)

    def test_triggers_on_a(self):
        for rising, slope in ((True, 1), (False, -1)):
            self.scope.trigger_on("A", 1.5, rising)
            self.scope.configure(0, 0, 40, 250, 750)
            started = self.scope.start()
            token, ended, address = self.scope.end()
            self.assertEqual(token, 0)
            # At least the record, at most two periods of waiting more; both ends in the same 32 bits of ticks.
            took = (ended - started) % 2 ** 32 * TICK_S
            self.assertTrue(1e-3 <= took < 4e-3, took)
            samples = self.scope.volts(0, (address - 1000) % 12288, 1000)
            wave = [1.5 + slope * 1.5 * math.sin(2 * math.pi * 1e3 * (n - 250) * 1e-6) for n in range(1000)]
            # A sample of 1 us at the steepest is 9.4 mV.
            self.assertClose(samples, wave, BYTE_V + 0.01)

    def test_triggers_on_b(self):
        self.scope.trigger_on("B", 0.5)
        self.scope.configure(18, 4, 40, 500, 1500, analog=2)
        self.scope.start()
        token, _, address = self.scope.end()
        self.assertEqual(token, 0)
        samples = self.scope.volts(0, (address - 2000) % 6144, 2000, native=True)
        self.assertClose(samples, [triangle((n - 500) * 1e-6 + 0.5e-3) for n in range(2000)], 0.005)

    def test_captures_two_channels(self):
        self.scope.trigger_on("B", 0.5)
        self.scope.configure(2, 1, 20, 1000, 3000, analog=3)
        self.scope.start()
        _, _, address = self.scope.end()
        first = (address - 4000) % 12288
        a, b = (self.scope.volts(channel, first, 2000) for channel in (0, 1))
        # Samples are 0.5 us apart, those of B on the odd ones; pairs may shift the trigger by one.
        self.assertClose(b, [triangle((2 * n + 1 - 1000) * 0.5e-6 + 0.5e-3) for n in range(2000)], BYTE_V + 0.01)
        self.assertClose([max(a), min(a)], [3, 0], BYTE_V)

    def test_captures_logic_on_a_pattern(self):
        self.scope.trigger_on_pattern(L3=1, L2=0)
        self.scope.configure(14, 0, 40, 100, 900, analog=0, digital=0xFF)
        self.scope.start()
        token, _, address = self.scope.end()
        self.assertEqual(token, 0)
        lines = self.scope.dump(128, (address - 1000) % 12288, 1000)
        self.assertEqual([byte & 0x0C == 0x08 for byte in lines[92:108]], [False] * 8 + [True] * 8)
        # The counter stands for ten samples of 1 us each.
        steps = [n for n in range(1, 1000) if lines[n] != lines[n - 1]]
        self.assertEqual({b - a for a, b in zip(steps, steps[1:])}, {10})
        self.assertTrue(all((lines[n] - lines[n - 1]) % 256 == 1 for n in steps))

    def test_captures_mixed(self):
        self.scope.trigger_on("A", 1.5)
        self.scope.configure(3, 3, 40, 500, 1500, analog=3, digital=0x3F)
        self.scope.start()
        _, _, address = self.scope.end()
        first = (address - 2000) % 6144
        a = self.scope.volts(0, first, 1000)
        wave = [1.5 + 1.5 * math.sin(2 * math.pi * 1e3 * (2 * n - 500) * 1e-6) for n in range(1000)]
        self.assertClose(a, wave, BYTE_V + 0.02)
        lines = self.scope.dump(128, first, 2000)
        steps = [n for n in range(1, 2000) if lines[n] != lines[n - 1]]
        self.assertEqual({b - a for a, b in zip(steps, steps[1:])}, {10})

    def test_times_out(self):
        self.scope.trigger_on("A", 7)
        # 16 ms in units of 256 ticks.
        self.scope.configure(0, 0, 40, 8, 100, timeout=2500)
        started = self.scope.start()
        token, ended, _ = self.scope.end()
        self.assertEqual(token, 1)
        self.assertAlmostEqual((ended - started) % 2 ** 32 * TICK_S, 16e-3, delta=20e-6)

    def test_is_cancelled(self):
        self.scope.trigger_on("A", 7)
        self.scope.configure(0, 0, 40, 500, 500)
        started = self.scope.start()
        pause(0.05)
        token, ended, address = self.scope.cancel()
        self.assertEqual(token, 3)
        self.assertGreaterEqual((ended - started) % 2 ** 32 * TICK_S, 0.04)
        samples = self.scope.volts(0, (address - 1000) % 12288, 1000)
        self.assertClose([max(samples), min(samples)], [3, 0], BYTE_V)
        self.test_triggers_on_a()


class OverTcp(Captures, unittest.TestCase):
    def connect(self):
        return TcpTransport(*ADDRESSES.tcp)


class OverUdp(Captures, unittest.TestCase):
    def connect(self):
        return UdpTransport(*ADDRESSES.bitscope_server)


class Generators(unittest.TestCase):
    def setUp(self):
        self.scope = BitScope(TcpTransport(*ADDRESSES.bare))

    def tearDown(self):
        self.scope.close()

    def test_waveform_on_a_and_inverse_on_b(self):
        self.scope.set_range(-5.5, 8)
        frequency = self.scope.start_waveform(0, ticks=40, low=0.5, high=2.5)
        self.assertEqual(frequency, 1000)
        self.scope.trigger_on("A", 1.5)
        self.scope.configure(2, 1, 40, 500, 3500, analog=3, generator=True)
        self.scope.start()
        token, _, address = self.scope.end()
        self.assertEqual(token, 0)
        a, b = (self.scope.volts(channel, (address - 4000) % 12288, 2000) for channel in (0, 1))
        # The front end is away from nominal, so the volts are near only; A + B is 3.3 V at all times.
        self.assertAlmostEqual(max(a) - min(a), 2, delta=0.2)
        self.assertAlmostEqual(max(b) - min(b), 2, delta=0.2)
        rises = [n for n in range(1, 2000) if a[n - 1] < 1.5 <= a[n]]
        self.assertAlmostEqual((rises[-1] - rises[0]) / (len(rises) - 1), 500, delta=1)
        self.scope.stop_waveform()

    def test_clock_has_its_frequency_and_duty(self):
        self.scope.set_range(-5.5, 8)
        self.scope.start_clock(4000, 1000)
        self.scope.trigger_on("A", 1.65)
        self.scope.configure(0, 0, 40, 100, 1900)
        self.scope.start()
        token, _, address = self.scope.end()
        self.assertEqual(token, 0)
        samples = self.scope.volts(0, (address - 2000) % 12288, 2000)
        self.assertAlmostEqual(sum(s > 1.65 for s in samples) / 2000, 0.25, delta=0.001)
        rises = [n for n in range(1, 2000) if samples[n - 1] < 1.65 <= samples[n]]
        self.assertEqual({b - a for a, b in zip(rises, rises[1:])}, {100})
        self.scope.stop_clock()

    def test_calibration_finds_the_front_end(self):
        found = calibrate(self.scope, n=8)
        expected = {"la": (1.105, 0.002), "lb": (-0.06, 0.002), "lc": (0.005, 0.002), "ha": (1.08, 0.002),
                    "hb": (-0.04, 0.002), "hc": (-0.04, 0.002), "scale": (18.1, 0.02), "offset": (-7.3, 0.01),
                    "ab_offset": (0.03, 0.002)}
        for name, (value, tolerance) in expected.items():
            self.assertAlmostEqual(found[name], value, delta=tolerance, msg=f"{name} of {found}")


def address(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for option in ("--tcp", "--bitscope-server", "--bare"):
        parser.add_argument(option, type=address, required=True)
    parser.parse_args(namespace=ADDRESSES)
    unittest.main(argv=sys.argv[:1], verbosity=2)

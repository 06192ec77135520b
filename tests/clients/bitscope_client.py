"""A client of the BitScope Micro, written from the reference of its virtual machine alone.

It knows nothing of ScopeThing and shares no code with it, so that the two can disagree: where the simulated device and
the driver have misread the reference in the same way, this client still shows it. Standard library only.
"""

import socket
import struct
import time

REGISTERS = {
    # name: (address, bytes)
    "TriggerLogic": (0x05, 1), "TriggerMask": (0x06, 1), "SpockOption": (0x07, 1), "SampleAddress": (0x08, 3),
    "SampleCounter": (0x0B, 3), "EepromAddress": (0x11, 1), "ClockScale": (0x14, 2), "DumpRepeat": (0x16, 2),
    "DumpSend": (0x18, 2), "DumpSkip": (0x1A, 2), "DumpCount": (0x1C, 2), "DumpMode": (0x1E, 1),
    "TraceMode": (0x21, 1), "TraceDelay": (0x22, 4), "TraceIntro": (0x26, 2), "TraceOutro": (0x2A, 2),
    "Timeout": (0x2C, 2), "ClockTicks": (0x2E, 2), "DumpChan": (0x30, 1), "BufferMode": (0x31, 1),
    "TriggerIntro": (0x32, 2), "TriggerOutro": (0x34, 2), "AnalogEnable": (0x37, 1), "DigitalEnable": (0x38, 1),
    "Prelude": (0x3A, 2), "Cmd": (0x46, 1), "Mode": (0x47, 1), "Option": (0x48, 2), "Size": (0x4A, 2),
    "Index": (0x4C, 2), "Address": (0x4E, 2), "Clock": (0x50, 2), "Modulo": (0x52, 2), "Level": (0x54, 2),
    "Offset": (0x56, 2), "Ratio": (0x5A, 4), "Mark": (0x5E, 2), "Space": (0x60, 2), "ConverterLo": (0x64, 2),
    "ConverterHi": (0x66, 2), "TriggerLevel": (0x68, 2), "Rest": (0x78, 2), "KitchenSinkA": (0x7B, 1),
    "KitchenSinkB": (0x7C, 1), "Rise": (0x82, 2), "Fall": (0x84, 2), "Control": (0x86, 1), "Map5": (0x99, 1),
}

TICK_S = 25e-9
SPAN_V, BOTTOM_V = 18.333, -7.517


class TcpTransport:
    """A raw stream of bytes."""

    def __init__(self, host, port):
        self.socket = socket.create_connection((host, port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def write(self, commands):
        self.socket.sendall(commands)

    def read(self, count):
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise ConnectionError("the device has hung up")
            data += part
        return data

    def close(self):
        self.socket.close()


class UdpTransport:
    """The bitscope-server protocol: 64 command bytes a datagram, answers by identifier and sequence."""

    def __init__(self, host, port):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(10)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.connect((host, port))
        self.identifier = 0
        # The number of the last datagram: Data_Seq runs on over all answers.
        self.sequence = None
        self.buffer = b""

    def write(self, commands):
        for start in range(0, len(commands), 64):
            part = commands[start:start + 64]
            self.identifier = (self.identifier + 1) % 256
            self.socket.send(bytes([self.identifier]) + part)
            # All but the last command of a datagram are simple; the next datagram waits for the echo of this one.
            if start + 64 < len(commands):
                self._fill(len(self.buffer) + len(part))

    def read(self, count):
        self._fill(count)
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def _fill(self, count):
        while len(self.buffer) < count:
            datagram = self.socket.recv(65536)
            if len(datagram) < 5:
                raise ConnectionError("a datagram without data")
            _, _, cmd_id, sequence = datagram[:4]
            if self.sequence is not None and sequence != (self.sequence + 1) % 256:
                raise ConnectionError(f"datagram {sequence} follows {self.sequence}")
            if (self.identifier - cmd_id) % 256 > 1:
                raise ConnectionError(f"an answer to {cmd_id}, the last command was {self.identifier}")
            self.sequence = sequence
            self.buffer += datagram[4:]

    def close(self):
        self.socket.close()


def clipped(fraction):
    """A fraction as a 16-bit register."""
    return max(0, min(65535, round(fraction * 65536)))


class BitScope:
    """The device at the end of a transport."""

    def __init__(self, transport):
        self.transport = transport
        self.range = (0.0, 1.0)
        self._write(b"!")
        # Bytes from before may arrive ahead of the echo of a reset.
        while self.transport.read(1) != b"!":
            pass

    def close(self):
        self.transport.close()

    # The language of the virtual machine

    def _write(self, commands):
        self.transport.write(commands)

    def command(self, commands):
        """Writes commands and takes their echoes."""
        self._write(commands)
        echo = self.transport.read(len(commands))
        assert echo == commands, (echo, commands)

    def line(self):
        """Reads up to a carriage return."""
        text = b""
        while not text.endswith(b"\r"):
            text += self.transport.read(1)
        return text[:-1].decode("ascii")

    def answer(self, command):
        """A command whose answer stands between two carriage returns."""
        self.command(command)
        assert self.line() == ""
        return self.line()

    def set(self, **registers):
        script = ""
        for name, value in registers.items():
            address, width = REGISTERS[name]
            script += f"[{address:02x}]@"
            script += "".join(f"[{byte:02x}]z" for byte in (value % 256 ** width).to_bytes(width, "little"))
        self.command(script.encode("ascii"))

    def get(self, name):
        address, width = REGISTERS[name]
        value = bytes(int(self._print(address + index), 16) for index in range(width))
        return int.from_bytes(value, "little")

    def _print(self, address):
        self.command(f"[{address:02x}]@".encode("ascii"))
        return self.answer(b"p")

    def identify(self):
        return self.answer(b"?")

    def serial_number(self):
        characters = []
        for address in range(0x30, 0x38):
            self.set(EepromAddress=address)
            characters.append(chr(int(self.answer(b"r"), 16)))
        return "".join(characters)

    # Captures

    def set_range(self, low, high):
        """The range of the converter in volts, by the nominal planes of reference.md#7-voltages."""
        lo, hi = (low - BOTTOM_V) / SPAN_V, (high - BOTTOM_V) / SPAN_V
        self.set(ConverterLo=clipped(1.1 * lo - 0.05 * hi), ConverterHi=clipped(1.1 * hi - 0.05 * lo - 0.05))
        self.range = (low, high)

    def trigger_on(self, channel, volts, rising=True):
        """An edge of A or B: its comparator is the trigger's line 7 or 6."""
        bit, option = (0x80, 1) if channel == "A" else (0x40, 5)
        self.set(TriggerLogic=bit, TriggerMask=0xFF ^ bit, SpockOption=option if rising else option | 0x40,
                 KitchenSinkA=bit, TriggerLevel=clipped((volts - BOTTOM_V) / SPAN_V))

    def trigger_on_pattern(self, **lines):
        """A pattern such as L3=1, L2=0."""
        care = sum(1 << int(name[1:]) for name in lines)
        logic = sum(1 << int(name[1:]) for name, level in lines.items() if level)
        self.set(TriggerLogic=logic, TriggerMask=0xFF ^ care, SpockOption=1, KitchenSinkA=0)

    def configure(self, trace_mode, buffer_mode, ticks, before, after, scale=1, analog=1, digital=0, timeout=0,
                  generator=False):
        """A trace of so many samples before and after the trigger, with a filter of 8 samples on either side."""
        self.set(TraceMode=trace_mode, BufferMode=buffer_mode, SampleAddress=0, ClockTicks=ticks, ClockScale=scale,
                 TraceIntro=max(0, before - 8), TraceOutro=after - 8, TraceDelay=0, Timeout=timeout, TriggerIntro=4,
                 TriggerOutro=4, Prelude=0, AnalogEnable=analog, DigitalEnable=digital,
                 KitchenSinkB=0x80 | (0x40 if generator else 0))

    def start(self):
        """Starts the trace and gives the device time at which it did."""
        self.command(b">")
        self.command(b"U")
        self.command(b"D")
        assert self.line() == "02"
        return int(self.line(), 16)

    def end(self):
        """Waits for the end: why, when, and the address of the next sample."""
        return int(self.line(), 16), int(self.line(), 16), int(self.line(), 16)

    def cancel(self):
        self.command(b"K")
        return self.end()

    def dump(self, channel, address, count, native=False):
        """Samples as bytes, or as signed words."""
        self.set(DumpMode=5 if native else 0, DumpChan=channel, DumpCount=count, DumpRepeat=1, DumpSend=1,
                 DumpSkip=0, SampleAddress=address)
        self.command(b">")
        self.command(b"A")
        data = self.transport.read(2 * count if native else count)
        return list(struct.unpack(f">{count}h", data) if native else data)

    def volts(self, channel, address, count, native=False):
        low, high = self.range
        samples = self.dump(channel, address, count, native)
        parts = [(s + 32768) / 65536 for s in samples] if native else [s / 256 for s in samples]
        return [low + part * (high - low) for part in parts]

    # Generators

    def start_waveform(self, shape, ticks, size=1000, waves=1, low=0.0, high=3.3, symmetry=0.5):
        """Plays a shape (0 sine, 1 triangle, 2 exponential, 3 square); gives its frequency in hertz."""
        self.set(Cmd=0, Mode=shape, Ratio=clipped(symmetry))
        self.command(b"Y")
        offset = ((low + high) / 2 - 1.65) / 3.3
        self.set(Cmd=0, Mode=0, Level=clipped((high - low) / 3.3), Offset=round(offset * 65536),
                 Ratio=round(waves * 1024 / size * 65536), Index=0, Address=0, Size=size)
        self.command(b"X")
        self.set(Cmd=2, Mode=0, Clock=ticks, Modulo=size, Mark=10, Space=1, Rest=0x7F00, Option=0x8004)
        self.command(b"Z")
        self.set(KitchenSinkB=0x40)
        self.command(b"U")
        return 40e6 * waves / (size * ticks)

    def stop_waveform(self):
        self.set(Cmd=1, Mode=0)
        self.command(b"Z")
        self.set(KitchenSinkB=0)
        self.command(b"U")

    def start_clock(self, ticks, high_ticks):
        self.set(Map5=0x12, Clock=ticks, Rise=0, Fall=high_ticks, Control=0x80, Cmd=3, Mode=0)
        self.command(b"Z")

    def stop_clock(self):
        self.set(Map5=0, Cmd=1, Mode=0)
        self.command(b"Z")


def pause(seconds):
    """Lets time pass for the device: what it does meanwhile is what is asked for, so there is nothing to wait on."""
    time.sleep(seconds)

"""A bitscope-server written from reference.md#11-the-bitscope-server-protocol alone, in front of a device that is reached over TCP.

    python3 bitscope_server.py --device HOST:PORT [--chunk BYTES] [--count on|0|1] [--first N] [--lose P] [--repeat P]
        [--swap P] [--way both|back] [--seed N]

It prints the address it listens at. It relays bytes and executes whatever arrives, as often as it arrives: an adaptor
knows no better. What the device sends goes to the client in datagrams of at most `--chunk` bytes of data, under the
Cmd_ID of the datagram that the device is answering. `--count on` numbers all datagrams one after the other, `0` and `1`
begin anew for each command. Losses, repetitions and datagrams overtaken by the next befall both directions, or only what
goes back to the client.
"""

import argparse
import random
import select
import socket

ADAPTOR = b"\xb5\x05"
# How long the device may be silent before what it has sent is passed on.
PAUSE_S = 0.002


class Network:
    """What becomes of datagrams on their way in one direction."""

    def __init__(self, options, chance, sound=False):
        self.options, self.chance, self.sound = options, chance, sound
        self.held = None

    def carry(self, datagram):
        """The datagrams that arrive now."""
        if self.sound:
            return [datagram]
        fate = self.chance.random()
        arrived = [datagram]
        if fate < self.options.lose:
            arrived = []
        elif fate < self.options.lose + self.options.repeat:
            arrived = [datagram, datagram]
        elif fate < self.options.lose + self.options.repeat + self.options.swap and self.held is None:
            self.held = datagram
            return []
        if self.held is not None:
            arrived.append(self.held)
            self.held = None
        return arrived

    def quiet(self):
        """Nothing follows: what was held arrives late."""
        late, self.held = self.held, None
        return [] if late is None else [late]


class Server:
    def __init__(self, options):
        host, port = options.device.rsplit(":", 1)
        self.options = options
        self.device = socket.create_connection((host, int(port)))
        self.device.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self.socket.bind(("127.0.0.1", 0))
        chance = random.Random(options.seed)
        self.inward = Network(options, chance, sound=options.way == "back")
        self.outward = Network(options, chance)
        self.client = None
        self.number = options.first if options.count == "on" else int(options.count)
        # Echoes that are due: Cmd_ID and byte. What follows an echo belongs to it until the next one comes.
        self.due = []
        self.answering = None
        self.numbers = {}

    def run(self):
        while True:
            ready, _, _ = select.select([self.socket, self.device], [], [], PAUSE_S)
            if self.device in ready and not self.answer():
                return
            if self.socket in ready:
                datagram, self.client = self.socket.recvfrom(65536)
                self.hear(self.inward.carry(datagram))
            if not ready:
                self.hear(self.inward.quiet())
                self.send(self.outward.quiet())

    def hear(self, datagrams):
        for datagram in datagrams:
            cmd_id, commands = datagram[0], datagram[1:]
            if not 1 <= len(commands) <= 64:
                continue
            if self.options.count != "on":
                self.numbers[cmd_id] = int(self.options.count)
            self.due += [(cmd_id, byte) for byte in commands]
            self.device.sendall(commands)

    def answer(self):
        """Passes on what the device has sent so far; returns whether it is still there."""
        data = self.device.recv(65536)
        run, owner = b"", self.answering
        for byte in data:
            of = self.owner(byte)
            if of != owner and run:
                self.pack(owner, run)
                run = b""
            owner = of
            run += bytes([byte])
        if run:
            self.pack(owner, run)
        return bool(data)

    def owner(self, byte):
        """The Cmd_ID that a byte from the device answers."""
        if self.due and self.due[0][1] == byte:
            cmd_id, _ = self.due.pop(0)
            # The end of a trace belongs to the command that started it, also behind the echo of K.
            if byte != ord("K") or self.answering is None:
                self.answering = cmd_id
            return cmd_id
        return self.answering

    def pack(self, cmd_id, data):
        for start in range(0, len(data), self.options.chunk):
            if self.options.count == "on":
                number, self.number = self.number, (self.number + 1) % 256
            else:
                number = self.numbers[cmd_id]
                self.numbers[cmd_id] = (number + 1) % 256
            header = ADAPTOR + bytes([cmd_id, number])
            self.send(self.outward.carry(header + data[start:start + self.options.chunk]))

    def send(self, datagrams):
        for datagram in datagrams:
            self.socket.sendto(datagram, self.client)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", required=True)
    parser.add_argument("--chunk", type=int, default=1472)
    parser.add_argument("--count", choices=("on", "0", "1"), default="on")
    parser.add_argument("--first", type=int, default=250)
    for fault in ("--lose", "--repeat", "--swap"):
        parser.add_argument(fault, type=float, default=0.0)
    parser.add_argument("--way", choices=("both", "back"), default="both")
    parser.add_argument("--seed", type=int, default=1)
    server = Server(parser.parse_args())
    print("{}:{}".format(*server.socket.getsockname()), flush=True)
    server.run()

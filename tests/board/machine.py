"""The board: a Debian in QEMU, with FTDI adapters that are plugged in and out, and whose power can be cut."""

import base64
import contextlib
import json
import os
import socket
import subprocess
import time

# A boot takes a quarter of a minute without KVM; minutes, where others work too.
BOOT_S = 300
COMMAND_S = 120


class Failed(Exception):
    """The board does not what it should."""


class Lines:
    """Lines of text to and from a socket of QEMU."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.rest = b""

    def send(self, line):
        self.socket.sendall(line.encode() + b"\n")

    def read(self, limit_s):
        self.socket.settimeout(limit_s)
        while b"\n" not in self.rest:
            received = self.socket.recv(1 << 16)
            if not received:
                raise Failed("QEMU has ended")
            self.rest += received
        line, self.rest = self.rest.split(b"\n", 1)
        return line.decode()


class Board:
    """A board with a disk of its own, which outlives its power."""

    def __init__(self, directory, base, files):
        self.directory, self.base, self.files = directory, base, files
        self.disk = os.path.join(directory, "disk.qcow2")
        backing = ["-b", os.path.join(base, "root.img"), "-F", "raw"]
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *backing, self.disk], check=True)
        self.qemu = None

    def power_on(self):
        """Boots; returns when commands are taken."""
        path = lambda name: os.path.join(self.directory, name)
        for name in ("qmp", "agent"):
            with contextlib.suppress(FileNotFoundError):
                os.remove(path(name))
        command = [
            # ACCEL=kvm is quicker where it works; it hangs on some computers that are virtual themselves.
            *["qemu-system-x86_64", "-machine", "q35", "-accel", os.environ.get("ACCEL", "tcg"), "-m", "512"],
            *["-nodefaults", "-no-user-config", "-display", "none", "-rtc", "base=utc"],
            *["-kernel", os.path.join(self.base, "vmlinuz"), "-initrd", os.path.join(self.base, "initrd.img")],
            *["-append", "root=/dev/vda rw console=ttyS0 quiet"],
            *["-serial", "file:" + path("console")],
            # What is not brought to the disk is gone with the power: the guest's own memory, and the table of a qcow2.
            *["-drive", f"file={self.disk},format=qcow2,if=virtio,cache=none"],
            *["-drive", f"file={self.files},format=raw,if=virtio,readonly=on"],
            *["-device", "qemu-xhci,id=usb", "-device", "virtio-serial"],
            *["-chardev", f"socket,id=agent,path={path('agent')},server=on,wait=off"],
            *["-device", "virtserialport,chardev=agent,name=agent"],
            *["-chardev", f"socket,id=qmp,path={path('qmp')},server=on,wait=off", "-mon", "chardev=qmp,mode=control"],
        ]
        self.qemu = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        until("QEMU listens", lambda: os.path.exists(path("qmp")) and os.path.exists(path("agent")))
        self.qmp = Lines(path("qmp"))
        self.qmp.read(10)
        self.qemu_send("qmp_capabilities")
        self.agent = Lines(path("agent"))
        self.agent.send(base64.b64encode(b"systemctl is-system-running --wait").decode())
        state = self.answer(BOOT_S)[1].strip()
        if state != "running":
            raise Failed(f"the board is {state}: {self.run('systemctl --failed', check=False)}")

    def cut_power(self):
        self.qemu.kill()
        self.qemu.wait()

    def qemu_send(self, command, **arguments):
        self.qmp.send(json.dumps({"execute": command, "arguments": arguments}))
        answer = self.qemu_reply(lambda answer: "error" in answer or "return" in answer)
        if "error" in answer:
            raise Failed(f"{command}: {answer['error']['desc']}")

    def qemu_reply(self, wanted):
        while not wanted(answer := json.loads(self.qmp.read(30))):
            pass
        return answer

    def plug_in(self, name, simulator, bridge_serial, port):
        """Plugs in a BitScope, whose USB bridge has a serial number of its own."""
        host, tcp_port = simulator.address.split(":")
        address = {"type": "inet", "data": {"host": host, "port": tcp_port}}
        backend = {"type": "socket", "data": {"addr": address, "server": False}}
        self.qemu_send("chardev-add", id=name, backend=backend)
        place = {"bus": "usb.0", "port": str(port)}
        self.qemu_send(
            "device_add", driver="usb-serial", id=f"usb-{name}", chardev=name, serial=bridge_serial, **place
        )

    def unplug(self, name):
        self.qmp.send(json.dumps({"execute": "device_del", "arguments": {"id": f"usb-{name}"}}))
        self.qemu_reply(lambda answer: answer.get("event") == "DEVICE_DELETED")
        self.qemu_send("chardev-remove", id=name)

    def run(self, command, check=True, limit_s=COMMAND_S):
        """The output of a command, as root."""
        self.agent.send(base64.b64encode(command.encode()).decode())
        code, output = self.answer(limit_s)
        if check and code != 0:
            raise Failed(f"{command!r} ended with {code}: {output}")
        return output

    def answer(self, limit_s):
        code, _, output = self.agent.read(limit_s).partition(" ")
        return int(code), base64.b64decode(output).decode(errors="replace")


class Simulator:
    """A BitScope to plug in."""

    def __init__(self, program, *arguments):
        command = [program, "simulate", "--tcp", "127.0.0.1:0", *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.address = json.loads(self.process.stdout.readline())["tcp"]

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def until(what, condition, limit_s=60):
    """Waits for something to become true, and returns it."""
    end = time.monotonic() + limit_s
    while not (met := condition()):
        if time.monotonic() > end:
            raise Failed(f"waited {limit_s} s in vain: {what}")
        time.sleep(0.2)
    return met

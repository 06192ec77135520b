"""What the checks have in common: the board, the BitScopes to plug in, and what the service reports."""

import csv
import io
import json
import os
import re
import shlex

from machine import Failed, Simulator, until

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
UNIT = "scopething-record@bench"
DIRECTORY = "/var/lib/scopething"
# No URL: it has to find the port. The signal lies well within each trace.
JOB = """\
[capture]
channels = ["A"]
period = "5ms"
samples = 500
timeout = "100ms"

[when]
every = "200ms"

[files]
directory = "/var/lib/scopething"
"""
BRIDGE, OTHER_BRIDGE = "AB0001", "AB0002"
SERIAL, OTHER_SERIAL = "DB98TI79", "XX000001"


class Bench:
    def __init__(self, board, program):
        self.board, self.program, self.simulators = board, program, {}
        self.run = board.run

    def plug_in(self, name="scope", port=1):
        """The BitScope of the job, or `other`."""
        serial, bridge = (SERIAL, BRIDGE) if name == "scope" else (OTHER_SERIAL, OTHER_BRIDGE)
        arguments = ["--signal", "A=sine 1kHz 0..3V", "--set", f"serial={serial}"]
        self.simulators[name] = Simulator(self.program, *arguments)
        self.board.plug_in(name, self.simulators[name], bridge, port)

    def unplug(self, name="scope"):
        self.board.unplug(name)
        self.simulators.pop(name).end()

    def ports(self):
        return self.run("ls /dev | grep ttyUSB || true").split()

    def restore(self):
        """However the check before has ended: the scope alone is there, and its job is recorded."""
        for name in [name for name in self.simulators if name != "scope"]:
            self.unplug(name)
        if "scope" not in self.simulators:
            self.plug_in()
        self.start_job()
        until("the job is recorded", lambda: self.status()["connected"])

    def end(self):
        for simulator in self.simulators.values():
            simulator.end()

    def start_job(self, text=JOB):
        """Records another job than before, into an empty directory."""
        self.run(f"systemctl stop {UNIT}; find {DIRECTORY} -mindepth 1 -delete; systemctl reset-failed {UNIT} || true")
        self.write("/etc/scopething/bench.toml", text)
        self.run(f"systemctl start {UNIT}")

    def write(self, path, text):
        """A file that a loss of power leaves as it is."""
        self.run(f"printf %s {shlex.quote(text)} > {path} && sync {path}")

    def show(self, *names):
        lines = self.run(f"systemctl show {UNIT} -p {','.join(names)}").splitlines()
        return dict(line.split("=", 1) for line in lines)

    def status(self):
        text = self.run("cd / && scopething record --status --json /etc/scopething/bench.toml", check=False)
        return json.loads(text) if text.startswith("{") else {"written": 0, "connected": False, "troubles": []}

    def until_written(self, more, limit_s=60):
        """Waits for so many traces more, and gives the status then."""
        last = self.status()["written"]
        enough = lambda: (status := self.status())["written"] >= last + more and status
        return until(f"{more} traces more than {last} are written", enough, limit_s)

    def journal(self):
        """What the service has logged since the board was switched on: priority and text."""
        lines = self.run(f"journalctl -b -u {UNIT} -o json --output-fields=MESSAGE,PRIORITY,_TRANSPORT").splitlines()
        entries = [json.loads(line) for line in lines]
        return [(int(entry["PRIORITY"]), entry["MESSAGE"]) for entry in entries]

    def logged(self, text, since):
        """The journal's entries with this text, from the one numbered `since` on."""
        return [entry for entry in self.journal()[since:] if text in entry[1]]

    def until_logged(self, text, since, limit_s=60):
        return until(f"the journal has {text!r}", lambda: self.logged(text, since), limit_s)

    def rows(self, pattern="trace-0*.csv"):
        """The rows of all files, in order."""
        texts = self.run(f"for file in {DIRECTORY}/{pattern}; do cat $file; echo; done").split("\n\n")
        return [row for text in texts if text.strip() for row in csv.DictReader((line for line in io.StringIO(text) if not line.startswith("#")), strict=True)]

    def numbers(self):
        """The numbers of the traces, each of which must be whole."""
        rows = self.rows()
        first = [row for row in rows if row["rows"]]
        check(sum(int(row["rows"]) for row in first) == len(rows), "the rows of the traces make up the files")
        return [int(row["trace"]) for row in first]


def check(right, what):
    """Prints what was seen, and fails if it is wrong."""
    print(f"    {'ok   ' if right else 'WRONG'} {what}", flush=True)
    if not right:
        raise Failed(what)


def commands_of_readme():
    """The commands for a board, but the one that follows the journal for ever."""
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        block = re.search(r"^On a Raspberry Pi.*?```console\n(.*?)```", file.read(), re.MULTILINE | re.DOTALL)
    commands = [line.removeprefix("$ ") for line in block[1].splitlines()]
    return [command for command in commands if not command.startswith("journalctl -f")]

"""What other users, files and the system do to the program."""

import json
import os
import resource
import signal
import subprocess
import time

from bench import LIMIT, Server, Wire, ask_device, connect, use_once
from network import IDENTITY, SIGNAL, data_door

# Clears the screen, sets the title, and asks for what the terminal answers with: all a terminal would act on.
ESCAPES = "\x1b[2J\x1b]0;owned\x07\x9b2J\u202e"


def write_job(directory, name, status):
    """A job whose status is in that file."""
    with open(os.path.join(directory, name), "w") as file:
        file.write(f'url = "sim:"\n[files]\ndirectory = "{directory}/files"\n[status]\nfile = "{status}"\n')


def calibration_file(program):
    """Where the program looks for a calibration of probes, in a directory that is there."""
    directory = os.path.join(program.home, ".config", "scopething")
    os.makedirs(directory, exist_ok=True)
    return os.path.join(directory, "analog.conf")


def rescue_follows_a_link(program, seconds):
    """A link of another user stands where a capture that could not be written used to be rescued to."""
    del seconds
    victim = os.path.join(program.scratch.name, "victim")
    with open(victim, "w") as file:
        file.write("precious")

    def prepare():
        os.symlink(victim, os.path.join(program.tmp, f"scopething-rescued-{os.getpid()}-1.json"))

    done = program.run("capture", "--url", SIGNAL, "-o", "/dev/full", "--format", "csv", preexec=prepare)
    stderr = done.stderr.decode()
    with open(victim) as file:
        assert file.read() == "precious", "the file behind the link was overwritten"
    assert "the capture was saved to" in stderr, stderr
    saved = stderr.split("the capture was saved to ")[1].split(" instead")[0]
    mode = os.stat(saved).st_mode & 0o777
    assert saved.startswith(program.home) and mode == 0o600, (saved, oct(mode))
    return "the file behind the link is as it was; the capture is in the user's own directory"


def open_follows_a_link(program, seconds):
    """A link of another user stands where `open` used to write the file that it shows."""
    del seconds
    victim, trace = (os.path.join(program.scratch.name, name) for name in ("victim", "trace.csv"))
    with open(victim, "w") as file:
        file.write("precious")
    assert program.run("capture", "--url", SIGNAL, "-o", trace).returncode == 0

    def prepare():
        os.symlink(victim, os.path.join(program.tmp, f"scopething-{os.getpid()}-trace-1.sr"))

    viewer = os.path.join(program.scratch.name, "viewer")
    with open(viewer, "w") as file:
        file.write('#!/bin/sh\nstat -c "%a %n" "$(dirname "$1")" "$1" >"$0.seen"\n')
    os.chmod(viewer, 0o700)
    os.environ["SCOPETHING_PULSEVIEW"] = viewer
    try:
        done = program.run("open", trace, preexec=prepare)
    finally:
        del os.environ["SCOPETHING_PULSEVIEW"]
    assert done.returncode == 0, done.stderr
    with open(victim, "rb") as file:
        assert file.read() == b"precious", "the file behind the link was overwritten"
    with open(viewer + ".seen") as file:
        directory, shown = file.read().splitlines()
    assert directory.startswith("700 ") and shown.endswith("trace-1.sr"), (directory, shown)
    return f"the file behind the link is as it was; shown from {directory}"


def escapes_reach_the_terminal(program, seconds):
    """Job files, status files and names of files hold escape sequences; the terminal is to see none that came from there."""
    del seconds
    directory = os.path.join(program.scratch.name, "escapes")
    os.mkdir(directory)

    def write(name, text):
        with open(os.path.join(directory, name), "w") as file:
            file.write(text)

    name = ESCAPES.replace("/", "")
    write("job.toml", f'url = "sim:"\n"{ESCAPES.encode("unicode_escape").decode().replace(chr(92) + "x", chr(92) + "u00")}" = 1\n')
    write("raw.toml", f'url = "{ESCAPES}"\n')
    status = {
        "started": ESCAPES, "updated": ESCAPES, "ended": False, "url": ESCAPES, "serial": ESCAPES, "connected": True,
        "connections": 1, "captures": 1, "kept": 1, "written": 1, "held": 0, "inside": 0, "dropped": 0, "bad_traces": 0,
        "link_errors": 0, "clock_steps": 0, "rate_hz": 1.0, "last_trigger": ESCAPES, "drift_ppm": None, "next_number": 1,
        "files": 1, "file_bytes": 1, "removed_files": 0, "free_bytes": None,
        "conditions": [], "waiting": {"since": ESCAPES, "text": ESCAPES},
    }
    write("status.json", json.dumps(status))
    write_job(directory, "good.toml", f"{directory}/status.json")
    write(f"{name}.csv", "time,A\n0,nonsense\n")
    write("header.csv", f"time,{ESCAPES}\n0,1\n1,2\n")
    write(f"{name}.conf", "nothing")
    runs = [
        ("record", "--check", "job.toml"), ("record", "raw.toml"), ("record", "--status", "good.toml"),
        ("record", "--status", "--json", "good.toml"), ("plot", f"{name}.csv"), ("analyse", f"{name}.csv"),
        ("analyse", "header.csv"), ("capture", "--url", "sim:", "-o", f"{name}.nothing"),
        ("capture", "--url", f"sim:?{name}=1"), ("capture", "--url", f"file:/{name}"), ("capture", f"--{name}"),
        ("wave", "--url", "sim:", f"file:{name}"), ("record", f"{name}.toml"),
    ]
    leaks = []
    for arguments in runs:
        code, seen = program.run_on_terminal(*arguments, directory=directory)
        foreign = [b"\x1b[2J", b"\x1b]0;", b"\x07", b"\xc2\x9b", "\u202e".encode()]
        if any(piece in seen for piece in foreign):
            leaks.append(arguments[:2])
        assert seen, arguments
        assert "--status" not in arguments or code == 0, (arguments, seen)
    assert not leaks, f"{len(leaks)} of {len(runs)} runs: {leaks}"
    return f"{len(runs)} runs, none lets one through"


def odd_files_are_waited_for(program, seconds):
    """FIFOs and devices where a job, a status, a lock, a calibration or an output should be."""
    del seconds
    directory = os.path.join(program.scratch.name, "odd")
    os.mkdir(directory)
    fifo = os.path.join(directory, "fifo")
    os.mkfifo(fifo)
    os.mkdir(os.path.join(directory, "locked"))
    os.mkfifo(os.path.join(directory, "locked", ".scopething.lock"))
    write_job(directory, "status.toml", fifo)
    write_job(directory, "zero.toml", "/dev/zero")
    conf = calibration_file(program)
    os.mkfifo(conf)
    runs = [
        ("record", fifo), ("record", "--check", "/dev/zero"), ("record", "--status", "status.toml"),
        ("record", "--status", "zero.toml"), ("capture", "--url", "sim:", "-o", f"{fifo}.csv"),
        ("capture", "--url", "sim:", "--probes", "x10"), ("analyse", f"{fifo}.csv"), ("wave", "--url", "sim:", f"file:{fifo}"),
    ]
    os.mkfifo(f"{fifo}.csv")
    waited, codes = [], []
    for arguments in runs:
        try:
            done = program.run(*arguments, directory=directory, limit=10)
            codes.append(done.returncode)
            # Not 2: that would be a job or an option that is not understood, and its file never looked at.
            if done.returncode != 1 or not done.stderr:
                waited.append((arguments, done.returncode))
        except subprocess.TimeoutExpired:
            waited.append((arguments, "waits"))
    os.unlink(conf)
    assert not waited, f"{len(waited)} of {len(runs)}: {waited}"
    return f"{len(runs)} runs, each refused at once"


def endless_answers_are_read(program, seconds):
    """A job and a calibration of a gigabyte: memory stays bounded."""
    del seconds
    directory = os.path.join(program.scratch.name, "endless")
    os.mkdir(directory)
    job = os.path.join(directory, "job.toml")
    with open(job, "w") as file:
        file.truncate(1 << 30)
    conf = calibration_file(program)
    with open(conf, "w") as file:
        file.truncate(1 << 30)
    status = os.path.join(directory, "status.json")
    with open(status, "w") as file:
        file.truncate(1 << 30)
    write_job(directory, "status.toml", status)
    worst = 0
    for arguments in (("record", job), ("record", "--status", "status.toml"), ("capture", "--url", "sim:", "--probes", "x10")):
        child = subprocess.Popen(
            [program.path, *arguments], cwd=directory, env=program.environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 10
        while not (waited := os.wait4(child.pid, os.WNOHANG))[0]:
            if time.monotonic() > deadline:
                child.kill()
                raise AssertionError(f"{arguments} reads on")
            time.sleep(0.02)
        child.returncode, usage = os.waitstatus_to_exitcode(waited[1]), waited[2]
        assert child.returncode == 1, (arguments, child.returncode)
        worst = max(worst, usage.ru_maxrss)
    os.unlink(conf)
    assert worst < 200 << 10, f"{worst} KiB"
    return f"{worst} KiB at most"


def file_size_limit_kills(program, seconds):
    """A limit of the size of files (SIGXFSZ) is as a full disk: an error, and no death by the signal."""
    del seconds
    done = subprocess.run(
        [program.path, "capture", "--url", SIGNAL, "-o", "limited.csv"], cwd=program.scratch.name,
        env=program.environment(), capture_output=True, timeout=LIMIT, text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY)),
    )
    assert done.returncode == 1 and "error:" in done.stderr, (done.returncode, done.stderr)
    return f"exit code 1: {done.stderr.splitlines()[0]}"


def signals_end_in_order(program, seconds):
    """SIGTERM, SIGHUP and SIGINT end what serves: the generator that a client has started is stopped."""
    del seconds
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        name = signal.Signals(number).name
        with Server(program, "simulate", "--tcp", "127.0.0.1:0") as device, Wire(device["tcp"]) as wire:
            url = "socket://127.0.0.1:%d" % wire.address[1]
            doors = ("--rigol", "127.0.0.1:0", "--twinlan", "127.0.0.1:0", "--tcp", "127.0.0.1:0")
            with Server(program, "serve", "--url", url, *doors) as server:
                with connect(server["twinlan"]) as control, connect(data_door(server)):
                    control.sendall(b"AWG:START\n*IDN?\n")
                    control.recv(100)
                    until = time.monotonic() + LIMIT
                    while b"Z" not in wire.sent:
                        assert time.monotonic() < until, f"the generator was never started: {bytes(wire.sent)!r}"
                        time.sleep(0.01)
                    with connect(server["tcp"]) as holder:
                        holder.sendall(b"?")
                        holder.recv(100)
                        before = len(wire.sent)
                        server.child.send_signal(number)
                        code = server.child.wait(LIMIT)
                assert code == 0, f"serve ended by {name} with {code}"
                assert b"!" in wire.sent[before:], f"the device was not reset after {name}"
    return "3 ends with exit code 0, the device reset"


def allow_is_understood(program, seconds):
    """`--allow` takes single addresses and mapped ranges; simulate has the same rules; a port that has no next is named."""
    del seconds
    with Server(program, "simulate", "--tcp", "0.0.0.0:0", "--allow", "127.9.9.9") as server:
        assert ask_device(("127.0.0.1", server["tcp"][1]), b"?", len(IDENTITY)) == IDENTITY
    for allow in ("::ffff:10.0.0.0/104", "10.1.2.3", "fd00::1"):
        with Server(program, "serve", "--url", "sim:", "--hmo", "0.0.0.0:0", "--allow", allow) as server:
            use_once(("127.0.0.1", server["hmo"][1]))
    refused = program.run("simulate", "--tcp", "0.0.0.0:0", limit=5)
    assert refused.returncode == 2 and b"--allow" in refused.stderr, refused
    last = program.run("serve", "--url", "sim:", "--twinlan", "127.0.0.1:65535", limit=5)
    assert last.returncode != 0 and b"65534" in last.stderr, last.stderr
    partly = program.run("serve", "--url", "sim:", "--hmo", "127.0.0.1:0", "--allow", "::ffff:0:0/90", limit=5)
    assert partly.returncode == 2, partly
    return "6 forms"


ATTACKS = [
    rescue_follows_a_link, open_follows_a_link, escapes_reach_the_terminal, odd_files_are_waited_for, endless_answers_are_read,
    file_size_limit_kills, signals_end_in_order, allow_is_understood,
]

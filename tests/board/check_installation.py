"""The service is installed as README.md documents, and finds and records the scope."""

import math

from bench import BRIDGE, JOB, UNIT, check, commands_of_readme
from machine import until


def installed_as_documented(bench):
    """The scope is plugged in before there is any rule for it."""
    bench.plug_in()
    until("there is a port", bench.ports)
    bench.run("mkdir -p /root/scopething && mount -o ro /dev/vdb /mnt && cp -r /mnt/. /root/scopething")
    bench.write("/root/scopething/bench.toml", JOB)
    for command in commands_of_readme():
        print(f"    $ {command}", flush=True)
        # There is no sudo, and the program is built already.
        bench.run(f'sudo() {{ "$@"; }}; cargo() {{ :; }}; cd /root/scopething; {command}')
    # A loss of power later on is to find it installed.
    bench.run("sync")
    state = bench.show("ActiveState", "SubState", "User", "NRestarts")
    check(state["ActiveState"] == "active" and state["SubState"] == "running", f"it is READY: {state}")


def port_has_group_name_and_low_latency(bench):
    # The rule is applied once udev has done what it was asked for.
    bench.run("udevadm settle")
    owner = bench.run("stat -c '%U:%G %a' /dev/ttyUSB0").strip()
    check(owner == "root:dialout 660", f"/dev/ttyUSB0 belongs to {owner}")
    link = bench.run(f"readlink /dev/bitscope-{BRIDGE}", check=False).strip()
    check(link == "ttyUSB0", f"/dev/bitscope-{BRIDGE} is {link}")
    ignored = bench.run("udevadm info -q property /dev/ttyUSB0")
    check("ID_MM_DEVICE_IGNORE=1" in ignored, "no modem is looked for")
    bench.run(f"systemctl stop {UNIT}")
    # What the program sets it to is the same: without it, plugged in anew, the rule shows.
    bench.unplug()
    until("the port is gone", lambda: not bench.ports())
    bench.plug_in()
    until("the port is there", bench.ports)
    bench.run("udevadm settle")
    latency = bench.run("cat /sys/bus/usb-serial/devices/ttyUSB0/latency_timer").strip()
    check(latency == "1", f"latency_timer is {latency} ms")
    bench.run(f"systemctl start {UNIT}")


def sine_is_recorded_as_it_is(bench):
    status = bench.until_written(10)
    check(status["connected"] and not status["troubles"], f"status {status['url']}: {status['written']} written")
    rows = bench.rows()
    volts = [float(row["A"]) for row in rows if row["trace"] == rows[0]["trace"]]
    times = [float(row["time"]) for row in rows if row["trace"] == rows[0]["trace"]]
    middle = (max(volts) + min(volts)) / 2
    rising = [at for at, before, after in zip(times[1:], volts, volts[1:]) if before < middle <= after]
    frequency = (len(rising) - 1) / (rising[-1] - rising[0])
    check(math.isclose(frequency, 1000, rel_tol=0.02), f"it has {frequency:.1f} Hz")
    check(abs(min(volts)) < 0.1 and abs(max(volts) - 3) < 0.1, f"from {min(volts):.2f} V to {max(volts):.2f} V")
    numbers = bench.numbers()
    check(numbers == list(range(1, len(numbers) + 1)), f"{len(numbers)} traces of {len(times)} samples, numbered from 1")


def summary_measures_the_sine(bench):
    bench.start_job(JOB + "[keep]\nwhat = 'summary'\n")
    bench.until_written(3)
    row = bench.rows()[0]
    seen = {name: float(row[f"A_{name}"]) for name in ("min", "max", "mean", "frequency")}
    check(math.isclose(seen["frequency"], 1000, rel_tol=0.01), f"a row of the summary: {seen}")
    check(abs(seen["min"]) < 0.1 and abs(seen["max"] - 3) < 0.1, "its levels are those of the signal")


def systemd_and_journal_are_informed(bench):
    bench.until_written(2)
    shown = [line.strip() for line in bench.run(f"systemctl status {UNIT}").splitlines() if "Status:" in line]
    check(len(shown) == 1 and " written; recording" in shown[0], f"systemctl status shows {shown}")
    began = [entry for entry in bench.journal() if "recording from the scope" in entry[1]]
    check(began[0][0] == 5, f"the journal has {began[0]}")
    lines = bench.run("scopething record --status /etc/scopething/bench.toml").splitlines()
    check(any(line.startswith("scope") and "connected" in line for line in lines), f"record --status: {lines[1]}")

"""The service runs without privileges."""

from bench import JOB, UNIT, check
from machine import until


def privileges_are_few(bench):
    process = bench.show("MainPID")["MainPID"]
    words = bench.run(f"cat /proc/{process}/status").split()
    for name in ("CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"):
        check(int(words[words.index(name) + 1], 16) == 0, f"{name} 0")
    user = bench.run(f"stat -c %U /proc/{process}").strip()
    check(user == "scopething", f"it runs as {user}")
    verified = bench.run("systemd-analyze verify /etc/systemd/system/scopething-record@.service", check=False)
    check(verified == "", f"systemd-analyze verify prints {verified!r}")
    exposure = bench.run(f"systemd-analyze security {UNIT} --no-pager").splitlines()
    level = float(exposure[-1].split(":")[1].split()[0])
    check(level <= 1.2, exposure[-1])
    print(*(f"      {line}" for line in exposure if line.startswith("✗")), sep="\n")


def scope_in_the_network_is_reached(bench):
    # A Debian as small as this one has no such file.
    bench.run("[ -e /etc/hosts ] || echo 127.0.0.1 localhost > /etc/hosts")
    bench.run("systemd-run -q --unit simulator scopething simulate --tcp 127.0.0.1:5025 --signal 'A=sine 1kHz 0..3V'")
    try:
        until("the simulator listens", lambda: "127.0.0.1:5025" in bench.run("journalctl -b -u simulator"))
        bench.start_job('url = "socket://localhost:5025"\n' + JOB)
        status = bench.until_written(3)
        check(status["connected"], f"from {status['url']} {status['written']} are written")
    finally:
        bench.run("systemctl stop simulator")

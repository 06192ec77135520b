"""The service runs without privileges."""

from bench import UNIT, check


def privileges_are_few(bench):
    process = bench.show("MainPID")["MainPID"]
    words = bench.run(f"cat /proc/{process}/status").split()
    for name in ("CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"):
        check(int(words[words.index(name) + 1], 16) == 0, f"{name} 0")
    user = bench.run(f"stat -c %U /proc/{process}").strip()
    check(user == "scopething", f"it runs as {user}")
    verified = bench.run("systemd-analyze verify /etc/systemd/system/scopething-record@.service", check=False)
    check(verified == "", f"systemd-analyze verify says {verified!r}")
    exposure = bench.run(f"systemd-analyze security {UNIT} --no-pager").splitlines()
    level = float(exposure[-1].split(":")[1].split()[0])
    check(level <= 1.2, exposure[-1])
    print(*(f"      {line}" for line in exposure if line.startswith("✗")), sep="\n")

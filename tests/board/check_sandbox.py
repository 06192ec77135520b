"""The service runs without privileges and within its memory."""

from bench import UNIT, check


def memory_is_bounded(bench):
    bench.until_written(5)
    peak = int(bench.run(f"cat /sys/fs/cgroup/system.slice/system-scopething*.slice/{UNIT}.service/memory.peak"))
    most = int(bench.show("MemoryMax")["MemoryMax"])
    kinds = bench.run(f"cat /sys/fs/cgroup/system.slice/system-scopething*.slice/{UNIT}.service/memory.stat").split()
    anonymous = int(kinds[kinds.index("anon") + 1])
    check(most == 64 << 20 and peak <= most, f"at most {peak >> 10} KiB of {most >> 10} KiB, files' pages included")
    check(anonymous < most / 2, f"{anonymous >> 10} KiB are its own")
    check("oom_kill 0" in bench.run(f"cat /sys/fs/cgroup/system.slice/system-scopething*.slice/{UNIT}.service/memory.events"), "none was refused")


def privileges_are_few(bench):
    process = bench.show("MainPID")["MainPID"]
    words = bench.run(f"cat /proc/{process}/status").split()
    for name in ("CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"):
        check(int(words[words.index(name) + 1], 16) == 0, f"{name} 0")
    user = bench.run(f"stat -c %U /proc/{process}").strip()
    check(user == "scopething", f"it runs as {user}")
    verified = bench.run(f"systemd-analyze verify /etc/systemd/system/scopething-record@.service", check=False)
    check(verified == "", f"systemd-analyze verify says {verified!r}")
    exposure = bench.run(f"systemd-analyze security {UNIT} --no-pager").splitlines()
    level = float(exposure[-1].split(":")[1].split()[0])
    check(level <= 1.5, exposure[-1])
    print(*(f"      {line}" for line in exposure if line.startswith("✗")), sep="\n")

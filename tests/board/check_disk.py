"""The disk is full, and has room again."""

from bench import DIRECTORY, JOB, UNIT, check
from machine import until

# Long traces, as fast as they come: what is held in memory is soon as much as may be.
LONG = JOB.replace("500", "3000").replace("200ms", "1ms")


def full_disk_is_waited_for(bench):
    bench.run(f"systemctl stop {UNIT} && truncate -s 64M /small.img && mke2fs -q -F -t ext4 -m 0 /small.img")
    bench.run(f"mount -o loop /small.img {DIRECTORY}")
    try:
        bench.start_job(LONG)
        bench.until_written(2)
        since = len(bench.journal())
        bench.run(f"head -c 1G /dev/zero > {DIRECTORY}/ballast", check=False)
        logged = bench.until_logged("nothing is written", since)
        check(logged[0][0] == 4, f"the journal has {logged[0]}")
        given_up = bench.until_logged("memory is full as well", since, limit_s=120)
        check(given_up[0][0] == 4, f"the journal has {given_up[0]}")
        status = bench.status()
        check(status["held"] > 50, f"{status['held']} traces are held in memory, {status['dropped']} given up")
        memory_is_bounded(bench)
        bench.run(f"rm {DIRECTORY}/ballast")
        bench.until_logged("takes traces again", since)
        status = until("none is held", lambda: (status := bench.status())["held"] == 0 and status)
        check(not status["troubles"], f"{status['written']} are written")
        for text in ("nothing is written", "memory is full as well", "takes traces again"):
            check(len(bench.logged(text, since)) == 1, f"{text!r} was logged once")
        bench.run(f"systemctl stop {UNIT}")
        numbers = bench.numbers()
        missing = numbers[-1] - len(numbers)
        check(missing == status["dropped"], f"of 1 to {numbers[-1]}, {missing} are missing, those given up")
    finally:
        bench.run(f"systemctl stop {UNIT}; umount {DIRECTORY}")


def memory_is_bounded(bench):
    group = f"/sys/fs/cgroup/system.slice/system-scopething*.slice/{UNIT}.service"
    peak, most = (int(bench.run(f"cat {group}/memory.{name}")) for name in ("peak", "max"))
    words = bench.run(f"cat {group}/memory.stat {group}/memory.events").split()
    anonymous, killed = (int(words[words.index(name) + 1]) for name in ("anon", "oom_kill"))
    check(most == 64 << 20 and peak <= most, f"at most {peak >> 10} KiB of {most >> 10} KiB, files' pages included")
    check(anonymous < most / 2 and killed == 0, f"{anonymous >> 10} KiB are its own")

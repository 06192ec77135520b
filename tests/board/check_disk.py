"""The disk is full, and has room again."""

from bench import DIRECTORY, JOB, UNIT, check
from machine import until


def full_disk_is_waited_for(bench):
    bench.run(f"systemctl stop {UNIT}; rm -rf {DIRECTORY}/*")
    bench.run("truncate -s 16M /small.img && mke2fs -q -F -t ext4 -m 0 /small.img")
    bench.run(f"mount -o loop /small.img {DIRECTORY}")
    try:
        bench.start_job(JOB + "hold = '1MB'\n")
        bench.until_written(2)
        since = len(bench.journal())
        bench.run(f"head -c 1G /dev/zero > {DIRECTORY}/ballast", check=False)
        told = bench.until_told("nothing is written", since)
        check(told[0][0] == 4, f"the journal has {told[0]}")
        held = until("traces are held", lambda: (status := bench.status())["held"] > 5 and status)
        check(held["held"] > 5, f"{held['held']} traces are held in memory, {held['free_bytes']} bytes are free")
        bench.run(f"rm {DIRECTORY}/ballast")
        bench.until_told("takes traces again", since)
        status = until("none is held", lambda: (status := bench.status())["held"] == 0 and status)
        check(not status["troubles"] and status["dropped"] == 0, f"{status['written']} are written, none is lost")
        check(len(bench.told("nothing is written", since)) == 1, "and it was said once")
        numbers = bench.numbers()
        check(numbers == list(range(1, len(numbers) + 1)), f"the files hold 1 to {numbers[-1]}")
    finally:
        bench.run(f"systemctl stop {UNIT}; umount {DIRECTORY}")

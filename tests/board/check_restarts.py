"""The service ends, or hangs, and systemd starts it again; or does not, if that makes no sense."""

import time

from bench import DIRECTORY, JOB, UNIT, check
from machine import until


def restarted(bench, signal, limit_s):
    """How long a new process takes to come up and to write."""
    bench.until_written(2)
    before = bench.show("MainPID")["MainPID"]
    since = len(bench.journal())
    began = time.monotonic()
    bench.run(f"kill -{signal} {before}")
    other = lambda: bench.show("MainPID", "SubState") == {"MainPID": "0"} or (
        bench.show("MainPID")["MainPID"] not in ("0", before) and bench.show("SubState")["SubState"] == "running"
    )
    until("another process runs", other, limit_s)
    took_s = time.monotonic() - began
    bench.until_logged("recording from the scope", since)
    bench.until_written(2)
    numbers = bench.numbers()
    check(numbers == list(range(1, len(numbers) + 1)), f"numbers go on: 1 to {numbers[-1]}")
    return took_s


def killed(bench):
    took_s = restarted(bench, "KILL", 60)
    check(took_s > 4, f"SIGKILL: started again after {took_s:.0f} s")


def file_that_was_cut_is_repaired(bench):
    """As a loss of power may leave it."""
    bench.until_written(2)
    bench.run(f"systemctl stop {UNIT}")
    written = bench.numbers()
    since = len(bench.journal())
    bench.run(f"truncate -s -100 $(ls {DIRECTORY}/trace-0*.csv | tail -1); systemctl start {UNIT}")
    logged = bench.until_logged("cut short", since)
    check(logged[0][0] == 4, f"the journal has {logged[0]}")
    bench.until_written(2)
    numbers = bench.numbers()
    check(numbers == list(range(1, len(numbers) + 1)), f"trace {written[-1]} was cut; now there are 1 to {numbers[-1]}")


def hanging_is_noticed_after_a_minute(bench):
    since = len(bench.journal())
    took_s = restarted(bench, "STOP", 150)
    logged = bench.logged("Watchdog timeout", since)
    check(logged and took_s > 55, f"SIGSTOP: started again after {took_s:.0f} s; the journal has {logged[:1]}")


def stopped(bench):
    bench.until_written(2)
    since = len(bench.journal())
    bench.run(f"systemctl stop {UNIT}")
    state = bench.show("ActiveState", "Result", "ExecMainStatus", "ExecMainCode")
    right = {"ActiveState": "inactive", "Result": "success", "ExecMainStatus": "0", "ExecMainCode": "1"}
    check(state == right, f"stopped: {state}")
    check(len(bench.logged("recording has ended", since)) == 1, "the end of the recording is logged")
    status = bench.status()
    check(status["ended"] and status["held"] == 0, f"the status too: {status['written']} written")
    numbers = bench.numbers()
    check(numbers == list(range(1, len(numbers) + 1)), f"the files hold 1 to {numbers[-1]}")


def wrong_job_is_not_tried_again(bench):
    bench.run(f"systemctl stop {UNIT}")
    since = len(bench.journal())
    restarts = bench.show("NRestarts")["NRestarts"]
    bench.write("/etc/scopething/bench.toml", JOB.replace("5ms", "5 fortnights"))
    bench.run(f"systemctl start {UNIT}", check=False)
    until("it has failed", lambda: bench.show("ActiveState")["ActiveState"] not in ("activating", "active"))
    state = bench.show("ActiveState", "SubState", "ExecMainStatus", "NRestarts")
    right = {"ActiveState": "failed", "SubState": "failed", "ExecMainStatus": "2", "NRestarts": restarts}
    check(state == right, f"a wrong job: {state}")
    logged = bench.logged("line 3: ", since)
    check(len(logged) == 1 and logged[0][0] == 3, f"the journal names the line: {logged}")

"""The board's clock is set."""

from datetime import datetime

from bench import check


def clock_set_back_an_hour(bench):
    bench.until_written(3)
    since = len(bench.journal())
    bench.run("date -s '-1 hour'")
    logged = bench.until_logged("the computer's clock was set", since)
    check(logged[0][0] == 4 and len(logged) == 1, f"the journal has {logged}")
    bench.until_written(3)
    rows = [row for row in bench.rows() if row["rows"]]
    marked = [at for at, row in enumerate(rows) if row["gap"] == "clock set"]
    clock = lambda row: datetime.fromisoformat(row["clock"])
    step_s = (clock(rows[marked[0]]) - clock(rows[marked[0] - 1])).total_seconds()
    check(len(marked) == 1 and abs(step_s + 3600) < 60, f"one trace is marked, {step_s:+.1f} s after the one before")
    numbers = bench.numbers()
    check(numbers == list(range(1, len(numbers) + 1)), f"numbers go on: 1 to {numbers[-1]}")
    bench.run("date -s '+1 hour'")
    bench.until_written(3)
    check(bench.status()["clock_steps"] == 2, "set again, and counted")

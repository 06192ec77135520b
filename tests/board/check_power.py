"""The power is cut while traces are written; the board boots without the scope, which is plugged in later."""

from bench import JOB, UNIT, check
from machine import until


def power_is_cut(bench):
    bench.start_job(JOB.replace("200ms", "1ms"))
    status = bench.until_written(20)
    bench.board.cut_power()
    bench.end()
    bench.simulators.clear()
    bench.board.power_on()
    state = bench.show("ActiveState", "SubState")
    check(state == {"ActiveState": "active", "SubState": "running"}, f"after the boot it is {state}")
    bench.until_logged("waiting for the scope", 0)
    numbers = bench.numbers()
    check(numbers == list(range(1, len(numbers) + 1)), f"the files hold 1 to {numbers[-1]}")
    check(numbers[-1] >= status["written"], f"all of the {status['written']} that were reported as written")
    bench.plug_in()
    bench.until_logged("recording from the scope", 0)
    bench.until_written(2)
    more = bench.numbers()
    check(more == list(range(1, len(more) + 1)), f"numbers go on: {numbers[-1] + 1} to {more[-1]}")
    rows = {int(row["trace"]): row for row in bench.rows() if row["rows"]}
    check(rows[numbers[-1] + 1]["gap"] == "start", "the first one after it has `start`")
    check(not bench.run(f"systemctl is-failed {UNIT} -q && echo failed", check=False), "nothing has failed")

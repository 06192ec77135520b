"""The scope is unplugged, comes back at another port, and is not confused with another one."""

from bench import OTHER_SERIAL, SERIAL, check
from machine import until


def unplugged_and_plugged_in_elsewhere(bench):
    bench.until_written(2)
    since = len(bench.journal())
    bench.unplug()
    warned = bench.until_logged("waiting for the scope", since)
    check(warned[0][0] == 4, f"the journal has {warned[0]}")
    until("the status reports it", lambda: not bench.status()["connected"])
    # It looks every second: the pause shows that it logs nothing more.
    errors = bench.status()["link_errors"]
    until("it has looked 10 times", lambda: bench.status()["link_errors"] >= errors + 10)
    check(len(bench.journal()) == since + 1, "and logs it once")
    check("waiting" in bench.show("StatusText")["StatusText"], f"systemctl status: {bench.show('StatusText')}")
    bench.plug_in(port=2)
    back = bench.until_logged("is there again", since)
    check(back[0][0] == 5 and SERIAL in back[0][1], f"the journal has {back[0]}")
    bench.until_written(2)
    gaps = [row["gap"] for row in bench.rows() if row["rows"]]
    check(gaps.count("link") == 1, "the trace after the gap has `link`")


def found_behind_another(bench):
    """The other one takes the first name."""
    bench.until_written(2)
    since = len(bench.journal())
    bench.unplug()
    bench.until_logged("waiting for the scope", since)
    until("the port is gone", lambda: not bench.ports())
    bench.plug_in("other", port=1)
    other = bench.until_logged(OTHER_SERIAL, since)
    check(other[0][0] == 4, f"the journal has {other[0]}")
    bench.plug_in(port=3)
    until("there are two", lambda: bench.ports() == ["ttyUSB0", "ttyUSB1"])
    try:
        back = bench.until_logged("is there again", since, limit_s=30)
        check(SERIAL in back[0][1], f"the journal has {back[0]}")
        bench.until_written(2)
        status = bench.status()
        check(status["serial"] == SERIAL and status["url"] == "/dev/ttyUSB1", f"it records from its own at {status['url']}")
        logged = [entry for entry in bench.journal()[since:] if "is there again" in entry[1]]
        check(len(logged) == 1, "and logs it once")
    finally:
        bench.unplug("other")
    bench.until_written(2)

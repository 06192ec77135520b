"""Connecting and leaving, generators, calibration."""

import gc
import socket
import threading

import numpy as np
import pytest

import scopething


def test_a_with_block_closes():
    with scopething.connect("sim:") as scope:
        assert (scope.closed, scope.model, scope.revision, scope.serial_number) == (
            False, "BitScope Micro", "BS000501", "DB98TI79",
        )  # fmt: skip
    assert scope.closed and repr(scope) == "<Scope sim: closed>"
    scope.close()
    scope.close()
    with pytest.raises(scopething.Closed, match="connect again"):
        scope.capture("A", timeout=0)


def test_one_that_nobody_closes_is_closed_with_a_warning():
    scope = scopething.connect("sim:")
    with pytest.warns(ResourceWarning, match="<Scope sim:> was not closed"):
        del scope
        gc.collect()


@pytest.mark.parametrize(
    "url, kind, words",
    [
        ("nonsense://x", scopething.Usage, "nonsense"),
        ("sim:?A=warble", scopething.Usage, "there is no signal"),
        ("/dev/nowhere", scopething.NotFound, "/dev/nowhere"),
        ("socket://127.0.0.1:1", scopething.NotFound, "refuses the connection"),
        ("bitscope-server://127.0.0.1:1", scopething.NotFound, "check the network and the server"),
        ("sim:?revision=BS001003", scopething.WrongDevice, "BS001003"),
    ],
)
def test_what_cannot_be_connected_to(url, kind, words):
    with pytest.raises(kind, match=words):
        scopething.connect(url)


def test_without_a_device_the_error_names_other_ways():
    assert not any(port.is_bitscope for port in scopething.list()), "unplug the BitScope for the tests"
    with pytest.raises(scopething.NotFound, match="sim: for the simulated BitScope"):
        scopething.connect()


def test_the_environment_names_the_url(monkeypatch):
    monkeypatch.setenv("SCOPETHING_URL", "sim:?seed=3")
    with scopething.connect() as scope:
        assert scope.url == "sim:?seed=3"


def test_a_device_that_another_has_is_busy(simulated_scope):
    simulator = simulated_scope(tcp=True)
    with simulator.connect():
        with pytest.raises(scopething.Busy, match="in use"):
            simulator.connect()
    with simulator.connect() as scope:
        assert scope.capture("A", timeout=0)


def test_something_else_is_the_wrong_device():
    with socket.create_server(("127.0.0.1", 0)) as server:
        def answer():
            client, _ = server.accept()
            with client:
                client.recv(100)
                client.sendall(b"220 mail.example ESMTP ready\r\n" * 4)
                while client.recv(100):
                    client.sendall(b"500 what?\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        with pytest.raises((scopething.WrongDevice, scopething.NotFound), match="."):
            scopething.connect(f"socket://127.0.0.1:{server.getsockname()[1]}")
        thread.join(10)


def test_a_link_that_is_cut_is_lost(simulated_scope):
    simulator = simulated_scope(tcp=True)
    with simulator.connect() as scope:
        simulator.close()
        with pytest.raises(scopething.LinkLost):
            scope.capture("A", timeout=0)


def test_ports_are_listed():
    assert all(isinstance(port.name, str) for port in scopething.list())


def test_waveforms():
    with scopething.connect("sim:") as scope:
        assert scope.start_waveform(1000, "triangle", low=0.5, high=2.5) == 1000.0
        assert scope.generators == "waveform"
        a = scope.capture("A", period="5ms", low=0, high=3.3).A
        measured = scopething.analyse(a)
        assert measured.wave.shape == "triangle" and measured.wave.frequency == pytest.approx(1000, rel=1e-3)
        assert (measured.min, measured.max) == (pytest.approx(0.5, abs=0.05), pytest.approx(2.5, abs=0.05))
        with pytest.raises(scopething.Usage, match="the waveform generator plays: stop that first"):
            scope.start_clock(1000)
        scope.stop_waveform()
        assert scope.generators == "off"
        with pytest.raises(scopething.Usage, match="nothing of that kind"):
            scope.stop_waveform()


def test_a_waveform_of_ones_own():
    steps = np.repeat([0.0, 1.0, 0.25, 0.75], 256)
    with scopething.connect("sim:") as scope:
        scope.start_waveform("500Hz", steps)
        full = scope.capture("A", period="4ms", nsamples=2000, low=0, high=3.3).A.samples
        scope.start_waveform("500Hz", [0.0, 1.0, 0.25, 0.75])
        stairs = scope.capture("A", period="4ms", nsamples=2000, low=0, high=3.3).A.samples
        for samples in (full, stairs):
            levels, counts = np.unique(np.round(samples / 3.3 * 4) / 4, return_counts=True)
            assert set(levels[counts > 200].tolist()) == {0.0, 0.25, 0.75, 1.0}
        for wrong in ([0.5], ["a"], None, 0.5, [0, 2], [[0, 1], [1, 0]], np.zeros(1025), [0, float("nan")]):
            with pytest.raises(scopething.Usage):
                scope.start_waveform(1000, wrong)
        with pytest.raises(scopething.Usage, match="sawtooth"):
            scope.start_waveform(1000, "sawtooth")


def test_clocks():
    with scopething.connect("sim:") as scope:
        assert scope.start_clock("10kHz", 0.25) == (10e3, 0.25)
        a = scope.capture("A", period="1ms", low=0, high=3.3).A
        assert scopething.analyse(a).duty == pytest.approx(0.25, abs=0.01)
        scope.stop_clock()
        real = scope.start_clock(10e3, outputs={"L4": (0.5, 0), "L5": (0.5, "90deg")})
        assert real.frequency == 10e3 and scope.generators == "clocks"
        with pytest.raises(scopething.PlanError):
            scope.start_clock(39e6)
        with pytest.raises(scopething.Usage, match="L9"):
            scope.start_clock(1000, line="L9")
        for outputs in (5, [], {"L4": 0.5}, {"L4": (0.5,)}):
            with pytest.raises(scopething.Usage, match="give duty and phase"):
                scope.start_clock(1000, outputs=outputs)
        with pytest.raises(scopething.Usage, match="once is 'no'"):
            scope.start_waveform(1000, once="no")


def test_held_lines():
    with scopething.connect("sim:") as scope:
        scope.hold({"L3": 1, "L5": 0})
        assert scope.generators == "levels"
        scope.release()
        scope.hold("L3=0")
        scope.stop()
        for levels in (None, {}, {"L3": 5}, {"A": 1}):
            with pytest.raises(scopething.Usage, match="levels"):
                scope.hold(levels)
        assert scope.generators == "off"
        scope.stop()


def test_calibration(home):
    # A front end that is a twentieth off.
    url = "sim:?scale=19V&offset=-7.8V&clock=fast"
    seen = []
    with scopething.connect(url) as scope:
        result = scope.calibrate(n=12, progress=lambda done, points: seen.append((done, points)))
        assert result.after.scale == pytest.approx(19, rel=2e-3) and result.before.scale == pytest.approx(18.333)
        assert result.after.offset == pytest.approx(-7.8, abs=0.02)
        assert seen == [(done, 144) for done in range(144)]
        assert 0 < result.residual_volts < 0.05
    file = home / ".config" / "scopething" / "analog.conf"
    line = next(line for line in file.read_text().splitlines() if line.startswith("x1"))
    assert float(line.split("=")[1].split()[6]) == result.after.scale
    with scopething.connect(url) as scope:
        scope.start_clock("1kHz")
        a = scope.capture("A", period="5ms", low=0, high=3.5).A
        assert scopething.analyse(a).top == pytest.approx(3.3, abs=0.02)


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"n": 3}, "8 to 64"),
        ({"n": "x"}, "n: "),
        ({"channels": "L"}, "name A, B or both"),
        ({"channels": ""}, "names none"),
        ({"probes": None}, "probes is None"),
        ({"save": "no"}, "save is 'no'"),
    ],
)
def test_calibrations_that_cannot_be(arguments, words):
    with scopething.connect("sim:") as scope, pytest.raises(scopething.Usage, match=words):
        scope.calibrate(**{"save": False, **arguments})


def test_progress_may_use_another_scope(home):
    with (
        scopething.connect("sim:?clock=fast") as scope,
        scopething.connect("sim:?A=dc,1V&clock=fast") as other,
    ):
        volts = []

        def measure(*_):
            volts.append(float(other.capture("A", low=0, high=3, timeout=0).A.samples.mean()))

        scope.calibrate(n=8, progress=measure)
        assert len(volts) > 8 and all(abs(volt - 1) < 0.05 for volt in volts)


def test_a_name_that_cannot_be_kept_is_refused_before_anything_is_measured(home):
    with scopething.connect("sim:?clock=fast") as scope:
        seen = []
        with pytest.raises(scopething.Usage, match="cannot be a name"):
            scope.calibrate(probes="a b", n=8, progress=lambda *_: seen.append(1))
        assert seen == []


def test_what_progress_raises_ends_a_calibration(home):
    def give_up(done, points):
        if done == 3:
            raise ZeroDivisionError("enough")

    with scopething.connect("sim:?clock=fast") as scope:
        with pytest.raises(ZeroDivisionError, match="enough"):
            scope.calibrate(n=8, progress=give_up)
        assert scope.generators == "off" and not (home / ".config").exists()
        assert scope.capture("A", timeout=0)


def test_an_operation_within_another_is_refused():
    with scopething.connect("sim:?clock=fast") as scope:
        with pytest.raises(scopething.Usage, match="in the middle of another operation"):
            scope.calibrate(n=8, progress=lambda *_: scope.capture("A", timeout=0))

"""Captures: what comes out is what the simulated inputs see."""

import copy
import pickle

import numpy as np
import pytest

import scopething

STEP_16 = 3.6 / 65536


def test_samples_are_the_signal(simulated_scope):
    scope = simulated_scope(A="triangle 1kHz 0..3V")
    traces = scope.capture("A", period="4ms", nsamples=1000, low=-0.3, high=3.3, trigger_level=1.5)
    a = traces.A
    assert a.samples.dtype == np.float32 and a.samples.shape == (1000,)
    assert a.timestamps.dtype == np.float64 and a.timestamps.shape == (1000,)
    np.testing.assert_allclose(np.diff(a.timestamps), 4e-6, rtol=1e-9)
    # The trigger is where the signal rises through the level, and the slope is 6 V a millisecond.
    after = a.timestamps - a.trigger_timestamp
    phase = (after / 1e-3 + 0.25) % 1
    expected = 3 * np.where(phase < 0.5, 2 * phase, 2 - 2 * phase)
    # It is known to a sample, in which the signal moves by 24 mV.
    np.testing.assert_allclose(a.samples, expected, atol=0.025 + STEP_16)
    assert (a.trigger_timestamp, a.trigger_level, a.trigger_type, a.cause) == (1e-3, 1.5, "rising", "trigger")
    assert (a.unit, a.clipped, a.channel, a.sample_rate) == ("V", False, "A", pytest.approx(250e3))


def test_a_pair_is_sampled_in_turn(simulated_scope):
    # The same ramp on both: B is sampled half a sample period later, and shows it.
    scope = simulated_scope(A="ramp 100Hz 0..3V", B="ramp 100Hz 0..3V")
    traces = scope.capture("AB", period="4ms", nsamples=2000, low=0, high=3.3, timeout=0)
    a, b = traces.A, traces.B
    assert len(a) == len(b) == 1000
    np.testing.assert_allclose(b.timestamps - a.timestamps, a.sample_period / 2, rtol=1e-9)
    assert a.sample_rate == pytest.approx(traces.sample_rate / 2)
    rising = (a.samples[:-1] < a.samples[1:]) & (a.samples > 0.1)[:-1] & (a.samples < 2.9)[:-1]
    later = (b.samples - a.samples)[:-1][rising]
    assert later.mean() == pytest.approx(300 * a.sample_period / 2, rel=0.1)


def test_logic_lines(simulated_scope):
    scope = simulated_scope(L0="square 1kHz 0..3.3V 25%", L3="square 2kHz 0..3.3V")
    traces = scope.capture(["L0", "L3"], period="10ms", nsamples=1000, trigger={"L3": 1})
    assert list(traces) == ["L0", "L3"]
    assert traces.L0.samples.dtype == np.uint8 and set(np.unique(traces.L0.samples)) == {0, 1}
    assert traces.L0.samples.mean() == pytest.approx(0.25, abs=0.01)
    line = traces.L3
    # What the pure-Python driver forgets when a line is named by a text.
    assert (line.trigger_timestamp, line.trigger_level, line.trigger_type) == (2.5e-3, 1.0, "rising")
    assert traces.L0.trigger_timestamp is None
    at = int(round(line.trigger_timestamp / line.sample_period))
    assert line.samples[at - 3 : at].tolist() == [0, 0, 0] and line.samples[at : at + 3].tolist() == [1, 1, 1]


@pytest.mark.parametrize("trigger", [{"L3": 1}, {3: 1}, {"l3": True}, {np.int64(3): np.int64(1)}, "L3=1"])
def test_triggers_on_a_line(simulated_scope, trigger):
    scope = simulated_scope(L3="square 2kHz 0..3.3V")
    assert scope.capture("L3", period="2ms", nsamples=200, trigger=trigger).L3.trigger_level == 1.0


@pytest.mark.parametrize(
    "channels, found",
    [
        ("A", ["A"]), ("AB", ["A", "B"]), ("a,l3", ["A", "L3"]), ("AL3", ["A", "L3"]), (["A", "L3"], ["A", "L3"]),
        (("B",), ["B"]), ("A B", ["A", "B"]), ({"A"}, ["A"]), ("L", [f"L{line}" for line in range(8)]),
    ],
)  # fmt: skip
def test_channels_in_several_ways(channels, found):
    with scopething.connect("sim:") as scope:
        assert list(scope.capture(channels, timeout=0)) == found


def test_arguments_that_change_between_captures_count(simulated_scope):
    scope = simulated_scope(L0="square 1kHz 0..3.3V")
    channels, trigger = ["L0"], {"L0": 1}
    assert scope.capture(channels, trigger=trigger).L0.trigger_level == 1
    channels.append("L3")
    trigger["L0"] = 0
    traces = scope.capture(channels, trigger=trigger)
    assert list(traces) == ["L0", "L3"] and traces.L0.trigger_level == 0
    # What is equal to an argument of the last capture is read anew.
    assert list(scope.capture("AB", period=1, timeout=0)) == ["A", "B"]
    for other in (dict(channels=["AB"], period=1), dict(channels="AB", period=True)):
        with pytest.raises(scopething.Usage):
            scope.capture(**other, timeout=0)


def test_numbers_and_texts_are_the_same():
    numbers = scopething.plan("A", period=5e-3, nsamples=12000, low=-0.5, high=3.3, trigger_position=0.5, timeout=0.02)
    texts = scopething.plan(
        "A", period="5ms", nsamples="12k", low="-500mV", high="3.3V", trigger_position="50%", timeout="20ms"
    )
    others = scopething.plan(
        "A", period=np.float32(5e-3), nsamples=np.int32(12000), low=-0.5, high=np.float64(3.3), trigger_position=0.5,
        timeout=0.02,
    )  # fmt: skip
    assert numbers["registers"] == texts["registers"] == others["registers"]


def test_a_delay_is_between_trigger_and_samples(simulated_scope):
    scope = simulated_scope(A=lambda t: 3.0 if (t % 10e-3) < 5e-3 else 0.0)
    # The square rises at the trigger and falls 5 ms later, which is in the middle of what is captured after 4.5 ms.
    a = scope.capture("A", period="1ms", nsamples=1000, low=0, high=3.3, trigger_level=1.5, delay="4.5ms").A
    assert a.cause == "trigger" and a.trigger_timestamp == pytest.approx(-4.5e-3, abs=10e-6)
    falls = int(np.argmax(a.samples < 1.5))
    assert a.timestamps[falls] - a.trigger_timestamp == pytest.approx(5e-3, abs=10e-6)


def test_samples_are_views_that_nobody_can_write_to():
    with scopething.connect("sim:") as scope:
        traces = scope.capture("A,L0", timeout=0)
    for series in traces.values():
        assert not series.samples.flags.owndata and not series.samples.flags.writeable
        with pytest.raises(ValueError, match="read-only"):
            series.samples[0] = 0
        with pytest.raises(ValueError, match="read-only"):
            series.timestamps[0] = 0
    samples = traces.A.samples
    kept = samples.copy()
    del traces, series
    np.testing.assert_array_equal(samples, kept)


def test_range_and_clipping(simulated_scope):
    scope = simulated_scope(A="sine 1kHz 0..3V")
    assert scope.capture("A", low=0, high=3.3, timeout=0).A.clipped is False
    clipped = scope.capture("A", low=1, high=2, timeout=0, period="2ms")
    assert clipped.A.clipped is True and clipped.range == (1.0, 2.0)
    assert clipped.A.samples.min() >= 1 and clipped.A.samples.max() < 2
    fast = scope.capture("A", low=1, high=2, timeout=0, period="2ms", bits=8)
    assert fast.A.clipped is True and fast.plan.mode != clipped.plan.mode


def test_clipping_of_one_channel_of_two(simulated_scope):
    scope = simulated_scope(A="sine 1kHz 0..3V", B="dc 0.5V", L0="square 2kHz 0..3.3V")
    traces = scope.capture("A,B,L0", low=0, high=2, timeout=0, period="2ms")
    assert (traces.A.clipped, traces.B.clipped, traces.L0.clipped) == (True, False, None)
    assert [warning for warning in traces.warnings if "clipped" in warning] == [
        warning for warning in traces.warnings if warning.startswith("A is clipped")
    ] != []
    again = pickle.loads(pickle.dumps(traces))
    assert (again.A.clipped, again.B.clipped, again.L0.clipped) == (True, False, None)


@pytest.mark.parametrize("attenuation", [10, "10", 10.0, np.float32(10), {"A": 10, "B": 10}, "A=10,B=10", {"A": "10", "B": 10}])
def test_attenuation_of_both_probes(simulated_scope, attenuation):
    # What the inputs see is a tenth of what is at the tips.
    scope = simulated_scope(A="triangle 1kHz 0..3V", B="dc 1V")
    traces = scope.capture("AB", period="4ms", low=0, high=33, trigger_level=15, attenuation=attenuation)
    assert traces.range == (pytest.approx(0), pytest.approx(33)) and traces.cause == "trigger"
    assert traces.A.trigger_level == pytest.approx(15)
    # Samples of a pair are 8 us apart, in which the triangle moves by 0.48 V.
    assert traces.A.samples.max() == pytest.approx(30, abs=0.25) and traces.A.samples.min() == pytest.approx(0, abs=0.25)
    np.testing.assert_allclose(traces.B.samples, 10, atol=0.05)


def test_each_probe_has_its_own_attenuation(simulated_scope):
    scope = simulated_scope(A="dc 1V", B="sine 1kHz 0..4V")
    # The range is that of A, of which B behind a probe that divides by nothing shows a tenth: 0 V to 3.3 V.
    traces = scope.capture("AB", period="4ms", low=0, high=33, timeout=0, attenuation={"A": 10})
    np.testing.assert_allclose(traces.A.samples, 10, atol=0.05)
    assert traces.B.samples.max() == pytest.approx(3.3, abs=0.01)
    assert (traces.A.clipped, traces.B.clipped) == (False, True)


def test_plans_and_streams_take_an_attenuation(simulated_scope):
    scope = simulated_scope(A="dc 1V")
    plan = scope.plan("A", low=0, high=33, attenuation=10, timeout=0)
    assert plan == scopething.plan("A", low=0, high=33, attenuation="10", timeout=0)
    assert plan["registers"] == scopething.plan("A", low=0, high=3.3, timeout=0)["registers"]
    with scope.stream("A", "1kHz", low=0, high=33, attenuation=10, block=50) as stream:
        np.testing.assert_allclose(next(stream).A, 10, atol=0.1)
    # Without one it is as before.
    np.testing.assert_allclose(scope.capture("A", low=0, high=3.3, timeout=0).A.samples, 1, atol=0.01)


def test_the_file_of_calibrations_gives_the_usual_attenuation(home):
    (home / ".config" / "scopething").mkdir(parents=True)
    with scopething.connect("sim:?A=dc,1V") as scope:
        (home / ".config" / "scopething" / "analog.conf").write_text(f"[{scope.url}]\nattenuation = 10\n", encoding="utf-8")
        np.testing.assert_allclose(scope.capture("A", low=0, high=33, timeout=0).A.samples, 10, atol=0.1)
        np.testing.assert_allclose(scope.capture("A", low=0, high=3.3, attenuation=1, timeout=0).A.samples, 1, atol=0.01)


def test_raw_samples_are_parts_of_the_range(simulated_scope):
    scope = simulated_scope(A="dc 1V")
    a = scope.capture("A", low=0.3, high=0.6, raw=True, timeout=0).A
    assert a.unit == "range" and 0 <= a.samples.min() <= a.samples.max() < 1


def test_auto_mode_does_not_wait(simulated_scope):
    scope = simulated_scope(A="dc 1V")
    assert scope.capture("A", low=0, high=3, trigger_level=2, trigger_mode="auto").cause == "timeout"


def test_warnings_say_what_was_done_otherwise():
    with scopething.connect("sim:") as scope:
        traces = scope.capture("A", nsamples=50000, timeout=0)
        assert any("instead of 50000" in warning for warning in traces.warnings)
        assert any("instead of 50000" in line for line in repr(traces).splitlines())
        assert scope.capture("A", timeout=0).warnings == []


def test_verified_captures(simulated_scope):
    scope = simulated_scope(A="sine 1kHz 0..3V")
    assert len(scope.capture("A", verify=True, timeout=0).A) == 1000


def test_traces_are_mappings_with_attributes():
    with scopething.connect("sim:") as scope:
        traces = scope.capture("AB", timeout=0)
    assert set(traces) == {"A", "B"} and len(traces) == 2 and "A" in traces and "L0" not in traces
    assert traces["B"] is traces.B and {"A", "B"} <= set(dir(traces))
    with pytest.raises(KeyError, match="L0 was not captured: there are A, B"):
        traces["L0"]
    with pytest.raises(AttributeError, match="channels are A, B"):
        traces.C
    assert traces._repr_svg_().startswith("<svg") and traces._repr_html_() is None
    assert np.array_equal(np.asarray(traces.A), traces.A.samples)


def test_traces_can_be_pickled():
    with scopething.connect("sim:?A=sine,1kHz,0..3V") as scope:
        traces = scope.capture("AB", trigger_level=1.5, low=0, high=3.3)
    again = pickle.loads(pickle.dumps(traces))
    assert repr(again) == repr(traces) and again.plan == traces.plan
    assert again == traces == copy.copy(traces) == copy.deepcopy(traces)
    np.testing.assert_array_equal(again.B.timestamps, traces.B.timestamps)
    series = pickle.loads(pickle.dumps(traces.A))
    assert (series.trigger_timestamp, series.cause) == (traces.A.trigger_timestamp, "trigger")


def test_traces_that_differ_are_not_equal(simulated_scope):
    scope = simulated_scope(A="sine 1kHz 0..3V")
    traces = scope.capture("A", timeout=0)
    assert traces != scope.capture("A", timeout=0) and traces != "A" and traces != scope.capture("B", timeout=0)
    ramps = [scopething.Traces.from_arrays({"A": [0, 1, 2]}, rate) for rate in (1, 1, 2)]
    assert ramps[0] == ramps[1] != ramps[2]


def test_a_series_is_its_samples():
    ramp = scopething.Traces.from_arrays({"A": [0, 1, 2.5]}, "1kHz").A
    assert list(ramp) == [0, 1, 2.5] and ramp[-1] == 2.5 and np.array_equal(ramp[1:], [1, 2.5])
    assert ramp["unit"] == "V" and ramp._repr_svg_().startswith("<svg")
    with pytest.raises(KeyError):
        ramp["volume"]
    assert "unit" in ramp and "volume" not in ramp and 2.5 in ramp and 7 not in ramp


@pytest.mark.parametrize(
    "channels, more, words",
    [
        ([1, 2], {}, "arrays by channel"),
        ({"A": ["a"]}, {}, "give numbers"),
        ({"A": [[1, 2]]}, {}, "2 dimensions"),
        ({"L0": [0, -1]}, {}, "not all 0 or 1"),
        ({"L0": [0.5, 1]}, {}, "not all 0 or 1"),
        ({"A": []}, {}, "no samples"),
        ({}, {}, "no channel"),
        ({"X": [1]}, {}, "not a channel"),
        ({"A": [[1], [1, 2]]}, {}, "give numbers"),
        ({"A": [1]}, {"range": 5}, "range is 5"),
        ({"A": [1]}, {"range": (0, 3.3, 9)}, r"range is \(0, 3.3, 9\)"),
        ({"A": [1]}, {"range": "05"}, "range is '05'"),
        ({"A": [1]}, {"range": {"low": 0}}, "range is {'low': 0}"),
        ({"A": [1]}, {"raw": "no"}, "raw is 'no'"),
        ({"A": [1]}, {"sample_rate": 0}, "sample_rate"),
    ],
)
def test_arrays_that_are_no_traces(channels, more, words):
    with pytest.raises(scopething.Usage, match=words):
        scopething.Traces.from_arrays(channels, **{"sample_rate": 1000, **more})


def test_a_plan_is_what_is_captured():
    with scopething.connect("sim:") as scope:
        plan = scope.plan("AB", period="20ms", nsamples=6000, timeout=0)
        assert scope.capture("AB", period="20ms", nsamples=6000, timeout=0).plan == plan
        assert plan == scopething.plan("AB", period="20ms", nsamples=6000, timeout=0)
        assert "<td>MacroChop</td>" in plan._repr_html_() and "ClockTicks" in plan._repr_html_()
        assert plan.mode == "MacroChop" and plan.registers["ClockTicks"] == plan["registers"]["ClockTicks"]
        scope.start_clock(1000)
        assert "a generator drives L5" in " ".join(scope.plan("L").warnings)


@pytest.mark.parametrize(
    "arguments, kind, words",
    [
        ({"channels": "Q"}, scopething.Usage, "Q"),
        ({"channels": None}, scopething.Usage, "channels is None"),
        ({"channels": b"A"}, scopething.Usage, "channels is b'A'"),
        ({"channels": []}, scopething.PlanError, "no channel"),
        ({"period": "5 parsec"}, scopething.Usage, "period: .*parsec.*1ms, 2.5us"),
        ({"period": "5V"}, scopething.Usage, "period"),
        ({"period": None}, scopething.Usage, "period is None"),
        ({"period": b"5"}, scopething.Usage, "period is b'5'"),
        ({"period": float("nan")}, scopething.PlanError, "NaN"),
        ({"period": -1}, scopething.PlanError, "give more than 0 s"),
        ({"nsamples": 10.5}, scopething.Usage, "whole number"),
        ({"nsamples": 0}, scopething.PlanError, "at least one"),
        ({"nsamples": -5}, scopething.Usage, "nsamples is -5"),
        ({"nsamples": 1 << 40}, scopething.Usage, "nsamples is 1099511627776: give roughly"),
        ({"nsamples": True}, scopething.Usage, "nsamples is True"),
        ({"low": 3, "high": 1}, scopething.PlanError, "not a range"),
        ({"trigger": "C"}, scopething.Usage, "C"),
        ({"trigger": {}}, scopething.Usage, "names no line"),
        ({"trigger": {"L9": 1}}, scopething.Usage, "L9"),
        ({"trigger": {"L3": "high"}}, scopething.Usage, "L3=high"),
        ({"trigger": {3: None}}, scopething.Usage, "L3 is None: give 0 or 1"),
        ({"trigger": {3: 2}}, scopething.Usage, "L3 is 2: give 0 or 1"),
        ({"trigger": 5}, scopething.Usage, "trigger is 5"),
        ({"hair_trigger": "no"}, scopething.Usage, "hair_trigger is 'no'"),
        ({"raw": 2}, scopething.Usage, "raw is 2"),
        ({"verify": None}, scopething.Usage, "verify is None"),
        ({"trigger_type": "sideways"}, scopething.Usage, "sideways"),
        ({"trigger_mode": "maybe"}, scopething.Usage, "maybe"),
        ({"trigger_position": 2}, scopething.PlanError, "0 to 1"),
        ({"timeout": -1}, scopething.PlanError, "timeout"),
        ({"timeout": np.array([1, 2])}, scopething.Usage, "timeout is array"),
        ({"delay": -1}, scopething.PlanError, "delay of -1"),
        ({"bits": 12}, scopething.Usage, "12"),
        ({"attenuation": 0}, scopething.Usage, "attenuation: .*0.000001 to 1000000"),
        ({"attenuation": "ten"}, scopething.Usage, "attenuation: .*ten"),
        ({"attenuation": {"C": 10}}, scopething.Usage, "attenuation: .*C=10"),
        ({"attenuation": {"A": None}}, scopething.Usage, "attenuation is None"),
        ({"attenuation": float("nan")}, scopething.Usage, "attenuation: .*nan"),
        ({"probes": None}, scopething.Usage, "probes is None"),
        ({"probes": "x7"}, scopething.Usage, "no calibration for probe \"x7\""),
    ],
)  # fmt: skip
def test_bad_arguments(arguments, kind, words):
    with scopething.connect("sim:") as scope:
        with pytest.raises(kind, match=words) as raised:
            scope.capture(**arguments)
        assert isinstance(raised.value, ValueError) and isinstance(raised.value, scopething.Error)
        # It can be used on.
        assert len(scope.capture("A", timeout=0).A) == 1000


def test_limits_of_what_can_be_planned():
    with pytest.raises(scopething.PlanError, match="too long") as raised:
        scopething.plan("A", period=1e6)
    limits = raised.value.limits
    assert scopething.plan("A", period=0.99 * limits["longest_period"])["samples"] > 0
    assert limits["fastest_rate"] == 20e6

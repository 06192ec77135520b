"""Simulated scopes of texts, arrays, series and functions."""

import numpy as np
import pytest

import scopething


def sampled(scope, **arguments):
    return scope.capture("A", period="5ms", nsamples=1000, low=-1, high=4, timeout=0, **arguments).A


def test_a_function_of_an_array(simulated_scope):
    calls = []

    def signal(t):
        calls.append(len(t))
        return 1.5 + np.sin(2 * np.pi * 1000 * t)

    a = sampled(simulated_scope(A=signal))
    wave = scopething.analyse(a).wave
    assert wave.frequency == pytest.approx(1000, rel=1e-4) and wave.amplitude == pytest.approx(1, rel=1e-2)
    # It is asked for many moments at once.
    assert len(calls) < 50


def test_a_function_of_one_moment(simulated_scope):
    def signal(t):
        return 3.0 if (t % 1e-3) < 0.25e-3 else 0.5

    measured = scopething.analyse(sampled(simulated_scope(A=signal)))
    assert measured.duty == pytest.approx(0.25, abs=0.01) and measured.base == pytest.approx(0.5, abs=0.01)


def test_a_constant_function(simulated_scope):
    for constant in (lambda t: 2, 2, 2.0, np.float32(2), [2]):
        assert sampled(simulated_scope(A=constant)).samples.mean() == pytest.approx(2, abs=1e-3)
    for level in (0, 1, False, True):
        assert set(simulated_scope(L3=level).capture("L3", timeout=0).L3) == {level}


def test_a_function_triggers(simulated_scope):
    scope = simulated_scope(A=lambda t: 3 * (100 * t % 1))
    a = scope.capture("A", period="20ms", nsamples=1000, low=0, high=3.3, trigger_level=1.5).A
    at = int(round(a.trigger_timestamp / a.sample_period))
    assert a.cause == "trigger" and a.samples[at - 2] < 1.5 <= a.samples[at + 2]


def test_what_a_function_raises_comes_out(simulated_scope):
    def signal(t):
        raise LookupError("no such volts")

    with pytest.raises(LookupError, match="no such volts"):
        scope = simulated_scope(A=signal)
        scope.capture("A", timeout=0)

    with pytest.raises(scopething.Usage, match=r"A: the signal gives an array of \(2,\) for \d+ times"):
        simulated_scope(A=lambda t: [1, 2]).capture("A", timeout=0)

    scope = simulated_scope(A=lambda t: np.where(t > -1, np.nan, 0))
    with pytest.raises(scopething.Usage, match="A: the signal is not a number at"):
        scope.capture("A", timeout=0)


def test_arrays_are_played_over_and_over(simulated_scope):
    scope = simulated_scope(A=[0, 3, 0, 1], L2=np.array([True, False]), sample_rate="4kHz")
    a = sampled(scope)
    assert scopething.analyse(a).wave.frequency == pytest.approx(1000, rel=1e-3)
    line = scope.capture("L2", period="5ms", nsamples=1000, timeout=0).L2
    assert scopething.analyse(line).edge_frequency == pytest.approx(2000, rel=1e-2)
    own = sampled(simulated_scope(A=(np.array([0.0, 3.0]), "1kHz")))
    assert scopething.analyse(own).wave.frequency == pytest.approx(500, rel=1e-3)


def test_a_series_is_played(simulated_scope):
    first = sampled(simulated_scope(A="triangle 1kHz 0..3V"))
    again = scopething.analyse(sampled(simulated_scope(A=first)))
    assert again.wave.shape == "triangle" and again.wave.frequency == pytest.approx(1000, rel=1e-2)


def test_other_programs_can_connect(simulated_scope):
    simulator = simulated_scope(A=lambda t: 1.0, tcp=True)
    assert simulator.url == f"socket://127.0.0.1:{simulator.port}"
    with simulator.connect() as scope:
        assert sampled(scope).samples.mean() == pytest.approx(1, abs=1e-2)
    with pytest.raises(scopething.Usage, match=str(simulator.port)):
        simulated_scope(tcp=f"127.0.0.1:{simulator.port}")


@pytest.mark.parametrize(
    "signals, words",
    [
        ({"A": "warble 1kHz"}, "no signal \"warble\""),
        ({"A": []}, "A"),
        ({"A": [[1, 2]]}, "one dimension"),
        ({"A": None}, "give one dimension, or a text"),
        ({"A": [float("nan")]}, "not numbers"),
        ({"A": object()}, "is no signal"),
        ({"A": [1.0], "sample_rate": 0}, "sample rate"),
        ({"C": "dc 1V"}, "no \"C\""),
        ({"noise": "5 parsec"}, "parsec"),
    ],
)
def test_signals_that_are_none(signals, words):
    with pytest.raises(scopething.Usage, match=words):
        scopething.simulate(**signals)

"""Fixtures for tests of programs that use a scope; pytest finds them where this package is installed.

    def test_it_sees_the_clock(simulated_scope):
        scope = simulated_scope(A="square 1kHz 0..3V")
        assert my_program.frequency(scope) == pytest.approx(1000)

    def test_it_connects(simulated_scope):
        simulator = simulated_scope(A="sine 1kHz 0..3V", tcp=True)
        my_program.main([simulator.url])
"""

from __future__ import annotations

from typing import Any, Callable, Iterator, List

import pytest


@pytest.fixture
def simulated_scope() -> Iterator[Callable[..., Any]]:
    """Simulates scopes, as `scopething.simulate`; they are closed when the test ends."""
    # Not before it is used: pytest loads this module for every test of every project.
    from . import simulate

    made: List[Any] = []

    def make(**arguments: Any) -> Any:
        made.append(simulate(**arguments))
        return made[-1]

    yield make
    for one in reversed(made):
        one.close()

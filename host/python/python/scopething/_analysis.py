"""What is measured of traces."""

from __future__ import annotations

from typing import Any, Optional, Union

from ._errors import Usage
from ._table import Table, table_of
from ._traces import Series, Traces


def analyse(of: Union[Traces, Series], *, spectrum: Union[bool, str] = False) -> Table:
    """Measures everything that the program's ``analyse`` does. What the samples do not support is None.

    Args:
        of: traces or one series.
        spectrum: whether to report frequencies, distortion and noise of analog channels; or the window for that:
            ``"rectangular"``, ``"hann"``, ``"blackman-harris"`` or ``"flat-top"``.

    Returns:
        Of traces a table of ``channels``, by name, and ``delays`` between them; of a series the measurements of that channel:
        levels in the unit of the samples, times in seconds, frequencies in hertz, parts (``duty``, ``overshoot``) from 0 to 1.

    Raises:
        Usage: these are no traces, or there is no such window.

    >>> import scopething
    >>> with scopething.simulate(A="square 2kHz 0..3V 25%") as scope:
    ...     a = scope.capture("A", period="5ms", nsamples=5000, low=0, high=3.3).A
    >>> measured = scopething.analyse(a)
    >>> round(measured.wave.frequency), measured.wave.shape, round(measured.duty, 3)
    (2000, 'square', 0.25)
    """
    window: Optional[str] = spectrum if isinstance(spectrum, str) else "hann" if spectrum else None
    if not isinstance(of, (Traces, Series)):
        raise Usage(f"{type(of).__name__} cannot be analysed: give traces or a series; Traces.from_arrays makes them of arrays")
    traces = of if isinstance(of, Traces) else Traces._of([of])
    analysis: Any = table_of(traces._recording.analyse(window))
    if isinstance(of, Traces):
        return Table(analysis)
    return Table(analysis["channels"][of.channel])

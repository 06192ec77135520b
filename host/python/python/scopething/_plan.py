"""How a capture is programmed, with and without a device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from . import _core
from ._arguments import Attenuation, CaptureArguments, Channels, attenuation_text, capture_request, flag, name_of, quantity_text
from ._table import Table

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Plan(Table):
    """How a capture is programmed: a dictionary, whose keys are attributes as well, and that a notebook shows as a table.

    ``mode`` is the trace mode, ``sample_rate`` in hertz, ``samples`` over all analog channels, ``period`` in seconds,
    ``pre_trigger_samples``, ``registers`` by name, ``adjusted`` and ``warnings`` what is done otherwise than asked, and
    ``refused`` the modes that do not fit and why.
    """

    def __repr__(self) -> str:
        rate = quantity_text(self["sample_rate"], "S/s")
        period = quantity_text(self["period"], "s")
        notes = "".join(f"\n  {note}" for note in [*self["adjusted"], *self["warnings"]])
        return f"<Plan: {self['samples']} samples over {period} at {rate}, mode {self['mode']}>{notes}"


def plan(
    channels: Channels = "A",
    *,
    probes: str = "x1",
    attenuation: Optional[Attenuation] = None,
    url: str = "",
    waveform: bool = False,
    clock: bool = False,
    **arguments: Unpack[CaptureArguments],
) -> Plan:
    """What a capture with these arguments would do, without a device.

    Args:
        channels: and all that are not listed here, as of `Scope.capture`.
        url: the connection whose calibration of ``probes`` counts.
        waveform: plan as if a waveform played.
        clock: plan as if a clock ran on L5.

    Raises:
        Usage: an argument is not understood.
        PlanError: the device cannot do it; ``limits`` lists what it can.

    >>> import scopething
    >>> scopething.plan("AB", period="20ms", nsamples=6000)
    <Plan: 6014 samples over 20.00 ms at 300.8 kS/s, mode MacroChop>
    """
    request = capture_request(channels, arguments)
    return Plan(
        _core.plan(
            request,
            url,
            name_of(probes, "probes"),
            attenuation_text(attenuation),
            flag(waveform, "waveform"),
            flag(clock, "clock"),
        )
    )

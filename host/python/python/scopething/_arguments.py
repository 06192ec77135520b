"""Arguments as users write them: numbers or texts, channels in several ways, triggers as dictionaries."""

from __future__ import annotations

import operator
import re
from typing import Any, Dict, Iterable, List, Mapping, Optional, SupportsFloat, SupportsIndex, TypedDict, Union

from . import _core
from ._errors import Usage

Quantity = Union[float, str, SupportsFloat]
"""A number in the unit of the argument, or a text such as ``"5ms"``, ``"3.3V"``, ``"20kHz"`` or ``"50%"``."""

Channels = Union[str, Iterable[str]]
"""``"A"``, ``"AB"``, ``"A,L3"``, ``["A", "L3"]``; ``"L"`` are all eight logic lines."""

Trigger = Union[str, Mapping[Any, Any]]
"""``"A"``, ``"B"``, ``"L3=1,L5=0"`` or ``{"L3": 1, "L5": 0}``."""

Attenuation = Union[Quantity, Mapping[str, Quantity]]
"""A factor such as ``10``, or one for each channel: ``{"A": 10, "B": 1}`` or ``"A=10,B=1"``."""

_CHANNEL = re.compile(r"\s*,?\s*([AB]|L[0-7]?)", re.IGNORECASE)


def number(value: Quantity, unit: str, name: str) -> float:
    """A number of the argument ``name``."""
    if isinstance(value, str):
        try:
            return _core.parse_quantity(value, unit)
        except Usage as error:
            raise Usage(f"{name}: {error}") from None
    if isinstance(value, bool):
        raise Usage(f"{name} is {value!r}: give a number, or a text with a unit")
    try:
        return float(value)
    except (TypeError, ValueError):
        raise Usage(f"{name} is {value!r}: give a number, or a text with a unit") from None


def whole(value: Union[str, SupportsIndex, float], name: str) -> int:
    """A whole number of the argument ``name``: ``12288``, ``"12k"``."""
    if isinstance(value, str):
        value = number(value, "count", name)
    if isinstance(value, float):
        if not value.is_integer():
            raise Usage(f"{name} is {value!r}: give a whole number")
        return int(value)
    try:
        return operator.index(value)
    except TypeError:
        raise Usage(f"{name} is {value!r}: give a whole number") from None


def channel_names(channels: Channels) -> List[str]:
    """The channels, one text each."""
    if not isinstance(channels, str):
        return [str(name).upper() for name in channels]
    names: List[str] = []
    at = 0
    while at < len(channels):
        found = _CHANNEL.match(channels, at)
        if found is None:
            # What the program documents of it.
            return [channels]
        names.append(found[1].upper())
        at = found.end()
    return names


def trigger_text(trigger: Trigger) -> str:
    """A trigger as the program writes it. A number stands for a logic line."""
    if isinstance(trigger, str):
        return trigger
    if not isinstance(trigger, Mapping):
        raise Usage(f"the trigger is {trigger!r}: give 'A', 'B' or levels of logic lines such as {{'L3': 1}}")
    levels: List[str] = []
    for line, level in trigger.items():
        name = line.upper() if isinstance(line, str) else f"L{whole(line, 'a line of the trigger')}"
        levels.append(f"{name}={int(bool(level))}")
    if not levels:
        raise Usage("the trigger pattern names no line: give levels such as {'L3': 1}")
    return ",".join(levels)


def attenuation_text(attenuation: Optional[Attenuation]) -> Optional[str]:
    """An attenuation as the program writes it."""
    if attenuation is None or isinstance(attenuation, str):
        return attenuation
    if isinstance(attenuation, Mapping):
        return ",".join(f"{channel}={number(factor, 'count', 'attenuation')!r}" for channel, factor in attenuation.items())
    return repr(number(attenuation, "count", "attenuation"))


class CaptureArguments(TypedDict, total=False):
    """The arguments of `Scope.capture` that say what is captured, beside the channels."""

    trigger: Optional[Trigger]
    trigger_level: Optional[Quantity]
    trigger_type: str
    hair_trigger: bool
    trigger_position: Quantity
    trigger_mode: str
    period: Quantity
    nsamples: Union[int, str]
    timeout: Optional[Quantity]
    delay: Quantity
    low: Optional[Quantity]
    high: Optional[Quantity]
    raw: bool
    bits: Optional[Union[int, str]]


def capture_arguments(
    channels: Channels,
    trigger: Optional[Trigger] = None,
    trigger_level: Optional[Quantity] = None,
    trigger_type: str = "rising",
    hair_trigger: bool = False,
    trigger_position: Quantity = 0.25,
    trigger_mode: str = "normal",
    period: Quantity = 1e-3,
    nsamples: Union[int, str] = 1000,
    timeout: Optional[Quantity] = None,
    delay: Quantity = 0,
    low: Optional[Quantity] = None,
    high: Optional[Quantity] = None,
    raw: bool = False,
    bits: Optional[Union[int, str]] = None,
) -> Dict[str, Any]:
    """A request in the program's own form."""
    arguments: Dict[str, Any] = {
        "channels": channel_names(channels),
        "period": number(period, "s", "period"),
        "nsamples": whole(nsamples, "nsamples"),
        "trigger_type": trigger_type.lower(),
        "hair_trigger": bool(hair_trigger),
        "trigger_position": number(trigger_position, "part", "trigger_position"),
        "trigger_mode": trigger_mode.lower(),
        "raw": bool(raw),
        "delay": number(delay, "s", "delay"),
    }
    if arguments["nsamples"] < 0:
        raise Usage(f"nsamples is {arguments['nsamples']}: give at least 1")
    if trigger is not None:
        arguments["trigger"] = trigger_text(trigger)
    if trigger_level is not None:
        arguments["trigger_level"] = number(trigger_level, "V", "trigger_level")
    if timeout is not None and timeout != "none":
        arguments["timeout"] = number(timeout, "s", "timeout")
    if low is not None:
        arguments["low"] = number(low, "V", "low")
    if high is not None:
        arguments["high"] = number(high, "V", "high")
    if bits is not None:
        arguments["bits"] = str(bits)
    return arguments

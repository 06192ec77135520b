"""Arguments as users write them: numbers or texts, channels in several ways, triggers as dictionaries."""

from __future__ import annotations

import operator
import os
import re
from typing import Any, Dict, Iterable, List, Mapping, Optional, SupportsFloat, SupportsIndex, Tuple, TypedDict, Union, cast

from . import _core
from ._errors import Usage

Quantity = Union[float, str, SupportsFloat]
"""A number in the unit of the argument, or a text such as ``"5ms"``, ``"3.3V"``, ``"20kHz"`` or ``"50%"``."""

Path = Union[str, "os.PathLike[str]"]

Channels = Union[str, Iterable[str]]
"""``"A"``, ``"AB"``, ``"A,L3"``, ``["A", "L3"]``; ``"L"`` are all eight logic lines."""

Trigger = Union[str, Mapping[Any, Any]]
"""``"A"``, ``"B"``, ``"L3=1,L5=0"`` or ``{"L3": 1, "L5": 0}``."""

Attenuation = Union[Quantity, Mapping[str, Quantity]]
"""A factor such as ``10``, or one for each channel: ``{"A": 10, "B": 1}`` or ``"A=10,B=1"``."""

_CHANNEL = re.compile(r"\s*,?\s*([AB]|L[0-7]?)", re.IGNORECASE)


def quantity_text(value: float, unit: str, digits: int = 4) -> str:
    """A number with an SI prefix and a unit."""
    return _core.format_quantity(value, unit, digits)


def number(value: Quantity, unit: str, name: str) -> float:
    """A number of the argument ``name``."""
    if isinstance(value, str):
        try:
            return _core.parse_quantity(value, unit)
        except Usage as error:
            raise Usage(f"{name}: {error}") from None
    try:
        if isinstance(value, (bool, bytes)):
            raise TypeError
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
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise Usage(f"{name} is {value!r}: give a whole number") from None


def flag(value: Any, name: str) -> bool:
    """Yes or no of the argument ``name``: a boolean, also of numpy's, 0 or 1. A text is none: ``"no"`` would be true."""
    if value is True or value is False:
        return value
    try:
        if not isinstance(value, str) and value in (0, 1):
            return bool(value)
    except ValueError:
        pass  # An array is not one value.
    raise Usage(f"{name} is {value!r}: give True or False")


def name_of(value: str, name: str) -> str:
    """A name, of the argument ``name``."""
    if not isinstance(value, str):
        raise Usage(f"{name} is {value!r}: give a name, as text")
    return value


def word(value: int, name: str) -> int:
    """A whole number from 0 to 65535."""
    count = whole(value, name)
    if not 0 <= count <= 0xFFFF:
        raise Usage(f"{name} is {count}: give 0 to 65535")
    return count


def listed(channels: Iterable[str], example: str = "'A', 'AB' or ['A', 'L3']") -> Tuple[str, ...]:
    """Channels that are not one text, which may be an iterator."""
    try:
        if isinstance(channels, (bytes, bytearray)):
            raise TypeError
        return tuple(channels)
    except TypeError:
        raise Usage(f"channels is {channels!r}: give {example}") from None


def channels_text(channels: Channels) -> str:
    """Channels as the program writes them; at least one."""
    names = channel_names(channels)
    if not any(names):
        raise Usage("channels names none: give 'A', 'AB' or ['A', 'L3']")
    return ",".join(names)


def channel_names(channels: Channels) -> List[str]:
    """The channels, one text each."""
    if not isinstance(channels, str):
        return [str(name).upper() for name in listed(channels)]
    names: List[str] = []
    at = 0
    while at < len(channels):
        found = _CHANNEL.match(channels, at)
        if found is None:
            # The program's own message names what is wrong with it.
            return [channels]
        names.append(found[1].upper())
        at = found.end()
    return names


def levels_text(levels: Trigger, name: str) -> str:
    """Levels of logic lines as the program writes them. A number stands for a line."""
    if isinstance(levels, str):
        return levels
    if not isinstance(levels, Mapping):
        raise Usage(f"{name} is {levels!r}: give levels of logic lines such as {{'L3': 1}}")
    parts: List[str] = []
    for line, level in levels.items():
        of_line = line.upper() if isinstance(line, str) else f"L{whole(line, f'a line of {name}')}"
        if not isinstance(level, str):
            try:
                level = int(flag(level, name))
            except Usage:
                raise Usage(f"{name}: {of_line} is {level!r}: give 0 or 1") from None
        parts.append(f"{of_line}={level}")
    if not parts:
        raise Usage(f"{name} names no line: give levels such as {{'L3': 1}}")
    return ",".join(parts)


def trigger_text(trigger: Trigger) -> str:
    """A trigger as the program writes it."""
    if not isinstance(trigger, (str, Mapping)):
        raise Usage(f"trigger is {trigger!r}: give 'A', 'B' or levels of logic lines such as {{'L3': 1}}")
    return levels_text(trigger, "trigger")


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


class StreamArguments(TypedDict, total=False):
    """The arguments of `Scope.stream` beside channels, rate and block."""

    low: Optional[Quantity]
    high: Optional[Quantity]
    raw: bool
    probes: str
    attenuation: Optional[Attenuation]
    envelope: bool
    frame_rate: Optional[Quantity]
    unframed: bool


_UNITS = {
    "trigger_level": "V",
    "trigger_position": "part",
    "period": "s",
    "timeout": "s",
    "delay": "s",
    "low": "V",
    "high": "V",
}
"""The unit of each argument that is a number with one."""

_MAX_COUNT = (1 << 32) - 1
"""The most samples that can be asked for: what the device cannot do it does as nearly as it can."""

_OPTIONAL = {"trigger", "trigger_level", "timeout", "low", "high", "bits"}
"""Those that may be None, for the program's default."""


def capture_request(channels: Channels, arguments: CaptureArguments) -> _core.Request:
    """A request with all its arguments read; what is absent has the program's default."""
    request: Dict[str, Any] = {"channels": channel_names(channels)}
    for name, value in arguments.items():
        if name not in CaptureArguments.__annotations__:
            raise TypeError(f"a capture has no argument {name!r}")
        if (value is None and name in _OPTIONAL) or (name == "timeout" and isinstance(value, str) and value == "none"):
            continue
        if name in _UNITS:
            request[name] = number(cast("Quantity", value), _UNITS[name], name)
        elif name == "nsamples":
            request[name] = whole(cast("Union[int, str]", value), name)
        elif name == "trigger":
            request[name] = trigger_text(cast("Trigger", value))
        elif name in ("raw", "hair_trigger"):
            request[name] = flag(value, name)
        else:
            request[name] = str(value).lower()
    if not 0 <= request.get("nsamples", 1) <= _MAX_COUNT:
        raise Usage(f"nsamples is {request['nsamples']}: give roughly how many, 1 to 12288")
    return _core.Request(request)


ReadCapture = Tuple[_core.Request, str, Optional[str], bool]
"""What `_core.Connection.capture` takes."""

_PLAIN = {str, int, float, bool, type(None)}


def read_capture(channels: Channels, given: Tuple[Any, ...]) -> Tuple[Tuple[Any, ...], ReadCapture]:
    """The arguments of a capture, and what was read of them, for scripts that capture the same again and again: reading them takes
    longer than the rest of what Python does for a capture. Only what cannot change may be compared with those of the next one;
    of others there are no arguments.

    Args:
        given: the `CaptureArguments` in their order, then probes, attenuation and verify.
    """
    if not isinstance(channels, str):
        # A list may change.
        channels = listed(channels)
    *arguments, probes, attenuation, verify = given
    request = capture_request(channels, cast("CaptureArguments", dict(zip(CaptureArguments.__annotations__, arguments))))
    read = request, name_of(probes, "probes"), attenuation_text(attenuation), flag(verify, "verify")
    names = (channels,) if isinstance(channels, str) else channels
    is_plain = all(type(value) in _PLAIN for value in (*names, *given))
    return ((channels, *given) if is_plain else ()), read

"""Attributes that are made when they are first asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable

__all__ = ["cached_property"]

if TYPE_CHECKING:
    from functools import cached_property
else:

    class cached_property:
        """As `functools.cached_property`, without the lock that it takes before Python 3.12: that costs more than what is made."""

        def __init__(self, make: Callable[[Any], Any]) -> None:
            self._make = make
            self.__doc__ = make.__doc__

        def __set_name__(self, owner: type, name: str) -> None:
            self._name = name

        def __get__(self, instance: Any, owner: type | None = None) -> Any:
            if instance is None:
                return self
            value = self._make(instance)
            # Not through `__dict__`, which Python 3.11 and later make of an object when it is asked for.
            setattr(instance, self._name, value)
            return value

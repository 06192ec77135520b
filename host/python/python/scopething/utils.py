"""`DotDict` of the pure-Python driver, for scripts that were written for it: only their import lines change."""

from __future__ import annotations

from typing import Any, Dict

__all__ = ["DotDict"]


class DotDict(Dict[str, Any]):
    """A dictionary whose keys are attributes as well.

    >>> from scopething.utils import DotDict
    >>> wave = DotDict(shape="sine")
    >>> wave.frequency = 1000
    >>> wave["frequency"], wave.shape
    (1000, 'sine')
    """

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"there is no {name!r}: there are {', '.join(self)}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        try:
            del self[name]
        except KeyError:
            raise AttributeError(f"there is no {name!r}: there are {', '.join(self)}") from None

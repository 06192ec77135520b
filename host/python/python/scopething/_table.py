"""Results with names: dictionaries whose keys are attributes too, and tables in a notebook."""

from __future__ import annotations

import html
from typing import Any, Dict, List


class Table(Dict[str, Any]):
    """A dictionary whose keys are attributes too, and that a notebook shows as a table."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"there is no {name!r}, but {', '.join(map(str, self))}") from None

    def __dir__(self) -> List[str]:
        return [*super().__dir__(), *(key for key in self if isinstance(key, str))]

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><th>{html.escape(str(key))}</th><td>{_cell(value)}</td></tr>" for key, value in self.items())
        return f"<table>{rows}</table>"


def table_of(value: Any) -> Any:
    """The same, with a `Table` for each dictionary in it."""
    if isinstance(value, dict):
        return Table({key: table_of(one) for key, one in value.items()})
    if isinstance(value, list):
        return [table_of(one) for one in value]
    return value


def _cell(value: Any) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict):
        return Table(value)._repr_html_()
    if isinstance(value, list) and len(value) > 8:
        return f"{len(value)} values"
    return html.escape(str(value))

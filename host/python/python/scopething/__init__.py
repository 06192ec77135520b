"""A BitScope Micro at the Python prompt.

>>> import scopething
>>> with scopething.connect("sim:?A=sine,1kHz,0..3V") as scope:
...     traces = scope.capture("A", period="5ms", nsamples=2000, low=0, high=3.3, trigger_level=1.5)
>>> round(float(traces.A.samples.max()), 2)
3.0
"""

from ._analysis import analyse
from ._core import __version__
from ._errors import (
    BadAnswer,
    Busy,
    Cancelled,
    Closed,
    Error,
    FileError,
    LinkLost,
    NotFound,
    PlanError,
    Usage,
    WrongDevice,
)
from ._files import read, read_all
from ._generators import Clock
from ._plan import Plan, plan
from ._ports import Port, list_ports
from ._scope import Scope, connect
from ._simulate import Simulator, simulate
from ._stream import Block, Stream
from ._table import Table
from ._traces import Series, Traces

list = list_ports
"""As `list_ports`."""

__all__ = [
    "BadAnswer",
    "Block",
    "Busy",
    "Cancelled",
    "Clock",
    "Closed",
    "Error",
    "FileError",
    "LinkLost",
    "NotFound",
    "Plan",
    "PlanError",
    "Port",
    "Scope",
    "Series",
    "Simulator",
    "Stream",
    "Table",
    "Traces",
    "Usage",
    "WrongDevice",
    "__version__",
    "analyse",
    "connect",
    "list_ports",
    "plan",
    "read",
    "read_all",
    "simulate",
]

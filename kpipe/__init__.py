"""kpipe takes a Kaggle competition from its name to a score one can believe.

>>> import kpipe
>>> kpipe.__version__
'0.1.0'

The public names below load what they need when they are first used (PEP 562), so that ``import kpipe`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kpipe.competition import Competition, find, row_by_row
    from kpipe.conformance import check
    from kpipe.data import load
    from kpipe.errors import KpipeError
    from kpipe.models import model
    from kpipe.notebook import run
    from kpipe.resolving import resolve
    from kpipe.runs import Run
    from kpipe.values import Context, Tables

__version__ = "0.1.0"

__all__ = [
    "Competition",
    "Context",
    "KpipeError",
    "Run",
    "Tables",
    "check",
    "find",
    "load",
    "model",
    "resolve",
    "row_by_row",
    "run",
]

_HOMES = {
    "Competition": "kpipe.competition",
    "Context": "kpipe.values",
    "KpipeError": "kpipe.errors",
    "Run": "kpipe.runs",
    "Tables": "kpipe.values",
    "check": "kpipe.conformance",
    "find": "kpipe.competition",
    "load": "kpipe.data",
    "model": "kpipe.models",
    "resolve": "kpipe.resolving",
    "row_by_row": "kpipe.competition",
    "run": "kpipe.notebook",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'kpipe' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

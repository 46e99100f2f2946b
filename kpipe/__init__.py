"""kpipe takes a Kaggle competition from its name to a score one can believe.

>>> import kpipe
>>> kpipe.__version__
'0.1.0'

The public names below load what they need when they are first used (PEP 562), so that ``import kpipe`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from kpipe._version import __version__ as __version__

if TYPE_CHECKING:
    from kpipe.checks.conformance import check
    from kpipe.cli.notebook import run
    from kpipe.core.values import Context, Tables
    from kpipe.errors import KpipeError
    from kpipe.models import model
    from kpipe.pipeline import load
    from kpipe.problem.competition import Competition, find, row_by_row
    from kpipe.problem.inference import resolve
    from kpipe.report.plots import plot
    from kpipe.runs.run import Run

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
    "plot",
    "resolve",
    "row_by_row",
    "run",
]

_HOMES = {
    "Competition": "kpipe.problem.competition",
    "Context": "kpipe.core.values",
    "KpipeError": "kpipe.errors",
    "Run": "kpipe.runs.run",
    "Tables": "kpipe.core.values",
    "check": "kpipe.checks.conformance",
    "find": "kpipe.problem.competition",
    "load": "kpipe.pipeline",
    "model": "kpipe.models",
    "plot": "kpipe.report.plots",
    "resolve": "kpipe.problem.inference",
    "row_by_row": "kpipe.problem.competition",
    "run": "kpipe.cli.notebook",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'kpipe' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

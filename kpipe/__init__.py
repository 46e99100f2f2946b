"""kpipe takes a Kaggle competition from its name to a trustworthy score.

>>> import kpipe
>>> kpipe.__version__
'0.1.0'

The public names below load what they need when they are first used (PEP 562), so that ``import kpipe`` is fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from kpipe._version import __version__ as __version__

if TYPE_CHECKING:
    from kpipe.api import blend, check, compare, load, load_run
    from kpipe.cli.notebook import run
    from kpipe.core.request import RunRequest
    from kpipe.core.values import Context, Tables
    from kpipe.errors import KpipeError
    from kpipe.models import model
    from kpipe.problem.competition import Competition, find, row_by_row
    from kpipe.problem.problem import Problem, define_problem
    from kpipe.report.page import report
    from kpipe.report.plots import plot
    from kpipe.runs.listing import runs
    from kpipe.runs.run import Run

__all__ = [
    "Competition",
    "Context",
    "KpipeError",
    "Problem",
    "Run",
    "RunRequest",
    "Tables",
    "blend",
    "check",
    "compare",
    "define_problem",
    "find",
    "load",
    "load_run",
    "model",
    "plot",
    "report",
    "row_by_row",
    "run",
    "runs",
]

_HOMES = {
    "Competition": "kpipe.problem.competition",
    "Context": "kpipe.core.values",
    "KpipeError": "kpipe.errors",
    "Run": "kpipe.runs.run",
    "Tables": "kpipe.core.values",
    "blend": "kpipe.api",
    "compare": "kpipe.api",
    "load_run": "kpipe.api",
    "check": "kpipe.api",
    "Problem": "kpipe.problem.problem",
    "RunRequest": "kpipe.core.request",
    "define_problem": "kpipe.problem.problem",
    "find": "kpipe.problem.competition",
    "load": "kpipe.api",
    "model": "kpipe.models",
    "plot": "kpipe.report.plots",
    "row_by_row": "kpipe.problem.competition",
    "run": "kpipe.cli.notebook",
}
_PACKAGES = ("report", "runs")


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:  # packages that can be called, as kpipe.report() and kpipe.runs()
        return import_module(f"kpipe.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'kpipe' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

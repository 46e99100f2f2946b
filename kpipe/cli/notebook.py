"""``kpipe.run`` as a notebook has it: the same, with a bar that moves below the cell while it works."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec

from markupsafe import Markup

from kpipe import pipeline
from kpipe.pipeline import RunPlan
from kpipe.runs.run import Run
from kpipe.training.cross_validation import FitFinished

__all__ = ["run"]

_ASKED = frozenset({"started", "tell", "downloading"})  # whoever hears of a run for himself wants no bar
P = ParamSpec("P")


def _shown(function: Callable[P, Run]) -> Callable[P, Run]:
    """The function, with a bar where a notebook's kernel calls it."""

    @wraps(function)
    def run(*args: P.args, **options: P.kwargs) -> Run:
        display = None if _ASKED & options.keys() else _display()
        if display is None:
            return function(*args, **options)
        bar = _Bar(display)
        told: Any = {"started": bar.started, "tell": bar.tell, "downloading": bar.downloading}
        return function(*args, **{**options, **told})

    return run


def _display() -> Any:
    """IPython's ``display``, or None outside a notebook: a terminal's IPython shows no HTML."""
    ipython = sys.modules.get("IPython")  # a notebook's kernel has loaded it; a script must not
    if ipython is None or getattr(ipython.get_ipython(), "kernel", None) is None:
        return None
    return ipython.display.display


class _Bar:
    """One piece of HTML below the cell, changed as the run goes on; no widget, which a notebook may lack."""

    def __init__(self, display: Callable[..., Any]) -> None:
        self.display: Any = display
        self.handle: Any = None
        self.opening, self.began = "", time.monotonic()

    def downloading(self, done: int, size: int) -> None:
        self._show(f"downloading from Kaggle: {done / 1e6:.1f} MB", done, size or done or 1)

    def started(self, start: RunPlan) -> None:
        self.opening, self.began = " ".join([start.sentence, *start.notes]), time.monotonic()
        self._show("training", 0, len(start.models) * start.folds)

    def tell(self, done: FitFinished) -> None:
        passed = time.monotonic() - self.began
        left = "" if done.done == done.total else f", about {passed * (done.total - done.done) / done.done:.0f} s left"
        took = f"{done.done} of {done.total} fits in {passed:.0f} s{left}"
        self._show(f"{took} ({done.model}, fold {done.fold + 1}, seed {done.seed})", done.done, done.total)

    def _show(self, told: str, done: int, total: int) -> None:
        bar = Markup("{}<br><progress value='{}' max='{}' style='width:20em'></progress> {}")
        shown = _Html(bar.format(self.opening, done, total, told), plain=told)
        if self.handle is None:
            self.handle = self.display(shown, display_id=True)
        else:
            self.handle.update(shown)


class _Html:
    """HTML for a notebook, and the same in words for what shows none."""

    def __init__(self, html: str, plain: str) -> None:
        self.html, self.plain = html, plain

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.plain


run = _shown(pipeline.run)

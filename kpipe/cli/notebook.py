"""``kpipe.run`` as a notebook has it: the same, with a bar that moves below the cell while it works."""

from __future__ import annotations

import inspect
import sys
import time
from collections.abc import Callable
from typing import Any, ParamSpec

from markupsafe import Markup

from kpipe import pipeline
from kpipe.core.request import RunRequest
from kpipe.pipeline import Callbacks, RunPlan
from kpipe.runs.run import Run
from kpipe.training.cross_validation import FitFinished

__all__ = ["run"]

_P = ParamSpec("_P")


def _run_of(request_type: Callable[_P, RunRequest]) -> Callable[_P, Run]:
    """A function with the parameters of ``RunRequest`` that runs the request, with a progress bar in a notebook."""

    def run(*args: _P.args, **options: _P.kwargs) -> Run:
        given: Any = dict(options)
        callbacks: Any = {name: given.pop(name) for name in Callbacks.__annotations__ if name in given}
        request = request_type(*args, **given)
        if not callbacks and (display := _display()) is not None:
            bar = _Bar(display)
            callbacks = {"on_start": bar.started, "on_fit_done": bar.tell, "on_download": bar.downloading}
        return pipeline.run(request, **callbacks)

    shown = inspect.signature(request_type).replace(return_annotation="Run")
    run.__signature__ = shown  # type: ignore[attr-defined]  # what help and editors show
    run.__doc__ = _DOC.format(parameters=_parameters_of(RunRequest))
    return run


_DOC = """From a competition's name to a validated submission with a score; in a notebook, with a progress bar.

    Parameters
    ----------
    {parameters}
    on_start, on_fit_done, on_download : callable, optional
        Called with the plan before training, with each fit that has finished, and with the bytes that have arrived and
        the bytes in all. Without them, a notebook shows a progress bar.

    Returns
    -------
    Run

    Raises
    ------
    KpipeError
        If the call or the input is wrong, or the work failed; the message says what to do.
    """


def _parameters_of(documented: type) -> str:
    """The section "Parameters" of a class's docstring."""
    _, _, rest = (documented.__doc__ or "").partition("Parameters\n    ----------\n")
    return rest.partition("\n\n    Raises")[0].strip()


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


run = _run_of(RunRequest)

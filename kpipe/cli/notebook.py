"""``kpipe.run``: the run of a request, with a progress bar where a notebook calls it."""

from __future__ import annotations

import inspect
import sys
import time
from collections.abc import Callable
from typing import Any, ParamSpec

from markupsafe import Markup

from kpipe import pipeline
from kpipe.core.request import RunRequest, check_option_names
from kpipe.pipeline import Callbacks, RunPlan
from kpipe.problem.settings import Settings, make_request, settings_of
from kpipe.runs.run import Run
from kpipe.training.task_runner import FitFinished

__all__ = ["run"]

_P = ParamSpec("_P")
_CALLBACKS = tuple(name for name in Callbacks.__annotations__ if name != "command")  # only the command line has that


def _run_of(request_type: Callable[_P, RunRequest]) -> Callable[_P, Run]:
    """A function that takes the parameters of ``RunRequest`` and the callbacks of ``pipeline.run``."""

    def run(*args: _P.args, **options: _P.kwargs) -> Run:
        given: Any = dict(options)
        check_option_names(given, others=_CALLBACKS)
        callbacks: Any = {name: given.pop(name) for name in _CALLBACKS if name in given}
        request = _make_request(request_type, *args, **given)
        if not callbacks and (display := _get_display()) is not None:
            bar = _ProgressBar(display, settings_of(request))
            callbacks = {"on_start": bar.on_start, "on_fit_done": bar.on_fit_done, "on_download": bar.on_download}
        return pipeline.run(request, **callbacks)

    run.__signature__ = _signature(request_type)  # type: ignore[attr-defined]  # what help and editors show
    run.__doc__ = _DOC.format(parameters=_parameters_of(RunRequest))
    return run


def _make_request(request_type: Callable[_P, RunRequest], *args: _P.args, **given: _P.kwargs) -> RunRequest:
    """The request of a call, completed by ``kpipe.toml``."""
    request_type(*args, **given)  # raises an error that names the call's mistake
    options = inspect.signature(request_type).bind(*args, **given).arguments
    return make_request(options.pop("slug"), options)


def _signature(request_type: Callable[..., RunRequest]) -> inspect.Signature:
    """The parameters of a request, with the types that it accepts instead of those that it keeps."""
    own = inspect.signature(request_type)
    accepted = {
        "budget": {"annotation": "float | str | None"},
        "out": {"annotation": "str | Path", "default": "submissions"},
        "seed": {"annotation": "int | Sequence[int] | None"},
    }
    parameters = [each.replace(**accepted.get(name, {})) for name, each in own.parameters.items()]  # type: ignore[arg-type]
    return own.replace(parameters=parameters, return_annotation="Run")


_DOC = """From a competition's name to a validated submission with a score; in a notebook, with a progress bar.

    In a workspace, ``kpipe.toml`` sets the options that are not given.

    Parameters
    ----------
    {parameters}
    on_start, on_fit_done, on_download, on_step : callable, optional
        Called with the plan before training, with each fit that has finished, with the bytes that have arrived and the
        bytes in all, and with a phrase for each step besides training. Without them, a notebook shows a progress bar.

    Returns
    -------
    Run

    Raises
    ------
    KpipeError
        If the call or the input is wrong, or the work failed; the message says what to do.

    See Also
    --------
    kpipe.load_run : A finished run, read from its folder.
    kpipe.compare : Whether another run is better.

    Examples
    --------
    >>> import kpipe
    >>> run = kpipe.run("titanic", models=["linear", "boosting"], folds=5)  # doctest: +SKIP
    >>> run.score, run.standard_error  # doctest: +SKIP
    >>> run.scores  # doctest: +SKIP
    """


def _parameters_of(documented: type) -> str:
    """The section "Parameters" of a class's docstring."""
    _, _, rest = (documented.__doc__ or "").partition("Parameters\n    ----------\n")
    return rest.partition("\n\n    Raises")[0].strip()


def _get_display() -> Any:
    """IPython's ``display``, or None outside a notebook: IPython in a terminal shows no HTML."""
    ipython = sys.modules.get("IPython")  # loaded already by a notebook's kernel; a script must not load it
    if ipython is None or getattr(ipython.get_ipython(), "kernel", None) is None:
        return None
    return ipython.display.display


class _ProgressBar:
    """A piece of HTML below the cell, updated as the run proceeds. Not a widget, which needs an extension."""

    def __init__(self, display: Callable[..., Any], settings: Settings | None = None) -> None:
        self.display: Any = display
        self.settings = settings.sentence if settings is not None else ""
        self.handle: Any = None
        self.plan, self.began = "", time.monotonic()

    def on_download(self, done: int, size: int) -> None:
        self._show(f"downloading from Kaggle: {done / 1e6:.1f} MB", done, size or done or 1)

    def on_start(self, plan: RunPlan) -> None:
        self.plan, self.began = " ".join(filter(None, [self.settings, plan.sentence, *plan.notes])), time.monotonic()
        self._show("training", 0, None)

    def on_fit_done(self, fit: FitFinished) -> None:
        passed = time.monotonic() - self.began
        waiting = 0 if fit.total is None else fit.total - fit.done
        left = f", about {passed * waiting / fit.done:.0f} s left" if waiting else ""
        fits = f"{fit.done}{f' of {fit.total}' if fit.total else ''} fits in {passed:.0f} s{left}"
        self._show(f"{fits} ({fit.model}, fold {fit.fold + 1}, seed {fit.seed})", fit.done, fit.total)

    def _show(self, state: str, done: int, total: int | None) -> None:
        """Show the state beside a bar, which only moves to and fro where the total is unknown."""
        far = Markup(" value='{}' max='{}'").format(done, total) if total else Markup()
        bar = Markup("{}<br><progress{} style='width:20em'></progress> {}")
        page = _Html(bar.format(self.plan, far, state), plain=state)
        if self.handle is None:
            self.handle = self.display(page, display_id=True)
        else:
            self.handle.update(page)


class _Html:
    """HTML for a notebook, and plain text for a front end that shows no HTML."""

    def __init__(self, html: str, plain: str) -> None:
        self.html, self.plain = html, plain

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.plain


run = _run_of(RunRequest)

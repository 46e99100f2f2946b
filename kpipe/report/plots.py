"""The plots of a report as matplotlib figures: ``kpipe.plot(run).folds()``."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, partial

from matplotlib.figure import Figure

from kpipe.errors import UsageError
from kpipe.report.blocks import Plot
from kpipe.report.figure import print_figure
from kpipe.report.page import sections
from kpipe.runs.loaded import load_run
from kpipe.runs.run import Run

__all__ = ["Plots", "plot"]


class Plots:
    """The plots of a run, each drawn by a method of its name as a ``matplotlib.figure.Figure``.

    A notebook shows the figure, and ``.savefig("folds.png")`` saves it. Which plots there are depends on the run:
    ``dir`` and the completion of a notebook list them. Where the run has several models or targets, a plot's method
    takes the name of one; by default it draws the first. Only the run's folder is read.

    Parameters
    ----------
    run : Run
        A finished run.
    """

    def __init__(self, run: Run) -> None:
        self._run = run

    def __getattr__(self, name: str) -> Callable[..., Figure]:
        if name.startswith("_"):
            raise AttributeError(name)
        return partial(self._figure, name)

    def __dir__(self) -> list[str]:
        return sorted({plot.name for plot in self._plots})

    def __repr__(self) -> str:
        return f"<plots of {self._run.path.name}: {', '.join(self._calls())}>"

    def _figure(self, name: str, of: str = "") -> Figure:
        for plot in self._plots:
            if plot.name == name and of in ("", plot.of):
                return print_figure(plot)
        call = f"{name}({of!r})" if of else f"{name}()"
        raise UsageError(
            f"kpipe.plot(run).{call} does not apply to this run. It has: {', '.join(self._calls())}.",
            code="plot-unavailable",
        )

    def _calls(self) -> list[str]:
        calls = (f"{plot.name}({plot.of!r})" if plot.of else f"{plot.name}()" for plot in self._plots)
        return list(dict.fromkeys(calls))

    @cached_property
    def _plots(self) -> list[Plot]:
        blocks = (block for section in sections(load_run(self._run), None) for block in section.blocks)
        return [block for block in blocks if isinstance(block, Plot)]


def plot(run: Run) -> Plots:
    """The plots of a run.

    Parameters
    ----------
    run : Run
        A finished run, as ``kpipe.run`` returns it.

    Returns
    -------
    Plots
        An object with a method for each plot: ``folds``, ``learning_curves``, ``calibration``, ...

    Examples
    --------
    >>> import kpipe
    >>> kpipe.plot(run).folds().savefig("folds.png")  # doctest: +SKIP
    """
    return Plots(run)

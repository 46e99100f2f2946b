"""The progress of a run on stderr: a bar on a terminal, lines in a file or a pipe, nothing with ``--quiet``."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from kpipe.cli.console.layout import SAMPLE_WARNING, get_console
from kpipe.pipeline import Callbacks, RunPlan
from kpipe.training.task_runner import FitFinished

__all__ = ["RunProgress", "show_progress"]

_ROOM_FOR_A_BAR = 70  # columns
_LONG_STEP = 5.0  # seconds after which a step that is still at work is shown
# Lines, where there is no bar: one for each fit of a small run, else one every ``_INTERVAL`` seconds; and a heartbeat
# while a fit takes longer, since programs that see no output for minutes assume that the run hangs.
_FEW_FITS, _INTERVAL, _SILENCE = 30, 10.0, 60.0


class RunProgress:
    """Progress that prints nothing, and remembers the run's folder.

    Attributes
    ----------
    path : Path or None
        The folder of the unfinished run, once training has started.
    fits : int
        Number of fits that have finished.
    shows_every_step : bool
        Whether each step is shown at once.
    """

    def __init__(self) -> None:
        self.path: Path | None = None
        self.fits = 0
        self.shows_every_step = False

    @property
    def callbacks(self) -> Callbacks:
        """The methods below and the command line, as arguments of ``kpipe.pipeline.run``."""
        return {
            "on_start": self.on_start,
            "on_fit_done": self.on_fit_done,
            "on_download": self.on_download,
            "on_step": self.on_step,
            "command": ["kpipe", *sys.argv[1:]],
        }

    def on_start(self, plan: RunPlan) -> None:
        """Show what is about to be trained.

        Parameters
        ----------
        plan : RunPlan
            The models, folds and tables of the run.
        """
        self.path = plan.path

    def on_fit_done(self, fit: FitFinished) -> None:
        """Show that a fit has finished.

        Parameters
        ----------
        fit : FitFinished
            The fit, and how many of all have finished.
        """
        self.fits = fit.done

    def on_download(self, done: int, size: int) -> None:
        """Show how much has been downloaded from Kaggle.

        Parameters
        ----------
        done, size : int
            Bytes downloaded, and bytes in total; 0 if the total is unknown.
        """

    def on_step(self, step: str) -> None:
        """Show what is being done, if it takes a while.

        Parameters
        ----------
        step : str
            A phrase.
        """

    def close(self) -> None:
        """Remove what is only shown while the run works."""


@contextlib.contextmanager
def show_progress(*, quiet: bool, every_step: bool = False) -> Iterator[RunProgress]:
    """Show the progress of a run and, if it is interrupted, where its finished fits are kept.

    Parameters
    ----------
    quiet : bool
        Show no progress.
    every_step : bool
        Show each step at once, not only those that take some seconds.

    Yields
    ------
    RunProgress
        To be called as the run proceeds, see ``callbacks``.
    """
    console = get_console(stderr=True)
    has_bar = console.is_terminal and sys.stderr.isatty()  # FORCE_COLOR makes a pipe a terminal for Rich
    progress = RunProgress() if quiet else (_Bar if has_bar else _Lines)(console)
    progress.shows_every_step = every_step
    try:
        yield progress
    except KeyboardInterrupt as error:
        error.args = tuple(_what_is_kept(progress))
        raise
    finally:
        progress.close()


def _what_is_kept(progress: RunProgress) -> Iterator[str]:
    """After an interrupt: where the finished fits are; nothing before training."""
    if progress.path is None:
        return
    if progress.path.exists():
        yield f"Finished fits are kept in {progress.path}. Run the same command again to resume."
    elif progress.fits:  # the folder has its final name
        yield f"The run had finished: its folder is in {progress.path.parent}."
    else:
        yield "No fit had finished, so nothing was saved."


class _Lines(RunProgress):
    """Lines at sensible intervals."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self.console = console
        self.tenths = -1
        self.waiting: threading.Timer | None = None
        self.began = self.printed = time.monotonic()

    def on_download(self, done: int, size: int) -> None:
        """Print a line for each tenth."""
        tenths = 10 * done // size if size else 0
        if tenths > self.tenths:
            self.tenths = tenths
            share = f"{10 * tenths} % of {_format_size(size)}" if size else "..."
            self.console.print(f"Downloading from Kaggle: {share}", markup=False)

    def on_step(self, step: str) -> None:
        """Print the step once it has taken some seconds, and every minute that it is still at work."""
        began = time.monotonic()

        def show() -> None:
            minutes = round((time.monotonic() - began) / 60)
            self.console.print(f"{step} ..." + (f" ({minutes} min so far)" if minutes else ""), markup=False)
            self._wait(_SILENCE, show)

        self._stop_waiting()
        show() if self.shows_every_step else self._wait(_LONG_STEP, show)

    def _wait(self, seconds: float, then: Callable[[], None]) -> None:
        """Call a function in some seconds, unless another call or ``_stop_waiting`` comes first."""
        self._stop_waiting()
        self.waiting = threading.Timer(seconds, then)
        self.waiting.daemon = True
        self.waiting.start()

    def close(self) -> None:
        self._stop_waiting()

    def _stop_waiting(self) -> None:
        if self.waiting is not None:
            self.waiting.cancel()

    def on_start(self, plan: RunPlan) -> None:
        super().on_start(plan)
        self._stop_waiting()
        for line in (plan.sentence, *plan.notes):
            self.console.print(line, markup=False)
        if plan.problem.tables.source.origin == "sample":
            self.console.print(SAMPLE_WARNING, markup=False)
        self.began = time.monotonic()
        self._show_heartbeat()

    def _show_heartbeat(self) -> None:
        """Print every minute without other output that the run still trains."""

        def show() -> None:
            minutes = (time.monotonic() - self.began) / 60
            self.console.print(f"Still training after {minutes:.0f} min: {self.fits} fits are done.", markup=False)
            self._show_heartbeat()

        self._wait(_SILENCE, show)

    def on_fit_done(self, fit: FitFinished) -> None:
        super().on_fit_done(fit)
        self._stop_waiting() if fit.done == fit.total else self._show_heartbeat()
        many = (fit.total or fit.done) > _FEW_FITS
        if many and 1 < fit.done != fit.total and time.monotonic() - self.printed < _INTERVAL:
            return
        self.printed = time.monotonic()
        took = "already finished" if fit.resumed else f"{fit.seconds:.1f} s"
        count = f"fit {fit.done}" if fit.total is None else f"{fit.done}/{fit.total}"
        line = f"[{count}] {fit.model}, fold {fit.fold + 1}, seed {fit.seed}: {took}"
        self.console.print(line, markup=False)


class _Bar(_Lines):
    """A bar with the time left."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        narrow = console.width < _ROOM_FOR_A_BAR
        between = () if narrow else (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("left"))
        columns = (TextColumn("{task.description}"), *between, TimeRemainingColumn())
        self.bar = Progress(*columns, console=console, transient=True)

    def _show_heartbeat(self) -> None:
        """Do nothing: the bar moves."""

    def on_start(self, plan: RunPlan) -> None:
        super().on_start(plan)
        self.task = self.bar.add_task("training", total=None)
        self.bar.start()

    def on_fit_done(self, fit: FitFinished) -> None:
        RunProgress.on_fit_done(self, fit)
        description = f"{fit.model}, fold {fit.fold + 1}" + ("" if fit.total else f", {fit.done} fits")
        self.bar.update(self.task, description=description, completed=fit.done, total=fit.total)

    def close(self) -> None:
        super().close()
        self.bar.stop()


def _format_size(size: float) -> str:
    """A number of bytes with its unit.

    >>> _format_size(34_877), _format_size(15_300_000)
    ('34.9 kB', '15.3 MB')
    """
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} GB"

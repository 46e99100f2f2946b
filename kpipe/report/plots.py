"""The plots of a report as matplotlib figures: ``kpipe.plot(run).folds()``."""

from __future__ import annotations

from functools import cached_property

from matplotlib.figure import Figure

from kpipe.errors import UsageError
from kpipe.report import classification, learning_curves, models, predictions, score, submission
from kpipe.report.blocks import Picture
from kpipe.report.svg import in_print
from kpipe.runs.loaded import read
from kpipe.runs.run import Run

__all__ = ["Plots", "plot"]


class Plots:
    """The plots of a run. Each method draws one as a ``matplotlib.figure.Figure``.

    A notebook shows the figure, and ``.savefig("folds.png")`` saves it. Only the run's folder is read. A plot that does
    not apply to the run, such as ROC curves of a regression, raises UsageError, which lists the plots that do.

    Parameters
    ----------
    run : Run
        A finished run.
    """

    def __init__(self, run: Run) -> None:
        self._run = run

    def scores(self) -> Figure:
        """The score beside the baseline's and those of other runs on the same data, with two standard errors."""
        return self._drawn("scores")

    def folds(self) -> Figure:
        """The score of the blend and of each model in each fold."""
        return self._drawn("folds")

    def learning_curves(self, model: str = "") -> Figure:
        """The loss of each fit, epoch by epoch or tree by tree. model : default: the first that kept curves."""
        return self._drawn("learning_curves", model)

    def confusion(self) -> Figure:
        """Rows of each true class by the class that was predicted, out-of-fold."""
        return self._drawn("confusion")

    def roc(self) -> Figure:
        """ROC curves, out-of-fold; one a class, or one in all where there are two."""
        return self._drawn("roc")

    def precision_recall(self) -> Figure:
        """Precision-recall curves, out-of-fold."""
        return self._drawn("precision_recall")

    def calibration(self) -> Figure:
        """The share that came true, by the probability that was predicted out-of-fold."""
        return self._drawn("calibration")

    def probabilities(self) -> Figure:
        """The probabilities that rows of each of two classes were given, out-of-fold."""
        return self._drawn("probabilities")

    def truth(self, target: str = "") -> Figure:
        """The truth of a regression against its out-of-fold prediction. target : default: the first."""
        return self._drawn("truth", target)

    def residuals(self, target: str = "") -> Figure:
        """Out-of-fold errors of a regression by prediction. target : default: the first."""
        return self._drawn("residuals", target)

    def errors(self, target: str = "") -> Figure:
        """How the out-of-fold errors of a regression are spread. target : default: the first."""
        return self._drawn("errors", target)

    def submission(self, target: str = "") -> Figure:
        """What is predicted for test rows, beside out-of-fold. target : or class; default: the first."""
        return self._drawn("submission", target)

    def _drawn(self, name: str, of: str = "") -> Figure:
        for picture in self._pictures:
            if picture.name == name and of in ("", picture.of):
                return in_print(picture)
        there = [f"{known.name}({known.of!r})" if known.of else f"{known.name}()" for known in self._pictures]
        wanted = f"{name}({of!r})" if of else f"{name}()"
        raise UsageError(
            f"kpipe.plot(run).{wanted} does not apply to this run. It has: {', '.join(dict.fromkeys(there))}."
        )

    @cached_property
    def _pictures(self) -> list[Picture]:
        run = read(self._run)
        oof = run.oof
        sections = [score.section(run), models.section(run), learning_curves.section(run)]
        if oof is not None and run.metric is not None and oof.is_predicted.any():
            sections.append(predictions.section(run, oof))
        if oof is not None:
            sections.append(submission.section(run, oof))
        blocks = [block for section in sections if section is not None for block in section.blocks]
        drawn = [block for block in blocks if isinstance(block, Picture)]
        return drawn if oof is None or oof.classes is None else [*drawn, classification.confusion(oof, oof.classes)]


def plot(run: Run) -> Plots:
    """The plots of a run, each drawn by a method as a matplotlib figure.

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

"""The section "Feature importance": how much the score depends on each column, and how predictions depend on it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from kpipe.core.formatting import format_score, format_with_error
from kpipe.report.blocks import Block, Cell, Column, Finding, Plot, Section, Table, Text, number_cell, text_cell
from kpipe.report.colours import ACCENT, MUTED
from kpipe.report.formatting import share, short
from kpipe.report.partial_dependence import plot as dependence_plot
from kpipe.report.permutation import ColumnImportance, Importance
from kpipe.report.refit import names_of
from kpipe.runs.loaded import LoadedRun

__all__ = ["section"]

_KEY, _TITLE = "importance", "Feature importance"
_MAX_BARS = 15
_DOMINANT = 0.8  # of the sum of all columns' importance, from which one column is suspect
_SAME_MODEL = 0.98  # correlation with the run's own predictions, below which the importance is another model's


def section(run: LoadedRun, importance: Importance | str) -> Section:
    """The section "Feature importance".

    Parameters
    ----------
    run : LoadedRun
        The run.
    importance : Importance or str
        Of its columns, or why it was not computed.

    Returns
    -------
    Section
    """
    if isinstance(importance, str):
        return Section(key=_KEY, title=_TITLE, summary=f"Not computed: {importance}")
    summary = (
        "The importance of a column is how much worse the score becomes when its values are shuffled. It is measured "
        f"through the ensemble ({names_of(importance.members)}): {_training(importance)}, and scored together on "
        f"{importance.rows:,} validation rows, where they score {format_score(importance.score)} without shuffling. "
        "Correlated columns share their importance: each looks unimportant while the models can use the other."
    )
    blocks: list[Block] = [
        _plot(run, importance),
        _table(importance),
        Text(text=_reproduction(importance)),
        *_dependence(run, importance),
    ]
    return Section(
        key=_KEY,
        title=_TITLE,
        summary=summary,
        blocks=blocks,
        findings=_findings(importance),
    )


def _training(importance: Importance) -> str:
    """On what the models were trained again."""
    folds = "one fold" if importance.folds == 1 else f"{importance.folds} folds"
    part = "" if importance.share_of_rows == 1 else f" {share(importance.share_of_rows)} of the training rows of"
    models = "its model was" if len(importance.members) == 1 else "its models were"
    return f"{models} refitted on{part} {folds}"


def _dependence(run: LoadedRun, importance: Importance) -> list[Block]:
    """The partial dependence of the most important columns."""
    found = importance.dependence
    if not found:
        return []
    names = run.oof.classes if run.oof is not None and run.oof.classes else run.targets
    outputs = [(code, short(name, 24)) for code, name in enumerate(names)][: found[0].means.shape[1]]
    classes = run.oof is not None and run.oof.classes is not None and found[0].means.shape[1] > 1
    if classes and len(outputs) == 2:
        outputs = outputs[1:]
    what = f"prediction of {outputs[0][1]}" if not classes else "predicted probability"
    what += f" of {outputs[0][1]}" * (classes and len(outputs) == 1)
    text = (
        "Partial dependence: the ensemble's mean prediction when all rows have the same value of the column. It shows "
        "what the models have learned, not causal effects. All plots share the same scale of predictions."
    )
    if left_out := _without_dependence(importance):
        text += f" Not drawn, because nearly every row has its own value: {', '.join(left_out)}."
    shown = outputs if classes else outputs[:1]
    span = np.concatenate([one.means[:, [place for place, _ in shown]].ravel() for one in found])
    limits = float(span.min()), float(span.max())
    plots = [dependence_plot(one, shown, what, limits=limits) for one in found]
    return [Text(text="Partial dependence of the most important columns", heading=True), Text(text=text), *plots]


def _without_dependence(importance: Importance) -> list[str]:
    """Columns as important as those that are drawn, which have no frequent value to draw."""
    drawn = {one.column for one in importance.dependence}
    names = [one.column for one in importance.columns if one.value > one.standard_error]
    last = max((place for place, name in enumerate(names) if name in drawn), default=-1)
    return [short(name, 40) for name in names[:last] if name not in drawn]


def _plot(run: LoadedRun, importance: Importance) -> Plot:
    top = importance.columns[:_MAX_BARS]

    def draw(ax: Axes) -> None:
        y = np.arange(len(top))
        widths, errors = np.array([[found.value, found.standard_error] for found in top]).T
        ax.barh(y, widths, xerr=2 * errors, color=ACCENT, ecolor=MUTED, capsize=2, height=0.65)
        ax.set_yticks(y, [short(found.column, 22) for found in top])
        ax.set_ylim(len(top) - 0.5, -0.5)
        ax.axvline(0, color=MUTED, linewidth=1)
        ax.locator_params(axis="x", nbins=6)
        ax.set_xlabel(f"{'decrease' if run.greater_is_better else 'increase'} of {run.text('metric', 'name')}")
        ax.grid(visible=False, axis="y")

    first = ", ".join(f"{short(found.column)} {format_score(found.value, importance.score)}" for found in top[:3])
    return Plot(
        draw=draw,
        name="importance",
        alt=f"Feature importance by permutation. The most important are {first}.",
        caption=f"The {len(top)} most important of {len(importance.columns)} columns, with 95 % intervals.",
        height=0.9 + 0.24 * len(top),
    )


def _table(importance: Importance) -> Table:
    rows = [
        [
            text_cell(found.column),
            Cell(text=format_with_error(found.value, found.standard_error, importance.score), value=found.value),
            number_cell(round(found.value / found.standard_error, 1) if found.standard_error > 0 else None),
        ]
        for found in importance.columns
    ]
    columns = [
        Column(name="column", numeric=False),
        Column(name="importance ± standard error"),
        Column(name="in standard errors", meaning="below 2, the importance is not significant"),
    ]
    return Table(caption="Importance of each column", columns=columns, rows=rows, small=True)


def _reproduction(importance: Importance) -> str:
    """Whether the models that were trained again are the run's own, in a sentence."""
    if importance.correlation is None:
        return "The predictions of these models could not be compared with the run's."
    if importance.correlation == 1.0:
        return "The models reproduce the run's predictions."
    reason = " They were trained on fewer rows, to take less time." if importance.share_of_rows < 1 else ""
    return (
        "The models do not reproduce the run's predictions exactly: they correlate by "
        f"{importance.correlation:.4f}.{reason}"
    )


def _findings(importance: Importance) -> list[Finding]:
    significant = [found for found in importance.columns if found.value > 2 * found.standard_error]
    return [*_other_model(importance), *_important(importance, significant), *_dominant(significant)]


def _other_model(importance: Importance) -> list[Finding]:
    if importance.correlation is None or importance.correlation >= _SAME_MODEL or importance.share_of_rows < 1:
        return []
    text = f"{_reproduction(importance)} The data, the code or the versions have changed since the run."
    return [Finding(level="warn", text=text)]


def _important(importance: Importance, significant: Sequence[ColumnImportance]) -> list[Finding]:
    if not significant:
        return []
    names = [short(found.column, 40) for found in significant[:3]]
    columns = f"columns are {', '.join(names)}" if len(names) > 1 else f"column is {names[0]}"
    others = len(importance.columns) - len(significant)
    rest = f"; {others} of {len(importance.columns)} columns have no significant importance" if others else ""
    return [Finding(level="note", text=f"The most important {columns}{rest}.")]


def _dominant(significant: Sequence[ColumnImportance]) -> list[Finding]:
    if len(significant) < 2 or significant[0].value <= _DOMINANT * sum(found.value for found in significant):
        return []
    text = (
        f"Most of the score depends on {short(significant[0].column, 40)} alone. Check that its value is known at "
        "prediction time."
    )
    return [Finding(level="warn", text=text)]

"""Agreement of a run's models: the correlation of their errors, which shows what to blend.

References
----------
Krogh and Vedelsby, "Neural network ensembles, cross validation, and active learning", NIPS 1994: an ensemble gains
as much as its members differ.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from kpipe.report.blocks import Block, Cell, Column, Table, Text, text_cell
from kpipe.report.formatting import short
from kpipe.runs.loaded import LoadedRun
from kpipe.runs.oof import OofPredictions

__all__ = ["blocks"]

_MAX_MODELS, _MAX_ROWS = 16, 50_000


def blocks(run: LoadedRun) -> list[Block]:
    """The correlations between the errors of the models, and which pair agrees least.

    Parameters
    ----------
    run : LoadedRun
        The run.

    Returns
    -------
    list of Block
        Empty for a single model.
    """
    errors = {} if run.oof is None else _errors(run.oof)
    names = [model.name for model in run.models if model.name in errors][:_MAX_MODELS]
    if len(names) < 2:
        return []
    values = np.stack([errors[name] for name in names])
    values = values[:, ~np.isnan(values).any(axis=0)]
    if values.shape[1] < 3 or not (values.std(axis=1) > 0).all():
        return []
    correlations = np.corrcoef(values)
    return [_matrix(names, correlations), _least(names, correlations)]


def _errors(oof: OofPredictions) -> dict[str, np.ndarray]:
    """Model to the (rows * outputs,) differences of its predictions from the truth."""
    rows = np.flatnonzero(oof.is_predicted)
    if len(rows) > _MAX_ROWS:
        rows = np.sort(np.random.default_rng(0).permutation(rows)[:_MAX_ROWS])
    if oof.classes is not None:
        true = np.eye(len(oof.classes))[oof.y[rows]][:, 1:]  # of two classes, one column suffices
    else:
        true = oof.y[rows].reshape(len(rows), -1)
    first = 1 if oof.classes is not None else 0
    return {
        name: (values[rows][:, first:] - true).ravel()
        for name, values in oof.models.items()
        if values.shape == oof.ensemble.shape
    }


def _matrix(names: list[str], correlations: np.ndarray) -> Table:
    rows = [
        [text_cell(name, 24), *(Cell(text=f"{r:.2f}", value=float(r), shade=_shade(r)) for r in line)]
        for name, line in zip(names, correlations, strict=True)
    ]
    columns = [Column(name="model", numeric=False), *(Column(name=short(name, 16)) for name in names)]
    note = "1: the two models make the same errors. The lower the correlation, the more a blend of the two gains."
    return Table(
        caption="Agreement between models: correlation of their errors", columns=columns, rows=rows, note=note,
        sortable=False, matrix=True,
    )  # fmt: skip


def _shade(correlation: float) -> int:
    """0 to 9: differences matter near 1, where models of one kind lie."""
    return round(9 * max(float(correlation), 0.0) ** 4)


def _least(names: list[str], correlations: np.ndarray) -> Text:
    one, other = min(combinations(range(len(names)), 2), key=lambda pair: correlations[pair])
    return Text(
        text=f"{short(names[one], 30)} and {short(names[other], 30)} agree least "
        f"(correlation {correlations[one, other]:.2f})."
    )

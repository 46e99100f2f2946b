"""Read the predictions of a submission in the form that a metric takes: the inverse of ``kpipe.submission``."""

from __future__ import annotations

import numpy as np
import pandas as pd

from kpipe.errors import SubmissionError
from kpipe.problem.competition import class_columns
from kpipe.problem.positive import positive_class
from kpipe.problem.problem import Problem
from kpipe.submission import validate_submission

__all__ = ["in_order_of_sample", "predictions_of"]

_SHOWN = 3  # ids in a message


def in_order_of_sample(frame: pd.DataFrame, problem: Problem) -> pd.DataFrame:
    """Validate a submission, and return its rows in the order of the sample submission, joined by id.

    Parameters
    ----------
    frame : DataFrame
        What ``kpipe.problem.submission_file.read_submission`` returned: (m, columns) in any order.
    problem : Problem

    Returns
    -------
    DataFrame

    Raises
    ------
    SubmissionError
        If ids are missing, repeated or unknown, or a prediction is invalid.
    """
    id, sample = problem.id, problem.tables.sample
    if id in frame and set(frame.columns) == set(sample.columns):
        frame = frame[list(sample.columns)]
        missing = sample[id][~sample[id].isin(frame[id])]
        repeated = frame[id][frame[id].duplicated()]
        if len(repeated):
            raise _refused(f"The submission repeats {len(repeated):,} ids, such as {_shown(repeated)}.", id)
        if len(missing) and frame[id].isin(sample[id]).all():
            raise _refused(
                f"The submission lacks {len(missing):,} of {len(sample):,} ids, such as {_shown(missing)}.", id
            )
        if not len(missing) and len(frame) == len(sample):  # validate_submission refuses all others
            frame = frame.iloc[pd.Index(frame[id]).get_indexer(sample[id])].reset_index(drop=True)
    validate_submission(frame, problem, foreign=True)
    return frame


def _refused(message: str, id: str) -> SubmissionError:
    return SubmissionError(message, code="invalid-submission", column=id)


def _shown(ids: pd.Series) -> str:
    return ", ".join(map(str, ids.head(_SHOWN)))


def predictions_of(frame: pd.DataFrame, problem: Problem) -> np.ndarray:
    """The predictions in a valid submission.

    Parameters
    ----------
    frame : DataFrame
        (m, columns).
    problem : Problem

    Returns
    -------
    (m, k) ndarray
        Probabilities of the classes (1 for a submitted label), values, or scores that order the classes as a ranking.
    """
    metric, labels, columns = problem.metric, problem.labels, problem.submission_columns
    if labels is None:
        wanted = columns if len(problem.targets) == 1 else problem.targets
        return frame[list(wanted)].to_numpy(dtype=np.float64)
    values = frame[columns[0]]
    if metric.needs == "label":
        codes = values.map({label: code for code, label in enumerate(problem.labels_in(columns[0]))})
        return np.eye(len(labels))[codes.to_numpy(dtype=np.int64)]
    if metric.needs == "ranking":
        return _order(values, labels, metric.top)
    per_class = class_columns(columns, problem.targets[0], list(labels))
    if per_class is not None:
        by_label = {str(label): frame[column] for column, label in zip(columns, per_class, strict=True)}
        return np.column_stack([by_label[str(label)] for label in labels]).astype(np.float64)
    ones = values.to_numpy(dtype=np.float64)
    code = positive_class(labels, (problem.targets[0], columns[0]))
    return np.column_stack([ones, 1 - ones] if code == 0 else [1 - ones, ones])


def _order(rankings: pd.Series, labels: np.ndarray, top: int) -> np.ndarray:
    """(m, classes + 2 top) numbers that are greater the better a label ranks.

    The further columns take the places of labels that repeat or do not exist, and keep labels that are not ranked
    below the last place.
    """
    codes = {str(label): code for code, label in enumerate(labels)}
    order = np.zeros((len(rankings), len(labels) + 2 * top))
    order[:, len(labels) + top :] = 0.5
    for row, ranking in enumerate(rankings):
        for place, label in enumerate(str(ranking).split()[:top]):
            code = codes.get(label, len(labels) + place)
            order[row, code if order[row, code] == 0 else len(labels) + place] = top - place
    return order

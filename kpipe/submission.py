"""The submission: the sample submission's ids, order, columns and types, filled with predictions and validated.

Submissions that Kaggle would reject, or score differently than intended, are refused with the row and the reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from kpipe.core.metrics import Metric, check_domain, evaluate, output
from kpipe.core.values import Baseline, Ensemble, Folds, Submission, Tables
from kpipe.core.wording import listed
from kpipe.data.encodings import encode
from kpipe.errors import SubmissionError
from kpipe.problem.competition import class_columns
from kpipe.problem.positive import positive_class
from kpipe.problem.postprocessing import postprocess
from kpipe.problem.problem import Problem
from kpipe.training.baseline import predict_baseline

__all__ = ["make_submission", "rehearse", "rows_of_sample", "to_csv", "validate_submission"]

_SHOWN = 3  # examples in a message: enough to find the place, few enough to read


def make_submission(problem: Problem, ensemble: Ensemble) -> Submission:
    """Fill the sample submission with the ensemble's test predictions, and validate the result.

    Rows are joined by id if test has the id column, else by position.

    Parameters
    ----------
    problem : Problem
    ensemble : Ensemble
        Its ``test`` predictions are submitted.

    Returns
    -------
    Submission

    Raises
    ------
    SubmissionError
        If anything differs from the sample submission. Nothing has been written then.
    """
    metric, tables, predicted = problem.metric, problem.tables, ensemble.test
    if len(predicted) != len(tables.test):
        raise SubmissionError(
            f"There are {len(predicted)} predictions for the {len(tables.test)} rows of test.csv.",
            code="invalid-submission",
        )
    columns = problem.submission_columns
    if metric.single is None:
        values = _values(metric, predicted, problem.labels, columns, problem.targets[0], rows=len(problem.y))
    else:
        values = dict(zip(problem.targets, output(metric, predicted).T, strict=True))
    if metric.needs == "label":
        values = {column: _in_words_of_sample(problem, column, labels) for column, labels in values.items()}
    rows = rows_of_sample(tables, problem.id)
    # Columns that the sample repeats from test are unchanged; only the requested ones are filled.
    frame = tables.sample.assign(**{column: values[column][rows] for column in columns})
    validate_submission(frame, problem)
    if tables.id_parts:
        frame = frame.drop(columns=problem.id)
    return Submission(frame=frame, sendable=tables.source.origin != "sample", encoding=tables.source.encoding)


def rehearse(problem: Problem, folds: Folds) -> Baseline:
    """Return the baseline after a rehearsal, which refuses before training what cannot be scored or submitted.

    Parameters
    ----------
    problem : Problem
    folds : Folds

    Returns
    -------
    Baseline

    Raises
    ------
    SubmissionError
        If no prediction of this problem can be submitted.
    DataError
        If the metric is not defined for the target.
    UsageError
        If the competition's ``postprocess`` fails.
    """
    constant = np.full((len(problem.tables.test), problem.n_classes), 1 / problem.n_classes)
    make_submission(problem, Ensemble(weights={}, oof=constant, test=constant))
    check_domain(problem.metric, problem.y)
    baseline = predict_baseline(problem, folds)
    evaluate(problem.metric, problem.y, baseline.oof)
    if problem.competition.postprocess is not None:
        oof, test = _plausible_predictions(problem, baseline)
        postprocess(problem, Ensemble(weights={}, oof=oof, test=test))
    return baseline


def _plausible_predictions(problem: Problem, baseline: Baseline) -> tuple[np.ndarray, np.ndarray]:
    """(n, k) and (m, k) random predictions that a model might make."""
    rng, y = np.random.default_rng(0), problem.y
    scored = np.flatnonzero(~np.isnan(baseline.oof).any(axis=1))
    rows = [rng.choice(scored, count) for count in (len(y), len(problem.tables.test))]
    if problem.task == "regression" or y.ndim > 1:
        oof, test = (y[some].reshape(len(some), -1).astype(np.float64) for some in rows)
    else:
        oof, test = (rng.dirichlet(np.ones(baseline.oof.shape[1]), len(some)) for some in rows)
    return oof, test


def _values(
    metric: Metric, predicted: np.ndarray, labels: np.ndarray | None, columns: Sequence[str], target: str, *, rows: int
) -> dict[str, np.ndarray]:
    """Column of the submission → (m,) labels in train's spelling, probabilities or values. rows: the rows of train."""
    outputs = output(metric, predicted)
    if metric.needs == "ranking":
        return {columns[0]: _rankings(outputs, labels, metric.top)}
    if metric.needs != "probability":
        if len(columns) != 1:
            raise SubmissionError(
                f"The sample submission's columns ({listed(columns)}) do not fit {metric.name}, which scores one "
                f"{metric.needs} per row. Set another --metric.",
                code="metric-unsuitable",
            )
        return {columns[0]: outputs if labels is None else labels[outputs]}
    assert labels is not None  # probabilities are of classes
    per_class = class_columns(columns, target, list(labels))
    if per_class is not None:
        return _of_classes(outputs, labels, dict(zip(columns, per_class, strict=True)), rows)
    if len(columns) == 1 and len(labels) == 2:
        code = positive_class(labels, (target, columns[0]))
        return {columns[0]: outputs[:, code]}
    raise SubmissionError(
        f"The sample submission's columns ({listed(columns)}) do not fit probabilities of the "
        f"{len(labels)} classes ({listed(labels)}). Set another --metric.",
        code="metric-unsuitable",
    )


def _of_classes(
    probabilities: np.ndarray, labels: np.ndarray, classes: Mapping[str, object | None], rows: int
) -> dict[str, np.ndarray]:
    """Column → (m,) probabilities of its class; classes that none of train's ``rows`` rows has get 1 / (rows + 1)."""
    unseen = 1 / (rows + 1)
    scale = 1 - unseen * sum(label is None for label in classes.values())
    by_label = {str(label): probabilities[:, code] * scale for code, label in enumerate(labels)}
    none = np.full(len(probabilities), unseen)
    return {column: none if label is None else by_label[str(label)] for column, label in classes.items()}


def _in_words_of_sample(problem: Problem, column: str, labels: np.ndarray) -> np.ndarray:
    """(m,) labels of train as the sample submission's column spells them."""
    if problem.labels is None:
        return labels
    written = dict(zip(problem.labels, problem.labels_in(column), strict=True))
    return pd.Series(labels).map(written).to_numpy()


def _rankings(probabilities: np.ndarray, labels: np.ndarray | None, top: int) -> np.ndarray:
    """(m,) the most probable labels, best first, separated by blanks."""
    assert labels is not None  # rankings are of classes
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
    return np.asarray([" ".join(map(str, labels[row])) for row in best], dtype=object)


def rows_of_sample(tables: Tables, id: str) -> np.ndarray:
    """Match each row of the sample submission to its row in test, by id if test has ids, else by position.

    Parameters
    ----------
    tables : Tables
    id : str
        The id column.

    Returns
    -------
    (m,) array of int

    Raises
    ------
    SubmissionError
        If test repeats ids, its ids differ from those of the sample submission, or it has no ids and another number of
        rows.
    """
    sample = tables.sample[id]
    if id not in tables.test.columns:
        if len(sample) != len(tables.test):
            raise SubmissionError(
                f"The sample submission has {len(sample)} rows, test.csv has {len(tables.test)}, and no column of "
                f"test.csv holds the ids of {id!r}, such as {_examples(sample)}. Name the column that does with --id.",
                code="unmatched-ids",
            )
        return np.arange(len(sample))
    repeated = tables.test[id][tables.test[id].duplicated()]
    if len(repeated):
        raise SubmissionError(
            f"test.csv repeats ids, such as {_examples(repeated.drop_duplicates())}. Combine the rows of each id into "
            "one in clean (kpipe new writes a module for it), or name another column with --id.",
            code="repeated-ids",
            file="test.csv",
            column=id,
        )
    positions = pd.Index(tables.test[id]).get_indexer(sample)
    absent = sample[positions < 0]
    extra = tables.test[id][~tables.test[id].isin(sample)]
    for ids, where, other in (
        (absent, "the sample submission", "test.csv"),
        (extra, "test.csv", "the sample submission"),
    ):
        if len(ids):
            raise SubmissionError(
                f"{len(ids)} ids of {where} are not in {other}, such as {_examples(ids)}. Add these rows to {other}, "
                f"remove them from {where}, or name another column with --id.",
                code="unmatched-ids",
            )
    return positions


def validate_submission(frame: pd.DataFrame, problem: Problem, *, foreign: bool = False) -> None:
    """Check a submission against the sample submission: columns, ids, order and values.

    Parameters
    ----------
    frame : DataFrame
        The submission, with the sample's types.
    problem : Problem
    foreign : bool
        Whether another tool wrote it. Then any numbers are accepted as probabilities if only their order counts; from
        kpipe's own models, numbers outside of 0 to 1 are a mistake.

    Raises
    ------
    SubmissionError
        If anything differs from what Kaggle requires.
    """
    _validate_shape(frame, problem.tables.sample, problem.id)
    for column in problem.submission_columns:
        target = column if column in problem.targets else problem.targets[0]
        known = problem.tables.train[target].unique() if problem.labels is None else problem.labels_in(column)
        _validate_values(frame[column], frame[problem.id], problem.metric, known, foreign=foreign)


def _validate_shape(frame: pd.DataFrame, sample: pd.DataFrame, id: str) -> None:
    if list(frame.columns) != list(sample.columns):
        raise SubmissionError(
            f"The submission's columns must be {listed(sample.columns)}; got {listed(frame.columns)}.",
            code="invalid-submission",
        )
    if len(frame) != len(sample):
        raise SubmissionError(
            f"The submission must have {len(sample)} rows; got {len(frame)}.", code="invalid-submission"
        )
    ids, wanted = frame[id], sample[id]
    if ids.duplicated().any():
        raise SubmissionError(
            f"The submission repeats ids, such as {_examples(ids[ids.duplicated()])}.",
            code="invalid-submission",
            column=id,
        )
    unknown = ids[~ids.isin(wanted)]
    if len(unknown):
        raise SubmissionError(
            f"The submission has {len(unknown)} ids that the sample lacks, such as {_examples(unknown)}.",
            code="invalid-submission",
            column=id,
        )
    misplaced = np.flatnonzero(ids.to_numpy() != wanted.to_numpy())
    if len(misplaced):
        row = misplaced[0]
        raise SubmissionError(
            f"The submission's ids are not in the sample's order: row {row + 1} must be {wanted.iloc[row]}; "
            f"got {ids.iloc[row]}.",
            code="invalid-submission",
            column=id,
            row=int(row) + 1,
        )


def _validate_values(values: pd.Series, ids: pd.Series, metric: Metric, known: np.ndarray, *, foreign: bool) -> None:
    if values.isna().any():
        raise _invalid(
            values, f"is missing for {int(values.isna().sum())} ids, such as {_examples(ids[values.isna()])}."
        )
    if metric.needs == "label":
        _validate_labels(values, ids, metric, known)
    elif metric.needs != "ranking":  # rankings consist of train's labels
        _validate_numbers(values, ids)
        outside = (values < 0) | (values > 1)
        if metric.needs == "probability" and not (foreign and metric.order_only) and outside.any():
            raise _invalid(
                values,
                f"must hold probabilities between 0 and 1; got {_examples(values[outside])} "
                f"(id {_examples(ids[outside])}).",
            )


def _validate_labels(values: pd.Series, ids: pd.Series, metric: Metric, known: np.ndarray) -> None:
    unknown = ~values.isin(known)
    if not unknown.any():
        return
    numbers = pd.to_numeric(values[unknown], errors="coerce")
    hint = ""
    if (numbers.between(0, 1) & (numbers % 1 != 0)).all():
        hint = f" {metric.name} scores labels, not probabilities: write the label, or set another --metric."
    raise _invalid(
        values,
        f"has labels that train.csv lacks: {_examples(values[unknown].drop_duplicates())} "
        f"(id {_examples(ids[unknown])}). Train's labels are {_examples(pd.Series(known))}.{hint}",
    )


def _validate_numbers(values: pd.Series, ids: pd.Series) -> None:
    if not pd.api.types.is_numeric_dtype(values):
        raise _invalid(values, f"must hold numbers; got {values.iloc[0]!r} (id {ids.iloc[0]}).")
    infinite = ~np.isfinite(values.to_numpy(dtype=float))
    if infinite.any():
        raise _invalid(values, f"is infinite for {int(infinite.sum())} ids, such as {_examples(ids[infinite])}.")


def _invalid(values: pd.Series, what: str) -> SubmissionError:
    return SubmissionError(f"{values.name} {what}", code="invalid-submission", column=values.name)


def _examples(values: pd.Series) -> str:
    shown = ", ".join(str(value) for value in values.head(_SHOWN))
    return shown + (", ..." if len(values) > _SHOWN else "")


def to_csv(submission: Submission) -> bytes:
    """Format the submission as CSV.

    Parameters
    ----------
    submission : Submission

    Returns
    -------
    bytes
        With commas and line feeds, in the sample submission's encoding if possible, else UTF-8. Floats are the shortest
        decimals that round-trip to the same float64.
    """
    return encode(submission.frame.to_csv(index=False, lineterminator="\n"), submission.encoding)

"""The submission: made from the sample submission's ids, order, columns and types, proved against it, then written.

What Kaggle would refuse, or would score as something else than meant, is refused here, with the row and the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from kpipe.core.metrics import Metric, output
from kpipe.core.values import Ensemble, Submission, Tables
from kpipe.errors import SubmissionError
from kpipe.problem.competition import Competition, class_columns
from kpipe.problem.inference import asked_columns
from kpipe.problem.postprocessing import finished_by

__all__ = ["make_submission", "positive", "postprocessed", "prove", "rehearse", "to_csv"]

_POSITIVE = ("1", "1.0", "true", "yes", "y", "t", "positive", "present")
_SHOWN = 3  # examples in a message: enough to find the place, few enough to read


def make_submission(
    competition: Competition, tables: Tables, blended: Ensemble, labels: np.ndarray | None
) -> Submission:
    """The blend's test predictions as Kaggle wants them back, joined by id where test has it, and proved.

    labels : (k,) the classes of the blend's columns; None for a regression.
    Raises SubmissionError where anything differs from the sample submission; nothing has been written then.
    """
    metric = competition.metric
    assert isinstance(metric, Metric)
    assert competition.id is not None
    predicted = blended.test
    if len(predicted) != len(tables.test):
        raise SubmissionError(f"There are {len(predicted)} predictions for the {len(tables.test)} rows of test.csv.")
    columns = asked_columns(competition, tables)
    if metric.single is None:
        values = _values(metric, predicted, labels, columns, competition.targets[0])
    else:
        values = dict(zip(competition.targets, output(metric, predicted).T, strict=True))
    if metric.needs == "label":
        values = {column: _whole_as(tables.sample[column], labels) for column, labels in values.items()}
    rows = _rows_of_sample(tables, competition.id)
    # What the sample repeats of test stays as it is there; only the columns that are asked for are filled.
    frame = tables.sample.assign(**{column: values[column][rows] for column in columns})
    prove(frame, competition, tables)
    return Submission(frame=frame, sendable=tables.source.origin != "sample")


def postprocessed(competition: Competition, tables: Tables, blended: Ensemble) -> Ensemble:
    """The blend after the competition's ``postprocess``, out-of-fold and test alike: what is scored is what is sent.

    For the out-of-fold rows, the function finds train's rows where it otherwise finds test's.
    """
    if competition.postprocess is None:
        return blended
    rows = tables.train.drop(columns=list(competition.targets))
    oof = finished_by(competition, blended.oof, replace(tables, test=rows))
    return replace(blended, oof=oof, test=finished_by(competition, blended.test, tables))


def rehearse(competition: Competition, tables: Tables, labels: np.ndarray | None) -> None:
    """Make a submission of nothing, so that files that do not fit each other are refused before hours of training.

    Raises SubmissionError.
    """
    outputs = len(competition.targets) if labels is None else len(labels)
    nothing = np.full((len(tables.test), outputs), 1 / outputs)
    blended = Ensemble(weights={}, oof=nothing, test=nothing)
    make_submission(competition, tables, blended, labels)


def _values(
    metric: Metric, predicted: np.ndarray, labels: np.ndarray | None, columns: Sequence[str], target: str
) -> dict[str, np.ndarray]:
    """Column of the submission → (m,) labels in train's spelling, probabilities or values."""
    judged = output(metric, predicted)
    if metric.needs == "ranking":
        return {columns[0]: _rankings(judged, labels, metric.top)}
    if metric.needs != "probability":
        if len(columns) != 1:
            raise SubmissionError(
                f"The sample submission's columns ({', '.join(columns)}) do not fit {metric.name}, which judges one "
                f"{metric.needs} a row. Set another --metric."
            )
        return {columns[0]: judged if labels is None else labels[judged]}
    assert labels is not None  # probabilities are of classes
    per_class = class_columns(columns, target, list(labels))
    if per_class is not None:
        by_label = {str(label): judged[:, code] for code, label in enumerate(labels)}
        return {column: by_label[str(label)] for column, label in zip(columns, per_class, strict=True)}
    if len(columns) == 1 and len(labels) == 2:
        code = positive(labels, (target, columns[0]))
        return {columns[0]: judged[:, code]}
    raise SubmissionError(
        f"The sample submission's columns ({', '.join(columns)}) do not fit probabilities of the "
        f"{len(labels)} classes ({', '.join(map(str, labels))}). Set another --metric."
    )


def positive(labels: Iterable[object], names: Sequence[str]) -> int:
    """Which of two labels a single probability is that of: 1, True, yes, the column's own name; else the greater one.

    >>> positive(["churn", "stay"], ("churn",)), positive([0, 1], ("y",)), positive(["no", "yes"], ("y",))
    (0, 1, 1)
    """
    meant = {*_POSITIVE, *(name.lower() for name in names)}
    found = [code for code, label in enumerate(labels) if str(label).strip().lower() in meant]
    return found[0] if len(found) == 1 else 1


def _whole_as(sample: pd.Series, labels: np.ndarray) -> np.ndarray:
    """Labels as whole numbers where the sample has such: 1 for True and for 1.0. Texts keep train's spelling."""
    if sample.dtype.kind not in "iu":
        return labels
    numbers = pd.to_numeric(pd.Series(labels), errors="coerce").to_numpy(dtype=float)
    whole = np.isfinite(numbers).all() and bool((numbers % 1 == 0).all())
    return numbers.astype(np.int64) if whole and not isinstance(labels[0], str) else labels


def _rankings(probabilities: np.ndarray, labels: np.ndarray | None, top: int) -> np.ndarray:
    """(m,) the likeliest labels, best first, with blanks between them."""
    assert labels is not None  # rankings are of classes
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
    return np.asarray([" ".join(map(str, labels[row])) for row in best], dtype=object)


def _rows_of_sample(tables: Tables, id: str) -> np.ndarray:
    """For each row of the sample submission, the position of its row in test: by id, where test has ids."""
    sample = tables.sample[id]
    if id not in tables.test.columns:
        if len(sample) != len(tables.test):
            raise SubmissionError(f"The sample submission has {len(sample)} rows, test.csv has {len(tables.test)}.")
        return np.arange(len(sample))
    repeated = tables.test[id][tables.test[id].duplicated()]
    if len(repeated):
        raise SubmissionError(f"test.csv repeats ids, such as {_examples(repeated)}. Name another column with --id.")
    positions = pd.Index(tables.test[id]).get_indexer(sample)
    absent = sample[positions < 0]
    extra = tables.test[id][~tables.test[id].isin(sample)]
    for ids, where, other in (
        (absent, "the sample submission", "test.csv"),
        (extra, "test.csv", "the sample submission"),
    ):
        if len(ids):
            raise SubmissionError(f"{len(ids)} ids of {where} are not in {other}, such as {_examples(ids)}.")
    return positions


def prove(frame: pd.DataFrame, competition: Competition, tables: Tables) -> None:
    """Raise SubmissionError unless a submission has the sample's columns, ids and order, and fitting values."""
    assert isinstance(competition.metric, Metric)
    assert competition.id is not None
    _prove_shape(frame, tables.sample, competition.id)
    for column in asked_columns(competition, tables):
        target = column if column in competition.targets else competition.targets[0]
        _prove_values(frame[column], frame[competition.id], competition.metric, tables.train[target].unique())


def _prove_shape(frame: pd.DataFrame, sample: pd.DataFrame, id: str) -> None:
    if list(frame.columns) != list(sample.columns):
        raise SubmissionError(
            f"The submission's columns must be {', '.join(sample.columns)}, "
            f"however: {', '.join(map(str, frame.columns))}."
        )
    if len(frame) != len(sample):
        raise SubmissionError(f"The submission must have {len(sample)} rows, however: {len(frame)}.")
    ids, wanted = frame[id], sample[id]
    if ids.duplicated().any():
        raise SubmissionError(f"The submission repeats ids, such as {_examples(ids[ids.duplicated()])}.")
    unknown = ids[~ids.isin(wanted)]
    if len(unknown):
        raise SubmissionError(
            f"The submission has {len(unknown)} ids that the sample lacks, such as {_examples(unknown)}."
        )
    moved = np.flatnonzero(ids.to_numpy() != wanted.to_numpy())
    if len(moved):
        row = moved[0]
        raise SubmissionError(
            f"The submission's ids are not in the sample's order: row {row + 1} must be {wanted.iloc[row]}, "
            f"however: {ids.iloc[row]}."
        )


def _prove_values(values: pd.Series, ids: pd.Series, metric: Metric, known: np.ndarray) -> None:
    name = values.name
    if values.isna().any():
        raise SubmissionError(
            f"{name} is missing for {int(values.isna().sum())} ids, such as {_examples(ids[values.isna()])}."
        )
    if metric.needs == "label":
        strange = ~values.isin(known)
        if strange.any():
            raise SubmissionError(
                f"{name} has labels that train.csv never has: {_examples(values[strange].drop_duplicates())} "
                f"(id {_examples(ids[strange])}). Train's labels are {_examples(pd.Series(known))}."
            )
        return
    if metric.needs == "ranking":
        return  # made of train's labels
    if not pd.api.types.is_numeric_dtype(values):
        raise SubmissionError(f"{name} must hold numbers, however: {values.iloc[0]!r} (id {ids.iloc[0]}).")
    infinite = ~np.isfinite(values.to_numpy(dtype=float))
    if infinite.any():
        raise SubmissionError(f"{name} is infinite for {int(infinite.sum())} ids, such as {_examples(ids[infinite])}.")
    outside = (values < 0) | (values > 1)
    if metric.needs == "probability" and outside.any():
        raise SubmissionError(
            f"{name} must hold probabilities between 0 and 1, however: {_examples(values[outside])} "
            f"(id {_examples(ids[outside])})."
        )


def _examples(values: pd.Series) -> str:
    shown = ", ".join(str(value) for value in values.head(_SHOWN))
    return shown + (", ..." if len(values) > _SHOWN else "")


def to_csv(submission: Submission) -> bytes:
    """The submission's bytes: UTF-8, commas, line feeds, the shortest decimals that give the same float64 back."""
    return submission.frame.to_csv(index=False, lineterminator="\n").encode()

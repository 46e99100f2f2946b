"""Read a CSV file as a submission, with the types that the sample submission and the metric ask for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from kpipe.data.csv_reader import CsvFile
from kpipe.data.dtypes import cast_or_none
from kpipe.data.single_table import MISSING, numbers_of, read_table
from kpipe.errors import DataError, SubmissionError
from kpipe.problem.joined_ids import with_joined_id
from kpipe.problem.problem import Problem
from kpipe.problem.target_labels import label_key

__all__ = ["read_submission", "spelled_alike"]


def read_submission(file: Path, problem: Problem) -> pd.DataFrame:
    """Read a CSV file as a submission to a competition, in the order of the file.

    Parameters
    ----------
    file : Path
    problem : Problem

    Returns
    -------
    DataFrame
        The columns of the file, with the types of the sample submission and the metric. It is not validated yet, see
        ``kpipe.submission.validate_submission``.

    Raises
    ------
    SubmissionError
        If the file is not a table, a prediction is not a number although the metric needs one, or Kaggle's files are
        not available.
    """
    tables = problem.tables
    if tables.source.origin == "sample":
        raise SubmissionError(
            f"{file} cannot be validated: Kaggle's files of {problem.slug} are not available. Name them with --data.",
            code="data-not-found",
        )
    try:
        parsed = read_table(file)
        if parsed.dialect.delimiter != ",":
            raise SubmissionError(
                f"{file} separates cells by {parsed.dialect.name}. Separate them by commas.",
                code="invalid-submission",
                file=str(file),
            )
        frame = pd.DataFrame({name: _column(parsed, name, problem) for name in parsed.header})
    except DataError as error:
        raise SubmissionError(
            f"{file} cannot be read as a submission: {error}", code="invalid-submission", file=str(file)
        ) from error
    if tables.id_parts and set(tables.id_parts) <= set(frame.columns):
        frame = with_joined_id(frame, problem.id, tables.id_parts)
    return frame


def _column(file: CsvFile, name: str, problem: Problem) -> pd.Series:
    sample = problem.tables.sample
    if name not in problem.submission_columns:
        whole = name in sample and sample[name].dtype.kind in "iu"
        cells = cast_or_none(file.columns[name], pa.int64()) if whole else None
        return (file.columns[name] if cells is None else cells).to_pandas()
    if problem.metric.needs in ("value", "probability"):
        return numbers_of(file, name)
    text = file.columns[name].to_pandas().astype("object")
    if problem.metric.needs == "label":
        target = name if name in problem.targets else problem.targets[0]
        known = problem.tables.train[target].unique() if problem.labels is None else problem.labels_in(name)
        spelled = spelled_alike(text, known)
        text = spelled.where(spelled.notna(), text.mask(text.isin(MISSING)))
    return text.mask(text == "").infer_objects()


def spelled_alike(text: pd.Series, labels: Iterable[Hashable]) -> pd.Series:
    """Match texts to labels: the same text, or the only label that differs in case, blanks or a ``.0``.

    Parameters
    ----------
    text : Series
        (n,) strings.
    labels : iterable

    Returns
    -------
    Series
        (n,) labels; missing if a text matches none.

    Examples
    --------
    >>> spelled_alike(pd.Series(["1.0", "0", "maybe"]), [0, 1]).tolist()
    [1.0, 0.0, nan]
    """
    labels = list(labels)
    keys = Counter(label_key(label) for label in labels)
    alike = {label_key(label): label for label in labels if keys[label_key(label)] == 1}
    exact = {str(label): label for label in labels}
    found = {cell: exact.get(str(cell), alike.get(label_key(cell), np.nan)) for cell in text.unique()}
    return text.astype("object").map(found).astype("object")

"""Whether the submitted labels are those of the sample submission."""

from __future__ import annotations

from collections.abc import Iterator

from kpipe.checks.interface import Finding, TableCheck
from kpipe.core.values import Folds
from kpipe.problem.problem import Problem
from kpipe.problem.vocabulary import labels_meet

__all__ = ["TABLE_CHECKS", "labels_of_sample_submission"]

_SHOWN = 3


def labels_of_sample_submission(problem: Problem, folds: Folds) -> Iterator[Finding]:
    """Whether the sample submission has none of the labels of train, in any notation.

    Parameters
    ----------
    problem : Problem
    folds : Folds

    Yields
    ------
    Finding
    """
    if problem.labels is None or problem.metric.needs != "label" or len(problem.submission_columns) != 1:
        return
    name = problem.submission_columns[0]
    placeholder, written = problem.tables.sample[name], problem.labels_in(name)
    if not labels_meet(written, placeholder):
        sample = ", ".join(map(str, placeholder.dropna().unique()[:_SHOWN]))
        yield (
            "fail",
            f"The labels of train ({', '.join(map(str, written[:_SHOWN]))}) are not those of the sample submission "
            f"({sample}): Kaggle may reject the submission. Use the same labels in clean, or choose a --metric of "
            "probabilities, such as auc, if the column expects those.",
        )


TABLE_CHECKS = (TableCheck("labels of the sample submission", labels_of_sample_submission),)

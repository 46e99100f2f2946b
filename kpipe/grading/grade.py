"""Score a submission by the competition's metric on answers that the user has."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kpipe import pipeline
from kpipe.core.formatting import format_score, format_with_error
from kpipe.core.metrics import Metric, evaluate
from kpipe.core.request import COMPETITION_OPTIONS, FILE_OPTIONS, RunRequest
from kpipe.core.values import Folds, Score
from kpipe.errors import DataError, UsageError
from kpipe.grading.answers import Answers, read_answers
from kpipe.grading.leaderboard import Standing, rank_on, read_leaderboard
from kpipe.grading.predictions import in_order_of_sample, predictions_of
from kpipe.models.baseline import baseline
from kpipe.problem.problem import Problem
from kpipe.problem.settings import make_request
from kpipe.problem.submission_file import read_submission
from kpipe.runs.recorded import as_number
from kpipe.runs.run import Run
from kpipe.runs.summary import format_forecast
from kpipe.submission import rows_of_sample

__all__ = ["Grade", "grade", "request_of_grade"]

_PARTS = ("public", "private")


@dataclass(frozen=True, kw_only=True)
class Grade:
    """The score of a submission on answers.

    Attributes
    ----------
    slug : str
    metric : Metric
    score : Score
        On all rows that have an answer.
    parts : mapping of str to Score
        "public" and "private", where the answers say which rows are which.
    baseline : Score
        Of the best prediction that uses no feature, learned from train.
    baseline_name : str
    standing : Standing or None
        On a leaderboard, if one was given.
    part : str
        The part whose score was ranked; "" for that on all rows.
    data : str
        The files that the ids, the metric and the baseline come from.
    record : mapping
        ``run.json`` of the run that wrote the submission; empty if no run did.
    notes : tuple of str
        Sentences for the user.
    """

    slug: str
    metric: Metric
    score: Score
    parts: Mapping[str, Score]
    baseline: Score
    baseline_name: str
    standing: Standing | None = None
    part: str = ""
    data: str
    record: Mapping[str, Any]
    notes: tuple[str, ...] = ()

    def sentences(self) -> Iterator[str]:
        """Yield sentences for the user."""
        base = format_with_error(self.baseline.value, self.baseline.standard_error, self.score.value)
        yield (
            f"{self.slug}: {self.metric.name} {_shown(self.score)} on {self.score.rows:,} rows. Baseline "
            f"({self.baseline_name}): {base}."
        )
        yield f"Ids and baseline come from {self.data}."
        for name, score in self.parts.items():
            yield f"{name.capitalize()}: {_shown(score)} on {score.rows:,} rows."
        if forecast := format_forecast(self._run):
            yield f"The run's forecast was {forecast}.{self._verdict()}"
        if self.standing is not None:
            yield from self._standing(self.standing)

    @property
    def _run(self) -> Mapping[str, Any]:
        """The record of the run, if its forecast is one of this metric's score."""
        metric = self.record.get("metric")
        same = isinstance(metric, Mapping) and metric.get("name") == self.metric.name
        return self.record if same else {}

    def _verdict(self) -> str:
        low, high = self._expected()
        if low is None or high is None:
            return ""
        return f" The score is {'inside' if low <= self.score.value <= high else 'outside'}."

    def _expected(self) -> tuple[float | None, float | None]:
        found = self._run.get("forecast")
        given = found if isinstance(found, Mapping) else {}
        return as_number(given.get("low")), as_number(given.get("high"))

    def _standing(self, standing: Standing) -> Iterator[str]:
        of = f" with the {self.part} score" if self.part else ""
        share = min(100 * standing.rank / standing.teams, 100)
        top = f"{share:.0f}" if share >= 10 else f"{share:.2g}"
        medal = f"{standing.medal} medal" if standing.medal else "no medal"
        yield f"Rank {standing.rank:,} of {standing.teams:,} teams{of} (top {top} %): {medal} by Kaggle's rule."
        awarded = [
            f"{medal} up to rank {place:,} ({format_score(standing.scores[medal])})" if place else f"no {medal}"
            for medal, place in standing.last.items()
        ]
        yield f"Medals: {', '.join(awarded)}."

    def to_json(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        low, high = self._expected()
        standing = self.standing
        scores = {"": self.score, "baseline": self.baseline, **{part: self.parts.get(part) for part in _PARTS}}
        numbers = {name: number for part, score in scores.items() for name, number in _numbers(part, score).items()}
        return {
            "slug": self.slug,
            "data": self.data,
            "metric": self.metric.name,
            "greater_is_better": self.metric.greater_is_better,
            **numbers,
            "baseline_name": self.baseline_name,
            "run_id": self.record.get("run_id"),
            "expected_low": low,
            "expected_high": high,
            "rank": standing and standing.rank,
            "teams": standing and standing.teams,
            "medal": (standing and standing.medal) or None,
            "ranked_by": None if standing is None else self.part or "all rows",
            **{f"{medal}_rank": standing and standing.last[medal] for medal in ("gold", "silver", "bronze")},
            **{f"{medal}_score": standing and standing.scores[medal] for medal in ("gold", "silver", "bronze")},
            "notes": list(self.notes),
        }


def _shown(score: Score) -> str:
    return format_with_error(score.value, score.standard_error)


def _numbers(part: str, score: Score | None) -> dict[str, Any]:
    """The keys of a score: "score" and "public_score", "standard_error" and "public_standard_error", and so on."""
    names = (f"{part}_{name}".lstrip("_") for name in ("score", "standard_error", "rows"))
    values = (None, None, None) if score is None else (score.value, score.standard_error, score.rows)
    finite = (value if value is None or math.isfinite(value) else None for value in values)
    return dict(zip(names, finite, strict=True))


def request_of_grade(slug: str, run: Run | None, **given: Any) -> RunRequest:
    """The request whose metric, target and files a submission is graded by.

    Parameters
    ----------
    slug : str
        The competition.
    run : Run or None
        The run that wrote the submission: its options apply unless others are given. Without a run, those of
        ``kpipe.toml`` do.
    **given
        Fields of RunRequest that the user gives.

    Returns
    -------
    RunRequest

    Raises
    ------
    UsageError
        If the run is one of another competition.
    """
    given = {**given, "all_rows": True}
    if run is None or run.record.get("options") is None:
        return make_request(slug, given, names=("data", *FILE_OPTIONS, *COMPETITION_OPTIONS))
    if run.record["slug"] != RunRequest(slug).slug:
        raise UsageError(
            f"{run.record['run_id']} is a run of {run.record['slug']}, not of {slug}.", code="conflicting-options"
        )
    return RunRequest.from_json(slug, run.record["options"], place=run.path / "run.json", **given)


def grade(
    request: RunRequest, submission: Path, answers: Path, *, leaderboard: Path | None = None, run: Run | None = None
) -> Grade:
    """Score a submission on answers.

    Parameters
    ----------
    request : RunRequest
        The competition, its files and its metric.
    submission : Path
        A CSV file with the columns and ids of the sample submission, in any order.
    answers : Path
        A table with an id and the target, see ``read_answers``.
    leaderboard : Path, optional
        The scores of all teams, see ``read_leaderboard``.
    run : Run, optional
        The run that wrote the submission.

    Returns
    -------
    Grade

    Raises
    ------
    SubmissionError
        If the submission does not match the sample submission.
    DataError
        If the answers or the leaderboard cannot be used.
    """
    problem = pipeline.prepare(request)
    frame = in_order_of_sample(read_submission(submission, problem), problem)
    truth = read_answers(answers, problem)
    predicted = predictions_of(frame, problem)[truth.rows]
    blocks = _blocks(problem, truth)
    scores = {"": evaluate(problem.metric, truth.y, predicted, groups=blocks)}
    for part in _PARTS if truth.usage is not None else ():
        rows = np.flatnonzero(truth.usage == part)
        if len(rows):
            groups = None if blocks is None else blocks[rows]
            scores[part] = evaluate(problem.metric, truth.y[rows], predicted[rows], groups=groups)
    name, constant = _baseline(problem, truth)
    graded = Grade(
        slug=problem.slug,
        metric=problem.metric,
        score=scores.pop(""),
        parts=scores,
        baseline=evaluate(problem.metric, truth.y, constant, groups=blocks),
        baseline_name=name,
        data=f"{problem.tables.source.path} ({problem.tables.source.origin})",
        record={} if run is None else run.record,
        notes=(*truth.notes, *_notes(problem, predicted)),
    )
    return graded if leaderboard is None else _rank(graded, leaderboard)


def _blocks(problem: Problem, truth: Answers) -> np.ndarray | None:
    """(r,) the group or block of time of each row, where rows are dependent."""
    blocks = problem.test_blocks
    return None if blocks is None else blocks[rows_of_sample(problem.tables, problem.id)[truth.rows]]


def _notes(problem: Problem, predicted: np.ndarray) -> Iterator[str]:
    """Yield warnings about predictions that Kaggle would score without an error."""
    if problem.metric.needs == "probability" and np.isin(predicted, (0, 1)).all():
        yield f"{problem.metric.name} scores probabilities, and every prediction is 0 or 1: these may be labels."


def _baseline(problem: Problem, truth: Answers) -> tuple[str, np.ndarray]:
    """The name and the (r, k) predictions of the best constant, learned from train."""
    count = len(problem.y)
    folds = Folds(train=(np.arange(count),), valid=(np.arange(count, count + len(truth.y)),))
    y = np.concatenate([problem.y, truth.y])
    name, predicted = baseline(problem.metric, y, folds, outputs=problem.n_classes)
    return name, predicted[count:]


def _rank(graded: Grade, leaderboard: Path) -> Grade:
    """The grade with its standing, by the private score (on a public leaderboard, the public one) if there is one.

    Raises DataError if the score is unknown.
    """
    board = read_leaderboard(leaderboard, graded.metric)
    part = "public" if board.public else "private"
    score = graded.parts.get(part, graded.score)
    if not math.isfinite(score.value):
        raise DataError(f"The score on the {part} rows is not a number, and has no rank.")
    standing = rank_on(board, score.value, graded.metric)
    return replace(graded, standing=standing, part=part if part in graded.parts else "")

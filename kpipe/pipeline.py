"""The way of the data, written as code: ``run``.

    tables → features → folds → model → predictions → blend → submission → run folder

One value is handed on at each arrow, and each step can be called, tested or replaced alone.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import kpipe
from kpipe import competitions
from kpipe.blending import blend
from kpipe.checks import run_checks
from kpipe.competition import Competition, Factory, find
from kpipe.data import load
from kpipe.decisions import decide
from kpipe.devices import resolve_device
from kpipe.folding import assign_folds
from kpipe.metrics import Metric, check_domain, evaluate, get_metric
from kpipe.models.baseline import baseline
from kpipe.record import Outcome, make_record, predictions_table, versions
from kpipe.resolving import adapt, asked_columns, resolve
from kpipe.runs import Run, Workspace, key_of, workspace
from kpipe.splitters import folds_to_frame
from kpipe.submission import make_submission, positive, postprocessed, rehearse, to_csv
from kpipe.tasks import Clock
from kpipe.training import Done, choose_models, cross_validate, targets
from kpipe.values import Folds, Reason, Tables

__all__ = ["Started", "prepare", "run"]


@dataclass(frozen=True)
class Started:
    """What is about to be trained, told before it is."""

    competition: Competition
    tables: Tables
    models: tuple[str, ...]
    folds: int
    path: Path


def run(
    slug: str,
    *,
    data: str | Path | None = None,
    models: Sequence[str] = (),
    budget: float | None = None,
    folds: int | None = None,
    seed: Sequence[int] = (0,),
    metric: str | None = None,
    target: str | Sequence[str] | None = None,
    id: str | None = None,
    text: Sequence[str] = (),
    split: str | None = None,
    drop: Sequence[str] = (),
    out: str | Path = "submissions",
    device: str = "auto",
    jobs: int | None = None,
    started: Callable[[Started], None] | None = None,
    tell: Callable[[Done], None] | None = None,
    downloading: Callable[[int, int], None] = lambda done, size: None,
    command: Sequence[str] = (),
) -> Run:
    """From a competition's name to a proved submission with a score: the way of the data.

    data : folder or Kaggle's zip; default: see ``kpipe.load``.
    models : names; default: the competition's.
    budget : seconds for all of it; a model that would not end in time is left out, and what is left buys more seeds.
    folds, metric, target, id, text, split, drop : instead of what the competition says or the files show.
    seed : each model is trained once per seed, and averaged; the first seeds the folds.
    out : folder in which ``<slug>/<run id>/`` is made.
    device : "auto", "cpu", "cuda" or "mps", for torch models.
    jobs : model fits at a time; default: one per core.
    started, tell : called before training, and with each task that has ended.
    downloading : called with the bytes that are there and the bytes in all, where Kaggle's files are fetched.
    command : what the user typed, for the record.
    Raises KpipeError, with what to do.
    """
    began = time.perf_counter()
    seed = tuple(dict.fromkeys(seed))
    fields: dict[str, Any] = {"metric": metric, "target": target, "id": id, "text": text, "split": split, "drop": drop}
    asked, read = _read(slug, data=data, downloading=downloading, **fields)
    competition, tables = _settled(asked, read)
    chosen = choose_models(competition, models)
    fixed = assign_folds(competition, tables, seed=seed[0], n_folds=folds)
    device = resolve_device(device)
    competition = _say_positive(competition, tables)
    _rehearse(competition, tables, fixed)
    key = _key(competition, tables, chosen, seed=list(seed), folds=len(fixed.train), device=device)
    with workspace(Path(out), slug, key) as space:
        if started is not None:
            started(Started(competition, tables, tuple(chosen), len(fixed.train), space.path))
        judge = _metric(competition)
        predictions = cross_validate(
            competition,
            tables,
            fixed,
            models=chosen,
            seeds=seed,
            jobs=jobs,
            device=device,
            clock=Clock(budget, spent=time.perf_counter() - began + _reserve(budget)),
            parts=space,
            tell=tell,
        )
        blended = decide(judge, blend(predictions, fixed, judge), predictions.y, fixed)
        blended = postprocessed(competition, tables, blended)
        submission = make_submission(competition, tables, blended, predictions.classes)
        checks = run_checks(competition, read, tables, fixed, predictions, blended, submission)
        csv = to_csv(submission)
        outcome = Outcome(competition, judge, tables, fixed, predictions, blended, submission, checks, csv)
        record = make_record(outcome, seeds=seed, device=device, command=command, seconds=time.perf_counter() - began)
        return _save(space, outcome, record)


def _say_positive(competition: Competition, tables: Tables) -> Competition:
    """Where one probability is asked for of two words, which of them it is that of, among the reasons."""
    labels = targets(competition, tables)[1]
    asked = asked_columns(competition, tables)
    if labels is None or len(labels) != 2 or len(asked) != 1 or labels.dtype.kind != "O":
        return competition
    if _metric(competition).needs != "probability":
        return competition
    label = labels[positive(labels, (competition.targets[0], asked[0]))]
    reason = Reason(text=f"{asked[0]} is the probability of {label}", guess=True)
    return replace(competition, inferred={**competition.inferred, "positive": reason})


def _reserve(budget: float | None) -> float:
    """Seconds of a budget that are kept for blending, checks and writing, and for Python to start and end."""
    return 0.0 if budget is None else min(0.3 * budget, 4.0 + 0.04 * budget)


def prepare(
    slug: str,
    *,
    data: str | Path | None = None,
    metric: str | None = None,
    target: str | Sequence[str] | None = None,
    id: str | None = None,
    text: Sequence[str] = (),
    split: str | None = None,
    drop: Sequence[str] = (),
    downloading: Callable[[int, int], None] = lambda done, size: None,
) -> tuple[Competition, Tables]:
    """A competition with every field settled, and its cleaned tables. Options go before what the competition says."""
    fields: dict[str, Any] = {"metric": metric, "target": target, "id": id, "text": text, "split": split, "drop": drop}
    return _settled(*_read(slug, data=data, downloading=downloading, **fields))


def _read(
    slug: str,
    *,
    data: str | Path | None,
    metric: str | None,
    target: str | Sequence[str] | None,
    id: str | None,
    text: Sequence[str],
    split: str | None,
    drop: Sequence[str],
    downloading: Callable[[int, int], None],
) -> tuple[Competition, Tables]:
    """A competition with the options that were given, and its tables as they are in the files."""
    competition = find(slug)
    several = target if isinstance(target, str) or target is None or len(target) > 1 else target[0]
    given = {"metric": metric and get_metric(metric), "target": several, "id": id, "split": split, "drop": tuple(drop)}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value}
    competition = replace(competition, **changes, text=(*competition.text, *text))
    return competition, load(slug, data, text=competition.text, id=competition.id, downloading=downloading)


def _settled(competition: Competition, read: Tables) -> tuple[Competition, Tables]:
    """A competition with every field settled, and the cleaned tables."""
    competition, tables = adapt(competition, competition.clean(read))
    return resolve(competition, tables), tables


def _rehearse(competition: Competition, tables: Tables, folds: Folds) -> None:
    """Refuse before training what could be neither judged nor submitted after it."""
    y, labels = targets(competition, tables)
    rehearse(competition, tables, labels)
    metric, outputs = _metric(competition), len(competition.targets) if labels is None else len(labels)
    check_domain(metric, y)
    evaluate(metric, y, baseline(metric, y, folds, outputs=outputs)[1])


def _metric(competition: Competition) -> Metric:
    assert isinstance(competition.metric, Metric)  # resolved
    return competition.metric


def _key(competition: Competition, tables: Tables, models: Mapping[str, Factory], **options: object) -> str:
    """A name for everything that results depend on: data, options, the competition's code and kpipe's own."""
    code = hashlib.sha256()
    for folder in filter(None, (Path(kpipe.__file__).parent, competitions.folder(competition.slug))):
        for path in sorted(folder.rglob("*.py")):
            code.update(path.read_bytes())
    fields = {
        name: getattr(competition, name)
        for name in ("slug", "id", "target", "task", "columns", "text", "groups", "split")
    }
    made = {"files": dict(tables.source.files), "code": code.hexdigest(), "versions": versions()}
    return key_of({**made, **fields, **options, "metric": _metric(competition).name, "models": list(models)})


def _save(space: Workspace, outcome: Outcome, record: dict[str, Any]) -> Run:
    """Write everything, ``run.json`` last, and give the folder its name."""
    space.write("submission.csv", outcome.csv)
    space.write_table("folds.parquet", folds_to_frame(outcome.folds))
    space.write_table("oof.parquet", predictions_table(outcome, "oof"))
    space.write_table("test.parquet", predictions_table(outcome, "test"))
    record["run_id"] = space.run_id(record["created"])
    space.write("run.json", (json.dumps(record, indent=2, allow_nan=False) + "\n").encode())
    return Run(path=space.finish(record["run_id"]), record=record)

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kpipe.report.refit import Members, choose_members
from kpipe.runs.loaded import LoadedRun, load_run
from kpipe.runs.run import Run
from tests.report.pages import by_hand

ROWS = 40


def loaded(folder: Path, *models: dict[str, Any], **oof: np.ndarray) -> LoadedRun:
    predictions = {name: np.linspace(0, 1, ROWS) for name in (model["name"] for model in models)} | oof
    y = {"y": np.linspace(0, 1, ROWS), "blend": np.linspace(0, 1, ROWS)}
    run = by_hand(folder, target="y", metric="r2", oof=y | predictions, test={"blend": np.array([0.5])})
    given = [{"score": 0.5, "fold_scores": [0.4, 0.6], "seeds": [0], **model} for model in models]
    return load_run(Run(path=run.path, record={**run.record, "models": given, "fold_scores": [0.4, 0.6]}))


def chosen(run: LoadedRun, *, seconds: float, rows: int = 100_000) -> Members | str:
    assert run.oof is not None
    return choose_members(run, run.oof, seconds=seconds, rows=rows)


def names(members: Members | str) -> list[str]:
    assert isinstance(members, Members)
    return [member.model.name for member in members.members]


def test_all_models_of_the_ensemble_are_trained_again_where_there_is_time(tmp_path: Path) -> None:
    run = loaded(tmp_path, {"name": "linear", "weight": 0.3, "seconds": 2.0}, {"name": "boosting", "weight": 0.7})
    assert names(chosen(run, seconds=10.0)) == ["boosting", "linear"]


def test_a_minor_model_never_replaces_a_slow_one_which_is_trained_on_fewer_rows(tmp_path: Path) -> None:
    slow = {"name": "boosting", "weight": 0.86, "seconds": 200.0}  # 100 s for each of two folds
    run = loaded(tmp_path, {"name": "linear", "weight": 0.14, "seconds": 0.2}, slow)
    members = chosen(run, seconds=10.0)
    assert names(members)[0] == "boosting"
    assert isinstance(members, Members)
    assert members.rows == pytest.approx(0.1, rel=0.01)


def test_models_beyond_four_fifths_of_the_weight_are_left_out_before_rows_are(tmp_path: Path) -> None:
    slow = {"name": "neural", "weight": 0.15, "seconds": 200.0}
    run = loaded(tmp_path, slow, {"name": "boosting", "weight": 0.85, "seconds": 2.0})
    members = chosen(run, seconds=10.0)
    assert isinstance(members, Members)
    assert (names(members), members.rows, members.share) == (["boosting"], 1.0, 0.85)


def test_a_net_that_a_budget_shortened_is_trained_for_as_many_steps_again(tmp_path: Path) -> None:
    run = loaded(tmp_path, {"name": "neural", "weight": 1.0, "seconds": 1.0, "seeds": [3]})
    for written, steps in (([[90, 80], [70, 70]], ((90, 80), (70, 70))), ([[1, "a"], 7], ()), ("often", ())):
        record = {**run.record, "shortened": {"other-seed3-fold0": [[5, 5]], "neural-seed3-fold1": written}}
        members = chosen(replace(run, record=record), seconds=10.0)
        assert isinstance(members, Members)
        assert members.members[0].steps == steps


def test_too_few_rows_are_no_model_of_the_run(tmp_path: Path) -> None:
    run = loaded(tmp_path, {"name": "boosting", "weight": 1.0, "seconds": 200.0})
    found = chosen(run, seconds=10.0, rows=2_000)
    assert found == "training boosting again on a fold takes longer than 10 s. Allow more time with --budget."


def test_the_weight_of_a_stacker_is_that_of_the_models_it_learns_from(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    linear, boosting = rng.normal(size=(2, ROWS))
    run = loaded(
        tmp_path,
        {"name": "linear", "weight": 0.0},
        {"name": "boosting", "weight": 0.0},
        {"name": "stack-linear", "weight": 1.0},
        linear=linear,
        boosting=boosting,
        **{"stack-linear": 0.25 * linear + 0.75 * boosting},
    )
    members = chosen(run, seconds=10.0)
    assert isinstance(members, Members)
    assert [(m.model.name, round(m.weight, 6)) for m in members.members] == [("boosting", 0.75), ("linear", 0.25)]

"""What a user asks of a run: accepted in the forms that people write, refused in words, and read back unchanged."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kpipe
from kpipe import competitions
from kpipe.core.request import RunRequest
from kpipe.errors import DataError, UsageError

NAMES = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), max_size=3)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "models": NAMES,
        "budget": st.floats(0.1, 1e6),
        "folds": st.integers(2, 100),
        "seeds": st.lists(st.integers(0, 2**31), min_size=1, max_size=4),
        "metric": st.sampled_from(["auc", "rmse"]),
        "target": NAMES,
        "id": st.sampled_from(["Id", "a b"]),
        "text": NAMES,
        "split": st.sampled_from(["rows", "week"]),
        "drop": NAMES,
        "device": st.sampled_from(["cpu", "auto"]),
        "jobs": st.integers(1, 64),
    },
)


@given(OPTIONS)
def test_a_request_is_read_back_from_json_unchanged(options: dict[str, Any]) -> None:
    request = RunRequest("titanic", **options)
    stored = json.loads(json.dumps(request.to_json()))
    assert RunRequest.from_json("titanic", stored, place=Path("run.json")) == request


@pytest.mark.parametrize(
    ("given", "seeds"),
    [(0, (0,)), (3, (3,)), ([1, 2, 1], (1, 2)), (range(3), (0, 1, 2)), (np.int64(5), (5,)), (np.arange(2), (0, 1))],
)
def test_a_seed_or_a_sequence_of_seeds_is_accepted_under_both_names(given: Any, seeds: tuple[int, ...]) -> None:
    assert RunRequest("titanic", seeds=given).seeds == RunRequest("titanic", seed=given).seeds == seeds


def test_a_target_given_twice_counts_once() -> None:
    assert RunRequest("titanic", target=["Survived", "Survived"]).target == ("Survived",)


@pytest.mark.parametrize(
    ("given", "seconds"), [("5m", 300.0), ("90s", 90.0), ("1h", 3600.0), ("2", 2.0), (7, 7.0), (np.int64(7), 7.0)]
)
def test_a_budget_is_a_duration_or_seconds(given: Any, seconds: float) -> None:
    assert RunRequest("titanic", budget=given).budget == seconds


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seeds": ()}, "seeds must contain at least one number"),
        ({"seeds": -1}, "seed must be a whole number of at least 0, or a list of them; got -1"),
        ({"seeds": 1.5}, "seed must be a whole number"),
        ({"seeds": True}, "seed must be a whole number"),
        ({"budget": "5min"}, "budget must be a duration such as 90s, 5m or 1h; got '5min'"),
        ({"budget": 0}, "budget must be a duration"),
        ({"budget": float("nan")}, "budget must be a duration"),
        ({"budget": True}, "budget must be a duration"),
        ({"budget": 10**400}, "budget must be a duration"),
        ({"seeds": 2**32}, "seed must be at most 4294967295; got 4294967296"),
        ({"jobs": 0}, "jobs must be at least 1; got 0"),
        ({"data": Path("a\0")}, "data must not contain a null character"),
        ({"folds": "3"}, "folds must be a whole number of at least 0; got '3'"),
        ({"models": [1]}, r"models must be a name or a list of names; got \[1\]"),
        ({"metric": 3}, "metric must be a string; got 3"),
        ({"data": 3}, "data must be a string; got 3"),
        ({"out": None}, "out must be a folder; got None"),
        ({"id": "a\0"}, "id must not contain a null character"),
    ],
)
def test_an_impossible_option_is_refused_in_words(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        RunRequest("titanic", **options)


@pytest.mark.parametrize(
    ("stored", "error", "words"),
    [
        (None, UsageError, "does not contain the options of its run"),
        ([], DataError, "'options' must be an object; got list"),
        ({"rm": "-rf"}, DataError, "unknown option 'rm'"),
        ({"folds": "many"}, DataError, "option 'folds' must be a whole number; got 'many'"),
        ({"seed": [1.5]}, DataError, "option 'seed' must be a list of whole numbers"),
        ({"budget": -1}, DataError, "option 'budget' must be a number of seconds"),
        ({"budget": 10**400}, DataError, "budget must be a duration"),
        ({"jobs": 0}, DataError, "jobs must be at least 1"),
        ({"target": 5}, DataError, "option 'target' must be a list of strings"),
    ],
)
def test_stored_options_of_another_type_are_refused_naming_the_file(stored: Any, error: type, words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        RunRequest.from_json("titanic", stored, place=Path("a/run.json"))
    assert "a/run.json" in str(caught.value)


def test_a_path_that_exists_is_stored_absolute_and_a_word_as_it_is(tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    assert RunRequest("titanic", data="data").to_json()["data"] == str(tmp_path / "data")
    assert RunRequest("titanic", data="sample").to_json()["data"] == "sample"


def test_the_command_of_a_request_names_every_option_that_is_not_the_default() -> None:
    request = RunRequest("titanic", models=["linear", "a b"], budget="5m", seeds=(1, 2), target="Survived", out="runs")
    assert request.command() == (
        "kpipe run titanic --model linear --model 'a b' --budget 300 --seed 1 --seed 2 --target Survived"
    )


def test_every_option_is_stored_but_for_the_folder_of_runs() -> None:
    stored = {name if name != "seeds" else "seed" for name in (field.name for field in fields(RunRequest))}
    assert set(RunRequest("titanic").to_json()) == stored - {"slug", "out"}


def test_data_is_also_a_second_positional_argument() -> None:
    assert RunRequest("titanic", "titanic.zip") == RunRequest("titanic", data="titanic.zip")


def test_seed_and_seeds_together_are_refused_and_neither_beats_the_other() -> None:
    with pytest.raises(
        UsageError, match=r"seed and seeds are the same option: give only one of them; got 1 and \(2, 3\)"
    ):
        RunRequest("titanic", seed=1, seeds=(2, 3))


@pytest.mark.parametrize(
    ("name", "meant"), [("model", "models"), ("budgets", "budget"), ("Seed", "seed"), ("n_folds", "folds")]
)
def test_an_option_that_a_run_does_not_have_is_refused_with_the_one_that_was_meant(name: str, meant: str) -> None:
    for function in (kpipe.run, kpipe.check):
        with pytest.raises(UsageError, match=f"A run has no option '{name}'. Did you mean {meant}?"):
            function("titanic", **{name: "linear"})


def test_the_forms_that_people_write_are_accepted_by_run(tmp_path: Path) -> None:
    sample = competitions.folder("titanic") / "sample"
    run = kpipe.run("titanic", sample, budget="60s", seed=1, models="linear", out=tmp_path, jobs=1, folds=2)
    assert run.record["options"]["budget"] == 60.0
    assert run.record["seed"] == [1]
    assert [model["name"] for model in run.record["models"]] == ["linear"]

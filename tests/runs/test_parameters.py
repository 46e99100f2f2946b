"""A run keeps the parameters of its estimators."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import BaseEstimator

from kpipe import pipeline
from kpipe.core.request import RunRequest
from kpipe.core.values import Context, ModelPredictions
from kpipe.runs.parameters import changed_parameters, parameters_of, read_parameters
from tests.cli.calls import call


def test_the_parameters_that_changed_between_two_runs_are_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--model", "linear", "--folds", 2, "--jobs", 1, "--data", "sample", "--quiet", "--out", tmp_path)
    assert call("run", "titanic", *options, "--name", "zero") == 0
    assert call("run", "titanic", *options, "--name", "one", "--seed", 1) == 0
    first = read_parameters(min(tmp_path.glob("titanic/2*")))
    assert list(first) == ["linear"]
    assert first["linear"]["class"] == "Pipeline"
    assert 0.1 in first["linear"].values()  # the module's C
    assert "0x" not in json.dumps(first)
    capsys.readouterr()
    assert call("compare", "zero", "one", "--out", tmp_path) == 0
    assert "random_state was 0, is 1" in " ".join(capsys.readouterr().out.split())
    assert call("compare", "zero", "one", "--out", tmp_path, "--json") == 0
    compared = json.loads(capsys.readouterr().out)
    assert {(one["model"], one["a"], one["b"]) for one in compared["parameters"]} == {("linear", 0, 1)}
    assert (compared["code"], compared["code_lines"]) == ([], 0)


@pytest.mark.parametrize("content", ["", "[1]", "{", '{"linear": 1}', "[" * 100_000])
def test_a_broken_file_of_parameters_is_as_if_there_were_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "parameters.json").write_text(content)
    assert read_parameters(tmp_path) == {}


def test_a_parameter_that_only_one_model_has_is_none_in_the_other() -> None:
    found = changed_parameters({"a": {"x": 1, "y": 2}, "b": {}}, {"a": {"x": 1, "z": 3}, "c": {}})
    assert [(one["parameter"], one["a"], one["b"]) for one in found] == [("y", 2, None), ("z", None, 3)]


class Chosen(BaseEstimator):
    def __init__(self, names: frozenset[str] = frozenset({"b", "a", "c"})) -> None:
        self.names = names


def broken(context: Context) -> BaseEstimator:
    raise RuntimeError("it works only once")


def test_a_factory_that_fails_after_training_does_not_lose_the_run_and_sets_are_sorted() -> None:
    problem = pipeline.prepare(RunRequest("titanic", data="sample"))
    trained = tuple(
        ModelPredictions(name=name, oof=np.empty((0, 2)), test=np.empty((0, 2)), seconds=0.0)
        for name in ("broken", "chosen")
    )
    models = {"broken": broken, "chosen": lambda context: Chosen()}
    found = parameters_of(models, trained, problem, seed=0, threads=1, device="cpu")
    assert list(found) == ["chosen"]
    assert ["'a'", "'b'", "'c'"] in found["chosen"].values()

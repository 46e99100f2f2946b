"""A run keeps the parameters of its estimators."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kpipe.runs.parameters import changed_parameters, read_parameters
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

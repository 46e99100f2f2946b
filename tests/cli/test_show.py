from __future__ import annotations

import json
from pathlib import Path

import pytest

from kpipe import competitions
from tests.cli.calls import call
from tests.tables import survivors, write


@pytest.mark.parametrize("slug", competitions.slugs())
def test_show_prints_what_a_run_would_do_and_why(slug: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("show", slug) == 0
    out = capsys.readouterr().out
    for word in ("target", "metric", "splitter", "models", "set by the competition", "SAMPLE DATA"):
        assert word in out
    assert call("show", slug, "--json") == 0
    assert json.loads(capsys.readouterr().out)["slug"] == slug


def test_show_names_the_option_that_sets_an_inferred_field(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("show", "titanic", "--json", "--split", "rows") == 0
    assert json.loads(capsys.readouterr().out)["groups"] is None


def test_show_prints_the_steps_of_features_on_a_line_and_no_row_without_a_value(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call("show", "titanic") == 0
    out = capsys.readouterr().out
    assert "ModeImputer(), then GroupSurvivalEncoder()" in out
    assert "Pipeline(" not in out
    assert not [line for line in out.splitlines() if line.split()[:1] == ["groups"]]


def test_show_names_every_converted_column_and_does_not_refer_to_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = survivors()
    written = {f"price {n}": [f"${1000 + 7 * row:,}" for row in range(110)] for n in range(5)}
    for name, frame in (("train", made.train), ("test", made.test)):
        frame.assign(**{key: cells[: len(frame)] for key, cells in written.items()}).to_csv(
            tmp_path / f"{name}.csv", index=False
        )
    made.sample.to_csv(tmp_path / "sample_submission.csv", index=False)
    assert call("show", "made-by-hand", "--data", tmp_path) == 0
    out = capsys.readouterr().out
    assert "see kpipe show" not in out
    assert all(f"price {n} is read as" in " ".join(out.split()) for n in range(5))


def test_show_says_which_of_the_inferred_models_a_run_trains_and_what_a_budget_adds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(survivors(), tmp_path)
    assert call("show", "made-by-hand", "--data", tmp_path) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "the models of a run without --model" in out
    assert "the models that --budget adds" in out
    assert "set by the competition" not in out


def test_show_names_the_weights_that_a_table_with_text_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("wordllama")
    made = survivors()
    words = [f"a sentence of words, the {row}th of many that differ from one another" for row in range(200)]
    for name, frame in (("train", made.train), ("test", made.test)):
        frame.assign(said=words[: len(frame)]).to_csv(tmp_path / f"{name}.csv", index=False)
    made.sample.to_csv(tmp_path / "sample_submission.csv", index=False)
    assert call("show", "made-by-hand", "--data", tmp_path) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "text: " in out
    assert "MIT License" in out
    assert "Permission is hereby" not in out

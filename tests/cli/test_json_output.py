"""Errors as JSON: one document on stdout, whatever goes wrong, with a code that `kpipe explain` knows."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import pickle
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpipe import competitions, pipeline
from kpipe.cli.explanations import explanations
from kpipe.cli.json_output import error_document
from kpipe.cli.main import COMMANDS, get_parser
from kpipe.errors import DataError, KpipeError
from tests.cli.calls import call
from tests.hostile import PLAIN


def error_of(capsys: pytest.CaptureFixture[str], *args: object, status: int = 2) -> dict[str, Any]:
    """The error that a call prints as its only output to stdout."""
    assert call(*args, "--json") == status
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    error = json.loads(captured.out)["error"]
    assert list(error) == ["code", "message", "where", "fix", "next"]
    assert error["next"][-1] == f"kpipe explain {error['code']}"
    assert error["message"] in captured.err.replace("\n", " ")
    assert error["fix"] == explanations()[error["code"]].fix
    return dict(error)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder of one's own with the files of titanic's sample."""
    folder = competitions.folder("titanic")
    assert folder is not None
    return Path(shutil.copytree(folder / "sample", tmp_path / "data"))


CALLS = {
    "unknown-command": ["rum", "titanic"],
    "unknown-option": ["run", "titanic", "--models", "linear"],
    "bad-usage": ["run", "titanic", "--folds", "1"],
    "missing-argument": ["run"],
    "invalid-slug": ["show", "../titanic"],
    "unknown-metric": ["run", "titanic", "--metric", "acuracy"],
    "unknown-model": ["run", "titanic", "--model", "liner"],
    "invalid-value": ["run", "titanic", "--device", "tpu"],
    "conflicting-options": ["run", "--resume", "x", "--folds", "3"],
    "unknown-run": ["compare", "x", "y"],
    "missing-column": ["show", "titanic", "--target", "Survivd"],
    "data-not-found": ["show", "titanic", "--data", "nowhere"],
    "file-not-found": ["submit", "mine.csv"],
    "no-vault": ["vault", "titanic"],
    "sample-data": ["vault", "titanic", "--share", "20%"],
    "unknown-study": ["study", "nothing"],
    "metric-unsuitable": ["show", "titanic", "--metric", "rmse"],
}


@pytest.mark.parametrize("code", CALLS)
def test_a_wrong_call_prints_its_code(
    code: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert error_of(capsys, *CALLS[code])["code"] == code
    assert not list(tmp_path.iterdir())


def test_an_error_in_a_table_says_file_column_row_and_line(capsys: pytest.CaptureFixture[str], data: Path) -> None:
    frame = pd.read_csv(data / "train.csv", dtype=str, keep_default_na=False)
    frame.loc[16:60, "Age"] = "3O"
    frame.to_csv(data / "train.csv", index=False)
    error = error_of(capsys, "show", "titanic", "--data", data)
    assert error["code"] == "not-a-number"
    assert error["where"] == {"file": "train.csv", "column": "Age", "row": 17, "line": 18}
    assert "train.csv, line 18: 'Age'" in error["message"]


def test_a_line_that_cannot_be_read_is_named(capsys: pytest.CaptureFixture[str], data: Path) -> None:
    lines = (data / "test.csv").read_text(encoding="utf-8").splitlines()
    lines[3] += ",one too many"
    (data / "test.csv").write_text("\n".join(lines), encoding="utf-8")
    error = error_of(capsys, "show", "titanic", "--data", data)
    assert (error["code"], error["where"]["file"], error["where"]["line"]) == ("broken-row", "test.csv", 4)


def test_the_next_commands_name_the_competition_and_the_files_of_the_call(
    capsys: pytest.CaptureFixture[str], data: Path
) -> None:
    error = error_of(capsys, "run", "titanic", "--data", data, "--target", "Survivd")
    assert error["next"][0] == f"kpipe show titanic --data {data}"


def test_a_failed_run_ends_with_1(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "out"
    error = error_of(capsys, "run", "titanic", "--model", "linear", "--jobs", 1, "--out", out, status=1)
    assert error["code"] == "cannot-write"


@pytest.mark.parametrize(
    ("raised", "code", "status"), [(KeyboardInterrupt(), "interrupted", 130), (KpipeError("No."), "failed", 1)]
)
def test_what_was_printed_before_an_error_is_dropped(
    raised: BaseException, code: str, status: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        print("half of a document")
        raise raised

    monkeypatch.setattr(pipeline, "prepare", fail)
    assert error_of(capsys, "show", "titanic", status=status)["code"] == code


def test_a_bug_is_a_document_too_and_keeps_its_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from kpipe.cli.main import main

    monkeypatch.setattr(pipeline, "prepare", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main(["show", "titanic", "--json"])
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["code"], error["message"]) == ("internal-error", "ZeroDivisionError: division by zero")


def test_an_error_keeps_its_code_and_place_in_another_process() -> None:
    error = DataError("No.", code="broken-row", file="train.csv", line=3)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.code, again.where) == ("No.", "broken-row", error.where)


@PLAIN
@given(st.text(st.characters(exclude_categories=[])), st.text(st.characters(exclude_categories=[])))
def test_any_message_and_place_is_json(message: str, place: str) -> None:
    document = error_document(KpipeError(message, file=place), {"slug": place, "data": place})
    assert json.loads(document)["error"]["code"] == "failed"


def options_of(command: str) -> dict[str, argparse.Action]:
    parsers = next(one for one in get_parser([command])._actions if isinstance(one, argparse._SubParsersAction))
    return dict(parsers.choices[command]._option_string_actions)


WORDS = [
    "titanic",
    "x",
    "-1",
    "",
    "../x",
    "--",
    "open",
    "nowhere.zip",
    "0",
    "é",
    "\x1b[0m",
    "20%",
    "5m",
    "rows",
    "rmse",
]
# Those that may train end before they do, and those that would ask Kaggle or import torch are left out.
ENDED_EARLY = {name: ["--data", "nowhere"] for name in ("run", "check", "blend")}
FUZZED = [name for name in COMMANDS if "--json" in options_of(name) and name not in ("doctor", "study", "submissions")]


@PLAIN
@given(
    st.sampled_from(FUZZED).flatmap(
        lambda name: st.tuples(
            st.just(name),
            st.lists(st.sampled_from([*WORDS, *(flag for flag in options_of(name) if flag not in ("-h", "--help"))])),
        )
    )
)
def test_any_call_prints_exactly_one_document(drawn: tuple[str, list[str]]) -> None:
    command, words = drawn
    out, err = io.StringIO(), io.StringIO()
    streams = contextlib.redirect_stdout(out), contextlib.redirect_stderr(err)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), streams[0], streams[1]:
        status = call(command, "--json", *ENDED_EARLY.get(command, ()), *words)
    document = json.loads(out.getvalue())
    assert "Traceback" not in err.getvalue()
    if status:
        assert document["error"]["code"] in set(explanations()) - {"internal-error"}

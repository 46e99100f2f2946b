"""A run or files where a competition belongs: the message names the command that was meant."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kpipe.cli.main import COMMANDS
from tests.cli.calls import call

RUN = "20261121T092754Z-f40eed"


@pytest.mark.parametrize("command", ["check", "show", "runs", "new", "submissions", "clean", "doctor", "vault"])
def test_a_run_is_refused_where_a_competition_is_needed(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command in COMMANDS
    assert call(command, RUN) == 2
    err = capsys.readouterr().err
    assert f"{RUN} is a run, and kpipe {command} takes a competition: kpipe {command} SLUG." in err
    assert f"`kpipe report {RUN}` shows the run's scores and checks." in err


def test_the_competition_of_a_run_that_is_found_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "submissions" / "titanic" / RUN).mkdir(parents=True)
    (tmp_path / "submissions" / "titanic" / RUN / "run.json").write_text("{}")
    for name in (RUN, f"submissions/titanic/{RUN}/"):
        assert call("check", name, "--json") == 2
        error = json.loads(capsys.readouterr().out)["error"]
        assert error["code"] == "invalid-slug"
        assert "is a run of titanic, and kpipe check takes a competition: kpipe check titanic." in error["message"]
        assert error["next"][:2] == ["kpipe check titanic", f"kpipe report {name.rstrip('/')}"]
    assert call("run", RUN) == 2
    assert f"`kpipe reproduce {RUN}` repeats the run." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("titanic.zip", "kpipe run titanic --data titanic.zip."),
        ("./my data/titanic.zip", "kpipe run titanic --data './my data/titanic.zip'."),
        ("train.csv", "kpipe run SLUG --data train.csv."),
        ("data/s3e26", "kpipe run s3e26 --data data/s3e26."),
    ],
)
@pytest.mark.parametrize("exists", [False, True])
def test_files_are_refused_where_a_competition_is_needed(
    given: str,
    meant: str,
    exists: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    if exists:
        Path(given).parent.mkdir(exist_ok=True)
        Path(given).touch()
    assert call("run", given) == 2
    err = capsys.readouterr().err
    assert f"{given!r} cannot be a competition." in err
    assert meant in err
    assert ("There is no such file" in err) is not exists


def test_the_address_of_a_competition_is_no_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("show", "https://www.kaggle.com/competitions/titanic") == 0
    assert "titanic" in capsys.readouterr().out

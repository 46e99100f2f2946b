"""The README is true: its commands run, its Python runs, and what it shows is what kpipe prints."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

import pytest

from kpipe import competitions
from kpipe.cli.main import COMMANDS, main

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from readme import blocks  # noqa: E402  # tools/ is no package

README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands() -> list[str]:
    lines = [line for block in blocks("sh")[2:] for line in block.splitlines()]
    return [line.split("#")[0].strip() for line in lines if line.startswith("kpipe ")]


def test_the_two_set_up_commands_are_the_makefiles() -> None:
    setup, test = (block.strip() for block in blocks("sh")[:2])
    assert setup.endswith(" . .venv/bin/activate && pip install -c constraints.txt -e . && kpipe run titanic")
    assert test.endswith("&& pytest")
    makefile = (ROOT / "Makefile").read_text()
    assert '-c constraints.txt -e ".[dev]"' in test
    assert '-c constraints.txt -e ".[dev]"' in makefile


@pytest.mark.parametrize(
    "command", [pytest.param(line, marks=[pytest.mark.slow] * ("--budget" in line)) for line in commands()]
)
def test_a_command_of_the_readme_runs(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kaggle_zip
) -> None:
    monkeypatch.chdir(tmp_path)
    for zip_name in re.findall(r"([\w-]+)\.zip", command):
        (tmp_path / f"{zip_name}.zip").symlink_to(kaggle_zip(zip_name))
    with pytest.raises(SystemExit) as ended:
        main(shlex.split(command)[1:])
    assert ended.value.code == 0


@pytest.mark.parametrize("code", blocks("python"))
def test_the_python_of_the_readme_runs(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})


@pytest.mark.slow
def test_the_capture_in_the_readme_is_what_a_run_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], kaggle_zip
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "titanic.zip").symlink_to(kaggle_zip("titanic"))
    with pytest.raises(SystemExit):
        main(["run", "titanic", "--data", "titanic.zip"])
    scores = re.findall(r"0\.\d{4} ± 0\.\d{4}", capsys.readouterr().out)
    assert scores == re.findall(r"0\.\d{4} ± 0\.\d{4}", blocks("console")[0])


@pytest.mark.parametrize("slug", competitions.slugs())
def test_the_score_in_the_readme_is_the_one_in_the_competitions_readme(slug: str) -> None:
    row = next(line for line in README.splitlines() if line.startswith(f"| {slug} "))
    score = re.search(r"0\.\d{4} ± 0\.\d{4}", row)
    folder = competitions.folder(slug)
    assert score is not None
    assert folder is not None
    assert score.group() in (folder / "README.md").read_text(encoding="utf-8")


def test_the_page_about_kaggle_shows_what_is_printed_and_hides_what_is_secret() -> None:
    page = (ROOT / "docs" / "kaggle.md").read_text(encoding="utf-8")
    for capture in (
        "doctor, nothing",
        "doctor, bad token",
        "doctor, good key",
        "doctor, rules",
        "round trip",
        "kernel",
    ):
        assert f"<!-- {capture} -->\n```console\n$ kpipe " in page
    assert "Traceback" not in page
    assert "KGAT" not in page
    for command in re.findall(r"^\$ kpipe ([\w-]+)", page, flags=re.MULTILINE):
        assert command in COMMANDS

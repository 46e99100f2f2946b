"""The skill for coding agents: short, in the form that agents read, and its commands work in their order."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from kpipe.cli.explanations import explanations
from kpipe.cli.main import get_parser
from kpipe.cli.skill import skill_text
from tests.cli.calls import call

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = [
    line.strip()
    for block in re.findall(r"```sh\n(.*?)```", skill_text(), flags=re.DOTALL)
    for line in block.splitlines()
    if line.strip()
]


def test_the_skill_has_the_fields_that_agents_read_and_is_short() -> None:
    _, head, body = skill_text().split("---\n", 2)
    fields = dict(line.split(": ", 1) for line in head.splitlines())
    assert fields["name"] == "kpipe"  # the name of its folder
    assert set(fields) == {"name", "description", "license", "compatibility"}
    assert len(fields["description"]) <= 1024
    assert len(fields["compatibility"]) <= 500
    assert len(body.splitlines()) < 100


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_of_the_skill_exists(command: str) -> None:
    get_parser().parse_args(shlex.split(command)[1:])


def test_skill_prints_it_and_init_writes_it_where_agents_look(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("skill") == 0
    assert capsys.readouterr().out == skill_text()
    assert call("init", tmp_path) == 0
    assert "kpipe init --skill" in capsys.readouterr().out
    assert not (tmp_path / ".agents").exists()
    assert call("init", tmp_path, "--skill") == 0
    for folder in (".agents", ".claude"):
        assert (tmp_path / folder / "skills" / "kpipe" / "SKILL.md").read_text(encoding="utf-8") == skill_text()


def test_the_codes_and_checks_that_the_skill_names_exist() -> None:
    for name in re.findall(r"kpipe explain ([a-z][a-z -]+)$", skill_text(), flags=re.MULTILINE):
        assert name in explanations()


def test_new_says_that_it_hides_a_module_which_kpipe_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("new", "titanic", "--out", tmp_path) == 0
    printed = capsys.readouterr()
    assert "is a module of titanic with features and models of its own, which the new one overrides" in printed.err
    assert call("new", "no-module-of-this", "--data", ROOT / "competitions/titanic/sample", "--out", tmp_path) == 0
    assert "the new one overrides" not in capsys.readouterr().err


@pytest.mark.slow
def test_an_agent_can_follow_the_skill_from_the_zip_to_a_submission(tmp_path: Path) -> None:
    sys.path.insert(0, str(ROOT / "tools"))
    from pages import loopback, zip_of  # tools/ is no package

    work, home = tmp_path / "work", tmp_path / "home"
    work.mkdir()
    home.mkdir()
    (work / "titanic.zip").symlink_to(zip_of("titanic", tmp_path))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("KPIPE_", "KAGGLE_"))}
    env = {**kept, "HOME": str(home), "KPIPE_CACHE": str(home / "cache"), "PYTHONPATH": str(ROOT), "AI_AGENT": "test"}
    with loopback(work / "titanic.zip") as kaggle:
        for command in COMMANDS:
            ids = sorted(path.name for path in (work / "submissions" / "titanic").glob("2*Z-*"))
            for one in ids[-command.count("RUN") :] if "RUN" in command else ():
                command = command.replace("RUN", one, 1)
            words = [sys.executable, "-m", *shlex.split(command.replace("spaceship-titanic", "titanic"))]
            ended = subprocess.run(words, cwd=work, env={**env, **kaggle}, capture_output=True, text=True, timeout=600)
            assert ended.returncode == 0, f"{command}: {ended.stderr}"
            if "--json" in words:
                json.loads(ended.stdout)

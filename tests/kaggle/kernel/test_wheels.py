"""Additional packages of a kernel: a private dataset of wheels, used only where the image lacks them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from kpipe import competitions
from kpipe.errors import OutputError, UsageError
from kpipe.kaggle.kernel import wheels
from tests.cli.calls import call
from tests.kaggle.kernel.test_build import rehearse
from tests.kaggle.kernel.test_push import sample_csv
from tests.kaggle_server import KaggleServer, Kernel


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An index for pip with one package, tinytool."""
    folder = tmp_path / "index"
    folder.mkdir()
    info = "tinytool-1.0.dist-info"
    with zipfile.ZipFile(folder / "tinytool-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tinytool.py", "NAME = 'tinytool, from a wheel'\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: tinytool\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_the_same_wheels_have_the_same_dataset_name(index: Path, tmp_path: Path) -> None:
    first, again = (wheels.download_wheels(["tinytool"], tmp_path / name, username="ada") for name in ("a", "b"))
    assert first == again
    assert first.startswith("ada/kpipe-wheels-")
    assert wheels.dataset_name(tmp_path / "a") == first
    assert wheels.dataset_name(tmp_path / "nothing") == ""


def test_a_package_without_a_wheel_is_refused_with_pips_message(index: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no wheel for Kaggle's Python 3\.12 of no-such-tool: ERROR: No match"):
        wheels.download_wheels(["no-such-tool"], tmp_path / "wheels", username="ada")


def test_an_environment_without_pip_is_named_as_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip" / "__init__.py").write_text("")
    (tmp_path / "pip" / "__main__.py").write_text("raise ModuleNotFoundError('No module named pip')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(UsageError, match=r"because pip does not run: .*No module named pip\. --package needs pip"):
        wheels.download_wheels(["tinytool"], tmp_path / "wheels", username="ada")


def test_a_folder_of_wheels_that_cannot_be_written_is_an_error_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"wheels cannot be written: .* Choose another --dir\."):
        wheels.download_wheels(["tinytool"], tmp_path / "file" / "wheels", username="ada")


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["input/datasets/{}", pytest.param("input/{}", marks=pytest.mark.slow)])
def test_a_competition_that_needs_a_package_runs_with_its_wheel(
    index: Path, tmp_path: Path, layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "mine" / "titanic"
    mine.mkdir(parents=True)
    text = (competitions.folder("titanic") / "competition.py").read_text()
    (mine / "competition.py").write_text(f"{text}\nimport tinytool\nprint(tinytool.NAME)\n")
    command = ["kernel", "build", "titanic", "--model", "linear", "--user", "ada", "--package", "tinytool"]
    script = f"from kpipe.cli.main import main; main({[*command, '--dir', str(tmp_path / 'k')]!r})"
    env = {**os.environ, "KPIPE_COMPETITIONS": str(tmp_path / "mine")}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    name = json.loads((tmp_path / "k" / "kernel-metadata.json").read_text())["dataset_sources"][0]
    mounted = tmp_path / "root" / layout.format(name if "datasets" in layout else name.split("/")[1])
    mounted.mkdir(parents=True)
    for wheel in (tmp_path / "k" / "wheels").glob("*.whl"):
        (mounted / wheel.name).write_bytes(wheel.read_bytes())
    ended = rehearse(tmp_path / "k" / "script.py", tmp_path / "root")
    assert ended.returncode == 0, ended.stderr
    assert "tinytool, from a wheel" in ended.stdout


def test_a_push_creates_the_private_dataset_once_and_waits_until_it_is_ready(
    titanic_kaggle: KaggleServer,
    index: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    titanic_kaggle.kernel = Kernel(run=lambda _: {"submission.csv": sample_csv()})
    push = ["kernel", "push", "titanic", "--package", "tinytool", "--no-submit"]
    assert call(*push) == 0
    ((name, made),) = titanic_kaggle.datasets.items()
    assert made["isPrivate"] is True
    assert list(made["files"]) == ["tinytool-1.0-py3-none-any.whl"]
    assert made["files"]["tinytool-1.0-py3-none-any.whl"] == (index / "tinytool-1.0-py3-none-any.whl").read_bytes()
    told = capsys.readouterr().err
    assert f"{name}: not_yet_persisted" in told
    assert told.index(f"{name}: ready") < told.index("version 1: queued")
    assert titanic_kaggle.pushes[0]["datasetDataSources"] == [name]
    uploads = len(titanic_kaggle.uploads)
    assert call(*push) == 0
    assert len(titanic_kaggle.uploads) == uploads

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.calls import call


@pytest.mark.parametrize("place", ["/nowhere/titanic.zip", "a" * 5000, "nul\0l"])
def test_a_run_whose_files_are_gone_has_a_report_that_says_so(
    place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("run", "titanic", "--model", "linear", "--folds", "2", "--quiet", "--out", tmp_path) == 0
    folder = Path(capsys.readouterr().out.strip()).parent
    record = json.loads((folder / "run.json").read_text())
    record["data"] |= {"origin": "zip", "path": place}
    (folder / "run.json").write_text(json.dumps(record))
    assert call("report", folder) == 0
    assert "does not exist. To show the data, add --data PATH." in (folder / "report.html").read_text()


def test_a_folder_without_runs_has_no_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("report", "--out", tmp_path / "misspelt") == 2
    assert f"There is no finished run in {tmp_path / 'misspelt'}: " in capsys.readouterr().err
    assert not (tmp_path / "misspelt").exists()

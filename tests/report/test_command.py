"""The report from the command line, in a notebook and in a kernel."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kpipe.cli.main import main
from kpipe.kaggle.kernel.embedded import embedded_files
from kpipe.runs.run import Run
from tests.report.pages import EVIL


def test_the_command_prints_the_path_of_the_page(
    titanic: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["report", str(titanic.path), "--to", str(tmp_path / "page.html"), "--no-importance"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "page.html")
    assert "Not computed: it is turned off (--no-importance)." in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_run_with_report_writes_the_page_and_prints_its_path_to_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["run", "titanic", "--model", "linear", "--report", "--json", "--out", str(tmp_path)])
    printed = capsys.readouterr()
    record = json.loads(printed.out)  # stdout has nothing else
    page = tmp_path / "titanic" / record["run_id"] / "report.html"
    assert page.is_file()
    assert f"Report: {page}" in printed.err


def test_a_notebook_shows_a_run_and_escapes_its_texts(titanic: Run) -> None:
    shown = titanic._repr_html_()
    assert f"{titanic.score:.4f}" in shown
    hostile = Run(path=titanic.path, record={**titanic.record, "slug": EVIL, "baseline_name": EVIL})
    assert "<script" not in hostile._repr_html_()
    assert "<img" not in hostile._repr_html_()


def test_a_kernel_script_does_not_embed_the_report() -> None:
    names = [name for name, _ in embedded_files("titanic")]
    assert "kpipe/pipeline.py" in names
    assert not [name for name in names if name.startswith("kpipe/report")]

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kpipe.errors import OutputError
from kpipe.report import write
from kpipe.runs.find import find_run
from kpipe.runs.run import Run
from tests.report.pages import Page, changed, is_safe, page_of


def test_a_report_is_one_small_page_with_the_score_its_standard_error_and_the_baseline(titanic: Run) -> None:
    path = write(titanic)
    page = Page(path.read_text(encoding="utf-8"))
    assert path == titanic.path / "report.html"
    assert path.stat().st_size < 3_000_000
    assert is_safe(page)
    assert f"{titanic.score:.4f}" in page.text
    assert f"± {titanic.standard_error:.4f}" in page.text
    assert f"{titanic.record['baseline']:.4f}" in page.text
    for title in (
        "Findings",
        "Confusion matrix",
        "Feature importance",
        "Hardest rows",
        "Data",
        "Checks",
    ):
        assert title in page.text


def test_the_report_of_a_run_without_its_data_says_what_is_not_shown(copied: Path) -> None:
    elsewhere = {"origin": "zip", "path": "/nowhere/titanic.zip", "files": {}}
    page = Page(write(changed(copied, data=elsewhere)).read_text(encoding="utf-8"))
    assert "/nowhere/titanic.zip does not exist. To show the data, add --data PATH." in page.text
    assert "Confusion matrix" in page.text
    assert "Columns by shift between train and test" not in page.text


def test_files_that_changed_since_the_run_are_not_shown_as_its_data(copied: Path) -> None:
    run = find_run(str(copied), copied)
    data = {**run.record["data"], "files": {"train.csv": "0" * 64}}
    page = Page(write(changed(copied, data=data)).read_text(encoding="utf-8"))
    assert "has other files than those that the run used" in page.text
    assert "Columns by shift between train and test" not in page.text


def test_files_that_are_missing_or_broken_are_named_and_the_rest_is_shown(copied: Path) -> None:
    (copied / "oof.parquet").write_bytes(b"PAR1 no parquet")
    (copied / "folds.parquet").unlink()
    page = page_of(find_run(str(copied), copied))
    assert "oof.parquet cannot be read" in page.text
    assert "folds.parquet is not in the run's folder." in page.text
    assert "Models and their weights in the ensemble" in page.text


def test_a_page_that_cannot_be_written_raises_an_output_error_with_its_path(titanic: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot be written: .* choose another file with --to FILE\."):
        write(titanic, tmp_path / "file" / "page.html")


@pytest.mark.parametrize("value", [None, [], {}, "text", 10**400, [[[]]], {"a": {"b": None}}, True])
def test_a_record_of_the_wrong_types_gives_a_page_and_no_traceback(copied: Path, value: object) -> None:
    record = json.loads((copied / "run.json").read_text(encoding="utf-8"))
    hostile = Run(path=copied, record=dict.fromkeys(record, value) | {"slug": "titanic"})
    assert is_safe(page_of(hostile))

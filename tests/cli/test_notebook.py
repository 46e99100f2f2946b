from __future__ import annotations

import inspect
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import kpipe
from kpipe import pipeline
from kpipe.errors import UsageError


class Cell:
    """IPython's ``display`` with an id: every update is kept."""

    def __init__(self) -> None:
        self.pages: list[Any] = []

    def display(self, page: Any, *, display_id: bool) -> Cell:
        assert display_id
        self.pages.append(page)
        return self

    update = property(lambda self: self.pages.append)

    @property
    def html(self) -> list[str]:
        return [page._repr_html_() for page in self.pages]


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Cell:
    cell = Cell()
    kernel = SimpleNamespace(kernel=object())
    ipython = SimpleNamespace(get_ipython=lambda: kernel, display=SimpleNamespace(display=cell.display))
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    return cell


def test_a_notebook_shows_a_progress_bar_that_advances_with_each_fit(notebook: Cell, tmp_path: Path) -> None:
    kpipe.run("titanic", models=["linear"], folds=3, jobs=1, out=tmp_path)
    assert "<progress style=" in notebook.html[0]  # the total is not known before the first fit
    bars = [html for html in notebook.html if "<progress value=" in html]
    assert [bar.split("<progress ")[1].split(" style")[0] for bar in bars] == [
        f"value='{done}' max='3'" for done in range(1, 4)
    ]
    assert "titanic: 300 training rows, 120 test rows" in bars[-1]
    assert "3 of 3 fits" in repr(notebook.pages[-1])


def test_html_in_a_path_is_escaped(notebook: Cell, tmp_path: Path) -> None:
    folder = tmp_path / "<b>data"
    folder.mkdir()
    for file in (Path(__file__).parents[2] / "competitions" / "titanic" / "sample").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    kpipe.run("titanic", data=folder, models=["linear"], folds=2, out=tmp_path / "out")
    assert "&lt;b&gt;data" in notebook.html[-1]
    assert "<b>" not in notebook.html[-1]


def test_a_wrong_call_raises_and_shows_no_bar(notebook: Cell, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no model 'none'"):
        kpipe.run("titanic", models=["none"], out=tmp_path)
    assert notebook.pages == []


def test_a_name_is_accepted_where_a_list_of_names_is_expected(tmp_path: Path) -> None:
    run = kpipe.run("titanic", models="linear", folds=2, out=tmp_path)
    assert [model["name"] for model in run.record["models"]] == ["linear"]


def test_the_repr_of_a_run_says_that_its_data_are_the_sample(tmp_path: Path) -> None:
    run = kpipe.run("titanic", models=["linear"], folds=2, out=tmp_path)
    assert repr(run).startswith("<Run titanic: accuracy 0.")
    assert "(of the sample, not Kaggle's data)" in repr(run)


def test_a_caller_with_its_own_callbacks_gets_no_progress_bar(notebook: Cell, tmp_path: Path) -> None:
    fits: list[pipeline.FitFinished] = []
    kpipe.run("titanic", models=["linear"], folds=2, on_fit_done=fits.append, out=tmp_path)
    assert len(fits) == 2
    assert notebook.pages == []


@pytest.mark.parametrize("ipython", [None, SimpleNamespace(get_ipython=lambda: None)])
def test_neither_a_script_nor_ipython_in_a_terminal_shows_a_bar(
    ipython: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    kpipe.run("titanic", models=["linear"], folds=2, out=tmp_path)
    assert capsys.readouterr() == ("", "")


def test_the_signature_and_the_help_of_run_are_those_of_a_request() -> None:
    shown, request = inspect.signature(kpipe.run), inspect.signature(kpipe.RunRequest)
    assert [*shown.parameters] == [*request.parameters]
    assert shown.parameters["out"].default == "submissions"
    assert "float | str | None" in str(shown.parameters["budget"])
    lines = (kpipe.run.__doc__ or "").splitlines()
    named = {name for line in lines if " : " in line for name in line.split(" : ")[0].strip().split(", ")}
    assert set(shown.parameters) <= named

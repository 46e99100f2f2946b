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


class Shown:
    """What IPython's ``display`` gives for an id: each update is kept."""

    def __init__(self) -> None:
        self.pages: list[Any] = []

    def display(self, page: Any, *, display_id: bool) -> Shown:
        assert display_id
        self.pages.append(page)
        return self

    update = property(lambda self: self.pages.append)

    @property
    def html(self) -> list[str]:
        return [page._repr_html_() for page in self.pages]


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Shown:
    shown = Shown()
    kernel = SimpleNamespace(kernel=object())
    ipython = SimpleNamespace(get_ipython=lambda: kernel, display=SimpleNamespace(display=shown.display))
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    return shown


def test_a_notebook_has_a_bar_that_moves_from_the_first_fit_to_the_last(notebook: Shown, tmp_path: Path) -> None:
    kpipe.run("titanic", models=["linear"], folds=3, jobs=1, out=tmp_path)
    bars = [html for html in notebook.html if "<progress value=" in html]
    assert [bar.split("<progress ")[1].split(" style")[0] for bar in bars] == [
        f"value='{done}' max='3'" for done in range(4)
    ]
    assert "titanic: 300 rows to learn from, 120 to predict" in bars[-1]
    assert "3 of 3 fits" in repr(notebook.pages[-1])


def test_what_a_path_says_is_no_html(notebook: Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "<b>data"
    folder.mkdir()
    for file in (Path(__file__).parents[2] / "competitions" / "titanic" / "sample").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    kpipe.run("titanic", data=folder, models=["linear"], folds=2, out=tmp_path / "out")
    assert "&lt;b&gt;data" in notebook.html[-1]
    assert "<b>" not in notebook.html[-1]


def test_a_call_that_is_wrong_shows_its_error_and_no_bar(notebook: Shown, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no model 'none'"):
        kpipe.run("titanic", models=["none"], out=tmp_path)
    assert notebook.pages == []


@pytest.mark.parametrize("option", ["models", "drop", "text"])
def test_a_text_where_a_list_is_meant_is_told_so(option: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=rf"{option} must be a list of names, such as \['linear'\], however: the text"):
        kpipe.run("titanic", out=tmp_path, **{option: "linear"})  # type: ignore[arg-type]


def test_a_run_says_in_a_line_that_it_is_of_the_sample(tmp_path: Path) -> None:
    run = kpipe.run("titanic", models=["linear"], folds=2, out=tmp_path)
    assert repr(run).startswith("<Run titanic: accuracy 0.")
    assert "(of the sample, not Kaggle's data)" in repr(run)


def test_whoever_listens_himself_has_no_bar(notebook: Shown, tmp_path: Path) -> None:
    heard: list[pipeline.FitFinished] = []
    kpipe.run("titanic", models=["linear"], folds=2, on_fit_done=heard.append, out=tmp_path)
    assert len(heard) == 2
    assert notebook.pages == []


@pytest.mark.parametrize("ipython", [None, SimpleNamespace(get_ipython=lambda: None)])
def test_a_script_and_a_terminal_have_no_bar(
    ipython: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    kpipe.run("titanic", models=["linear"], folds=2, out=tmp_path)
    assert capsys.readouterr() == ("", "")


def test_the_signature_and_the_help_of_run_are_those_of_a_request() -> None:
    shown, request = inspect.signature(kpipe.run), inspect.signature(kpipe.RunRequest)
    assert shown.parameters == request.parameters
    assert all(f"    {name} : " in (kpipe.run.__doc__ or "") for name in shown.parameters)

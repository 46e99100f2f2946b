from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from kpipe.cli.console.progress import RunProgress, show_progress
from kpipe.training.task_runner import FitFinished


class Clock:
    """Seconds that pass when a test says so, and the timers that wait for them."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[Timer] = []

    def pass_(self, seconds: float) -> None:
        end = self.now + seconds
        while due := [timer for timer in self.timers if timer.at <= end]:
            first = min(due, key=lambda timer: timer.at)
            self.timers.remove(first)
            self.now = first.at
            first.then()
        self.now = end


class Timer:
    """As ``threading.Timer``, by a test's clock."""

    def __init__(self, clock: Clock, seconds: float, then: Callable[[], None]) -> None:
        self.clock, self.at, self.then = clock, clock.now + seconds, then

    def start(self) -> None:
        self.clock.timers.append(self)

    def cancel(self) -> None:
        if self in self.clock.timers:
            self.clock.timers.remove(self)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("threading.Timer", partial(Timer, clock))
    monkeypatch.setattr("time.monotonic", lambda: clock.now)
    return clock


def plan(path: Path) -> Any:
    tables = SimpleNamespace(source=SimpleNamespace(origin="zip"))
    return SimpleNamespace(
        path=path, sentence="titanic: 300 rows", notes=("a note",), problem=SimpleNamespace(tables=tables)
    )


def interrupted(path: Path, *, quiet: bool, after_a_fit: bool) -> None:
    with show_progress(quiet=quiet) as progress:
        progress.on_start(plan(path))
        if after_a_fit:
            progress.on_fit_done(fit(resumed=False))
        raise KeyboardInterrupt


def fit(*, resumed: bool) -> FitFinished:
    return FitFinished(model="linear", fold=0, seed=3, seconds=1.25, done=1, total=5, resumed=resumed)


def test_in_a_file_progress_is_a_line_for_each_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress(quiet=False) as progress:
        progress.on_start(plan(tmp_path))
        progress.on_fit_done(fit(resumed=False))
        progress.on_fit_done(fit(resumed=True))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "titanic: 300 rows",
        "a note",
        "[1/5] linear, fold 1, seed 3: 1.2 s",
        "[1/5] linear, fold 1, seed 3: already finished",
    ]


def test_a_download_is_a_line_for_each_tenth(capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress(quiet=False) as progress:
        for done in range(0, 34_900, 100):
            progress.on_download(done, 34_900)
        progress.on_download(34_900, 34_900)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"Downloading from Kaggle: {10 * tenth} % of 34.9 kB" for tenth in range(11)]


def test_a_step_is_shown_once_it_has_taken_some_seconds(
    clock: Clock, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with show_progress(quiet=False) as progress:
        for step, seconds in (("Reading", 1.0), ("Inferring", 6.0), ("Rehearsing", 1.0)):
            progress.on_step(step)
            clock.pass_(seconds)
        progress.on_start(plan(tmp_path))
        clock.pass_(30.0)
    assert capsys.readouterr().err == "Inferring ...\ntitanic: 300 rows\na note\n"


def test_every_step_of_a_check_is_shown_and_a_long_one_again_every_minute(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with show_progress(quiet=False, every_step=True) as progress:
        progress.on_step("Reading")
        progress.on_step("Checking tables")
        clock.pass_(130.0)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "Reading ...",
        "Checking tables ...",
        "Checking tables ... (1 min so far)",
        "Checking tables ... (2 min so far)",
    ]


def test_a_long_fit_gives_a_sign_of_life_until_the_end(
    clock: Clock, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with show_progress(quiet=False) as progress:
        progress.on_start(plan(tmp_path))
        clock.pass_(70.0)
    clock.pass_(600.0)
    assert capsys.readouterr().err.splitlines()[2:] == ["Still training after 1 min: 0 fits are done."]


def test_quiet_progress_prints_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with show_progress(quiet=True) as progress:
        progress.on_start(plan(tmp_path))
        progress.on_fit_done(fit(resumed=False))
        progress.on_download(1, 2)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("quiet", [True, False])
def test_an_interrupted_run_says_where_its_finished_fits_are(quiet: bool, tmp_path: Path) -> None:
    for path, after_a_fit, message in (
        (tmp_path, True, f"Finished fits are kept in {tmp_path}. Run the same command again to resume."),
        (tmp_path / "gone", False, "No fit had finished, so nothing was saved."),
        (tmp_path / "renamed", True, f"The run had finished: its folder is in {tmp_path}."),
    ):
        with pytest.raises(KeyboardInterrupt, match=re.escape(message)):
            interrupted(path, quiet=quiet, after_a_fit=after_a_fit)


def test_the_callbacks_are_arguments_of_kpipe_run() -> None:
    import inspect

    from kpipe import pipeline

    assert set(RunProgress().callbacks) <= set(inspect.signature(pipeline.run).parameters)

"""Where no person is: no bar, no colour, no question, and no submission that nobody has asked for."""

from __future__ import annotations

import io
import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from kpipe.cli import attendance, submit
from kpipe.cli.console import progress
from kpipe.cli.console.layout import get_console
from kpipe.training.task_runner import FitFinished
from tests.cli.calls import call

CALLERS = ["CI", *attendance.AGENT_VARIABLES]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def person_at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Somebody at a terminal that shows colours; what is printed to stderr."""
    terminal = Terminal()
    for name in ("stdin", "stdout"):
        monkeypatch.setattr(sys, name, Terminal())
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "xterm-256color")
    return terminal


def test_at_a_terminal_there_are_colours_and_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    printed = person_at_a_terminal(monkeypatch)
    assert attendance.non_interactive_reason() == ""
    get_console(stderr=True).print("bold", style="bold red")
    assert "\x1b[" in printed.getvalue()
    with progress.show_progress(quiet=False) as shown:
        assert isinstance(shown, progress._Bar)


@pytest.mark.parametrize("name", CALLERS)
def test_a_caller_gets_plain_lines_and_is_not_asked(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    printed = person_at_a_terminal(monkeypatch)
    monkeypatch.setenv(name, "1")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert name in attendance.non_interactive_reason()
    get_console(stderr=True).print("bold", style="bold red")
    assert printed.getvalue() == "bold\n"
    with progress.show_progress(quiet=False) as shown:
        assert type(shown) is progress._Lines


@pytest.mark.parametrize("value", ["", "0", "false", "False"])
def test_a_variable_with_a_false_value_indicates_no_calling_program(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    person_at_a_terminal(monkeypatch)
    monkeypatch.setenv("CI", value)
    assert attendance.non_interactive_reason() == ""


def test_no_color_keeps_the_bar_and_drops_the_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    printed = person_at_a_terminal(monkeypatch)
    monkeypatch.setenv("NO_COLOR", "1")
    get_console(stderr=True).print("red", style="red")
    assert "\x1b[31" not in printed.getvalue()
    assert attendance.non_interactive_reason() == ""
    with progress.show_progress(quiet=False) as shown:
        assert isinstance(shown, progress._Bar)


def test_in_a_pipe_there_is_no_bar_even_with_forced_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("FORCE_COLOR", "1")
    with progress.show_progress(quiet=False) as shown:
        assert type(shown) is progress._Lines


def test_a_submission_that_nobody_confirms_is_refused_before_training(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("kpipe.kaggle.client.connect", lambda: None)
    assert call("run", "titanic", "--submit", "--json", "--out", tmp_path / "out") == 1
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "needs-confirmation"
    assert "add --yes" in error["message"]
    assert not (tmp_path / "out").exists()


def test_yes_confirms_a_submission_and_so_does_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    submit.check_confirmed(SimpleNamespace(yes=True))  # type: ignore[arg-type]
    monkeypatch.setattr(attendance, "non_interactive_reason", lambda: "")
    submit.check_confirmed(SimpleNamespace(yes=False))  # type: ignore[arg-type]


def lines_of(fits: int, capsys: pytest.CaptureFixture[str], *, is_known: bool = True) -> list[str]:
    total = fits if is_known else None
    with progress.show_progress(quiet=False) as shown:
        for done in range(1, fits + 1):
            shown.on_fit_done(
                FitFinished(model="linear", fold=0, seed=0, seconds=0.1, done=done, total=total, resumed=False)
            )
    return [line.split("]")[0] + "]" for line in capsys.readouterr().err.splitlines()]


def test_many_fits_are_a_line_in_ten_seconds_and_few_are_a_line_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lines_of(5, capsys) == [f"[{done}/5]" for done in range(1, 6)]
    clock = iter(range(10_000))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    shown = lines_of(100, capsys)
    assert (shown[0], shown[-1]) == ("[1/100]", "[100/100]")
    assert 10 <= len(shown) <= 30
    without_a_total = lines_of(100, capsys, is_known=False)  # under a budget
    assert without_a_total[:3] == ["[fit 1]", "[fit 2]", "[fit 3]"]
    assert len(without_a_total) < 60

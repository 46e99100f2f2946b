from __future__ import annotations

import io
import re
from collections.abc import Sequence

import pytest
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kpipe.cli.console.layout import get_console, print_table, print_text

WIDTHS = [20, 40, 80, 140]

HEADINGS = ("run", "score ± standard error", "models", "why it is so")
ROWS = (
    ("20261121T092754Z-f40eed", "0.8333 ± 0.0216", "linear, gaussian-process, woman-child-group", "the columns agree"),
    ("20261121T101502Z-1c9ab2", "1,234,567 ± 12", "日本語のモデル", "[red]no markup[/red] " * 9),
    ("x", "", "", "a/path/without/any/blank/" * 4),
)


def printed(width: int, headings: Sequence[str] = HEADINGS, rows: Sequence[Sequence[str]] = ROWS) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    table = Table(box=box.SIMPLE_HEAD, title="titanic: accuracy")
    for heading in headings:
        table.add_column(heading, no_wrap=heading == "run", justify="right" if heading.startswith("score") else "left")
    for row in rows:
        table.add_row(*map(Text, row))
    print_table(console, table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def letters(text: str) -> str:
    return "".join(sorted(text.replace("─", "").replace(" ", "").replace("\n", "")))


@pytest.mark.parametrize("width", WIDTHS)
def test_a_table_shows_every_character_and_is_no_wider_than_the_terminal(width: int) -> None:
    shown = printed(width)
    assert all(cell_len(line) <= width for line in shown.splitlines())
    assert "…" not in shown
    for row in ROWS:
        for cell in row:
            assert all(shown.count(letter) >= cell.count(letter) for letter in cell if letter != " ")
    if width >= 80:
        body = "".join(cell for row in ROWS for cell in row)
        assert letters(shown) == letters("titanic: accuracy" + "".join(HEADINGS) + body)


@pytest.mark.parametrize("width", [40, 80, 140])
def test_names_to_copy_and_numbers_are_never_wrapped(width: int) -> None:
    shown = printed(width)
    for row in ROWS:
        assert row[0] in shown
        assert row[1] in shown


def test_a_line_of_a_table_ends_without_blanks_in_a_file_or_pipe() -> None:
    assert all(line == line.rstrip() for line in printed(120).splitlines())


def test_at_80_columns_a_long_word_is_broken_after_a_sign_and_no_other_word_is() -> None:
    why = "a longer explanation of why competitions/titanic/sample_submission-of-the-day.csv is read " * 2
    lines = printed(80, ("run", "models", "why"), [("x" * 30, "gaussian-process", why)]).splitlines()
    words = set(f"{why} gaussian-process run models why titanic: accuracy".split())
    for word in (word for line in lines for word in line.split() if word[0] not in "─x"):
        assert word in words or word[-1] in "/_-." or any(known.endswith(word) for known in words)
    assert any(line.rstrip().endswith(("/", "-", "_")) for line in lines)


@pytest.mark.parametrize("terminal", [True, False])
def test_a_text_is_broken_between_words_on_a_terminal_only_and_a_path_never(terminal: bool) -> None:
    console = Console(file=io.StringIO(), width=30, highlight=False, force_terminal=terminal)
    text = "The run is in " + "submissions/titanic/" * 3 + " and another word or two follow it there"
    print_text(console, Text(text, style="bold"))
    assert isinstance(console.file, io.StringIO)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", console.file.getvalue()).splitlines()
    assert " ".join(lines) == text
    assert len(lines) == (4 if terminal else 1)


def test_a_table_that_does_not_fit_becomes_a_list_for_each_row() -> None:
    lines = printed(40, ("run", "score"), [("a" * 30, "0.8 ± 0.1"), ("b", "0.9 ± 0.1")]).splitlines()
    assert lines == [
        "titanic: accuracy",
        "",
        "run    " + "a" * 30,
        "score  0.8 ± 0.1",
        "",
        "run    b",
        "score  0.9 ± 0.1",
        "",
    ]


def test_an_unknown_width_of_the_terminal_hides_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Containers and CI may set COLUMNS=0."""
    monkeypatch.setenv("COLUMNS", "0")
    get_console().print("shown")
    assert capsys.readouterr().out == "shown\n"

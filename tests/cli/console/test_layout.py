"""What is shown fits the terminal, all of it: at 40, 80 and 140 columns, with and without a terminal."""

from __future__ import annotations

import argparse
import io
import shlex
import sys
from collections.abc import Sequence

import pytest
from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kpipe.cli.console.layout import print_table
from kpipe.cli.help import EXAMPLES
from kpipe.cli.main import COMMANDS, _parser, main

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
def test_a_table_loses_no_character_and_is_no_wider_than_the_terminal(width: int) -> None:
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
def test_what_is_copied_and_numbers_stay_whole(width: int) -> None:
    shown = printed(width)
    for row in ROWS:
        assert row[0] in shown
        assert row[1] in shown


def test_where_a_table_does_not_fit_each_row_becomes_a_list() -> None:
    lines = [line.rstrip() for line in printed(40, ("run", "score"), [("a" * 30, "0.8 ± 0.1")]).splitlines()]
    assert lines == ["titanic: accuracy", "", "run    " + "a" * 30, "score  0.8 ± 0.1", ""]


def call(*args: str) -> None:
    with pytest.raises(SystemExit):
        main(list(args))


@pytest.mark.parametrize("width", [40, 80, 140])
@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_fits_the_terminal_and_ends_with_examples(
    command: str, width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    call(*command.split(), "--help")
    text, _, examples = capsys.readouterr().out.partition("\nexamples:\n")
    _, _, below = text.partition("\n\n")  # argparse breaks its line of usage between options only
    assert all(len(line) <= width for line in below.splitlines())
    for typed, _ in EXAMPLES[command]:
        assert f"  {typed}" in examples  # never broken: it is there to be copied


@pytest.mark.parametrize(
    "typed", [typed for given in EXAMPLES.values() for typed, _ in given if typed.startswith("kpipe")]
)
def test_every_example_is_a_call_that_kpipe_understands(typed: str) -> None:
    options = _parser().parse_args(shlex.split(typed.split(" | ")[0])[1:])
    assert isinstance(options, argparse.Namespace)


def test_a_message_stays_whole_in_a_file(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    call("run", "titanik")
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are Unix's")
@pytest.mark.parametrize("width", [40, 140])
def test_a_message_breaks_between_words_on_a_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pexpect = pytest.importorskip("pexpect")
    monkeypatch.delenv("COLUMNS")
    child = pexpect.spawn(
        sys.executable, ["-m", "kpipe", "run", "Titanic"], encoding="utf-8", dimensions=(24, width), timeout=60
    )
    child.expect(pexpect.EOF)
    lines = child.before.splitlines()
    assert all(len(line) <= width for line in lines)
    assert " ".join(lines).startswith(
        "Error: 'Titanic' cannot be a competition: Kaggle's slugs are lower-case letters,"
    )
    child.close()
    assert child.exitstatus == 2

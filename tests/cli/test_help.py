from __future__ import annotations

import argparse
import shlex
from importlib import import_module

import pytest

from kpipe.cli import main
from kpipe.cli.main import COMMANDS, get_parser
from tests.cli.calls import call

EXAMPLES = {"": main.EXAMPLES, **{name: import_module(f"kpipe.cli.{name}").COMMAND.examples for name in COMMANDS}}
CALLS = [typed for examples in EXAMPLES.values() for typed, _ in examples if typed.startswith("kpipe")]


@pytest.mark.parametrize("width", [40, 80, 140])
@pytest.mark.parametrize("command", EXAMPLES)
def test_help_fits_the_terminal_and_ends_with_examples_that_are_never_wrapped(
    command: str, width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    assert call(*command.split(), "--help") == 0
    text, _, examples = capsys.readouterr().out.partition("\nexamples:\n")
    _, *below = text.splitlines()  # the usage is one line, however long
    assert all(len(line) <= width for line in below)
    for typed, _ in EXAMPLES[command]:
        assert f"  {typed}" in examples


@pytest.mark.parametrize("typed", CALLS)
def test_every_example_is_a_valid_call(typed: str) -> None:
    options = get_parser().parse_args(shlex.split(typed.split(" | ")[0])[1:])
    assert isinstance(options, argparse.Namespace)

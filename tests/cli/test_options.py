"""An option of a run is a field of ``RunRequest`` and a line in ``kpipe.cli.options``: nothing else lists them."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from kpipe.cli.main import COMMANDS, get_parser
from kpipe.cli.options import DATA_OPTIONS, REQUEST_OPTIONS, duration, given_options, integer, request_from
from kpipe.core.request import RunRequest

FIELDS = {field.name for field in fields(RunRequest)} - {"slug", "out"}
VALUES: dict[str, Any] = {
    "data": "some folder/titanic.zip",
    "train": "cs-training.csv",
    "test": "cs-test.csv",
    "sample": "sampleEntry.csv",
    "extra": ("training_extra.csv", "old.csv"),
    "weights": "some folder/resnet18.safetensors",
    "models": ("linear", "boosting"),
    "budget": 90.0,
    "folds": 3,
    "size": 96,
    "seeds": (3, 4),
    "metric": "log_loss",
    "target": ("Survived", "Age"),
    "id": "PassengerId",
    "text": ("Name", "Ticket"),
    "split": "rows",
    "drop": ("Cabin",),
    "device": "cpu",
    "jobs": 2,
    "name": "lr-with-titles",
    "note": "titles out of names, as in the forum",
    "all_rows": True,
    "fresh": True,
    "keep_models": True,
}


def parse(*words: str) -> argparse.Namespace:
    return get_parser([words[0]]).parse_args(words)


def test_every_field_of_a_request_is_an_option_and_every_option_a_field() -> None:
    assert set(REQUEST_OPTIONS) == FIELDS


def test_kpipe_run_has_an_option_for_every_field_of_a_request() -> None:
    assert FIELDS | {"slug", "out"} <= set(vars(parse("run", "titanic")))


@pytest.mark.parametrize("name", sorted(FIELDS))
def test_the_command_of_a_request_makes_the_same_request(name: str) -> None:
    request = RunRequest("titanic", **{name: VALUES[name]})
    assert request_from(parse(*shlex.split(request.command())[1:])) == request


def test_the_command_of_a_request_with_every_field_makes_the_same_request() -> None:
    request = RunRequest("titanic", **VALUES)
    assert request_from(parse(*shlex.split(request.command())[1:])) == request


@pytest.mark.parametrize(
    "options", [{"budget": 1234567.5}, {"budget": 1e7}, {"budget": 1e-5}, {"budget": 100.125}, {"drop": ["-x", "--y"]}]
)
def test_the_command_of_a_request_keeps_every_digit_and_leading_hyphens(options: dict[str, Any]) -> None:
    request = RunRequest("titanic", **options)
    assert request_from(parse(*shlex.split(request.command())[1:])) == request


def test_without_options_a_request_has_its_defaults() -> None:
    options = parse("run", "titanic")
    assert given_options(options) == {}
    assert request_from(options) == RunRequest("titanic")


def test_out_is_part_of_the_request() -> None:
    assert request_from(parse("run", "titanic", "--out", "elsewhere")).out == Path("elsewhere")


@pytest.mark.parametrize("command", ["show", "new"])
def test_show_and_new_take_the_options_that_describe_a_competition(command: str) -> None:
    taken = set(REQUEST_OPTIONS) & set(vars(parse(command, "titanic")))
    assert taken == set(DATA_OPTIONS)


def test_check_takes_every_option_of_a_run_that_does_not_concern_several_fits() -> None:
    taken = set(REQUEST_OPTIONS) & set(vars(parse("check", "titanic")))
    assert taken == set(REQUEST_OPTIONS) - {"budget", "seeds"}


def test_a_flag_means_the_same_in_every_command_that_has_it() -> None:
    parser = get_parser()
    commands = next(action for action in parser._actions if isinstance(action, argparse._SubParsersAction)).choices
    flags = {flag: name for name, (flag, _) in REQUEST_OPTIONS.items()} | {"--out": "out"}
    other = {
        ("new", "--out"),
        ("runs", "--model"),
        ("study", "--out"),
        ("holdout", "--out"),
        ("holdout", "--seed"),
    }  # a folder of modules, a filter, folders of pages and of files, the seed of a draw
    for command in COMMANDS:
        for flag, action in commands[command]._option_string_actions.items():
            if flag in flags and (command, flag) not in other:
                assert action.dest == flags[flag], (command, flag)


@pytest.mark.parametrize(("text", "seconds"), [("90", 90.0), ("90s", 90.0), ("1.5m", 90.0), ("1H", 3600.0)])
def test_a_duration_has_a_unit_or_is_in_seconds(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "5min", "-1", "0", "inf", "nan", "m", "1e9999"])
def test_a_text_that_is_no_positive_duration_is_refused_naming_it(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"must be a duration such as 90s, 5m or 1h; got '"):
        duration(text)


@pytest.mark.parametrize("text", ["", "1", "-2", "2.0", "two", "²"])
def test_a_text_that_is_no_integer_of_at_least_the_minimum_is_refused_naming_it(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=rf"must be an integer of at least 2; got '{text}'"):
        integer(2)(text)

"""The command line as a whole: help, errors and exit statuses."""

from __future__ import annotations

import io
from importlib import import_module
from pathlib import Path

import pytest

import kpipe.cli
from kpipe.cli.main import COMMANDS, get_parser, main
from tests.cli.calls import call

SHARED = {
    "__init__",
    "attendance",
    "command",
    "head_start",
    "help",
    "interrupts",
    "json_output",
    "main",
    "messages",
    "notebook",
    "options",
    "wrong_slug",
}  # modules that are no command


def test_each_command_has_its_own_module_and_each_module_its_command() -> None:
    modules = {path.stem for path in Path(kpipe.cli.__file__).parent.glob("*.py")}
    assert modules - SHARED == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_description_of_a_command_is_one_or_more_sentences(name: str) -> None:
    description = import_module(f"kpipe.cli.{name}").COMMAND.description
    assert description[0].isupper()
    assert description.endswith(".")


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_every_command_has_help(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert call(*command, "--help") == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: kpipe")
    assert len(out.splitlines()) > 4


def test_the_usage_of_vault_shows_both_ways_to_call_it() -> None:
    assert get_parser(["vault"]).parse_args(["vault", "x"]).parser.format_usage() == (
        "usage: kpipe vault [OPTIONS] SLUG | open RUN\n"
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_the_usage_of_a_command_is_one_line(name: str) -> None:
    usage = get_parser([name]).parse_args([name, *REQUIRED.get(name, ())]).parser.format_usage()
    assert usage.count("\n") == 1
    assert usage.startswith(f"usage: kpipe {name} [OPTIONS]")


REQUIRED = {
    **dict.fromkeys(("show", "check", "new", "submissions", "submit", "report", "vault"), ("x",)),
    **dict.fromkeys(("reproduce", "restore"), ("x",)),
    "compare": ("x", "y"),
    "blend": ("x",),
    "kernel": ("build", "x"),
    "completion": ("bash",),
    "holdout": ("x", "--share", "20%"),
    "grade": ("x", "y", "--answers", "z"),
}


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["run", "../titanic"], "cannot be a competition"),
        (["run", "titanic", "--model", "liner"], "Did you mean linear?"),
        (["run", "titanic", "--metric", "acuracy"], "Did you mean accuracy?"),
        (["run", "titanic", "--device", "tpu"], "--device must be one of"),
        (["run", "titanic", "--target", "Survivd"], "lacks the target 'Survivd'"),
        (["run"], "Name a competition, as in kaggle.com/competitions/SLUG: kpipe run SLUG"),
        (["fly"], "unknown command 'fly'. See kpipe --help."),
        (["run", "titanic", "--model", "linear,forest"], "Repeat the option: --model linear --model forest."),
        (["run", "titanic", "titanic.zip"], "unknown arguments: titanic.zip. For the data: --data titanic.zip"),
        (
            ["run", "titanic", "--seed", "1", "2"],
            "unknown arguments: 2. For several values, repeat the option: --seed 2.",
        ),
        (["compare", "a", "b", "c"], "unknown arguments: c.\n"),
        (["rum", "titanic"], "unknown command 'rum'. Did you mean run?"),
        (["shwo", "titanic"], "unknown command 'shwo'. Did you mean show?"),
        (["run", "titanic", "--json", "--quiet"], "not allowed with"),
    ],
)
def test_a_wrong_call_exits_with_2_and_says_what_is_wrong(
    args: list[str], words: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call(*args) == 2
    captured = capsys.readouterr()
    assert words in captured.err
    assert "Traceback" not in captured.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (["--budget", "5min"], "argument --budget: must be a duration such as 90s, 5m or 1h; got '5min'"),
        (["--budget", "-5m"], "argument --budget: expected one argument"),
        (["--budget", "nan"], "argument --budget: must be a duration such as 90s, 5m or 1h; got 'nan'"),
        (["--folds", "1"], "argument --folds: must be an integer of at least 2; got '1'"),
        (["--jobs", "0"], "argument --jobs: must be an integer of at least 1; got '0'"),
        (["--seed", "1.5"], "argument --seed: must be an integer of at least 0; got '1.5'"),
        (["--models", "linear"], "unknown arguments: --models linear. Did you mean --model?"),
    ],
)
def test_the_error_of_an_option_is_a_line_of_usage_and_a_line_that_names_the_option(
    args: list[str], error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("run", "titanic", *args) == 2
    assert capsys.readouterr().err == f"usage: kpipe run [OPTIONS] [SLUG]\nkpipe run: error: {error}\n"


def test_without_a_command_the_help_is_printed_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    assert call() == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "kpipe run titanic" in captured.err


def test_a_character_that_the_outputs_encoding_lacks_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, encoding="cp1252", write_through=True))
    with pytest.raises(SystemExit):
        main(["list"])
    print("R2 \N{MINUS SIGN}0.0500, größe")
    assert written.getvalue().endswith("R2 -0.0500, größe\n".encode("cp1252"))


def test_an_error_says_how_to_look_up_what_it_means(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("run", "titanic", "--metric", "acuracy") == 2
    assert capsys.readouterr().err.splitlines()[-1] == "More about this: kpipe explain unknown-metric"

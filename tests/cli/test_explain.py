"""``kpipe explain``: every code and every check has a text, which the docs show too."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

import kpipe
from kpipe.checks import modules_of_checks
from kpipe.checks.refit import REFIT_CHECKS
from kpipe.cli.explanations import explain, explanations
from kpipe.cli.main import COMMANDS, get_parser
from kpipe.runs.recorded_checks import RENAMED
from tests.cli.calls import call

SOURCES = sorted(Path(kpipe.__file__).parent.rglob("*.py"))
CODES = [name for name, one in explanations().items() if one.kind == "error"]
CHECKS = [name for name, one in explanations().items() if one.kind == "check"]
DOCS = Path(__file__).resolve().parents[2] / "docs"
# Of checks that no module lists: the first is the trial of all fits, the second needs the submission's origin.
UNLISTED = {"fits succeed", "real data"}


def raised_codes() -> Iterator[str]:
    """Each code in kpipe's source: the argument ``code`` of a call, or the attribute ``code`` of a class."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                values = [word.value for word in node.keywords if word.arg == "code"]
            elif isinstance(node, ast.Assign) and any(getattr(one, "id", "") == "code" for one in node.targets):
                values = [node.value]
            else:
                continue
            yield from (value.value for value in values if isinstance(value, ast.Constant) and value.value)


def test_every_code_that_kpipe_raises_is_explained_and_every_explained_code_is_raised() -> None:
    assert set(raised_codes()) == set(CODES)


def test_a_code_is_small_words_joined_by_hyphens() -> None:
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in CODES)


def test_every_check_is_explained_and_every_explained_check_exists() -> None:
    listed = {
        check.name
        for module in modules_of_checks()
        for kind in ("TABLE_CHECKS", "PREDICTION_CHECKS")
        for check in getattr(module, kind, ())
    }
    assert listed | {check.name for check in REFIT_CHECKS} | UNLISTED == set(CHECKS)


@pytest.mark.parametrize("name", explanations())
def test_an_explanation_is_made_of_sentences_and_commands_that_exist(name: str) -> None:
    one = explanations()[name]
    for text in (one.means, one.found, one.fix):
        assert text[0].isupper() or text.startswith(("kpipe", "clean", "`"))
        assert text.endswith((".", "?"))
    for command in re.findall(r"`kpipe ([a-z]+)", f"{one.found} {one.fix}"):
        assert command in COMMANDS
    for command in one.next:
        words = shlex.split(command.format(slug="x", run="y", data=" --data z", out=" --out o"))[1:]
        if words[-1] == "--help":
            assert words[0] in (*COMMANDS, "--help")
        else:
            get_parser().parse_args(words)


def test_explain_prints_the_meaning_an_example_and_the_fix(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("explain", "unknown-metric") == 0
    out = capsys.readouterr().out
    one = explanations()["unknown-metric"]
    assert out.startswith("unknown-metric (error)\n")
    assert all(text in out for text in (one.means, one.found, one.example, one.fix))


def test_a_check_is_found_by_its_words_its_old_name_and_without_blanks() -> None:
    assert [explain(name).name for name in ("target leakage", "Target-Leakage", "target hidden")] == 3 * [
        "target leakage"
    ]
    assert {explain(old).name for old in RENAMED} == set(RENAMED.values())


def test_an_unknown_name_lists_similar_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("explain", "unknown-metrik") == 2
    assert "unknown-metric" in capsys.readouterr().err
    assert call("explain", "leakage", "--json") == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "unknown-code"
    assert "target leakage" in error["message"]


def test_without_a_name_all_codes_and_checks_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("explain") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0] for line in lines] == [*CODES, *CHECKS]
    assert call("explain", "--json") == 0
    assert [one["name"] for one in json.loads(capsys.readouterr().out)] == [*CODES, *CHECKS]


@pytest.mark.parametrize(("page", "kind"), [("errors", "error"), ("checks", "check")])
def test_the_pages_of_the_docs_show_the_texts_of_explain(page: str, kind: str) -> None:
    spec = importlib.util.spec_from_file_location("conf", DOCS / "conf.py")
    assert spec is not None
    assert spec.loader is not None
    conf = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(conf)
    generated = "\n".join(getattr(conf, page)())
    assert f"```{{{page}}}\n" in (DOCS / "reference" / f"{page}.md").read_text(encoding="utf-8")
    for one in explanations().values():
        present = f"## {one.name}\n\n" + "\n\n".join(one.lines()) in generated
        assert present == (one.kind == kind), one.name

"""The JSON Schemas of ``--json``: one for each command, which its output follows, and which change by rule.

What other tests print with ``--json`` is validated too (``tests/conftest.py``). ``python -m tests.cli.test_schemas``
writes ``published_schemas.json`` again: after keys were added, or when a schema has got a new number.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kpipe.cli.main import COMMANDS
from tests.cli.calls import call
from tests.cli.test_json_output import options_of
from tests.schemas import FOLDER, named_types, schema, validate

NAMES = sorted(path.stem for path in FOLDER.glob("*.json"))
WITH_JSON = {name for name in COMMANDS if "--json" in options_of(name)}
PUBLISHED = Path(__file__).with_name("published_schemas.json")
PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "json.md"


def test_every_command_that_prints_json_has_a_schema_and_every_schema_its_command() -> None:
    assert set(NAMES) == WITH_JSON - {"blend"} | {"error"}


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_valid_has_a_number_and_is_linked_from_the_docs(name: str) -> None:
    from jsonschema import Draft202012Validator

    content = schema(name)
    Draft202012Validator.check_schema(content)
    assert content["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert content["$id"].rpartition(":")[0] == f"urn:kpipe:schema:{name}"
    assert f"../../kpipe/cli/schemas/{name}.json" in PAGE.read_text(encoding="utf-8")


def published() -> dict[str, dict[str, str]]:
    return {content["$id"]: dict(named_types(content)) for content in map(schema, NAMES)}


@pytest.mark.parametrize("name", NAMES)
def test_a_key_keeps_its_place_and_type_until_the_number_of_the_schema_grows(name: str) -> None:
    known: dict[str, Any] = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    number = schema(name)["$id"]
    assert number in known, f"{number} is new: python -m tests.cli.test_schemas"
    assert known[number].items() <= published()[number].items()


def test_the_schema_of_run_json_has_the_number_that_run_json_has() -> None:
    content = schema("run")
    assert content["$id"] == f"urn:kpipe:schema:run:{content['properties']['schema']['const']}"


def test_json_that_names_another_key_or_holds_nan_does_not_pass() -> None:
    from jsonschema import ValidationError

    validate("list", '[{"slug": "titanic", "path": "x"}]')
    for wrong in ('[{"slug": "titanic", "path": "x", "new": 1}]', '[{"slug": 1, "path": "x"}]', '[{"slug": "x"}]'):
        with pytest.raises(ValidationError):
            validate("list", wrong)
    with pytest.raises(AssertionError, match="NaN"):
        validate("list", "NaN")


def test_what_commands_print_about_two_runs_follows_the_schemas(tmp_path: Path) -> None:
    fast, out = ("--model", "linear", "--jobs", 1, "--json"), ("--out", tmp_path, "--json")
    assert call("run", "titanic", *fast, "--out", tmp_path) == 0
    assert call("run", "titanic", *fast, "--seed", 1, "--out", tmp_path) == 0
    ids = sorted(path.name for path in (tmp_path / "titanic").glob("2*"))
    assert call("runs", *out) == 0
    assert call("compare", *ids, *out) == 0
    assert call("report", *out) == 0
    assert call("report", ids[0], "--no-importance", *out) == 0
    assert call("blend", *ids, *out) == 2  # the folds differ
    assert call("doctor", "--json") in (0, 1)


@pytest.mark.slow
def test_what_slower_commands_print_follows_the_schemas(tmp_path: Path) -> None:
    fast, out = ("--model", "linear", "--jobs", 1, "--json"), ("--out", tmp_path)
    assert call("check", "titanic", *fast) in (0, 1)
    assert call("run", "titanic", *fast, *out) == 0
    (run,) = (tmp_path / "titanic").glob("2*")
    assert call("reproduce", run, *out, "--json") == 0
    assert call("study", "titanic-from-scratch", "--runs", 1, "--epochs", 1, *out, "--json") == 0


if __name__ == "__main__":
    PUBLISHED.write_text(json.dumps(published(), indent=1) + "\n", encoding="utf-8")

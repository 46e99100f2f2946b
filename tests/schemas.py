"""The JSON Schemas of what ``--json`` prints, as tests use them: every key must be one that the schema names."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import kpipe.cli

__all__ = ["FOLDER", "named_types", "schema", "validate", "validating"]

FOLDER = Path(kpipe.cli.__file__).parent / "schemas"
_SAME = {"blend": "run"}  # commands that print what another one prints


def schema(name: str) -> dict[str, Any]:
    """The content of a schema's file."""
    return dict(json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")))


def validate(command: str, document: str) -> None:
    """Raise an error unless a document is what a command prints with ``--json``, or the error of any command."""
    value = json.loads(document, parse_constant=_refuse)
    is_error = isinstance(value, dict) and set(value) == {"error"}
    _validator("error" if is_error else _SAME.get(command, command)).validate(value)


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


@cache
def _validator(name: str) -> Any:
    from jsonschema import Draft202012Validator  # late: most tests print no JSON

    return Draft202012Validator(_strict(schema(name)))


def _strict(part: Any) -> Any:
    """A schema that allows only the keys that it names; users' schemas allow further ones, which later kpipes add."""
    if isinstance(part, list):
        return [_strict(one) for one in part]
    if not isinstance(part, dict):
        return part
    closed = {"additionalProperties": False} if isinstance(part.get("properties"), dict) else {}
    return {**closed, **{name: _strict(inner) for name, inner in part.items()}}


def validating(execute: Callable[[Any], int]) -> Callable[[Any], int]:
    """A function that runs a command with ``--json``, as ``execute`` does, and validates what it prints."""

    def validated(options: Any) -> int:
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                return execute(options)
        finally:
            print(printed.getvalue(), end="")
            validate(options.command, printed.getvalue())

    return validated


def named_types(part: dict[str, Any], place: str = "") -> Iterator[tuple[str, str]]:
    """Each place in a schema with its type, such as ("models[].score", "number|null")."""
    types = part.get("type", sorted(set(part) & {"anyOf", "enum", "const"}) or "anything")
    yield place or ".", types if isinstance(types, str) else "|".join(types)
    for name, inner in part.get("properties", {}).items():
        yield from named_types(inner, f"{place}.{name}".lstrip("."))
    for key, mark in (("items", "[]"), ("additionalProperties", "{}")):
        if isinstance(part.get(key), dict):
            yield from named_types(part[key], place + mark)
    for number, inner in enumerate(part.get("anyOf", ())):
        yield from named_types(inner, f"{place}|{number}")

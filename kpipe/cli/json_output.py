"""JSON for programs that call ``kpipe ... --json``: results and errors. Their schemas are in ``kpipe/cli/schemas``."""

from __future__ import annotations

import json
import math
import shlex
import string
from typing import Any

from kpipe.errors import KpipeError, printable

__all__ = ["error_document", "print_json"]


def print_json(value: Any) -> None:
    """Print a value to stdout as JSON. NaN and infinity, which JSON does not have, become null.

    Parameters
    ----------
    value : object
        Of JSON types.

    Examples
    --------
    >>> print_json([0.5, float("nan")])
    [
      0.5,
      null
    ]
    """
    print(json.dumps(_finite(value), indent=2))


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def error_document(error: BaseException, options: dict[str, Any] | None = None) -> str:
    """An error as a JSON document.

    Parameters
    ----------
    error : BaseException
        An error of kpipe, an interrupt, or any other exception.
    options : dict, optional
        The parsed command line, whose values replace the placeholders in the commands under "next".

    Returns
    -------
    str
        ``{"error": {"code", "message", "where", "fix", "next"}}``.

    Examples
    --------
    >>> print(error_document(KpipeError("No.", code="unknown-run", file="x"), {"out": "runs"}))
    {
      "error": {
        "code": "unknown-run",
        "message": "No.",
        "where": {
          "file": "x",
          "column": null,
          "row": null,
          "line": null
        },
        "fix": "Use an id from `kpipe runs`, or pass the runs folder with --out DIR.",
        "next": [
          "kpipe runs --out runs",
          "kpipe explain unknown-run"
        ]
      }
    }
    """
    from kpipe.cli.explanations import explanations

    known = error if isinstance(error, KpipeError) else _to_kpipe_error(error)
    text = explanations().get(known.code)
    commands = [*known.next, *(_fill_in(command, options or {}) for command in (text.next if text else ()))]
    commands += [f"kpipe explain {known.code}"] if text else []
    where = {name: printable(value) if isinstance(value, str) else value for name, value in known.where.items()}
    fields = {"code": known.code, "message": str(known), "where": where, "fix": text.fix if text else ""}
    return json.dumps({"error": {**fields, "next": list(filter(None, commands))}}, indent=2)


def _to_kpipe_error(error: BaseException) -> KpipeError:
    if isinstance(error, KeyboardInterrupt):
        return KpipeError(" ".join(("Interrupted.", *map(str, error.args))), code="interrupted")
    return KpipeError(f"{type(error).__name__}: {error}", code="internal-error")


def _fill_in(command: str, options: dict[str, Any]) -> str:
    """A command with the competition, run and paths of the call; empty if the call lacks a value that it needs."""
    out, slug = options.get("out"), options.get("slug")
    if options.get("command") == "vault" and slug == "open":
        slug = None
    values = {
        "slug": slug,
        "run": options.get("run") or options.get("what"),
        "data": f" --data {shlex.quote(str(options['data']))}" if options.get("data") else "",
        "out": "" if out is None or str(out) == "submissions" else f" --out {shlex.quote(str(out))}",
    }
    needed = [name for _, name, _, _ in string.Formatter().parse(command) if name]
    if any(values[name] is None for name in needed):
        return ""
    quoted = {name: shlex.quote(str(values[name])) for name in ("slug", "run") if values[name] is not None}
    return printable(command.format(**{**values, **quoted}))

"""What a shell is given when TAB is pressed: competitions, models, runs, studies. Light: a key waits for it."""

from __future__ import annotations

import argparse
import ast
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

__all__ = ["complete"]

_DEVICES = ("auto", "cpu", "cuda", "mps")


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer the shell, which has set ``_ARGCOMPLETE`` and the line so far, and leave."""
    import argcomplete
    from argcomplete.completers import FilesCompleter

    files = FilesCompleter()
    for action in _actions(parser):
        found = [_BY_WORD[word] for word in _words(action) if word in _BY_WORD]
        if action.choices is None:
            action.completer = _either(found, files if _takes_files(action) else None)  # type: ignore[attr-defined]
    argcomplete.autocomplete(parser, always_complete_options="long", default_completer=files)


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
        else:
            yield action


def _words(action: argparse.Action) -> list[str]:
    """What an argument stands for: of RUN|SLUG each, and its own name."""
    shown = action.metavar if isinstance(action.metavar, str) else ""
    return [*shown.split("|"), action.dest]


def _takes_files(action: argparse.Action) -> bool:
    return any(word in ("PATH", "DIR", "FILE", "CSV") for word in _words(action))


_Completer = Callable[..., Iterable[str]]


def _either(several: list[_Completer], files: _Completer | None) -> _Completer:
    """What any of them knows; where none knows anything, files."""

    def completer(prefix: str = "", **told: object) -> list[str]:
        known = [name for one in several for name in one(**told) if name.startswith(prefix)]
        return known or list(files(prefix, **told) if files is not None else ())

    return completer


def _slugs(**told: object) -> list[str]:
    from kpipe import competitions

    return competitions.slugs()


def _runs(*, parsed_args: argparse.Namespace, **told: object) -> list[str]:
    """The ids of finished runs, those of --out if it was given; the newest last."""
    out = Path(getattr(parsed_args, "out", None) or "submissions")
    return sorted(path.parent.name for path in out.glob("*/*/run.json"))


def _models(*, parsed_args: argparse.Namespace, **told: object) -> list[str]:
    """The catalogue's, and before them those of the competition's own module."""
    from kpipe.models import CATALOG

    return [*_own_models(str(getattr(parsed_args, "slug", None) or getattr(parsed_args, "what", ""))), *CATALOG]


def _own_models(slug: str) -> list[str]:
    """The names in ``Competition(models={...})`` of a module, which is read and not imported."""
    from kpipe import competitions

    folder = competitions.folder(slug)
    if folder is None:
        return []
    try:
        tree = ast.parse((folder / "competition.py").read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return []
    stated = [node.value for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == "models"]
    keys = [key for value in stated if isinstance(value, ast.Dict) for key in value.keys]
    return [key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]


def _studies(**told: object) -> list[str]:
    from kpipe.studies import STUDIES

    return list(STUDIES)


_BY_WORD: dict[str, _Completer] = {
    "SLUG": _slugs,
    "RUN": _runs,
    "models": _models,
    "name": _studies,  # of kpipe study
    "device": lambda **told: _DEVICES,
}

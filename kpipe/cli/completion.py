"""``kpipe completion``, and what a shell completes: competitions, models, runs and studies.

A key press waits for the answer, so nothing but Python, kpipe and argcomplete is imported.
"""

from __future__ import annotations

import argparse
import ast
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from kpipe.cli.command import Command

__all__ = ["COMMAND", "complete"]

_SHELLS = ("bash", "zsh", "fish")

_Completer = Callable[..., Iterable[str]]


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=_SHELLS, help="the shell")


def _execute(options: argparse.Namespace) -> int:
    """Print the completion script of a shell."""
    from argcomplete.shell_integration import shellcode

    print(shellcode(["kpipe"], shell=options.shell), end="")
    return 0


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer a shell that asks for completions, and exit.

    The shell has set ``_ARGCOMPLETE`` and the line typed so far in the environment.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        The parser of the command line, with the options of all commands.
    """
    import argcomplete
    from argcomplete.completers import FilesCompleter

    files = FilesCompleter()
    for action in _actions(parser):
        completers = [_COMPLETERS[word] for word in _words(action) if word in _COMPLETERS]
        if action.choices is None:
            completer = _first_of(completers, files if _takes_files(action) else None)
            action.completer = completer  # type: ignore[attr-defined]
    argcomplete.autocomplete(parser, always_complete_options="long", default_completer=files)


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
        else:
            yield action


def _words(action: argparse.Action) -> list[str]:
    """The kinds of value that an argument takes (RUN and SLUG of RUN|SLUG), and its own name."""
    shown = action.metavar if isinstance(action.metavar, str) else ""
    return [*shown.split("|"), action.dest]


def _takes_files(action: argparse.Action) -> bool:
    return any(word in ("PATH", "DIR", "FILE", "CSV") for word in _words(action))


def _first_of(completers: list[_Completer], files: _Completer | None) -> _Completer:
    """A completer that offers the names of all completers or, if there are none, files."""

    def completer(prefix: str = "", **context: object) -> list[str]:
        names = [name for one in completers for name in one(**context) if name.startswith(prefix)]
        return names or list(files(prefix, **context) if files is not None else ())

    return completer


def _slugs(**context: object) -> list[str]:
    from kpipe import competitions

    return competitions.slugs()


def _runs(*, parsed_args: argparse.Namespace, **context: object) -> list[str]:
    """The ids of the finished runs in ``--out``, the newest last, and the words that stand for one."""
    from kpipe.core.run_names import BEST, LAST
    from kpipe.runs.find import run_folders

    ids = sorted(folder.name for folder in run_folders(Path(getattr(parsed_args, "out", None) or "submissions")))
    return [*ids, LAST, BEST] if ids else []


def _models(*, parsed_args: argparse.Namespace, **context: object) -> list[str]:
    """The models of the competition's module, then those of the catalogue."""
    from kpipe.models import CATALOG

    slug = getattr(parsed_args, "slug", None) or getattr(parsed_args, "what", "")
    return [*_own_models(str(slug)), *CATALOG]


def _own_models(slug: str) -> list[str]:
    """The names in ``Competition(models={...})`` of a module, which is parsed and not imported."""
    from kpipe import competitions

    folder = competitions.folder(slug)
    if folder is None:
        return []
    try:
        tree = ast.parse((folder / "competition.py").read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return []
    values = [node.value for node in ast.walk(tree) if isinstance(node, ast.keyword) and node.arg == "models"]
    keys = [key for value in values if isinstance(value, ast.Dict) for key in value.keys]
    return [key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]


def _devices(**context: object) -> Sequence[str]:
    from kpipe.core.devices import DEVICES

    return DEVICES


def _studies(**context: object) -> list[str]:
    from kpipe.studies import STUDIES

    return list(STUDIES)


_COMPLETERS: dict[str, _Completer] = {
    "SLUG": _slugs,
    "RUN": _runs,
    "models": _models,
    "STUDY": _studies,
    "device": _devices,
}


COMMAND = Command(
    description=(
        "Print a script that adds shell completion of kpipe's commands and options, and of the names of competitions, "
        "models and runs."
    ),
    examples=(
        ('eval "$(kpipe completion bash)"', "in ~/.bashrc"),
        ('eval "$(kpipe completion zsh)"', "in ~/.zshrc, after compinit"),
        ("kpipe completion fish | source", "in ~/.config/fish/config.fish"),
    ),
    add_options=_add_options,
    execute=_execute,
    is_listing=True,
)

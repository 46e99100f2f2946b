"""Start worker processes of ``kpipe run`` early, so that they import libraries while this process does.

Only the standard library is imported here.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from kpipe.core.devices import available_cores, is_accelerator_possible
from kpipe.core.process_times import process_age
from kpipe.training.fork_server import start_fork_server

__all__ = ["seconds_since_start", "start_workers_early"]

_NETS = Path(__file__).parents[1] / "models" / "nets"
_MAIN = Path(__file__).parents[1] / "__main__.py"
_FACTORY = re.compile(r"^def ([a-z]\w*)\(\s*context: Context\b", re.MULTILINE)


def start_workers_early(options: argparse.Namespace) -> None:
    """Start the process from which workers are forked, if the run is likely to need workers.

    Parameters
    ----------
    options : Namespace
        Of ``kpipe run``.
    """
    if not _is_own_process():
        return
    jobs = options.jobs or available_cores()
    in_this_process = jobs < 2 and options.budget is None
    elsewhere = options.cluster or (options.device or "auto") not in ("auto", "cpu") or is_accelerator_possible()
    if in_this_process or elsewhere or options.resume or options.slug is None or _will_reuse_fits(options):
        return
    libraries = ["lightgbm", *(["torch", "kpipe.models.nets.loop"] if _needs_torch(options) else [])]
    start_fork_server(libraries, threads=max(available_cores() // max(jobs, 2), 1))


def seconds_since_start() -> float:
    """Return the seconds since the command was started: by its user, or by another program that calls it just now."""
    return process_age() if _is_own_process() else 0.0


def _is_own_process() -> bool:
    return Path(sys.argv[0]).name == "kpipe" or Path(sys.argv[0]) == _MAIN


def _will_reuse_fits(options: argparse.Namespace) -> bool:
    """Whether the last run of the competition was made by the same command, so that most likely nothing is trained."""
    if options.fresh:
        return False
    with contextlib.suppress(OSError, ValueError, AttributeError, TypeError, RecursionError):
        last = max((options.out / options.slug).glob("2*/run.json"))
        before = json.loads(last.read_text(encoding="utf-8")).get("command")
        return _without_labels(before) == _without_labels(["kpipe", *sys.argv[1:]])
    return False


def _without_labels(command: Sequence[str]) -> list[str]:
    """A command without the name and the note of its run.

    >>> _without_labels(["kpipe", "run", "--name", "first", "titanic", "--note=a test"])
    ['kpipe', 'run', 'titanic']
    """
    return re.sub(r"\0--(name|note)(=|\0)[^\0]*", "", "\0".join(command)).split("\0")


def _needs_torch(options: argparse.Namespace) -> bool:
    """Whether nets are among the models, as far as their names show; they are among the models of any competition."""
    from kpipe import competitions

    nets = {
        name.replace("_", "-")
        for file in _NETS.glob("*.py")
        for name in _FACTORY.findall(file.read_text(encoding="utf-8"))
    }
    if options.models:
        return bool(nets & {*options.models})
    folder = competitions.folder(options.slug)
    with contextlib.suppress(OSError, ValueError):
        module = (folder / "competition.py").read_text(encoding="utf-8") if folder is not None else ""
        return folder is None or any(f'"{name}"' in module for name in nets)
    return False

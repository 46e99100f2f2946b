"""The code of a competition that is stored with a run: its module, and the modules that it imports from elsewhere.

A run is written with ``code/competitions/SLUG/`` and ``code/modules/`` in its folder, so that a good run can be
repeated, compared and restored after the module has changed. Installed packages are not kept: ``run.json`` has their
versions.
"""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import importlib
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from joblib.externals.loky import get_reusable_executor

from kpipe import competitions
from kpipe.errors import UsageError
from kpipe.runs.code_hashes import code_files, code_hashes, imported_modules
from kpipe.runs.files import write_file
from kpipe.runs.run import Run
from kpipe.runs.signatures import is_own, sign

__all__ = ["CODE", "code_changes", "is_own_code", "keep_code", "kept_files", "restore_code", "using_kept_code"]

_LOG = logging.getLogger("kpipe")

CODE = "code"  # the folder in that of a run
_COMPETITIONS, _MODULES = "competitions", "modules"
_MAXIMUM = 20 << 20  # bytes of all files: a module's folder that holds data is not copied into each run
_LONGEST_TEXT = 1 << 20  # bytes of a file that is compared line by line


def keep_code(folder: Path, slug: str) -> None:
    """Copy a competition's module, and the modules that it imports, into the folder of a run.

    Parameters
    ----------
    folder : Path
        Of the run.
    slug : str
        The competition. Without a module, nothing is kept.

    Raises
    ------
    OutputError
        If the files cannot be written.
    """
    found = _files_of(slug)
    size = sum(file.stat().st_size for file in found.values())
    if size > _MAXIMUM:
        _LOG.warning(
            "The run does not store its code, which has %d MiB (at most %d): move files other than code out of %s.",
            size >> 20,
            _MAXIMUM >> 20,
            competitions.folder(slug),
        )
    if not found or size > _MAXIMUM:
        return
    for name, file in found.items():
        write_file(folder / CODE / name, file.read_bytes())
    sign(folder / CODE, [folder / CODE / name for name in found])


def _files_of(slug: str) -> dict[str, Path]:
    """The path in ``code/`` to the file of all code that a competition consists of."""
    home = competitions.folder(slug)
    if home is None:
        return {}
    found = {f"{_COMPETITIONS}/{slug}/{name}": file for name, file in code_files(home, "*").items()}
    for place, name in imported_modules(slug).items():
        is_competition = name.startswith(f"{competitions.__name__}.")
        below = f"{_COMPETITIONS if is_competition else _MODULES}/{place.name}"
        found |= {f"{below}/{inner}".removesuffix("/."): file for inner, file in code_files(place, "*.py").items()}
    return found


def kept_files(run: Run) -> dict[str, Path]:
    """The code files that are stored with a run.

    Parameters
    ----------
    run : Run

    Returns
    -------
    dict of str to Path
        The path from a workspace, such as "competitions/titanic/competition.py" or "modules/own.py", to the file.
        Empty if the run has kept none.
    """
    home = run.path / CODE
    files = (file for part in (_COMPETITIONS, _MODULES) for file in sorted((home / part).rglob("*")))
    named = {file.relative_to(home): file for file in files if file.is_file() and not file.is_symlink()}
    return {name.as_posix(): file for name, file in named.items() if not any(map(_is_not_kept, name.parts))}


def _is_not_kept(part: str) -> bool:
    """Whether nothing of such a name is kept, so that Python or somebody else has put it there."""
    return part == "__pycache__" or part.startswith(".")


def code_changes(a: Run, b: Run) -> list[str]:
    """The differences between the stored code of two runs, as a unified diff.

    Parameters
    ----------
    a, b : Run

    Returns
    -------
    list of str
        Lines without ends. Empty if the code is the same, or one of the runs has kept none.
    """
    before, after = kept_files(a), kept_files(b)
    if not before or not after:
        return []
    return [
        line
        for name in sorted({*before, *after})
        for line in difflib.unified_diff(
            _lines(before.get(name)), _lines(after.get(name)), f"a/{name}", f"b/{name}", lineterm=""
        )
    ]


def _lines(file: Path | None) -> list[str]:
    """The lines of a file; one line for a file that is no text, or so long that its diff would take minutes."""
    if file is None:
        return []
    content = file.read_bytes()
    if b"\0" in content or len(content) > _LONGEST_TEXT:
        return [f"({len(content):,} bytes, SHA-256 {hashlib.sha256(content).hexdigest()[:12]})"]
    return content.decode("utf-8", errors="replace").splitlines()


@contextlib.contextmanager
def using_kept_code(run: Run) -> Iterator[tuple[str, ...]]:
    """Use the code stored with a run in a ``with`` block, if it differs from the current code.

    Only code that this user has written is used, since importing it runs it.

    Parameters
    ----------
    run : Run

    Yields
    ------
    tuple of str
        A sentence for the user; none if the current code is that of the run, or the run has kept none.
    """
    slug, files = str(run.record["slug"]), kept_files(run)
    if not files or _is_current(run.record.get("code"), slug):
        yield ()
        return
    if not is_own_code(run):
        yield (f"The code in {run.path / CODE} was not written by you on this machine: the current code is used.",)
        return
    with _search_first(run.path / CODE, slug):
        yield (f"The module has changed since: the code stored with {run.record['run_id']} is used.",)


def is_own_code(run: Run) -> bool:
    """Whether this user has written everything that could be imported from the code stored with a run.

    Parameters
    ----------
    run : Run

    Returns
    -------
    bool
    """
    code = run.path / CODE
    found = [path for part in (_COMPETITIONS, _MODULES) for path in (code / part).rglob("*")]
    if any(path.is_symlink() for path in (code / _COMPETITIONS, code / _MODULES, *found)):
        return False
    return all(is_own(code, path, path.read_bytes()) for path in found if path.is_file())


def _is_current(recorded: object, slug: str) -> bool:
    """Whether the competition's code is the recorded one. kpipe's own code is not kept."""
    current = {name: digest for name, digest in code_hashes(slug).items() if name != "kpipe"}
    recorded = recorded if isinstance(recorded, Mapping) else {}
    return current == {name: digest for name, digest in recorded.items() if name != "kpipe"}


@contextlib.contextmanager
def _search_first(code: Path, slug: str) -> Iterator[None]:
    """Search ``code`` first for competitions and modules, in this process and in the workers that it starts."""
    places = [str(code / _COMPETITIONS), str(code / _MODULES)]
    # Bytecode in the folder would not be signed, so that the code could not be used a second time.
    variables = {"KPIPE_COMPETITIONS": places[0], "PYTHONDONTWRITEBYTECODE": "1"}
    before = {name: os.environ.get(name) for name in variables}, sys.dont_write_bytecode
    _forget(code, slug)
    os.environ.update(variables)
    sys.dont_write_bytecode = True
    competitions.__path__.insert(0, places[0])
    sys.path.insert(0, places[1])
    try:
        yield
    finally:
        competitions.__path__.remove(places[0])
        sys.path.remove(places[1])
        values, sys.dont_write_bytecode = before
        for name, value in values.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        _forget(code, slug)


def _forget(code: Path, slug: str) -> None:
    """Let modules be imported again: those of the competitions, and those that are kept under the same name."""
    own = {f"{competitions.__name__}.{place.stem}" for place in (code / _COMPETITIONS).glob("*")}
    own |= {place.stem for place in (code / _MODULES).glob("*")} | {f"{competitions.__name__}.{slug}"}
    for name in list(sys.modules):
        if any(name == one or name.startswith(f"{one}.") for one in own):
            del sys.modules[name]
    importlib.invalidate_caches()
    get_reusable_executor().shutdown()  # joblib's workers have imported them, too


def restore_code(run: Run, target: Path, *, force: bool = False) -> list[Path]:
    """Restore the code stored with a run to a workspace.

    Parameters
    ----------
    run : Run
    target : Path
        The folder that gets ``competitions/SLUG/``, and beside it the modules that it imports.
    force : bool
        Replace files that differ.

    Returns
    -------
    list of Path
        The files that were written; those that were there already are not among them.

    Raises
    ------
    UsageError
        If the run has kept no code, or files that differ would be replaced.
    OutputError
        If a file cannot be written.
    """
    kept = {target / name.removeprefix(f"{_MODULES}/"): file for name, file in kept_files(run).items()}
    if not kept:
        raise UsageError(
            f"{run.record['run_id']} has no stored code: the competition had no module, its files had more than "
            f"{_MAXIMUM >> 20} MiB, or an earlier version of kpipe made the run.",
            code="no-kept-code",
        )
    differing = {path: file for path, file in kept.items() if not _is_equal(path, file)}
    replaced = [str(path) for path in differing if os.path.lexists(path)]
    if replaced and not force:
        raise UsageError(
            f"{', '.join(replaced)} would be replaced: copy or commit {'it' if len(replaced) == 1 else 'them'} first "
            "and add --force, or restore into another folder with --to.",
            code="would-replace",
            file=replaced[0],
        )
    for path, file in differing.items():
        write_file(path, file.read_bytes(), elsewhere="another folder with --to DIR")
    return list(differing)


def _is_equal(path: Path, file: Path) -> bool:
    return path.is_file() and path.read_bytes() == file.read_bytes()

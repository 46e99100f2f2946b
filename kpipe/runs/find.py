"""Find finished runs by folder, id or competition, and read their ``run.json`` without trusting it.

Every command that looks for finished runs looks here. A folder whose run was killed between writing ``run.json`` and
taking its final name is unfinished and is never found. Light to import: shell completion uses it.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from kpipe import competitions
from kpipe.core.run_names import BEST, LAST
from kpipe.core.wording import did_you_mean
from kpipe.errors import DataError, KpipeError, UsageError
from kpipe.runs.comparable import best_run
from kpipe.runs.files import sha256_of
from kpipe.runs.json_types import refuse_constant
from kpipe.runs.recorded_checks import current_check
from kpipe.runs.run import Run
from kpipe.runs.schema import check_record

__all__ = [
    "UNFINISHED",
    "competition_folder",
    "find_run",
    "find_runs",
    "find_submission",
    "finished_folders",
    "read_run",
    "run_folders",
    "run_of_file",
]

UNFINISHED = ".partial-"  # the beginning of a folder's name until its run is finished; the key follows
_MAX_NAMED = 3  # runs in a message
_SHORTEST_PART = 4  # characters of an id that a user must give at least
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,99}")
_LARGEST_RECORD = 16 << 20  # bytes
_SCHEMA = 1  # of the records that this version writes; it changes only if a key changes its meaning


def competition_folder(out: Path, slug: str) -> Path:
    """The folder of a competition's runs and of its ledger. No slug leads out of ``out``.

    Parameters
    ----------
    out : Path
        The folder that runs are written to.
    slug : str
        The competition.

    Returns
    -------
    Path
        ``<out>/<slug>``, which need not exist.

    Raises
    ------
    UsageError
        If the slug cannot be a competition's.
    """
    if not competitions.is_slug(slug):
        raise UsageError(
            f"{slug!r} cannot be a competition: slugs consist of lower-case letters, digits and hyphens.",
            code="invalid-slug",
        )
    return out / slug


def finished_folders(home: Path) -> list[Path]:
    """The folders of the finished runs in one folder, sorted by name.

    Parameters
    ----------
    home : Path
        The folder that holds them, such as ``submissions/titanic``.

    Returns
    -------
    list of Path
    """
    return [record.parent for record in sorted(home.glob("*/run.json")) if not _is_unfinished(record.parent)]


def run_folders(out: Path, slug: str = "*") -> list[Path]:
    """The folders of the finished runs of one competition or of all, sorted by path.

    Parameters
    ----------
    out : Path
        The folder that runs are written to.
    slug : str
        A competition, or "*" for all.

    Returns
    -------
    list of Path

    Raises
    ------
    UsageError
        If the slug cannot be a competition's.
    """
    homes = sorted(out.glob("*")) if slug == "*" else [competition_folder(out, slug)]
    return [folder for home in homes for folder in finished_folders(home)]


def find_runs(out: Path, slug: str = "*") -> tuple[list[Run], list[str]]:
    """The finished runs of one competition or of all, oldest first.

    Parameters
    ----------
    out : Path
        The folder that runs are written to.
    slug : str
        A competition, or "*" for all.

    Returns
    -------
    runs : list of Run
        The runs that can be read.
    errors : list of str
        For each run that cannot be read, what is wrong with it.

    Raises
    ------
    UsageError
        If the slug cannot be a competition's.
    """
    runs, errors = [], []
    for folder in run_folders(out, slug):
        try:
            runs.append(read_run(folder))
        except KpipeError as error:
            errors.append(str(error))
    return sorted(runs, key=lambda run: (str(run.record.get("created")), run.record["run_id"])), errors


def find_run(name: str, out: Path) -> Run:
    """The finished run that a name refers to.

    Parameters
    ----------
    name : str
        A run's folder, its id, as much of the beginning or the end of its id as no other run shares, the name that it
        was given, "last" or "best". The latter may follow the competition, as in "titanic/best".
    out : Path
        The folder that runs are written to, in which ids and names are looked up.

    Returns
    -------
    Run

    Raises
    ------
    UsageError
        If no run or several runs match, or the run is unfinished.
    DataError
        If the run's record cannot be used.
    """
    if os.path.isfile(os.path.join(name, "run.json")):
        if _is_unfinished(Path(name).resolve()):
            raise UsageError(
                f"{name} is an unfinished run: resume it with kpipe run --resume {name}.", code="unfinished-run"
            )
        return read_run(Path(name))
    slug, _, short = name.rpartition("/")
    slug = slug if competitions.is_slug(slug) else ""
    short = short if slug else name
    found = [_by_word(short, out, slug)] if short in (LAST, BEST) else _by_id_or_name(short, out, slug or "*")
    if len(found) > 1:
        raise UsageError(
            f"{name!r} matches {len(found)} runs: give more of the id, or a folder such as "
            f"{', '.join(map(str, found[-_MAX_NAMED:]))}.",
            code="ambiguous-run",
        )
    if not found:
        raise UsageError(f"There is no run {name!r} in {out}.{_nearest(short, out)}", code="unknown-run")
    return read_run(found[0])


def _by_word(word: str, out: Path, slug: str) -> Path:
    """The last or the best run of a competition; without a slug, of the only one, or the last of all."""
    runs = find_runs(out, slug or "*")[0]
    slugs = sorted({str(run.record["slug"]) for run in runs})
    if not runs:
        of = f" of {slug}" if slug else ""
        raise UsageError(
            f"There is no finished run{of} in {out}. To make one: kpipe run {slug or 'SLUG'}.", code="unknown-run"
        )
    if word == LAST:
        return runs[-1].path
    if len(slugs) > 1:
        raise UsageError(
            f"There are runs of {len(slugs)} competitions in {out}: choose one, as in {slugs[0]}/{BEST}.",
            code="ambiguous-run",
        )
    return best_run(runs).path


def _by_id_or_name(name: str, out: Path, slug: str) -> list[Path]:
    """The run with an id; without one, those with the name, or else those whose id begins or ends with it."""
    folders = run_folders(out, slug)
    if found := [folder for folder in folders if folder.name == name]:
        return found
    if named := [run.path for run in find_runs(out, slug)[0] if run.record.get("name") == name]:
        return named
    if len(name) < _SHORTEST_PART:
        return []
    return [folder for folder in folders if folder.name.startswith(name) or folder.name.endswith(name)]


def _nearest(name: str, out: Path) -> str:
    """A question or a list that helps to find the run that was meant; it begins with a blank."""
    runs = find_runs(out)[0]
    if not runs:
        return " The folder has no finished runs: start one with kpipe run SLUG, or pass another folder with --out DIR."
    known = {str(run.record["run_id"]): None for run in runs}
    known |= {run_id.rpartition("-")[2]: None for run_id in known}
    known |= {str(run.record["name"]): None for run in runs if run.record.get("name")}
    latest = ", ".join(_called(run) for run in runs[-_MAX_NAMED:][::-1])
    return f"{did_you_mean(name, known)} The latest runs: {latest}."


def _called(run: Run) -> str:
    name = run.record.get("name")
    return f"{run.record['run_id']} ({name})" if name else str(run.record["run_id"])


def _is_unfinished(folder: Path) -> bool:
    return folder.name.startswith(UNFINISHED)


def read_run(folder: Path) -> Run:
    """The run in a folder. Anybody may have written ``run.json``: no name in it leads out of a folder or into a script.

    Parameters
    ----------
    folder : Path
        The folder of a finished run.

    Returns
    -------
    Run

    Raises
    ------
    DataError
        If ``run.json`` is missing, too large, or does not hold what a run's record must.
    """
    path = folder / "run.json"
    try:
        return Run(path=folder, record=_read_record(path))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise DataError(f"{path} is not the record of a run: {error}.", code="broken-run", file=str(path)) from error


def _read_record(path: Path) -> dict[str, Any]:
    if path.stat().st_size > _LARGEST_RECORD:
        raise ValueError(f"it has more than {_LARGEST_RECORD:,} bytes")
    record = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse_constant)
    schema = record.get("schema") if isinstance(record, dict) else None
    if isinstance(schema, int) and schema > _SCHEMA:
        raise DataError(
            f"{path} was written by a newer version of kpipe (schema {schema}): update kpipe to use this run.",
            code="broken-run",
            file=str(path),
        )
    check_record(record)
    json.dumps(record, ensure_ascii=False).encode()  # fails for unpaired surrogates, which no file can hold
    if not competitions.is_slug(record["slug"]):
        raise ValueError(f"its slug {record['slug']!r} cannot be a competition's")
    if not _RUN_ID.fullmatch(record["run_id"]):
        raise ValueError(f"its run_id {record['run_id']!r} cannot be a run's")
    return {**record, "checks": [current_check(check) for check in record["checks"]]}


def run_of_file(file: Path) -> Run | None:
    """The run that wrote a CSV.

    Parameters
    ----------
    file : Path
        The CSV.

    Returns
    -------
    Run or None
        The run whose record lies beside the file and has the file's hash; None if there is none.
    """
    try:
        run = find_run(str(file.parent), file.parent)
    except (UsageError, DataError):
        return None
    return run if run.record["submission"]["sha256"] == sha256_of(file) else None


def find_submission(name: str, out: Path) -> tuple[Path, Run | None]:
    """The CSV file that a name refers to, and the run that wrote it.

    Parameters
    ----------
    name : str
        A CSV file, or a run as for ``find_run``.
    out : Path
        The folder that runs are written to, in which ids are looked up.

    Returns
    -------
    file : Path
    run : Run or None
        None if no run wrote the file.

    Raises
    ------
    UsageError
        If there is no such file and no such run.
    """
    file = Path(name)
    if name.endswith(".csv") or file.is_file():
        if not file.is_file():
            raise UsageError(f"There is no file {file}. Check its path.", code="file-not-found", file=str(file))
        return file, run_of_file(file)
    run = find_run(name, out)
    return run.path / "submission.csv", run

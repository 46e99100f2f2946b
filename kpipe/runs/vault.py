"""The vault of a competition: which rows of train are locked away, and which of their scores have been shown.

``<out>/<slug>/vault.json`` names the rows by their ids, without their targets, which stay in train.csv.

References
----------
Blum and Hardt, "The Ladder: a reliable leaderboard for machine learning competitions" (2015): a score is shown only
where it beats the best one shown so far by more than chance explains, so that many looks do not use the rows up.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from scipy.stats import norm

from kpipe.competitions import is_slug
from kpipe.core.values import Source, Tables
from kpipe.errors import DataError
from kpipe.problem.locked import LockedRows
from kpipe.runs.files import write_file
from kpipe.runs.json_types import NUMBER, check_types, refuse_constant

__all__ = [
    "FILE",
    "Opening",
    "Vault",
    "changed_files",
    "find_locked",
    "fingerprint",
    "margin",
    "read_vault",
    "with_opening",
    "write_vault",
]

FILE = "vault.json"
_CHANCE = 0.05  # that any of all looks shows a gain that is due to chance
_OPENING = {"run_id": str, "sha256": str, "created": str, "score": NUMBER, "standard_error": NUMBER}
_TYPES: dict[str, Any] = {
    **dict.fromkeys(("slug", "created", "how", "id", "sha256"), str),
    "share": NUMBER,
    "train_rows": int,
    "rows": [int],
    "ids": [(str, int, float)],
    "files": dict,
    "path?": str,
    "openings": [_OPENING],
}


@dataclass(frozen=True, kw_only=True)
class Opening:
    """One scoring of a run on the rows of the vault.

    Attributes
    ----------
    run_id : str
    sha256 : str
        Of the predictions: the same predictions are the same look.
    created : str
        When, in ISO 8601.
    score, standard_error : float or None
        The score that was shown; None where it stayed locked.
    metric : str or None
        Of the score; None in vaults that an earlier version of kpipe opened.
    """

    run_id: str
    sha256: str
    created: str
    score: float | None
    standard_error: float | None
    metric: str | None = None


@dataclass(frozen=True, kw_only=True)
class Vault:
    """Rows of train that are locked away.

    Attributes
    ----------
    slug : str
    created : str
        When, in ISO 8601.
    share : float
        The share of train's rows that was asked for.
    how : str
        How the rows were drawn, a phrase.
    files : mapping of str to str
        Base name → sha256 of the files that the rows were drawn from.
    path : str
        Where these files were; "" in vaults that an earlier version of kpipe made.
    locked : LockedRows
    openings : tuple of Opening
        In the order of time.
    """

    slug: str
    created: str
    share: float
    how: str
    files: Mapping[str, str]
    locked: LockedRows
    path: str = ""
    openings: tuple[Opening, ...] = ()

    def best(self, *, greater_is_better: bool) -> Opening | None:
        """The best opening whose score was shown; None before the first one."""
        shown = [opening for opening in self.openings if opening.score is not None]
        sign = 1 if greater_is_better else -1
        return max(shown, key=lambda opening: sign * (opening.score or 0.0), default=None)

    def summary(self) -> dict[str, Any]:
        """The output of ``kpipe vault SLUG`` as JSON types: everything but the rows."""
        return {
            **{name: getattr(self, name) for name in ("slug", "created", "share", "how", "path")},
            "rows": len(self.locked.rows),
            "of": self.locked.train_rows,
            "sha256": self.locked.sha256,
            "files": dict(self.files),
            "openings": [asdict(opening) for opening in self.openings],
        }


def margin(openings: int) -> float:
    """The number of standard errors of the difference by which a score must beat the best one shown so far.

    Parameters
    ----------
    openings : int
        The number of scores that were asked for before, at least 1.

    Returns
    -------
    float
        It grows, so that the probability that any look shows a gain that is due to chance is at most 5 % (a union bound
        over looks that get 1/2, 1/6, 1/12, ... of it). With a margin of one standard error throughout, 1,000 random
        runs would raise the best score by about three of them.

    Examples
    --------
    >>> [round(margin(openings), 1) for openings in (1, 5, 50)]
    [2.0, 2.9, 4.1]
    """
    return float(norm.isf(_CHANCE / (openings * (openings + 1))))


def fingerprint(slug: str, ids: tuple[object, ...], rows: tuple[int, ...], files: Mapping[str, str]) -> str:
    """A hash that identifies a vault: of its rows and of the files that they were drawn from."""
    text = json.dumps([slug, list(ids), list(rows), sorted(files.items())], default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def read_vault(home: Path) -> Vault | None:
    """The vault of a competition.

    Parameters
    ----------
    home : Path
        The folder of the competition's runs, such as ``submissions/titanic``.

    Returns
    -------
    Vault or None
        None if there is none.

    Raises
    ------
    DataError
        If the file cannot be used.
    """
    path = home / FILE
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse_constant)
        check_types(found, _TYPES, "it")
        rows, ids = tuple(found["rows"]), tuple(found["ids"])
        locked = LockedRows(rows=rows, train_rows=found["train_rows"], id=found["id"], ids=ids, sha256=found["sha256"])
        if found["sha256"] != fingerprint(found["slug"], ids, rows, found["files"]):
            raise ValueError("its rows were changed after it was made")
        own = {name: found[name] for name in ("slug", "created", "share", "how", "files")}
        openings = tuple(
            Opening(**{name: one[name] for name in _OPENING}, metric=_name(one.get("metric")))
            for one in found["openings"]
        )
        return Vault(**own, path=found.get("path") or "", locked=locked, openings=openings)
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise DataError(
            f"{path} is not a vault: {error}. Restore the file, or move it away to work without a vault.",
            code="broken-vault",
            file=str(path),
        ) from error


def _name(value: object) -> str | None:
    return value if isinstance(value, str) else None


def write_vault(home: Path, vault: Vault) -> Path:
    """Write a vault in one step, and return its file.

    Parameters
    ----------
    home : Path
        The folder of the competition's runs.
    vault : Vault

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    locked = vault.locked
    content = vault.summary() | {"rows": list(locked.rows), "train_rows": locked.train_rows}
    content |= {"id": locked.id, "ids": list(locked.ids)}
    write_file(home / FILE, (json.dumps(content) + "\n").encode())
    return home / FILE


def with_opening(vault: Vault, opening: Opening) -> Vault:
    """The vault with one more opening."""
    return replace(vault, openings=(*vault.openings, opening))


def find_locked(out: Path, tables: Tables, slug: str) -> LockedRows | None:
    """The rows that the vault of a competition locks away; None if no vault is active.

    Parameters
    ----------
    out : Path
        The folder that runs are written to.
    tables : Tables
        As they are in the files. Of the sample nothing is locked away.
    slug : str

    Raises
    ------
    DataError
        If the vault was made from other files, or cannot be used.
    """
    home = out / slug
    vault = read_vault(home) if is_slug(slug) and tables.source.origin != "sample" else None
    if vault is None:
        return None
    if changed := changed_files(vault, tables.source):
        raise DataError(
            f"The vault of {slug} was made from other files: {', '.join(changed)} changed or missing. Name "
            "the files that it was made from with --data, train on all rows with --all-rows, or make a new vault after "
            f"moving {home / FILE} away.",
            code="vault-mismatch",
        )
    return vault.locked


def changed_files(vault: Vault, source: Source) -> list[str]:
    """List the names, sorted, of the vault's files that a source lacks or has changed.

    Parameters
    ----------
    vault : Vault
    source : Source

    Returns
    -------
    list of str
    """
    return sorted(name for name, sha256 in vault.files.items() if source.files.get(name) != sha256)

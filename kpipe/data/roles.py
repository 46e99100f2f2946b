"""Decide which file is train, test or the sample submission, from the names of the files or the user's options."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path

from kpipe.core.wording import did_you_mean, listed
from kpipe.data.files import SourceFile, header_of, source_file
from kpipe.data.formats import FORMATS
from kpipe.data.parts import numbered_parts
from kpipe.errors import DataError, UsageError

__all__ = ["Roles", "assign_roles", "is_labels", "missing_roles"]

_DESCRIPTIONS = {"train": "train.csv", "test": "test.csv", "sample": "a sample submission"}
_TRAIN = {"train", "training", "trainset", "traindata", "development"}
_TEST = {"test", "testing", "testset", "testdata", "evaluation", "eval"}
_SAMPLE = {"sample", "example", "format", "template", "entry", "baseline", "benchmark", "zeros"}
_TARGETS = {"label", "labels", "target", "targets", "y", "outcome", "outcomes", "scored", "answers", "solution"}
_FURTHER = {"extra", "additional", "external", "original", "more", "nonscored", "unlabeled", "unlabelled", "supplement"}
_OWN = {"my", "mine", "our", "best", "final", "output", "result", "results", "new", "old"}
_FEATURES = {"features", "values", "data", "set", "x", "df", "table"}


@dataclass(frozen=True)
class Roles:
    """The files of a competition by role.

    Attributes
    ----------
    files : mapping of str to SourceFile
        "train" and, if such files exist, "test", "sample" and "labels" (of train's rows, in a file of their own).
    extra : tuple of SourceFile
        Further training files that the user asks for.
    parts : mapping of str to tuple of SourceFile
        Role → the files with the other parts of its table, if it is in parts.
    others : tuple of SourceFile
        Files without a role.
    notes : tuple of str
        Sentences for the user about files that were recognised by an unusual name.
    """

    files: Mapping[str, SourceFile]
    extra: tuple[SourceFile, ...] = ()
    parts: Mapping[str, tuple[SourceFile, ...]] = field(default_factory=dict)
    others: tuple[SourceFile, ...] = ()
    notes: tuple[str, ...] = ()


def assign_roles(
    place: Path, files: Sequence[SourceFile], named: Mapping[str, str] | None = None, extra: Sequence[str] = ()
) -> Roles:
    """Assign roles to files.

    Parameters
    ----------
    place : Path
        The folder or zip, for messages.
    files : sequence of SourceFile
        Its tables, sorted by depth.
    named : mapping of str to str, optional
        Role to the file that the user names: a path or a name in the place, or a path on disk.
    extra : sequence of str
        Further training files that the user names.

    Returns
    -------
    Roles
        If several folders have the file of a role, the topmost one is used; if a file has a compressed copy beside it,
        the file itself. Roles without a file are absent, see ``missing_roles``.

    Raises
    ------
    DataError
        Several files at the same depth match a role.
    UsageError
        The user names a file that does not exist, or the only file of another role.
    """
    stated = {role: _named_file(place, files, role, name) for role, name in (named or {}).items()}
    further = tuple(_named_file(place, files, "extra", name) for name in extra)
    taken = [*stated.values(), *further]
    free = [file for file in files if all(file is not other for other in taken)]
    found = dict(stated)
    if "sample" not in stated and (sample := _topmost(place, "sample", _sample_submissions(free))) is not None:
        found["sample"] = sample
    free = [file for file in free if file is not found.get("sample")]
    found |= {role: file for role, file in _train_and_test(place, free, found).items() if role not in found}
    if "train" in found and "labels" not in found:
        labels = [file for file in free if is_labels(file) and file.depth == found["train"].depth]
        found |= {"labels": labels[0]} if len(labels) == 1 and labels[0] is not found["train"] else {}
    _check_stated(found, stated)
    parts = _parts({role: found[role] for role in ("train", "test") if role in found and role not in stated}, free)
    used = [*found.values(), *further, *(part for those in parts.values() for part in those)]
    others = tuple(file for file in files if all(file is not other for other in used))
    return Roles(found, further, parts, others, tuple(_notes(found, stated, files)))


def _check_stated(found: Mapping[str, SourceFile], stated: Mapping[str, SourceFile]) -> None:
    """Raise UsageError if a role has no file because the user gave its only candidate another role."""
    for role, kind in (("train", _TRAIN), ("test", _TEST)):
        for other, file in stated.items():
            if role not in found and other != role and kind & set(_words(file)):
                raise UsageError(
                    f"--{other} {file.name}: by its name this is {_DESCRIPTIONS[role]}, and there is no other. Name "
                    f"another file with --{other}, or specify {_DESCRIPTIONS[role]} with --{role} FILE.",
                    code="ambiguous-files",
                    file=file.name,
                )


def missing_roles(place: Path, roles: Roles, files: Sequence[SourceFile], more: Sequence[str] = ()) -> DataError:
    """Return the error for a competition that lacks a role.

    Parameters
    ----------
    place : Path
    roles : Roles
    files : sequence of SourceFile
        All tables of the place.
    more : sequence of str
        Further sentences of the message.

    Returns
    -------
    DataError
    """
    missing = [text for role, text in _DESCRIPTIONS.items() if role not in roles.files]
    names = listed(file.path if "/" in file.path else file.name for file in files) or "no table"
    hint = " Name them with --train FILE, --test FILE and --sample FILE." if files else ""
    return DataError(
        " ".join([f"{place} lacks {' and '.join(missing)}; it holds {names}.{hint}", *more]), code="missing-table"
    )


def _named_file(place: Path, files: Sequence[SourceFile], role: str, name: str) -> SourceFile:
    """The file that the user names."""
    wanted = name.replace("\\", "/").removeprefix("./")
    for name_of in (attrgetter("path"), attrgetter("name"), attrgetter("stem")):
        if found := [file for file in files if name_of(file) == wanted]:
            return found[0]
    for path in (Path(name).expanduser(), place / name):
        if path.is_file():
            return source_file(path)
    held = did_you_mean(wanted, [file.path for file in files])
    held += f" It holds: {listed(file.path for file in files) or 'no table'}."
    raise UsageError(
        f"--{role} {name}: there is no such file, neither in {place} nor at that path.{held}",
        code="file-not-found",
        file=name,
    )


def _words(file: SourceFile) -> list[str]:
    """The words of a file's name: ``cs-training`` and ``X_trainSet2`` give cs, training and x, train, set, 2."""
    if "\\" in file.stem:  # a path of Windows in a zip, which may lead anywhere
        return []
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z])(?=\d)", " ", file.stem)
    return re.findall(r"[a-z]+|\d+", spaced.lower())


def _sample_submissions(files: Sequence[SourceFile]) -> list[SourceFile]:
    """``sample_submission.csv`` or ``sampleSubmission.csv``; else a similar name; else the only submission."""
    exact = [file for file in files if "".join(_words(file)) == "samplesubmission"]
    like = [file for file in files if _SAMPLE & set(_words(file)) and not (_TRAIN | _TEST) & set(_words(file))]
    like = [file for file in like if {"submission", "submit", "solution", "prediction"} & set(_words(file))] or like
    submissions = [file for file in files if "submission" in file.stem.lower()]
    unowned = [file for file in submissions if not _OWN & set(_words(file)) and "".join(_words(file)) != "submission"]
    for candidates in (exact, like, submissions, unowned):
        if len(candidates) == 1 or (candidates and candidates is exact):
            return candidates
    return []


def _train_and_test(
    place: Path, files: Sequence[SourceFile], stated: Mapping[str, SourceFile]
) -> dict[str, SourceFile]:
    """Train and test: the files with exactly these names, else a pair whose names differ only in this word."""
    exact = {role: [file for file in files if file.stem.lower() == role] for role in ("train", "test")}
    found = {
        role: file for role, those in exact.items() if role not in stated and (file := _topmost(place, role, those))
    }
    kinds = {"train": _TRAIN, "test": _TEST}
    alike = {role: _like(files, words) for role, words in kinds.items() if role not in found and role not in stated}
    if set(alike) == {"train", "test"}:
        pairs = [
            (train, test)
            for train in alike["train"]
            for test in alike["test"]
            if _rest(train, _TRAIN) == _rest(test, _TEST)
        ]
        pairs = [pair for pair in pairs if pair[0].depth == pairs[0][0].depth]
        plain = [pair for pair in pairs if set(_rest(pair[0], _TRAIN)) <= _FEATURES]
        pairs = plain if len(pairs) > 1 and plain else pairs
        pairs = pairs if len(pairs) < 2 else _with_target(pairs, stated.get("sample")) or pairs
        if len(pairs) == 1:
            return {"train": pairs[0][0], "test": pairs[0][1]}
    for role, candidates in alike.items():
        candidates = candidates or _in_folder(files, kinds[role])
        if candidates and (file := _topmost(place, role, candidates)) is not None:
            found[role] = file
    return found


def _with_target(
    pairs: Sequence[tuple[SourceFile, SourceFile]], sample: SourceFile | None
) -> list[tuple[SourceFile, SourceFile]]:
    """The pairs whose train, and not test, has a column of the sample submission, which is the target."""
    wanted = set(header_of(sample)) if sample is not None else set()
    return [(train, test) for train, test in pairs if wanted & set(header_of(train)) - set(header_of(test))]


def _in_folder(files: Sequence[SourceFile], kind: set[str]) -> list[SourceFile]:
    """The only table of a folder ``train``, or its parts, under any name."""
    named = [file for file in files if "/" in file.path and _folder_words(file) & kind]
    named = [file for file in named if not (_TARGETS | _FURTHER | _SAMPLE | _TRAIN | _TEST) & set(_words(file))]
    folders = {file.path.rpartition("/")[0] for file in named}
    return named if len(folders) == 1 and (len(named) == 1 or numbered_parts(named)) else []


def _folder_words(file: SourceFile) -> set[str]:
    """The words of a folder's name: ``train.parquet`` gives train and parquet."""
    return set(re.findall(r"[a-z]+", file.path.split("/")[-2].lower()))


def _parts(found: Mapping[str, SourceFile], files: Sequence[SourceFile]) -> dict[str, tuple[SourceFile, ...]]:
    """The other parts of train and test; none if train_2 is beside the pair train_1 and test_1."""
    parts = {}
    for role, file in found.items():
        folder = file.path.rpartition("/")[0]
        beside = [other for other in files if other.path.rpartition("/")[0] == folder]
        shape = re.sub(r"\d+", "#", file.path)
        same = numbered_parts([other for other in beside if re.sub(r"\d+", "#", other.path) == shape])
        if same and same[0] is file:
            parts[role] = same[1:]
    paired = set(found) == {"train", "test"} and _rest(found["train"], _TRAIN) == _rest(found["test"], _TEST) != ()
    return {} if paired and len(parts) == 1 else parts


def _like(files: Sequence[SourceFile], kind: set[str]) -> list[SourceFile]:
    """Files whose names contain one of the words, and no word that suggests other content."""
    other = _TARGETS | _FURTHER | _SAMPLE | ((_TRAIN | _TEST) - kind)
    return [file for file in files if kind & set(_words(file)) and not other & set(_words(file))]


def _rest(file: SourceFile, kind: set[str]) -> tuple[str, ...]:
    return tuple(word for word in _words(file) if word not in kind)


def is_labels(file: SourceFile) -> bool:
    """Whether a file contains, by its name, only the labels of train's rows.

    Parameters
    ----------
    file : SourceFile

    Returns
    -------
    bool
    """
    words = set(_words(file))
    if words and words <= _TARGETS - {"answers", "solution"}:  # such as labels.csv; answers may be of test
        return True
    return bool(_TARGETS & words) and bool(_TRAIN & words) and not _FURTHER & words


def _notes(found: Mapping[str, SourceFile], stated: Mapping[str, SourceFile], files: Sequence[SourceFile]) -> list[str]:
    """Notes about files with unusual names, and about files in other formats that are not read."""
    unusual = {
        role: file
        for role, file in found.items()
        if role in ("train", "test") and file.stem.lower() != role and role not in stated
    }
    sample = found.get("sample")
    if sample is not None and "sample" not in stated and "submission" not in sample.stem.lower():
        unusual["sample"] = sample
    notes = []
    if unusual:
        roles = {role: "the sample submission" if role == "sample" else role for role in unusual}
        parts = [f"{_shown_name(file)} as {roles[role]}" for role, file in unusual.items()]
        flags = " ".join(f"--{role}" for role in unusual)
        notes.append(f"By their names, kpipe reads {', '.join(parts)}. To use other files: {flags}.")
    for file in found.values():
        same = [other for other in files if other.path.rpartition("/")[0] == file.path.rpartition("/")[0]]
        skipped = sorted({other.name for other in same if other.stem == file.stem and other.name != file.name})
        notes += [f"{file.name} is read instead of {', '.join(skipped)}."] if skipped else []
    return notes


def _shown_name(file: SourceFile) -> str:
    """A file's name, with its folder if only that shows its role."""
    return file.name if (_TRAIN | _TEST | _SAMPLE) & set(_words(file)) else file.path


def _topmost(place: Path, role: str, candidates: Sequence[SourceFile]) -> SourceFile | None:
    """The candidate in the topmost folder, or None. Raises DataError if there are several."""
    top = [file for file in candidates if file.depth == candidates[0].depth]
    if role in ("train", "test") and (parts := numbered_parts(top)):
        return parts[0]
    if len(top) > 1 and not _are_one_file(top):
        paths = listed(f"{file.archive}/{file.name}" if file.archive else file.path for file in top)
        one_zip = [file.archive for file in top if file.archive and place.is_dir()]
        data = f" If each zip is a competition, pass one of them: --data {place / one_zip[0]}." if one_zip[1:] else ""
        raise DataError(
            f"{place} holds {len(top)} files that may be {_DESCRIPTIONS[role]}: {paths}. Keep only one of them, or "
            f"specify it: --{role} FILE.{data}",
            code="ambiguous-files",
        )
    return min(top, key=_preference) if top else None


def _preference(file: SourceFile) -> tuple[int, str]:
    endings = [number for number, ending in enumerate(FORMATS) if file.name.lower().endswith(ending)]
    return (endings or [len(FORMATS)])[0], file.path


def _are_one_file(files: Sequence[SourceFile]) -> bool:
    """Whether files are copies: one compressed (``train.csv.zip``), or in another format (``train.parquet``)."""
    folders_and_names = {(file.path.rpartition("/")[0], file.stem) for file in files}
    return len(folders_and_names) == 1 and len({file.path for file in files}) == len(files)

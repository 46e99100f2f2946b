"""``RunRequest``: the options of a run, parsed, validated and serialised in one place.

The command line, the Python API, ``--resume``, ``kpipe reproduce``, kernels and ``run.json`` all use this class. To add
an option to ``kpipe run``, add a field here and an argument in ``kpipe.cli.options``.
"""

from __future__ import annotations

import inspect
import json
import os
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, InitVar, dataclass, field, fields
from decimal import Decimal
from pathlib import Path
from typing import Any

from kpipe.core.option_kinds import JSON_TYPES, PARSERS, Kind, has_kind
from kpipe.core.run_names import check_run_name
from kpipe.core.wording import did_you_mean
from kpipe.errors import DataError, UsageError

__all__ = ["COMPETITION_OPTIONS", "FILE_OPTIONS", "RunRequest", "check_option_names", "slug_of"]

_DEFAULT_SEEDS = (0,)
_SMALLEST_SIZE, _LARGEST_SIZE = 8, 512  # pixels
_LARGEST_SEED = 2**32 - 1  # of numpy's and scikit-learn's random states
COMPETITION_OPTIONS = ("metric", "target", "id", "text", "split", "drop")  # define the problem, not the training
FILE_OPTIONS = ("train", "test", "sample", "extra", "size")  # which files are what, and how pictures are read


# The type of a field, and its command-line option if that has another name.
_TEXT, _TEXTS, _COUNT, _SECONDS, _FLAG = ({"kind": kind} for kind in ("text", "texts", "count", "seconds", "flag"))
_MODELS, _SEEDS = {"kind": "texts", "flag": "--model"}, {"kind": "counts", "flag": "--seed"}


@dataclass(frozen=True)
class RunRequest:
    """The options of a run.

    A single name or number is accepted where a sequence is expected, and a duration such as ``"5m"`` for ``budget``.

    Parameters
    ----------
    slug : str
        Kaggle's name of the competition.
    data : str or path, optional
        A folder or zip of Kaggle's files. By default, kpipe looks in several places, see ``kpipe.load``.
    train : str, optional
        The training table: its name in the folder or zip, or a path. By default inferred from the names of the files.
    test : str, optional
        The table to predict, in the same way.
    sample : str, optional
        The sample submission, in the same way.
    extra : sequence of str
        Further training files, whose rows every fold trains on and none validates.
    size : int, optional
        Pixels of the longer side of pictures, at most 512; smaller pictures are not enlarged. By default 64.
    models : sequence of str
        Names of models. By default the competition's own.
    budget : float or str, optional
        Seconds for the whole run, or a duration such as ``"5m"``. A model that would not finish in time is skipped, and
        any time left is spent on additional seeds.
    folds : int, optional
        Number of folds, at least 2. By default the splitter's own, or eight if the splitter is inferred, rows are
        independent and the budget is long for the table.
    seeds : sequence of int
        Each model is trained once per seed, and its predictions are averaged. The first seed also shuffles the folds.
    metric : str, optional
        Name of a metric. By default the competition's, or an inferred one.
    target : sequence of str
        Target columns. By default inferred from the sample submission.
    id : str, optional
        Id column. By default inferred from the sample submission.
    text : sequence of str
        Columns to read as text although they look like numbers.
    split : str, optional
        How train and test were split: ``"rows"``, or a column of groups or dates. By default inferred.
    drop : sequence of str
        Columns to hide from the models.
    device : str
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``, for torch models.
    weights : str, optional
        A file or folder of pretrained weights, for pictures or text; ``"none"`` uses none. By default weights on this
        machine are used; nothing is downloaded.
    all_rows : bool
        Also train on the rows that a vault locks away, for the final run.
    fresh : bool
        Train every fit again, even if an earlier run has trained the same one.
    keep_models : bool
        Save the fitted models in the run's folder, for ``run.models[name].estimators``. Every fit is trained again.
    jobs : int, optional
        Number of fits to run in parallel. By default one per core.
    name : str, optional
        A name for the run, by which commands find it, such as ``"lr-with-titles"``.
    note : str, optional
        What the run is about, shown in lists and reports.
    out : path
        Folder in which ``<slug>/<run id>/`` is created.
    seed : int or sequence of int, optional
        Another name for ``seeds``, as on the command line.

    Raises
    ------
    UsageError
        If an option has a wrong type or an invalid value.

    Examples
    --------
    >>> RunRequest("titanic", models="linear", seed=3, budget="5m").to_json()["budget"]
    300.0
    """

    slug: str
    data: str | Path | None = field(default=None, metadata=_TEXT)
    _: KW_ONLY
    train: str | None = field(default=None, metadata=_TEXT)
    test: str | None = field(default=None, metadata=_TEXT)
    sample: str | None = field(default=None, metadata=_TEXT)
    extra: Sequence[str] = field(default=(), metadata=_TEXTS)
    size: int | None = field(default=None, metadata=_COUNT)
    models: Sequence[str] = field(default=(), metadata=_MODELS)
    budget: float | None = field(default=None, metadata=_SECONDS)
    folds: int | None = field(default=None, metadata=_COUNT)
    seeds: Sequence[int] = field(default=_DEFAULT_SEEDS, metadata=_SEEDS)
    metric: str | None = field(default=None, metadata=_TEXT)
    target: Sequence[str] = field(default=(), metadata=_TEXTS)
    id: str | None = field(default=None, metadata=_TEXT)
    text: Sequence[str] = field(default=(), metadata=_TEXTS)
    split: str | None = field(default=None, metadata=_TEXT)
    drop: Sequence[str] = field(default=(), metadata=_TEXTS)
    device: str = field(default="auto", metadata=_TEXT)
    weights: str | None = field(default=None, metadata=_TEXT)
    all_rows: bool = field(default=False, metadata=_FLAG)
    fresh: bool = field(default=False, metadata=_FLAG)
    keep_models: bool = field(default=False, metadata=_FLAG)
    jobs: int | None = field(default=None, metadata=_COUNT)
    name: str | None = field(default=None, metadata=_TEXT)
    note: str | None = field(default=None, metadata=_TEXT)
    out: Path = Path("submissions")
    seed: InitVar[int | Sequence[int] | None] = None

    def __post_init__(self, seed: int | Sequence[int] | None) -> None:
        if seed is not None:
            if self.seeds is not _DEFAULT_SEEDS:
                raise UsageError(
                    f"seed and seeds are the same option: give only one of them; got {seed!r} and {self.seeds!r}.",
                    code="conflicting-options",
                )
            object.__setattr__(self, "seeds", seed)
        if not isinstance(self.slug, str):
            raise UsageError(
                f"The competition must be its slug, such as 'titanic'; got {self.slug!r}.", code="invalid-slug"
            )
        if not isinstance(self.out, str | os.PathLike):
            raise UsageError(f"out must be a folder; got {self.out!r}.", code="invalid-value")
        object.__setattr__(self, "slug", slug_of(self.slug))
        object.__setattr__(self, "out", Path(self.out))
        for each in fields(self):
            if kind := each.metadata.get("kind"):
                object.__setattr__(self, each.name, PARSERS[kind](_name(each.name), getattr(self, each.name)))
        self._check_values()
        for name in ("seeds", "target"):
            object.__setattr__(self, name, tuple(dict.fromkeys(getattr(self, name))))

    def _check_values(self) -> None:
        """Raise UsageError for a value that has the right type, but is out of range."""
        if not self.seeds:
            raise UsageError("seeds must contain at least one number, such as (0,); got none.", code="invalid-value")
        if max(self.seeds) > _LARGEST_SEED:
            raise UsageError(f"seed must be at most {_LARGEST_SEED}; got {max(self.seeds)}.", code="invalid-value")
        if self.size is not None and not _SMALLEST_SIZE <= self.size <= _LARGEST_SIZE:
            raise UsageError(
                f"size must be from {_SMALLEST_SIZE} to {_LARGEST_SIZE} pixels; got {self.size}.", code="invalid-value"
            )
        if self.name is not None:
            check_run_name(self.name)
        if self.jobs == 0:
            raise UsageError("jobs must be at least 1; got 0.", code="invalid-value")

    def to_json(self) -> dict[str, Any]:
        """Return the options as JSON types, as ``run.json`` and ``request.json`` store them under ``"options"``.

        Returns
        -------
        dict
            Option → value. Paths that exist are absolute, so that they do not depend on the working directory;
            ``target`` is a string if there is one target.
        """
        values = {_name(each.name): getattr(self, each.name) for each in fields(self) if "kind" in each.metadata}
        target = list(self.target)
        values |= {name: _absolute_path(getattr(self, name)) for name in ("train", "test", "sample")}
        values |= {
            "weights": _absolute(self.weights),
            "data": _absolute(self.data),
            "extra": [_absolute_path(name) for name in self.extra],
        }
        values |= {"target": target[0] if len(target) == 1 else target or None}
        return json.loads(json.dumps(values))

    @classmethod
    def from_json(cls, slug: str, options: object, *, place: Path, **changes: Any) -> RunRequest:
        """Return the request that a run's file stores. The file is not trusted: everything in it is validated.

        Parameters
        ----------
        slug : str
            The competition.
        options : object
            The value of ``"options"`` in the file.
        place : path
            The file, for error messages.
        **changes
            Fields that replace those of the file.

        Returns
        -------
        RunRequest

        Raises
        ------
        UsageError
            If the file contains no options.
        DataError
            If an option is unknown or has another type than kpipe writes.
        """
        if options is None:
            raise UsageError(
                f"{place} does not contain the options of its run: an earlier version of kpipe wrote it.",
                code="broken-run",
            )
        if not isinstance(options, dict):
            raise DataError(f"{place}: 'options' must be an object; got {type(options).__name__}.", code="broken-run")
        kinds = {_name(each.name): each for each in fields(cls) if "kind" in each.metadata}
        given: dict[str, Any] = {}
        for name, value in options.items():
            if name not in kinds:
                raise DataError(f"{place}: unknown option {name!r}.", code="broken-run")
            if value is None:
                continue
            kind: Kind = kinds[name].metadata["kind"]
            if not (has_kind(value, kind) or (name == "target" and has_kind(value, "text"))):
                raise DataError(
                    f"{place}: option {name!r} must be {JSON_TYPES[kind]}; got {value!r:.200}.", code="broken-run"
                )
            given[kinds[name].name] = value
        try:
            return cls(slug, **{**given, **changes})
        except UsageError as error:
            raise DataError(f"{place}: {error}", code="broken-run") from error

    def competition_options(self) -> dict[str, Any]:
        """Return the options that define the problem: those of ``COMPETITION_OPTIONS`` and ``FILE_OPTIONS``."""
        return {name: getattr(self, name) for name in (*COMPETITION_OPTIONS, *FILE_OPTIONS)}

    def command(self) -> str:
        """Return an equivalent command line.

        Examples
        --------
        >>> RunRequest("titanic", models=["linear"], folds=3).command()
        'kpipe run titanic --model linear --folds 3'
        """
        words = ["kpipe", "run", self.slug]
        for each in fields(self):
            value = getattr(self, each.name)
            if value == each.default or "kind" not in each.metadata:
                continue
            flag = each.metadata.get("flag", f"--{each.name.replace('_', '-')}")
            if value is True:
                words.append(flag)
                continue
            values = value if isinstance(value, tuple) else (value,)
            for text in map(_as_argument, values):
                words += [f"{flag}={text}"] if text.startswith("-") else [flag, text]
        return shlex.join(words)


def check_option_names(names: Iterable[str], *, others: Iterable[str] = ()) -> None:
    """Refuse keyword arguments that are not options of a run.

    Parameters
    ----------
    names : iterable of str
        As the caller wrote them.
    others : iterable of str
        Further names that are allowed.

    Raises
    ------
    UsageError
        For an unknown option; the message suggests a similar one.
    """
    known = [*inspect.signature(RunRequest).parameters, *others]
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known) or " See help(kpipe.run)."
            raise UsageError(f"A run has no option {name!r}.{hint}", code="unknown-option")


def _name(field_name: str) -> str:
    """Return a field's name in ``run.json``, which has called ``seeds`` "seed" since its first version."""
    return "seed" if field_name == "seeds" else field_name


def _as_argument(value: object) -> str:
    """A value as ``kpipe run`` parses it: a number of seconds with all its digits and without an exponent."""
    if not isinstance(value, float):
        return str(value)
    return str(int(value)) if value.is_integer() else format(Decimal(repr(value)), "f")


def _absolute(data: str | Path | None) -> str | None:
    """Return an absolute path; a value that is not an existing path, such as "sample", is unchanged."""
    if data is None or not os.path.exists(Path(data).expanduser()):
        return data if data is None else str(data)
    return str(Path(data).expanduser().resolve())


def _absolute_path(file: str | None) -> str | None:
    """The absolute path of a file; a name without a folder, which refers to a file in the data, is unchanged."""
    return file if file is None or os.path.basename(file) == file else _absolute(file)


def slug_of(text: str) -> str:
    """Return the slug of a competition, given its slug or its address on Kaggle.

    Parameters
    ----------
    text : str
        Such as "titanic" or "https://www.kaggle.com/competitions/titanic/data".

    Returns
    -------
    str
        The text itself if it is not an address on Kaggle.

    Examples
    --------
    >>> slug_of("https://www.kaggle.com/c/GiveMeSomeCredit/overview?x=1"), slug_of("titanic")
    ('GiveMeSomeCredit', 'titanic')
    """
    found = re.match(r"\s*(?:https?://)?(?:www\.)?kaggle\.com/(?:competitions|c)/([^/?#\s]+)", text)
    return found[1] if found else text

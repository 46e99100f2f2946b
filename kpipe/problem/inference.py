"""What a competition leaves open, filled from its files: each field with its reason, and what is a guess called one."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

from kpipe.core.metrics import Metric, get_metric, over_targets
from kpipe.core.values import Reason, Splitter, Tables
from kpipe.data.column_types import is_free_text
from kpipe.data.dates import parse_dates
from kpipe.errors import DataError, UsageError
from kpipe.features.automatic import AutomaticFeatures
from kpipe.models import model
from kpipe.problem.competition import Competition, class_columns
from kpipe.problem.splitters import ByTime

__all__ = ["adapt", "asked_columns", "one_spelling", "resolve"]

_FOLDS = 5
# An integer target with more levels than this is a quantity. Digits have 10, quality grades about 10, MSSubClass 16.
_MOST_CLASSES = 20
_TIMES = re.compile(r"(?i)week|day|month|year|date|time|step|hour|period|quarter|block")
_TESTED_GROUPS = 0.02  # of test's rows may share a group with train where groups are taken to be apart
_ANY_TABLE = ("boosting", "linear", "catboost", "forest", "tabular-net")
_PROSE = ("text", "boosting", "linear", "catboost", "tabular-net")


def adapt(competition: Competition, tables: Tables) -> tuple[Competition, Tables]:
    """One spelling for the columns that the sample submission names, and a table's own groups out of its ids.

    ``id`` of test and ``ACTION`` of train take the sample's ``Id`` and ``Action``. Ids of the form ``gggg_pp`` give the
    columns "<id> group", "<id> number" and "<id> group size" (transductive: counted over train and test).
    """
    competition, tables = one_spelling(competition, tables)
    return competition, _with_groups_of_ids(competition, tables)


def one_spelling(competition: Competition, tables: Tables) -> tuple[Competition, Tables]:
    """Id and targets under the names that the sample submission has for them, in train and test."""
    names = [str(name) for name in tables.sample.columns]
    spelt: dict[str, str] = {}
    frames: dict[str, pd.DataFrame] = {}
    features = set(tables.train.columns) & set(tables.test.columns)  # spelt alike in both: no target of another name
    for role, frame in (("train", tables.train), ("test", tables.test)):
        close = {
            name: [
                c
                for c in frame.columns
                if c not in names and _plain(c) == _plain(name) and (name == names[0] or c not in features)
            ]
            for name in names
        }
        renamed = {found[0]: name for name, found in close.items() if len(found) == 1 and name not in frame.columns}
        if role == "test" and names[0] not in [*frame.columns, *renamed.values()]:
            renamed |= dict.fromkeys(_same_values(frame, tables.sample[names[0]])[:1], names[0])
        spelt |= renamed
        frames[role] = frame.rename(columns=renamed)
    if not spelt:
        return competition, tables
    target = tuple(spelt.get(name, name) for name in competition.targets)
    changed: Sequence[str] | str | None = target[0] if len(target) == 1 else target or None
    id = competition.id and spelt.get(competition.id, competition.id)
    return replace(competition, id=id, target=changed), replace(tables, train=frames["train"], test=frames["test"])


def _plain(name: object) -> str:
    return str(name).strip().lower().replace("_", "").replace(" ", "")


def _same_values(frame: pd.DataFrame, ids: pd.Series) -> list[str]:
    """Columns of a frame that hold the very ids of the sample submission."""
    wanted = set(ids.astype(str))
    return [c for c in frame.columns if frame[c].nunique() == len(wanted) and set(frame[c].astype(str)) == wanted]


def _with_groups_of_ids(competition: Competition, tables: Tables) -> Tables:
    id = competition.id or next(iter(_shared_ids(tables)), None)
    own = competition.columns is not None or competition.groups is not None or competition.models is not None
    if own or id is None or any(id not in frame.columns for frame in (tables.train, tables.test)):
        return tables
    if parse_dates(tables.train[id]) is not None:
        return tables
    parts = [frame[id].astype(str).str.extract(r"^(.*\w)[_-](\d{1,4})$") for frame in (tables.train, tables.test)]
    if any(part.isna().any(axis=None) for part in parts):
        return tables
    sizes = pd.concat([part[0] for part in parts]).value_counts()
    if not 1.05 < sizes.mean() < len(tables.train) / 10:
        return tables
    frames = [
        frame.assign(
            **{f"{id} group": part[0], f"{id} number": part[1].astype(int), f"{id} group size": part[0].map(sizes)}
        )
        for frame, part in zip((tables.train, tables.test), parts, strict=True)
    ]
    return replace(tables, train=frames[0], test=frames[1])


def resolve(competition: Competition, tables: Tables) -> Competition:
    """The competition with every open field filled, and why, from cleaned tables.

    Raises DataError where the files contradict the competition or leave a field open.
    """
    for step in (_id, _target, _task, _metric, _groups, _columns, _features, _splitter, _models):
        changes, reason = step(competition, tables)
        name = step.__name__.removeprefix("_")
        reasons = competition.inferred if reason is None else {**competition.inferred, name: reason}
        competition = replace(competition, **changes, inferred=reasons)  # type: ignore[arg-type]  # one field a step
    return competition


_Step = tuple[dict[str, object], Reason | None]


def _shared_ids(tables: Tables) -> list[str]:
    """What the sample submission shares with test; first what is different in each of its rows."""
    shared = [name for name in tables.sample.columns if name in tables.test.columns]
    return sorted(shared, key=lambda name: not tables.sample[name].is_unique)


def _id(competition: Competition, tables: Tables) -> _Step:
    sample, test = tables.sample.columns, tables.test.columns
    if competition.id is not None:
        if competition.id not in sample:
            raise DataError(f"The sample submission has no id column {competition.id!r}; it has: {', '.join(sample)}.")
        if competition.id in tables.train.columns and competition.id not in test:
            raise DataError(f"test.csv lacks the id column {competition.id!r}, which train.csv has.")
        return {}, None
    if shared := _shared_ids(tables):
        return {"id": shared[0]}, Reason(text="the column that the sample submission shares with test")
    alone = [name for name in sample if name not in tables.train.columns]
    if alone:
        return {"id": alone[0]}, Reason(text="the sample submission's column that neither train nor test has")
    raise DataError(f"No id column was found in the sample submission ({', '.join(sample)}). Name it with --id COLUMN.")


def asked_columns(competition: Competition, tables: Tables) -> list[str]:
    """The sample submission's columns that are to be predicted: but for the id, and for what it repeats of test."""
    others = [name for name in tables.sample.columns if name != competition.id]
    asked = [name for name in others if name in competition.targets or not _repeats_test(competition, tables, name)]
    told = [name for name in asked if name in (competition.targets or tables.train.columns)]
    # Beside a target, one word in every row of a column that train does not know asks for nothing (Usage: Public).
    idle = [name for name in asked if name not in told and _one_word(tables.sample[name])]
    return [name for name in asked if not (told and name in idle)] or others


def _one_word(column: pd.Series) -> bool:
    return not pd.api.types.is_numeric_dtype(column) and column.nunique(dropna=False) == 1


def _repeats_test(competition: Competition, tables: Tables, name: str) -> bool:
    """Whether the sample's column says what test says in the same row."""
    id, sample, test = competition.id, tables.sample, tables.test
    if name not in test.columns or id is None or id not in test.columns:
        return name in test.columns and name not in tables.train.columns
    if test[id].duplicated().any() or sample[id].duplicated().any():
        return True
    theirs = test.set_index(id)[name].reindex(sample[id])
    return bool((theirs.astype(str).to_numpy() == sample[name].astype(str).to_numpy()).all())


def _target(competition: Competition, tables: Tables) -> _Step:
    train = tables.train.columns
    asked = asked_columns(competition, tables)
    if competition.target is not None:
        if missing := [name for name in competition.targets if name not in train]:
            raise DataError(f"train.csv lacks the target {missing[0]!r}. It has: {', '.join(map(str, train))}.")
        return {}, None
    shared = [name for name in asked if name in train]
    if len(shared) == 1 == len(asked):
        return {"target": shared[0]}, Reason(text="the column that the sample submission shares with train")
    if len(shared) == len(asked) > 1:
        return {"target": tuple(shared)}, Reason(text="the columns that the sample submission shares with train")
    alone = [str(column) for column in train if column not in tables.test.columns and column != competition.id]
    for name in alone:
        if class_columns(asked, name, list(tables.train[name].dropna().unique())) is not None:
            return {"target": name}, Reason(text="the sample submission's columns are its levels")
    if len(alone) == 1 == len(asked):
        return {"target": alone[0]}, Reason(text="the only column of train that test lacks", guess=True)
    raise DataError(
        f"train.csv lacks the target: the sample submission asks for {', '.join(asked)}, "
        f"however train.csv has: {', '.join(map(str, train))}. Name it with --target COLUMN."
    )


def _task(competition: Competition, tables: Tables) -> _Step:
    for name in competition.targets:
        _check_target(tables.train[name], name)
    told_metric = get_metric(competition.metric) if isinstance(competition.metric, str) else competition.metric
    if told_metric is not None and told_metric.task == "classification":
        _check_flags(competition, tables)
    if competition.task is not None:
        return {}, None
    if told_metric is None and (told := _known(tables.source.metric)):
        return {"task": told.task}, Reason(text=f"what the metric of Kaggle's page judges: {tables.source.metric}")
    if told_metric is not None:
        return {"task": told_metric.task}, Reason(text=f"what the metric {told_metric.name} judges")
    if len(competition.targets) > 1:
        flags = all(set(tables.train[name].unique()) <= {0, 1} for name in competition.targets)
        text = "each target is 0 or 1" if flags else "the targets are numbers"
        return {"task": "classification" if flags else "regression"}, Reason(text=text)
    return _task_of_one(tables.train[competition.targets[0]], tables.sample[asked_columns(competition, tables)])


def _check_flags(competition: Competition, tables: Tables) -> None:
    """Several targets that are judged as classes must be 0 or 1 each."""
    for name in competition.targets if len(competition.targets) > 1 else ():
        strange = set(tables.train[name].unique()) - {0, 1}
        if strange:
            raise DataError(
                f"train.csv: of several targets each must be 0 or 1 for this metric, however {name!r} holds "
                f"{', '.join(sorted(map(str, strange))[:3])}. Name one with --target, or choose another --metric."
            )


def _task_of_one(y: pd.Series, asked: pd.DataFrame) -> _Step:
    if asked.shape[1] > 1 and y.name not in asked:
        return {"task": "classification"}, Reason(text="the sample submission has one column per class")
    if not pd.api.types.is_numeric_dtype(y) or pd.api.types.is_bool_dtype(y):
        return {"task": "classification"}, Reason(text=f"{y.name} holds labels")
    levels = y.nunique()
    if levels > 2 and _fractions(asked.iloc[:, 0]):
        return {"task": "regression"}, Reason(text="the sample submission holds fractions", guess=True)
    whole = bool((y % 1 == 0).all()) and pd.api.types.is_integer_dtype(asked.iloc[:, 0])
    if levels == 2 or ((whole or pd.api.types.is_integer_dtype(y)) and levels <= _MOST_CLASSES):
        return {"task": "classification"}, Reason(text=f"{y.name} has only {levels} levels", guess=levels > 2)
    return {"task": "regression"}, Reason(text=f"{y.name} has {levels} different numbers")


def _fractions(values: pd.Series) -> bool:
    return pd.api.types.is_float_dtype(values) and bool((values.dropna() % 1 != 0).any())


def _check_target(y: pd.Series, target: str) -> None:
    gaps = np.flatnonzero(y.isna())
    if len(gaps) == len(y):
        raise DataError(f"train.csv: the target {target!r} is missing in every row.")
    if len(gaps):
        raise DataError(
            f"train.csv: the target {target!r} is missing in {len(gaps)} of {len(y)} rows, first in row {gaps[0] + 1}. "
            "Remove these rows: nothing can be learned from them."
        )
    if y.nunique() == 1:
        raise DataError(
            f"train.csv: the target {target!r} is {y.iloc[0]} in every row: there is nothing to tell apart."
        )


def _metric(competition: Competition, tables: Tables) -> _Step:
    count = len(competition.targets)
    if competition.metric is not None:
        named = isinstance(competition.metric, str)
        metric = get_metric(competition.metric) if isinstance(competition.metric, str) else competition.metric
        if metric.task != competition.task:
            raise UsageError(
                f"The metric {metric.name} judges a {metric.task}, however: {competition.slug} is a {competition.task}."
            )
        spread = count > 1 and metric.single is None
        if metric.log_target and metric.domain is None and (tables.train[list(competition.targets)] < 0).any(axis=None):
            metric, named = replace(metric, log_target=False), True  # such targets have no logarithm
        return {"metric": over_targets(metric, count) if spread else metric} if named or spread else {}, None
    metric, reason = _metric_of_page(competition, tables) or _usual_metric(competition, tables)
    return {"metric": over_targets(metric, count) if count > 1 else metric}, reason


def _metric_of_page(competition: Competition, tables: Tables) -> tuple[Metric, Reason] | None:
    """The metric that Kaggle's page names, where kpipe knows it and it fits the files."""
    metric = _known(tables.source.metric)
    if metric is None or metric.task != competition.task:
        return None
    return metric, Reason(text=f"Kaggle's page names it: {tables.source.metric}")


def _known(name: str) -> Metric | None:
    try:
        return get_metric(name)
    except UsageError:
        return None


def _usual_metric(competition: Competition, tables: Tables) -> tuple[Metric, Reason]:
    name, why = _usual(competition, tables)
    page = f"; Kaggle's page says {tables.source.metric!r}, which kpipe does not know" if tables.source.metric else ""
    return get_metric(name), Reason(text=f"{why}; set another with --metric{page}", guess=True)


def _usual(competition: Competition, tables: Tables) -> tuple[str, str]:
    """The metric that is usual for what a submission looks like, and why."""
    asked = asked_columns(competition, tables)
    if competition.task == "regression":
        return "rmse", "usual for values"
    if len(asked) > 1 and not set(asked) & set(competition.targets):
        return "log_loss", "usual for one probability per class"
    placeholder = tables.sample[asked[0]]
    if placeholder.dtype.kind == "f":
        return "auc", "the sample submission holds probabilities"
    labels = tables.train[competition.targets[0]]
    if not pd.api.types.is_numeric_dtype(placeholder) and placeholder.astype(str).str.contains(" ").mean() > 0.5:
        ranked = int(placeholder.astype(str).str.count(r"\S+").max())
        if labels.nunique() > ranked > 1 and not labels.astype(str).str.contains(" ").any():
            return f"map@{ranked}", f"the sample submission ranks {ranked} labels in each row"
    return "accuracy", "the sample submission holds labels"


def _groups(competition: Competition, tables: Tables) -> _Step:
    if competition.groups is not None:
        _check_groups(tables.train, competition.groups)
        return {}, None
    if competition.split is not None:
        return _groups_by(competition.split, tables)
    if competition.splitter is not None or competition.columns is not None:
        return {}, None
    for name, values in _candidates_for_groups(competition, tables):
        known = float(tables.test[name].isin(values.unique()).mean())
        if known <= _TESTED_GROUPS:
            text = f"its values repeat, and {1 - known:.0%} of test's rows have one that train lacks"
            return {"groups": name}, Reason(text=text, guess=True)
    return {}, None


def _groups_by(split: str, tables: Tables) -> _Step:
    if split == "rows":
        return {}, None
    for name, frame in (("train", tables.train), ("test", tables.test)):
        if split not in frame.columns:
            raise DataError(f"{name}.csv lacks the column {split!r} to split by. It has: {', '.join(frame.columns)}.")
    if parse_dates(tables.train[split]) is not None:
        return {}, None
    _check_groups(tables.train, split)
    return {"groups": split}, Reason(text="the column to split by")


def _candidates_for_groups(competition: Competition, tables: Tables) -> Iterator[tuple[str, pd.Series]]:
    """Columns of labels or whole numbers that stand for a thing with several rows each, in train and in test."""
    for name in tables.train.columns:
        values = tables.train[name]
        if name not in tables.test.columns or name == competition.id or values.dtype.kind in "fbM" or values.hasnans:
            continue
        if _is_later(values, tables.test[name]):
            continue
        levels, tested = values.nunique(), tables.test[name].nunique()
        if 20 <= levels <= len(values) / 1.15 and 5 <= tested <= len(tables.test) and parse_dates(values) is None:
            yield str(name), values


def _check_groups(train: pd.DataFrame, groups: str) -> None:
    if groups not in train.columns:
        raise DataError(f"train.csv lacks the groups column {groups!r}. It has: {', '.join(map(str, train.columns))}.")
    gaps = np.flatnonzero(train[groups].isna())
    if len(gaps):
        raise DataError(
            f"train.csv: the groups column {groups!r} is missing in {len(gaps)} of {len(train)} rows, "
            f"first in row {gaps[0] + 1}. Give these rows groups in clean."
        )


def _columns(competition: Competition, tables: Tables) -> _Step:
    if competition.columns is not None:
        for name, frame in (("train", tables.train), ("test", tables.test)):
            missing = [column for column in competition.columns if column not in frame.columns]
            if missing:
                raise DataError(
                    f"{name}.csv lacks the feature column{'s' * (len(missing) > 1)} {', '.join(map(repr, missing))}, "
                    f"which {competition.slug} trains on."
                )
        seen = tuple(column for column in competition.columns if column not in competition.drop)
        return {"columns": seen} if competition.drop else {}, None
    apart = {competition.id, competition.groups, *competition.targets, *competition.drop}
    kept = [c for c in tables.train.columns if c in tables.test.columns and c not in apart]
    if unknown := [name for name in competition.drop if name not in tables.train.columns]:
        raise DataError(
            f"train.csv lacks the column {unknown[0]!r} to drop. It has: {', '.join(tables.train.columns)}."
        )
    numbering = [c for c in kept if _is_row_number(tables.train[c])]
    kept = [c for c in kept if c not in numbering]
    dated = competition.id in tables.train.columns and parse_dates(tables.train[competition.id]) is not None
    if dated and competition.id in tables.test.columns:
        kept = [str(competition.id), *kept]
    if not kept:
        raise DataError("train.csv and test.csv share no column to learn from, besides the id.")
    left = [c for c in tables.train.columns if c not in tables.test.columns and c not in competition.targets]
    text = "the columns that train and test share"
    text += f", but for row numbers ({', '.join(numbering)})" if numbering else ""
    text += "; the id is a date, and says something" if dated else ""
    reason = Reason(text=f"{text}; test lacks {', '.join(map(str, left))}" if left else text, guess=bool(left))
    return {"columns": tuple(kept)}, reason


def _is_row_number(column: pd.Series) -> bool:
    """Whether a column counts the rows. A part of the rows would not show it, so it is decided here for all folds."""
    return pd.api.types.is_integer_dtype(column) and len(column) > 2 and bool((column.diff().iloc[1:] == 1).all())


def _features(competition: Competition, tables: Tables) -> _Step:
    if competition.features is not None or competition.models is not None:
        return {}, None
    columns = tables.train[list(competition.columns or ())]
    if bool((columns.dtypes == np.uint8).all()):
        return {}, None
    automatic = AutomaticFeatures()
    return {"features": automatic}, Reason(text="dates, prose, many levels and what says nothing, seen to in each fold")


def _splitter(competition: Competition, tables: Tables) -> _Step:
    if competition.splitter is not None:
        return {}, None
    settings = {"n_splits": _FOLDS, "shuffle": True, "random_state": 0}
    classes = competition.task == "classification" and len(competition.targets) == 1
    if competition.groups is not None:
        kind: type[Splitter] = StratifiedGroupKFold if classes else GroupKFold
        return {"splitter": kind(**settings)}, Reason(text=f"rows of one {competition.groups} stay together")
    if (column := _time_of_test(competition, tables)) is not None:
        text = f"test lies after train by {column}, so that each fold validates what comes after it"
        return {"splitter": ByTime(column)}, Reason(text=text, guess=True)
    if classes:
        return {"splitter": StratifiedKFold(**settings)}, Reason(text="classes keep their shares", guess=True)
    return {"splitter": KFold(**settings)}, Reason(text="rows are taken as independent", guess=True)


def _time_of_test(competition: Competition, tables: Tables) -> str | None:
    """The column of dates by which nearly all of test comes after nearly all of train; or the one that was named."""
    if competition.split is not None:
        return competition.split if competition.split != "rows" and competition.groups is None else None
    for name in competition.columns or ():
        train, test = parse_dates(tables.train[name]), parse_dates(tables.test[name])
        dated = train is not None and test is not None and test.quantile(0.01) >= train.quantile(0.99)
        if (dated or _is_later(tables.train[name], tables.test[name])) and _can_be_split(tables.train, str(name)):
            return str(name)
    return None


def _is_later(train: pd.Series, test: pd.Series) -> bool:
    """Whether whole numbers that are called a time are greater in test than in train."""
    whole = pd.api.types.is_integer_dtype(train) and pd.api.types.is_integer_dtype(test)
    return whole and _TIMES.search(str(train.name)) is not None and bool(test.min() > train.max())


def _can_be_split(train: pd.DataFrame, column: str) -> bool:
    try:
        return len(list(ByTime(column).split(train))) > 0
    except ValueError:
        return False


def _models(competition: Competition, tables: Tables) -> _Step:
    if competition.models is not None:
        return {}, None
    columns = tables.train[list(competition.columns or ())]
    if bool((columns.dtypes == np.uint8).all()):
        return _models_of_pixels(competition, columns.shape[1])
    names = _PROSE if any(is_free_text(columns[name]) for name in columns) else _ANY_TABLE
    return {"models": {name: model(name) for name in names}}, Reason(text="the models for any table")


def _models_of_pixels(competition: Competition, count: int) -> _Step:
    # Few trees over few columns: counting them over hundreds of columns would take the better part of an hour.
    trees = model("boosting", n_estimators=100, learning_rate=0.1, colsample_bytree=0.2)
    side = math.isqrt(count)
    if competition.task == "classification" and side * side == count:
        nets = {name: model(name, shape=(side, side, 1)) for name in ("convnet", "convnet-large")}
        reason = Reason(text=f"pictures of {side} x {side} pixels", guess=True)
        usual = {"default": competition.default or ("convnet",), "budgeted": competition.budgeted or ("convnet-large",)}
        return {"models": {**nets, "boosting": trees}, **usual}, reason
    return {"models": {"neural": model("neural"), "boosting": trees}}, Reason(text="columns of bytes, as of pixels")

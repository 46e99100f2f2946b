"""Infer which models are trained."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial

import pandas as pd

from kpipe.core.values import Reason, Tables
from kpipe.data.column_types import is_free_text, is_pixel_table
from kpipe.data.dates import parse_dates
from kpipe.data.pixels import picture_columns, picture_shape
from kpipe.models import model
from kpipe.models.picture_weights import why_no_torchvision
from kpipe.problem.competition import Competition, Factory
from kpipe.problem.inference.step import NOTHING, Step
from kpipe.problem.splitters import ByTime

__all__ = ["infer_models"]

_Names = tuple[str, ...]

_ANY_TABLE = ("boosting", "linear", "catboost", "forest", "tabular-net")
_FREE_TEXT = ("boosting", "linear", "catboost", "tabular-net")  # after those of the text
_MANY_ROWS = ("boosting", "linear", "catboost")  # a forest or a net would take longer than these three together
# CatBoost with as many trees as inner splits ask for, at a slow rate. Where a table has little noise, its own 400 trees
# are far too few; where there are many classes or cells, counting takes too long.
_COUNTED = model("catboost", iterations=3000, learning_rate=0.05, early_stopping_rounds=50)
_COUNTED_CLASSES = 3  # of 7 classes a fit takes 43 s for 1,479 rows: each round grows a tree for each class
_COUNTED_CELLS = 800_000  # a fit of 47,000 rows x 13 columns takes 7 s
# What a budget adds. Trees with random cut points differ most from boosting's (Geurts et al., 2006; in LightGBM,
# Erickson et al., "AutoGluon-Tabular", 2020). CatBoost's large trees (rate, depth, leaf steps: Holzmueller et al.,
# "Better by Default", 2024, table C.5). Trees grown to single rows suit targets with little noise. Measured:
# docs/decisions/0007-any-competition.md.
_DEEP = {"iterations": 1000, "learning_rate": 0.15, "depth": 7, "leaf_estimation_iterations": 1}
_FURTHER = {
    "boosting-random": model("boosting", extra_trees=True),
    "catboost-deep": model("catboost", **_DEEP, early_stopping_rounds=50),
    "forest-deep": model("forest", min_samples_leaf=1),
}
# The orders in which a budget trains models: in that of what they bring for their time. Where there are many classes
# and rows, random cut points and trees of single rows are far better than the usual ones, and each model takes long.
_ORDER = ("boosting", "linear", "catboost", "forest", "catboost-deep", "tabular-net", "boosting-random")
_ORDER_OF_MANY_CLASSES = ("boosting", "boosting-random", "forest-deep", "tabular-net-large", "catboost-deep", "linear")
_LARGE_NET = model("tabular-net", hidden=128, dropout=0.1, epochs=40, budget=1000.0)
_MANY_CLASSES = 50_000  # rows times classes
_FURTHER_OF_MANY_ROWS = {"boosting-random": _FURTHER["boosting-random"], "tabular-net": model("tabular-net")}
_MANY = 200_000  # rows
_WIDE = 1_000  # columns from which a fit of boosting takes more than ten times as long as one of linear


def infer_models(competition: Competition, tables: Tables) -> Step:
    """The models for any table, for tables with free text, or for pixels."""
    if competition.models is not None:
        return NOTHING
    columns = tables.train[list(competition.columns or ())]
    pixels = picture_columns(columns.columns)
    if is_pixel_table(columns) and not pixels:
        return _models_of_pixels(competition, columns.shape[1])
    if pixels:
        return _models_of_pictures(competition, columns, pixels)
    names, further, order, reason = _models_of_table(competition, tables, columns)
    if _asks_for_the_future(competition, columns):
        names, order = ("calendar", *names), ("calendar", *order)
        reason += ", and 'calendar', which continues levels and seasons into the future"
    models = {name: model(name) for name in names} | further
    models = {name: models[name] for name in dict.fromkeys((*order, *models)) if name in models}
    budgeted = competition.budgeted or tuple(name for name in models if name in further and name not in names)
    return {"models": models, "default": competition.default or names, "budgeted": budgeted}, Reason(text=reason)


def _models_of_table(
    competition: Competition, tables: Tables, columns: pd.DataFrame
) -> tuple[_Names, dict[str, Factory], _Names, str]:
    """The default models, those that a budget adds, the order in which a budget trains them, and the reason."""
    reason = "the default models for tables"
    many, wide = len(columns) >= _MANY, columns.shape[1] >= _WIDE
    n_classes = _count_classes(competition, tables)
    further: dict[str, Factory] = {**(_FURTHER_OF_MANY_ROWS if many else _FURTHER)}
    if any(is_free_text(columns[name]) for name in columns):
        weights = competition.weights if isinstance(competition.weights, Mapping) else {}
        embeddings = ("sentence-embeddings",) if weights.get("sentences") is not None else ()
        names: _Names = ("text", *embeddings, *_FREE_TEXT)
    else:
        names = _MANY_ROWS if many else _ANY_TABLE
    if wide:
        names = ("linear", *(name for name in names if name != "linear"))
        return names, further, (), f"{reason}, the fastest for {columns.shape[1]:,} columns first"
    if many or "text" in names:
        return names, further, (), reason
    if n_classes > 2 and n_classes * len(columns) >= _MANY_CLASSES:
        return names, further | {"tabular-net-large": _LARGE_NET}, _ORDER_OF_MANY_CLASSES, reason
    if n_classes <= _COUNTED_CLASSES and len(competition.targets) == 1 and columns.size <= _COUNTED_CELLS:
        further |= {"catboost": _COUNTED}
    return names, further, _ORDER, reason


def _count_classes(competition: Competition, tables: Tables) -> int:
    """The classes of a single target; 0 without classes, or with several targets."""
    if competition.task != "classification" or len(competition.targets) > 1:
        return 0
    return int(tables.train[competition.targets[0]].nunique())


def _asks_for_the_future(competition: Competition, columns: pd.DataFrame) -> bool:
    """Whether numbers are to be predicted for dates after those of train."""
    if competition.task != "regression" or not isinstance(competition.splitter, ByTime):
        return False
    return any(parse_dates(columns[name]) is not None for name in columns)


def _models_of_pictures(competition: Competition, columns: pd.DataFrame, pixels: list[str]) -> Step:
    """A network for the pictures, and models of a table for the columns beside them."""
    height, width, channels = picture_shape(pixels) or (0, 0, 0)
    net = partial(model, "photo-net", shape=(height, width, channels))
    models, frozen, tuned = {"photo-net": net()}, {}, {}
    weights = competition.weights.get("pictures") if isinstance(competition.weights, Mapping) else None
    if weights is not None:
        models, frozen = {"pretrained": model("pretrained")} | models, {"pretrained-192": model("pretrained", side=192)}
        # Fine-tuned by fastai, EfficientNet-Lite was far worse than its frozen features (0018-pretrained.md).
        if not (why_no_torchvision() or weights.architecture.startswith("efficientnet-lite")):
            tuned = {"vision-learner": model("vision-learner")}
    reason = f"pictures of {height} x {width} pixels"
    if columns.shape[1] > len(pixels):
        models |= {name: model(name) for name in ("boosting", "linear")}
        beside = columns.shape[1] - len(pixels)
        reason += f", and {beside} column{'s' * (beside > 1)} beside them"
    # Within a budget, the long training takes the place of the usual one, for as many of its steps as there is time
    # for: beyond them a second seed brings more. The quick one is for a first try.
    further = frozen | {"photo-net-long": net(epochs=60, min_steps=2250)} | tuned
    default, budgeted = competition.default or tuple(models), competition.budgeted or tuple(further)
    models |= further | {"photo-net-quick": net(epochs=3, min_steps=120)}
    return {"models": models, "default": default, "budgeted": budgeted}, Reason(text=reason)


def _models_of_pixels(competition: Competition, count: int) -> Step:
    # Few trees, each on a fifth of the columns: with the defaults, hundreds of columns would take most of an hour.
    trees = model("boosting", n_estimators=100, learning_rate=0.1, colsample_bytree=0.2)
    side = math.isqrt(count)
    if competition.task == "classification" and side * side == count:
        nets = {name: model(name, shape=(side, side, 1)) for name in ("convnet", "convnet-large")}
        reason = Reason(text=f"images of {side} x {side} pixels", guess=True)
        usual = {"default": competition.default or ("convnet",), "budgeted": competition.budgeted or ("convnet-large",)}
        return {"models": {**nets, "boosting": trees}, **usual}, reason
    reason = Reason(text="all columns hold numbers from 0 to 255, as pixels do")
    return {"models": {"neural": model("neural"), "boosting": trees}}, reason

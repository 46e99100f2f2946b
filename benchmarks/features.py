"""What each family of features is worth on rows that took no part in choosing it, and what inner splits choose.

    python benchmarks/features.py [--folds 2] [--families FAMILY ...] [TABLE ...]

A table is the name of a zip in KPIPE_TEST_DATA, read without its module, or a made one: ``made-forest`` (15,000 rows
that resemble forest cover: 7 classes by combinations of distances, 40 soil types one-hot encoded) and
``made-playground`` (30,000 rows: a cross of two categories, a number that is a category, a number against its group's
mean). LightGBM, stopped early on inner rows, learns with and without each family, whether or not inner splits would
keep it. Printed are the loss of validation rows (log loss or squared error), the paired difference with its standard
error, what the inner splits say (gain in standard errors), and last the families that were kept, together.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier, LGBMRegressor, early_stopping

import kpipe
from kpipe.features import NativeCategories
from kpipe.features.automatic import AutomaticFeatures
from kpipe.features.families import FAMILIES
from kpipe.features.family_choice import Choice, choose_families
from kpipe.problem.problem import define_problem
from kpipe.training.folds import make_folds

KAGGLE = Path(os.environ.get("KPIPE_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "kaggle"))
TABLES = (
    "playground-series-s3e2",
    "playground-series-s3e25",
    "playground-series-s3e26",
    "spaceship-titanic",
    "house-prices-advanced-regression-techniques",
    "made-forest",
    "made-playground",
)
SETTINGS = {
    **{"n_estimators": 1000, "learning_rate": 0.06, "num_leaves": 15},
    **{"colsample_bytree": 0.6, "subsample": 0.8, "subsample_freq": 1, "verbosity": -1, "n_jobs": 1},
}

Table = tuple[pd.DataFrame, np.ndarray, list[tuple[np.ndarray, np.ndarray]]]


def made_forest(rows: int = 15_000) -> tuple[pd.DataFrame, np.ndarray]:
    draw = np.random.default_rng(3)
    n = 20 * rows  # from which as many of each class are drawn
    area = draw.choice(4, n, p=[0.24, 0.03, 0.42, 0.31])
    height = np.round(2750 + np.array([270, 315, 135, -315])[area] + draw.normal(0, 230, n))
    water = np.round(150 * np.hypot(*draw.exponential(1, (2, n))))
    below = np.round(water * draw.normal(0.2, 0.22, n))
    road, fire = np.round(draw.gamma(2, 860, n)), np.round(draw.gamma(2.2, 690, n))
    band = np.clip((height - 1900) // 300, 0, 5).astype(int)
    shares = draw.dirichlet(np.full(40, 0.35), size=(4, 6)).cumsum(axis=2)
    soil = np.minimum((draw.random(n)[:, None] > shares[area, band]).sum(axis=1), 39)
    centres, widths = (
        np.array([3130, 2920, 2400, 2230, 2790, 2420, 3360]),
        np.array([150, 170, 190, 120, 130, 190, 110]),
    )
    score = -0.5 * (((height - below)[:, None] - centres) / widths) ** 2
    score += draw.normal(0, 1.1, (40, 7))[soil] + draw.normal(0, 1, (4, 7))[area]
    for combined in (
        (fire + road) / 3000,
        np.abs(road - fire) / 1500,
        np.hypot(water, below) / 200,
        (water - road) / 1500,
    ):
        score += draw.normal(0, 1, 7) * combined[:, None]
    label = (1.6 * score - 1.3 * score.mean(axis=0) + 0.8 * draw.gumbel(size=(n, 7))).argmax(axis=1)
    numbers = {
        "height": height,
        "water": water,
        "below": below,
        "road": road,
        "fire": fire,
        "noise": draw.normal(size=n),
    }
    X = pd.DataFrame(numbers | {f"soil_{k}": (soil == k).astype(int) for k in range(40)})
    X = X.assign(**{f"area_{k}": (area == k).astype(int) for k in range(4)})
    picked = np.concatenate([draw.permutation(np.flatnonzero(label == k))[: rows // 7] for k in range(7)])
    picked = draw.permutation(picked)
    return X.iloc[picked].reset_index(drop=True), label[picked]


def made_playground(rows: int = 30_000) -> tuple[pd.DataFrame, np.ndarray]:
    draw = np.random.default_rng(7)
    codes = {f"cat_{k}": draw.integers(0, k, rows) for k in (3, 8, 12, 24, 150)}
    numbers = {f"num_{k}": draw.normal(size=rows).round(2) for k in range(6)} | {"code": draw.integers(0, 200, rows)}
    score = (
        0.6 * draw.normal(size=(12, 24))[codes["cat_12"], codes["cat_24"]]
        + 0.6 * draw.normal(size=200)[numbers["code"]]
    )
    score += 0.4 * np.sin(2 * numbers["num_0"]) + 0.1 * numbers["num_1"] * numbers["num_2"]
    numbers["num_3"] = (numbers["num_3"] + 2 * draw.normal(size=150)[codes["cat_150"]]).round(2)
    means = pd.Series(numbers["num_3"]).groupby(codes["cat_150"]).transform("mean").to_numpy()
    score += 0.8 * np.tanh(2 * (numbers["num_3"] - means))
    X = pd.DataFrame(numbers | {name: pd.Series(code).map("v{}".format) for name, code in codes.items()})
    return X, (draw.random(rows) < 1 / (1 + np.exp(-score))).astype(int)


MADE: dict[str, Callable[[], tuple[pd.DataFrame, np.ndarray]]] = {
    "made-forest": made_forest,
    "made-playground": made_playground,
}


def read(name: str) -> Table:
    if name in MADE:
        X, y = MADE[name]()
        fold = np.random.default_rng(0).permutation(len(y)) % 5
        return X, y, [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(5)]
    tables = kpipe.load(name, KAGGLE / f"{name}.zip")
    problem = define_problem(kpipe.Competition(slug=f"bare-{name}", target=None), tables)
    folds = make_folds(problem)
    y = np.log1p(problem.y) if problem.metric.log_target or problem.y.max() > 10_000 else problem.y  # prices
    return problem.X, y, list(zip(folds.train, folds.valid, strict=True))


def row_losses(
    features: AutomaticFeatures, X: pd.DataFrame, y: np.ndarray, train: np.ndarray, valid: np.ndarray
) -> np.ndarray:
    encoder = NativeCategories()
    table = encoder.fit_transform(features.fit_transform(X.iloc[train], y[train]))
    other = encoder.transform(features.transform(X.iloc[valid]))
    inner = np.arange(len(train)) % 6 == 0  # rows that tell when to stop
    of_class = y.dtype.kind != "f"
    model = (LGBMClassifier if of_class else LGBMRegressor)(**SETTINGS)
    stop = early_stopping(30, verbose=False)
    model.fit(table[~inner], y[train][~inner], eval_X=table[inner], eval_y=y[train][inner], callbacks=[stop])
    if of_class:
        return np.asarray(-np.log(np.maximum(model.predict_proba(other)[np.arange(len(valid)), y[valid]], 1e-15)))
    return np.asarray((model.predict(other) - y[valid]) ** 2)


class Fixed(AutomaticFeatures):
    """Automatic features with a family that is kept in any case; ``said`` collects what the inner splits say."""

    def __init__(self, family: str, said: list[str]) -> None:
        super().__init__()
        self.family, self.said = family, said

    def _choose_families(self, X: pd.DataFrame, y: np.ndarray) -> dict[str, Choice]:
        every = choose_families(
            lambda: AutomaticFeatures(families=()), X, y, families=[self.family], random_state=0, least=-np.inf
        )
        self.said += [f"{choice.gain / (choice.standard_error or 1):+.1f}" for choice in every.values()]
        return every


def print_row(name: str, losses: np.ndarray, without: np.ndarray, seconds: float, notes: str) -> None:
    difference = losses - without
    error = difference.std() / np.sqrt(len(difference))
    change = f"{difference.mean():+.5f} ± {error:.5f} ({difference.mean() / (error or 1):+.1f})"
    print(
        f"| {name} | {losses.mean():.5f} | {change} | {seconds:.0f} s | {notes} |",
        flush=True,
    )


def ablate(name: str, families: Sequence[str], *, n_folds: int) -> None:
    X, y, folds = read(name)
    folds = folds[:n_folds]

    def measure(made: Sequence[AutomaticFeatures]) -> tuple[np.ndarray, float]:
        start = time.process_time()
        losses = [row_losses(one, X, y, *fold) for one, fold in zip(made, folds, strict=True)]
        return np.concatenate(losses), (time.process_time() - start) / len(folds)

    print(f"\n{name}: {X.shape[0]:,} rows x {X.shape[1]}, {n_folds} fold{'s' * (n_folds > 1)}\n")
    print("| family | loss | difference (standard errors) | CPU of a fold | inner splits: standard errors better |")
    print("|---|---|---|---|---|")
    without, seconds = measure([AutomaticFeatures(families=()) for _ in folds])
    print_row("none", without, without, seconds, "")
    for family in families:
        said: list[str] = []
        losses, seconds = measure([Fixed(family, said) for _ in folds])
        if said:
            print_row(family, losses, without, seconds, ", ".join(said))
    chosen = [AutomaticFeatures() for _ in folds]
    losses, seconds = measure(chosen)
    kept = ["+".join(family.name for family in one.families_) or "none" for one in chosen]
    print_row("chosen", losses, without, seconds, "; ".join(kept))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="*", default=TABLES)
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument("--families", nargs="*", choices=FAMILIES, default=list(FAMILIES))
    options = parser.parse_args()
    for name in options.tables:
        ablate(name, options.families, n_folds=options.folds)


if __name__ == "__main__":
    main()

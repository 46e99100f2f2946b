"""What every competition folder promises, without a line from its author."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from kpipe import competitions
from kpipe.core.values import Context, Tables
from kpipe.data.loading import load
from kpipe.errors import UsageError
from kpipe.models import CATALOG, model
from kpipe.problem.competition import find, unchanged
from kpipe.problem.problem import Problem, define_problem
from kpipe.training.folds import make_folds

SLUGS = competitions.slugs()

pytestmark = pytest.mark.parametrize("slug", SLUGS)


@cache
def sample(slug: str) -> Tables:
    competition = find(slug)
    folder = competitions.folder(slug)
    assert folder is not None
    return load(slug, folder / "sample", text=competition.text, id=competition.id)


@cache
def problem_of(slug: str) -> Problem:
    """The problem of the cleaned sample."""
    return define_problem(replace(find(slug), clean=unchanged), find(slug).clean(sample(slug)))


def take(tables: Tables, rows: np.ndarray) -> Tables:
    train = tables.train.iloc[rows % len(tables.train)].reset_index(drop=True)
    test = tables.test.iloc[rows % len(tables.test)].reset_index(drop=True)
    return replace(tables, train=train, test=test)


@cache
def import_torch() -> set[str]:
    """The competitions after whose import torch is loaded."""
    code = (
        "import sys; from kpipe.problem.competition import find\n"
        "for slug in sys.argv[1:]:\n"
        "    find(slug)\n"
        "    if 'torch' in sys.modules: print(slug)\n"
        "    for name in [name for name in sys.modules if name.partition('.')[0] == 'torch']: del sys.modules[name]"
    )
    command = [sys.executable, "-c", code, *SLUGS]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_it_imports_without_torch(slug: str) -> None:
    assert slug not in import_torch()


def test_its_slug_is_the_name_of_its_folder(slug: str) -> None:
    assert find(slug).slug == slug


def test_it_has_a_sample_and_a_readme(slug: str) -> None:
    folder = competitions.folder(slug)
    assert folder is not None
    assert (folder / "README.md").is_file()
    assert {"train.csv", "test.csv"} < {path.name for path in (folder / "sample").iterdir()}


def test_clean_leaves_rows_ids_and_targets(slug: str) -> None:
    competition, before = find(slug), sample(slug)
    after = competition.clean(before)
    for old, new in ((before.train, after.train), (before.test, after.test)):
        assert len(new) == len(old)
        for name in (competition.id, competition.target):
            if name in old.columns:
                pd.testing.assert_series_equal(new[name], old[name])


@pytest.mark.parametrize("seed", [0, 1])
def test_clean_commutes_with_taking_rows(slug: str, seed: int) -> None:
    tables, clean = sample(slug), find(slug).clean
    rows = np.random.default_rng(seed).permutation(len(tables.train))[:50]
    first, last = clean(take(tables, rows)), take(clean(tables), rows)
    pd.testing.assert_frame_equal(first.train, last.train)
    pd.testing.assert_frame_equal(first.test, last.test)


def test_features_are_fitted_without_the_target_and_survive_clone_pickle_and_a_worker(slug: str) -> None:
    problem = problem_of(slug)
    tables = problem.tables
    assert not set(problem.targets) & set(problem.columns)
    if problem.features is None:
        return
    X, X_test = (frame[list(problem.columns)] for frame in (tables.train, tables.test))
    fitted = clone(problem.features).fit(X)
    there_and_back = pickle.loads(pickle.dumps(fitted))
    pd.testing.assert_frame_equal(fitted.transform(X_test), there_and_back.transform(X_test))
    shuffled = X_test.iloc[::-1]
    pd.testing.assert_frame_equal(fitted.transform(shuffled), fitted.transform(X_test).iloc[::-1])


def test_its_splitter_splits_twice_the_same_on_another_table_too(slug: str) -> None:
    problem = problem_of(slug)
    tables = problem.tables
    half = take(tables, np.arange(len(tables.train)).reshape(2, -1).T.ravel()[: len(tables.train) // 2])
    for table in (tables, half, tables):
        first, second = (make_folds(problem.with_tables(table), seed=3) for _ in range(2))
        for a, b in zip(first.train + first.valid, second.train + second.valid, strict=True):
            np.testing.assert_array_equal(a, b)
        assert all(rows.max() < len(table.train) for rows in first.train + first.valid)


def test_every_model_factory_gives_an_estimator_that_clones_and_pickles(slug: str) -> None:
    problem = problem_of(slug)
    n_classes = 0 if problem.labels is None else len(problem.labels)
    context = Context(task=problem.task, n_classes=n_classes)
    assert len(problem.models) >= 3
    refusals = []
    for factory in (*problem.models.values(), *map(model, CATALOG)):
        try:
            estimator = pickle.loads(pickle.dumps(factory))(context)
        except UsageError as refused:  # of the catalogue's models, some are for classes, or for two of them, alone
            refusals.append((factory in problem.models.values(), str(refused)))
            continue
        assert repr(clone(estimator)) == repr(estimator)
        pickle.loads(pickle.dumps(estimator))
    for own, words in refusals:
        assert not own
        assert re.search(
            r"needs (two classes|classes|a numeric target|torchvision), but .* Choose another"
            r"|kpipe\[(xgboost|pictures|transformers)\]",
            words,
        )

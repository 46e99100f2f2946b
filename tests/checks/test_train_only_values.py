"""Words that only train has, and that say the class there, are found; words that both tables have pass."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from kpipe.checks.train_only_values import values_of_train_only
from tests.checks.prepared_tables import from_frame, make_prepared
from tests.plants import Prepared
from tests.tables import prepared


def remarks(y: Sequence[int], rng: np.random.Generator, *, told: float) -> np.ndarray:
    said = ["got well", "passed away"]
    end = [said[v] if rng.random() < told else "routine" for v in y]
    return np.array([f"visit {rng.integers(1, 99)}, ward {rng.choice(list('abc'))}, {e}" for e in end], dtype=object)


def found(given: Prepared) -> list[tuple[str, str]]:
    return list(values_of_train_only(given.problem, given.folds))


@pytest.mark.parametrize("told", [0.3, 0.9])
def test_a_remark_that_was_added_once_the_target_was_known_fails(told: float) -> None:
    rng, given = np.random.default_rng(0), make_prepared(n=900, m=600)
    other = rng.integers(0, 2, 600)
    train, test = remarks(given.y.tolist(), rng, told=told), remarks(other.tolist(), rng, told=0)
    [(status, text)] = found(given.with_column("remark", train, test))
    assert status == "fail"
    assert text.startswith("remark reveals y in rows of train by values that no row of test has: ")
    assert "away" in text
    assert "--drop remark" in text
    assert found(given.with_column("remark", train, remarks(other.tolist(), rng, told=told))) == []
    assert found(given.with_column("remark", rng.permutation(train), test)) == []


def test_categories_of_one_class_warn() -> None:
    rng, given = np.random.default_rng(0), make_prepared(n=900, m=600)
    train = np.where((given.y == 1) & (rng.random(900) < 0.4), "z17", rng.choice(["x1", "x2", "x3"], 900))
    [(status, text)] = found(given.with_column("code", train, rng.choice(["x1", "x2", "x3"], 600)))
    assert status == "warn"
    assert "'z17'" in text


@pytest.mark.parametrize("slug", ["titanic", "spaceship-titanic"])
def test_a_sample_passes(slug: str) -> None:
    assert found(Prepared.of(prepared(slug, data="sample"))) == []


def test_large_files_that_are_sorted_alike_pass() -> None:
    rng = np.random.default_rng(0)
    n, m = 40_000, 30_000
    towns = [f"town{number:02d}" for number in range(40)]
    frame = pd.DataFrame({"id": np.arange(n + m), "x": rng.normal(size=n + m)})
    frame["place"] = [*np.sort(rng.choice(towns, n)), *np.sort(rng.choice(towns, m))[::-1]]
    frame["y"] = frame["place"].str[-2:].astype(int) % 2
    assert found(from_frame(frame, n, metric="accuracy")) == []


def test_values_of_one_class_that_test_lacks_altogether_fail() -> None:
    rng, given = np.random.default_rng(0), make_prepared(n=900, m=600)
    boat = np.where((given.y == 1) & (rng.random(900) < 0.8), rng.integers(1, 17, 900).astype(float), np.nan)
    [(status, text)] = found(given.with_column("boat", boat, np.full(600, np.nan)))
    assert status == "fail"
    assert "a value" in text
    assert found(given.with_column("boat", rng.permutation(boat), np.full(600, np.nan))) == []


def test_decimals_that_only_synthetic_rows_of_one_class_have_are_found() -> None:
    rng, given = np.random.default_rng(0), make_prepared(n=900, m=600)
    age = np.where(
        (given.y == 1) & (rng.random(900) < 0.5), rng.uniform(20, 80, 900).round(3), rng.integers(20, 80, 900)
    )
    whole = rng.integers(20, 80, 600).astype(float)
    [(status, text)] = found(given.with_column("age", age, whole))
    assert status == "warn"
    assert "more than 0 decimals" in text
    assert found(given.with_column("age", rng.permutation(age), whole)) == []

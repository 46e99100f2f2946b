from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from kpipe.features.families import FAMILIES, Candidate

N = 600


def made() -> pd.DataFrame:
    draw = np.random.default_rng(0)
    start = pd.Timestamp("2020-01-01")
    return pd.DataFrame(
        {
            "town": draw.choice([f"t{n}" for n in range(8)], N),
            "shop": draw.choice(["a", "b", "c"], N),
            "price": np.round(draw.gamma(2, 30, N), 2),
            "cost": np.where(draw.random(N) < 0.2, np.nan, draw.normal(50, 20, N)),
            "area": draw.integers(0, 40, N),
            "flag": np.where(draw.random(N) < 0.3, np.nan, draw.integers(0, 2, N)),
            "sent": start + pd.to_timedelta(draw.integers(0, 500, N), unit="D"),
            "paid": start + pd.to_timedelta(draw.integers(0, 500, N), unit="D"),
        }
    )


def values(family: str, *candidates: Candidate, X: pd.DataFrame | None = None) -> list[list[float]]:
    """The values of candidates in rows of any table, fitted on the made one."""
    fitted = FAMILIES[family](list(candidates), random_state=0)
    fitted.fit_transform(made(), np.arange(N) % 2)
    return [block.tolist() for block in fitted.transform(made() if X is None else X).values()]


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("task", ["regression", "two classes", "three classes"])
def test_every_family_gives_each_row_values_that_do_not_depend_on_the_other_rows(name: str, task: str) -> None:
    X, draw = made(), np.random.default_rng(1)
    y = {"regression": draw.normal(size=N), "two classes": draw.integers(2, size=N), "three classes": np.arange(N) % 3}
    candidates = FAMILIES[name].propose(X, y[task], random_state=0) or [("town", "shop")]
    family = FAMILIES[name](candidates, random_state=0)
    fitted = family.fit_transform(X, y[task])
    assert list(fitted) == candidates
    every = family.transform(X)
    assert {one: block.shape for one, block in every.items()} == {one: block.shape for one, block in fitted.items()}
    assert all(np.isfinite(block[~np.isnan(block)]).all() for block in every.values())
    some = family.transform(X.iloc[[7, 3]])
    for candidate in candidates:
        np.testing.assert_array_equal(some[candidate], every[candidate][[7, 3]])


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_takes_rows_of_missing_and_unseen_values(name: str) -> None:
    X = made()
    family = FAMILIES[name](FAMILIES[name].propose(X, np.arange(N) % 2, random_state=0) or [("town",)], random_state=0)
    family.fit_transform(X, np.arange(N) % 2)
    odd = X.head(3).assign(town=["Atlantis", None, "t1"], price=[np.inf, np.nan, -1e300], cost=np.nan, sent=pd.NaT)
    assert all(not np.isinf(block).any() and len(block) == 3 for block in family.transform(odd).values())


@pytest.mark.parametrize("name", ["target statistics", "crosses", "missing patterns"])
def test_a_rows_own_target_takes_no_part_in_its_values(name: str) -> None:
    draw = np.random.default_rng(3)
    X = pd.DataFrame({n: draw.integers(0, 300, 1500).astype(float) for n in ("a", "b")})
    X = X.mask(draw.random(X.shape) < 0.3)
    y = draw.integers(2, size=1500)
    candidate = ("a", "b") if name == "missing patterns" else ("a",)
    block = FAMILIES[name]([candidate], random_state=0).fit_transform(X, y)[candidate]
    assert abs(np.corrcoef(block[:, -1], y)[0, 1]) < 0.12


def test_a_group_gives_a_numbers_mean_deviation_and_rank() -> None:
    X = made()
    inside = X["cost"][X["town"] == "t3"].dropna()
    row = X.loc[[inside.index[0]]]
    [[[mean, deviation, scaled, rank]]] = values("group statistics", ("town", "cost"), X=row)
    value = inside.iloc[0]
    assert mean == pytest.approx(inside.mean())
    assert deviation == pytest.approx(value - inside.mean())
    assert scaled == pytest.approx((value - inside.mean()) / inside.std(ddof=0))
    assert rank == pytest.approx((inside < value).mean())


def test_a_category_that_was_not_seen_has_no_group_statistics() -> None:
    assert np.isnan(values("group statistics", ("town", "cost"), X=made().head(1).assign(town="new"))).all()


def test_arithmetic_of_two_numbers_divides_by_zero_without_an_infinite_value() -> None:
    X = pd.DataFrame({"price": [3.0, 1.0], "area": [4, 0], "cost": 1.0})
    found = [values("arithmetic", ("price", "area", what), X=X)[0] for what in ("+", "-", "*", "/", "distance")]
    assert [first for [first], _ in found] == [7, -1, 12, 0.75, 5]
    assert np.isnan(found[3][1]).all()


def test_sums_of_numbers_of_other_scales_are_no_candidates() -> None:
    X = pd.DataFrame({"small": np.arange(50.0), "large": np.arange(50.0) ** 4})
    proposed = FAMILIES["arithmetic"].propose(X, np.zeros(50), random_state=0)
    assert proposed == [("small", "large", "*"), ("small", "large", "/")]


def test_digits_are_those_that_the_number_is_written_with() -> None:
    X = pd.DataFrame({"price": [0.29, 1234.56, -7.0]})
    assert values("digits", ("price", -2), X=X) == [[[9], [6], [0]]]
    assert values("digits", ("price", 0), X=X) == [[[0], [4], [7]]]
    assert values("digits", ("price", 3), X=X) == [[[0], [1], [0]]]


def test_counts_are_of_fitting_rows_and_dates_differ_in_days() -> None:
    X = made()
    [[[count]]] = values("counts", ("town",), X=X.head(1))
    assert np.expm1(count) == pytest.approx((X["town"] == X["town"].iloc[0]).sum())
    assert values("counts", ("town",), X=X.head(1).assign(town="new")) == [[[0]]]
    [[[days]]] = values("date differences", ("sent", "paid"), X=X.head(1))
    assert days == (X["sent"] - X["paid"]).iloc[0].days
    zoned = X.head(1).assign(sent=X["sent"].dt.tz_localize("UTC"))
    assert values("date differences", ("sent", "paid"), X=zoned) == [[[days]]]


def test_rows_that_lack_the_same_columns_share_a_pattern() -> None:
    X = made()
    [candidate] = FAMILIES["missing patterns"].propose(X, np.zeros(N), random_state=0)
    assert candidate == ("cost", "flag")
    [rows] = values("missing patterns", candidate)
    both = X["cost"].isna() & X["flag"].isna()
    assert {tuple(row) for row, lacks in zip(rows, both, strict=True) if lacks} == {tuple(rows[int(both.argmax())])}
    assert np.expm1(rows[int(both.argmax())][0]) == pytest.approx(both.sum())


def test_a_number_of_few_values_is_a_category_and_one_of_two_has_no_statistics() -> None:
    proposed = FAMILIES["target statistics"].propose(made(), np.zeros(N), random_state=0)
    assert proposed == [("town",), ("shop",), ("area",)]


def test_of_many_numbers_the_most_important_ones_are_combined_in_the_order_of_the_table() -> None:
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(100, 30))).add_prefix("x")
    important = list(reversed(X.columns))
    pairs = FAMILIES["arithmetic"].propose(X, np.zeros(100), random_state=0, important=important)
    assert {name for one, other, _ in pairs for name in (one, other)} == set(X.columns[18:])
    assert pairs[0][:2] == ("x18", "x19")


def test_titles_give_their_words_and_are_no_categories() -> None:
    X = made().assign(title=[f"{'old' if n % 3 else 'new'} house {n:b}x" for n in range(N)])
    assert FAMILIES["words"].propose(X, np.arange(N) % 2, random_state=0) == [("title",)]
    for name in ("crosses", "target statistics", "group statistics", "counts", "missing patterns"):
        candidates = FAMILIES[name].propose(
            X.assign(title=X["title"].where(X.index % 5 > 0)), np.arange(N) % 2, random_state=0
        )
        assert not any("title" in candidate for candidate in candidates)


def test_the_words_of_a_column_that_is_no_longer_there_are_left_out() -> None:
    X = made().assign(title=[f"old house {n:b}x" for n in range(N)])
    words = FAMILIES["words"]([("title",), ("other",)], random_state=0)
    assert list(words.fit_transform(X, np.arange(N) % 2)) == [("title",)]

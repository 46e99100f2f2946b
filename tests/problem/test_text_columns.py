from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from kpipe.core.values import Tables
from kpipe.errors import DataError
from kpipe.features.automatic import AutomaticFeatures
from kpipe.problem.competition import Competition
from kpipe.problem.inference.text_columns import convert_text_columns
from tests.tables import prices, problem_of, tables


def written(change: dict[str, object], n: int = 80) -> Tables:
    """Prices with further columns, given as functions of a row's number."""
    made = prices(n=n)
    frames = []
    for frame in (made.train, made.test):
        columns = {name: pd.Series([one(int(row)) for row in frame["id"]], dtype="str") for name, one in change.items()}  # type: ignore[operator]
        frames.append(frame.assign(**columns))
    return tables(*frames, sample=made.sample)


def test_text_becomes_numbers_and_dates_and_a_note_says_so() -> None:
    problem = problem_of(
        written({"income": lambda row: f"${row * 1000 + 1234:,}", "day": lambda row: f"{row % 28 + 1:02}/02/2015"})
    )
    assert problem.tables.train["income"].tolist()[:2] == [1234.0, 2234.0]
    assert problem.tables.test["income"].dtype == np.float64
    assert problem.tables.train["day"].dtype.kind == "M"
    assert problem.conversions["income"] == "read as numbers, '$1,234' as 1234"
    assert "'13/02/2015' as 2015-02-13: day and month, year (the day first)" in problem.conversions["day"]
    assert any(note.startswith("income is read as numbers") for note in problem.tables.source.notes)


def test_train_and_test_are_read_in_one_form() -> None:
    """Train alone, whose days are at most 12, would not say whether days or months come first."""
    made = written({"day": lambda row: f"{row % 12 + 1:02}/03/2015"})
    test = made.test.assign(day=[f"{number % 18 + 11:02}/03/2015" for number in range(len(made.test))])
    problem = problem_of(replace(made, test=test))
    assert problem.tables.train["day"].dt.month.unique().tolist() == [3]


def test_text_that_is_asked_for_and_text_of_a_module_stay() -> None:
    made = written({"income": lambda row: f"${row * 1000:,}"})
    for fields in ({"text": ("income",)}, {"columns": ("x", "income")}, {"drop": ("income",)}):
        problem = problem_of(made, **fields)
        assert problem.tables.train["income"].tolist() == made.train["income"].tolist()
        assert not problem.conversions
    own = problem_of(made, columns=("x", "income"), features=AutomaticFeatures())
    assert "income" in own.conversions  # as kpipe new writes it


def test_labels_of_which_a_few_are_numbers_stay_labels() -> None:
    problem = problem_of(written({"size": lambda row: ["S", "M", "L", "36 months"][row % 4]}))
    assert not problem.conversions


def test_cells_that_are_neither_are_counted() -> None:
    problem = problem_of(written({"income": lambda row: "unknown" if row == 3 else f"${row * 1000:,}"}))
    assert problem.conversions["income"].endswith("; 1 cell such as 'unknown' is a missing value")


@pytest.mark.parametrize("placeholder", [0.5, "$100.00"])
def test_a_target_that_is_written_as_text_is_a_number(placeholder: object) -> None:
    made = prices()
    train = made.train.assign(price=made.train["price"].map("${:,.2f}".format).astype("str"))
    problem = problem_of(replace(made, train=train, sample=made.sample.assign(price=placeholder)))
    assert problem.task == "regression"
    np.testing.assert_allclose(problem.y, made.train["price"].round(2))
    said = "the submission holds plain numbers although the sample submission shows '$100.00'"
    assert (said in problem.conversions["price"]) == isinstance(placeholder, str)


def test_labels_of_a_target_that_the_sample_shows_stay_labels() -> None:
    made = prices()
    labels = [f"{5 * (row % 3)} years" for row in range(80)]
    problem = problem_of(
        replace(made, train=made.train.assign(price=labels), sample=made.sample.assign(price="5 years"))
    )
    assert problem.task == "classification"


def test_hours_as_numbers_are_a_time_and_stay_a_feature() -> None:
    made = prices(n=300, m=100)
    hours = pd.date_range("2014-10-21", periods=100, freq="h").strftime("%y%m%d%H").astype(int).to_numpy()
    train, test = made.train.assign(hour=np.repeat(hours[:75], 4)), made.test.assign(hour=np.repeat(hours[75:], 4))
    made = tables(train, test, made.sample)
    for fields in ({}, {"split": "hour"}):
        problem = problem_of(made, **fields)
        assert repr(problem.splitter).startswith("ByTime('hour'")
        assert problem.groups is None
        assert "hour" in problem.columns


def test_numbers_that_are_groups_stay_a_feature() -> None:
    made = prices(n=300, m=100)
    train, test = made.train.assign(cost=np.arange(300) // 4 * 20), made.test.assign(cost=np.arange(100) // 4 * 20 + 10)
    train = train.sample(frac=1, random_state=0).reset_index(drop=True)
    problem = problem_of(tables(train, test, made.sample))
    assert problem.groups == "cost"
    assert problem.columns == ("x", "cost")
    assert problem.features.groups == "cost"


def test_columns_left_out_are_named_with_the_reason() -> None:
    made = prices()
    train = made.train.assign(
        hash=[f"{n * 7919 % 104729:x}q{n}" for n in range(80)], same=1, only=2.5, number=range(80)
    )
    test = made.test.assign(hash=[f"{n * 7907 % 104729:x}q{n}" for n in range(30)], same=1, number=range(30))
    problem = problem_of(tables(train, test, made.sample), drop=("x",))
    assert set(problem.left_out) >= {"same", "only", "number", "x"}
    assert problem.left_out["only"] == "test.csv lacks it"
    assert problem.left_out["same"] == "it holds the same value in every row"
    assert problem.left_out["number"] == "it counts the rows"
    assert problem.left_out["x"] == "--drop names it"


def test_a_unit_that_only_one_of_train_and_test_writes_is_pointed_out() -> None:
    made = written({"share": lambda row: f"{row % 90 + 1.5} kg"})
    test = made.test.assign(share=pd.Series([f"{row + 20}.5" for row in range(len(made.test))], dtype="str"))
    assert "train writes a unit and test does not: check" in problem_of(replace(made, test=test)).conversions["share"]
    assert "check" not in problem_of(made).conversions["share"]


def test_fractions_beside_per_cent_are_converted_where_that_is_certain() -> None:
    made = written({"rate": lambda row: f"{row % 90 + 5}.5%"})
    test = made.test.assign(rate=[0.005 * (number + 20) for number in range(len(made.test))])
    problem = problem_of(replace(made, test=test))
    assert problem.tables.test["rate"].tolist()[:2] == pytest.approx([10.0, 10.5])
    assert "numbers without % as fractions of 1" in problem.conversions["rate"]


def test_per_cent_beside_numbers_of_another_size_stay_text() -> None:
    made = written({"rate": lambda row: f"{row % 90 + 5}.5%"})
    problem = problem_of(replace(made, test=made.test.assign(rate=np.arange(30) * 1000.0)))
    assert "rate" not in problem.conversions


def test_amounts_in_several_currencies_keep_the_currency_beside_them() -> None:
    made = written({"pay": lambda row: f"{'$£'[row % 2]}{row + 100:,}", "pay: currency": lambda row: "x"})
    problem = problem_of(made)
    assert problem.tables.train["pay"].tolist()[:2] == [100, 101]
    assert problem.tables.train["pay: currency"].tolist()[:2] == ["x", "x"]
    assert problem.tables.train["pay: currency (derived)"].tolist()[:2] == ["$", "£"]
    assert "pay: currency (derived)" in problem.columns
    assert "several currencies ($, £)" in problem.conversions["pay"]


def test_a_target_in_several_currencies_is_refused_with_the_ways_on() -> None:
    made = prices()
    train = made.train.assign(price=[f"{'$€'[row % 2]}{row}" for row in range(80)])
    with pytest.raises(DataError, match=r"several currencies \(\$, €\).*Convert them.*--text price"):
        problem_of(replace(made, train=train))


def test_a_word_that_repeats_among_numbers_is_a_missing_value_and_is_counted() -> None:
    problem = problem_of(written({"size": lambda row: "Varies" if row % 5 == 0 else f"{row + 10}M"}))
    assert problem.tables.train["size"].isna().sum() == 16
    assert "22 cells such as 'Varies' are missing values" in problem.conversions["size"]


def test_text_with_numbers_in_no_known_form_is_named_unless_it_is_labels() -> None:
    made = written({"code": lambda row: f"{'AB'[row % 2]}{row // 2}-{'xyz'[row % 3]}"}, n=200)
    named = [note for note in problem_of(made).tables.source.notes if note.startswith("code holds text")]
    assert not named  # nearly each row has its own: its parts are features
    made = written({"code": lambda row: f"{'abcdefg'[row // 3 % 7]}{row // 3}{'uvwxyz'[row // 3 % 6]}"}, n=200)
    (note,) = (note for note in problem_of(made).tables.source.notes if note.startswith("code holds text"))
    assert "If they are labels or text, pass --text code; to leave the column out, pass --drop code." in note
    assert not any("code" in note for note in problem_of(made, text=("code",)).tables.source.notes)


def test_columns_that_kpipe_derives_from_an_id_are_not_converted_or_noted() -> None:
    ids = [f"{1000 + group} kg_{part}" for group in range(24) for part in range(5)]
    frame = pd.DataFrame({"id": ids, "x": np.arange(120.0)})
    train = frame.head(90).assign(y=np.arange(90) % 2)
    test = frame.tail(30).reset_index(drop=True)
    problem = problem_of(tables(train, test, test[["id"]].assign(y=0)))
    assert "id group" in problem.tables.train
    assert not problem.conversions
    assert not [note for note in problem.tables.source.notes if "id group" in note]


def test_a_thousand_cells_of_each_table_decide_what_a_column_of_many_rows_is(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at = []

    def count(strings: pa.Array) -> pa.Array:
        looked_at.append(len(strings))
        return strings

    monkeypatch.setattr("kpipe.data.strings._with_ascii_digits", count)
    made = written({"room": lambda row: f"Room {row} B"}, n=20_000)
    tables, words = convert_text_columns(Competition(slug="made", id="id", target="price"), made)
    assert not words
    assert tables.train is made.train
    assert 0 < max(looked_at) <= 2_000

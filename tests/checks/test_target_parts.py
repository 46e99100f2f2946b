"""The check that no part of a text, no digit, no missing value and no pair of columns contains the target."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from kpipe.checks.target_parts import target_in_parts
from kpipe.core.values import Folds
from kpipe.problem.problem import Problem
from tests.checks.prepared_tables import from_frame
from tests.plants import Prepared
from tests.tables import narrowed, prepared

Plant = Callable[[np.ndarray, np.random.Generator], dict[str, np.ndarray]]


@pytest.fixture(scope="module", params=["titanic", "house-prices-advanced-regression-techniques"])
def given(request: pytest.FixtureRequest) -> Prepared:
    return Prepared.of(narrowed(prepared(request.param, data="sample")))


def found(given: Prepared, columns: dict[str, np.ndarray]) -> list[tuple[str, str]]:
    """The findings after columns were added; test holds their values in another order."""
    rng = np.random.default_rng(9)
    for name, values in columns.items():
        given = given.with_column(name, values, rng.choice(values, len(given.tables.test)))
    return list(target_in_parts(given.problem, given.folds))


def code(y: np.ndarray, rng: np.random.Generator, part: np.ndarray, *, last: bool) -> np.ndarray:
    number = rng.integers(10_000, 99_999, len(y)).astype(str)
    joined = [f"{n}-{p}" if last else f"{p}{n}" for n, p in zip(number, part, strict=True)]
    return np.array(joined, dtype=object)


def in_suffix(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {"code": code(y, rng, np.where(y > np.median(y), "x", "k"), last=True)}


def in_first_letter(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {
        "code": code(
            y, rng, np.where(y > 0, rng.choice(list("ABC"), len(y)), rng.choice(list("DEF"), len(y))), last=False
        )
    }


def in_last_digit(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {"number": 10 * rng.integers(1000, 99_999, len(y)) + np.where(y > 0, 3, 6)}


def in_sum_of_digits(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    numbers = rng.integers(1_000, 9_999, len(y))
    digits = np.array([sum(map(int, str(number))) for number in numbers])
    return {"policy": 10 * numbers + (digits + (y > 0)) % 2 + 2 * rng.integers(0, 5, len(y))}


def in_even_digit(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {"cents": (2 * rng.integers(1000, 99_999, len(y)) + (y > 0)) / 100}


def in_words(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    fillers = rng.choice(["the ship", "a cold night", "some people", "many boats"], (len(y), 3))
    words = np.where(y > 0, "rescued", "missing")
    return {
        "note": np.array([f"{a} {word} {b} {c}" for (a, b, c), word in zip(fillers, words, strict=True)], dtype=object)
    }


def in_missing_names(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    names = code(y, rng, np.full(len(y), "n"), last=True)
    return {"boat": np.where(y > 0, names, None)}


def in_what_a_rare_class_has(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    has = (y > 0) | (rng.random(len(y)) < 0.02)
    return {"consult": np.where(has, rng.normal(5, 1, len(y)).round(2), np.nan)}


def in_pattern(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    one = rng.random(len(y)) < 0.5
    numbers = rng.normal(size=(2, len(y)))
    return {"a": np.where(one, numbers[0], np.nan), "b": np.where(one == (y > 0), numbers[1], np.nan)}


def in_hash(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {
        "key": np.array(
            [f"h{hash((int(v), int(n))) % 99991}" for v, n in zip(y, rng.integers(0, 60, len(y)), strict=True)]
        )
    }


def in_difference(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    start = 10 * y.std() * rng.normal(size=len(y))
    return {"start": start, "end": start + y + 1}


def in_dates(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    day = pd.Timestamp(2015, 1, 1) + pd.to_timedelta(rng.integers(0, 1000, len(y)), unit="D")
    later = day + pd.to_timedelta(np.round(30 * (y - y.min()) / np.ptp(y)) + 3, unit="D")
    return {"asked": day.strftime("%Y-%m-%d").to_numpy(), "closed": later.strftime("%Y-%m-%d").to_numpy()}


def in_product(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    sign = rng.choice([-1.0, 1.0], len(y)) * rng.uniform(1, 9, len(y))
    return {"left": sign, "right": np.where(y > 0, 1, -1) * np.sign(sign) * rng.uniform(1, 9, len(y))}


def in_ratio(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    size = np.exp(rng.normal(3, 1, len(y)))
    return {"area": size, "total": size * (y + 5)}


def in_rank(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """In pairs of a winner and a loser, the winner has the greater number; others are alone."""
    won, lost = rng.permutation(np.flatnonzero(y > 0)), rng.permutation(np.flatnonzero(y <= 0))
    race = np.arange(len(y)) + 10_000
    pairs = min(len(won), len(lost))
    race[won[:pairs]] = race[lost[:pairs]] = np.arange(pairs)
    level = dict(zip(np.unique(race), rng.normal(0, 100, len(np.unique(race))), strict=True))
    return {"race": race, "time": np.array([level[r] for r in race]) + (y > 0) + 0.1 * rng.random(len(y))}


def in_middle_number(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    parts = [(rng.integers(1, 999), 2 * rng.integers(5, 50) + (v > 0), rng.integers(1, 9999)) for v in y]
    return {"lot": np.array([f"R{a}-{b}-{c}" for a, b, c in parts], dtype=object)}


def in_case(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    names = [f"{rng.choice(['Ann', 'Bob', 'Cy'])} {''.join(rng.choice(list('abcdefgh'), 6)).title()}" for _ in y]
    return {"person": np.array([n.upper() if v > 0 else n for n, v in zip(names, y, strict=True)], dtype=object)}


def in_many_words(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    kinds = "fine well calm fit".split(), "weak numb dizzy slow".split()
    fillers = "came on foot and was seen by a nurse in the morning".split()
    notes = [[*rng.choice(fillers, 6), rng.choice(kinds[int(v > 0)]), *rng.choice(fillers, 2)] for v in y]
    return {"note": np.array([" ".join(note) for note in notes], dtype=object)}


def in_order_of_words(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    lists = [sorted(rng.choice(list("abcdefghijklmnop"), 4, replace=False), reverse=bool(v > 0)) for v in y]
    return {"bags": np.array([", ".join(some) for some in lists], dtype=object)}


def in_parity_of_difference(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    start = rng.integers(1000, 9000, len(y))
    return {"gate_in": start, "gate_out": start + 2 * rng.integers(5, 60, len(y)) + (y > 0)}


def in_equality(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    one, other = (rng.choice(list("ABCDEFGH"), len(y)) for _ in range(2))
    other = np.where(other == one, "Z", other)
    return {"dock": one.astype(object), "pier": np.where(y > 0, one, other).astype(object)}


def in_blanks(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    texts = [" ".join(rng.choice("it was a dark night and the wind blew".split(), 6)) for _ in y]
    return {
        "text": np.array([t.replace(" ", "\u00a0", 1) if v > 0 else t for t, v in zip(texts, y, strict=True)], object)
    }


def steps(y: np.ndarray) -> np.ndarray:
    """Whole numbers from 0 to 99 in the order of the target."""
    ranks = pd.Series(y).rank(method="dense").to_numpy() - 1
    return np.round(99 * ranks / ranks.max()).astype(int)


def in_hexadecimal(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    numbers = 4096 + 64 * steps(y) + rng.integers(0, 8, len(y))
    return {"ref": np.array([f"{rng.integers(4096):03x}-{number:06x}" for number in numbers], dtype=object)}


def in_number_words(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    ones = "zero one two three four five six seven eight nine".split()
    tens = "ten twenty thirty forty fifty sixty seventy eighty ninety hundred".split()
    texts = [f"{rng.integers(999)}: about {tens[n // 10]} {ones[n % 10]} of them" for n in steps(y)]
    return {"said": np.array(texts, dtype=object)}


def in_middle_of_range(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    pairs = zip(steps(y) + 0.1 * rng.random(len(y)), rng.uniform(1, 400, len(y)), strict=True)
    return {"range": np.array([f"{middle - width:.2f} to {middle + width:.2f}" for middle, width in pairs], object)}


def in_remainder(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    some = np.where(y > 0, rng.choice([1, 2, 4], len(y)), rng.choice([0, 3, 5, 6], len(y)))
    return {"locker": 7 * rng.integers(100, 9000, len(y)) + some}


def in_four_flags(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    flags = rng.integers(0, 2, (4, len(y)))
    flags[3] = (flags[:3].sum(axis=0) + (y > 0)) % 2
    return {f"flag{number}": flags[number] for number in range(4)}


def in_weekday(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    days = 7 * rng.integers(0, 300, len(y)) + np.where(y > 0, rng.integers(0, 3, len(y)), rng.integers(3, 7, len(y)))
    return {"filed": (pd.Timestamp(2018, 1, 1) + pd.to_timedelta(days, unit="D")).strftime("%Y-%m-%d").to_numpy()}


def in_minute(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    minutes = pd.to_timedelta(2 * rng.integers(0, 250_000, len(y)) + (y > 0), unit="min")
    return {"visit": (pd.Timestamp(2019, 1, 1) + minutes).strftime("%Y-%m-%d %H:%M").to_numpy()}


def in_three_flags(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    a, b = rng.integers(0, 2, (2, len(y)))
    return {"a": a, "b": b, "c": (a + b + (y > 0)) % 2}


def in_sixth_decimal(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {"energy": rng.normal(10, 2, len(y)).round(3) + np.where(y > 0, 4e-6, 7e-6)}


def in_sum_of_four(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    shares = rng.dirichlet([2, 2, 2, 2], len(y))
    return {f"part{number}": (y + 3) * shares[:, number] for number in range(4)}


def in_product_of_three(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    a, b = rng.uniform(1, 9, (2, len(y)))
    return {"u": a, "v": b, "w": (y + 3) / a / b}


LETTERS = list("ABCDEFGHKLMNPRSTUVWXYZ")


def in_number_of_marks(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    def made(many: bool) -> str:
        marked = set(rng.choice(9, 2 + many, replace=False))
        return "".join(c + "-" * (place in marked) for place, c in enumerate(rng.choice(LETTERS, 10)))

    return {"code": np.array([made(one > 0) for one in y], dtype=object)}


def in_doubled_letter(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    def made(doubled: bool) -> str:
        text, place = "".join(rng.permutation(LETTERS)[:8]), rng.integers(0, 8)
        return f"{text[:place]}{(text[place] if doubled else 'J')}{text[place:]}"

    return {"code": np.array([made(one > 0) for one in y], dtype=object)}


def in_foreign_letters(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    names = ["".join(rng.choice(LETTERS, 8)).title() + "ae" for _ in y]
    made = [name.replace("e", "\u0435") if one > 0 else name for name, one in zip(names, y, strict=True)]
    return {"name": np.array(made, dtype=object)}


def in_binary_digit(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {"flags": (rng.integers(0, 2**17, len(y)) & ~32) | np.where(y > 0, 32, 0)}


def in_initials(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    agents = ["".join(rng.choice(LETTERS, 5)) for _ in y]
    desks = [(a[0] if one > 0 else "J") + "".join(rng.choice(LETTERS, 4)) for a, one in zip(agents, y, strict=True)]
    return {"agent": np.array(agents, dtype=object), "desk": np.array(desks, dtype=object)}


def in_sum_of_three(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    a, b = rng.normal(0, 30, (2, len(y)))
    return {"u": a, "v": b, "w": 4 * (y > 0) + rng.normal(0, 0.4, len(y)) - a - b}


def in_greater_of_two(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    price, less, first = 3 + y + rng.normal(0, 0.002, len(y)), rng.uniform(0.3, 1, len(y)), rng.random(len(y)) < 0.5
    return {"u": np.where(first, price, price * less), "v": np.where(first, price * less, price)}


def in_seconds(y: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    times = [
        f"{rng.integers(0, 24):02}:{rng.integers(0, 60):02}:{step:02}"
        for step in rng.integers(0, 30, len(y)) + np.where(y > 0, 30, 0)
    ]
    return {"taken": np.array(times, dtype=object)}


FOR_CLASSES = [
    in_seconds,
    in_number_of_marks,
    in_doubled_letter,
    in_foreign_letters,
    in_binary_digit,
    in_initials,
    in_sum_of_three,
    in_middle_number,
    in_case,
    in_many_words,
    in_order_of_words,
    in_parity_of_difference,
    in_equality,
    in_blanks,
    in_weekday,
    in_remainder,
    in_four_flags,
    in_minute,
    in_three_flags,
    in_sixth_decimal,
    in_suffix,
    in_first_letter,
    in_last_digit,
    in_sum_of_digits,
    in_even_digit,
    in_words,
    in_missing_names,
    in_what_a_rare_class_has,
    in_pattern,
    in_hash,
    in_product,
    in_rank,
]
FOR_BOTH = [
    in_greater_of_two,
    in_seconds,
    in_difference,
    in_dates,
    in_ratio,
    in_hexadecimal,
    in_number_words,
    in_middle_of_range,
]
OF_NUMBERS = [in_sum_of_four, in_product_of_three]


@pytest.mark.parametrize("plant", [*FOR_CLASSES, *FOR_BOTH], ids=lambda plant: plant.__name__)
def test_a_target_in_pieces_is_found_and_its_columns_are_named(given: Prepared, plant: Plant) -> None:
    y = given.y.to_numpy(dtype=float)
    if given.problem.task == "regression" and plant in FOR_CLASSES:
        pytest.skip("of classes")
    columns = plant(y, np.random.default_rng(0))
    [(status, text)] = found(given, columns)
    assert status in ("warn", "fail"), text
    assert any(name in text for name in columns)
    assert "--drop" in text


@pytest.mark.parametrize("plant", [*FOR_CLASSES, *FOR_BOTH], ids=lambda plant: plant.__name__)
def test_the_same_columns_made_of_another_target_pass(given: Prepared, plant: Plant) -> None:
    other = np.random.default_rng(5).permutation(given.y.to_numpy(dtype=float))
    if given.problem.task == "regression" and plant in FOR_CLASSES:
        pytest.skip("of classes")
    [(status, text)] = found(given, plant(other, np.random.default_rng(0)))
    assert status == "pass", text


@pytest.mark.parametrize("plant", OF_NUMBERS, ids=lambda plant: plant.__name__)
def test_columns_that_give_a_number_together_fail(given: Prepared, plant: Plant) -> None:
    if given.problem.task == "classification":
        pytest.skip("of numbers")
    y = given.y.to_numpy(dtype=float)
    [(status, text)] = found(given, plant(y, np.random.default_rng(0)))
    assert status == "fail"
    assert "give the target exactly" in text
    [(status, text)] = found(given, plant(np.random.default_rng(5).permutation(y), np.random.default_rng(0)))
    assert status == "pass", text


def test_columns_that_hold_the_predictions_of_another_model_of_three_classes_fail() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"id": np.arange(900), "x": rng.normal(size=900), "y": rng.integers(0, 3, 900)})
    shares = rng.uniform(0, 1, (900, 3))
    for name, classes in (("told", frame["y"].to_numpy()), ("other", rng.integers(0, 3, 900))):
        sure = shares.copy()
        sure[np.arange(900), classes] = shares.max(axis=1) + 0.1
        for number in range(3):
            frame[f"{name}{number}"] = sure[:, number].round(4)
    honest = from_frame(frame.drop(columns=["told0", "told1", "told2"]), 600, metric="accuracy")
    assert next(target_in_parts(honest.problem, honest.folds))[0] == "pass"
    given = from_frame(frame, 600, metric="accuracy")
    [(status, text)] = target_in_parts(given.problem, given.folds)
    assert status == "fail"
    assert text.startswith("Which of told0, told1, told2 is greatest")


@pytest.mark.parametrize(("mark", "status"), [("\u200b", "fail"), ("  ", "fail")])
def test_marks_that_only_texts_of_one_of_three_authors_have_fail(mark: str, status: str) -> None:
    rng = np.random.default_rng(0)
    words = "it was a dark night and the wind blew over the old house in may".split()
    y = rng.choice(["a", "b", "c"], 900)
    texts = [" ".join(rng.choice(words, 12)) for _ in y]
    frame = pd.DataFrame({"id": np.arange(900), "text": texts, "y": y})
    honest = from_frame(frame, 600, metric="accuracy")
    assert next(target_in_parts(honest.problem, honest.folds))[0] == "pass"
    frame["text"] = [t.replace(" ", mark, 1) if author == "b" else t for t, author in zip(texts, y, strict=True)]
    given = from_frame(frame, 600, metric="accuracy")
    [(found_status, text)] = target_in_parts(given.problem, given.folds)
    assert found_status == status
    assert "of text" in text or "in text" in text


def test_blanks_in_some_texts_of_one_author_are_a_warning_that_shows_them() -> None:
    rng = np.random.default_rng(0)
    words = "it was a dark night and the wind blew over the old house in may".split()
    y = rng.choice(["a", "b", "c"], 1500)
    texts = [" ".join(rng.choice(words, 12)) for _ in y]
    marked = (y == "b") & (rng.random(1500) < 0.4)
    texts = [t.replace(" ", "  ", 1) if one else t for t, one in zip(texts, marked, strict=True)]
    given = from_frame(pd.DataFrame({"id": np.arange(1500), "text": texts, "y": y}), 1200, metric="accuracy")
    [(status, text)] = target_in_parts(given.problem, given.folds)
    assert status == "warn"
    assert "The kind of blanks in text" in text
    assert "'  ' always means b" in text


def test_a_noisy_sum_of_columns_that_nearly_gives_the_target_is_a_warning() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(900, 3)), columns=["a", "b", "c"]).assign(id=np.arange(900))
    frame["y"] = 1000 + 300 * rng.normal(size=900)
    frame["net"] = frame["y"] - 200 * frame["a"] - 150 * frame["b"] + 50 * frame["c"] + 10 * rng.normal(size=900)
    given = from_frame(frame, 700)
    [(status, text)] = target_in_parts(given.problem, given.folds)
    assert status == "warn"
    assert "give the target nearly exactly, as a weighted sum" in text


def test_a_pattern_of_missing_values_that_identifies_one_of_three_classes_fails() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"id": np.arange(900), "x": rng.normal(size=900)})
    frame["y"] = rng.choice(["a", "b", "c"], 900, p=[0.6, 0.05, 0.35])
    for name, y in (("told", frame["y"]), ("other", rng.permutation(frame["y"]))):
        either = rng.random(900) < 0.5
        frame[f"{name}1"] = np.where(either ^ (y == "b"), np.nan, rng.normal(size=900))
        frame[f"{name}2"] = np.where(either ^ (y == "c"), np.nan, rng.normal(size=900))
    honest = from_frame(frame.drop(columns=["told1", "told2"]), 600, metric="accuracy")
    assert next(target_in_parts(honest.problem, honest.folds))[0] == "pass"
    given = from_frame(frame.drop(columns=["other1", "other2"]), 600, metric="accuracy")
    [(status, text)] = target_in_parts(given.problem, given.folds)
    assert status == "fail"
    assert text.startswith("The pattern of missing values")


def test_numbers_that_are_rounded_in_rows_of_one_class_fail() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"id": np.arange(1_400), "x": rng.normal(size=1_400), "y": (rng.random(1_400) < 0.1).astype(int)}
    )
    measure = rng.uniform(50, 250, 1_400).round(2)
    [(status, text)] = target_in_parts(
        *_problem_and_folds(frame.assign(measure=np.where(frame["y"] == 1, measure.round(), measure)))
    )
    assert status == "fail"
    assert "How many decimals measure has" in text
    mixed = np.where(rng.random(1_400) < 0.3, measure.round(), measure)
    assert [status for status, _ in target_in_parts(*_problem_and_folds(frame.assign(measure=mixed)))] == ["pass"]


def test_a_number_of_four_digits_at_the_end_of_a_code_fails() -> None:
    rng = np.random.default_rng(0)
    price = rng.lognormal(12, 0.3, 1_400).round()
    frame = pd.DataFrame({"id": np.arange(1_400), "x": rng.normal(size=1_400), "y": price})
    parcel = rng.integers(1_000, 9_999, 1_400) * 10_000 + (price // 100).astype(int) % 10_000
    [(status, text)] = target_in_parts(*_problem_and_folds(frame.assign(parcel=parcel)))
    assert status == "fail"
    assert "The last four digits of parcel" in text


def _problem_and_folds(frame: pd.DataFrame) -> tuple[Problem, Folds]:
    made = from_frame(frame, 1_000)
    return made.problem, made.folds

"""Pictures that occur again are found; natural pictures, and copies that test shows too, are left in peace."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from kpipe.checks import table_checks
from kpipe.checks.near_duplicates import near_duplicates_across_folds
from kpipe.checks.pictures import duplicate_pictures, files_tell_the_class, thumbnails
from kpipe.core.values import Check, Source, Tables
from kpipe.data.loading import load
from kpipe.data.pixels import pixel_names
from kpipe.problem.competition import Competition
from kpipe.problem.problem import Problem, define_problem
from kpipe.training.folds import make_folds
from tests.conftest import KaggleZip
from tests.pictures import SAMPLE, TEST, csv, names, picture, write

SHAPE = (24, 20, 3)


def scenes(count: int, seed: int = 0) -> np.ndarray:
    """(count, height, width, channels) smooth random pictures."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (count, 6, 5, 3)).astype(np.uint8)
    made = [np.asarray(Image.fromarray(each).resize((SHAPE[1], SHAPE[0]), Image.Resampling.BICUBIC)) for each in coarse]
    return np.stack(made)


def problem_of(train: np.ndarray, test: np.ndarray, **columns: np.ndarray) -> Problem:
    frames = {}
    for role, pictures in (("train", train), ("test", test)):
        own = {name: values[: len(pictures)] for name, values in columns.items()}
        table = pd.DataFrame({"id": [f"{role}{i}" for i in range(len(pictures))], **own})
        table = table.assign(label=np.arange(len(train)) // 2 % 2) if role == "train" else table
        frames[role] = pd.concat(
            [table, pd.DataFrame(pictures.reshape(len(pictures), -1), columns=pixel_names(SHAPE))], axis=1
        )
    sample = pd.DataFrame({"id": frames["test"]["id"], "label": 0})
    source = Source(origin="directory", path=Path("."), files={})
    return define_problem(Competition(slug="scenes"), Tables(**frames, sample=sample, source=source))


def found(problem: Problem) -> tuple[str, str]:
    (finding,) = duplicate_pictures(problem, make_folds(problem))
    return finding


def noisy(pictures: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(1).normal(0, 6, pictures.shape)
    return np.clip(pictures * 0.9 + 20 + noise, 0, 255).astype(np.uint8)


def cropped(pictures: np.ndarray) -> np.ndarray:
    height, width = SHAPE[:2]
    size = (width, height)
    made = [
        Image.fromarray(one).crop((2, 2, width - 2, height - 2)).resize(size, Image.Resampling.BICUBIC)
        for one in pictures
    ]
    return np.stack([np.asarray(one) for one in made])


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x,
        noisy,
        lambda x: x[:, :, ::-1],
        lambda x: 255 - x,
        lambda x: x[:, ::-1],
        lambda x: x[:, ::-1, ::-1],
        cropped,
    ],
    ids=["same", "brighter", "mirrored", "inverted", "upside down", "half turn", "cropped"],
)
def test_copies_across_folds_fail_and_name_two_rows(change) -> None:
    plain = scenes(300)
    status, detail = found(problem_of(np.concatenate([plain, change(plain[:100])]), scenes(150, seed=1)))
    assert status == "fail"
    assert "For example train" in detail
    assert "separated by fold" in detail


def test_copies_that_were_moved_by_some_pixels_are_near_duplicates() -> None:
    plain = scenes(300)
    moved = np.concatenate([plain, np.roll(plain, 1, axis=(1, 2))])
    for train, is_clean in ((plain, True), (moved, False)):
        problem = problem_of(train, scenes(150, seed=1))
        ((status, _),) = near_duplicates_across_folds(problem, make_folds(problem))
        assert (status == "pass") == is_clean


def test_pictures_without_copies_pass() -> None:
    status, detail = found(problem_of(scenes(300), scenes(150, seed=1)))
    assert (status, detail[:26]) == ("pass", "0.0% of validation rows ha")


def test_copies_that_test_has_as_often_pass() -> None:
    plain = scenes(450)
    train, test = plain[:300], plain[300:]
    status, _ = found(problem_of(np.concatenate([train, noisy(train[:100])]), np.concatenate([test, train[100:200]])))
    assert status == "pass"


def test_pictures_of_train_among_those_of_test_are_a_warning() -> None:
    plain = scenes(400)
    status, detail = found(problem_of(plain[:300], np.concatenate([plain[300:], noisy(plain[:60])])))
    assert status == "warn"
    assert "of test pictures also occur in train" in detail
    assert "of test and train" in detail


def test_pictures_that_show_nothing_are_no_copies_of_one_another() -> None:
    status, _ = found(problem_of(np.zeros((100, *SHAPE), np.uint8), np.zeros((50, *SHAPE), np.uint8)))
    assert status == "pass"


def test_a_thumbnails_pixel_is_the_mean_of_the_pixels_that_it_covers() -> None:
    rows = np.arange(24 * 36, dtype=np.uint8).reshape(1, -1)
    expected = rows.reshape(12, 2, 12, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(thumbnails(rows, (24, 36, 1))[0], expected, rtol=1e-6)
    assert thumbnails(np.full((2, 5 * 4), 7, np.uint8), (5, 4, 1)).tolist() == np.full((2, 12, 12), 7.0).tolist()


def test_columns_beside_pictures_are_checked_without_the_pixels() -> None:
    age = np.random.default_rng(0).normal(size=200)
    problem = problem_of(scenes(200), scenes(100, seed=1), age=age)
    results = {check.name: check for check in table_checks(problem, make_folds(problem))}
    assert "duplicate pictures" in results
    assert "duplicates across folds" not in results
    assert all(isinstance(check, Check) and check.status == "pass" for check in results.values())


def test_classes_that_were_saved_in_different_sizes_are_a_warning(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    sizes = [(8 + 4 * (label == "red"), 6) for label in names(60)]
    files = {f"train/{i}.png": picture(tuple(rng.integers(0, 255, 3)), size=size) for i, size in enumerate(sizes)}
    tables = {
        "train.csv": csv("id,label", *(f"{i},{c}" for i, c in enumerate(names(60)))),
        "sample_submission.csv": SAMPLE,
    }
    problem = define_problem(Competition(slug="colours"), load("colours", write(tmp_path, files | TEST | tables)))
    assert not [name for name in problem.columns if name.startswith("picture: ")]
    assert not any(
        "picture: " in check.detail
        for check in table_checks(problem, make_folds(problem))
        if check.name != "picture files"
    )
    (finding,) = files_tell_the_class(problem, make_folds(problem))
    assert finding[0] == "warn"
    assert "alone tells the class of 100.0% of the pictures" in finding[1]
    shuffled = replace(problem, y=rng.permutation(problem.y))
    (finding,) = files_tell_the_class(shuffled, make_folds(problem))
    assert finding[0] == "pass"


def test_classes_of_a_row_or_two_are_not_looked_for_in_files() -> None:
    problem = problem_of(scenes(100), scenes(50, seed=1), **{"picture: width": np.arange(100)})
    many = replace(problem, y=np.arange(100) // 2, labels=np.arange(50))
    assert list(files_tell_the_class(many, make_folds(problem))) == []


@pytest.mark.parametrize("slug", ["cifar-10", "dogs-vs-cats-redux-kernels-edition"])
def test_kaggle_s_pictures_raise_no_alarm(kaggle_zip: KaggleZip, slug: str) -> None:
    problem = define_problem(Competition(slug=slug), load(slug, kaggle_zip(slug)))
    folds = make_folds(problem)
    checks = (duplicate_pictures, files_tell_the_class, near_duplicates_across_folds)
    assert [status for check in checks for status, _ in check(problem, folds)] == ["pass"] * 3


@pytest.mark.parametrize("beside", [{}, {"age": np.arange(400) % 90}], ids=["pictures alone", "columns beside"])
def test_pictures_that_are_inverted_in_some_rows_of_test_are_found(beside: dict[str, np.ndarray]) -> None:
    dark = scenes(400) // 4
    clean = problem_of(dark[:300], dark[300:], **beside)
    inverted = problem_of(dark[:300], np.concatenate([255 - dark[300:310], dark[310:]]), **beside)
    for problem, expected in ((clean, "pass"), (inverted, "warn")):
        (result,) = [each for each in table_checks(problem, make_folds(problem)) if each.name == "values in range"]
        assert result.status == expected, result.detail

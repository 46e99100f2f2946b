"""Pixels stay with their rows while the meaning of the other columns is inferred."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from kpipe.core.values import Source, Tables
from kpipe.data.pixels import pixel_names
from kpipe.problem.competition import Competition
from kpipe.problem.pixel_columns import with_pixels, without_pixels
from kpipe.problem.problem import define_problem

SHAPE = (2, 2, 3)


def tables(rows: int = 40, shape: tuple[int, int, int] = SHAPE, **columns: object) -> Tables:
    """Pictures whose pixels are all the row's number, which ``age`` holds too."""
    names = pixel_names(shape)
    numbers = np.arange(rows, dtype=np.uint8)
    pixels = pd.DataFrame(np.repeat(numbers[:, None], len(names), axis=1), columns=names)
    ids = pd.Series([f"p{number}" for number in numbers])
    train = pd.DataFrame({"id": ids, "age": numbers.astype(float), "label": numbers % 2, **columns})
    test = pd.DataFrame({"id": "t" + ids[:6], "age": numbers[:6].astype(float)})
    return Tables(
        train=pd.concat([train, pixels], axis=1),
        test=pd.concat([test, pixels[:6]], axis=1),
        sample=pd.DataFrame({"id": test["id"], "label": 0}),
        source=Source(origin="directory", path=Path("."), files={}),
    )


def test_rows_without_a_target_are_left_out_with_their_pictures() -> None:
    label = pd.Series(np.arange(40) % 2, dtype=float)
    label[[3, 4, 20]] = np.nan
    problem = define_problem(Competition(slug="photos"), tables(label=label))
    assert len(problem.X) == 37
    for frame in (problem.X, problem.X_test):
        pixels = frame[pixel_names(SHAPE)].to_numpy()
        np.testing.assert_array_equal(pixels, np.repeat(frame[["age"]].to_numpy(), pixels.shape[1], axis=1))


def test_models_get_all_pixels_and_the_columns_beside_them() -> None:
    problem = define_problem(Competition(slug="photos"), tables())
    assert problem.columns == ("age", *pixel_names(SHAPE))
    alone = tables()
    alone = Tables(
        train=alone.train.drop(columns="age"),
        test=alone.test.drop(columns="age"),
        sample=alone.sample,
        source=alone.source,
    )
    problem = define_problem(Competition(slug="photos"), alone)
    assert problem.columns == tuple(pixel_names(SHAPE))
    assert problem.reasons["columns"].text == "the pictures"


def test_what_describes_the_files_is_neither_a_group_nor_seen_by_models() -> None:
    plain = tables()
    widths = np.repeat(np.arange(20), 2)
    train = plain.train.assign(**{"picture: width": widths})
    test = plain.test.assign(**{"picture: width": [100, 100, 101, 102, 103, 104]})  # new values, as those of groups
    problem = define_problem(Competition(slug="photos"), replace(plain, train=train, test=test))
    assert problem.groups is None
    assert problem.columns == ("age", *pixel_names(SHAPE))
    assert problem.tables.train["picture: width"].tolist() == widths.tolist()
    assert problem.left_out["picture: width"] == "it describes the file of a picture, and not what it shows"


def test_columns_of_a_module_may_be_pixels() -> None:
    names = pixel_names(SHAPE)
    assert define_problem(Competition(slug="photos", columns=names), tables()).columns == tuple(names)


def test_tables_without_pictures_are_the_same_object() -> None:
    plain = without_pixels(tables())
    assert without_pixels(plain) is plain
    assert with_pixels(plain, tables()).train.equals(tables().train)


def test_thousands_of_pixels_are_inferred_as_quickly_as_few() -> None:
    few, many = tables(shape=(4, 4, 3)), tables(shape=(64, 64, 3))
    seconds = []
    for each in (few, few, many):
        start = time.process_time()
        define_problem(Competition(slug="photos"), each)
        seconds.append(time.process_time() - start)
    assert seconds[2] < seconds[1] + 1.0  # 18 s when each was looked at

"""Rows with several pictures, pictures of many bits, and competitions that ask for more than labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kpipe.core.values import Tables
from kpipe.data import pixels
from kpipe.data.loading import load
from kpipe.errors import DataError
from tests.pictures import COLOURS, LABELS, SAMPLE, TEST, array, csv, names, picture, train_pictures, write


def channels_of(found: Tables) -> tuple[tuple[int, int, int], np.ndarray]:
    """The shape of the pictures and (train rows, height, width, channels) of their pixels."""
    columns = pixels.picture_columns(found.train.columns)
    shape = pixels.picture_shape(columns) or (0, 0, 0)
    return shape, found.train[columns].to_numpy().reshape(-1, *shape)


def test_pictures_that_two_columns_name_become_channels(tmp_path: Path) -> None:
    sides = {f"images/{i}_{side}.png": picture((i, i, i)) for i in range(15) for side in ("left", "right")}
    files = {
        **{name: picture((200,) * 3) if "right" in name else content for name, content in sides.items()},
        "train.csv": csv("id,left,right,label", *(f"{i},{i}_left.png,{i}_right.png,{i % 2}" for i in range(12))),
        "test.csv": csv("id,left,right", *(f"{i},{i}_left.png,{i}_right.png" for i in range(12, 15))),
        "sample_submission.csv": csv("id,label", "12,0.5", "13,0.5", "14,0.5"),
    }
    found = load("pairs", write(tmp_path, files))
    shape, values = channels_of(found)
    assert shape == (6, 8, 6)
    assert values[:, 0, 0, 0].tolist() == list(range(12))
    assert (values[..., 3:] == 200).all()
    assert {"left", "right"}.isdisjoint({*found.train, *found.test})


@pytest.mark.parametrize("name", ["{id}_{kind}.png", "{id}/{kind}.png", "{id}-{kind}.png"])
def test_pictures_that_begin_with_a_row_s_name_become_channels(tmp_path: Path, name: str) -> None:
    ids = [f"a_{i}" for i in range(12)]
    levels = {"red": 10, "green": 20, "blue": 30}
    files = {
        f"{'test' if i > 8 else 'train'}/{name.format(id=id, kind=kind)}": picture(level + i, mode="L")
        for i, id in enumerate(ids)
        for kind, level in levels.items()
    }
    tables = {
        "train.csv": csv("id,label", *(f"{id},{i % 2}" for i, id in enumerate(ids[:9]))),
        "sample_submission.csv": csv("id,label", *(f"{id},0" for id in ids[9:])),
    }
    shape, values = channels_of(load("cells", write(tmp_path, files | tables)))
    assert shape == (6, 8, 3)
    assert values[2, 0, 0].tolist() == [12, 22, 32]


def test_rows_with_different_numbers_of_pictures_have_them_one_below_the_other(tmp_path: Path) -> None:
    files = {
        f"photos/pet{i}-{j + 1}.png": picture(COLOURS[c]) for i, c in enumerate(names(15)) for j in range(1 + i % 3)
    }
    tables = {
        "train.csv": csv("pet,age,label", *(f"pet{i},{i % 4},{c}" for i, c in enumerate(names(12)))),
        "test.csv": csv("pet,age", "pet12,1", "pet13,0", "pet14,1"),
        "sample_submission.csv": csv("pet,label", "pet12,red", "pet13,red", "pet14,red"),
    }
    found = load("pets", write(tmp_path, files | tables))
    shape, values = channels_of(found)
    assert shape == (18, 8, 3)
    assert [row[6:].any() for row in values] == [bool(i % 3) for i in range(12)]
    assert any("A row has up to 3 pictures" in note for note in found.source.notes)


def test_twelve_bits_in_sixteen_use_all_of_a_byte(tmp_path: Path) -> None:
    deep = {f"train/{i}.png": picture(4095 if i % 2 else 2048, mode="I;16") for i in range(12)}
    test = {f"test/{i}.png": picture(0, mode="I;16") for i in range(3)}
    found = load("grey", write(tmp_path, {**deep, **test, "train.csv": LABELS, "sample_submission.csv": SAMPLE}))
    assert found.train["pixel_0_0_0"].tolist() == [127, 255] * 6


def test_arrays_of_fractions_keep_their_order_of_brightness(tmp_path: Path) -> None:
    files = {f"train/{i}.npy": array(np.full((6, 8), i / 20, np.float16)) for i in range(12)}
    files |= {f"test/{i}.npy": array(np.zeros((6, 8), np.float16)) for i in range(3)}
    found = load("waves", write(tmp_path, {**files, "train.csv": LABELS, "sample_submission.csv": SAMPLE}))
    np.testing.assert_allclose(found.train["pixel_0_0_0"], 255 * np.arange(12) / 20, atol=1)


def test_labels_that_are_names_of_pictures_too_do_not_name_them(tmp_path: Path) -> None:
    files = {
        f"{part}/{i}/{j}.png": picture(i) for i in range(24) for part in ["test" if i > 19 else "train"] for j in (0, 1)
    }
    tables = {
        "train_labels.csv": csv("id,label", *(f"{i},{i % 2}" for i in range(20))),
        "sample_submission.csv": csv("id,label", *(f"{i},0.5" for i in range(20, 24))),
    }
    shape, values = channels_of(load("scans", write(tmp_path, files | tables)))
    assert shape == (6, 8, 6)
    assert values[:, 0, 0, 0].tolist() == list(range(20))


DRAWN = {**train_pictures("train"), **{f"train_masks/{i}_mask.png": picture(0) for i in range(12)}, **TEST}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({**DRAWN, "sample_submission.csv": csv("img,rle_mask", "0.png,1 1")}, "The labels are pictures, such as"),
        (
            {
                **train_pictures("train"),
                **TEST,
                "train.csv": csv("id,EncodedPixels", *(f"{i}.png,1 5 20 7" for i in range(12))),
                "sample_submission.csv": csv("id,EncodedPixels", "0.png,1 1"),
            },
            "'EncodedPixels' holds regions of pictures",
        ),
        (
            {
                **train_pictures("train"),
                **TEST,
                "train.csv": csv("id,bbox", *(f'{i},"[1, 2, 3, 4]"' for i in range(12))),
                "sample_submission.csv": csv("id,PredictionString", "0,0.5 1 2 3 4"),
            },
            "'PredictionString' holds regions of pictures",
        ),
        (
            {
                **{f"train/{i}.dcm": b"DICM" for i in range(12)},
                "train.csv": LABELS,
                "sample_submission.csv": SAMPLE,
            },
            r"12 pictures in a format that kpipe does not read \(DICOM, such as train/0.dcm\)",
        ),
    ],
)
def test_what_kpipe_cannot_predict_or_read_is_refused(
    tmp_path: Path, files: dict[str, bytes | str], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        load("hard", write(tmp_path, files))


def test_pictures_that_no_column_names_are_not_used_and_named(tmp_path: Path) -> None:
    files = {f"{part}/plate{i % 2}/{i}.png": picture(i) for part in ("train", "test") for i in range(12)}
    tables = {
        "train.csv": csv("id,well,label", *(f"P_{i}_x,{i},{i % 2}" for i in range(100, 112))),
        "test.csv": csv("id,well", *(f"P_{i}_x,{i}" for i in range(112, 118))),
        "sample_submission.csv": csv("id,label", *(f"P_{i}_x,0" for i in range(112, 118))),
    }
    found = load("wells", write(tmp_path, files | tables))
    assert list(found.train) == ["id", "well", "label"]
    assert any("24 pictures are not used, such as test/plate0/0.png" in note for note in found.source.notes)


def test_the_column_that_names_pictures_is_left_out_where_another_is_the_id_in_any_case(tmp_path: Path) -> None:
    files = train_pictures("train") | {f"test/t{i}.png": picture(i) for i in range(3)}
    tables = {
        "train.csv": csv("label,file_name,id", *(f"{c},{i}.png,x{i}" for i, c in enumerate(names(12)))),
        "test.csv": csv("file_name,id", *(f"t{i}.png,y{i}" for i in range(3))),
        "sample_submission.csv": csv("Id,Predicted", *(f"y{i},red" for i in range(3))),
    }
    found = load("traps", write(tmp_path, files | tables))
    assert "file_name" not in found.train
    assert "file_name" not in found.test


def test_a_picture_whose_name_differs_by_case_alone_is_that_of_its_row(tmp_path: Path) -> None:
    files = train_pictures("train") | TEST
    files["train/7.PNG"] = files.pop("train/7.png")
    files["test/2.Png"] = files.pop("test/2.png")
    tables = {
        "labels.csv": csv("id,label", *(f"{i}.png,{c}" for i, c in enumerate(names(12)))),
        "sample_submission.csv": csv("id,label", "0.png,red", "1.png,red", "2.png,red"),
    }
    found = load("cases", write(tmp_path, files | tables))
    assert (len(found.train), len(found.test)) == (12, 3)
    assert not any("have no picture" in note for note in found.source.notes)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            {**train_pictures("train"), "train.csv": LABELS, "sample_submission.csv": SAMPLE},
            "There are no pictures to predict: put them into a folder test. All pictures belong to train",
        ),
        (
            {**train_pictures("train"), **TEST, "sample_submission.csv": SAMPLE},
            "15 pictures are not used, such as .*: no table column contains their names, and neither their folders nor",
        ),
    ],
    ids=["no pictures of test", "no labels"],
)
def test_what_a_competition_lacks_is_reported(tmp_path: Path, files: dict[str, bytes | str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        load("poor", write(tmp_path, files))

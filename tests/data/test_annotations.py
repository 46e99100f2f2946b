"""Annotations in COCO's format, as Kaggle's herbarium and iWildCam competitions have them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kpipe.data.loading import load
from kpipe.errors import DataError
from tests.pictures import COLOURS, csv, names, picture, write

KINDS = names(12)


def annotated(images: list[dict[str, Any]], *categories: tuple[int, int]) -> str:
    found = [{"id": i, "image_id": image, "category_id": kind} for i, (image, kind) in enumerate(categories)]
    return json.dumps({"info": {}, "images": images, "annotations": found, "categories": []})


def herbarium(*more: tuple[int, int]) -> dict[str, bytes | str]:
    """Pictures of 12 + 3 plants in numbered folders, which are no labels."""
    train = [
        {"id": 100 + i, "file_name": f"images/{i % 3:03d}/{100 + i}.png", "height": 6, "width": 8, "region": i % 4}
        for i in range(12)
    ]
    test = [{"id": i, "file_name": f"images/000/{i}.png", "height": 6, "width": 8, "region": 0} for i in range(3)]
    files = {f"herbs/train/{each['file_name']}": picture(COLOURS[KINDS[i]]) for i, each in enumerate(train)}
    files |= {f"herbs/test/{each['file_name']}": picture(COLOURS["blue"]) for each in test}
    kinds = [(100 + i, ["red", "blue"].index(kind) + 40) for i, kind in enumerate(KINDS)]
    return {
        **files,
        "herbs/train/metadata.json": annotated(train, *kinds, *more),
        "herbs/test/metadata.json": json.dumps({"images": test}),
        "sample_submission.csv": csv("Id,Predicted", "0,0", "1,0", "2,0"),
    }


def test_images_and_their_categories_are_the_rows_of_train_and_test(tmp_path: Path) -> None:
    found = load("herbs", write(tmp_path, herbarium()))
    assert found.train["category_id"].tolist() == [41 if kind == "blue" else 40 for kind in KINDS]
    assert found.test["id"].tolist() == [0, 1, 2]
    assert [name for name in found.train if not name.startswith("p")] == ["id", "region", "category_id"]
    assert found.train["pixel_0_0_2"].tolist() == [COLOURS[kind][2] for kind in KINDS]
    assert "The rows of train are the images that herbs/train/metadata.json lists." in found.source.notes


def test_annotations_of_boxes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gives the image 100 several categories, as for bounding boxes"):
        load("herbs", write(tmp_path, herbarium((100, 41))))


@pytest.mark.parametrize(
    "annotations",
    [5, None, {"a": 1}, ["x"], [{"image_id": [1], "category_id": 0}], [{"image_id": 1, "category_id": {"a": 1}}], [{}]],
)
def test_annotations_of_another_form_are_an_error_that_shows_one(tmp_path: Path, annotations: object) -> None:
    files = herbarium()
    content = json.loads(files["herbs/train/metadata.json"]) | {"annotations": annotations}
    with pytest.raises(DataError, match=r"train/metadata\.json is not in COCO's format"):
        load("herbs", write(tmp_path, files | {"herbs/train/metadata.json": json.dumps(content)}))


@pytest.mark.parametrize("image", [{"id": [1], "file_name": "a.png"}, {"id": 1, "file_name": "\ud800.png"}])
def test_images_that_cannot_be_rows_end_in_a_message(tmp_path: Path, image: dict[str, object]) -> None:
    files = herbarium()
    content = json.loads(files["herbs/train/metadata.json"]) | {"images": [image]}
    with pytest.raises(DataError):
        load("herbs", write(tmp_path, files | {"herbs/train/metadata.json": json.dumps(content)}))


def test_a_picture_without_an_annotation_is_no_row_of_train(tmp_path: Path) -> None:
    files = herbarium()
    content = json.loads(files["herbs/train/metadata.json"])
    content["annotations"].pop()
    found = load("herbs", write(tmp_path, files | {"herbs/train/metadata.json": json.dumps(content)}))
    assert len(found.train) == 11
    assert any("belong to no row" in note for note in found.source.notes)


def test_a_table_of_train_comes_before_annotations(tmp_path: Path) -> None:
    rows = (f"images/{i % 3:03d}/{100 + i}.png,{kind}" for i, kind in enumerate(KINDS))
    found = load("herbs", write(tmp_path, herbarium() | {"train.csv": csv("file_name,kind", *rows)}))
    assert found.train["kind"].tolist() == KINDS

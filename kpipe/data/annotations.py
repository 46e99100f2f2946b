"""Tables of train and test from annotations in COCO's format: a JSON file with lists of images and their categories.

References
----------
https://cocodataset.org/#format-data; Kaggle's herbarium, iWildCam and iNaturalist competitions have such files.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kpipe.data.column_names import words_of
from kpipe.data.files import SourceFile, list_json
from kpipe.data.picture_labels import TEST_WORDS, TRAIN_WORDS
from kpipe.data.roles import Roles
from kpipe.errors import DataError

__all__ = ["with_annotations"]

_ABOUT_FILES = {"height", "width", "license", "rights_holder", "url", "coco_url", "flickr_url"}
_Image = Mapping[str, Any]


def with_annotations(place: Path, roles: Roles) -> Roles:
    """Return the roles of a competition's files, with tables from its annotations if it has no other training table.

    Parameters
    ----------
    place : Path
        The folder or zip.
    roles : Roles

    Returns
    -------
    Roles

    Raises
    ------
    DataError
        The annotations give several categories to a picture, as bounding boxes do.
    """
    if "train" in roles.files and not roles.files["train"].path.lower().endswith(".json"):
        return roles
    found: dict[str, SourceFile] = {}
    notes = []
    for file in list_json(place):
        role = _role_of(file)
        if role and role not in found and (content := _read(file)) is not None:
            found[role] = _as_table(file, content, role)
            notes.append(f"The rows of {role} are the images that {file.path} lists.")
    if "train" not in found:
        return roles
    others = tuple(file for file in roles.others if not file.path.lower().endswith(".json"))
    return replace(roles, files={**roles.files, **found}, others=others, notes=(*notes, *roles.notes))


def _role_of(file: SourceFile) -> str:
    words = set().union(*map(words_of, file.path.split("/")))
    return "test" if words & TEST_WORDS else "train" if words & TRAIN_WORDS else ""


def _read(file: SourceFile) -> Mapping[str, Any] | None:
    """The content of a file of annotations; None for any other file."""
    try:
        if not file.read_packed(64).lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"{"):
            return None
        content = json.loads(file.read())
    except (DataError, ValueError, RecursionError):
        return None
    images = content.get("images") if isinstance(content, dict) else None
    named = isinstance(images, list) and images and all(_is_image(each) for each in images)
    return content if named else None


def _is_image(image: object) -> bool:
    return isinstance(image, dict) and _is_plain(image.get("id")) and isinstance(image.get("file_name"), str)


def _is_plain(value: object) -> bool:
    """Whether a value can be a cell of a table."""
    return isinstance(value, str | int | float)


def _as_table(file: SourceFile, content: Mapping[str, Any], role: str) -> SourceFile:
    """A CSV file with a row for each image; the last column of train is the category."""
    images: Sequence[_Image] = content["images"]
    header = ["id", "file_name", *_further(images)]
    rows = [[image.get(name, "") for name in header] for image in images]
    if role == "train":
        categories = _categories(file, content)
        header.append("category_id")
        rows = [[*row, categories[row[0]]] for row in rows if row[0] in categories]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    raw = text.getvalue().encode("utf-8", "replace")  # JSON may contain lone surrogates
    return SourceFile(f"{role}.csv", lambda most=None: raw[:most])


def _further(images: Sequence[_Image]) -> Iterator[str]:
    """The names of further fields of the images, such as the location of the camera, from the first image."""
    for name, value in images[0].items():
        if name not in {"id", "file_name", *_ABOUT_FILES} and _is_plain(value):
            yield str(name)


def _categories(file: SourceFile, content: Mapping[str, Any]) -> dict[Any, Any]:
    """Image → category."""
    found: dict[Any, Any] = {}
    annotations = content.get("annotations", [])
    for each in annotations if isinstance(annotations, list) else [None]:
        image, category = (each.get("image_id"), each.get("category_id")) if isinstance(each, dict) else (None, None)
        if not _is_plain(image) or not _is_plain(category):
            raise DataError(
                f"{file.path} is not in COCO's format: each of its annotations must have the id of an image (image_id) "
                f"and of a category (category_id), as numbers or texts; got {each!r:.80}.",
                code="unreadable-file",
                file=file.path,
            )
        if found.setdefault(image, category) != category:
            raise DataError(
                f"{file.path} gives the image {image} several categories, as for bounding boxes: kpipe predicts one "
                "label or number per picture. Write a table train.csv with a file name and a label in each row.",
                code="target-unsuitable",
                file=file.path,
            )
    return found

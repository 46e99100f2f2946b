"""Labels in the names of pictures, and competitions whose submissions hold more than labels or numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from kpipe.core.wording import listed
from kpipe.data.column_names import plain_name, words_of
from kpipe.data.picture_files import Picture
from kpipe.data.picture_names import PictureTable
from kpipe.errors import DataError

__all__ = [
    "TEST_WORDS",
    "TRAIN_WORDS",
    "labels_in_names",
    "refuse_regions",
    "unread_pictures",
    "without_drawings",
]

TRAIN_WORDS = {"train", "training", "trainset", "traindata", "valid", "validation", "val"}
TEST_WORDS = {"test", "testing", "testset", "testdata", "pred", "predict", "prediction", "predictions", "eval"}
_LABELLED = re.compile(r"([A-Za-z][A-Za-z ]*?)[._\- ]?\(?\d+\)?$")  # cat.0, dog_12, rose (3)
_MAX_CLASSES, _MAX_ALONE = 0.2, 0.5  # classes per picture, and share of classes with a single picture
_DRAWN = {"mask", "masks", "cleaned", "clean", "annotations", "segmentation", "segmentations", "gt", "groundtruth"}
_REGIONS = {"rle", "encodedpixels", "bbox", "bboxes", "segmentation", "predictionstring", "annotation", "polygon"}
_PIECES = re.compile(r"\d+( \d+)+$")  # of a mask: 1 5 20 7
_MAX_DRAWN = 0.5  # share of the pictures in a folder named like other pictures, above which they are masks of these
_UNREAD = {
    ".dcm": ("DICOM", "pydicom.dcmread(path).pixel_array, of the package pydicom"),
    ".dicom": ("DICOM", "pydicom.dcmread(path).pixel_array, of the package pydicom"),
    ".nii": ("NIfTI", "nibabel.load(path).get_fdata(), of the package nibabel"),
    ".tfrec": ("TFRecord", "tensorflow.data.TFRecordDataset(path)"),
    ".svs": ("whole-slide", "openslide.OpenSlide(path), of the package openslide-python"),
    ".heic": ("HEIC", "PIL.Image.open(path), after pillow_heif.register_heif_opener()"),
}
_MINIMUM = 10  # files of a format that kpipe does not read; fewer are ignored


def labels_in_names(pictures: Sequence[Picture]) -> tuple[list[str] | None, str]:
    """Read the label of each picture from its folder or from the letters at the start of its name.

    Parameters
    ----------
    pictures : sequence of Picture

    Returns
    -------
    labels : list of str or None
        None if the names contain no classes.
    how : str
        Where the labels come from, for the user.
    """
    classes = [[name for name in picture.folders if not _says_role(name)] for picture in pictures]
    for level in range(1, max((len(names) for names in classes), default=0) + 1):
        found = [names[-level] if len(names) >= level else "" for names in classes]
        if _are_classes(found):
            return found, "the names of the folders"
    matches = [_LABELLED.match(picture.stem) for picture in pictures]
    prefixes = [each[1] if each else "" for each in matches]
    if _are_classes(prefixes):
        return prefixes, "the prefixes of the file names"
    return None, ""


def _says_role(folder: str) -> bool:
    return bool(words_of(folder) & (TRAIN_WORDS | TEST_WORDS))


def _are_classes(labels: Sequence[str]) -> bool:
    """Whether labels look like classes: all present, few, and most of them repeated."""
    counts = Counter(labels)
    alone = sum(count == 1 for count in counts.values())
    few = 2 <= len(counts) <= max(2, _MAX_CLASSES * len(labels)) and alone <= _MAX_ALONE * len(counts)
    return few and all(labels) and not (len(counts) == 2 and alone)


def without_drawings(pictures: Sequence[Picture]) -> tuple[list[Picture], list[Picture]]:
    """Separate pictures from masks and other drawings of them.

    Parameters
    ----------
    pictures : sequence of Picture

    Returns
    -------
    pictures, drawings : lists of Picture
        Drawings are in folders whose names say so, and have the names of pictures in other folders.
    """
    by_folder: dict[bool, list[Picture]] = {True: [], False: []}
    for picture in pictures:
        by_folder[any(words_of(name) & _DRAWN for name in picture.folders)].append(picture)
    stems = {picture.stem.lower() for picture in by_folder[False]}
    drawn = [picture for picture in by_folder[True] if _stem_of_original(picture) in stems]
    if len(drawn) <= _MAX_DRAWN * len(by_folder[True]):
        return list(pictures), []
    return by_folder[False], by_folder[True]


def _stem_of_original(drawing: Picture) -> str:
    """The base name of the picture that a drawing belongs to."""
    return re.sub(r"[-_. ]?(mask|segmentation|gt)s?$", "", drawing.stem.lower())


def refuse_regions(train: PictureTable | None, sample: PictureTable | None, drawings: Sequence[Picture]) -> None:
    """Raise DataError if regions of pictures, or pictures themselves, are to be predicted.

    Parameters
    ----------
    train : PictureTable or None
        The table with a column that names pictures.
    sample : PictureTable or None
        The sample submission.
    drawings : sequence of Picture
        Masks and the like.
    """
    asked = [] if sample is None else sample.header[1:]
    regions = [name for table in (sample, train) if table is not None for name in _regions(table)]
    if train is None and drawings:
        raise DataError(
            f"The labels are pictures, such as {listed([each.path for each in drawings[:3]])}: kpipe predicts labels "
            "or numbers for whole pictures, not masks or other pictures.",
            code="target-unsuitable",
        )
    if regions and (
        not asked or not set(asked) <= set(train.header if train is not None else ()) or set(asked) & {*regions}
    ):
        raise DataError(
            f"The column {regions[0]!r} holds regions of pictures: kpipe predicts labels or numbers for whole "
            "pictures, not masks or boxes. For one label per picture, name another column: --target COLUMN.",
            code="target-unsuitable",
            column=regions[0],
        )


def _regions(table: PictureTable) -> Iterator[str]:
    for name in table.header[1:]:
        words = words_of(name) | {plain_name(name)}
        cells = [cell for cell in table.column(name)[:1000] if cell]
        drawn = "mask" in name.lower() and cells and all(_PIECES.match(cell) for cell in cells)
        if words & _REGIONS or drawn:
            yield name


def unread_pictures(place: Path, names: Sequence[str]) -> DataError | None:
    """Return the error for a competition whose pictures kpipe cannot read.

    Parameters
    ----------
    place : Path
    names : sequence of str
        All its files.

    Returns
    -------
    DataError or None
        None if there are no such pictures.
    """
    counts = Counter(
        ending for name in names for ending in _UNREAD if name.lower().removesuffix(".gz").endswith(ending)
    )
    if not counts or counts.most_common(1)[0][1] < _MINIMUM:
        return None
    ending, count = counts.most_common(1)[0]
    kind, how = _UNREAD[ending]
    first = next(name for name in names if name.lower().removesuffix(".gz").endswith(ending))
    return DataError(
        f"{place} holds {count:,} pictures in a format that kpipe does not read ({kind}, such as {first}). Convert "
        f"them to PNG under the same names, with {how}, and pass the folder with these and the tables: --data FOLDER.",
        code="broken-pictures",
    )

"""Decode pictures into one uint8 array, which is cached and mapped into memory."""

from __future__ import annotations

import contextlib
import hashlib
import io
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from kpipe.core.devices import available_cores
from kpipe.core.wording import listed
from kpipe.data.cache import cache_folder
from kpipe.data.picture_cache import discard_array, keep_array, new_array, read_array
from kpipe.data.picture_files import Picture, PictureFolder
from kpipe.errors import DataError

if TYPE_CHECKING:  # Pillow is imported only if there are pictures
    from PIL import Image

__all__ = [
    "FILE_COLUMNS",
    "Pixels",
    "decode_pictures",
    "picture_columns",
    "picture_shape",
    "pixel_names",
    "shown_columns",
    "value_range",
]

_VERSION = 4  # of the arrays; increase it when decoding changes
_LARGEST_SIDE = 64  # pixels; larger pictures are scaled down unless the user sets another size
_MEASURED = 500  # pictures whose sizes are sampled
_STEP = 8  # pixels
_GREY = {"1", "L", "LA", "I", "F", "I;16", "I;16B", "I;16L"}
# Pillow opens no other format: it would run Ghostscript for a PostScript file with the extension of a picture.
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
_MAX_BROKEN = 0.2  # share of pictures that may be unreadable
# Columns that describe the file of a row's first picture; the format of a JPEG includes its quality. Models do not see
# them; a check does.
FILE_COLUMNS = ("picture: bytes", "picture: width", "picture: height", "picture: format")
_PREFIX = "pixel_"  # of column names, see ``pixel_names``


@dataclass(frozen=True)
class Pixels:
    """The pixels of some pictures.

    Attributes
    ----------
    values : (n, height * width * channels) uint8 array
        Row by row, channels last; memory-mapped. A picture that cannot be read is black.
    shape : tuple of int
        (height, width, channels).
    files : (n, 4) int64 array
        Facts about the first picture's file, in the order of ``FILE_COLUMNS``; 0 if it cannot be read.
    notes : tuple of str
        Sentences for the user.
    """

    values: np.ndarray
    shape: tuple[int, int, int]
    files: np.ndarray
    notes: tuple[str, ...]

    @property
    def broken(self) -> np.ndarray:
        """(n,) bool: whether none of a row's pictures can be read."""
        return np.asarray(self.files[:, 1] == 0)

    def frame(self, rows: np.ndarray) -> pd.DataFrame:
        """Return the pixels of some pictures as a table.

        Parameters
        ----------
        rows : (k,) array of int

        Returns
        -------
        DataFrame of shape (k, columns)
            uint8 columns with the names of ``pixel_names``; before them those of ``FILE_COLUMNS`` that vary.
        """
        is_slice = len(rows) > 0 and bool((np.diff(rows) == 1).all())
        values = self.values[rows[0] : rows[0] + len(rows)] if is_slice else self.values[rows]
        pixels = pd.DataFrame(values, columns=pixel_names(self.shape), copy=False)
        read = self.files[~self.broken]
        vary = [place for place in range(len(FILE_COLUMNS)) if len(np.unique(read[:, place])) > 1]
        files = pd.DataFrame(self.files[rows][:, vary], columns=[FILE_COLUMNS[place] for place in vary])
        return pd.concat([files, pixels], axis=1)


def pixel_names(shape: tuple[int, int, int]) -> list[str]:
    """The column names of pictures of a shape; ``picture_shape`` is the inverse.

    Parameters
    ----------
    shape : tuple of int
        (height, width, channels).

    Returns
    -------
    list of str

    Examples
    --------
    >>> pixel_names((1, 2, 1))
    ['pixel_0_0_0', 'pixel_0_1_0']
    """
    return list(_names(shape))


@cache
def _names(shape: tuple[int, int, int]) -> tuple[str, ...]:
    height, width, channels = shape
    return tuple(f"{_PREFIX}{y}_{x}_{c}" for y in range(height) for x in range(width) for c in range(channels))


def picture_shape(columns: Sequence[str]) -> tuple[int, int, int] | None:
    """The shape of pictures, from the names of their columns.

    Parameters
    ----------
    columns : sequence of str

    Returns
    -------
    tuple of int or None
        (height, width, channels); None if they are not the columns of pictures that kpipe decoded.

    Examples
    --------
    >>> picture_shape(["pixel_0_0_0", "pixel_0_1_0"]), picture_shape(["pixel0", "pixel1"])
    ((1, 2, 1), None)
    """
    parts = str(columns[-1]).split("_") if len(columns) else []
    if len(parts) != 4 or not all(part.isdigit() for part in parts[1:]):
        return None
    shape = (int(parts[1]) + 1, int(parts[2]) + 1, int(parts[3]) + 1)
    return shape if list(columns) == pixel_names(shape) else None


def picture_columns(columns: Iterable[object]) -> list[str]:
    """The columns of pictures among those of a table.

    Parameters
    ----------
    columns : iterable

    Returns
    -------
    list of str
        Empty unless they are exactly the columns of pictures of one shape.

    Examples
    --------
    >>> picture_columns(["age", "pixel_0_0_0", "pixel_0_1_0"])
    ['pixel_0_0_0', 'pixel_0_1_0']
    """
    found = [name for name in map(str, columns) if name.startswith(_PREFIX)]
    return found if picture_shape(found) is not None else []


def shown_columns(columns: Iterable[object]) -> list[str]:
    """The names of a table's columns, with one phrase for all pixels.

    Parameters
    ----------
    columns : iterable

    Returns
    -------
    list of str

    Examples
    --------
    >>> shown_columns(["age", "pixel_0_0_0", "pixel_0_1_0"])
    ['age', 'pictures (1 x 2 pixels, 1 channel)']
    """
    names = list(map(str, columns))
    pixels = picture_columns(names)
    shape = picture_shape(pixels)
    if shape is None:
        return names
    height, width, channels = shape
    hidden = {*pixels}
    rest = [name for name in names if name not in hidden]
    return [*rest, f"pictures ({height} x {width} pixels, {channels} channel{'s' * (channels > 1)})"]


def decode_pictures(
    folder: PictureFolder, rows: Sequence[Sequence[int]], *, aligned: bool = True, size: int | None = None
) -> Pixels:
    """Return the pixels of each row's pictures, from the cache or decoded on all cores.

    Parameters
    ----------
    folder : PictureFolder
        Open.
    rows : sequence of sequences of int
        Positions in ``folder.pictures``. Rows with fewer pictures than others are filled with black ones.
    aligned : bool, default=True
        Whether several pictures of a row become channels of one picture; otherwise they are stacked vertically.
    size : int, optional
        Pixels of the longer side, at most those of the pictures; by default 64.

    Returns
    -------
    Pixels

    Raises
    ------
    DataError
        No picture can be read, or more than a fifth cannot.
    """
    named = [[folder.pictures[number] for number in row] for row in rows]
    marks = "\n".join("\t".join(f"{picture.path}\t{picture.mark}" for picture in row) for row in named)
    key = hashlib.sha256(f"{_VERSION} {size or _LARGEST_SIDE} {aligned}\n{marks}".encode()).hexdigest()[:32]
    home = cache_folder() / "pictures"
    most = max(map(len, named), default=1)
    if (kept := read_array(home, key, len(named), len(FILE_COLUMNS))) is not None:
        values, shape, files = kept
        return Pixels(values, shape, files, tuple(_notes(named, shape, files[:, 1] == 0)))
    form = _common_form(folder, [picture for row in named for picture in row], size or _LARGEST_SIDE)
    height, width, channels = form.shape
    shape = (height, width, channels * most) if aligned else (height * most, width, channels)
    values = new_array(home, key, (len(named), int(np.prod(shape))))
    try:
        files = _decode_all(folder, named, form, values.reshape(-1, *shape))
        broken = files[:, 1] == 0
        if broken.mean() > _MAX_BROKEN:
            raise DataError(
                f"{broken.sum():,} of {len(named):,} pictures cannot be read: {_first(named, broken)}. Download the "
                "files again.",
                code="broken-pictures",
            )
    except BaseException:  # Ctrl-C too: the file may have gigabytes
        discard_array(home, key)
        raise
    return Pixels(keep_array(home, key, values, shape, files), shape, files, tuple(_notes(named, shape, broken)))


def _first(named: Sequence[Sequence[Picture]], broken: np.ndarray) -> str:
    return listed([row[0].path for row, bad in zip(named, broken, strict=True) if bad and row], most=3)


def _notes(named: Sequence[Sequence[Picture]], shape: tuple[int, int, int], broken: np.ndarray) -> list[str]:
    height, width, channels = shape
    of = {1: ", grey", 3: ""}.get(channels, f" with {channels} channels")
    notes = [f"{sum(map(len, named)):,} pictures are read as {height} x {width} pixels{of} (--size)."]
    if broken.any():
        notes.append(
            f"{broken.sum():,} pictures cannot be read: {_first(named, broken)}. Train rows are dropped; in test rows, "
            "the picture is black."
        )
    return notes


@dataclass(frozen=True)
class _Form:
    """How pictures are decoded.

    Attributes
    ----------
    shape : tuple of int
        (height, width, channels).
    low, high : float
        Values that become 0 and 255, if a picture is not 8-bit.
    """

    shape: tuple[int, int, int]
    low: float = 0.0
    high: float = 255.0


def _common_form(folder: PictureFolder, pictures: Sequence[Picture], largest: int) -> _Form:
    """The form of all pictures: their size, or the median if sizes differ, scaled down if it is large."""
    chosen = [pictures[i] for i in np.unique(np.linspace(0, len(pictures) - 1, _MEASURED).astype(int))]
    sizes: Counter[tuple[int, int]] = Counter()
    grey: set[bool] = set()
    values: list[np.ndarray] = []
    for picture in chosen:
        with contextlib.suppress(Exception), _open(folder.read(picture)) as image:
            sizes[image.height, image.width] += 1
            grey.add(image.mode in _GREY)
            if _is_deep(image):
                values.append(np.quantile(np.asarray(image), (0, 0.005, 0.995, 1)))
    if not sizes:
        raise DataError(
            f"No picture can be read, such as {pictures[0].path}. Download the files again.",
            code="broken-pictures",
            file=str(pictures[0].path),
        )
    height, width = sizes.most_common(1)[0][0]
    if len(sizes) > 1:  # of several sizes, the median
        spread = np.array([size for size, count in sizes.items() for _ in range(count)])
        height, width = (int(each) for each in np.median(spread, axis=0))
    scale = min(1.0, largest / max(height, width))
    low, high = value_range(np.array(values)) if values else (0.0, 255.0)
    shape = (
        _round_side(height * scale, len(sizes)),
        _round_side(width * scale, len(sizes)),
        1 if grey == {True} else 3,
    )
    return _Form(shape, low, high)


def _round_side(side: float, sizes: int) -> int:
    """Pixels of a side: a multiple of 8 if sizes differ, because their median is arbitrary."""
    return max(1, round(side)) if sizes == 1 or side < _STEP else _STEP * round(side / _STEP)


def value_range(quantiles: np.ndarray) -> tuple[float, float]:
    """The values that become 0 and 255: the bit depth of whole numbers, or the range of others.

    Parameters
    ----------
    quantiles : ndarray of shape (k, 4)
        Minimum, quantiles of 0.005 and 0.995, and maximum of each of some pictures.

    Returns
    -------
    tuple of float

    Examples
    --------
    >>> value_range(np.array([[0, 1, 2000, 4000]])), value_range(np.array([[-30.5, -28.0, 5.0, 9.0]]))
    ((0.0, 4095.0), (-28.0, 5.0))
    """
    lowest, highest = float(quantiles[:, 0].min()), float(quantiles[:, 3].max())
    low, high = (float(each) for each in np.median(quantiles[:, 1:3], axis=0))
    if lowest >= 0 and highest.is_integer() and highest > 1:
        return 0.0, float(2 ** int(np.ceil(np.log2(highest + 1))) - 1)
    if lowest >= 0 and highest <= 1:
        return 0.0, 1.0
    return low, high if high > low else low + 1


def _decode_all(
    folder: PictureFolder, named: Sequence[Sequence[Picture]], form: _Form, values: np.ndarray
) -> np.ndarray:
    """(rows, 4) the facts of ``Pixels.files``; the pixels are written into ``values``."""
    from PIL import Image

    height, _, channels = form.shape
    files = np.zeros((len(named), len(FILE_COLUMNS)), dtype=np.int64)
    aligned = values.shape[1] == height

    def decode(row: int) -> None:
        for number, picture in enumerate(named[row]):
            pixels, size = _decode(folder, picture, form)
            if pixels is None:
                continue
            files[row] = files[row] if files[row, 1] else (int(picture.mark.split()[0]), *size)
            if aligned:
                values[row, :, :, number * channels : (number + 1) * channels] = pixels
            else:
                values[row, number * height : (number + 1) * height] = pixels

    with warnings.catch_warnings():  # here, because warning filters are shared by all threads
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with ThreadPoolExecutor(max_workers=available_cores()) as pool:  # Pillow releases the GIL while decoding
            for _ in pool.map(decode, range(len(named))):
                pass
    return files


def _decode(folder: PictureFolder, picture: Picture, form: _Form) -> tuple[np.ndarray | None, tuple[int, int, int]]:
    """(height, width, channels) bytes, and the file's width, height and format.

    None if it cannot be read, is cut short, or would fill the memory.
    """
    from PIL import Image, ImageOps

    height, width, channels = form.shape
    try:
        with _open(folder.read(picture)) as image:
            size = (*image.size, _format_code(image))
            image.draft("RGB", (width, height))  # decodes a JPEG at half its size, or less, if that suffices
            turned = ImageOps.exif_transpose(image)
            plain = _eight_bit(turned, form).convert("L" if channels == 1 else "RGB")
            if plain.size != (width, height):
                plain = plain.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=2.0)
            return np.asarray(plain, dtype=np.uint8).reshape(form.shape), size
    except Exception:  # whatever a decoder raises: OSError, SyntaxError, struct.error, DecompressionBombError
        return None, (0, 0, 0)


def _format_code(image: Image.Image) -> int:
    """A number for the format of a file, and for the quality of a JPEG: the sum of its first quantization table."""
    code = _FORMATS.index(image.format) if image.format in _FORMATS else len(_FORMATS)
    tables = getattr(image, "quantization", None)
    return code + (len(_FORMATS) + 1) * sum(tables[min(tables)]) if tables else code


def _open(content: bytes) -> Image.Image:
    """Open a picture, given the bytes of its file or of an .npy file."""
    from PIL import Image

    if not content.startswith(b"\x93NUMPY"):
        return Image.open(io.BytesIO(content), formats=_FORMATS)
    values = np.load(io.BytesIO(content), allow_pickle=False)
    if values.ndim == 3 and values.shape[0] in (1, 3) and values.shape[2] > 4:
        values = np.moveaxis(values, 0, 2)  # channels first
    if values.dtype == np.uint8:
        return Image.fromarray(values.squeeze())
    return Image.fromarray(values.reshape(*values.shape[:2], -1).mean(axis=2).astype(np.float32))


def _is_deep(image: Image.Image) -> bool:
    return image.mode in ("I", "F") or image.mode.startswith("I;16")


def _eight_bit(image: Image.Image, form: _Form) -> Image.Image:
    """Scale a picture of more than 8 bits, or of floats, to bytes, by the range of values in the competition."""
    from PIL import Image

    if not _is_deep(image):
        return image
    values = np.asarray(image, dtype=np.float64) - form.low
    return Image.fromarray(np.clip(values * (255.0 / (form.high - form.low)), 0, 255).astype(np.uint8))

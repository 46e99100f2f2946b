"""Pictures as pixels: one array of bytes for all pictures, decoded once, kept in the cache and mapped into memory."""

from __future__ import annotations

import contextlib
import hashlib
import io
import mmap
import os
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from kpipe.core.wording import listed
from kpipe.data.cache import cache_folder
from kpipe.data.picture_files import Picture, PictureFolder
from kpipe.errors import DataError

if TYPE_CHECKING:  # Pillow is loaded where there are pictures
    from PIL import Image

__all__ = ["Pixels", "decode_pictures", "picture_columns", "picture_shape", "pixel_names"]

_VERSION = 1  # of the arrays; increase it when pictures are decoded otherwise
_LARGEST_SIDE = 64  # pixels; larger pictures are made smaller
_MEASURED = 500  # pictures whose sizes are looked at
_GREY = {"1", "L", "LA", "I", "F", "I;16", "I;16B", "I;16L"}
_FORMATS = (
    "JPEG",
    "PNG",
    "WEBP",
    "BMP",
    "GIF",
    "TIFF",
)  # Pillow would run Ghostscript for PostScript under such a name
_MOST_BROKEN = 0.2  # share of pictures that may be unreadable
_NAME, _COLUMN = "pixel_{}_{}_{}", re.compile(r"pixel_\d+_\d+_\d+")


@dataclass(frozen=True)
class Pixels:
    """The pixels of some pictures.

    Attributes
    ----------
    values : (n, height * width * channels) uint8 array
        Row by row, channels last; mapped from a file. A picture that cannot be read is black.
    shape : tuple of int
        (height, width, channels).
    broken : (n,) bool array
    notes : tuple of str
        Sentences for the user.
    """

    values: np.ndarray
    shape: tuple[int, int, int]
    broken: np.ndarray
    notes: tuple[str, ...]

    def frame(self, rows: np.ndarray) -> pd.DataFrame:
        """The pixels of some pictures as a table.

        Parameters
        ----------
        rows : (k,) array of int

        Returns
        -------
        DataFrame of shape (k, height * width * channels)
            uint8 columns with the names of ``pixel_names``.
        """
        together = len(rows) == 0 or bool((np.diff(rows) == 1).all())
        values = self.values[rows[0] : rows[0] + len(rows)] if together and len(rows) else self.values[rows]
        return pd.DataFrame(values, columns=pixel_names(self.shape), copy=False)


def pixel_names(shape: tuple[int, int, int]) -> list[str]:
    """The names of the columns of pictures, by which their shape can be told again.

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
    height, width, channels = shape
    return [_NAME.format(y, x, c) for y in range(height) for x in range(width) for c in range(channels)]


def picture_shape(columns: Sequence[str]) -> tuple[int, int, int] | None:
    """The shape of the pictures whose pixels are in some columns.

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
        Empty unless they are all the columns of one picture.

    Examples
    --------
    >>> picture_columns(["age", "pixel_0_0_0", "pixel_0_1_0"])
    ['pixel_0_0_0', 'pixel_0_1_0']
    """
    found = [name for name in map(str, columns) if _COLUMN.fullmatch(name)]
    return found if picture_shape(found) is not None else []


def decode_pictures(folder: PictureFolder, numbers: Iterable[int]) -> Pixels:
    """The pixels of pictures, from the cache or decoded by all cores.

    Parameters
    ----------
    folder : PictureFolder
        Open.
    numbers : iterable of int
        Places of pictures in ``folder.pictures``, in the order of the rows.

    Returns
    -------
    Pixels

    Raises
    ------
    DataError
        No picture can be read, or many cannot.
    """
    pictures = [folder.pictures[number] for number in numbers]
    marks = "\n".join(f"{picture.path}\t{picture.mark}" for picture in pictures)
    key = hashlib.sha256(f"{_VERSION} {_LARGEST_SIDE}\n{marks}".encode()).hexdigest()[:32]
    home = cache_folder() / "pictures"
    if (kept := _read_kept(home, key, len(pictures))) is not None:
        values, shape, broken = kept
        return Pixels(values, shape, broken, tuple(_notes(pictures, shape, broken)))
    shape = _common_shape(folder, pictures)
    values, broken = _decode_all(folder, pictures, shape, _new_array(home, key, (len(pictures), int(np.prod(shape)))))
    if broken.mean() > _MOST_BROKEN:
        names = listed([picture.path for picture, bad in zip(pictures, broken, strict=True) if bad])
        raise DataError(
            f"{broken.sum():,} of {len(pictures):,} pictures cannot be read: {names}. Download the files again.",
            code="broken-pictures",
        )
    return Pixels(_keep(home, key, values, shape, broken), shape, broken, tuple(_notes(pictures, shape, broken)))


def _notes(pictures: Sequence[Picture], shape: tuple[int, int, int], broken: np.ndarray) -> list[str]:
    height, width, channels = shape
    notes = [f"{len(pictures):,} pictures are read as {height} x {width} pixels{', grey' * (channels == 1)}."]
    if broken.any():
        names = listed([picture.path for picture, bad in zip(pictures, broken, strict=True) if bad], most=3)
        notes.append(
            f"{broken.sum():,} pictures cannot be read: {names}. Rows of train are left out; those of test are black."
        )
    return notes


def _common_shape(folder: PictureFolder, pictures: Sequence[Picture]) -> tuple[int, int, int]:
    """The shape that all pictures get: the most common size, or a smaller one of the same proportions."""
    from PIL import Image

    chosen = [pictures[i] for i in np.unique(np.linspace(0, len(pictures) - 1, _MEASURED).astype(int))]
    sizes: Counter[tuple[int, int]] = Counter()
    modes: Counter[bool] = Counter()
    for picture in chosen:
        with contextlib.suppress(Exception), Image.open(io.BytesIO(folder.read(picture)), formats=_FORMATS) as image:
            sizes[image.height, image.width] += 1
            modes[image.mode in _GREY] += 1
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
    scale = min(1.0, _LARGEST_SIDE / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale)), 1 if set(modes) == {True} else 3


def _decode_all(
    folder: PictureFolder, pictures: Sequence[Picture], shape: tuple[int, int, int], values: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    from PIL import Image

    broken = np.zeros(len(pictures), dtype=bool)

    def decode(row: int) -> None:
        pixels = _decode(folder, pictures[row], shape)
        broken[row] = pixels is None
        if pixels is not None:
            values[row] = pixels

    with warnings.catch_warnings():  # here, since the filters belong to all threads
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:  # Pillow decodes without Python's lock
            for _ in pool.map(decode, range(len(pictures))):
                pass
    return values, broken


def _decode(folder: PictureFolder, picture: Picture, shape: tuple[int, int, int]) -> np.ndarray | None:
    """(pixels,) bytes of a picture; None if it cannot be read, is cut short, or would fill the memory."""
    from PIL import Image, ImageOps

    height, width, channels = shape
    try:
        with Image.open(io.BytesIO(folder.read(picture)), formats=_FORMATS) as image:
            image.draft("RGB", (width, height))  # a JPEG is decoded at half its size, or less, where that suffices
            turned = ImageOps.exif_transpose(image)
            plain = _eight_bit(turned).convert("L" if channels == 1 else "RGB")
            if plain.size != (width, height):
                plain = plain.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=2.0)
            return np.asarray(plain, dtype=np.uint8).reshape(-1)
    except Exception:  # whatever a decoder raises: OSError, SyntaxError, struct.error, DecompressionBombError
        return None


def _eight_bit(image: Image.Image) -> Image.Image:
    """A picture of 16 bits with its range as 0 to 255; one of floats as it is, between 0 and 255."""
    from PIL import Image

    if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        return image
    values = np.asarray(image, dtype=np.float64)
    largest = 255.0 if image.mode == "F" else 65535.0
    return Image.fromarray(np.clip(values * (255.0 / largest), 0, 255).astype(np.uint8))


def _new_array(home: Path, key: str, shape: tuple[int, int]) -> np.ndarray:
    """A file of zeros, mapped into memory; an array in memory if the cache cannot be written."""
    with contextlib.suppress(OSError):
        home.mkdir(parents=True, exist_ok=True)
        path = home / f".{key}.{os.getpid()}.npy"
        return np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    return np.zeros(shape, dtype=np.uint8)


def _keep(home: Path, key: str, values: np.ndarray, shape: tuple[int, int, int], broken: np.ndarray) -> np.ndarray:
    """Give the file its name, so that later runs find it, and map it for reading."""
    if not isinstance(values, np.memmap):
        return values
    with contextlib.suppress(OSError):
        values.flush()
        np.save(home / f"{key}.broken.npy", broken)
        np.save(home / f"{key}.shape.npy", np.array(shape))
        os.replace(home / f".{key}.{os.getpid()}.npy", home / f"{key}.npy")
        return _map(home / f"{key}.npy")
    return values.copy()


def _map(path: Path) -> np.ndarray:
    """An array of a file, mapped into memory.

    It is no ``np.memmap``: of one whose axes pandas has exchanged, joblib sends workers the bytes in a wrong order.
    """
    mapped = np.load(path, mmap_mode="r", allow_pickle=False)
    with open(path, "rb") as file:
        buffer = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    values = np.frombuffer(buffer, dtype=mapped.dtype, count=mapped.size, offset=mapped.offset)
    return values.reshape(mapped.shape)


def _read_kept(home: Path, key: str, count: int) -> tuple[np.ndarray, tuple[int, int, int], np.ndarray] | None:
    """The pixels of so many pictures, their shape, and which are broken; None if they are not all there."""
    try:
        height, width, channels = (int(each) for each in np.load(home / f"{key}.shape.npy", allow_pickle=False))
        broken = np.load(home / f"{key}.broken.npy", allow_pickle=False)
        values = _map(home / f"{key}.npy")
    except (OSError, ValueError, EOFError):
        return None
    if values.dtype != np.uint8 or values.shape != (count, height * width * channels) or broken.shape != (count,):
        return None
    return values, (height, width, channels), broken

"""Small pictures and the tables that name them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {"red": (200, 20, 20), "blue": (20, 20, 200)}


def picture(
    colour: tuple[int, ...] | int = 90, *, size: tuple[int, int] = (8, 6), mode: str = "RGB", end: str = "png"
) -> bytes:
    """The bytes of a picture of one colour, 8 wide and 6 high."""
    made = io.BytesIO()
    Image.new(mode, size, colour).save(made, {"jpg": "jpeg", "tif": "tiff"}.get(end, end))
    return made.getvalue()


def array(values: np.ndarray) -> bytes:
    made = io.BytesIO()
    np.save(made, values)
    return made.getvalue()


def write(folder: Path, files: dict[str, bytes | str]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def names(count: int) -> list[str]:
    return [["red", "blue"][number % 2] for number in range(count)]


def csv(header: str, *rows: str) -> str:
    return "\n".join([header, *rows]) + "\n"


def train_pictures(folder: str, count: int = 12, end: str = "png") -> dict[str, bytes]:
    return {f"{folder}/{i}.{end}": picture(COLOURS[label], end=end) for i, label in enumerate(names(count))}


LABELS = csv("id,label", *(f"{i},{label}" for i, label in enumerate(names(12))))
SAMPLE = csv("id,label", "1,red", "0,red", "2,red")
TEST = {f"test/{i}.png": picture(COLOURS["blue"] if i else COLOURS["red"]) for i in range(3)}
SHAPE = (6, 8, 3)

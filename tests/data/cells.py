"""Columns made of the text of their cells, for tests of the CSV reader and of dtypes."""

from __future__ import annotations

import pandas as pd

from kpipe.data.csv_reader import parse_csv
from kpipe.data.frames import to_frames

HEADER = "id,a\n"


def read(train: str | bytes, test: str | bytes = "id\n", *, ids=("id",), text=()) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train and test as frames."""
    files = {
        name: parse_csv(f"{name}.csv", content if isinstance(content, bytes) else content.encode())
        for name, content in (("train", train), ("test", test))
    }
    frames = to_frames(files, ids=ids, text=text)
    return frames["train"], frames["test"]


def notes_on(train: str, test: str) -> list[str]:
    """The notes of the reader on odd cells."""
    notes: list[str] = []
    files = {"train": parse_csv("train.csv", train.encode()), "test": parse_csv("test.csv", test.encode())}
    to_frames(files, ids=("id",), text=(), on_note=notes.append)
    return notes


def column(*cells: str, other: tuple[str, ...] = ()) -> pd.Series:
    """Train's column "a" with these cells; test's has the others."""
    train = HEADER + "".join(f"{number},{cell}\n" for number, cell in enumerate(cells))
    test = HEADER + "".join(f"{number + 100},{cell}\n" for number, cell in enumerate(other))
    return read(train, test if other else "id\n1\n")[0]["a"]

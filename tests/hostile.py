"""Hostile input for property tests: settings, bytes of CSV files, odd JSON values, damaged bytes, evil pickles."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

__all__ = ["CSVS", "MANY", "ODD_JSON", "PLAIN", "Evil", "damaged", "spoiled"]

# Few examples for the quick tests, fifty times as many for the slow ones.
PLAIN = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
MANY = settings(max_examples=3_000, deadline=None, suppress_health_check=list(HealthCheck))

_PIECES = [
    *(
        b"1",
        b"0.5",
        b"x",
        b",",
        b",",
        b",",
        b"\n",
        b"\n",
        b"\r",
        b"\r\n",
        b'"',
        b'"',
        b'""',
        b" ",
        b"\t",
        b"NA",
        b"True",
    ),
    *(
        b"\xff",
        b"\xc3\xa9",
        b"\xef\xbb\xbf",
        b"\xed\xa0\x80",
        b"\xc2\x85",
        b"\xe2\x80\xa8",
        b"\x0b",
        b"\x1a",
        b"\x1b[0m",
    ),
    *(b"\x00", b"-0", b"1e400", b"inf", b"0x1F", b"1_0", b"'", b"\\", b";", b"#", b"=1+1", b"a,b\n", b"__class__"),
    b"9" * 25,
]
CSVS = st.lists(st.sampled_from(_PIECES), max_size=60).map(b"".join)

# Values of JSON in places where others are expected.
ODD_JSON: list[object] = [
    *(None, True, 0, -1, float("inf"), float("nan"), 2**70, "x", "", [], {}, [None], {"a": 1}, [[]]),
]


def damaged(data: st.DataObject, whole: bytes) -> bytes:
    """Bytes of which up to four are changed, and which may be cut short."""
    raw = bytearray(whole)
    for at in data.draw(st.lists(st.integers(0, len(raw) - 1), min_size=1, max_size=4)):
        raw[at] = data.draw(st.integers(0, 255))
    return bytes(raw[: data.draw(st.sampled_from([len(raw), len(raw) // 2, len(raw) - 1]))])


class Evil:
    """An object that creates a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (self.folder,)


_ODD = st.sampled_from([*ODD_JSON, "\x1b[31m", "\ud800"])


def spoiled(value: Any, draw: Any) -> Any:
    """A JSON value in which some values, at any depth, are replaced by odd ones."""
    if isinstance(value, dict) and draw(st.integers(0, 9)):
        return {key: spoiled(inner, draw) if draw(st.integers(0, 9)) < 2 else inner for key, inner in value.items()}
    if isinstance(value, list) and draw(st.booleans()):
        return [spoiled(inner, draw) for inner in value]
    return draw(_ODD)

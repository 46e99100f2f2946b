from __future__ import annotations

import lzma
from functools import cache

import pytest

_compress = cache(lzma.compress)


@pytest.fixture(autouse=True)
def compressed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same files are compressed once, and not for each kernel: that takes a second."""
    monkeypatch.setattr("kpipe.kaggle.kernel.embedded.lzma.compress", _compress)

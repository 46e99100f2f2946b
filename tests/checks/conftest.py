from __future__ import annotations

from pathlib import Path

import pytest

from tests.modules import write_files


@pytest.fixture(scope="package")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the module without mistakes."""
    return write_files(tmp_path_factory.mktemp("made-by-hand"))

"""Call the command line inside this process."""

from __future__ import annotations

import pytest

from kpipe.cli.main import main


def call(*args: object) -> int:
    """The exit status of ``kpipe *args``."""
    with pytest.raises(SystemExit) as ended:
        main([str(arg) for arg in args])
    assert isinstance(ended.value.code, int)
    return ended.value.code

from __future__ import annotations

import pytest

from kpipe.core.devices import DEVICES, resolve_device
from kpipe.errors import UsageError


@pytest.mark.parametrize("name", DEVICES)
def test_every_device_is_found_or_refused_saying_what_is_there(name: str) -> None:
    try:
        assert resolve_device(name) in ("cpu", "cuda", "mps")
    except UsageError as error:
        assert f"--device {name}: torch finds no such device here. Available: " in str(error)  # noqa: PT017  # or found


def test_a_device_that_is_none_is_refused_naming_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"--device must be one of auto, cpu, cuda, mps, however: 'gpu'"):
        resolve_device("gpu")

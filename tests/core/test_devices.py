from __future__ import annotations

import pytest

from kpipe.core.devices import DEVICES, available_cores, resolve_device
from kpipe.errors import UsageError


@pytest.mark.parametrize("name", DEVICES)
def test_a_device_is_found_or_refused_with_the_available_ones(name: str) -> None:
    try:
        assert resolve_device(name) in ("cpu", "cuda", "mps")
    except UsageError as error:
        assert f"--device {name}: torch finds no such device. Available: " in str(error)  # noqa: PT017  # or found


def test_an_unknown_device_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"--device must be one of auto, cpu, cuda, mps; got 'gpu'"):
        resolve_device("gpu")


def test_at_least_one_core_is_available() -> None:
    assert available_cores() >= 1

from __future__ import annotations

import pytest
import torch

from kpipe.models.nets.picture_batches import to_pictures


@pytest.mark.parametrize("channels", [1, 2, 3, 6])
def test_a_network_for_colour_pictures_gets_all_channels_of_a_row(channels: int) -> None:
    rows = (torch.arange(channels, dtype=torch.uint8) * 40).repeat(4 * 4).reshape(1, -1)
    each = 3 if channels % 3 == 0 else 1
    wide = 4 * (channels // each)
    found = to_pictures(rows, shape=(4, 4, channels), size=(4, wide))
    assert found.shape == (1, 3, 4, wide)
    for number in range(channels // each):
        part = found[0, :, 0, 4 * number] * 255
        expected = torch.arange(each) + each * number
        torch.testing.assert_close(part, (expected * 40.0).expand(3) if each == 1 else expected * 40.0)
    assert to_pictures(rows, shape=(4, 4, channels), size=(8, 8)).shape == (1, 3, 8, 8)

from __future__ import annotations

import pytest
import torch

from kpipe.models.nets.image_augmentation import RandomWarp, shift_images


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_warp_of_amount_0_returns_the_image_and_is_false():
    rows, nothing = torch.rand(3, 5 * 7 * 2), RandomWarp(shape=(5, 7, 2))
    torch.testing.assert_close(nothing(rows, generator()), rows)
    assert not nothing
    assert RandomWarp(shape=(5, 7, 2), elastic=1)


@pytest.mark.parametrize("amounts", [{"rotation": 30, "zoom": 0.2, "shift": 1}, {"elastic": 2.0}, {"shear": 0.3}])
def test_a_warp_is_the_same_in_every_channel(amounts):
    twice = torch.rand(3, 5, 7, 1).expand(3, 5, 7, 2).reshape(3, -1)
    warped = RandomWarp(shape=(5, 7, 2), **amounts)(twice, generator()).reshape(3, 5, 7, 2)
    torch.testing.assert_close(warped[..., 0], warped[..., 1])
    assert not torch.allclose(warped, twice.reshape(3, 5, 7, 2))


def test_bytes_are_warped_to_floats_of_the_same_scale():
    rows = torch.randint(0, 256, (2, 25), dtype=torch.uint8)
    torch.testing.assert_close(RandomWarp(shape=(5, 5, 1))(rows, generator()), rows.float(), atol=1e-3, rtol=0)


def test_a_rotation_keeps_the_length_of_a_line_in_images_that_are_not_square():
    cross = torch.zeros(1, 41, 81)
    cross[0, 19:22, 30:51] = 1  # a level bar, 21 long and 3 high
    warp = RandomWarp(shape=(41, 81, 1), rotation=90)
    areas = [warp(cross.reshape(1, -1), generator(seed)).sum().item() for seed in range(5)]
    assert areas == pytest.approx([63] * 5, rel=0.05)


def test_an_elastic_warp_moves_points_by_its_standard_deviation():
    across = torch.arange(40.0).expand(40, 40).reshape(1, -1).repeat(200, 1)  # a pixel's value is its column
    warped = RandomWarp(shape=(40, 40, 1), elastic=2.0)(across, generator()).reshape(200, 40, 40)
    moved = (warped - torch.arange(40.0))[:, 10:30, 10:30]  # away from the edges, beyond which all is 0
    assert 0.8 < moved.std().item() < 2.2


def test_the_opposite_shift_undoes_a_shift_except_at_the_edge():
    images = torch.rand(2, 3, 6, 8)
    back = shift_images(shift_images(images, across=2, down=-1), across=-2, down=1)
    torch.testing.assert_close(back[:, :, 1:, :-2], images[:, :, 1:, :-2])
    assert not back[:, :, 0].any()
    assert not back[:, :, :, -2:].any()

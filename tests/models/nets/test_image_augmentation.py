from __future__ import annotations

import pytest
import torch

from kpipe.models.nets.image_augmentation import RandomWarp, shift_images, to_images


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_warp_of_amount_0_returns_the_image_and_is_false():
    rows, nothing = torch.rand(3, 5 * 7 * 2), RandomWarp(shape=(5, 7, 2))
    torch.testing.assert_close(nothing(rows, generator()), to_images(rows, (5, 7, 2)))
    assert not nothing
    assert RandomWarp(shape=(5, 7, 2), elastic=1)


@pytest.mark.parametrize("amounts", [{"rotation": 30, "zoom": 0.2, "shift": 1}, {"elastic": 2.0}, {"shear": 0.3}])
def test_a_warp_is_the_same_in_every_channel(amounts):
    twice = torch.rand(3, 5, 7, 1).expand(3, 5, 7, 2).reshape(3, -1)
    warped = RandomWarp(shape=(5, 7, 2), **amounts)(twice, generator())
    torch.testing.assert_close(warped[:, 0], warped[:, 1])
    assert not torch.allclose(warped, to_images(twice, (5, 7, 2)))


def test_bytes_are_warped_to_floats_of_the_same_scale():
    rows = torch.randint(0, 256, (2, 25), dtype=torch.uint8)
    warped = RandomWarp(shape=(5, 5, 1))(rows, generator())
    torch.testing.assert_close(warped, to_images(rows.float(), (5, 5, 1)), atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("shape", "first", "later"),
    [((28, 28, 1), (20, 20), (28, 28)), ((40, 28, 1), (28, 20), (40, 28)), ((8, 8, 1), (8, 8), (8, 8))],
)
def test_images_are_smaller_in_the_first_half_of_the_training_where_pixels_are_many(
    shape: tuple[int, int, int], first: tuple[int, int], later: tuple[int, int]
) -> None:
    rows, warp = torch.rand(2, shape[0] * shape[1]), RandomWarp(shape=shape, first_size=0.7)
    assert warp
    sizes = [tuple(warp.at(progress)(rows, generator()).shape[2:]) for progress in (0.0, 0.49, 0.5, 1.0)]
    assert sizes == [first, first, later, later]


def test_a_smaller_image_shows_the_same() -> None:
    slope = torch.linspace(0, 1, 40).expand(40, 40).reshape(1, -1)
    small = RandomWarp(shape=(40, 40, 1), first_size=0.5).at(0.0)(slope, generator())
    torch.testing.assert_close(small[0, 0, 10], (slope.reshape(40, 40)[10, ::2] + slope.reshape(40, 40)[10, 1::2]) / 2)


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


@pytest.mark.parametrize(("padding", "darkest"), [("zeros", 0.0), ("reflection", 1.0)])
def test_what_lies_outside_an_image_is_nothing_or_its_mirror_image(padding, darkest):
    white = torch.ones(50, 8 * 8)
    warped = RandomWarp(shape=(8, 8, 1), shift=3.0, padding=padding)(white, generator())
    assert warped.min().item() == pytest.approx(darkest)
    assert shift_images(white.reshape(50, 1, 8, 8), across=1, down=-1, padding=padding).min() == darkest

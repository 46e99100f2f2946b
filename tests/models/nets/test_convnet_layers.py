from __future__ import annotations

import pytest
import torch

from kpipe.models.nets.convnet_layers import LAYERS, ConvNetwork


@pytest.mark.parametrize("size", LAYERS)
@pytest.mark.parametrize("shape", [(28, 28, 1), (1, 30, 1), (9, 4, 3), (1, 1, 1)], ids=str)
def test_a_network_takes_images_of_any_shape_and_evaluates_each_shift(size, shape):
    rows = torch.rand(4, shape[0] * shape[1] * shape[2])
    network = ConvNetwork(shape, scale=1.0, layers=LAYERS[size], classes=3, shifts=((0, 0), (1, 0)))
    assert network(rows).shape == (4, 3)
    assert network.eval()(rows).shape == (4, 2, 3)


def test_larger_images_take_squares_of_more_pixels_so_that_they_cost_as_much():
    networks = {
        side: ConvNetwork((side, side, 3), scale=1.0, layers=LAYERS["photo"], classes=3, shifts=((0, 0),))
        for side in (32, 64, 128)
    }
    features = {side: network._features(torch.rand(1, 3, side, side)) for side, network in networks.items()}
    assert features[32].shape == features[64].shape == features[128].shape

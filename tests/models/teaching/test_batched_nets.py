from __future__ import annotations

import itertools

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kpipe.models.teaching.batched_nets import BatchedNets


@settings(deadline=None, max_examples=25)
@given(
    hidden=st.sampled_from(["relu", "tanh"]),
    sizes=st.lists(st.integers(1, 5), min_size=2, max_size=5),
    nets=st.integers(1, 3),
    trained=st.integers(1, 6),
    shared=st.booleans(),
)
def test_a_step_follows_torchs_gradient(hidden: str, sizes: list[int], nets: int, trained: int, shared: bool) -> None:
    generator = torch.Generator().manual_seed(sum(sizes))

    def noise(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    first = [noise(nets, o, i + 1) for i, o in itertools.pairwise(sizes)]
    for layer in first:
        layer[:, :, -1] = layer[:, :1, -1] if shared else layer[:, :, -1]
    inputs, slopes = noise(sizes[0], 6), noise(nets, sizes[-1], trained)

    wanted = [layer.clone().requires_grad_() for layer in first]
    values = inputs.expand(nets, -1, -1)
    for number, layer in enumerate(wanted):
        values = (torch.tanh(values) if hidden == "tanh" else values.relu()) if number else values
        values = torch.baddbmm(layer[:, :, -1:], layer[:, :, :-1], values)
    gradients = torch.autograd.grad((values[:, :, :trained] * slopes).sum(), wanted)

    with torch.inference_mode():
        ours = [layer.clone() for layer in first]
        nets_side_by_side = BatchedNets(ours, inputs, hidden=hidden, trained=trained, one_constant=shared)
        np.testing.assert_allclose(nets_side_by_side.forward(), values.detach(), rtol=1e-10, atol=1e-12)
        nets_side_by_side.slopes[-1].copy_(slopes)
        nets_side_by_side.descend(0.1)
    for before, after, gradient in zip(first, ours, gradients, strict=True):
        if shared:  # one number, in as many places as the layer has outputs
            gradient[:, :, -1] = gradient[:, :, -1].sum(dim=1, keepdim=True)
        np.testing.assert_allclose(before - 0.1 * gradient, after, rtol=1e-9, atol=1e-10)

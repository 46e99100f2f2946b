from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from kpipe.models.nets.layers import MemberBatchNorm, MemberLinear, member_cross_entropy


def test_each_member_computes_its_own_linear_layer() -> None:
    layer, rows = MemberLinear(4, 2, members=3), torch.rand(3, 5, 4)
    expected = torch.stack([rows[member] @ layer.weight[member] + layer.bias[member] for member in range(3)])
    torch.testing.assert_close(layer(rows), expected)


def test_each_member_is_normalised_by_itself() -> None:
    rows = torch.rand(3, 6, 4) * torch.tensor([1.0, 10.0, 100.0])[:, None, None]
    expected = torch.stack([nn.BatchNorm1d(4)(member) for member in rows])
    torch.testing.assert_close(MemberBatchNorm(4, members=3)(rows), expected)


def test_the_loss_is_the_mean_of_the_members_losses() -> None:
    outputs, codes = torch.rand(6, 3, 2), torch.tensor([0, 1, 1, 0, 1, 0])
    expected = torch.stack([functional.cross_entropy(outputs[:, member], codes) for member in range(3)]).mean()
    torch.testing.assert_close(member_cross_entropy(outputs, codes), expected)

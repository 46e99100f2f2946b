from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from kpipe.models.nets.layers import Dropout, MemberBatchNorm, MemberLinear, member_cross_entropy


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


def test_dropout_leaves_out_a_share_of_the_units_and_enlarges_the_others() -> None:
    units = torch.ones(20, 1000).T.requires_grad_()
    torch.manual_seed(0)
    dropped = Dropout(0.3)(units)
    assert {*dropped.unique().tolist()} == {0.0, torch.ones(1).div(1 - 0.3).item()}
    assert abs(float((dropped == 0).float().mean()) - 0.3) < 0.02
    torch.testing.assert_close(torch.autograd.grad(dropped.sum(), units)[0], dropped)


def test_dropout_draws_the_same_units_for_the_same_seed_and_none_while_predicting() -> None:
    units, layer = torch.rand(50, 40), Dropout(0.5)
    torch.manual_seed(1)
    first = layer(units)
    torch.manual_seed(1)
    assert torch.equal(layer(units), first)
    assert torch.equal(layer.eval()(units), units)

"""Layers of several small networks that are trained side by side: its *members*, computed as one network.

For small tables, the calls of a step take longer than its arithmetic: eight members take little longer than one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["MEMBER_LOSSES", "Dropout", "MemberBatchNorm", "MemberLinear", "MemberNetwork", "member_cross_entropy"]


class Dropout(nn.Dropout):
    """``nn.Dropout`` that takes half of the time on CPUs that are not Intel's.

    There, ``bernoulli_`` takes 11 ns a unit, and ``uniform_`` with a comparison 5 ns: a quarter of the time of training
    on titanic (torch 2.13, AMD EPYC).
    """

    def forward(self, units: Tensor) -> Tensor:
        """The units, some of which are 0 while training, and the others larger.

        Parameters
        ----------
        units : Tensor of any shape

        Returns
        -------
        Tensor of the same shape
        """
        if not (self.training and 0 < self.p < 1) or units.device.type != "cpu":
            whole: Tensor = super().forward(units)
            return whole
        kept = torch.empty_like(units, dtype=torch.float64).uniform_() < 1 - self.p
        return units * kept.to(units.dtype).div_(1 - self.p)


class MemberLinear(nn.Module):
    """(members, rows, inputs) → (members, rows, outputs): each member has its own ``nn.Linear``.

    Parameters
    ----------
    inputs, outputs : int
        Columns before and after.
    members : int
        Number of networks.
    """

    def __init__(self, inputs: int, outputs: int, *, members: int) -> None:
        super().__init__()
        bound = inputs**-0.5
        self.weight = nn.Parameter(torch.empty(members, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(members, 1, outputs).uniform_(-bound, bound))

    def forward(self, rows: Tensor) -> Tensor:
        """The layer's outputs.

        Parameters
        ----------
        rows : Tensor of shape (members, rows, inputs)
            Inputs of each member.

        Returns
        -------
        Tensor of shape (members, rows, outputs)
            Outputs of each member.
        """
        return torch.baddbmm(self.bias, rows, self.weight)


class MemberBatchNorm(nn.Module):
    """Batch normalisation of each member by itself.

    Parameters
    ----------
    columns : int
        Columns of a member.
    members : int
        Number of networks.
    """

    def __init__(self, columns: int, *, members: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(members * columns)

    def forward(self, rows: Tensor) -> Tensor:
        """The normalised columns.

        Parameters
        ----------
        rows : Tensor of shape (members, rows, columns)
            Inputs of each member.

        Returns
        -------
        Tensor of shape (members, rows, columns)
            Outputs of each member.
        """
        members, n, columns = rows.shape
        flat = rows.transpose(0, 1).reshape(n, members * columns)
        normed: Tensor = self.norm(flat)
        return normed.reshape(n, members, columns).transpose(0, 1)


class MemberNetwork(nn.Module):
    """(rows, columns) → (rows, members, outputs): several networks side by side.

    Parameters
    ----------
    sizes : sequence of int
        Columns, the sizes of the hidden layers, and outputs.
    members : int
        Number of networks.
    dropout : float
        Share of hidden units that a step leaves out.
    batch_norm : bool
        Whether hidden layers are normalised over the batch.
    """

    def __init__(self, sizes: Sequence[int], *, members: int, dropout: float, batch_norm: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in itertools.pairwise(sizes[:-1]):
            layers += [MemberLinear(inputs, outputs, members=members)]
            layers += [MemberBatchNorm(outputs, members=members)] if batch_norm else []
            layers += [nn.SiLU(), Dropout(dropout)]
        self.members = members
        self.layers = nn.Sequential(*layers, MemberLinear(sizes[-2], sizes[-1], members=members))

    def forward(self, rows: Tensor) -> Tensor:
        """The members' outputs.

        Parameters
        ----------
        rows : Tensor of shape (rows, columns)

        Returns
        -------
        Tensor of shape (rows, members, outputs)
        """
        outputs: Tensor = self.layers(rows.expand(self.members, -1, -1))
        return outputs.transpose(0, 1)


def member_cross_entropy(outputs: Tensor, codes: Tensor) -> Tensor:
    """The mean cross-entropy over rows and members, so that each member learns by itself.

    Parameters
    ----------
    outputs : Tensor of shape (rows, members, classes)
        Logits.
    codes : Tensor of shape (rows,)
        Class codes.

    Returns
    -------
    Tensor of shape ()
        The loss.
    """
    return functional.cross_entropy(outputs.flatten(0, 1), codes.repeat_interleave(outputs.shape[1]))


def _huber(outputs: Tensor, values: Tensor) -> Tensor:
    return functional.huber_loss(outputs.squeeze(2), values[:, None].expand(outputs.shape[:2]))


# Losses of a regression by name, (rows, members, 1) and (rows,) → (): means over rows and members, so that each member
# learns by itself.
MEMBER_LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "squared": lambda outputs, values: (outputs.squeeze(2) - values.unsqueeze(1)).square().mean(),
    "absolute": lambda outputs, values: (outputs.squeeze(2) - values.unsqueeze(1)).abs().mean(),
    "huber": _huber,
    "poisson": lambda outputs, values: (outputs.squeeze(2).exp() - values.unsqueeze(1) * outputs.squeeze(2)).mean(),
}

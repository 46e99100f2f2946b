"""The network of ``tabular-net``: piecewise linear encodings, embeddings, and ensemble members that share weights."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from kpipe.models.nets.layers import Dropout, MemberBatchNorm
from kpipe.models.nets.tabular_encoding import TableEncoding

__all__ = ["TabularNetwork", "input_width", "scales_inputs_per_member"]

_EMBEDDING = 8  # dimensions of the embedding of a high-cardinality column
_MAX_SCALED_INPUTS = 1024  # number of inputs up to which each member multiplies them by a vector of its own


def input_width(encoding: TableEncoding) -> int:
    """The number of inputs of the first layer.

    Parameters
    ----------
    encoding : TableEncoding
        Of the training table.

    Returns
    -------
    int
        Plain columns, bins and embeddings.
    """
    n_bins = sum(max(len(edges) - 1, 0) for edges in encoding.edges)
    return encoding.n_plain + n_bins + _EMBEDDING * len(encoding.cardinalities)


def scales_inputs_per_member(width: int) -> bool:
    """Whether each member multiplies the inputs by a vector of its own; for wide tables, the first layer is shared.

    Parameters
    ----------
    width : int
        As ``input_width`` returns it.

    Returns
    -------
    bool
        Whether there are few enough inputs.
    """
    return width <= _MAX_SCALED_INPUTS


class TabularNetwork(nn.Module):
    """(rows, encoded columns) → (rows, members, outputs).

    Parameters
    ----------
    encoding : TableEncoding
        Of the training table.
    outputs : int
        Classes, or 1.
    hidden, depth : int
        Size and number of the hidden layers.
    members : int
        Number of ensemble members, which share matrices.
    dropout : float
        Share of hidden units that are dropped in a step.
    """

    bin_columns: Tensor
    starts: Tensor
    lengths: Tensor

    def __init__(
        self, encoding: TableEncoding, outputs: int, *, hidden: int, depth: int, members: int, dropout: float
    ) -> None:
        super().__init__()
        self.n_plain = encoding.n_plain
        self._add_bins(encoding)
        self.embeddings = nn.ModuleList(nn.Embedding(size, _EMBEDDING) for size in encoding.cardinalities)
        for embedding in self.embeddings:
            nn.init.normal_(embedding.weight, std=0.3)  # type: ignore[arg-type]
        inputs = input_width(encoding)
        self.scale_each = scales_inputs_per_member(inputs)
        self.first = nn.Linear(inputs, hidden, bias=False)
        self.signs = nn.Parameter(torch.randint(2, (members, 1, inputs if self.scale_each else hidden)) * 2.0 - 1)
        self.shifts = nn.Parameter(torch.empty(members, 1, hidden).uniform_(-0.5, 0.5))
        self.norms = nn.ModuleList(MemberBatchNorm(hidden, members=members) for _ in range(depth))
        self.end = nn.Sequential(nn.SiLU(), Dropout(dropout))
        self.shared = nn.ModuleList(_SharedLinear(hidden, members) for _ in range(depth - 1))
        bound = hidden**-0.5
        self.head = nn.Parameter(torch.empty(members, hidden, outputs).uniform_(-bound, bound))
        self.head_bias = nn.Parameter(torch.empty(members, 1, outputs).uniform_(-bound, bound))

    def _add_bins(self, encoding: TableEncoding) -> None:
        """Register the column, start and length of each bin as buffers."""
        binned = [(number, edges) for number, edges in enumerate(encoding.edges) if len(edges)]
        columns = np.concatenate([np.full(len(edges) - 1, number) for number, edges in binned] or [np.zeros(0)])
        starts = np.concatenate([edges[:-1] for _, edges in binned] or [np.zeros(0)])
        lengths = np.concatenate([np.diff(edges) for _, edges in binned] or [np.zeros(0)])
        self.register_buffer("bin_columns", torch.tensor(columns, dtype=torch.int64))
        self.register_buffer("starts", torch.tensor(starts, dtype=torch.float32))
        self.register_buffer("lengths", torch.tensor(lengths, dtype=torch.float32))

    def forward(self, rows: Tensor) -> Tensor:
        """The members' outputs.

        Parameters
        ----------
        rows : Tensor of shape (rows, encoded columns)
            As ``TableEncoding.encode`` returns them.

        Returns
        -------
        Tensor of shape (rows, members, outputs)
            Logits or values.
        """
        inputs = self._inputs(rows)
        state = (self.first(inputs * self.signs) if self.scale_each else self.first(inputs) * self.signs) + self.shifts
        state = self.end(self.norms[0](state))
        for layer, norm in zip(self.shared, self.norms[1:], strict=True):
            state = self.end(norm(layer(state)))
        return torch.baddbmm(self.head_bias, state, self.head).transpose(0, 1)

    def _inputs(self, rows: Tensor) -> Tensor:
        """(rows, inputs): plain columns, the piecewise linear encoding, embeddings."""
        shares = ((rows[:, self.bin_columns] - self.starts) / self.lengths).clamp(0, 1)
        embedded = [table(rows[:, self.n_plain + number].long()) for number, table in enumerate(self.embeddings)]
        # Neighbouring bins carry nearly the same information: 0.3 keeps them from outweighing the other inputs.
        return torch.cat([rows[:, : self.n_plain], 0.3 * (shares - 0.5), *embedded], dim=1)


class _SharedLinear(nn.Module):
    """(members, rows, size) → the same shape: a shared matrix between scaling vectors of each member."""

    def __init__(self, size: int, members: int) -> None:
        super().__init__()
        self.matrix = nn.Linear(size, size, bias=False)
        self.before = nn.Parameter(torch.ones(members, 1, size))
        self.after = nn.Parameter(torch.ones(members, 1, size))
        self.shift = nn.Parameter(torch.empty(members, 1, size).uniform_(-(size**-0.5), size**-0.5))

    def forward(self, state: Tensor) -> Tensor:
        return self.matrix(state * self.before) * self.after + self.shift

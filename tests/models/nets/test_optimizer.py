from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from kpipe.models.nets.loop import Recipe
from tests.models.nets.test_loop import X, Y, fit, line, same


def one_cycle(progress, warmup):
    """The rate from a tenth up to its highest along a line, and down to 0 along half a cosine."""
    if progress < warmup:
        return 0.1 + 0.9 * progress / warmup
    return 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))


@pytest.mark.parametrize(("optimizer", "decay"), [("adamw", 0.0), ("adamw", 0.3), ("sgd", 0.0), ("sgd", 0.3)])
def test_steps_are_those_of_torchs_own_optimizers_to_the_byte(optimizer, decay):
    recipe = Recipe(epochs=3, batch_size=16, lr=0.05, optimizer=optimizer, weight_decay=decay)
    batches = []

    class Watched(nn.Linear):
        def forward(self, rows):
            batches.append(rows.clone())
            return super().forward(rows)

    ours = fit(recipe=recipe, build=lambda: Watched(3, 1))
    torch.manual_seed(0)
    net = line()
    groups = [{"params": [net.weight], "weight_decay": decay}, {"params": [net.bias], "weight_decay": 0.0}]
    own = (
        torch.optim.AdamW(groups, lr=1, betas=(0.9, 0.999), fused=True)
        if optimizer == "adamw"
        else torch.optim.SGD(groups, lr=1, momentum=0.9, nesterov=True, fused=True)
    )
    answers = {tuple(row): y for row, y in zip(X.tolist(), Y, strict=True)}
    rates = [0.05 * one_cycle(step / len(batches), recipe.warmup) for step in range(len(batches))]
    for batch, rate in zip(batches, rates, strict=True):
        for group in own.param_groups:
            group["lr"] = rate
        own.zero_grad()
        wanted = torch.tensor(np.stack([answers[tuple(row)] for row in batch.tolist()]))
        functional.mse_loss(net(batch), wanted).backward()
        own.step()
    theirs = {name: value.numpy() for name, value in net.state_dict().items()}
    assert same(ours, theirs)


def test_training_does_not_import_torchs_compiler():
    code = (
        "import sys, numpy as np, torch; from torch import nn\n"
        "from kpipe.models.nets.loop import Recipe, train; from kpipe.models.nets.machine import Machine\n"
        "train(lambda: nn.Linear(3, 1), np.ones((9, 3), 'f'), np.ones((9, 1), 'f'), loss=nn.functional.mse_loss,"
        " recipe=Recipe(epochs=1, batch_size=3, lr=0.1), machine=Machine(), seed=0)\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0

"""Promises of the training loop, kept with a straight line."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from kpipe.errors import TrainingError, UsageError
from kpipe.models.nets.loop import Machine, Recipe, _one_cycle, forward, resolve_device, train

RECIPE = Recipe(epochs=30, batch_size=16, lr=0.05)
X = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32)
Y = X @ np.array([[1.0], [-2.0], [0.5]], dtype=np.float32) + 3


def line():
    return nn.Linear(3, 1)


def fit(**changed):
    options = {"loss": functional.mse_loss, "recipe": RECIPE, "machine": Machine(), "seed": 0, **changed}
    return train(options.pop("build", line), X, options.pop("targets", Y), **options).weights


def same(first, second):
    return all(np.array_equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_line_is_found(optimizer):
    weights = fit(recipe=Recipe(epochs=60, batch_size=16, lr=0.05, optimizer=optimizer))
    np.testing.assert_allclose(weights["weight"], [[1, -2, 0.5]], atol=0.02)
    np.testing.assert_allclose(forward(line, weights, X, machine=Machine()), Y, atol=0.1)


@pytest.mark.parametrize(("optimizer", "decay"), [("adamw", 0.0), ("adamw", 0.3), ("sgd", 0.0), ("sgd", 0.3)])
def test_steps_are_those_of_torchs_own_optimizer_to_the_byte(optimizer, decay):
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
    rates = [0.05 * _one_cycle(step / len(batches), recipe.warmup) for step in range(len(batches))]
    for batch, rate in zip(batches, rates, strict=True):
        for group in own.param_groups:
            group["lr"] = rate
        own.zero_grad()
        wanted = torch.tensor(np.stack([answers[tuple(row)] for row in batch.tolist()]))
        functional.mse_loss(net(batch), wanted).backward()
        own.step()
    theirs = {name: value.numpy() for name, value in net.state_dict().items()}
    assert same(ours, theirs)


def test_training_does_not_load_torchs_compiler():
    code = (
        "import sys, numpy as np, torch; from torch import nn; from kpipe.models.nets.loop import *\n"
        "train(lambda: nn.Linear(3, 1), np.ones((9, 3), 'f'), np.ones((9, 1), 'f'), loss=nn.functional.mse_loss,"
        " recipe=Recipe(epochs=1, batch_size=3, lr=0.1), machine=Machine(), seed=0)\n"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_the_same_seed_gives_the_same_weights_with_and_without_noise_before():
    first = fit()
    torch.rand(3)
    assert same(first, fit())
    assert not same(first, fit(seed=1))


def test_random_layers_and_augmentation_follow_the_seed():
    noisy = {
        "build": lambda: nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5), nn.Linear(8, 1)),
        "augment": lambda batch, generator: batch + 0.1 * torch.randn(batch.shape, generator=generator),
    }
    assert same(fit(**noisy), fit(**noisy))
    assert not same(fit(**noisy), fit(**noisy, seed=1))


def test_global_state_is_put_back_after_success_and_after_failure():
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    fit(machine=Machine(threads=threads + 1))
    with pytest.raises(TrainingError):
        fit(machine=Machine(threads=threads + 1), targets=np.full_like(Y, np.inf))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_threads_are_bounded_while_training():
    seen = []

    def loss(outputs, targets):
        seen.append(torch.get_num_threads())
        return functional.mse_loss(outputs, targets)

    fit(loss=loss, machine=Machine(threads=1))
    assert set(seen) == {1}


def test_every_row_is_used_once_an_epoch_in_batches_of_nearly_one_size():
    batches = []

    def remember(batch, generator):
        batches.append(batch)
        return batch

    fit(augment=remember, recipe=Recipe(epochs=1, batch_size=33, lr=0.1))
    assert [len(batch) for batch in batches] == [25, 25, 25, 25]
    np.testing.assert_array_equal(np.sort(torch.cat(batches).numpy(), axis=0), np.sort(X, axis=0))


def test_a_small_table_is_seen_more_often():
    steps = []
    fit(augment=lambda batch, _: steps.append(1) or batch, recipe=Recipe(epochs=1, batch_size=50, lr=0.1, min_steps=11))
    assert len(steps) == 12


def test_bytes_reach_the_network_as_bytes():
    seen = set()

    class Look(nn.Linear):
        def forward(self, rows):
            seen.add(rows.dtype)
            return super().forward(rows.float())

    train(lambda: Look(3, 1), X.astype(np.uint8), Y, loss=functional.mse_loss, recipe=RECIPE, machine=Machine(), seed=0)
    assert seen == {torch.uint8}


def test_averaged_weights_lie_between_the_first_and_the_last():
    last, averaged = fit(), fit(recipe=Recipe(epochs=30, batch_size=16, lr=0.05, averaging=0.99))
    nearly_last = fit(recipe=Recipe(epochs=30, batch_size=16, lr=0.05, averaging=1e-9))
    assert not same(last, averaged)
    np.testing.assert_allclose(nearly_last["weight"], last["weight"], rtol=1e-5)


def test_forward_does_not_depend_on_the_size_of_batches_in_float64():
    weights = fit()
    whole, parts = (
        forward(line, weights, X.astype(np.float64), machine=Machine(), batch_size=size) for size in (100, 7)
    )
    assert whole.dtype == np.float64
    np.testing.assert_allclose(whole, parts, rtol=1e-14)


def test_no_rows_give_no_outputs():
    assert forward(line, fit(), X[:0], machine=Machine()).shape == (0, 1)


def test_bfloat16_is_near_float32_and_hands_back_float32():
    outputs = [forward(line, fit(), X, machine=Machine(bfloat16=choice)) for choice in (False, True)]
    assert {output.dtype for output in outputs} == {np.dtype(np.float32)}
    np.testing.assert_allclose(*outputs, atol=0.1)


def test_a_loss_that_is_not_finite_is_a_training_error_with_its_epoch_and_a_smaller_rate():
    with pytest.raises(TrainingError, match=r"however: (inf|nan) in epoch 1 with lr=0.05.*such as lr=0.005"):
        fit(targets=np.full_like(Y, np.inf))


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"epochs": 0}, "epochs must be 1 or more, however: 0"),
        ({"batch_size": 2}, "batch_size must be 3 or more, however: 2"),
        ({"lr": 0.0}, "lr must be above 0, however: 0.0"),
        ({"weight_decay": -1.0}, "weight_decay must be 0 or more, however: -1.0"),
        ({"warmup": 1.0}, "warmup must be between 0 and 1, however: 1.0"),
        ({"averaging": 1.0}, "averaging must be at least 0 and below 1, however: 1.0"),
    ],
    ids=str,
)
def test_a_recipe_out_of_range_is_refused_by_name(option, words):
    with pytest.raises(ValueError, match=words):
        Recipe(**{"epochs": 1, "batch_size": 8, "lr": 0.1, **option})


def test_auto_is_a_device_that_computes():
    assert torch.ones(2, device=resolve_device("auto")).sum().item() == 2


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_device_that_is_not_here_is_refused_saying_which_are():
    with pytest.raises(UsageError, match=r"cuda.*no such device.*Available:.*cpu"):
        fit(machine=Machine(device="cuda"))


def test_the_loss_of_each_epoch_is_handed_back() -> None:
    trained = train(line, X, Y, loss=functional.mse_loss, recipe=RECIPE, machine=Machine(), seed=0)
    assert trained.losses.shape == (RECIPE.epochs,)
    assert trained.losses[-1] < trained.losses[0]

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from kpipe.errors import TrainingError
from kpipe.models.nets.loop import Recipe, forward, train
from kpipe.models.nets.machine import Machine

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
def test_a_straight_line_is_learned(optimizer):
    weights = fit(recipe=Recipe(epochs=60, batch_size=16, lr=0.05, optimizer=optimizer))
    np.testing.assert_allclose(weights["weight"], [[1, -2, 0.5]], atol=0.02)
    np.testing.assert_allclose(forward(line, weights, X, machine=Machine()), Y, atol=0.1)


def test_the_same_seed_gives_the_same_weights_with_and_without_noise_before():
    first = fit()
    torch.rand(3)
    assert same(first, fit())
    assert not same(first, fit(seed=1))


def test_random_layers_and_augmentation_follow_the_seed():
    noisy = {
        "build": lambda: nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5), nn.Linear(8, 1)),
        "augment": lambda _: lambda batch, generator: batch + 0.1 * torch.randn(batch.shape, generator=generator),
    }
    assert same(fit(**noisy), fit(**noisy))
    assert not same(fit(**noisy), fit(**noisy, seed=1))


def test_every_row_is_used_once_an_epoch_in_batches_of_nearly_one_size():
    batches = []

    def remember(batch, generator):
        batches.append(batch)
        return batch

    fit(augment=lambda _: remember, recipe=Recipe(epochs=1, batch_size=33, lr=0.1))
    assert [len(batch) for batch in batches] == [25, 25, 25, 25]
    np.testing.assert_array_equal(np.sort(torch.cat(batches).numpy(), axis=0), np.sort(X, axis=0))


def test_a_small_table_gets_more_epochs():
    steps = []
    fit(
        augment=lambda _: lambda batch, __: steps.append(1) or batch,
        recipe=Recipe(epochs=1, batch_size=50, lr=0.1, min_steps=11),
    )
    assert len(steps) == 12


def test_bytes_reach_the_network_as_bytes():
    seen = set()

    class Look(nn.Linear):
        def forward(self, rows):
            seen.add(rows.dtype)
            return super().forward(rows.float())

    train(lambda: Look(3, 1), X.astype(np.uint8), Y, loss=functional.mse_loss, recipe=RECIPE, machine=Machine(), seed=0)
    assert seen == {torch.uint8}


def test_averaged_weights_differ_from_the_last_ones_unless_the_decay_is_tiny():
    last, averaged = fit(), fit(recipe=Recipe(epochs=30, batch_size=16, lr=0.05, averaging=0.99))
    nearly_last = fit(recipe=Recipe(epochs=30, batch_size=16, lr=0.05, averaging=1e-9))
    assert not same(last, averaged)
    np.testing.assert_allclose(nearly_last["weight"], last["weight"], rtol=1e-5)


def test_float64_outputs_do_not_depend_on_the_batch_size():
    weights = fit()
    whole, parts = (
        forward(line, weights, X.astype(np.float64), machine=Machine(), batch_size=size) for size in (100, 7)
    )
    assert whole.dtype == np.float64
    np.testing.assert_allclose(whole, parts, rtol=1e-14)


def test_no_rows_give_no_outputs():
    assert forward(line, fit(), X[:0], machine=Machine()).shape == (0, 1)


def test_a_loss_that_is_not_finite_is_a_training_error_with_its_epoch_and_a_smaller_learning_rate():
    with pytest.raises(TrainingError, match=r"finite number: (inf|nan) in epoch 1 with lr=0.05.*such as lr=0.005"):
        fit(targets=np.full_like(Y, np.inf))


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"epochs": 0}, "epochs must be 1 or more, got 0"),
        ({"batch_size": 2}, "batch_size must be 3 or more, got 2"),
        ({"lr": 0.0}, "lr must be above 0, got 0.0"),
        ({"weight_decay": -1.0}, "weight_decay must be 0 or more, got -1.0"),
        ({"warmup": 1.0}, "warmup must be between 0 and 1, got 1.0"),
        ({"averaging": 1.0}, "averaging must be at least 0 and below 1, got 1.0"),
    ],
    ids=str,
)
def test_a_recipe_with_a_parameter_out_of_range_is_refused_by_name(option, words):
    with pytest.raises(ValueError, match=words):
        Recipe(**{"epochs": 1, "batch_size": 8, "lr": 0.1, **option})


def test_the_loss_of_each_epoch_is_returned() -> None:
    trained = train(line, X, Y, loss=functional.mse_loss, recipe=RECIPE, machine=Machine(), seed=0)
    assert trained.losses.shape == (RECIPE.epochs,)
    assert trained.losses[-1] < trained.losses[0]


@pytest.mark.parametrize(("epochs", "mixes"), [(29, False), (30, True)])
def test_images_are_mixed_only_where_there_are_enough_epochs(epochs: int, mixes: bool) -> None:
    images = np.random.default_rng(0).normal(size=(20, 1, 6, 6)).astype(np.float32)
    labels = np.arange(20) % 2

    def trained(cutmix: float) -> dict[str, np.ndarray]:
        recipe = Recipe(epochs=epochs, batch_size=10, lr=0.01, cutmix=cutmix)
        options = {"loss": functional.cross_entropy, "recipe": recipe, "machine": Machine(), "seed": 0}
        return train(lambda: nn.Sequential(nn.Flatten(), nn.Linear(36, 2)), images, labels, **options).weights

    assert same(trained(0.5), trained(0.0)) is not mixes
    assert same(trained(0.5), trained(0.5))


def test_predictions_import_no_part_of_torch_that_they_do_not_use() -> None:
    code = (
        "import sys, numpy as np\n"
        "from kpipe.models.nets.convnet import ConvNetClassifier\n"
        "net = ConvNetClassifier(epochs=1, min_steps=1).fit(np.eye(36), np.arange(36) % 2)\n"
        "net.predict(np.eye(36)); print('sympy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"  # 0.4 s in each worker

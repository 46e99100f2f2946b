"""Nets side by side: the same numbers as one after another, and a model that learns two targets."""

from __future__ import annotations

import itertools
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from kpipe.core.values import Context
from kpipe.errors import TrainingError, UsageError
from kpipe.models import model
from kpipe.models.teaching.together import Together
from kpipe.models.teaching.two_targets import draw, learn
from kpipe.studies.titanic_two_targets import Rows, one_after_another
from tests.tables import survivors

TWO = Context(task="classification", n_classes=2, seed=3)


def rows(n: int, trained: int, dtype: torch.dtype = torch.float64) -> Rows:
    generator = torch.Generator().manual_seed(n)
    inputs, targets = (torch.rand(size, n, generator=generator, dtype=dtype) for size in (11, 2))
    return Rows(inputs, targets * torch.tensor([[1.0], [60.0]], dtype=dtype), trained)


@pytest.mark.parametrize("lr", [0.01, 0.1, 4.0])
def test_nets_side_by_side_have_the_numbers_of_nets_one_after_another(lr: float) -> None:
    torch.manual_seed(0)
    first = [layer.double() for layer in draw(7, (11, 10, 10, 2), shift=0.5, scale=6, constants=0.5)]
    table = rows(60, 45)
    losses, predicted, _ = learn(first, table.inputs, table.targets[:, :45], lr=lr, epochs=12)
    theirs, predictions = one_after_another(first, table, lr=lr, epochs=12)
    np.testing.assert_allclose(losses, theirs, rtol=1e-9)
    np.testing.assert_allclose(predicted.transpose(2, 3), torch.stack(predictions), rtol=1e-8, atol=1e-8)


def test_more_nets_than_fit_at_a_time_are_the_same_nets() -> None:
    torch.manual_seed(1)
    first = draw(203, (11, 4, 2), shift=0.5, scale=6, constants=0.5)
    table = rows(20, 15, torch.float32)
    together, _, last = learn(first, table.inputs, table.targets[:, :15], lr=0.01, epochs=3)
    alone = learn([w[202:] for w in first], table.inputs, table.targets[:, :15], lr=0.01, epochs=3)
    np.testing.assert_allclose(together[202:], alone[0], rtol=1e-5)
    assert all(not torch.equal(a, b) for a, b in zip(first, last, strict=True))


@settings(deadline=None, max_examples=25)
@given(
    hidden=st.sampled_from(["relu", "tanh"]),
    sizes=st.lists(st.integers(1, 5), min_size=2, max_size=5),
    nets=st.integers(1, 3),
    trained=st.integers(1, 6),
    shared=st.booleans(),
)
def test_a_step_is_torchs_own_gradient(hidden: str, sizes: list[int], nets: int, trained: int, shared: bool) -> None:
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
        together = Together(ours, inputs, hidden=hidden, trained=trained, one_constant=shared)
        np.testing.assert_allclose(together.forward(), values.detach(), rtol=1e-10, atol=1e-12)
        together.slopes[-1].copy_(slopes)
        together.descend(0.1)
    for before, after, gradient in zip(first, ours, gradients, strict=True):
        if shared:  # one number, in as many places as the layer has outputs
            gradient[:, :, -1] = gradient[:, :, -1].sum(dim=1, keepdim=True)
        np.testing.assert_allclose(before - 0.1 * gradient, after, rtol=1e-9, atol=1e-10)


def test_the_two_target_model_learns_both_and_repeats_itself_to_the_byte() -> None:
    made = survivors()
    X, y = (
        made.train.drop(columns=["id", "survived"]).assign(Age=np.arange(len(made.train)) % 60),
        made.train["survived"],
    )
    fits = [model("two-targets", nets=8, epochs=20)(TWO).fit(X, y) for _ in range(2)]
    assert fits[0].predict_proba(X).tobytes() == fits[1].predict_proba(X).tobytes()
    assert fits[0].predict_both(X).shape == (2, len(X))
    assert (fits[0].losses_[:, -1] <= fits[0].losses_[:, 0]).all()
    np.testing.assert_allclose(fits[0].predict_proba(X.iloc[[5, 2]]), fits[0].predict_proba(X)[[5, 2]], rtol=1e-12)
    assert clone(pickle.loads(pickle.dumps(fits[0]))).get_params() == fits[0].get_params()


def test_the_second_target_is_not_looked_at() -> None:
    made = survivors()
    X, y = made.train.drop(columns=["id", "survived"]).assign(Age=30.0), made.train["survived"]
    fitted = model("two-targets", nets=2, epochs=2)(TWO).fit(X, y)
    np.testing.assert_array_equal(fitted.predict_proba(X), fitted.predict_proba(X.assign(Age=-1.0)))


def test_a_table_without_the_second_target_and_a_loss_that_runs_away_are_refused() -> None:
    made = survivors()
    X, y = made.train.drop(columns=["id", "survived"]), made.train["survived"]
    with pytest.raises(UsageError, match="must find the column 'Age' among the features"):
        model("two-targets")(TWO).fit(X, y)
    with pytest.raises(UsageError, match=r"must find 'Age' in every row, however: 1 of 80 rows lack it"):
        model("two-targets")(TWO).fit(X.assign(Age=[np.nan] + [1.0] * (len(X) - 1)), y)
    with pytest.raises(TrainingError, match=r"Use a smaller learning rate, such as lr=1e\+30"):
        model("two-targets", lr=1e31, epochs=9)(TWO).fit(X.assign(Age=1e30), y)
    with pytest.raises(UsageError, match="'two-targets' needs two classes, but the task is regression"):
        model("two-targets")(Context(task="regression"))

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone

from kpipe.core.values import Context
from kpipe.errors import TrainingError, UsageError
from kpipe.models import model
from kpipe.models.teaching.two_targets import draw, learn
from kpipe.studies.titanic_two_targets_nets import Rows, train_sequentially
from tests.tables import survivors

TWO = Context(task="classification", n_classes=2, seed=3)


def rows(n: int, trained: int, dtype: torch.dtype = torch.float64) -> Rows:
    generator = torch.Generator().manual_seed(n)
    inputs, targets = (torch.rand(size, n, generator=generator, dtype=dtype) for size in (11, 2))
    return Rows(inputs, targets * torch.tensor([[1.0], [60.0]], dtype=dtype), trained)


@pytest.mark.parametrize("lr", [0.01, 0.1, 4.0])
def test_nets_in_a_batch_have_the_numbers_of_nets_trained_one_after_another(lr: float) -> None:
    torch.manual_seed(0)
    first = [layer.double() for layer in draw(7, (11, 10, 10, 2), shift=0.5, scale=6, constants=0.5)]
    table = rows(60, 45)
    losses, predicted, _ = learn(first, table.inputs, table.targets[:, :45], lr=lr, epochs=12)
    theirs, predictions = train_sequentially(first, table, lr=lr, epochs=12)
    np.testing.assert_allclose(losses, theirs, rtol=1e-9)
    np.testing.assert_allclose(predicted.transpose(2, 3), torch.stack(predictions), rtol=1e-8, atol=1e-8)


def test_more_nets_than_a_batch_holds_are_the_same_nets() -> None:
    torch.manual_seed(1)
    first = draw(203, (11, 4, 2), shift=0.5, scale=6, constants=0.5)
    table = rows(20, 15, torch.float32)
    many, _, last = learn(first, table.inputs, table.targets[:, :15], lr=0.01, epochs=3)
    alone = learn([w[202:] for w in first], table.inputs, table.targets[:, :15], lr=0.01, epochs=3)
    np.testing.assert_allclose(many[202:], alone[0], rtol=1e-5)
    assert all(not torch.equal(a, b) for a, b in zip(first, last, strict=True))


def test_the_model_learns_both_targets_and_gives_the_same_bytes_again() -> None:
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


def test_the_second_target_is_no_feature() -> None:
    made = survivors()
    X, y = made.train.drop(columns=["id", "survived"]).assign(Age=30.0), made.train["survived"]
    fitted = model("two-targets", nets=2, epochs=2)(TWO).fit(X, y)
    np.testing.assert_array_equal(fitted.predict_proba(X), fitted.predict_proba(X.assign(Age=-1.0)))


def test_a_missing_second_target_a_diverging_loss_and_a_regression_are_refused() -> None:
    made = survivors()
    X, y = made.train.drop(columns=["id", "survived"]), made.train["survived"]
    with pytest.raises(UsageError, match="needs the column 'Age' among the features"):
        model("two-targets")(TWO).fit(X, y)
    with pytest.raises(UsageError, match=r"needs 'Age' in every row, but it is missing in 1 of 80"):
        model("two-targets")(TWO).fit(X.assign(Age=[np.nan] + [1.0] * (len(X) - 1)), y)
    with pytest.raises(TrainingError, match=r"Use a smaller learning rate, such as lr=1e\+30"):
        model("two-targets", lr=1e31, epochs=9)(TWO).fit(X.assign(Age=1e30), y)
    with pytest.raises(UsageError, match="'two-targets' needs two classes, but the task is regression"):
        model("two-targets")(Context(task="regression"))

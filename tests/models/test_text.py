from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline

from kpipe.core.values import Context
from kpipe.models import model
from kpipe.models.n_grams import NGrams
from kpipe.models.text import NGramClassifier, RowText
from tests.word_vectors import COLD, WARM, made_up_vectors

TABLE = pd.DataFrame(
    {
        "story": pd.Series(["the ship sails at dawn", "nobody saw it leave port", None], dtype="str"),
        "town": pd.Series(["Port Said", None, "Rome"], dtype="str"),
        "age": [1.0, 2.0, 3.0],
    }
)


def test_a_row_becomes_its_free_text_followed_by_its_labels_as_words() -> None:
    rows = RowText().fit(TABLE).transform(TABLE)
    assert rows.tolist() == [
        "the ship sails at dawn town_Port_Said",
        "nobody saw it leave port town_missing",
        " town_Rome",
    ]


def test_a_table_without_free_text_is_refused() -> None:
    with pytest.raises(ValueError, match="Models for text need a column of free text, but there is none"):
        model("text")(Context(task="regression")).fit(TABLE[["town", "age"]], [1.0, 2.0, 3.0])


def fables(rows: int, classes: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Sentences of common words whose author shows in few of the words and in the mark at the end."""
    draw = np.random.default_rng(0)
    authors = np.arange(rows) % classes
    words = [" ".join(draw.choice(["sea", "night", "ship", "wind", "star"], 6)) for _ in range(rows)]
    own = [f"w{author if draw.random() < 0.7 else draw.integers(classes)}" for author in authors]
    return np.asarray([f"{a} {b}" for a, b in zip(words, own, strict=True)], dtype=object), authors


def classifier(weights: str | None = None, **options: float) -> NGramClassifier:
    estimator = model("text", weights=weights, **options)(Context(task="classification", n_classes=2))["classifier"]
    assert isinstance(estimator, NGramClassifier)
    return estimator


def test_probabilities_of_each_row_sum_to_one_and_are_better_than_the_class_shares() -> None:
    X, y = fables(400, classes=3)
    probabilities = classifier().fit(X[:300], y[:300]).predict_proba(X[300:])
    assert probabilities.sum(axis=1) == pytest.approx(1.0)
    assert log_loss(y[300:], probabilities) < 0.9 * np.log(3)


def test_probabilities_are_calibrated_on_rows_that_no_model_has_learned_from() -> None:
    X, y = fables(1200)
    probabilities = classifier(C=1000.0).fit(X[:800], y[:800]).predict_proba(X[800:])
    alone = make_pipeline(NGrams(), LogisticRegression(C=1000.0, max_iter=1000)).fit(X[:800], y[:800])
    assert log_loss(y[800:], probabilities) < log_loss(y[800:], alone.predict_proba(X[800:]))


@pytest.mark.parametrize(
    "y", [[0, 0, 0, 1], [0, 1, 2, 3], [0, 0, 1, 1]], ids=["a class of one row", "one row a class", "two rows a class"]
)
def test_few_rows_can_be_learned(y: list[int]) -> None:
    X, _ = fables(4)
    fitted = classifier().fit(X, np.asarray(y))
    assert fitted.predict_proba(X).shape == (4, len(set(y)))


def test_the_linear_model_alone_learns_more_than_thirty_classes() -> None:
    X, y = fables(310, classes=31)
    assert isinstance(classifier().fit(X, y).model_, LogisticRegression)


def test_an_option_reaches_the_linear_model() -> None:
    assert classifier(C=0.5).linear.get_params()["C"] == 0.5


def test_strings_without_a_known_word_are_predicted() -> None:
    X, y = fables(200)
    assert np.isfinite(classifier().fit(X, y).predict_proba(np.asarray(["", "zzz?"], dtype=object))).all()


def test_word_vectors_distinguish_words_that_are_not_in_the_training_rows(tmp_path: Path) -> None:
    folder = str(made_up_vectors(tmp_path))
    draw = np.random.default_rng(0)
    kinds = draw.integers(2, size=120)
    words = np.asarray([draw.choice((WARM[:3], COLD[:3])[kind]) for kind in kinds], dtype=object)
    unseen, truth = np.asarray([*WARM[3:], *COLD[3:]], dtype=object), np.repeat([0, 1], 3)
    with_vectors, alone = (classifier(w).fit(words, kinds).predict_proba(unseen)[:, 1] for w in (folder, None))
    assert with_vectors[truth == 1].min() > with_vectors[truth == 0].max()
    assert not alone[truth == 1].min() > alone[truth == 0].max()

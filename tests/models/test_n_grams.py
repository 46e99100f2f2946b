from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from kpipe.models.n_grams import LogCountRatioClassifier, NGrams, normalize_text


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Flood at http://t.co/a1B2", "flood at https://t.co/zz"),
        ("@ada help!", "@bob HELP!"),
        ("fire &amp; smoke", "fire & smoke"),
        ("25 dead", "7 dead"),
    ],
)
def test_what_only_looks_different_is_normalized_to_the_same(one: str, other: str) -> None:
    assert normalize_text(one) == normalize_text(other)


def test_an_address_of_mail_mentions_nobody() -> None:
    assert normalize_text("ada@example.org") == "ada@example.org"


def test_each_block_has_its_columns() -> None:
    X = np.asarray(["The sea", "the SKY", "a sea, a sky"], dtype=object)
    n_grams = NGrams(("words", "parts"))
    weights = n_grams.fit_transform(X)
    words, parts = n_grams.slices_["words"], n_grams.slices_["parts"]
    assert (words.start, words.stop, parts.stop) == (0, parts.start, weights.shape[1])
    assert (n_grams.transform(X) != weights).nnz == 0


@pytest.mark.parametrize("labels", [["a", "b"], ["a", "b", "c"]])
def test_classes_that_differ_in_their_n_grams_are_separated(labels: list[str]) -> None:
    y = np.asarray(labels * 20)
    X = csr_matrix(np.column_stack([(y == label) * 0.3 for label in labels] + [np.ones(len(y))]))
    found = LogCountRatioClassifier().fit(X, y)
    assert (found.predict(X) == y).all()
    assert found.predict_proba(X).sum(axis=1) == pytest.approx(1)

"""Features of a free-text column: the main components of its words, and statistics of its style.

References
----------
Deerwester et al., "Indexing by Latent Semantic Analysis", 1990.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import Pipeline, make_pipeline

from kpipe.data.column_types import is_free_text
from kpipe.features.columns import as_text

__all__ = ["TextFeatures"]

_TOPICS, _WORDS = 32, 20_000  # largest numbers of dimensions, and of words
_PATTERNS = {"words": r"\S+", "capitals": r"[A-Z]", "marks": r"[!?#@]"}  # counted in each cell


@dataclass(frozen=True)
class TextFeatures:
    """The features of one free-text column, as learned by ``AutomaticFeatures``.

    Parameters
    ----------
    topics : Pipeline
        TF-IDF of the words, then its strongest dimensions (latent semantic analysis).
    """

    topics: Pipeline

    @classmethod
    def fit(cls, column: pd.Series, *, random_state: int) -> Self | None:
        """The features of a column, or None if it does not hold free text.

        Parameters
        ----------
        column : Series of shape (n,)
            A column of the fitting rows.
        random_state : int
            Seed of the decomposition.

        Returns
        -------
        TextFeatures or None
            Fitted.
        """
        return cls.learn(column, random_state=random_state) if is_free_text(column) else None

    @classmethod
    def learn(cls, column: pd.Series, *, random_state: int) -> Self:
        """The features of a column of any text.

        Parameters
        ----------
        column : Series of shape (n,)
            A column of the fitting rows.
        random_state : int
            Seed of the decomposition.

        Returns
        -------
        TextFeatures
            Fitted.
        """
        text = as_text(column, missing="")
        in_rows = text.str.lower().str.findall(r"\w\w+").map(set).explode().dropna()
        min_rows = 2 if in_rows.duplicated().any() else 1  # a word that only one row repeats would not do
        words = TfidfVectorizer(sublinear_tf=True, min_df=min_rows, max_features=_WORDS, strip_accents="unicode")
        weights = words.fit_transform(text)
        dimensions = min(_TOPICS, max(1, weights.shape[1] - 1))
        with np.errstate(invalid="ignore"):  # if all rows are equal, the explained variance is 0 / 0
            topics = TruncatedSVD(dimensions, random_state=random_state).fit(weights)
        return cls(make_pipeline(words, topics))

    def transform(self, column: pd.Series) -> dict[str, np.ndarray]:
        """The dimensions, then the numbers of characters, words, capitals and marks.

        Parameters
        ----------
        column : Series of shape (n,)
            The same column of any rows.

        Returns
        -------
        dict of str to ndarray of shape (n,)
            Float64 features by name.
        """
        text = as_text(column, missing="")
        topics = {f"{column.name}: topic {n}": values for n, values in enumerate(self.topics.transform(text).T)}
        counts = {what: text.str.count(pattern) for what, pattern in _PATTERNS.items()}
        sizes = {"letters": text.str.len(), **counts}
        return topics | {f"{column.name}: {what}": values.to_numpy(dtype=float) for what, values in sizes.items()}

"""Metrics of the most probable labels, best first.

References
----------
Mean average precision at k, with one true label a row:
https://www.kaggle.com/competitions/playground-series-s5e6/overview/evaluation.
"""

from __future__ import annotations

import numpy as np

from kpipe.core.metrics.metric import Losses, Metric, mean

__all__ = ["METRICS", "map_at"]


def map_at(top: int) -> Metric:
    """Return the mean average precision at ``top`` for one true label per row: the mean reciprocal rank of that label.

    Parameters
    ----------
    top : int
        The number of labels in a ranking; a true label that ranks lower counts as 0.

    Returns
    -------
    Metric

    Examples
    --------
    >>> map_at(2).function(np.array([0, 1, 2]), np.array([[0.5, 0.3, 0.2]] * 3))
    0.5
    """
    losses = _reciprocal_ranks(top)
    return Metric(
        name=f"map@{top}", function=mean(losses), losses=losses, needs="ranking", greater_is_better=True, top=top
    )


def _reciprocal_ranks(top: int) -> Losses:
    def losses(y: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
        truth = y.astype(int)[:, None]
        of_truth = np.take_along_axis(probabilities, truth, axis=1)
        # Among equal probabilities, a submission ranks the first class first.
        before = (probabilities == of_truth) & (np.arange(probabilities.shape[1]) < truth)
        rank = ((probabilities > of_truth) | before).sum(axis=1) + 1
        return np.where(rank <= top, 1 / rank, 0.0)

    return losses


METRICS = (map_at(3), map_at(5))  # get_metric creates those of other lengths

"""All metrics by name, and the look-up by any of the names that Kaggle and scikit-learn use."""

from __future__ import annotations

import re

from kpipe.core.metrics import classification, ranking, regression
from kpipe.core.metrics.metric import Metric
from kpipe.core.wording import closest, listed
from kpipe.errors import UsageError

__all__ = ["METRICS", "get_metric"]

METRICS = {metric.name: metric for metric in (*classification.METRICS, *regression.METRICS, *ranking.METRICS)}
_ALIASES = {alias: metric.name for metric in METRICS.values() for alias in metric.aliases}


def get_metric(metric: str | Metric) -> Metric:
    """Return the metric of a name; a ``Metric`` is returned as it is.

    Parameters
    ----------
    metric : str or Metric
        A name of kpipe, Kaggle or scikit-learn in any spelling, such as "RMSLE", "log loss" or "MAP@5".

    Returns
    -------
    Metric

    Raises
    ------
    UsageError
        If no metric has this name; the message suggests a similar one.

    Examples
    --------
    >>> get_metric("Log Loss").name, get_metric("Root Mean Squared Error").name, get_metric("MAP@5").name
    ('log_loss', 'rmse', 'map@5')
    """
    if isinstance(metric, Metric):
        return metric
    key = _key(metric)
    ranked = re.fullmatch(r"(?:mean_average_precision|map)_?@?_?(\d{1,3})", key)
    if ranked and int(ranked[1]):
        return ranking.map_at(int(ranked[1]))
    short = re.sub(r"^neg_|^(mean_)?column_?wise_|_score$", "", key)
    for known in (key, short, _ALIASES.get(key, ""), _ALIASES.get(short, "")):
        if known in METRICS:
            return METRICS[known]
    near = closest(key, [*METRICS, *_ALIASES])
    hint, names = (f" Did you mean {_ALIASES.get(near, near)}?", listed(METRICS)) if near else ("", ", ".join(METRICS))
    raise UsageError(f"There is no metric {metric!r}.{hint} The metrics are: {names}.", code="unknown-metric")


def _key(name: str) -> str:
    """A name in lower case with underscores: "root_mean_squared_error" for "RootMeanSquaredError (RMSE)"."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", re.sub(r"\(.*?\)", "", name).strip())
    return re.sub(r"[\s_-]+", "_", spaced.strip().lower())

"""The section "Out-of-fold predictions", for the kind of target that the run has."""

from __future__ import annotations

from kpipe.report import classification, multilabel, regression
from kpipe.report.blocks import Section
from kpipe.runs.loaded import LoadedRun

__all__ = ["section"]


def section(run: LoadedRun) -> Section | None:
    """The section "Out-of-fold predictions".

    Parameters
    ----------
    run : LoadedRun
        The run.

    Returns
    -------
    Section or None
        Section, or None where the run's folder has no predictions or its metric is unknown.
    """
    oof, metric = run.oof, run.metric
    if oof is None or metric is None or not oof.is_predicted.any():
        return None
    if oof.classes is not None:
        return classification.section(run, metric, oof, oof.classes)
    return regression.section(metric, oof) if metric.task == "regression" else multilabel.section(oof)

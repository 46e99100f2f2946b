"""Log finished runs to MLflow.

MLflow's own settings name the server: ``MLFLOW_TRACKING_URI`` and its credentials, which kpipe never reads.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from typing import Any

from kpipe.core.packages import install_command
from kpipe.errors import OutputError, UsageError
from kpipe.runs.run import Run

__all__ = ["connect", "track"]

_ARTIFACTS = ("run.json", "submission.csv", "folds.parquet", "oof.parquet", "log.txt")
# A server that does not answer is reported within seconds; MLflow's own defaults take minutes.
_TIMEOUTS = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "10", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}


def connect() -> Any:
    """The module ``mlflow``, once its server has answered.

    Returns
    -------
    module

    Raises
    ------
    UsageError
        If MLflow is not installed.
    OutputError
        If its server does not answer.
    """
    for name, value in _TIMEOUTS.items():
        os.environ.setdefault(name, value)
    try:
        import mlflow
    except ImportError as error:
        raise UsageError(
            f"MLflow is not installed: {install_command(extra='mlflow')}", code="missing-package"
        ) from error
    try:
        mlflow.search_experiments(max_results=1)
    except Exception as error:  # MLflow's, requests' and urllib3's, each with addresses that may hold a password
        raise OutputError(
            f"MLflow does not answer ({type(error).__name__}). MLFLOW_TRACKING_URI must name a running server, such as "
            "http://127.0.0.1:5000, or a folder.",
            code="tracking-failed",
        ) from error
    return mlflow


def track(run: Run) -> str:
    """Log a run's parameters, scores and files under the experiment ``kpipe/<slug>``.

    Parameters
    ----------
    run : Run
        A finished run.

    Returns
    -------
    str
        MLflow's id of the logged run.

    Raises
    ------
    UsageError
        If MLflow is not installed.
    OutputError
        If MLflow cannot store the run. The run's folder stays whole.
    """
    mlflow = connect()
    record = run.record
    try:
        mlflow.set_experiment(f"kpipe/{record['slug']}")
        # MLflow prints the address to stdout, where only the run's own result belongs.
        with redirect_stdout(sys.stderr), mlflow.start_run(run_name=record["run_id"]) as tracked:
            mlflow.set_tags(_tags(record))
            mlflow.log_params(_parameters(record))
            mlflow.log_metrics(dict(_metrics(record)))
            for fold, score in enumerate(record["fold_scores"]):
                if score is not None:
                    mlflow.log_metric("fold_score", score, step=fold)
            for name in _ARTIFACTS:
                if (run.path / name).is_file():
                    mlflow.log_artifact(str(run.path / name))
            return str(tracked.info.run_id)
    except Exception as error:  # as above
        raise OutputError(
            f"MLflow could not store the run ({type(error).__name__}). The run itself is complete: {run.path}",
            code="tracking-failed",
        ) from error


def _tags(record: Mapping[str, Any]) -> dict[str, str]:
    failed = [check["name"] for check in record["checks"] if check["status"] == "fail"]
    warned = [check["name"] for check in record["checks"] if check["status"] == "warn"]
    return {
        "kpipe.run_id": record["run_id"],
        "kpipe.slug": record["slug"],
        "kpipe.metric": record["metric"]["name"],
        "kpipe.greater_is_better": str(record["metric"]["greater_is_better"]),
        "kpipe.submission_sha256": record["submission"]["sha256"],
        "kpipe.checks_failed": ", ".join(failed),
        "kpipe.checks_warned": ", ".join(warned),
    }


def _parameters(record: Mapping[str, Any]) -> dict[str, Any]:
    options = record.get("options") or {}
    return {
        "models": [model["name"] for model in record["models"]],
        "seeds": record["seed"],
        "folds": record["folds"],
        "device": record["device"],
        "data": record["data"]["origin"],
        **{name: value for name, value in options.items() if name in ("budget", "drop", "split", "text") and value},
    }


def _metrics(record: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The known numbers; characters of a model's name that MLflow does not allow become "_"."""
    for name in ("score", "standard_error", "baseline", "baseline_standard_error", "seconds", "peak_memory_mib"):
        if record.get(name) is not None:
            yield name, record[name]
    for model in record["models"]:
        for name in ("score", "standard_error", "weight", "seconds"):
            if model.get(name) is not None:
                yield f"{''.join(c if c.isalnum() or c in '-_. /' else '_' for c in model['name'])}/{name}", model[name]

"""A finished run in an experiment tracker, beside what a team tracks already.

MLflow's own settings say where: ``MLFLOW_TRACKING_URI`` (and its credentials, which kpipe never reads).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from typing import Any

from kpipe.core.packages import install_command
from kpipe.errors import OutputError, UsageError
from kpipe.runs.run import Run

__all__ = ["connect", "track"]

_ARTIFACTS = ("run.json", "submission.csv", "folds.parquet", "oof.parquet", "log.txt")
# A server that is not there is said in seconds, not in MLflow's minutes.
_QUICKLY = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "10", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}


def connect() -> Any:
    """MLflow, once its server has answered.

    Raises UsageError where it is not installed, OutputError where no server answers.
    """
    for name, value in _QUICKLY.items():
        os.environ.setdefault(name, value)
    try:
        import mlflow
    except ImportError as error:
        raise UsageError(f"MLflow is not installed: {install_command(extra='mlflow')}") from error
    try:
        mlflow.search_experiments(max_results=1)
    except Exception as error:  # MLflow's, requests' and urllib3's, each with addresses that may hold a password
        raise OutputError(
            f"MLflow does not answer ({type(error).__name__}). MLFLOW_TRACKING_URI must name a server that runs, "
            "such as http://127.0.0.1:5000, or a folder."
        ) from error
    return mlflow


def track(run: Run) -> str:
    """Log a run's parameters, scores and files under the experiment ``kpipe/<slug>``; gives MLflow's id of it.

    Raises OutputError where MLflow cannot take it: the run's folder is whole all the same.
    """
    mlflow = connect()
    record = run.record
    try:
        mlflow.set_experiment(f"kpipe/{record['slug']}")
        # MLflow prints the address to stdout, which is the run's own.
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
            f"The run is whole in {run.path}, but MLflow could not take it ({type(error).__name__})."
        ) from error


def _tags(record: Any) -> dict[str, str]:
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


def _parameters(record: Any) -> dict[str, Any]:
    options = record.get("options") or {}
    return {
        "models": [model["name"] for model in record["models"]],
        "seeds": record["seed"],
        "folds": record["folds"],
        "device": record["device"],
        "data": record["data"]["origin"],
        **{name: value for name, value in options.items() if name in ("budget", "drop", "split", "text") and value},
    }


def _metrics(record: Any) -> Iterator[tuple[str, float]]:
    """Numbers that are known; a model's name may hold what MLflow's names may not."""
    for name in ("score", "standard_error", "baseline", "baseline_standard_error", "seconds", "peak_memory_mib"):
        if record.get(name) is not None:
            yield name, record[name]
    for model in record["models"]:
        for name in ("score", "standard_error", "weight", "seconds"):
            if model.get(name) is not None:
                yield f"{''.join(c if c.isalnum() or c in '-_. /' else '_' for c in model['name'])}/{name}", model[name]

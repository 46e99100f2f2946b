"""Write a finished run into its folder."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

from kpipe.runs.kept_models import sign_models
from kpipe.runs.prediction_tables import VAULT_PREDICTIONS, predictions_table, vault_table
from kpipe.runs.record import make_record
from kpipe.runs.result import RunResult
from kpipe.runs.run import Run
from kpipe.runs.store import RunFolder
from kpipe.training.folds import folds_to_frame
from kpipe.training.learning_curves import curves_to_frame

__all__ = ["save_run"]


def save_run(
    folder: RunFolder, result: RunResult, *, began: float, seeds: Sequence[int], device: str, command: Sequence[str]
) -> Run:
    """Write everything, ``run.json`` last, and give the folder its final name.

    Parameters
    ----------
    folder : RunFolder
    result : RunResult
    began : float
        When the run started, by ``time.perf_counter``.
    seeds, device, command
        For the record, see ``make_record``.

    Returns
    -------
    Run

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    seconds = time.perf_counter() - began
    record = make_record(result, seeds=seeds, device=device, command=command, seconds=seconds, request=folder.request)
    folder.write("submission.csv", result.csv)
    folder.write_table("folds.parquet", folds_to_frame(result.folds))
    folder.write_table("oof.parquet", predictions_table(result, "oof"))
    folder.write_table("test.parquet", predictions_table(result, "test"))
    if (locked := vault_table(result)) is not None:
        folder.write_table(VAULT_PREDICTIONS, locked)
    fitted = ((model.name, model.curves) for model in result.predictions.models)
    folder.write_table("curves.parquet", curves_to_frame(fitted))
    sign_models(folder.path)
    record["created"] = folder.free_second(record["created"])
    record["run_id"] = folder.run_id(record["created"])
    folder.write("run.json", (json.dumps(record, indent=2, allow_nan=False) + "\n").encode())
    return Run(path=folder.finish(record["run_id"]), record=record)

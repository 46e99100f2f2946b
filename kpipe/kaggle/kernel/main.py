"""What a kernel script does: unpack kpipe, run, write submission.csv. Every script contains this source.

Only the standard library is imported here, and kpipe after it was unpacked.
"""

import base64
import hashlib
import importlib
import io
import lzma
import os
import shutil
import sys
import tempfile
import traceback
import zipfile
from pathlib import Path
from typing import Any


def kaggle_root() -> Path:
    """Kaggle's folder ``/kaggle``, or the one that stands in for it in tests: the variable ``KPIPE_KAGGLE_ROOT``."""
    return Path(os.environ.get("KPIPE_KAGGLE_ROOT", "/kaggle"))


def unpack(payload: str, sha256: str, folder: Path) -> None:
    """Unpack kpipe, a compressed zip in base85, into a folder, and make that the first entry of ``sys.path``."""
    content = base64.b85decode(payload)
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise SystemExit(f"This script was changed: kpipe's zip has the sha256 {found}, not {sha256}. Build it again.")
    with zipfile.ZipFile(io.BytesIO(lzma.decompress(content))) as archive:
        archive.extractall(folder)
    sys.path.insert(0, str(folder))


def add_wheels(dataset: str, folder: Path) -> None:
    """Unpack a dataset's wheels into a folder, and make that the last entry of ``sys.path``: the image goes first."""
    owner, slug = dataset.split("/")
    for place in (kaggle_root() / "input" / "datasets" / owner / slug, kaggle_root() / "input" / slug):
        for wheel in sorted(place.glob("*.whl")):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(folder)
    sys.path.append(str(folder))


def sample_submission(slug: str) -> "Path | None":
    """The competition's sample submission, in either of the folders in which Kaggle mounts it."""
    for folder in (kaggle_root() / "input" / "competitions" / slug, kaggle_root() / "input" / slug):
        found = sorted(path for path in folder.glob("*.csv") if "submission" in path.name.lower())
        if found:
            return found[0]
    return None


def run_request(slug: str, options: "dict[str, Any]", rerun: "dict[str, Any]", out: Path) -> Any:
    """Run what was requested when the script was built, and show the progress in the kernel's log.

    ``rerun`` holds the fits and the threads of the run that the kernel repeats; it is empty if there is no such run.
    """
    pipeline = importlib.import_module("kpipe.pipeline")
    request = importlib.import_module("kpipe.core.request").RunRequest
    return pipeline.run(
        request.from_json(slug, options, place="This script", out=out),
        on_start=lambda plan: print(plan.sentence, flush=True),
        on_fit_done=lambda fit: print(
            f"Fit {fit.done}{f' of {fit.total}' if fit.total else ''}, {fit.model}: {fit.seconds:.1f} s", flush=True
        ),
        rerun=importlib.import_module("kpipe.runs.rerun").RerunSpec(**rerun),
    )


def main(
    slug: str, options: "dict[str, Any]", rerun: "dict[str, Any]", embedded: "tuple[str, str]", wheels: str
) -> None:
    """Run, and write submission.csv, run.json and oof.parquet to ``/kaggle/working``.

    ``embedded`` is kpipe's zip and its sha256. If the run fails, the sample submission is written in place of the
    submission, so that there is a file, and the script fails with the error, so that nobody takes it for a result.
    """
    working = kaggle_root() / "working"
    with tempfile.TemporaryDirectory() as folder:
        unpack(*embedded, Path(folder) / "kpipe-unpacked")
        if wheels:
            add_wheels(wheels, Path(folder) / "wheels")
        os.environ.setdefault("KPIPE_CACHE", str(Path(folder) / "cache"))
        try:
            run = run_request(slug, options, rerun, Path(folder) / "submissions")
        except BaseException:
            sample = sample_submission(slug)
            if sample is not None:
                shutil.copyfile(sample, working / "submission.csv")
                traceback.print_exc()
                print("The run failed. submission.csv is the sample submission, not a result.", file=sys.stderr)
            raise
        for name in ("submission.csv", "run.json", "oof.parquet"):
            shutil.copyfile(run.path / name, working / name)
        print_record(run.record)


def print_record(record: "dict[str, Any]") -> None:
    """Print the score and the checks of a run."""
    score = f"{record['metric']['name']} {record['score']} ± {record['standard_error']}"
    print(f"{record['slug']}: {score} out-of-fold, {record['rows']} rows")
    summary = importlib.import_module("kpipe.runs.summary")
    print(f"Expected on the leaderboard: {summary.format_forecast(record)}")
    for check in record["checks"]:
        print(f"{check['status']} {check['name']}: {check['detail']}")

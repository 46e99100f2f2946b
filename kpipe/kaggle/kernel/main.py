"""What a kernel script does: unpack kpipe, run, write submission.csv. Its source stands in every script, whole.

Only Python's own library is imported here, and nothing of kpipe before it is unpacked.
"""

import base64
import hashlib
import importlib
import io
import os
import shutil
import sys
import tempfile
import traceback
import zipfile
from pathlib import Path


def kaggle_root() -> Path:
    """``/kaggle``, or where a rehearsal has put its like: the variable ``KPIPE_KAGGLE_ROOT``."""
    return Path(os.environ.get("KPIPE_KAGGLE_ROOT", "/kaggle"))


def unpack(payload: str, sha256: str, folder: Path) -> None:
    """Put kpipe, a zip in base64, into a folder and before everything else on the path of modules."""
    content = base64.b64decode(payload)
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise SystemExit(f"This script was changed: kpipe's zip has the sha256 {found}, not {sha256}. Build it again.")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(folder)
    sys.path.insert(0, str(folder))


def add_wheels(dataset: str, folder: Path) -> None:
    """Put a dataset's wheels at the end of the path of modules: what the image has goes before them."""
    owner, slug = dataset.split("/")
    for place in (kaggle_root() / "input" / "datasets" / owner / slug, kaggle_root() / "input" / slug):
        for wheel in sorted(place.glob("*.whl")):
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(folder)
    sys.path.append(str(folder))


def sample_submission(slug: str) -> "Path | None":
    """The competition's sample submission, in either of the layouts in which Kaggle mounts it."""
    for folder in (kaggle_root() / "input" / "competitions" / slug, kaggle_root() / "input" / slug):
        found = sorted(path for path in folder.glob("*.csv") if "submission" in path.name.lower())
        if found:
            return found[0]
    return None


def main(slug: str, options: "dict[str, object]", payload: str, sha256: str, wheels: str = "") -> None:
    """Run, and leave submission.csv and run.json in ``/kaggle/working``.

    If the run fails, the sample submission is written in its place, so that there is a file, and the error ends the
    script, so that nobody takes it for a success.
    """
    working = kaggle_root() / "working"
    with tempfile.TemporaryDirectory() as folder:
        unpack(payload, sha256, Path(folder) / "kpipe-unpacked")
        if wheels:
            add_wheels(wheels, Path(folder) / "wheels")
        os.environ.setdefault("KPIPE_CACHE", str(Path(folder) / "cache"))
        try:
            run = importlib.import_module("kpipe").run(slug, out=Path(folder) / "submissions", **options)
        except BaseException:
            sample = sample_submission(slug)
            if sample is not None:
                shutil.copyfile(sample, working / "submission.csv")
                traceback.print_exc()
                print("The run failed. submission.csv is the sample submission, and worth nothing.", file=sys.stderr)
            raise
        for name in ("submission.csv", "run.json", "oof.parquet"):
            shutil.copyfile(run.path / name, working / name)
        record = run.record
        error = record["standard_error"]
        print(f"{slug}: {record['metric']['name']} {record['score']} ± {error} out-of-fold, {record['rows']} rows")
        for check in record["checks"]:
            print(f"{check['status']} {check['name']}: {check['detail']}")

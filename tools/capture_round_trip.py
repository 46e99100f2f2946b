"""Rewrite the captures in docs/kaggle.md: the round trip and the doctor, against the tests' Kaggle on loopback.

    python tools/capture_round_trip.py ../shared/kaggle/titanic.zip

Its scores are against gender_submission.csv, so they mean nothing: what is shown is what kpipe prints.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.kaggle_server import KEY, USER, Contest, KaggleServer, accuracy, serving  # noqa: E402  # not installed

PAGE = ROOT / "docs" / "kaggle.md"


def shown(command: str, work: Path, env: Mapping[str, str]) -> str:
    """A command and everything that it prints, without what differs from machine to machine."""
    done = subprocess.run(
        [sys.executable, "-m", *command.split()], cwd=work, env=env, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    said = done.stdout.replace(str(work.parent), "~").replace(sys.executable, "~/.venv/bin/python")
    said = re.sub(r"fold \d, seed 0: [\d.]+ s", "fold, seed 0: ...", said)
    folds = re.findall(r"^\[\d+/\d+\].*$", said, flags=re.MULTILINE)
    for line in folds[1:]:
        said = said.replace(line + "\n", "")
    return f"$ {command}\n{said.rstrip()}\n"


def captures(archive: Path, home: Path) -> dict[str, str]:
    """Name → what the terminal shows."""
    with zipfile.ZipFile(archive) as files:
        truth = pd.read_csv(io.BytesIO(files.read("gender_submission.csv")))
    contest = Contest(zip=archive.read_bytes(), score=accuracy(truth, "PassengerId", "Survived"))
    work = home / "work"
    work.mkdir()
    nobody = {name: value for name, value in os.environ.items() if not name.startswith(("KAGGLE_", "KPIPE_"))}
    nobody |= {
        "HOME": str(home),
        "NO_COLOR": "1",
        "COLUMNS": "100",
        "KPIPE_CACHE": str(home / "cache"),
        "PYTHONPATH": "",
    }
    with serving(KaggleServer(contests={"titanic": contest})) as kaggle:
        nobody |= {"KPIPE_KAGGLE_ENDPOINT": kaggle.url}
        found = {"doctor, nothing": shown("kpipe doctor", work, nobody)}
        path = home / ".kaggle" / "kaggle.json"
        path.parent.mkdir()
        path.write_text(json.dumps({"username": USER, "key": KEY}))
        path.chmod(0o600)
        found["doctor, bad token"] = shown("kpipe doctor", work, {**nobody, "KAGGLE_API_TOKEN": "KGAT_expired"})
        found["doctor, good key"] = shown("kpipe doctor titanic", work, nobody)
        contest.rules_accepted = False
        found["doctor, rules"] = shown("kpipe doctor titanic", work, nobody)
        contest.rules_accepted = True
        found["round trip"] = shown("kpipe run titanic --submit -m first", work, nobody)
        found["submissions"] = shown("kpipe submissions titanic", work, nobody)
        found["kernel"] = shown("kpipe kernel build titanic", work, nobody)
    return found


def main(archive: str) -> int:
    """Put each capture between its two marks."""
    page = PAGE.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        for name, text in captures(Path(archive).resolve(), Path(folder)).items():
            block = f"<!-- {name} -->\n```console\n{text}```\n<!-- end -->"
            page = re.sub(rf"<!-- {re.escape(name)} -->.*?<!-- end -->", lambda _, b=block: b, page, flags=re.DOTALL)
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

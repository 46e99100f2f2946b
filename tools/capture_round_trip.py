"""Rewrite the captures in docs/kaggle.md: the round trip and the doctor, against the simulated Kaggle of the tests.

    python tools/capture_round_trip.py ../shared/kaggle/titanic.zip

Submissions are scored against gender_submission.csv, so the scores mean nothing: the page shows what kpipe prints.
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
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from pages import terminal  # noqa: E402  # beside this file

from kpipe.cli.attendance import AGENT_VARIABLES  # noqa: E402  # of this checkout
from tests.kaggle_server import KEY, USER, Contest, KaggleServer, accuracy, serving  # noqa: E402  # not installed

PAGE = ROOT / "docs" / "kaggle.md"


def capture(command: str, work: Path, env: Mapping[str, str]) -> str:
    """A command and everything that it prints, without what differs between machines."""
    with terminal() as stdin:
        done = subprocess.run(
            [sys.executable, "-m", *command.split()], cwd=work, env=env, text=True, stdin=stdin,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
    printed = done.stdout.replace(str(work.parent), "~").replace(sys.executable, "~/.venv/bin/python")
    printed = re.sub(r"fold \d, seed 0: [\d.]+ s", "fold, seed 0: ...", printed)
    fits = re.findall(r"^\[\d+/\d+\].*$", printed, flags=re.MULTILINE)
    for line in fits[1:]:
        printed = printed.replace(line + "\n", "")
    return f"$ {command}\n{printed.rstrip()}\n"


def environment(home: Path, endpoint: str) -> dict[str, str]:
    """The environment of a user without credentials, whose kpipe is that of this checkout."""
    callers = ("CI", *AGENT_VARIABLES)
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("KAGGLE_", "KPIPE_")) and name not in callers
    }
    own = {"HOME": str(home), "NO_COLOR": "1", "COLUMNS": "100", "PYTHONPATH": str(ROOT)}
    return {**kept, **own, "KPIPE_CACHE": str(home / "cache"), "KPIPE_KAGGLE_ENDPOINT": endpoint}


def captures(archive: Path, home: Path) -> Iterator[tuple[str, str]]:
    """The name and the text of each capture, in the order in which a user would call the commands."""
    with zipfile.ZipFile(archive) as files:
        truth = pd.read_csv(io.BytesIO(files.read("gender_submission.csv")))
    contest = Contest(zip=archive.read_bytes(), score=accuracy(truth, "PassengerId", "Survived"))
    work = home / "work"
    work.mkdir()
    with serving(KaggleServer(contests={"titanic": contest})) as kaggle:
        env = environment(home, kaggle.url)
        yield "doctor, nothing", capture("kpipe doctor", work, env)
        write_key(home / ".kaggle" / "kaggle.json")
        yield "doctor, bad token", capture("kpipe doctor", work, {**env, "KAGGLE_API_TOKEN": "KGAT_expired"})
        yield "doctor, good key", capture("kpipe doctor titanic", work, env)
        contest.rules_accepted = False
        yield "doctor, rules", capture("kpipe doctor titanic", work, env)
        contest.rules_accepted = True
        yield "round trip", capture("kpipe run titanic --submit -m first", work, env)
        yield "submissions", capture("kpipe submissions titanic", work, env)
        yield "kernel", capture("kpipe kernel build titanic", work, env)


def write_key(path: Path) -> None:
    """Write the user name and key that the simulated Kaggle accepts."""
    path.parent.mkdir()
    path.write_text(json.dumps({"username": USER, "key": KEY}))
    path.chmod(0o600)


def main(archive: str) -> int:
    """Put each capture between its two marks on the page."""
    page = PAGE.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        for name, text in captures(Path(archive).resolve(), Path(folder)):
            block = f"<!-- {name} -->\n```console\n{text}```\n<!-- end -->"
            page = re.sub(rf"<!-- {re.escape(name)} -->.*?<!-- end -->", lambda _, b=block: b, page, flags=re.DOTALL)
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

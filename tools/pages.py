"""Run the commands of pages in docs/, each in an empty folder, and update the pages with the output.

    python tools/pages.py docs/tutorial.md ...

A page is followed from top to bottom. The language of a fenced block determines what happens:

- ``sh`` and ``console``: commands, which are run (in a console, the lines after ``$``; the other lines are the output);
- ``python``: run; if it begins with ``# some/file.py``, it is written to that file instead, and so is ``yaml``;
- ``text`` directly below a ``python`` block: the output of that block. All other blocks are not run.

A comment above a block states exceptions: ``<!-- not run: reason -->``; ``<!-- fails -->`` (the exit status is 1 or 2,
not 0); ``<!-- on Kaggle -->`` (with credentials for the tests' simulated Kaggle on loopback, whose scores mean
nothing); or ``<!-- 4 lines -->`` (only the first lines of the output are kept, because the others are rows of Kaggle's
data, which must not be published). Run ids differ each time: the first id stands for the first run, and so on.
"""

from __future__ import annotations

import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ROOT", "Block", "Walk", "blocks", "commands", "loopback", "terminal", "zip_of", "zips"]

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # for the tests' Kaggle, which is not installed

from kpipe.cli.attendance import AGENT_VARIABLES  # noqa: E402  # of this checkout

_BLOCK = re.compile(r"(?:^<!-- ([^\n]*) -->\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_RUN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")
_FILE = re.compile(r"# ([\w./-]+\.\w+)\n")
_ZIP = re.compile(r"([\w-]+)\.zip")
_SECONDS = 600  # time limit of a command


@contextmanager
def terminal() -> Iterator[int]:
    """Yield a terminal for standard input, as a person has: without one kpipe does not submit unless told --yes."""
    import pty  # not on Windows

    ends = pty.openpty()
    try:
        yield ends[1]
    finally:
        for end in ends:
            os.close(end)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Parameters
    ----------
    page : path
    language, text : str
    note : str
        The comment directly above the block.
    start, end : int
        Position of the text in the page.
    """

    page: Path
    language: str
    text: str
    note: str
    start: int
    end: int

    @property
    def runs(self) -> bool:
        """Whether the block is run."""
        return self.language in ("sh", "console", "python") and not self.note.startswith("not run: ") and not self.file

    @property
    def file(self) -> str:
        """The file that the block is written to, or an empty string."""
        named = _FILE.match(self.text) if self.language in ("python", "yaml") else None
        return named[1] if named else ""


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(page, found[2], found[3], found[1] or "", found.start(3), found.end(3)) for found in _BLOCK.finditer(text)
    ]


def commands(block: Block) -> list[str]:
    """The commands of a ``sh`` or ``console`` block."""
    lines = block.text.replace("\\\n", " ").splitlines()
    if block.language == "console":
        return [line[2:] for line in lines if line.startswith("$ ")]
    return [line for line in lines if line and not line.startswith("#")] if block.language == "sh" else []


def zips(page: Path) -> list[str]:
    """The competitions whose zips a page needs."""
    text = "\n".join(command for block in blocks(page) if block.runs for command in commands(block))
    return sorted(set(_ZIP.findall(text)))


class Walk:
    """Follow a page in an empty folder.

    Iterating over it yields each block that is run, with its output in the form in which the page shows it.
    """

    def __init__(self, page: Path, folder: Path, zip_of: Callable[[str], Path], kaggle: Mapping[str, str]) -> None:
        self.page, self.folder, self.zip_of, self.kaggle = page, folder, zip_of, kaggle
        self.text = page.read_text(encoding="utf-8")
        self.ids = list(dict.fromkeys(_RUN_ID.findall(self.text)))
        self.made: list[str] = []
        self.env = {**os.environ, "NO_COLOR": "1", "COLUMNS": "88", "PYTHONWARNINGS": "ignore"}
        self.env = {name: value for name, value in self.env.items() if name not in ("CI", *AGENT_VARIABLES)}
        self.env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{self.env['PATH']}"

    def __iter__(self) -> Iterator[tuple[Block, str]]:
        """Run the blocks in order."""
        for block in blocks(self.page):
            if block.file:
                path = self.folder / block.file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.text, encoding="utf-8")
            elif block.runs and block.language == "python":
                yield block, self.output(f"{shlex.quote(sys.executable)} -c {shlex.quote(block.text)}", block)
            elif block.runs:
                shown = [f"$ {command}\n{self.output(command, block)}".rstrip() + "\n" for command in commands(block)]
                yield block, "".join(shown)

    def output(self, command: str, block: Block) -> str:
        """Output of a command. Raises AssertionError if the exit status is not the one that the page states."""
        for shown, actual in self.run_ids().items():
            command = command.replace(shown, actual)
        for slug in _ZIP.findall(command):  # not before: a zip in the current folder is read before the sample
            if not (zipped := self.folder / f"{slug}.zip").exists():
                zipped.symlink_to(self.zip_of(slug))
        env = {**self.env, **self.kaggle} if "on Kaggle" in block.note else self.env
        with terminal() as stdin:
            ended = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", command],
                cwd=self.folder, env=env, text=True, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                timeout=_SECONDS, check=False,
            )  # fmt: skip
        expected = (1, 2) if "fails" in block.note else (0,)  # never killed
        assert ended.returncode in expected, f"{self.page}: {command}: exit status {ended.returncode}\n{ended.stdout}"
        printed = self.normalized(ended.stdout)
        if limit := re.fullmatch(r"(\d+) lines", block.note):
            printed = "".join(printed.splitlines(keepends=True)[: int(limit[1])]) + "...\n"
        return printed

    def run_ids(self) -> dict[str, str]:
        """Ids on the page, mapped to the ids of the actual runs."""
        found = {path.name for path in self.folder.rglob("*Z-*") if _RUN_ID.fullmatch(path.name)}
        self.made += sorted(found - set(self.made))  # a run may have been deleted since
        return dict(zip(self.ids, self.made, strict=False))

    def normalized(self, printed: str) -> str:
        """Output without paths of this machine, and with only the first line of progress."""
        printed = printed.replace(str(self.folder), "~/kaggle").replace(str(ROOT), "~/kpipe")
        printed = re.sub(r"/\S*/([\w-]+\.zip)", r"~/kaggle/\1", re.sub(r"/\S*/home/", "~/", printed))
        printed = re.sub(r"(?m)^(\[1/\d+\].*)\n(?:\[\d+/\d+\].*\n)+", r"\1\n...\n", printed)
        return re.sub(r"(?m) +$", "", printed)

    def updated(self) -> str:
        """The page with the current output in its console blocks."""
        text, shift = self.text, 0
        for block, printed in self:
            if block.language == "console":
                text = text[: block.start + shift] + printed + text[block.end + shift :]
                shift += len(printed) - (block.end - block.start)
        for shown, actual in self.run_ids().items():
            text = text.replace(shown, actual)
        return text


def zip_of(slug: str, folder: Path) -> Path:
    """Kaggle's zip, or else a zip of the competition's sample. Raises FileNotFoundError if there is neither."""
    from tests.conftest import KAGGLE

    path, sample = KAGGLE / f"{slug}.zip", ROOT / "competitions" / slug / "sample"
    if path.is_file():
        return path
    files = sorted(sample.iterdir())
    path = folder / f"{slug}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in files:
            archive.write(file, file.name)
    return path


@contextmanager
def loopback(zipped: Path) -> Iterator[dict[str, str]]:
    """Environment variables for a simulated Kaggle with titanic, which scores against gender_submission.csv."""
    import pandas as pd

    from tests.kaggle_server import TOKEN, Contest, KaggleServer, accuracy, serving

    with zipfile.ZipFile(zipped) as files:
        truth = pd.read_csv(io.BytesIO(files.read("gender_submission.csv")))
    contest = Contest(zip=zipped.read_bytes(), score=accuracy(truth, "PassengerId", "Survived"))
    with serving(KaggleServer(contests={"titanic": contest})) as server:
        yield {"KPIPE_KAGGLE_ENDPOINT": server.url, "KAGGLE_API_TOKEN": TOKEN}


def main(pages: list[str]) -> int:
    """Update the pages."""
    for name in pages:
        with tempfile.TemporaryDirectory() as place:
            home, work, archives = (Path(place) / part for part in ("home", "work", "zips"))
            for folder in (home, work, archives):
                folder.mkdir()
            os.environ |= {"HOME": str(home), "KPIPE_CACHE": str(home / "cache")}
            page = (ROOT / name).resolve()
            with loopback(zip_of("titanic", archives)) as kaggle:
                text = Walk(page, work, lambda slug, at=archives: zip_of(slug, at), kaggle).updated()
            page.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

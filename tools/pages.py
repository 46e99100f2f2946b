"""Run what a page of docs/ tells its reader to run, in an empty folder, and put what was printed into the page.

    python tools/pages.py docs/tutorial.md ...

A page is walked from top to bottom. Of its fenced blocks

- ``sh`` and ``console`` are commands (of a console those behind ``$``; the rest is what was printed);
- ``python`` is run; one that begins with ``# some/file.py`` is written to that file instead; so is ``yaml``;
- everything else is shown, not run; but a ``text`` right below a ``python`` is what it printed.

A comment above a block says what is special: ``<!-- not run: why -->``, ``<!-- fails -->`` (its commands end with
1 or 2, not 0), ``<!-- on Kaggle -->`` (with credentials, against the tests' Kaggle on loopback, whose scores
mean nothing), or ``<!-- 4 lines -->`` (so many lines are shown: the rest would be rows of Kaggle's data, which nobody
may publish). Ids of runs are those of the walk: the first id on the page stands for the first run, and so on.
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

__all__ = ["ROOT", "Block", "Walk", "blocks", "commands", "loopback", "zip_of", "zips"]

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # for the tests' Kaggle, which is not installed
_BLOCK = re.compile(r"(?:^<!-- ([^\n]*) -->\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_RUN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")
_FILE = re.compile(r"# ([\w./-]+\.\w+)\n")
_SECONDS = 600  # after which a command is taken to hang


@dataclass(frozen=True)
class Block:
    """A fenced block. note : the comment right above it. start, end : of its text, in the page."""

    page: Path
    language: str
    text: str
    note: str
    start: int
    end: int

    @property
    def runs(self) -> bool:
        """Whether its reader runs it."""
        return self.language in ("sh", "console", "python") and not self.note.startswith("not run: ") and not self.file

    @property
    def file(self) -> str:
        """The file that it is the content of, or nothing."""
        named = _FILE.match(self.text) if self.language in ("python", "yaml") else None
        return named[1] if named else ""


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(page, found[2], found[3], found[1] or "", found.start(3), found.end(3)) for found in _BLOCK.finditer(text)
    ]


def commands(block: Block) -> list[str]:
    """The commands of a block of shell or console."""
    lines = block.text.replace("\\\n", " ").splitlines()
    if block.language == "console":
        return [line[2:] for line in lines if line.startswith("$ ")]
    return [line for line in lines if line and not line.startswith("#")] if block.language == "sh" else []


def zips(page: Path) -> list[str]:
    """The competitions whose zip a page needs."""
    text = "\n".join(command for block in blocks(page) if block.runs for command in commands(block))
    return sorted(set(re.findall(r"([\w-]+)\.zip", text)))


class Walk:
    """A page, followed in an empty folder."""

    def __init__(self, page: Path, folder: Path, zip_of: Callable[[str], Path], kaggle: Mapping[str, str]) -> None:
        self.page, self.folder, self.kaggle = page, folder, kaggle
        self.text = page.read_text(encoding="utf-8")
        self.ids = list(dict.fromkeys(_RUN_ID.findall(self.text)))
        self.made: list[str] = []
        self.env = {**os.environ, "NO_COLOR": "1", "COLUMNS": "88", "PYTHONWARNINGS": "ignore"}
        self.env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{self.env['PATH']}"
        for slug in zips(page):
            (folder / f"{slug}.zip").symlink_to(zip_of(slug))

    def __iter__(self) -> Iterator[tuple[Block, str]]:
        """Each block that runs, and what it printed, as the page should show it."""
        for block in blocks(self.page):
            if block.file:
                path = self.folder / block.file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.text, encoding="utf-8")
            elif block.runs and block.language == "python":
                yield block, self.printed(f"{shlex.quote(sys.executable)} -c {shlex.quote(block.text)}", block)
            elif block.runs:
                shown = [f"$ {command}\n{self.printed(command, block)}".rstrip() + "\n" for command in commands(block)]
                yield block, "".join(shown)

    def printed(self, command: str, block: Block) -> str:
        """What a command prints. Raises AssertionError where it ends otherwise than its page says."""
        for said, true in self.runs().items():
            command = command.replace(said, true)
        env = {**self.env, **self.kaggle} if "on Kaggle" in block.note else self.env
        ended = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=self.folder, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=_SECONDS,
            check=False,
        )  # fmt: skip
        as_said = ended.returncode in ((1, 2) if "fails" in block.note else (0,))  # not killed
        assert as_said, f"{self.page}: {command}: exit status {ended.returncode}\n{ended.stdout}"
        printed = self.tidied(ended.stdout)
        if limit := re.fullmatch(r"(\d+) lines", block.note):
            printed = "".join(printed.splitlines(keepends=True)[: int(limit[1])]) + "...\n"
        return printed

    def runs(self) -> dict[str, str]:
        """The id on the page → the id of the walk, for the runs that were made."""
        found = {path.name for path in self.folder.rglob("*Z-*") if _RUN_ID.fullmatch(path.name)}
        self.made += sorted(found - set(self.made))  # one may be gone again
        return dict(zip(self.ids, self.made, strict=False))

    def tidied(self, printed: str) -> str:
        """Without what differs from machine to machine, and with one line of progress."""
        printed = printed.replace(str(self.folder), "~/kaggle").replace(str(ROOT), "~/kpipe")
        printed = re.sub(r"/\S*/([\w-]+\.zip)", r"~/kaggle/\1", re.sub(r"/\S*/home/", "~/", printed))
        printed = re.sub(r"(?m)^(\[1/\d+\].*)\n(?:\[\d+/\d+\].*\n)+", r"\1\n...\n", printed)
        return re.sub(r"(?m) +$", "", printed)

    def rewritten(self) -> str:
        """The page with what its consoles printed now."""
        text, moved = self.text, 0
        for block, printed in self:
            if block.language == "console":
                text = text[: block.start + moved] + printed + text[block.end + moved :]
                moved += len(printed) - (block.end - block.start)
        for said, true in self.runs().items():
            text = text.replace(said, true)
        return text


def zip_of(slug: str, folder: Path) -> Path:
    """Kaggle's zip; without it, one of the competition's sample. Raises FileNotFoundError where there is neither."""
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
    """A Kaggle of our own that has titanic: the variables that lead to it. It scores against gender_submission.csv."""
    import pandas as pd

    from tests.kaggle_server import TOKEN, Contest, KaggleServer, accuracy, serving

    with zipfile.ZipFile(zipped) as files:
        truth = pd.read_csv(io.BytesIO(files.read("gender_submission.csv")))
    contest = Contest(zip=zipped.read_bytes(), score=accuracy(truth, "PassengerId", "Survived"))
    with serving(KaggleServer(contests={"titanic": contest})) as server:
        yield {"KPIPE_KAGGLE_ENDPOINT": server.url, "KAGGLE_API_TOKEN": TOKEN}


def main(pages: list[str]) -> int:
    """Rewrite pages."""
    for name in pages:
        with tempfile.TemporaryDirectory() as place:
            home, work, archives = (Path(place) / part for part in ("home", "work", "zips"))
            for folder in (home, work, archives):
                folder.mkdir()
            os.environ |= {"HOME": str(home), "KPIPE_CACHE": str(home / "cache")}
            page = (ROOT / name).resolve()
            with loopback(zip_of("titanic", archives)) as kaggle:
                text = Walk(page, work, lambda slug, at=archives: zip_of(slug, at), kaggle).rewritten()
            page.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

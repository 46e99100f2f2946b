"""The commands on the pages of docs/ run in an empty folder, and the pages show what kpipe prints.

The notebooks in examples/ also run: as plain Python, and in Jupyter if it is installed (``kaggle-kpipe[docs]``).
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from kpipe import competitions
from kpipe.cli.main import COMMANDS, get_parser

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from pages import Block, Walk, blocks, commands, loopback, zip_of, zips  # noqa: E402  # tools/ is no package

DOCS = ROOT / "docs"
PAGES = {  # decisions have no commands, and kpipe writes the pages of studies
    page.relative_to(DOCS).as_posix(): page
    for page in sorted(DOCS.rglob("*.md"))
    if "decisions" not in page.parts and not page.match("studies/*/*.md")
}
# Pages that cannot be followed in an empty folder; each has tests of its own.
TESTED_ELSEWHERE = {
    "kaggle.md": "captured by tools/capture_round_trip.py; tests/kaggle/",
    "howto/python.md": "tests/test_api.py runs its blocks in one process",
    "clusters.md": "needs clusters: tests/training/backends/ starts them",
    "studies/README.md": "minutes of training: tests/studies/test_studies.py, make studies",
    "workspace.md": "changes folders: tests/problem/test_template.py follows it",
    "digits.md": "minutes of training: benchmarks/competitions.py",
    "endurance.md": "about kills: tests/runs/test_endurance.py, tests/runs/test_reproduce.py",
}
FOLLOWED = [
    name
    for name, page in PAGES.items()
    if name not in TESTED_ELSEWHERE and page.parent.name != "api" and any(block.runs for block in blocks(page))
]  # tests/docs/test_reference.py runs the examples in reference/api
SHOWN = [(name, block) for name, page in PAGES.items() for block in blocks(page)]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
SCORE = re.compile(r"0\.\d{3,5} ± 0\.\d{3,5}")


def kpipe_calls(block: Block) -> list[list[str]]:
    """The arguments of each call of ``kpipe`` in a block."""
    called = re.compile(r"(?:^|[|;&(] ?|[A-Z_]=\S+ )kpipe ([^|;&>)]*)")
    return [shlex.split(words, comments=True) for command in commands(block) for words in called.findall(command)]


CALLS = [(name, call) for name, block in SHOWN for call in kpipe_calls(block)]


@pytest.mark.parametrize(("name", "call"), CALLS, ids=[" ".join((name, *call)) for name, call in CALLS])
def test_each_command_of_the_docs_exists(name: str, call: list[str]) -> None:
    get_parser().parse_args(call)


def test_the_python_of_the_docs_compiles() -> None:
    for name, block in SHOWN:
        if block.language == "python":
            compile(block.text, name, "exec")


def test_a_block_that_is_not_run_has_a_reason() -> None:
    for name, block in SHOWN:
        assert not block.note.startswith("not run") or len(block.note) > len("not run: because"), name


def test_every_link_between_pages_leads_to_a_file() -> None:
    for page in DOCS.rglob("*.md"):
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)\s#]+)[^)]*\)", text):
            assert ":" in target or (page.parent / target).exists(), f"{page}: {target}"


def test_no_capture_shows_a_temporary_path() -> None:
    pictures = sorted((DOCS / "pictures").glob("*.svg"))
    assert [page.name for page in [*PAGES.values(), *pictures] if "/tmp/tmp" in page.read_text(encoding="utf-8")] == []


def test_every_link_of_llms_txt_leads_to_a_page() -> None:
    targets = re.findall(r"\]\(([^)]+)\)", (DOCS / "llms.txt").read_text(encoding="utf-8"))
    assert len(targets) > 10
    assert [target for target in targets if not (DOCS / target).with_suffix(".md").exists()] == []


@pytest.mark.parametrize("name", ["AGENTS.md", "CONTRIBUTING.md"])
def test_the_make_targets_and_files_that_contributors_read_of_exist(name: str) -> None:
    text, targets = (ROOT / name).read_text(encoding="utf-8"), (ROOT / "Makefile").read_text(encoding="utf-8")
    for words in re.findall(r"^    make ([a-z ]+?)(?: ARGS.*| +#.*)?$", text, flags=re.MULTILINE):
        assert all(f"\n{target}:" in targets for target in words.split()), words
    for path in re.findall(r"`((?:kpipe|tests|docs|competitions)/[\w./-]*)`", text):
        assert (ROOT / path).exists(), path


def test_every_command_is_documented() -> None:
    shown = {call[0] for _, call in CALLS if call}
    mentioned = "\n".join(page.read_text(encoding="utf-8") for page in PAGES.values())
    assert [name for name in COMMANDS if name not in shown and f"`kpipe {name}" not in mentioned] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", FOLLOWED)
def test_a_page_can_be_followed_from_an_empty_folder(name: str, tmp_path: Path) -> None:
    page, folder = PAGES[name], tmp_path / "kaggle"
    folder.mkdir()
    for slug in zips(page):
        try:
            zip_of(slug, tmp_path)
        except FileNotFoundError:
            pytest.skip(f"{name} needs {slug}.zip: set KPIPE_TEST_DATA to a folder of Kaggle's zips")
    real = all(zip_of(slug, tmp_path).parent != tmp_path for slug in zips(page))
    with loopback(zip_of("titanic", tmp_path)) as kaggle:
        for block, printed in Walk(page, folder, lambda slug: zip_of(slug, tmp_path), kaggle):
            if block.language == "console" and real:
                assert SCORE.findall(printed) == SCORE.findall(block.text), printed


@pytest.mark.slow
@pytest.mark.parametrize("name", ["howto/splitters.md", "concepts/leaderboard.md"])
def test_the_text_below_a_python_block_is_its_output(name: str, tmp_path: Path) -> None:
    shown = blocks(PAGES[name])
    for block, below in pairwise(shown):
        if block.language == "python" and below.language == "text":
            ended = subprocess.run([sys.executable, "-c", block.text], cwd=tmp_path, capture_output=True, text=True)
            assert ended.stdout == below.text, ended.stderr


def environment(path: Path, tmp_path: Path) -> dict[str, str]:
    """Environment of a notebook; that for Kaggle gets the folders of a kernel, with the script that kpipe builds."""
    env = {**os.environ, "MPLBACKEND": "agg"}
    if path.stem == "kaggle":
        (tmp_path / "working").mkdir()
        sample = competitions.folder("titanic") / "sample"
        (tmp_path / "input").mkdir()
        (tmp_path / "input" / "titanic").symlink_to(sample)
        build = [
            "kernel",
            "build",
            "titanic",
            "--model",
            "linear",
            "--user",
            "ada",
            "--dir",
            str(tmp_path / "input/mine"),
        ]
        subprocess.run([sys.executable, "-m", "kpipe", *build], check=True, cwd=tmp_path)
        env["KPIPE_KAGGLE_ROOT"] = str(tmp_path)
    return env


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_without_outputs(path: Path) -> None:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    for cell in cells:
        assert not cell.get("outputs"), cell["id"]
        if cell["cell_type"] == "code":
            compile("".join(cell["source"]), path.name, "exec")


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_cells_of_a_notebook_run(path: Path, tmp_path: Path) -> None:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    env = environment(path, tmp_path)
    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_in_jupyter(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("nbclient", reason="Jupyter comes with kaggle-kpipe[docs]")
    for name, value in environment(path, tmp_path).items():
        monkeypatch.setenv(name, value)
    code = (
        "import sys, nbformat, nbclient\n"
        "notebook = nbformat.read(sys.argv[1], as_version=4)\n"
        "nbclient.NotebookClient(notebook, timeout=600, resources={'metadata': {'path': '.'}}).execute()\n"
        "nbformat.write(notebook, 'out.ipynb')\n"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(path)], cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    if path.stem == "laptop":
        assert "text/html" in (tmp_path / "out.ipynb").read_text(encoding="utf-8")  # the run shows itself

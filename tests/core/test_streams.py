"""Output that cannot be printed never costs a run: in real processes, with real streams."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest

from kpipe.core.streams import GuardedStream, encodable_text

ASCII = {
    "LANG": "C",
    "LC_ALL": "POSIX",
    "PYTHONIOENCODING": "ascii",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
}
KPIPE = f"'{sys.executable}' -m kpipe"
unix = pytest.mark.skipif(sys.platform == "win32", reason="a shell of Unix")


def _is_full() -> bool:
    """Whether /dev/full works as on Linux: some containers lack it, or have a plain file there."""
    try:
        with open("/dev/full", "wb", buffering=0) as full:
            full.write(b"x")
    except OSError as error:
        return error.errno == errno.ENOSPC
    return False


needs_full = pytest.mark.skipif(not _is_full(), reason="/dev/full does not work here")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A competition whose names and labels are not ASCII."""
    folder = tmp_path_factory.mktemp("größe")
    rows = [f"{n},{n % 7 + n % 3},{'läßt' if n % 3 else 'не'},{('ja', 'nö')[n % 7 > 3]}" for n in range(60)]
    (folder / "train.csv").write_text("id,größe,色,änderung\n" + "\n".join(rows) + "\n", encoding="utf-8")
    test = [f"{n + 60},{n % 7},{'läßt' if n % 2 else 'не'}" for n in range(20)]
    (folder / "test.csv").write_text("id,größe,色\n" + "\n".join(test) + "\n", encoding="utf-8")
    sample = [f"{n + 60},ja" for n in range(20)]
    (folder / "sample_submission.csv").write_text("id,änderung\n" + "\n".join(sample) + "\n", encoding="utf-8")
    return folder


def shell(command: str, *, stdin: int | None = None, **environment: str) -> subprocess.CompletedProcess[bytes]:
    call = ["bash", "-c", f"set -o pipefail; {command}"]
    return subprocess.run(call, capture_output=True, env=os.environ | environment, timeout=120)


@unix
def test_without_unicode_a_run_ends_and_every_command_prints_what_it_can(table: Path, tmp_path: Path) -> None:
    run = f"{KPIPE} run odd --data '{table}' --model linear --out '{tmp_path}/ä'"
    done = shell(run, **ASCII)
    assert done.returncode == 0, done.stderr
    assert b" +- 0." in done.stdout
    assert os.fsencode(f"{tmp_path}/ä/odd/") in done.stdout  # the path can be used
    show = shell(f"{KPIPE} show odd --data '{table}'", **ASCII)
    assert show.returncode == 0, show.stderr
    assert b"gr\\xf6\\xdfe, \\u8272" in show.stdout
    wrong = shell(f"{KPIPE} show odd --data '{table}' --target grösse", **ASCII)
    assert wrong.returncode == 2
    assert b"Traceback" not in wrong.stderr
    assert b"\\xe4nderung" in wrong.stderr


@unix
@needs_full
@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("list >/dev/full", 1),  # as ls: what it was asked for was not printed
        ("list 2>/dev/full", 0),
        ("list >/dev/full 2>&1", 1),
        ("list >&-", 0),
        ("list 2>&-", 0),
        ("run titanic --folds 1 2>&-", 2),
        ("--help >/dev/full", 0),
        ("--help >&- 2>&- <&-", 0),
        ("list | head -c 1", 0),
        ("list --json >/dev/full", 1),  # a program would read a part of the JSON
        ("list --json | head -c 1", 0),
    ],
)
def test_output_that_cannot_be_written_leaves_the_status_of_the_command(command: str, status: int) -> None:
    done = shell(f"{KPIPE} {command}")
    assert done.returncode == status, done.stderr
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr
    wanted = b"Part of the output could not be written to stdout: No space left on device.\n"
    assert (wanted in done.stderr) == command.endswith(("list >/dev/full", "--json >/dev/full"))


@unix
@needs_full
def test_a_run_is_complete_where_nothing_can_be_printed_and_its_models_print(tmp_path: Path) -> None:
    folder = tmp_path / "competitions" / "loud"
    folder.mkdir(parents=True)
    (folder / "competition.py").write_text(LOUD)
    call = f"{KPIPE} run loud --data sample --out '{tmp_path}/out' --jobs 2 >/dev/full 2>/dev/full"
    (folder / "sample").mkdir()
    for number, name in enumerate(("train", "test", "sample_submission")):
        rows = "\n".join(f"{n},{n % 2}" + f",{n % 2}" * (number == 0) for n in range(40))
        header = ("id,x,y", "id,x", "id,y")[number]
        (folder / "sample" / f"{name}.csv").write_text(f"{header}\n{rows}\n")
    done = shell(call, KPIPE_COMPETITIONS=str(folder.parent))
    assert done.returncode in (0, 1)  # 1: its model is no better than the baseline
    (run,) = (tmp_path / "out" / "loud").iterdir()
    assert (run / "run.json").is_file()


LOUD = """
import sys
from kpipe import Competition
from sklearn.dummy import DummyClassifier


class Loud(DummyClassifier):
    def fit(self, X, y):
        print("x" * 10_000)
        print("y" * 10_000, file=sys.stderr, flush=True)
        return super().fit(X, y)


def loud(context):
    return Loud()


competition = Competition(slug="loud", models={"loud": loud})
"""


@pytest.fixture
def closed() -> io.TextIOWrapper:
    stream = io.TextIOWrapper(io.BytesIO())
    stream.close()
    return stream


def test_writing_to_a_closed_stream_is_remembered_and_not_raised(closed: io.TextIOWrapper) -> None:
    stream = GuardedStream(closed)
    assert stream.write("text") == 4
    stream.flush()
    assert isinstance(stream.error, OSError)
    assert GuardedStream(None).write("text") == 4


def test_names_that_differ_in_a_character_that_the_encoding_lacks_stay_different() -> None:
    names = ["e", "é", "è", "ё", "e\u0301", "—"]
    assert len({encodable_text(name, "ascii") for name in names}) == len(names)


def test_bytes_of_a_path_that_are_no_text_are_written_as_they_are() -> None:
    written = io.BytesIO()
    stream = GuardedStream(cast(io.TextIOWrapper, io.TextIOWrapper(written, encoding="utf-8")))
    stream.write("a\udcff/ä")
    stream.flush()
    assert written.getvalue() == b"a\xff/\xc3\xa4"

"""Run and kernel folders that somebody else wrote are data: they are used or refused, and run no code."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpipe.errors import DataError, InputError, SubmissionError, UsageError
from kpipe.kaggle import allowance, submit
from kpipe.kaggle.kernel import build as kernel
from kpipe.runs import find, ledger
from kpipe.runs.files import sha256_of
from kpipe.runs.run import Run
from tests.cli.calls import call
from tests.hostile import MANY, PLAIN, spoiled


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that kpipe made."""
    out = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KPIPE_CACHE", str(out / "cache"))
        assert call("run", "titanic", "--model", "linear", "--folds", "2", "--out", str(out / "out"), "--quiet") == 0
    (run,) = (out / "out" / "titanic").glob("2*")
    return run


@pytest.fixture
def foreign(made: Path, tmp_path: Path) -> Path:
    """The same run in a folder that somebody sent."""
    return shutil.copytree(made, tmp_path / "out" / "titanic" / "theirs")


def changed(folder: Path, **fields: Any) -> Path:
    path = folder / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))
    return folder


@pytest.fixture
def at_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder to work in, two levels deep; ends by seeing that nothing was written above it."""
    work = tmp_path / "deep" / "work"
    work.mkdir(parents=True)
    monkeypatch.chdir(work)
    monkeypatch.setenv("KAGGLE_USERNAME", "ada")
    monkeypatch.setenv("KAGGLE_KEY", "0" * 32)
    monkeypatch.setenv("KPIPE_KAGGLE_ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    before = {path for path in tmp_path.rglob("*") if work not in path.parents}
    yield work
    assert {path for path in tmp_path.rglob("*") if work not in path.parents} == before


SLUGS = [
    "../../x",
    "/etc/x",
    "..",
    "",
    "a/b",
    "a\\b",
    "titanic\n",
    "x" * 5000 + "/",
    "\x1b[31m",
    "%2e%2e",
    ".",
]


@pytest.mark.parametrize("slug", SLUGS)
def test_no_slug_leads_out_of_the_output_folder(
    slug: str, foreign: Path, at_work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed(foreign, slug=slug)
    commands = [
        *(("run", slug), ("show", slug), ("submissions", slug, "--out", "out")),
        *(("submit", str(foreign), "--yes"), ("kernel", "build", str(foreign), "--user", "ada")),
    ]
    for command in commands:
        assert call(*command) == 2, command
        shown = capsys.readouterr().err
        assert "Error: " in shown
        assert "\x1b" not in shown
    with pytest.raises(UsageError, match="cannot be a competition"):
        ledger.read_ledger(at_work, slug)


def test_a_run_id_cannot_inject_code_into_a_kernel(
    foreign: Path, at_work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It stands in the docstring of the kernel's script: it must not be able to end that."""
    changed(foreign, run_id='x"""\nimport os; os.system("curl evil")\n"""')
    assert call("kernel", "build", str(foreign), "--user", "ada") == 2
    assert "its run_id" in capsys.readouterr().err
    assert list(at_work.iterdir()) == []


@pytest.mark.parametrize("name", ["..", ".", "*", "**", "", "theirs/..", "[", "\0", "a" * 5000, "../titanic/theirs"])
def test_no_name_of_a_run_leads_out_of_the_output_folder_or_matches_several_runs(name: str, foreign: Path) -> None:
    with pytest.raises(UsageError, match="There is no run"):
        find.find_run(name, foreign.parents[1])


DEEP = 100_000
NOT_RECORDS = {
    "nothing": b"",
    "no text": b"\xff\xfe",
    "no JSON": b"{",
    "a list": b"[]",
    "a number": b"NaN",
    "a list in a list in a list": b"[" * DEEP + b"]" * DEEP,
    "an object in an object": b'{"slug":' * DEEP,
    "a number of many digits": b'{"slug": ' + b"9" * 10_000 + b"}",
    "half a letter": b'{"slug": "titanic", "run_id": "x", "\\ud800": 1}',
}


@pytest.mark.parametrize("case", NOT_RECORDS)
def test_a_file_that_is_not_a_record_is_refused_with_a_short_message(case: str, foreign: Path) -> None:
    (foreign / "run.json").write_bytes(NOT_RECORDS[case])
    with pytest.raises(DataError, match=r"run\.json is not the record of a run: ") as error:
        find.find_run(str(foreign), foreign.parents[1])
    assert len(str(error.value)) < 1_000


def test_a_record_of_a_newer_kpipe_is_not_read_as_if_it_were_of_this_one(foreign: Path) -> None:
    record = json.loads((foreign / "run.json").read_text())
    (foreign / "run.json").write_text(json.dumps({**record, "schema": 2}))
    with pytest.raises(DataError, match=r"was written by a newer version of kpipe \(schema 2\): update kpipe"):
        find.find_run(str(foreign), foreign.parents[1])


def test_a_huge_record_is_not_read(foreign: Path) -> None:
    with open(foreign / "run.json", "r+b") as file:
        file.truncate(1 << 33)  # of which the disk holds nothing
    with pytest.raises(DataError, match=r"it has more than 16,777,216 bytes"):
        find.find_run(str(foreign), foreign.parents[1])


def use(run: Run) -> None:
    """Everything that is done with a run that was read again."""
    with contextlib.suppress(SubmissionError):
        allowance._check_run(run, run.record["submission"]["sha256"], force=False)
    submit._entry_of_run(run)
    assert isinstance(run.score + run.standard_error, float)
    compile(kernel._script(kernel.spec_of_run(run), b"", wheels=""), "script.py", "exec")


def any_record_is_used_or_refused(data: st.DataObject, folder: Path) -> None:
    good = json.loads((folder / "run.json").read_text())
    try:
        (folder / "run.json").write_text(json.dumps(spoiled(good, data.draw)))
        with contextlib.suppress(InputError):
            use(find.find_run(str(folder), folder.parents[1]))
        find.run_of_file(folder / "submission.csv")
    finally:
        (folder / "run.json").write_text(json.dumps(good))


@PLAIN
@given(data=st.data())
def test_any_record_is_used_or_refused(data: st.DataObject, foreign: Path) -> None:
    any_record_is_used_or_refused(data, foreign)


@pytest.mark.slow
@MANY
@given(data=st.data())
def test_each_of_many_records_is_used_or_refused(data: st.DataObject, foreign: Path) -> None:
    any_record_is_used_or_refused(data, foreign)


def test_a_run_can_be_used_from_any_folder(foreign: Path) -> None:
    use(find.find_run("theirs", foreign.parents[1]))


@pytest.mark.parametrize("how", ["swapped", "a link to another file"])
def test_a_submission_whose_hash_is_not_in_the_record_is_not_submitted_as_the_runs(
    how: str, foreign: Path, at_work: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    secret = tmp_path_factory.mktemp("secret") / "secret.csv"
    secret.write_text("PassengerId,Survived\n1,1\n")
    (foreign / "submission.csv").unlink()
    if how == "swapped":
        shutil.copy(secret, foreign / "submission.csv")
    else:
        (foreign / "submission.csv").symlink_to(secret)
    sendable = json.loads((foreign / "run.json").read_text())["submission"] | {"sendable": True}
    run = find.find_run(str(changed(foreign, submission=sendable)), foreign.parents[1])
    with pytest.raises(SubmissionError, match=r"was changed after the run wrote it"):
        allowance._check_run(run, sha256_of(foreign / "submission.csv"), force=True)
    assert find.run_of_file(foreign / "submission.csv") is None


@pytest.fixture(scope="module")
def kernel_folder(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kernels") / "titanic"
    assert call("kernel", "build", made, "--user", "ada", "--dir", folder) == 0
    return folder


@pytest.fixture
def built(kernel_folder: Path, at_work: Path) -> Path:
    """A kernel's folder, for which there are wheels."""
    folder = shutil.copytree(kernel_folder, at_work / "kernels" / "titanic")
    (folder / "wheels").mkdir()
    return folder


def test_a_symbolic_link_in_a_kernel_folder_is_not_uploaded(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (built / "script.py").unlink()
    (built / "script.py").symlink_to("/etc/passwd")
    assert call("kernel", "push", str(built)) == 2
    assert "code_file 'script.py' is a link" in capsys.readouterr().err


@pytest.mark.parametrize("described", ["", "[]", "5", "{}", "[" * 100_000])
def test_a_dataset_of_wheels_without_valid_metadata_is_refused(
    described: str, built: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (built / "wheels" / "dataset-metadata.json").write_text(described)
    assert call("kernel", "push", str(built), "--yes") == 2
    assert "dataset-metadata.json does not describe a dataset" in capsys.readouterr().err

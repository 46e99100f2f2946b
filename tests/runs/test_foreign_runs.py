"""Run folders from elsewhere: whatever they hold, commands end with a message, and `kpipe runs` lists the others."""

from __future__ import annotations

import copy
import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kpipe.errors import DataError
from kpipe.runs.find import read_run
from tests.cli.calls import call

ODD: list[Any] = [
    *(None, True, -1, 3, -0.5, 1e308, 2**70, 10**400, "x", "\x1b[31m", "", [], {}, [None], {"a": 1}, [[1]], [[[[{}]]]]),
    *("utf-16", "zlib"),
]
MISSING = object()
TABLES = ("oof", "test", "folds", "curves")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of the sample: "theirs", to be spoilt, and "mine"."""
    home = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KPIPE_CACHE", str(home / "cache"))
        for name, models in (("theirs", ("linear", "forest")), ("mine", ("linear",))):
            options = [word for model in models for word in ("--model", model)]
            assert (
                call("run", "titanic", "--data", "sample", *options, "--folds", "2", "--out", home / "made", "--quiet")
                == 0
            )
            (made,) = (home / "made" / "titanic").glob("2*")
            record = json.loads((made / "run.json").read_text())
            (made / "run.json").write_text(json.dumps({**record, "run_id": name}))
            (home / "out" / "titanic").mkdir(parents=True, exist_ok=True)
            made.rename(home / "out" / "titanic" / name)
    return home


class Foreign:
    """The folder of the run from elsewhere, in a copy of the folder of both runs."""

    def __init__(self, out: Path) -> None:
        self.out, self.path = out, out / "titanic" / "theirs"
        self.record = json.loads((self.path / "run.json").read_text())

    def write(self, record: Any) -> None:
        (self.path / "run.json").write_text(json.dumps(record))

    def commands(self) -> Iterator[tuple[str, ...]]:
        out, theirs = ("--out", str(self.out)), str(self.path)
        yield "runs", "--sort", "seconds", *out
        yield "runs", "--json", *out
        yield "compare", theirs, "mine", *out
        yield "clean", "--keep", "0", *out
        yield "submit", theirs, *out
        mine = str(self.out / "titanic" / "mine")
        yield "blend", theirs, mine, "--quiet", "--out", str(self.out.parent / "blends")
        yield "kernel", "build", theirs, "--user", "ada", "--dir", str(self.out.parent / "kernel"), *out
        yield "report", theirs, "--no-importance", *out

    def try_commands(self, what: str, *, only: tuple[str, ...] = ()) -> None:
        """Call every command; each must end with its status, and no exception may pass."""
        for command in self.commands():
            if only and command[0] not in only:
                continue
            try:
                call(*command)
            except BaseException as error:
                raise AssertionError(f"{what}: kpipe {' '.join(command)}") from error


@pytest.fixture
def foreign(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Foreign:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KAGGLE_USERNAME", "ada")
    monkeypatch.setenv("KAGGLE_KEY", "0" * 32)
    monkeypatch.setenv("KPIPE_KAGGLE_ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    return Foreign(Path(shutil.copytree(home / "out", tmp_path / "out")))


def places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of each value in a record; of lists only the first."""
    if place:
        yield place
    inner = value.items() if isinstance(value, dict) else enumerate(value[:1]) if isinstance(value, list) else ()
    for key, one in inner:
        yield from places(one, (*place, key))


def spoilt(record: dict[str, Any], place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    record = copy.deepcopy(record)
    *outer, last = place
    inside: Any = record
    for key in outer:
        inside = inside[key]
    if value is MISSING:
        del inside[last]
    else:
        inside[last] = value
    return record


SPOILT = {
    "a score that is a text": (("score",), "0.8", "'score' must be a number or null; got '0.8'"),
    "a time that is an object": (("seconds",), {"a": 1}, "'seconds' must be a number from 0 to 1e+10"),
    "a negative standard error": (
        ("standard_error",),
        -1,
        "'standard_error' must be a number from 0 to 1e+100 or null",
    ),
    "a huge standard error": (("standard_error",), 1e308, "it holds a number that is larger than 1e100"),
    "no target": (("target",), [], "'target' must name a column"),
    "no models": (("models",), [], "'models' must name a model"),
    "a time of a model": (("models", 0, "seconds"), "fast", "'seconds' must be a number from 0"),
    "a huge seed": (("seed",), [2**40], "each of 'seed' must be a whole number from 0 to"),
    "a negative number of rows": (("data", "rows", "train"), -5, "'train' must be a whole number from 0"),
    "infinity": (("baseline",), float("inf"), "Infinity is not a JSON number"),
    "nested lists": (("settings", "a"), json.loads("[" * 50 + "]" * 50), "it has more than 32 levels"),
    "a missing check": (("checks", 0, "detail"), MISSING, "each of 'checks' lacks 'detail'"),
}


@pytest.mark.parametrize("case", SPOILT)
def test_a_spoilt_record_is_named_with_what_is_wrong_and_the_other_runs_are_listed(
    case: str, foreign: Foreign, capsys: pytest.CaptureFixture[str]
) -> None:
    place, value, reason = SPOILT[case]
    foreign.write(spoilt(foreign.record, place, value))
    assert call("runs", "--out", foreign.out) == 0
    shown = capsys.readouterr()
    assert "mine" in shown.out
    assert "theirs" not in shown.out
    assert f"Skipped: {foreign.path / 'run.json'} is not the record of a run: " in shown.err
    for command in (command for command in foreign.commands() if command[0] not in ("runs", "clean")):
        assert call(*command) == 2
        message = capsys.readouterr().err
        assert str(foreign.path / "run.json") in message
        assert reason in message or "lacks 'detail'" in message


def test_the_record_of_a_run_of_kpipe_is_valid(foreign: Foreign) -> None:
    assert read_run(foreign.path).record == foreign.record


def test_one_odd_value_for_each_third_key_of_a_record_is_used_or_refused(foreign: Foreign) -> None:
    for (place, odd), command in zip(
        zip(itertools.islice(places(foreign.record), 0, None, 3), itertools.cycle([*ODD, MISSING]), strict=False),
        itertools.cycle(range(2)),
    ):
        foreign.write(spoilt(foreign.record, place, odd))
        foreign.try_commands(f"{place} = {odd!r:.40}", only=(("runs", "clean"), ("runs", "compare"))[command])


@pytest.mark.slow
@pytest.mark.parametrize("part", range(8))
def test_every_odd_value_for_each_key_of_a_record_is_used_or_refused_by_every_command(
    part: int, foreign: Foreign
) -> None:
    for place in itertools.islice(places(foreign.record), part, None, 8):
        for odd in [*ODD, MISSING, float("nan"), float("inf")]:
            foreign.write(spoilt(foreign.record, place, odd))
            foreign.try_commands(f"{place} = {odd!r:.40}")


def variants(good: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """A table of a run, changed in many ways."""
    yield "no rows", good.head(0)
    yield "half", good.head(len(good) // 2)
    yield "twice", pd.concat([good, good])
    yield "no columns", good[[]]
    values: list[Any] = ["x", None, np.nan, np.inf, 1e308, -1, True, 2**62, pd.Timestamp("2020")]
    for column in good:
        yield f"without {column}", good.drop(columns=column)
        yield f"one value for {column}", good.assign(**{column: good[column].iloc[0]})
        yield f"lists for {column}", good.assign(**{column: [[1]] * len(good)})
        yield f"a gap in {column}", good.assign(**{column: [None, *good[column][1:]]})
        for value in values:
            yield f"{value!r} for {column}", good.assign(**{column: value})


def try_tables(foreign: Foreign, table: str, *, step: int, only: tuple[str, ...] = ()) -> None:
    path = foreign.path / f"{table}.parquet"
    good = pd.read_parquet(path)
    if good.empty:  # the curves of models that have none
        good = pd.DataFrame({"model": "linear", "seed": 0, "fold": 0, "rows": "training", "step": [1, 2], "loss": 0.5})
    for what, frame in itertools.islice(variants(good), 0, None, step):
        frame.to_parquet(path, index=False)
        foreign.try_commands(f"{table}: {what}", only=only)


@pytest.mark.parametrize("table", TABLES)
def test_some_changed_tables_are_used_or_refused(table: str, foreign: Foreign) -> None:
    try_tables(foreign, table, step=12, only=("compare",))


@pytest.mark.slow
@pytest.mark.parametrize("table", TABLES)
def test_every_changed_table_is_used_or_refused_by_every_command(table: str, foreign: Foreign) -> None:
    try_tables(foreign, table, step=1, only=("compare", "blend", "report"))


@pytest.mark.parametrize("raw", [b"", b"PAR1" * 9, b"x" * 500])
@pytest.mark.parametrize("table", ["oof", "test"])
def test_a_file_that_is_no_table_is_refused(
    raw: bytes, table: str, foreign: Foreign, capsys: pytest.CaptureFixture[str]
) -> None:
    (foreign.path / f"{table}.parquet").write_bytes(raw)
    assert call("blend", foreign.path, foreign.out / "titanic" / "mine", "--out", foreign.out) == 2
    assert f"{table}.parquet cannot be read: " in capsys.readouterr().err


WRONG: dict[str, tuple[str, Callable[[pd.DataFrame], Any], str]] = {
    "infinite oof": (
        "oof",
        lambda d: d.assign(**{"linear/1": np.where(d["row"] == 3, np.inf, d["linear/1"])}),
        "finite",
    ),
    "infinite test": ("test", lambda d: d.assign(**{"forest/1": np.inf}), "'forest/1' must hold finite numbers up to"),
    "missing oof": (
        "oof",
        lambda d: d.assign(**{"linear/1": d["linear/1"].mask(d["row"] == 3)}),
        "lacks predictions of 1",
    ),
    "missing test": ("test", lambda d: d.assign(**{"linear/1": np.nan}), "predictions of linear are missing"),
    "text": ("test", lambda d: d.assign(**{"linear/1": "0.5"}), "'linear/1' must hold numbers; got '0.5'"),
    "a class less": (
        "test",
        lambda d: d.drop(columns="linear/0"),
        "predictions of linear are missing or of other rows",
    ),
    "rows twice": ("oof", lambda d: d.assign(row=d["row"] // 2), "'row' must hold each number from 0 to 299 once"),
    "fewer rows": ("oof", lambda d: d.head(200), "oof.parquet must have 300 rows; got 200"),
    "fewer test rows": ("test", lambda d: d.head(7), "test.parquet must have 120 rows; got 7"),
    "rows of no table": ("folds", lambda d: d.assign(row=d["row"] + 1), "row 300 is none of the 300 training rows"),
}


@pytest.mark.parametrize("case", WRONG)
def test_predictions_that_cannot_be_right_are_not_blended(
    case: str, foreign: Foreign, capsys: pytest.CaptureFixture[str]
) -> None:
    table, change, reason = WRONG[case]
    path = foreign.path / f"{table}.parquet"
    change(pd.read_parquet(path)).to_parquet(path, index=False)
    assert call("blend", foreign.path, foreign.out / "titanic" / "mine", "--out", foreign.out) == 2
    message = capsys.readouterr().err
    assert table in message
    assert reason in message


@pytest.mark.parametrize(("table", "said"), [("oof", 150_000_000), ("folds", 300)])
def test_a_table_that_unfolds_to_fill_the_memory_is_refused_whatever_the_record_says(
    table: str, said: int, foreign: Foreign, capsys: pytest.CaptureFixture[str]
) -> None:
    path, zeros = foreign.path / f"{table}.parquet", pa.table({"row": np.zeros(10_000_000, np.int64)})
    with pq.ParquetWriter(path, zeros.schema, compression="zstd") as writer:
        for _ in range(15):
            writer.write_table(zeros)
    assert path.stat().st_size < 1_000_000
    foreign.write(spoilt(foreign.record, ("data", "rows", "train"), said))
    before = pa.total_allocated_bytes()
    for command in (("compare",), ("blend", "--quiet"), ("report", "--no-importance")):
        mine = () if command[0] == "report" else (foreign.out / "titanic" / "mine",)
        assert call(*command, foreign.path, *mine, "--out", foreign.out) == (0 if command[0] == "report" else 2)
        shown = capsys.readouterr()
        page = (foreign.path / "report.html").read_text() if command[0] == "report" else ""
        assert f"{table}.parquet" in shown.err + page
        assert "save it as CSV" not in shown.err + page
        assert said == 300 or "unfolds" not in shown.err or "No run writes such a table" in shown.err
    assert pa.total_allocated_bytes() - before < 256 << 20


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (None, "is not in the run's folder"),
        (b"", "cannot be read: No columns"),
        (b"\xff\xfe,\xff", "cannot be read: "),
        (b"a,b\n1,2,3\n1,2,3,4,5\n", "cannot be read: "),
        (b'a,"b\n1', "cannot be read: "),
    ],
)
def test_a_spoilt_submission_is_refused_by_run_submission(raw: bytes | None, reason: str, foreign: Foreign) -> None:
    path = foreign.path / "submission.csv"
    path.unlink() if raw is None else path.write_bytes(raw)
    with pytest.raises(DataError, match=f"submission.csv {reason}"):
        _ = read_run(foreign.path).submission


def test_a_ledger_that_cannot_be_read_does_not_hide_the_runs_of_other_competitions(
    foreign: Foreign, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(foreign.out / "titanic" / "mine", foreign.out / "other" / "third")
    foreign_record = json.loads((foreign.out / "other" / "third" / "run.json").read_text())
    (foreign.out / "other" / "third" / "run.json").write_text(
        json.dumps({**foreign_record, "run_id": "third", "slug": "other"})
    )
    (foreign.out / "titanic" / "ledger.json").write_text("[[[")
    assert call("runs", "--out", foreign.out) == 0
    shown = capsys.readouterr()
    assert "third" in shown.out
    assert "ledger.json is not a ledger of submissions" in shown.err

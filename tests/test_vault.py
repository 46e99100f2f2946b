"""Rows that are locked away: no run sees them, each run predicts them, and opening them is counted."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import kpipe
from kpipe import pipeline
from kpipe.core.request import RunRequest
from kpipe.core.values import Tables
from kpipe.errors import TrainingError, UsageError
from kpipe.problem.competition import Competition
from kpipe.problem.problem import define_problem
from kpipe.runs.run import Run
from kpipe.runs.unfinished import find_unfinished
from kpipe.vault import make_vault, open_vault
from tests.cli.calls import call
from tests.tables import prices, survivors, tables, write

SLUG = "made-by-hand"


def with_noise(made: Tables) -> Tables:
    frames = {name: getattr(made, name).assign(n=lambda f: np.arange(len(f)) % 7) for name in ("train", "test")}
    return replace(made, **frames)


def trained(home: Path, **options: object) -> Run:
    return kpipe.run(SLUG, data=home / "data", out=home / "out", jobs=1, models=["linear"], **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files, a run without a vault, a vault of a fifth, and two runs with it."""
    home = tmp_path_factory.mktemp("vault")
    write(with_noise(survivors(n=300)), home / "data")
    return home


@pytest.fixture(scope="module")
def runs(home: Path) -> dict[str, Run]:
    options = {"metric": "accuracy"}
    found = {"before": trained(home, **options)}
    make_vault(RunRequest(SLUG, data=home / "data", out=home / "out"), share=0.2)
    found["with"] = trained(home, **options)
    found["again"] = trained(home, **options, drop=["n"])
    found["all"] = trained(home, **options, all_rows=True)
    found["other metric"] = trained(home, metric="log_loss")
    return found


def test_a_run_neither_trains_on_the_rows_nor_validates_them_and_predicts_them(runs: dict[str, Run]) -> None:
    run, before = runs["with"], runs["before"]
    locked = pd.read_parquet(run.path / "vault.parquet")
    assert (len(run.oof), len(locked), len(before.oof)) == (240, 60, 300)
    assert not {*run.oof["id"]} & {*locked["id"]}
    assert {*run.oof["id"]} | {*locked["id"]} == {*before.oof["id"]}
    assert "survived" not in locked
    assert before.oof.set_index("row")["id"][locked["row"]].tolist() == locked["id"].tolist()
    assert run.record["vault"]["rows"] == 60
    assert run.record["data"]["rows"] == {"train": 240, "test": 30}
    assert len(run.submission) == 30
    assert any("A vault is in force: 60 rows" in note for note in run.record["data"]["notes"])


def test_the_rows_are_stratified_and_the_same_each_time(home: Path, runs: dict[str, Run], tmp_path: Path) -> None:
    train = pd.read_csv(home / "data" / "train.csv")
    again, _ = make_vault(RunRequest(SLUG, data=home / "data", out=tmp_path), share=0.2)
    locked = train.iloc[list(again.locked.rows)]
    assert locked["survived"].mean() == pytest.approx(train["survived"].mean(), abs=0.01)
    assert again.locked.sha256 == runs["with"].record["vault"]["sha256"]


def test_all_rows_makes_the_run_that_there_was_before(runs: dict[str, Run]) -> None:
    assert runs["all"].record["submission"]["sha256"] == runs["before"].record["submission"]["sha256"]
    assert runs["all"].record["vault"] is None


def test_the_vault_is_opened_counted_and_opened_again_without_counting(
    home: Path, runs: dict[str, Run], capsys: pytest.CaptureFixture[str]
) -> None:
    run = runs["with"]
    look = open_vault(str(run.path), out=home / "out")
    locked = pd.read_parquet(run.path / "vault.parquet")
    truth = pd.read_csv(home / "data" / "train.csv")["survived"].iloc[locked["row"]].to_numpy()
    predicted = locked[["blend/0", "blend/1"]].to_numpy().argmax(axis=1)
    assert look.opening.score == pytest.approx((predicted == truth).mean())
    assert "the vault's score agrees with it within the errors of both" in " ".join(look.sentences())
    far = replace(look, opening=replace(look.opening, score=0.01))
    assert "the vault's score deviates from it by more than both errors explain" in " ".join(far.sentences())
    assert call("vault", "open", run.path, "--out", home / "out", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["score"], shown["openings"], shown["rows"]) == (look.opening.score, 1, 60)
    assert call("vault", "open", runs["again"].path, "--out", home / "out") == 0
    printed = capsys.readouterr().out
    assert "its own score stays locked" in printed
    assert "opened for 2 runs" in printed
    assert call("vault", SLUG, "--out", home / "out", "--json") == 0
    openings = json.loads(capsys.readouterr().out)["openings"]
    assert [opening["score"] is None for opening in openings] == [False, True]


def test_a_run_of_another_metric_gives_no_further_look(
    home: Path, runs: dict[str, Run], capsys: pytest.CaptureFixture[str]
) -> None:
    open_vault(str(runs["with"].path), out=home / "out")
    content = (home / "out" / SLUG / "vault.json").read_bytes()
    assert call("vault", "open", runs["other metric"].path, "--out", home / "out") == 2
    assert "is scored by log_loss, but this vault was opened with accuracy" in capsys.readouterr().err
    assert (home / "out" / SLUG / "vault.json").read_bytes() == content


def test_blend_compare_selection_bias_report_and_reproduce_keep_the_vault(
    home: Path, runs: dict[str, Run], capsys: pytest.CaptureFixture[str]
) -> None:
    out = ("--out", home / "out")
    ids = {name: run.record["run_id"] for name, run in runs.items()}
    assert call("blend", ids["with"], ids["again"], *out, "--json") == 0
    blend = json.loads(capsys.readouterr().out)
    table = pd.read_parquet(home / "out" / SLUG / blend["run_id"] / "vault.parquet")
    assert (len(table), blend["vault"]) == (60, runs["with"].record["vault"])
    assert call("blend", ids["with"], ids["before"], *out) == 2
    assert "with a vault and without" in capsys.readouterr().err
    assert call("compare", ids["with"], ids["before"], *out) == 2
    assert "did not use the vault" in capsys.readouterr().err
    assert call("reproduce", ids["with"], *out) == 0
    assert call("reproduce", ids["before"], *out) == 0
    assert call("reproduce", runs["with"].path, "--out", home / "elsewhere") == 2
    assert "made with a vault that is not in" in capsys.readouterr().err
    assert call("report", ids["with"], *out, "--no-importance") == 0
    html = (runs["with"].path / "report.html").read_text()
    assert "differ in their number of rows" not in html
    assert "position in train.csv, counted from 1 without the header and the rows of a vault" in html
    assert call("runs", SLUG, *out) == 0
    assert "with all rows of train)" in capsys.readouterr().out


def test_show_says_that_a_vault_is_in_force(
    home: Path, runs: dict[str, Run], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    (home / "submissions").symlink_to(home / "out")
    assert call("show", SLUG, "--data", home / "data") == 0
    assert "A vault is in force: 60 rows of train.csv are locked away." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((SLUG, "--share", "20%"), "has a vault of 60 rows already"),
        ((SLUG, "--share", "80%"), "--share must be above 0% and at most 50%; got 80%"),
        ((SLUG, "--share", "20"), "got 20. For 20 %, write 20%."),
        ((SLUG, "--share", "many"), "must be a share such as 20%; got 'many'"),
        (("open", "before"), "has trained on the vault's rows"),
        (("open", "all"), "has trained on the vault's rows"),
        (("open",), "kpipe vault open RUN"),
        ((SLUG, "with"), "To open a vault for a run: kpipe vault open"),
        (("titanic", "--data", "sample", "--share", "20%"), "This is sample data"),
        (("house",), "house has no vault in"),
    ],
)
def test_a_wrong_call_says_what_to_do_and_loses_nothing(
    words: tuple[str, ...], message: str, home: Path, runs: dict[str, Run], capsys: pytest.CaptureFixture[str]
) -> None:
    content = (home / "out" / SLUG / "vault.json").read_bytes()
    named = [str(runs[word].path) if word in runs else word for word in words]
    data = ("--data", home / "data") if words[0] == SLUG and "--share" in words else ()
    assert call("vault", *named, *data, "--out", home / "out") == 2
    assert message in " ".join(capsys.readouterr().err.split())
    assert (home / "out" / SLUG / "vault.json").read_bytes() == content


@pytest.mark.parametrize(
    ("share", "rows", "message"),
    [("5%", 300, "--share 5% sets aside 15 of 300 rows: at least 20"), ("50%", 30, "sets aside 15 of 30 rows")],
)
def test_a_share_that_leaves_too_little_is_refused(
    share: str, rows: int, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(survivors(n=rows), tmp_path / "data")
    assert call("vault", SLUG, "--data", tmp_path / "data", "--share", share, "--out", tmp_path / "out") == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_vault_or_a_rest_of_few_groups_or_of_one_class_is_refused(tmp_path: Path) -> None:
    made = survivors(n=300)
    group = np.array([f"shop {number}" for number in np.random.default_rng(0).permutation(330) // 30])
    grouped = replace(made, train=made.train.assign(g=group[:300]), test=made.test.assign(g="new " + group[300:]))
    request = RunRequest(SLUG, data=write(grouped, tmp_path / "g"), out=tmp_path / "out", split="g")
    with pytest.raises(UsageError, match=r"--share 20% sets aside 2 groups of g: at least 5 are needed"):
        make_vault(request, share=0.2)
    days = pd.date_range("2020-01-01", periods=330).strftime("%Y-%m-%d")
    dated = replace(
        made,
        train=made.train.assign(day=days[:300], survived=np.r_[np.arange(200) % 2, np.ones(100, dtype=int)]),
        test=made.test.assign(day=days[300:]),
    )
    request = RunRequest(SLUG, data=write(dated, tmp_path / "t"), out=tmp_path / "out")
    with pytest.raises(UsageError, match=r"--share 20% sets aside rows of the class 1 only: choose another share"):
        make_vault(request, share=0.2)
    assert not (tmp_path / "out").exists()


def test_an_unfinished_run_is_not_resumed_after_a_vault_was_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    request = RunRequest(SLUG, data=write(survivors(n=200), tmp_path / "data"), out=tmp_path / "out")

    def stop(_: object) -> None:
        raise TrainingError("stopped")

    with pytest.raises(TrainingError, match="stopped"):
        kpipe.run(SLUG, data=request.data, out=request.out, models=["linear"], jobs=1, on_fit_done=stop)
    (unfinished,) = find_unfinished(request.out, SLUG)
    make_vault(request, share=0.2)
    assert call("run", "--resume", unfinished.key, "--out", request.out) == 2
    told = capsys.readouterr().err
    assert "Cannot resume this run: its inputs have changed since it was started" in told
    assert "vault" in told
    assert unfinished.path.exists()  # nothing is lost: it can be resumed without the vault


def test_changed_files_are_refused_by_name_until_all_rows_are_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(survivors(n=200), tmp_path / "data")
    make_vault(RunRequest(SLUG, data=tmp_path / "data", out=tmp_path / "out"), share=0.2)
    write(survivors(n=200, seed=1), tmp_path / "data")
    request = ("run", SLUG, "--data", tmp_path / "data", "--out", tmp_path / "out", "--model", "linear", "--jobs", 1)
    assert call(*request) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert "was made from other files: test.csv, train.csv changed or missing" in error
    assert call(*request, "--all-rows") == 0


def test_the_vault_says_whether_the_files_are_still_those_that_it_was_made_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    data, out = write(survivors(n=200), tmp_path / "data"), ("--out", tmp_path / "out")
    make_vault(RunRequest(SLUG, data=data, out=tmp_path / "out"), share=0.2)

    def told(*options: object) -> tuple[object, str]:
        capsys.readouterr()
        assert call("vault", SLUG, *out, *options, "--json") == 0
        printed = capsys.readouterr()
        return json.loads(printed.out)["changed"], " ".join(printed.err.split())

    assert told() == ([], "")
    write(survivors(n=200, seed=1), data)
    changed, note = told()  # where they were
    assert changed == ["test.csv", "train.csv"]
    assert f"The files in {data} are not those that this vault was made from: test.csv, train.csv changed" in note
    assert "--all-rows" in note
    other = write(survivors(n=200), tmp_path / "other")
    assert told("--data", other) == ([], "")
    (other / "sample_submission.csv").unlink()
    assert told("--data", other)[0] == ["sample_submission.csv"]
    shutil.rmtree(data)
    changed, note = told()
    assert changed is None
    assert "were not found. To compare them, name them with --data." in note
    assert call("vault", SLUG, *out, "--data", data) == 2


def test_a_check_does_not_see_the_rows_of_a_vault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write(survivors(n=200), tmp_path / "data")
    check = ("check", SLUG, "--data", data, "--out", tmp_path / "out", "--model", "linear", "--jobs", 1)
    make_vault(RunRequest(SLUG, data=data, out=tmp_path / "out"), share=0.2)
    assert call(*check) == 0
    assert "Training linear on 160 rows" in capsys.readouterr().err
    assert call(*check, "--all-rows") == 0
    assert "Training linear on 200 rows" in capsys.readouterr().err


def test_a_vault_is_not_opened_with_other_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write(survivors(n=200), tmp_path / "data")
    make_vault(RunRequest(SLUG, data=data, out=tmp_path / "out"), share=0.2)
    run = trained(tmp_path)
    write(survivors(n=200, seed=1), data)
    content = (tmp_path / "out" / SLUG / "vault.json").read_bytes()
    assert call("vault", "open", run.path, "--out", tmp_path / "out") == 2
    error = " ".join(capsys.readouterr().err.split())
    assert f"was made from other files than those in {data}: test.csv, train.csv changed or missing" in error
    assert "--all-rows" not in error
    assert (tmp_path / "out" / SLUG / "vault.json").read_bytes() == content
    other = write(survivors(n=200), tmp_path / "other")
    assert call("vault", "open", run.path, "--out", tmp_path / "out", "--data", other) == 0


def test_whole_groups_and_the_last_rows_in_time_are_locked_away(tmp_path: Path) -> None:
    made = survivors(n=300)
    group = np.array([f"shop {number}" for number in np.random.default_rng(0).permutation(330) // 6])
    grouped = replace(made, train=made.train.assign(g=group[:300]), test=made.test.assign(g="new " + group[300:]))
    request = RunRequest(SLUG, data=write(grouped, tmp_path / "g"), out=tmp_path / "out-g", split="g")
    vault, _ = make_vault(request, share=0.2)
    locked = grouped.train.iloc[list(vault.locked.rows)]["g"]
    assert not {*locked} & {*grouped.train["g"].drop(locked.index)}
    assert vault.how == "whole groups of g"
    assert 54 <= len(locked) <= 66
    made = prices(n=300)
    days = pd.date_range("2020-01-01", periods=330).strftime("%Y-%m-%d")
    dated = replace(made, train=made.train.assign(day=days[:300]), test=made.test.assign(day=days[300:]))
    request = RunRequest(SLUG, data=write(dated, tmp_path / "t"), out=tmp_path / "out-t")
    vault, _ = make_vault(request, share=0.2)
    assert vault.locked.rows == tuple(range(240, 300))
    assert vault.how.startswith("the last rows by day, from 2020-08-28")
    run = kpipe.run(SLUG, data=tmp_path / "t", out=tmp_path / "out-t", models=["linear"], jobs=1)
    assert open_vault(str(run.path), out=tmp_path / "out-t").opening.score is not None
    splitters = [repr(pipeline.prepare(replace(request, all_rows=rows)).splitter) for rows in (False, True)]
    assert "horizon='30 days'" in splitters[0]
    assert "gap" not in splitters[0]  # the vault's rows lie there, and the final run trains on them
    assert "gap" not in splitters[1]


def test_of_a_test_set_that_is_cut_out_of_train_a_vault_is_cut_out_likewise(tmp_path: Path) -> None:
    hours = pd.date_range("2020-01-01", "2020-06-30", freq="12h")
    made = prices(n=len(hours))
    ends, weeks = hours.day >= 20, np.random.default_rng(0).permutation(60)[np.arange(len(hours)) // 14] < 12
    for name, is_test in (("ends", ends), ("weeks", weeks)):
        train = made.train.assign(when=hours.astype(str), id=np.arange(len(hours)))
        test = train[is_test].drop(columns="price").reset_index(drop=True)
        sample = pd.DataFrame({"id": test["id"], "price": 0.0})
        cut = replace(made, train=train[~is_test].reset_index(drop=True), test=test, sample=sample)
        request = RunRequest(SLUG, data=write(cut, tmp_path / name), out=tmp_path / f"out-{name}")
        before = repr(pipeline.prepare(request).splitter)
        vault, _ = make_vault(request, share=0.2)
        when = pd.to_datetime(cut.train["when"])
        locked = when.iloc[list(vault.locked.rows)]
        left = when.drop(locked.index)
        assert 0.1 < len(locked) / len(when) < 0.3
        if name == "ends":
            assert vault.how.startswith("the ends of each month by when, from day ")
            assert locked.dt.day.min() > left.dt.day.max()
        else:
            assert vault.how == "whole blocks of time by when"
            assert not {*locked.dt.date} & {*left.dt.date}
            assert locked.min() < left.quantile(0.5)
        assert repr(pipeline.prepare(request).splitter) == before


def test_clean_gets_the_locked_rows_as_test_rows_without_their_targets() -> None:
    made, seen = survivors(n=100), []
    source = replace(made.source, files={"train.csv": "0"})

    def clean(given: Tables) -> Tables:
        seen.append(given)
        return given

    files = replace(made, source=source)
    problem = define_problem(Competition(slug=SLUG), files)
    from kpipe.problem.locked import LockedRows

    rows = tuple(range(0, 100, 5))
    ids = tuple(problem.tables.train["id"].iloc[list(rows)].astype(str))
    locked = LockedRows(rows=rows, train_rows=100, id="id", ids=ids, sha256="x")
    problem = define_problem(Competition(slug=SLUG, clean=clean), files, locked)
    (given,) = seen
    assert (len(given.train), len(given.test), len(given.sample)) == (80, 50, 50)
    assert "survived" not in given.test
    assert not given.train["id"].isin(range(0, 100, 5)).any()
    assert problem.vault is not None
    assert problem.vault["id"].tolist() == list(rows)
    assert (len(problem.tables.test), len(problem.tables.sample), len(problem.y)) == (30, 30, 80)
    assert len(problem.to_predict.tables.test) == 50
    pd.testing.assert_frame_equal(problem.tables.sample, made.sample)


def test_a_competition_without_ids_in_train_is_locked_by_position(tmp_path: Path) -> None:
    made = survivors(n=200)
    bare = tables(made.train.drop(columns="id"), made.test, made.sample)
    request = RunRequest(SLUG, data=write(bare, tmp_path / "data"), out=tmp_path / "out")
    vault, _ = make_vault(request, share=0.25)
    assert (vault.locked.id, len(vault.locked.rows)) == ("", 50)
    run = kpipe.run(SLUG, data=tmp_path / "data", out=tmp_path / "out", models=["linear"], jobs=1)
    assert (len(run.oof), len(pd.read_parquet(run.path / "vault.parquet"))) == (150, 50)
    assert open_vault(str(run.path), out=tmp_path / "out").opening.score is not None

"""Runs listed, compared and removed, by the commands that a user types."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import kpipe
from kpipe.cli.main import main
from kpipe.runs.compare import compare
from kpipe.runs.find import find_run
from kpipe.runs.run import Run
from tests.tables import prices, survivors


def call(*args: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(arg) for arg in args])
    return int(ended.value.code or 0)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


def trained(home: Path, name: str = "made-by-hand", **options: object) -> Run:
    folder = home / "data" / name
    if not folder.is_dir():
        folder.mkdir(parents=True)
        made = prices(n=200) if name == "prices" else survivors(n=300)
        made = replace(
            made,
            train=made.train.assign(noise=np.arange(len(made.train)) % 7),
            test=made.test.assign(noise=np.arange(len(made.test)) % 7),
        )
        made.train.to_csv(folder / "train.csv", index=False)
        made.test.to_csv(folder / "test.csv", index=False)
        made.sample.to_csv(folder / "sample_submission.csv", index=False)
    return kpipe.run(name, data=folder, out=home / "out", jobs=1, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def both(home: Path) -> tuple[Run, Run]:
    return trained(home, models=["linear"], metric="accuracy"), trained(home, models=["forest"], metric="accuracy")


def test_the_difference_is_that_of_the_scores_and_its_error_is_paired(both: tuple[Run, Run]) -> None:
    found = compare(*both)
    assert found.difference == pytest.approx(both[1].score - both[0].score)
    right = [run.oof.filter(like="blend/").to_numpy().argmax(axis=1) == run.oof["survived"] for run in both]
    apart = right[1].astype(float) - right[0].astype(float)
    assert found.standard_error == pytest.approx(np.std(apart, ddof=1) / np.sqrt(len(apart)))
    assert found.standard_error < np.hypot(both[0].standard_error, both[1].standard_error)
    assert (found.won, found.lost) == ((apart > 0).sum(), (apart < 0).sum())
    assert found.rows == 300
    assert found.same_folds


def test_a_run_compared_with_itself_cannot_be_told_apart(both: tuple[Run, Run]) -> None:
    found = compare(both[0], both[0])
    assert (found.difference, found.verdict, len(found.sides)) == (0.0, "no significant difference", 0)


def test_what_is_better_is_said_to_be_better_and_turned_round_worse(home: Path) -> None:
    knows, knows_not = (
        trained(home, "prices", models=["linear"]),
        trained(home, "prices", models=["linear"], drop=["x"]),
    )
    found, turned = compare(knows_not, knows), compare(knows, knows_not)
    assert (found.verdict, turned.verdict) == ("better", "worse")
    assert found.standard_error == pytest.approx(turned.standard_error)
    assert found.won > found.lost
    assert any("drop was" in phrase for phrase in found.changed)


def test_the_command_says_the_verdict_what_changed_and_the_rows(
    home: Path, both: tuple[Run, Run], capsys: pytest.CaptureFixture[str]
) -> None:
    ids = [run.record["run_id"] for run in both]
    assert call("compare", *ids, "--out", home / "out") == 0
    shown = capsys.readouterr().out
    assert f"{ids[1]}: " in shown.splitlines()[0]
    assert 'models was ["linear"], is ["forest"]' in shown
    assert "Rows won: " in shown
    assert call("compare", *ids, "--out", home / "out", "--json") == 0
    assert json.loads(capsys.readouterr().out)["rows"] == 300


def test_runs_of_other_competitions_are_not_compared(
    home: Path, both: tuple[Run, Run], capsys: pytest.CaptureFixture[str]
) -> None:
    other = trained(home, "prices", models=["linear"])
    assert call("compare", both[0].path, other.path) == 2
    assert "they are runs of different competitions" in capsys.readouterr().err


def test_a_blend_of_runs_is_the_run_that_would_have_trained_all_their_models(
    home: Path, both: tuple[Run, Run], capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("blend", *(run.record["run_id"] for run in both), "--out", home / "out", "--quiet") == 0
    blended = find_run(str(Path(capsys.readouterr().out.strip()).parent), home / "out")
    together = trained(home, models=["linear", "forest"], metric="accuracy")
    assert (blended.path / "submission.csv").read_bytes() == (together.path / "submission.csv").read_bytes()
    assert blended.score == together.score
    assert blended.oof["blend/1"].equals(together.oof["blend/1"])
    assert [model["name"].split("@")[0] for model in blended.record["models"]] == ["linear", "forest"]
    for run in (blended, together):
        shutil.rmtree(run.path)


def test_runs_of_other_folds_or_with_a_failed_check_are_not_blended(
    tmp_path: Path, home: Path, both: tuple[Run, Run], capsys: pytest.CaptureFixture[str]
) -> None:
    other = trained(home, models=["linear"], metric="accuracy", seed=(1,))
    assert call("blend", both[0].path, other.path, "--out", tmp_path) == 2
    assert "The runs have other folds" in capsys.readouterr().err
    shutil.rmtree(other.path)
    failed = tmp_path / "failed"
    shutil.copytree(both[1].path, failed)
    record = json.loads((failed / "run.json").read_text())
    record["checks"][0]["status"] = "fail"
    (failed / "run.json").write_text(json.dumps(record))
    assert call("blend", both[0].path, failed, "--out", tmp_path) == 2
    assert "failed the check" in capsys.readouterr().err
    assert call("blend", both[0].path, "--out", tmp_path) == 2
    assert "A blend needs at least two runs" in capsys.readouterr().err


def test_runs_are_listed_sorted_and_filtered(
    home: Path, both: tuple[Run, Run], capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("runs", "made-by-hand", "--out", home / "out", "--sort", "score", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert [one["score"] for one in listed] == sorted(run.score for run in both)
    assert call("runs", "--out", home / "out", "--model", "forest") == 0
    shown = capsys.readouterr().out
    assert both[1].record["run_id"] in shown
    assert both[0].record["run_id"] not in shown
    assert "made-by-hand: accuracy" in shown


def test_a_broken_run_is_left_out_and_said(
    home: Path, both: tuple[Run, Run], capsys: pytest.CaptureFixture[str]
) -> None:
    broken = home / "out" / "made-by-hand" / "broken"
    broken.mkdir()
    (broken / "run.json").write_text("{}")
    try:
        assert call("runs", "--out", home / "out") == 0
        captured = capsys.readouterr()
        assert both[0].record["run_id"] in captured.out
        assert "Skipped: " in captured.err
        assert "broken/run.json" in captured.err
    finally:
        shutil.rmtree(broken)


def test_clean_says_what_would_go_and_keeps_the_best_the_latest_and_the_submitted(
    tmp_path: Path, both: tuple[Run, Run], capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "out" / "made-by-hand"
    for number in range(5):
        folder = home / f"20260101T00000{number}Z-aaaaaa"
        shutil.copytree(both[0].path, folder)
        record = json.loads((folder / "run.json").read_text())
        record |= {"run_id": folder.name, "created": f"2026-01-01T00:00:0{number}+00:00", "score": 0.9 - number / 10}
        (folder / "run.json").write_text(json.dumps(record))
    sent = {
        "ref": 1,
        "slug": "made-by-hand",
        "date": "",
        "message": "",
        "file": "",
        "run_id": "20260101T000002Z-aaaaaa",
    }
    (home / "ledger.json").write_text(json.dumps([sent]))
    (home / ".partial-0123456789ab" / "parts").mkdir(parents=True)
    (home / ".partial-0123456789ab" / "parts" / "linear-seed0-fold0.npz").write_bytes(b"x")

    assert call("clean", "--keep", 1, "--out", tmp_path / "out") == 0
    shown = capsys.readouterr().out
    assert "Nothing was deleted: to delete, add --yes." in shown
    assert len([*home.glob("2026*")]) == 5
    assert call("clean", "--keep", 1, "--out", tmp_path / "out", "--yes") == 0
    left = sorted(path.name[14:16] for path in home.glob("2026*"))
    assert left == ["0Z", "2Z", "4Z"]  # the best, the submitted one, the latest
    assert not (home / ".partial-0123456789ab").exists()


@pytest.mark.slow
def test_runs_of_kaggles_files_compare(kaggle_zip: Callable[[str], Path], tmp_path: Path) -> None:
    zip_ = kaggle_zip("titanic")
    a, b = (kpipe.run("titanic", data=zip_, models=[m], out=tmp_path, jobs=1) for m in ("woman-child-group", "linear"))
    found = compare(a, b)
    assert isinstance(found.sides, pd.DataFrame)
    assert found.sides["truth"].isin(["0", "1"]).all()


@pytest.fixture(scope="module")
def shops(home: Path) -> Path:
    """Prices of twelve shops, each with luck of its own, and test rows of others."""
    folder, rng = home / "data" / "shops", np.random.default_rng(0)
    shop, n = np.arange(300) // 25, 240
    level, luck = rng.normal(size=12), 0.8 * rng.normal(size=12)
    frame = pd.DataFrame({"id": np.arange(300), "shop": shop, "level": level[shop], "f": rng.normal(size=300)})
    frame = frame.assign(shop=np.where(shop % 2, "odd ", "even ") + frame["shop"].astype(str))
    frame["cost"] = frame["f"] + luck[shop] + 0.2 * rng.normal(size=300)
    frame["price"] = 2 * frame["cost"] + 0.1 * rng.normal(size=300)
    folder.mkdir(parents=True)
    frame[:n].to_csv(folder / "train.csv", index=False)
    frame[n:].drop(columns=["price", "cost"]).to_csv(folder / "test.csv", index=False)
    frame[n:][["id"]].assign(price=0.5).to_csv(folder / "sample_submission.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def priced(home: Path, shops: Path) -> tuple[Run, Run]:
    """Two runs whose folds keep shops whole: without what is known of the shop, and with it."""
    options = {"models": ["linear"], "metric": "mae", "split": "shop", "folds": 3, "target": "price"}
    return trained(home, "shops", drop=["cost", "level"], **options), trained(home, "shops", drop=["cost"], **options)


def test_the_paired_error_of_runs_whose_folds_keep_groups_whole_is_that_of_the_groups(priced: tuple[Run, Run]) -> None:
    one, two = (run.oof for run in priced)
    apart = (two["blend"] - two["price"]).abs() - (one["blend"] - one["price"]).abs()
    sums = (apart - apart.mean()).groupby(np.arange(240) // 25).sum()
    clustered = np.sqrt((sums**2).sum() * len(sums) / (len(sums) - 1)) / len(apart)
    found = compare(*priced)
    assert found.standard_error == pytest.approx(clustered)
    assert found.standard_error > 1.5 * apart.std() / np.sqrt(len(apart))


def test_one_group_tells_nothing_of_the_difference(priced: tuple[Run, Run], tmp_path: Path) -> None:
    copies = []
    for run in priced:
        shutil.copytree(run.path, tmp_path / run.record["run_id"])
        copies.append(replace(run, path=tmp_path / run.record["run_id"]))
        run.oof.assign(**{"fold group": 0}).to_parquet(copies[-1].path / "oof.parquet")
    found = compare(*copies)
    assert np.isnan(found.standard_error)
    assert found.verdict == "no significant difference"


def test_runs_that_predict_other_things_are_not_blended(
    home: Path, priced: tuple[Run, Run], shops: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cost = trained(home, "shops", models=["linear"], metric="mae", split="shop", folds=3, target="cost", drop=["price"])
    assert call("blend", priced[1].path, cost.path, "--out", tmp_path) == 2
    assert "predicts cost, not price: nothing to blend" in capsys.readouterr().err
    turned = tmp_path / "turned"
    shutil.copytree(priced[0].path, turned)
    oof = priced[0].oof
    oof.assign(price=oof["price"].to_numpy()[::-1]).to_parquet(turned / "oof.parquet")
    assert call("blend", priced[1].path, turned, "--out", tmp_path) == 2
    assert "judged by other values of price" in capsys.readouterr().err


def test_a_model_of_a_blend_has_a_name_of_its_own_where_the_ends_of_the_ids_are_alike(
    both: tuple[Run, Run], tmp_path: Path
) -> None:
    from kpipe.pipeline import blend_runs

    ids = ["20260101T000001Z-aaaaaa", "20260101T000002Z-aaaaaa"]
    for name, run in zip(ids, both, strict=True):
        shutil.copytree(run.path, tmp_path / name)
        record = json.loads((run.path / "run.json").read_text()) | {"run_id": name}
        record["data"]["files"]["asked-by-postprocess.csv"] = "0" * 64  # which models never saw
        (tmp_path / name / "run.json").write_text(json.dumps(record))
    blended = blend_runs([str(tmp_path / name) for name in (*ids, ids[0])], out=tmp_path)
    names = [model["name"] for model in blended.record["models"]]
    assert names == [f"linear@{ids[0]}", f"forest@{ids[1]}"]
    assert sum(model["weight"] for model in blended.record["models"]) == pytest.approx(1)


def test_a_blend_is_not_blended_reproduced_or_made_a_kernel_of_and_its_runs_are_named(
    both: tuple[Run, Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from kpipe.errors import UsageError
    from kpipe.kaggle.kernel.build import request_of_run
    from kpipe.pipeline import blend_runs

    blended, (one, two) = blend_runs([str(run.path) for run in both], out=tmp_path), both
    said = f"is a blend of {one.record['run_id']}, {two.record['run_id']}"
    for order in ([blended, one], [one, blended]):
        assert call("blend", *(run.path for run in order), "--out", tmp_path) == 2
        assert f"{said}: name these runs instead" in capsys.readouterr().err
    assert call("reproduce", blended.path, "--out", tmp_path) == 2
    assert said in capsys.readouterr().err
    with pytest.raises(UsageError, match=said):
        request_of_run(blended)


def copied(run: Run, home: Path, number: int, **changed: object) -> Run:
    """The run under another id, later the greater its number, with other fields."""
    folder = home / f"20260101T00000{number}Z-aaaaaa"
    shutil.copytree(run.path, folder)
    record = {**run.record, "run_id": folder.name, "created": f"2026-01-01T00:00:0{number}+00:00", **changed}
    (folder / "run.json").write_text(json.dumps(record))
    return Run(path=folder, record=record)


def test_a_submitted_run_is_never_removed_wherever_its_ledger_lies(both: tuple[Run, Run], tmp_path: Path) -> None:
    from kpipe.kaggle import submit
    from kpipe.runs import prune as keeping

    class Calls:
        def submit(self, slug: str, file: Path, message: str) -> int:
            return 7

    class Sends:
        competitions = Calls()

    out = tmp_path / "runs"
    runs = [copied(both[0], out / "made-by-hand", number) for number in range(3)]
    file, elsewhere = runs[0].path / "submission.csv", tmp_path / "submissions"
    submit.submit_file(Sends(), "made-by-hand", file, runs[0], message="", out=elsewhere)  # type: ignore[arg-type]
    assert [one.path.name for one in keeping.find_removable(out, keep=0)] == [runs[1].path.name]
    assert [keeping.summary(run, out)["submitted"] for run in runs] == [True, False, False]


def test_the_best_are_those_of_each_metric_and_target(both: tuple[Run, Run], tmp_path: Path) -> None:
    from kpipe.runs import prune as keeping

    loss = {"metric": {"name": "log_loss", "greater_is_better": False}}
    given = [(0.685, {}), (0.68, {}), (0.231, loss), (0.3, loss), (0.1, {"target": "other"}), (0.05, {})]
    for number, (score, more) in enumerate(given):
        copied(both[0], tmp_path / "made-by-hand", number, score=score, **more)
    assert [one.path.name[14] for one in keeping.find_removable(tmp_path, keep=1)] == ["1", "3"]


def test_what_a_run_has_gone_on_with_since_the_list_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from kpipe.runs import prune as keeping
    from kpipe.runs.store import open_run_folder

    parts = tmp_path / "x" / ".partial-0123456789ab" / "parts"
    parts.mkdir(parents=True)
    (parts / "linear-seed0-fold0.npz").write_bytes(b"x")
    listed = keeping.find_removable(tmp_path)
    assert len(listed) == 1
    monkeypatch.setattr(keeping, "find_removable", lambda *args, **options: listed)
    with open_run_folder(tmp_path, "x", "0123456789ab"):
        assert call("clean", "--out", tmp_path, "--yes") == 0
        assert (parts / "linear-seed0-fold0.npz").exists()
        assert "it was resumed in the meantime" in capsys.readouterr().err
    assert call("clean", "--out", tmp_path, "--yes") == 0
    assert not parts.parent.exists()
    assert not parts.parent.with_suffix(".lock").exists()


def test_clean_and_runs_look_nowhere_else_than_under_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parts = tmp_path / "elsewhere" / "bb" / ".partial-0123456789ab" / "parts"
    parts.mkdir(parents=True)
    (parts / "linear-seed0-fold0.npz").write_bytes(b"x")
    (tmp_path / "out" / "bb").mkdir(parents=True)
    (tmp_path / "out" / "bb" / ".partial-abcdefabcdef").symlink_to(parts.parent)
    for command in ("clean", "runs"):
        assert call(command, "../elsewhere/bb", "--out", tmp_path / "out") == 2
        assert "'../elsewhere/bb' cannot be a competition" in capsys.readouterr().err
    assert call("clean", "--out", tmp_path / "out") == 0
    assert "Nothing to delete" in capsys.readouterr().out


def test_a_list_of_one_competition_without_runs_says_which(
    both: tuple[Run, Run], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("runs", "titanik", "--out", home / "out") == 0
    assert "No finished runs of titanik found." in capsys.readouterr().out

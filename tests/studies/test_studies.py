"""Studies reproduce the numbers of the notebooks, run, and write their files."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kpipe import competitions
from kpipe.cli.main import main
from kpipe.data.loading import load
from kpipe.studies import STUDIES

DOCS = Path(__file__).resolve().parents[2] / "docs" / "studies"
# What each study is run with here: small, on the samples.
SMALL: dict[str, list[str]] = {
    "titanic-from-scratch": ["--runs", "2", "--epochs", "3"],
    "titanic-two-targets": ["--runs", "3", "--epochs", "2"],
    "fully-connected": ["--epochs", "30"],
    "digits-from-scratch": ["--runs", "1", "--epochs", "1"],
    "house-prices-mlp": ["--runs", "1", "--epochs", "2"],
}


def run(name: str, out: Path, *options: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["study", name, "--out", str(out), *options])
    assert ended.value.code == 0


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the results of every study, shortened."""
    out = tmp_path_factory.mktemp("studies")
    for name, options in SMALL.items():
        run(name, out, *options)
    return out


each_study = pytest.mark.parametrize("name", STUDIES)


@pytest.mark.slow
@each_study
def test_a_study_writes_a_page_tables_and_plots(name: str, small: Path) -> None:
    folder = small / name
    page = (folder / "README.md").read_text(encoding="utf-8")
    result = json.loads((folder / "study.json").read_text(encoding="utf-8"))
    assert result["study"] == name
    figures = [figure for section in result["sections"] for figure in section["figures"]]
    tables = {stem: rows for section in result["sections"] for stem, rows in section["tables"].items()}
    assert figures
    assert "cross_validation" in tables
    for figure in figures:
        assert f"]({figure}.png)" in page
        assert (folder / f"{figure}.png").read_bytes().startswith(b"\x89PNG")
        assert "</svg>" in (folder / f"{figure}.svg").read_text(encoding="utf-8")
    for stem, rows in tables.items():
        assert len(pd.read_csv(folder / f"{stem}.csv")) == len(rows) > 0
        assert f"{stem}.csv" in page


@pytest.mark.slow
@each_study
def test_cross_validated_scores_have_a_standard_error_their_rows_and_a_baseline(name: str, small: Path) -> None:
    scores = pd.read_csv(small / name / "cross_validation.csv")
    assert scores[["score", "standard error", "rows"]].notna().all(axis=None)
    assert scores.iloc[-1]["model"].startswith("baseline: ")


@pytest.mark.slow
@each_study
def test_a_page_has_no_path_of_the_machine_it_was_made_on(name: str, small: Path) -> None:
    for file in ("README.md", "study.json"):
        assert "/home/" not in (small / name / file).read_text() and "/tmp" not in (small / name / file).read_text()  # noqa: PT018


@pytest.mark.slow
@each_study
def test_a_shortened_study_warns_that_its_numbers_may_contradict_its_text(name: str, small: Path) -> None:
    assert "This is a preview, not the study" in (small / name / "README.md").read_text()
    assert "This is a preview, not the study" not in (DOCS / name / "README.md").read_text()


def test_with_json_stdout_has_only_json_with_every_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("titanic-from-scratch", tmp_path, "--runs", "1", "--epochs", "2", "--json")
    result = json.loads(capsys.readouterr().out)
    assert result == json.loads((tmp_path / "titanic-from-scratch" / "study.json").read_text())
    losses = pd.DataFrame(result["sections"][0]["tables"]["losses"])
    assert losses.groupby("net").size().eq(2).all()


def test_a_study_of_the_sample_data_warns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("titanic-from-scratch", tmp_path, "--runs", "1", "--epochs", "1")
    assert "THIS IS SAMPLE DATA, not Kaggle's" in capsys.readouterr().out
    assert (
        "the embedded sample, which is not Kaggle's data" in (tmp_path / "titanic-from-scratch/README.md").read_text()
    )


def test_an_unknown_study_is_an_error_that_suggests_a_similar_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["study", "titanic-from-scrach"])
    assert ended.value.code == 2
    assert "There is no study 'titanic-from-scrach'. Did you mean titanic-from-scratch?" in capsys.readouterr().err


def test_data_for_a_study_that_generates_its_own_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["study", "fully-connected", "--data", str(tmp_path)])
    assert ended.value.code == 2
    assert "fully-connected generates its own points: leave out --data." in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SystemExit) as ended:
        main(["study", "titanic-from-scratch", "--runs", "1", "--epochs", "1", "--out", str(tmp_path / "file")])
    assert ended.value.code == 1
    assert "Choose another --out." in capsys.readouterr().err


def test_study_without_a_name_is_an_error_that_lists_all_studies(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["study"])
    assert ended.value.code == 2
    result = capsys.readouterr().err
    assert "Name a study: kpipe study NAME. The studies are: " in result
    assert all(name in result for name in STUDIES)


def test_help_lists_every_study_without_heavy_imports() -> None:
    call = "main(['study', '--help'])"
    code = f"import sys; from kpipe.cli.main import main\ntry: {call}\nfinally: print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(f"  {name} " in done.stdout for name in STUDIES)
    assert not {"torch", "matplotlib", "numpy", "fastai"} & set(done.stdout.splitlines()[-1].split())


def test_titanic_from_scratch_reproduces_the_published_numbers(kaggle_zip) -> None:
    """Fernando's notebook: every published loss to three decimals, accuracies and coefficients to four."""
    from kpipe.studies.titanic_from_scratch import NETS, accuracy, train
    from kpipe.studies.titanic_table import notebook_table

    table = notebook_table(load("titanic", kaggle_zip("titanic")).train)
    assert (len(table.train), len(table.valid)) == (713, 178)
    for name, net in NETS.items():
        fit = train(net, table, seed=442)
        pairs = [(ours, theirs) for ours, theirs in zip(fit.loss_curve_, net.losses, strict=True) if theirs is not None]
        assert len(pairs) >= 7
        np.testing.assert_allclose(*np.transpose(pairs), rtol=0, atol=0.00051, err_msg=name)
        assert accuracy(fit, table) == pytest.approx(net.accuracy or 0.7921, abs=0.00005)
        if net.coefficients:
            np.testing.assert_allclose(fit.weights_[0][:, 0], net.coefficients, rtol=0, atol=0.00006)


@pytest.mark.slow
def test_each_mistake_of_the_digit_notebook_is_reported_by_a_check(small: Path) -> None:
    mistakes = pd.read_csv(small / "digits-from-scratch" / "mistakes.csv", index_col="mistake")["reported by"]
    assert "fail: training and validation rows disjoint" in mistakes["validation set = training set"]
    assert "better than the baseline" in mistakes["test predictions from training rows"]
    assert "better than the baseline" in mistakes["(256,) against (256, 1)"]
    page = (small / "digits-from-scratch" / "README.md").read_text()
    assert "trains on 400 of its validation rows" in page


@pytest.mark.slow
def test_the_digit_study_writes_a_submission_with_every_test_row(small: Path) -> None:
    tables = load("digit-recognizer", competitions.folder("digit-recognizer") / "sample")
    submission = pd.read_csv(small / "digits-from-scratch" / "submission.csv")
    assert submission["ImageId"].tolist() == tables.sample["ImageId"].tolist()
    assert submission["Label"].between(0, 9).all()


@pytest.mark.slow
def test_two_targets_reproduces_the_results_of_the_notebook(kaggle_zip, tmp_path: Path) -> None:
    """The notebook has no seed, but constant predictions have the same scores in each run."""
    run("titanic-two-targets", tmp_path, "--data", str(kaggle_zip("titanic")))
    folder = tmp_path / "titanic-two-targets"
    variants = pd.read_csv(folder / "variants.csv", index_col="variant")
    assert len(variants) == 10
    assert len(pd.read_csv(folder / "runs.csv")) == 10 * 100 * 30
    constant = ["A, lr 4", "E, lr 0.005", "E, lr 0.01", "E, lr 0.03", "F, lr 0.01"]
    np.testing.assert_allclose(variants.loc[constant, "best acc"], variants.loc[constant, "published acc"], atol=0.0002)
    known = variants.dropna(subset="published acc")
    np.testing.assert_allclose(known["best acc"], known["published acc"], atol=0.03)
    np.testing.assert_allclose(known["best RMSE"], known["published RMSE"], atol=1.5)
    scores = pd.read_csv(folder / "cross_validation.csv", index_col="model")
    assert scores.loc["baseline: mean age", "score"] == pytest.approx(14.54, abs=0.1)


@pytest.mark.slow
@each_study
def test_the_docs_have_the_page_of_a_full_study(name: str) -> None:
    page = (DOCS / name / "README.md").read_text(encoding="utf-8")
    assert "Kaggle's files" in page or "points generated after" in page
    assert f"kpipe study {name}" in page
    assert f"]({name}/README.md)" in (DOCS / "README.md").read_text(encoding="utf-8")
    linked = re.findall(r"\]\(([^)]+\.(?:png|svg|csv|gif))\)", page)
    assert len(linked) >= 4
    assert [file for file in linked if not (DOCS / name / file).is_file()] == []


def test_the_docs_have_no_submission() -> None:
    kept = subprocess.run(
        ["git", "ls-files", "docs/studies"], cwd=DOCS.parents[1], capture_output=True, text=True, check=False
    ).stdout.split()  # outside a checkout, nothing
    assert not [path for path in kept if path.endswith("submission.csv")]


def test_the_competitions_of_the_studies_have_samples() -> None:
    assert {"titanic", "digit-recognizer", "house-prices-advanced-regression-techniques"} <= set(competitions.slugs())

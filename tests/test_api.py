"""The public Python API: names, signatures and help, and the runs that it returns."""

from __future__ import annotations

import inspect
import re
import shutil
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import kpipe
from kpipe.errors import UsageError

PAGE = Path(__file__).parents[1] / "docs" / "howto" / "python.md"
FUNCTIONS = ("run", "load_run", "runs", "compare", "blend", "report", "check", "load", "plot", "find")
INTERNAL = {"tell", "again", "command", "downloading", "rerun", "spent", "on_step", "on_check", "on_download"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run that has kept its models, and another one."""
    out = tmp_path_factory.mktemp("runs")
    kpipe.run("titanic", data="sample", models=["linear", "constant"], folds=2, keep_models=True, out=out, jobs=1)
    time.sleep(1)  # runs are in the order of the seconds in which they ended
    kpipe.run("titanic", data="sample", models=["linear"], folds=2, seed=1, out=out, jobs=1)
    return out


@pytest.fixture
def kept(runs: Path) -> kpipe.Run:
    return kpipe.load_run(kpipe.runs(out=runs)["path"][0])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_internal_parameter_is_public(name: str) -> None:
    assert not INTERNAL & {*inspect.signature(getattr(kpipe, name)).parameters}


def home(name: str) -> object:
    """The function behind a public name; of a package that can be called, the one that it calls."""
    from kpipe.report.page import report
    from kpipe.runs.listing import runs

    return {"report": report, "runs": runs}.get(name, getattr(kpipe, name))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_help_reads_like_numpydoc(name: str) -> None:
    text = inspect.getdoc(home(name)) or ""
    sections = re.findall(r"^(\w[\w ]*)\n-+$", text, flags=re.MULTILINE)
    assert {"Parameters", "Returns"} <= {*sections}
    documented = re.findall(r"^\*{0,2}([\w, ]+) :|^\*\*(\w+)$", text, flags=re.MULTILINE)
    named = {word.strip() for names, _ in documented for word in names.split(",")}
    parameters = {*inspect.signature(home(name)).parameters}  # type: ignore[arg-type]
    if name != "check":  # its options are those of run
        assert parameters <= named


def test_a_check_and_a_run_show_their_options_in_the_signature() -> None:
    assert {"data", "models", "folds", "metric"} <= {*inspect.signature(kpipe.check).parameters}
    assert {"budget", "seed", "out"} <= {*inspect.signature(kpipe.run).parameters}
    with pytest.raises(UsageError, match="no option 'command'"):
        kpipe.run("titanic", command=["kpipe"])  # type: ignore[call-arg]


def test_runs_is_a_table_with_a_row_for_each_run(runs: Path) -> None:
    table = kpipe.runs("titanic", out=runs)
    assert table["models"].tolist() == ["linear, constant", "linear"]
    assert table["score"].dtype == np.float64
    assert table["created"].is_monotonic_increasing
    assert kpipe.load_run(table["run_id"][1], out=runs).score == table["score"][1]


def test_runs_of_an_empty_folder_is_an_empty_table_with_the_same_columns(runs: Path, tmp_path: Path) -> None:
    empty = kpipe.runs(out=tmp_path)
    assert len(empty) == 0
    assert [*empty.columns] == [*kpipe.runs(out=runs).columns]


def test_a_run_that_cannot_be_read_is_left_out_with_a_warning(runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "titanic", tmp_path / "titanic")
    next((tmp_path / "titanic").glob("*/run.json")).write_text("{}")
    with pytest.warns(UserWarning, match="A run was skipped"):
        assert len(kpipe.runs(out=tmp_path)) == 1


def test_the_scores_of_a_run_end_with_the_ensemble(kept: kpipe.Run) -> None:
    scores = kept.scores
    assert scores.index.tolist() == ["linear", "constant", "ensemble"]
    assert scores.loc["ensemble", "score"] == kept.score
    assert scores["weight"].sum() == pytest.approx(1.0)
    assert {"fold 1", "fold 2"} <= {*scores.columns}


def test_the_predictions_of_the_models_make_those_of_the_run(kept: kpipe.Run) -> None:
    mean = sum(model.weight * model.test.to_numpy() for model in kept.models.values())
    own = kept.test[[name for name in kept.test if name.startswith("blend/")]].to_numpy()
    np.testing.assert_allclose(mean, own)
    assert kept.models["linear"].oof.columns.tolist() == ["0", "1"]


def test_runs_are_compared_and_blended_by_value_or_by_id(kept: kpipe.Run, runs: Path) -> None:
    other = kpipe.runs(out=runs)["run_id"][1]
    comparison = kpipe.compare(kept, other, out=runs)
    assert comparison.b == other
    assert isinstance(comparison.sides, pd.DataFrame)
    with pytest.raises(UsageError, match="must be a list"):
        kpipe.blend(kept)  # type: ignore[arg-type]


@pytest.fixture
def with_models(tmp_path: Path) -> kpipe.Run:
    """A run that has kept its models; each test has a secret of its own, which signs them."""
    return kpipe.run("titanic", data="sample", models=["linear"], folds=2, keep_models=True, out=tmp_path, jobs=1)


def test_kept_estimators_predict_what_the_run_has_predicted(with_models: kpipe.Run) -> None:
    problem = kpipe.define_problem(kpipe.find("titanic"), kpipe.load("titanic", "sample"))
    for name, model in with_models.models.items():
        estimators = model.estimators
        assert [*estimators] == [(0, 0), (0, 1)]
        mean = np.mean([one.predict_proba(problem.X_test) for one in estimators.values()], axis=0)
        np.testing.assert_allclose(mean, model.test.to_numpy(), err_msg=name)


def test_models_that_were_changed_or_that_somebody_else_has_written_are_not_loaded(
    with_models: kpipe.Run, kept: kpipe.Run
) -> None:
    file = with_models.path / "models" / "linear-seed0-fold1.joblib"
    file.write_bytes(file.read_bytes() + b"x")
    for run in (with_models, kept):  # the secret of this test has not signed the other
        with pytest.raises(UsageError, match="was not written by you on this machine"):
            _ = run.models["linear"].estimators


def test_a_run_without_models_says_how_to_keep_them(runs: Path) -> None:
    run = kpipe.load_run(kpipe.runs(out=runs)["path"][1])
    with pytest.raises(UsageError, match="keep_models=True"):
        _ = run.models["linear"].estimators


def test_the_importance_is_known_after_a_report(kept: kpipe.Run, tmp_path: Path) -> None:
    run = kpipe.load_run(shutil.copytree(kept.path, tmp_path / kept.path.name))
    with pytest.raises(UsageError, match=r"call kpipe\.report"):
        _ = run.importance
    page = kpipe.report(run, tmp_path / "page.html")
    assert page.is_file()
    assert [*run.importance.columns] == ["column", "importance", "standard_error"]
    assert run.importance["importance"].is_monotonic_decreasing


def test_the_examples_in_the_docs_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL):
        exec(block, names)
    assert (tmp_path / "titanic.html").is_file()
    assert (tmp_path / "folds.png").is_file()

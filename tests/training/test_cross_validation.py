from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import KFold, RepeatedStratifiedKFold

from kpipe.core.values import Context, Folds, ModelPredictions, Tables
from kpipe.errors import TrainingError, UsageError
from kpipe.features import ModeImputer
from kpipe.models import model
from kpipe.problem.problem import Problem
from kpipe.problem.splitters import ByTime, RowSplit
from kpipe.training import cross_validation
from kpipe.training.averaging import average_fits
from kpipe.training.cross_validation import count_fits, cross_validate
from kpipe.training.deadline import Deadline
from kpipe.training.folds import make_folds
from kpipe.training.task_runner import FitFinished, FitResults
from kpipe.training.worker import TrainingData
from tests.tables import prices, problem_of, survivors
from tests.training.models import (
    batch_mean,
    broken,
    counted,
    cross_validate_models,
    echo,
    hopeless,
    prior,
    random_tree,
    seeded,
    shortened,
)


def trained(made: Tables, name: str = "linear", **fields: object) -> tuple[Problem, Folds, ModelPredictions]:
    problem = problem_of(made, **fields)
    folds = make_folds(problem)
    (found,) = cross_validate(problem, folds, models={name: model(name)}, jobs=1).models
    return problem, folds, found


# out-of-fold and test predictions


def test_each_row_gets_the_prediction_that_was_made_for_it() -> None:
    made = prices()
    (found,) = cross_validate_models(made, {"echo": echo})[0].models
    np.testing.assert_array_equal(found.oof[:, 0], made.train["x"])
    np.testing.assert_allclose(found.test[:, 0], made.test["x"])


def test_a_row_that_no_fold_validates_is_nan_and_never_0() -> None:
    made = prices()
    problem = problem_of(made, splitter=RowSplit(0.75))
    (found,) = cross_validate(problem, make_folds(problem), models={"echo": echo}, jobs=1).models
    assert np.isnan(found.oof[:60]).all()
    np.testing.assert_array_equal(found.oof[60:, 0], made.train["x"][60:])


def test_permuted_test_rows_get_permuted_predictions() -> None:
    made = survivors()
    order = np.random.default_rng(0).permutation(len(made.test))
    models = {name: model(name) for name in ("linear", "boosting")}
    straight, _ = cross_validate_models(made, models)
    mixed, _ = cross_validate_models(replace(made, test=made.test.iloc[order].reset_index(drop=True)), models)
    for a, b in zip(straight.models, mixed.models, strict=True):
        np.testing.assert_allclose(a.test[order], b.test)


def test_worker_processes_give_the_same_bytes_as_this_process() -> None:
    models = {name: model(name) for name in ("linear", "boosting")}
    alone, _ = cross_validate_models(survivors(), models, jobs=1)
    together, _ = cross_validate_models(survivors(), models, jobs=2)
    for a, b in zip(alone.models, together.models, strict=True):
        assert a.oof.tobytes() == b.oof.tobytes()
        assert a.test.tobytes() == b.test.tobytes()


def test_predictions_are_averaged_over_seeds() -> None:
    one, two, both = (
        cross_validate_models(survivors(), {"m": seeded}, seeds=s)[0].models[0] for s in ([1], [2], [1, 2])
    )
    np.testing.assert_allclose(both.oof, (one.oof + two.oof) / 2)
    np.testing.assert_allclose(both.test, (one.test + two.test) / 2)


def test_the_mean_of_the_predictions_kept_of_each_fold_is_the_prediction_for_test() -> None:
    predictions, folds = cross_validate_models(survivors(), {"m": seeded}, seeds=[1, 2])
    kept = predictions.models[0].by_fold
    assert kept is not None
    assert len(kept.predictions) == len(folds.valid)
    assert np.ptp(kept.predictions, axis=0).max() > 0
    np.testing.assert_allclose(kept.predictions.mean(axis=0), predictions.models[0].test[kept.rows])


def test_a_row_that_several_folds_validate_gets_the_mean_of_their_predictions() -> None:
    made = survivors()
    splitter = RepeatedStratifiedKFold(n_splits=2, n_repeats=2, random_state=0)
    problem, folds, found = trained(made, splitter=splitter)
    expected = np.zeros((80, 2))
    for train, valid in zip(folds.train, folds.valid, strict=True):
        fitted = model("linear")(Context(task="classification", n_classes=2))
        fitted.fit(made.train[["x", "sex"]].iloc[train], problem.y[train])
        expected[valid] += fitted.predict_proba(made.train[["x", "sex"]].iloc[valid]) / 2
    np.testing.assert_allclose(found.oof, expected)


def test_labels_keep_their_order_and_spelling() -> None:
    made = survivors()
    made.train["survived"] = np.where(made.train["survived"] == 1, "yes", "no")
    predictions, _ = cross_validate_models(made, {"linear": model("linear")})
    assert predictions.classes is not None
    assert predictions.classes.tolist() == ["no", "yes"]
    right = predictions.models[0].oof.argmax(axis=1) == (made.train["survived"] == "yes")
    assert right.mean() > 0.7


def test_with_a_time_split_test_rows_are_predicted_by_a_model_fitted_on_all_rows() -> None:
    made = prices(n=90)
    train = made.train.assign(day=pd.date_range("2020-01-01", periods=90).astype(str))
    made = replace(made, train=train, test=made.test.assign(day="2021-01-01"))
    problem = problem_of(made, splitter=ByTime("day"), features=None, columns=("x",))
    folds = make_folds(problem)
    (found,) = cross_validate(problem, folds, models={"linear": model("linear")}, jobs=1).models
    assert folds.refit
    assert np.isnan(found.oof[:45]).all()
    assert np.isfinite(found.oof[45:]).all()
    on_all_rows = model("linear")(Context(task="regression")).fit(train[["x"]], train["price"])
    assert found.test[:, 0] == pytest.approx(on_all_rows.predict(made.test[["x"]]))
    assert found.by_fold is None


def test_a_model_whose_predictions_depend_on_the_batch_is_measured() -> None:
    found = cross_validate_models(prices(), {"echo": echo, "batch-mean": batch_mean})[0].models
    assert found[0].batch_dependence == 0
    assert found[1].batch_dependence > 0.01


# no leaks


@pytest.mark.parametrize("name", ["linear", "boosting"])
@pytest.mark.parametrize("kind", ["values", "labels"])
def test_predictions_of_a_fold_do_not_depend_on_its_own_targets(name: str, kind: str) -> None:
    made = prices() if kind == "values" else survivors()
    fields = {"splitter": KFold(4, shuffle=True)}
    _, folds, before = trained(made, name, **fields)
    column, rows = made.train.columns[-1], folds.valid[0]
    changed = made.train.copy()
    changed.loc[rows, column] = changed[column].max() - changed.loc[rows, column] + changed[column].min()
    _, _, after = trained(replace(made, train=changed), name, **fields)
    np.testing.assert_array_equal(before.oof[rows], after.oof[rows])
    assert not np.array_equal(before.oof, after.oof)


@pytest.mark.parametrize("name", ["linear", "boosting"])
def test_features_of_validation_rows_do_not_change_other_predictions(name: str) -> None:
    made = prices()
    made.train["town"] = pd.Series(["a", "b"] * 40, dtype="str")
    made.test["town"] = pd.Series(["a", "c"] * 15, dtype="str")
    fields = {"splitter": RowSplit(60), "features": ModeImputer()}
    _, _, before = trained(made, name, **fields)
    changed = made.train.copy()
    changed.loc[60:78, ["x", "town"]] = [1e6, "never seen"]
    _, _, after = trained(replace(made, train=changed), name, **fields)
    np.testing.assert_array_equal(before.oof[79], after.oof[79])
    np.testing.assert_array_equal(before.test, after.test)


# models that fail


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("raise", r"Model 'm' failed on fold \d: RuntimeError: the matrix is singular"),
        ("nan", r"Model 'm', fold \d: 16 of 16 predictions are not finite numbers"),
        ("shape", r"Model 'm', fold \d: predictions must have the shape \(16, 2\); got \(17, 2\)"),
    ],
)
def test_an_error_names_the_model_and_its_fold(how: str, words: str, jobs: int) -> None:
    with pytest.raises(TrainingError, match=words):
        cross_validate_models(survivors(), {"m": partial(broken, how=how)}, jobs=jobs)


def test_a_model_that_fails_beside_others_is_skipped_with_its_reason() -> None:
    found, _ = cross_validate_models(survivors(), {"sound": seeded, "broken": partial(broken, how="raise")}, jobs=1)
    assert [m.name for m in found.models] == ["sound"]
    assert "the matrix is singular" in found.skipped["broken"]


def test_the_fits_of_all_models_run_together_the_last_model_first() -> None:
    fits: list[FitFinished] = []
    models = {"first": seeded, "broken": partial(broken, how="raise"), "last": seeded}
    found, _ = cross_validate_models(survivors(), models, jobs=1, on_fit_done=fits.append)
    assert [fit.model for fit in fits] == ["last"] * 5 + ["first"] * 5
    assert [one.name for one in found.models] == ["first", "last"]


@pytest.mark.parametrize("models", [["m"], ["m", "n"]])
def test_an_error_of_what_is_called_with_each_fit_ends_the_training(models: list[str]) -> None:
    fits: list[FitFinished] = []

    def stop(fit: FitFinished) -> None:
        fits.append(fit)
        raise TrainingError("stopped")

    with pytest.raises(TrainingError, match="stopped"):
        cross_validate_models(survivors(), dict.fromkeys(models, prior), on_fit_done=stop)
    assert len(fits) == 1


# requested fits and checkpoints


def test_exactly_the_requested_fits_are_made(tmp_path: Path) -> None:
    models = {"m": partial(counted, folder=str(tmp_path))}
    found, folds = cross_validate_models(survivors(), models, fits={"m": {3: [0, 2], 5: [0]}})
    assert found.models[0].fits == {3: (0, 2), 5: (0,)}
    assert len(list(tmp_path.iterdir())) == 3
    assert count_fits(models, [0], folds, {"m": {3: [0, 2], 5: [0]}}) == 3
    with pytest.raises(
        TrainingError, match="No model was trained: the requested fits do not belong to folds of this run"
    ):
        cross_validate_models(survivors(), models, fits={"m": {3: [7]}})


def test_a_run_has_a_fit_for_each_model_seed_and_fold_and_one_on_all_rows_with_refit() -> None:
    folds = Folds(train=(np.arange(3),) * 4, valid=(np.arange(2),) * 4)
    assert count_fits(["a", "b"], [0, 1, 2], folds) == 24
    assert count_fits(["a", "b"], [0, 1, 2], replace(folds, refit=True)) == 30


def test_an_option_that_a_model_does_not_have_is_refused_before_anything_is_trained() -> None:
    fits: list[FitFinished] = []
    with pytest.raises(UsageError, match=r"The model 'boosting' has no option 'numleaves'\. Did you mean num_leaves\?"):
        cross_validate_models(
            survivors(), {"prior": prior, "mine": model("boosting", numleaves=7)}, on_fit_done=fits.append, jobs=1
        )
    assert fits == []


# budgets


@pytest.mark.slow  # stopped workers take seconds to be back, and more on a busy machine
def test_a_model_that_would_not_finish_within_the_budget_is_skipped(tmp_path: Path) -> None:
    quick, slow = partial(counted, folder=str(tmp_path)), partial(counted, folder=str(tmp_path), seconds=600.0)
    found, _ = cross_validate_models(
        survivors(), {"quick": quick, "slow": slow, "last": seeded}, deadline=Deadline(40.0), jobs=2
    )
    assert [m.name for m in found.models] == ["quick", "last"]
    assert "budget of 40 s" in found.skipped["slow"]


def test_a_model_that_never_ends_is_stopped_at_the_deadline(tmp_path: Path) -> None:
    quick, endless = partial(counted, folder=str(tmp_path)), partial(counted, folder=str(tmp_path), seconds=600.0)
    began = time.monotonic()
    found, _ = cross_validate_models(survivors(), {"quick": quick, "endless": endless}, deadline=Deadline(12.0), jobs=1)
    assert time.monotonic() - began < 30
    assert [m.name for m in found.models] == ["quick"]
    assert "endless" in found.skipped


@pytest.mark.slow
def test_finished_folds_of_the_only_model_are_used_and_the_missing_ones_are_counted(tmp_path: Path) -> None:
    stuck = partial(counted, folder=str(tmp_path), seconds=600.0, quick=2)
    cross_validate_models(survivors(), {"prior": prior}, jobs=2)  # start the workers before the deadline is set
    found, folds = cross_validate_models(survivors(), {"stuck": stuck}, deadline=Deadline(5.0), jobs=2)
    (only,) = found.models
    predicted = ~np.isnan(only.oof).any(axis=1)
    assert predicted.sum() == 32
    assert {int(predicted[valid].mean()) for valid in folds.valid} == {0, 1}
    assert list(found.skipped) == ["stuck (3 of 5 fits)"]
    assert found.skipped["stuck (3 of 5 fits)"].startswith("it would not finish within the budget of 5 s: its 5 fits ")


def test_a_budget_that_is_too_short_for_every_model_ends_with_a_linear_model_of_a_sample() -> None:
    models = {"linear": model("linear"), "prior": prior}
    found, folds = cross_validate_models(survivors(), models, deadline=Deadline(0.0), jobs=1)
    (only,) = found.models
    assert (only.name, found.fallback) == ("quick-linear", "")
    assert only.fits == {0: (0,)}  # no time for further folds
    assert np.isfinite(only.oof[folds.valid[0]]).all()
    assert len(np.unique(only.test, axis=0)) > 10
    assert set(found.skipped) == {"linear", "prior"}


def test_a_net_that_learns_less_in_its_few_steps_than_a_linear_model_is_not_submitted() -> None:
    found, _ = cross_validate_models(survivors(), {"net": shortened}, deadline=Deadline(30.0), jobs=1)
    assert [one.name for one in found.models] == ["quick-linear"]
    assert found.models[0].fits == {0: (0, 1, 2, 3, 4)}
    assert found.skipped == {"net": "there was time for so few steps that quick-linear predicts better"}
    assert not found.shortened


def test_a_shortened_net_is_not_compared_with_a_linear_model_of_other_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_first_fold(name: str, fits: FitResults, data: TrainingData, folds: Folds) -> ModelPredictions:
        found = average_fits(name, fits, data, folds)
        if name == "net":
            found.oof[folds.valid[0]] = np.nan
        return found

    monkeypatch.setattr("kpipe.training.cross_validation.average_fits", without_first_fold)
    found, _ = cross_validate_models(survivors(), {"net": shortened}, deadline=Deadline(30.0), jobs=1)
    assert [one.name for one in found.models] == ["net"]


def test_a_net_that_has_time_for_too_few_steps_is_left_out_where_another_model_predicts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    models = {"net": hopeless, "prior": prior}
    found, _ = cross_validate_models(survivors(), models, deadline=Deadline(30.0), jobs=1)
    assert [one.name for one in found.models] == ["prior"]
    assert found.skipped["net"].startswith("it would not finish within the budget of 30 s: its 5 fits need more than ")
    monkeypatch.setattr(cross_validation, "_QUICK_CELLS", 0)
    found, _ = cross_validate_models(survivors(), models, deadline=Deadline(30.0), jobs=1)
    assert [one.name for one in found.models] == ["net", "prior"]


@pytest.mark.slow  # a budget of real seconds
def test_boosting_that_runs_out_of_time_keeps_its_trees_and_is_repeated_to_the_byte(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cross_validation, "_QUICK_CELLS", 0)
    models = {"catboost": model("catboost", iterations=1_000_000)}
    found, _ = cross_validate_models(survivors(), models, deadline=Deadline(12.0), jobs=2)
    (only,) = found.models
    assert only.name == "catboost"
    assert set(found.shortened) == {f"catboost-seed0-fold{fold}" for fold in only.fits[0]}
    again, _ = cross_validate_models(survivors(), models, fits={"catboost": only.fits}, steps=found.shortened, jobs=2)
    np.testing.assert_array_equal(again.models[0].oof, only.oof)
    np.testing.assert_array_equal(again.models[0].test, only.test)


def test_beside_a_model_that_was_trained_in_full_no_quick_model_is_submitted() -> None:
    found, _ = cross_validate_models(survivors(), {"net": shortened, "prior": prior}, deadline=Deadline(30.0), jobs=1)
    assert [one.name for one in found.models] == ["net", "prior"]


def test_where_workers_would_start_too_late_a_quick_model_comes_first() -> None:
    found, _ = cross_validate_models(survivors(), {"linear": model("linear")}, deadline=Deadline(1.5), jobs=1)
    assert found.models[0].name == "quick-linear"
    assert 0 in found.models[0].fits[0]


def test_a_budget_that_is_too_short_for_every_model_of_a_large_table_ends_with_a_constant_prediction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cross_validation, "_QUICK_CELLS", 0)
    found, _ = cross_validate_models(
        survivors(), {"linear": model("linear"), "prior": prior}, deadline=Deadline(0.0), jobs=1
    )
    (only,) = found.models
    assert only.name == "constant"
    assert np.isfinite(only.oof).all()
    assert len(np.unique(only.test, axis=0)) == 1
    assert found.fallback.startswith(
        "0 s is too short for any of the 2 models: reading and preparing the tables took the time. The submission is"
    )
    assert set(found.skipped) == {"linear", "prior"}
    assert all(reason.endswith("of 0 s: no time was left for it") for reason in found.skipped.values())


@pytest.mark.slow
def test_the_only_model_may_use_all_of_the_time(tmp_path: Path) -> None:
    slow = partial(counted, folder=str(tmp_path), seconds=4.0)
    found, _ = cross_validate_models(survivors(), {"slow": slow}, deadline=Deadline(6.0), jobs=1)
    assert [m.name for m in found.models] == ["slow"]


@pytest.mark.slow
def test_a_first_model_that_never_ends_leaves_time_for_a_quicker_one(tmp_path: Path) -> None:
    endless = partial(counted, folder=str(tmp_path), seconds=600.0)
    found, _ = cross_validate_models(survivors(), {"endless": endless, "quick": seeded}, deadline=Deadline(6.0), jobs=1)
    assert [m.name for m in found.models] == ["quick"]


def test_time_left_is_spent_on_additional_seeds_of_the_models_that_a_seed_changes() -> None:
    fits: list[FitFinished] = []
    models = {"prior": prior, "seeded": seeded}
    cross_validate_models(survivors(), models, deadline=Deadline(60.0), on_fit_done=fits.append, jobs=1)
    trained_seeds = {name: {fit.seed for fit in fits if fit.model == name} for name in models}
    assert trained_seeds == {"prior": {0, 1}, "seeded": set(range(30))}
    assert [fit.done for fit in fits] == list(range(1, 5 * 32 + 1))
    assert {fit.total for fit in fits} == {None}  # a total that changes on the way would mislead


def test_additional_seeds_go_first_to_the_models_with_a_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cross_validation, "additional_seeds", lambda seeds: range(1, 4))
    fits: list[FitFinished] = []
    models = {"noise": seeded, "tree": random_tree}
    cross_validate_models(survivors(), models, deadline=Deadline(60.0), on_fit_done=fits.append, jobs=1)
    assert [*dict.fromkeys((fit.model, fit.seed) for fit in fits if fit.seed)] == [
        *(("tree", seed) for seed in (1, 2, 3)),
        *(("noise", seed) for seed in (1, 2, 3)),
    ]


def test_requested_fits_get_no_additional_seeds() -> None:
    found, _ = cross_validate_models(
        survivors(), {"m": seeded}, fits={"m": {3: [0, 1, 2, 3, 4]}}, deadline=Deadline(60.0), jobs=1
    )
    assert found.models[0].seeds == (3,)

from __future__ import annotations

import inspect
import pickle
import pkgutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier, is_regressor

import kpipe.models
from kpipe.core.values import Context, Task
from kpipe.errors import UsageError
from kpipe.models import CATALOG, CatalogEntry, Model, model, read_catalog
from tests.tables import prices, survivors

LIGHT = ("linear", "boosting", "catboost", "forest")  # torch's have test files of their own
TASKS: dict[Task, Context] = {
    "classification": Context(task="classification", n_classes=2, seed=3),
    "regression": Context(task="regression", seed=3),
}
BOTH = pytest.mark.parametrize("task", TASKS)


def table(task: Task) -> tuple[pd.DataFrame, np.ndarray]:
    made, target = (survivors(), "survived") if task == "classification" else (prices(), "price")
    return made.train.drop(columns=["id", target]), made.train[target].to_numpy()


def predicted(name: str, task: Task, X: pd.DataFrame, **context: int) -> np.ndarray:
    features, y = table(task)
    estimator = model(name)(Context(task=task, n_classes=2, **context)).fit(features, y)
    return np.asarray(estimator.predict_proba(X) if task == "classification" else estimator.predict(X))


@pytest.mark.parametrize("name", CATALOG)
def test_a_model_of_the_catalogue_can_be_pickled(name: str) -> None:
    assert pickle.loads(pickle.dumps(model(name, option=1))) == Model(name, {"option": 1})


def test_importing_the_catalogue_and_naming_every_model_loads_no_library_of_models() -> None:
    code = (
        "import sys; from kpipe.models import CATALOG, model; [model(name) for name in CATALOG]; "
        "print(sorted({'torch', 'lightgbm', 'fastai', 'xgboost', 'catboost', 'sklearn'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


def test_the_catalogue_holds_each_public_factory_below_kpipe_models_with_the_first_line_of_its_docstring() -> None:
    modules = [import_module(info.name) for info in pkgutil.walk_packages(kpipe.models.__path__, "kpipe.models.")]
    factories = {
        name: CatalogEntry(module.__name__, (function.__doc__ or "").splitlines()[0].rstrip("."))
        for module in modules
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__
        and not name.startswith("_")
        and str(next(iter(inspect.signature(function).parameters.values()), "")) == "context: 'Context'"
    }
    assert {name.replace("_", "-"): entry for name, entry in factories.items()} == CATALOG
    assert all(entry.description for entry in CATALOG.values())


def test_a_new_file_with_a_factory_is_a_new_model(tmp_path: Path) -> None:
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "sample.py").write_text(
        'def _helper(context: Context) -> None:\n    """Private."""\n\n\n'
        "def new_net(\n    context: Context, *, layers: int = 2\n) -> BaseEstimator:\n"
        '    """A new net.\n\n    More.\n    """\n'
    )
    assert read_catalog(tmp_path, "some.models") == {"new-net": CatalogEntry("some.models.nets.sample", "A new net")}


@pytest.mark.parametrize(("name", "meant"), [("lineer", "linear"), ("boost", "boosting"), ("conv_net", "convnet")])
def test_a_misspelled_name_is_refused_with_the_most_similar_model(name: str, meant: str) -> None:
    with pytest.raises(UsageError, match=rf"no model '{name}'\. Did you mean {meant}\?"):
        model(name)


def test_an_unknown_name_is_refused_with_a_list_of_all_models() -> None:
    with pytest.raises(UsageError, match=rf"no model 'zzz'\. The models are: {', '.join(CATALOG)}"):
        model("zzz")


@BOTH
@pytest.mark.parametrize("name", LIGHT)
def test_a_factory_gives_an_unfitted_estimator_of_its_task_that_can_be_cloned(name: str, task: Task) -> None:
    estimator = clone(model(name)(TASKS[task]))
    assert is_classifier(estimator) == (task == "classification")
    assert is_regressor(estimator) == (task == "regression")
    assert not hasattr(estimator, "n_features_in_")


@BOTH
@pytest.mark.parametrize("name", LIGHT)
def test_the_same_seed_gives_the_same_bytes_whatever_the_threads(name: str, task: Task) -> None:
    X, _ = table(task)
    once = predicted(name, task, X, seed=3, threads=1)
    assert once.tobytes() == predicted(name, task, X, seed=3, threads=1).tobytes()
    assert once.tobytes() == predicted(name, task, X, seed=3, threads=2).tobytes()


@BOTH
def test_another_seed_gives_other_trees(task: Task) -> None:
    X, _ = table(task)
    assert predicted("boosting", task, X, seed=1).tobytes() != predicted("boosting", task, X, seed=2).tobytes()


@BOTH
@pytest.mark.parametrize("name", LIGHT)
def test_the_prediction_of_a_row_does_not_depend_on_other_rows(name: str, task: Task) -> None:
    X, _ = table(task)
    together = predicted(name, task, X)
    np.testing.assert_allclose(predicted(name, task, X.iloc[[7, 3]]), together[[7, 3]], rtol=1e-12)


@BOTH
@pytest.mark.parametrize("name", LIGHT)
def test_missing_values_and_unseen_categories_get_finite_predictions(name: str, task: Task) -> None:
    X, _ = table(task)
    strange = X.head(3).assign(x=[np.nan, 1e300, -1e300])
    if "sex" in strange:
        strange["sex"] = pd.Series([None, "unknown", "male"], dtype=X["sex"].dtype)
    assert np.isfinite(predicted(name, task, strange)).all()


_NEED_MORE = ("xgboost", "pretrained", "sentence-embeddings", "vision-learner")  # a package, or weights


@pytest.mark.parametrize("name", [name for name in CATALOG if name not in _NEED_MORE])
def test_an_option_that_a_model_does_not_have_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=rf"^The model '{name}' has no option 'nonsense'\. ?(Its options:|It has no)"):
        model(name, nonsense=7)(TASKS["classification"])


@pytest.mark.parametrize(
    ("name", "option", "meant"),
    [
        ("boosting", "numleaves", "num_leaves"),
        ("boosting", "bagging_fractions", "bagging_fraction"),
        ("catboost", "dept", "depth"),
        ("linear", "c", "C"),
        ("forest", "n_estimator", "n_estimators"),
        ("neural", "epoch", "epochs"),
        ("tabular-net", "member", "members"),
    ],
)
def test_a_misspelled_option_is_refused_with_the_one_that_was_meant(name: str, option: str, meant: str) -> None:
    with pytest.raises(UsageError, match=rf"has no option '{option}'\. Did you mean {meant}\?"):
        model(name, **{option: 7})(TASKS["classification"])


def test_options_reach_the_estimator_and_replace_the_defaults() -> None:
    context = TASKS["classification"]
    assert model("linear", C=0.25)(context)[-1].C == 0.25
    assert model("boosting", num_leaves=3)(context)[-1].estimator.num_leaves == 3
    assert model("boosting")(context)[-1].random_state == 3

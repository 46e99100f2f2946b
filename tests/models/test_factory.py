from __future__ import annotations

import pytest

from kpipe.core.values import Context
from kpipe.errors import UsageError
from kpipe.models.factory import canonical_names, require_binary, require_classification, with_context

REGRESSION = Context(task="regression")
CLASSES = Context(task="classification", n_classes=10, seed=3, threads=2, device="cpu")


def test_an_alias_becomes_the_canonical_name_and_other_options_stay() -> None:
    assert canonical_names({"eta": 0.1, "depth": 3}, {"eta": "learning_rate"}) == {"learning_rate": 0.1, "depth": 3}


def test_an_option_of_none_is_left_to_the_default_and_one_under_two_names_is_refused() -> None:
    assert canonical_names({"eta": None, "learning_rate": 0.1}, {"eta": "learning_rate"}) == {"learning_rate": 0.1}
    with pytest.raises(UsageError, match="eta and learning_rate are names of the same option: give only one of them"):
        canonical_names({"eta": 0.2, "learning_rate": 0.1}, {"eta": "learning_rate"})


def test_the_users_options_replace_those_of_the_context() -> None:
    assert with_context({}, CLASSES) == {"random_state": 3, "threads": 2, "device": "cpu"}
    assert with_context({"random_state": 9, "lr": 0.1}, CLASSES)["random_state"] == 9


def test_a_task_that_a_model_cannot_do_is_refused() -> None:
    require_classification("convnet", CLASSES)
    require_binary("deep", Context(task="classification", n_classes=2))
    with pytest.raises(UsageError, match=r"^The model 'convnet' needs classes, but the task is regression\. Choose"):
        require_classification("convnet", REGRESSION)
    with pytest.raises(UsageError, match=r"^The model 'deep' needs two classes, but the task is regression\. Choose"):
        require_binary("deep", REGRESSION)
    with pytest.raises(UsageError, match=r"^The model 'deep' needs two classes, but the target has 10\. Choose"):
        require_binary("deep", CLASSES)

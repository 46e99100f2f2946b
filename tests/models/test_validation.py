from __future__ import annotations

import numpy as np
import pytest

from kpipe.errors import TrainingError
from kpipe.models.validation import require, require_finite, require_one_of


def test_a_broken_rule_is_a_value_error_with_the_rule_and_the_value() -> None:
    require(True, "lr must be above 0", 0.1)
    with pytest.raises(ValueError, match=r"^lr must be above 0, got -1\.$"):
        require(False, "lr must be above 0", -1)


def test_a_value_that_is_not_allowed_is_refused_with_the_allowed_ones() -> None:
    require_one_of("size", "small", ("small", "large"))
    with pytest.raises(ValueError, match=r"^size must be 'small' or 'large', got 'huge'\.$"):
        require_one_of("size", "huge", ("small", "large"))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_the_first_loss_that_is_not_finite_is_an_error_with_its_epoch_and_learning_rate(bad: float) -> None:
    require_finite([1.0, 0.5], lr=0.1)
    with pytest.raises(TrainingError, match=rf"^The loss is no longer a finite number: {bad} in epoch 2 with lr=0\.01"):
        require_finite([1.0, bad, np.nan], lr=[0.1, 0.01, 0.001])
    with pytest.raises(TrainingError, match=r"in epoch 7 with lr=0\.1\. Use a smaller .*, such as lr=0\.01\.$"):
        require_finite([bad], lr=0.1, first_epoch=7)

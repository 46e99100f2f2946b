from __future__ import annotations

import pytest

from kpipe.checks import fresh_process
from kpipe.errors import TrainingError
from kpipe.models import model
from kpipe.training.folds import make_folds
from tests.tables import problem_of, survivors


def test_a_fit_that_takes_too_long_is_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fresh_process, "_TIMEOUT", 0.01)
    problem = problem_of(survivors())
    with pytest.raises(TrainingError, match="takes longer than"):
        fresh_process.fit_in_fresh_process(
            problem, make_folds(problem), {"constant": model("constant")}, device="cpu", hash_seed=1
        )

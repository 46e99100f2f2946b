"""``postprocess`` of a competition, applied in the same way to out-of-fold and test predictions."""

from __future__ import annotations

import numpy as np

from kpipe.core.values import Ensemble, Tables
from kpipe.problem.postprocessing import postprocess
from tests.tables import prices, problem_of


def test_postprocess_gets_the_rows_of_its_predictions_without_their_target() -> None:
    made, seen = prices(), []

    def note(predictions: np.ndarray, tables: Tables) -> np.ndarray:
        seen.append((len(predictions), len(tables.test), "price" in tables.test))
        return predictions

    made_blend = Ensemble(weights={}, oof=np.ones((80, 1)), test=np.ones((30, 1)))
    postprocess(problem_of(made, postprocess=note), made_blend)
    assert seen == [(80, 80, False), (30, 30, False)]

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import KFold

from kpipe.core.values import KeptFamily
from kpipe.features.automatic import AutomaticFeatures
from kpipe.runs.record import make_record
from kpipe.training.kept_families import FAMILIES_SHAPE, families_from_array, families_to_array
from tests.runs.helpers import result_of
from tests.tables import tables

NUMBERS = st.floats(0, 1e6)
KEPT = st.builds(
    KeptFamily,
    name=st.text(max_size=10),
    candidates=st.integers(1, 16),
    strongest=st.lists(st.text(max_size=20), max_size=3).map(tuple),
    gain=NUMBERS,
    standard_error=NUMBERS,
    output=st.integers(0, 5),
)


@given(st.lists(KEPT, max_size=20))
def test_a_checkpoint_restores_the_families_that_it_has_room_for(families: list[KeptFamily]) -> None:
    array = families_to_array(families)
    assert array.shape == FAMILIES_SHAPE
    assert np.isfinite(array).all()
    found = families_from_array(array)
    assert found == tuple(families[: len(found)])
    assert len(found) == len(families) or len(found) >= 2


@pytest.mark.parametrize("n_targets", [1, 2])
def test_run_json_says_which_families_each_fold_uses(n_targets: int) -> None:
    draw, n = np.random.default_rng(0), 2100
    columns = {name: draw.normal(size=n) for name in ("a", "b")}
    frame = pd.DataFrame({"id": np.arange(n), **columns})
    names = ["t", "u"][:n_targets]
    values = {name: np.sign(frame["a"] - frame["b"]) + 0.1 * draw.normal(size=n) for name in names}
    test = frame.head(20).assign(id=np.arange(n, n + 20))
    made = tables(frame.assign(**values), test, test[["id"]].assign(**dict.fromkeys(names, 0.5)))
    features = AutomaticFeatures(families=["arithmetic"])
    result = result_of(made, "linear", metric="rmse", splitter=KFold(2), features=features)
    record = make_record(result, seeds=[0], device="cpu", command=["kpipe"], seconds=1.0)
    found = record["families"]
    assert json.loads(json.dumps(found)) == found
    assert {(one["fold"], one["target"]) for one in found} == {(fold, name) for fold in range(2) for name in names}
    for one in found:
        assert one["family"] == "arithmetic"
        assert one["strongest"][0] == "a b -"
        assert one["gain"] > 3.5 * one["standard_error"]

from __future__ import annotations

import pickle

import pytest

from kpipe.errors import TrainingError
from kpipe.training.backends import shared_data
from kpipe.training.backends.cluster import library_versions, run_call


def test_a_call_finds_the_shared_data_while_it_runs() -> None:
    assert run_call(pickle.dumps(shared_data), library_versions(), "the data") == "the data"
    assert shared_data() is None


def test_a_worker_with_another_version_of_a_library_is_refused_with_both_versions() -> None:
    call = pickle.dumps(str)
    assert run_call(call, library_versions(), None) == ""
    with pytest.raises(TrainingError, match=r"this worker has numpy \S+, not 0\.1"):
        run_call(call, {**library_versions(), "numpy": "0.1"}, None)
    with pytest.raises(TrainingError, match=r"this worker has cuml missing, not 25"):
        run_call(call, {**library_versions(), "cuml": "25"}, None)

"""scipy is imported without its documentation, and computes the same."""

from __future__ import annotations

import subprocess
import sys

import pytest

_SCRIPT = """
import sys
from kpipe.core.scipy_docs import skip_scipy_docs

if sys.argv[1] == "skip":
    skip_scipy_docs()
    assert "scipy" not in sys.modules
import numpy as np, scipy.optimize, scipy.signal, scipy.special, scipy.stats, sklearn.linear_model
print(scipy.stats.norm.ppf(0.975), scipy.stats.mode([1, 2, 2]), scipy.special.softmax([1.0, 2.0]).tolist())
print(scipy.stats.ttest_ind(np.arange(3.0), np.arange(5.0) ** 2))
print(scipy.optimize.minimize(np.sum, [1.0], bounds=[(0, 1)]).x)
print("Array API" in (scipy.special.softmax.__doc__ or ""), file=sys.stderr)
"""


@pytest.mark.slow  # two fresh processes
def test_scipy_computes_the_same_without_its_documentation() -> None:
    made = [
        subprocess.run([sys.executable, "-c", _SCRIPT, how], capture_output=True, text=True) for how in ("", "skip")
    ]
    assert [one.returncode for one in made] == [0, 0], made[1].stderr
    assert made[0].stdout == made[1].stdout

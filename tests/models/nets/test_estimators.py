from __future__ import annotations

import subprocess
import sys

import numpy as np

from kpipe.models.nets.estimators import draw_seed, pixel_scale


def test_the_same_random_state_gives_the_same_seed() -> None:
    assert draw_seed(3) == draw_seed(3) != draw_seed(4)
    state = np.random.RandomState(3)
    assert draw_seed(3) == draw_seed(state)
    assert draw_seed(state) != draw_seed(3)


def test_pixels_are_scaled_by_255_as_bytes_and_by_their_largest_value_as_floats() -> None:
    assert pixel_scale(np.array([[0, 7]], dtype=np.uint8)) == 255
    assert pixel_scale(np.array([[0.0, -2.0]])) == 2
    assert pixel_scale(np.zeros((1, 2))) == 1


def test_the_module_does_not_import_torch() -> None:
    code = "import sys, kpipe.models.nets.estimators; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0

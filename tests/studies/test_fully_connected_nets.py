"""The points are generated and the nets are trained as in the notebook."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from kpipe.errors import TrainingError
from kpipe.studies import fully_connected_nets as module
from kpipe.studies.fully_connected_nets import circle, curve, fit, plain_loop, wave


def test_the_points_of_the_regression_are_those_of_the_notebook() -> None:
    torch.manual_seed(42)
    x = 1.5 * torch.randn(100)
    y = 2 * x + 3 * torch.sin(3 * x) + 1 + 2 * torch.randn(100)
    drawn = curve(42)
    torch.testing.assert_close(drawn.inputs[0], x)
    torch.testing.assert_close(drawn.targets, y)


def test_labels_are_flipped_mostly_near_the_circle_with_the_probability_of_the_truth() -> None:
    drawn = circle(42)
    assert drawn.inputs.shape == (2, 200)
    distance = drawn.test_inputs.norm(dim=0)
    inside = distance < math.pi
    flipped = drawn.test_targets.bool() != inside
    near = (distance - math.pi).abs() < 0.2
    assert flipped[near].float().mean() == pytest.approx(0.29, abs=0.04)
    assert flipped[~near & ((distance - math.pi).abs() > 2)].float().mean() < 0.05
    assert (drawn.test_targets - drawn.test_truth).mean() == pytest.approx(0, abs=0.01)
    expected = 0.3 * 0.49 / ((distance - math.pi) ** 2 + 0.49)
    torch.testing.assert_close(drawn.test_truth, torch.where(inside, 1 - expected, expected))


@pytest.mark.parametrize("draw", [curve, circle])
@pytest.mark.parametrize("hidden", [(), (3,), (7, 7, 7)])
def test_six_nets_in_parallel_make_the_steps_of_the_plain_loop(draw, hidden) -> None:
    drawn, steps = draw(1), 40
    theirs = plain_loop(drawn, hidden, seed=5)(steps + 1)
    theirs = theirs.sigmoid() if drawn.classes else theirs
    ours = fit(drawn, hidden, epochs=steps, seed=5)
    np.testing.assert_allclose(ours.outputs, theirs, rtol=2e-4, atol=2e-5)
    np.testing.assert_allclose(ours.predict(drawn.inputs), ours.outputs, rtol=1e-5, atol=1e-6)


def test_the_net_of_a_fold_is_not_trained_on_its_validation_points() -> None:
    """Changing one target changes the out-of-fold outputs of the other folds' points, never its own."""
    first = curve(3)
    moved = first.targets.clone()
    moved[17] += 100
    before = fit(first, (4,), epochs=30, seed=0)
    after = fit(replace(first, targets=moved), (4,), epochs=30, seed=0)
    assert before.oof_outputs[17] == after.oof_outputs[17]
    assert (before.oof_outputs != after.oof_outputs).mean() > 0.7
    assert before.outputs[17] != after.outputs[17]


def test_two_linear_layers_are_a_straight_line() -> None:
    net = fit(curve(42), (30,), epochs=50, linear=True, seed=0)
    height = net.predict(torch.linspace(-4, 4, 101)[None])
    assert np.abs(np.diff(height, n=2)).max() < 1e-5
    assert np.abs(np.diff(height)).max() > 0.01


def test_the_trained_line_is_the_least_squares_solution() -> None:
    drawn = curve(42)
    line = fit(drawn, (), epochs=2000, seed=0)
    slope, height = np.polyfit(drawn.inputs[0].numpy(), drawn.targets.numpy(), 1)
    np.testing.assert_allclose(line.path[-1], [slope, height], rtol=1e-3)
    residuals = slope * drawn.inputs[0].numpy() + height - drawn.targets.numpy()
    np.testing.assert_allclose(line.train[-1], np.square(residuals).mean(), rtol=1e-4)


def test_the_true_curve_leaves_the_noise_of_the_test_points() -> None:
    drawn = curve(7)
    noise = (drawn.test_targets - drawn.test_truth).square().mean()
    assert noise == pytest.approx(4, abs=0.2)
    torch.testing.assert_close(drawn.test_truth, wave(drawn.test_inputs[0]))


def test_a_diverging_loss_is_an_error_that_names_the_net(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LR", 1e30)
    with pytest.raises(TrainingError, match=r"The loss of the net \(\) is no longer a finite number with lr=1e\+30"):
        fit(curve(0), (), epochs=20, seed=0)

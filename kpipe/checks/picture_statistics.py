"""Test pictures that differ from train's in colour, sharpness or orientation; single pixels that predict the class."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from kpipe.checks.interface import Finding, TableCheck
from kpipe.checks.statistics import ks_statistic
from kpipe.core.values import Folds
from kpipe.data.pixels import picture_columns, picture_shape
from kpipe.problem.problem import Problem

__all__ = ["TABLE_CHECKS", "pictures_alike", "pixels_tell_the_class"]

_ROWS, _MIN_ROWS = 2_000, 100  # pictures of each table that are compared
# The Kolmogorov-Smirnov statistic that chance exceeds once in 100,000 times, over sqrt((n + m) / (n m)); and the least
# that counts.
_CRITICAL, _UNLIKE = 2.5, 0.1
_TABULATED, _PIXELS, _LEVELS, _MAX_CLASSES = 3_000, 3_072, 16, 50  # rows, pixels and grey levels that are tabulated
# Share of the uncertainty about the class that a pixel explains: likely a mark, and surely one; and how many times as
# much as nine of ten pixels explain.
_MARK, _SURE_MARK, _TIMES = 0.15, 0.5, 4.0
_EDGE = 3  # pixels from the edge, all of which are looked at: marks are mostly there


def pictures_alike(problem: Problem, _: Folds) -> Iterator[Finding]:
    """Whether test pictures have the colours, sharpness and orientation of train's; nothing without pictures.

    Parameters
    ----------
    problem : Problem

    Yields
    ------
    Finding
    """
    columns = picture_columns(problem.columns)
    shape = picture_shape(columns)
    tables = problem.tables
    if shape is None or min(len(tables.train), len(tables.test)) < _MIN_ROWS:
        return
    rng, described = np.random.default_rng(0), []
    for frame in (tables.train, tables.test):
        rows = np.sort(rng.permutation(len(frame))[:_ROWS])
        described.append(_describe(frame[columns].iloc[rows].to_numpy(), shape))
    limit = max(_UNLIKE, _CRITICAL * float(np.sqrt(sum(1 / len(next(iter(part.values()))) for part in described))))
    found = []
    for name, ours in described[0].items():
        theirs = described[1][name]
        distance = ks_statistic(np.sort(ours), np.sort(theirs))
        if distance > limit:
            found.append((distance, f"{name} ({np.median(theirs):.3g} in test, {np.median(ours):.3g} in train)"))
    if not found:
        yield "pass", "Test pictures have the same brightness, colours, sharpness and orientation as train pictures."
        return
    shown = ", ".join(text for _, text in sorted(found, reverse=True)[:3])
    yield (
        "warn",
        f"Test pictures differ from train pictures in {shown}; medians. They may be grey, blurred, rotated, saved "
        "differently, or have their channels in another order: compare some of both, and convert them to the same "
        "form before training.",
    )


def _describe(pixels: np.ndarray, shape: tuple[int, int, int]) -> dict[str, np.ndarray]:
    """(n,) numbers that describe pictures, by name."""
    pictures = pixels.reshape(-1, *shape).astype(np.float32)
    grey = pictures.mean(axis=3)
    across = np.abs(np.diff(grey, axis=2)).mean(axis=(1, 2)) if shape[1] > 1 else np.zeros(len(grey))
    down = np.abs(np.diff(grey, axis=1)).mean(axis=(1, 2)) if shape[0] > 1 else np.zeros(len(grey))
    top, left = max(shape[0] // 2, 1), max(shape[1] // 2, 1)
    described = {
        "brightness": grey.mean(axis=(1, 2)),
        "contrast": grey.std(axis=(1, 2)),
        "sharpness": (across + down) / np.maximum(grey.std(axis=(1, 2)), 1.0),
        "steps across minus steps down": across - down,
        "brightness of the upper half minus the lower": grey[:, :top].mean(axis=(1, 2))
        - grey[:, -top:].mean(axis=(1, 2)),
        "brightness of the left half minus the right": grey[:, :, :left].mean(axis=(1, 2))
        - grey[:, :, -left:].mean(axis=(1, 2)),
    }
    if shape[2] >= 3:
        described["colour"] = (pictures.max(axis=3) - pictures.min(axis=3)).mean(axis=(1, 2))
        described["red minus blue"] = (pictures[..., 0] - pictures[..., 2]).mean(axis=(1, 2))
    return described


def pixels_tell_the_class(problem: Problem, _: Folds) -> Iterator[Finding]:
    """Whether a single pixel predicts the class, as a mark or a frame does; nothing without pictures.

    Parameters
    ----------
    problem : Problem

    Yields
    ------
    Finding
    """
    columns = picture_columns(problem.columns)
    shape = picture_shape(columns)
    y = problem.y
    if shape is None or problem.labels is None or y.ndim > 1 or not 2 <= len(problem.labels) <= _MAX_CLASSES:
        return
    rng = np.random.default_rng(0)
    rows = np.sort(rng.permutation(len(problem.tables.train) - problem.tables.extra)[:_TABULATED])
    if len(rows) < _MIN_ROWS * 2:
        return
    pictures = problem.tables.train[columns].iloc[rows].to_numpy()
    places = _places(shape, rng)
    explained = _explained_shares(pictures[:, places], y[rows].astype(np.int64), len(problem.labels))
    best = int(np.argmax(explained))
    usual = float(np.quantile(explained, 0.9))
    row, rest = divmod(int(places[best]), shape[1] * shape[2])
    where = f"row {row + 1}, column {rest // shape[2] + 1}"
    if explained[best] < _MARK or explained[best] < _TIMES * max(usual, 0.0):
        yield (
            "pass",
            f"No single pixel predicts the class (the best, at {where}: {max(explained[best], 0):.0%} of the "
            "uncertainty explained).",
        )
        return
    many = int((explained > explained[best] / 2).sum())
    yield (
        "fail" if explained[best] >= _SURE_MARK else "warn",
        f"The pixel at {where} alone explains {explained[best]:.0%} of the uncertainty about the class; nine of ten "
        f"pixels explain at most {max(usual, 0):.0%}. {many:,} of the tested pixels explain half as much or more: "
        "probably a mark, a frame or a logo in the pictures of some classes. Look at that region, and crop or mask it "
        "in all pictures.",
    )


def _places(shape: tuple[int, int, int], rng: np.random.Generator) -> np.ndarray:
    """The pixels that are looked at: those near the edges, and others at random."""
    height, width, channels = shape
    rows, columns = np.divmod(np.arange(height * width * channels) // channels, width)
    edge = (rows < _EDGE) | (rows >= height - _EDGE) | (columns < _EDGE) | (columns >= width - _EDGE)
    inner = np.flatnonzero(~edge)
    outer = rng.permutation(np.flatnonzero(edge))[:_PIXELS]
    return np.sort(np.concatenate([outer, rng.permutation(inner)[: max(0, _PIXELS - len(outer))]]))


def _explained_shares(pixels: np.ndarray, y: np.ndarray, classes: int) -> np.ndarray:
    """(pixels,) share of the entropy of the class that each pixel's grey level removes, of held-out rows."""
    levels = pixels // (256 // _LEVELS)
    fitted = np.arange(len(y)) % 2 == 0
    share = (np.bincount(y[fitted], minlength=classes) + 1) / (fitted.sum() + classes)
    open_ = -np.log(share[y[~fitted]]).mean()
    result = np.empty(pixels.shape[1])
    for place in range(pixels.shape[1]):
        one = levels[:, place].astype(np.int64)
        table = np.bincount(one[fitted] * classes + y[fitted], minlength=_LEVELS * classes).reshape(_LEVELS, classes)
        probability = (table + 5 * share) / (table.sum(axis=1, keepdims=True) + 5)
        result[place] = 1 + np.log(probability[one[~fitted], y[~fitted]]).mean() / open_
    return result


TABLE_CHECKS = (
    TableCheck("pictures of test", pictures_alike, pictures=True),
    TableCheck("pixels of a class", pixels_tell_the_class, pictures=True),
)

"""Pictures of the fully connected nets: fits, regions, losses, and the line as it learns."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from matplotlib.animation import FuncAnimation, PillowWriter
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kpipe.core.plots import COLOURS, STYLES, answer, canvas
from kpipe.studies.points import Fit, Points, wave

__all__ = ["chosen_picture", "fits_picture", "learning_picture", "moving_line", "regions_picture"]

_FRAMES = 60


def _panels(names: int) -> tuple[int, int]:
    return (2, 2) if names == 4 else (1, names)


def fits_picture(points: Points, fits: Mapping[str, Fit], title: str) -> Figure:
    """What each net makes of the curve: the points, the source without noise, and the net."""
    x = torch.linspace(float(points.inputs.min()) - 0.5, float(points.inputs.max()) + 0.5, 800)[None]
    with canvas(*_panels(len(fits)), height=2.9) as (figure, axes):
        for ax, (name, fit) in zip(axes.flat, fits.items(), strict=True):
            _scatter(ax, points)
            ax.plot(x[0], wave(x[0]), color=COLOURS[4], linestyle=STYLES[2], linewidth=1, label="source, without noise")
            ax.plot(x[0], fit.predict(x), color=COLOURS[1], linewidth=1.8, label="net")
            ax.set_ylim(*_heights(points))
            ax.set_title(f"{name}: squared error {fit.train[-1]:.2f}")
        axes.flat[0].legend(loc="upper left", fontsize=8)
        answer(figure, title)
    return figure


def _scatter(ax: Axes, points: Points) -> None:
    ax.scatter(points.inputs[0], points.targets, s=12, color=COLOURS[0], alpha=0.6, linewidths=0, label="points shown")
    ax.set_xlabel("x")
    ax.set_ylabel("y")


def _heights(points: Points) -> tuple[float, float]:
    return float(points.targets.min()) - 2, float(points.targets.max()) + 2


def regions_picture(points: Points, fits: Mapping[str, Fit], title: str) -> Figure:
    """Where each net says label 1: its probability as grey, its border as a line, the true circle dashed."""
    edge = float(points.inputs.abs().max()) + 0.3
    side = torch.linspace(-edge, edge, 240)
    plane = torch.stack([part.flatten() for part in torch.meshgrid(side, side, indexing="xy")])
    turn = np.linspace(0, 2 * np.pi, 200)
    with canvas(1, len(fits), height=3.0 if len(fits) > 1 else 4.2) as (figure, axes):
        for ax, (name, fit) in zip(axes.flat, fits.items(), strict=True):
            share = fit.predict(plane).reshape(240, 240)
            ax.imshow(share, extent=(-edge, edge, -edge, edge), origin="lower", cmap="Greys", alpha=0.4, vmin=0, vmax=1)
            ax.contour(side, side, share, levels=[0.5], colors=COLOURS[1], linewidths=1.8)
            ax.plot(np.pi * np.cos(turn), np.pi * np.sin(turn), color=COLOURS[4], linestyle="--", linewidth=1)
            for label, marker in ((0, "o"), (1, "^")):
                of_label = points.inputs[:, points.targets == label]
                ax.scatter(
                    *of_label, s=12, marker=marker, color=COLOURS[2 * label], linewidths=0, label=f"label {label}"
                )
            ax.set_aspect("equal")
            ax.set_title(f"{name}: {fit.train[-1]:.3f} nats")
            ax.set_xlabel("first coordinate")
        axes.flat[0].set_ylabel("second coordinate")
        axes.flat[0].legend(loc="upper left", fontsize=8)
        answer(figure, f"{title} (grey: probability of label 1; solid: border; dashed: the true circle)")
    return figure


def learning_picture(fits: Mapping[str, Fit]) -> Figure:
    """The largest nets' losses while they learn, on the points shown and on those held out."""
    with canvas(1, len(fits), height=3.2) as (figure, axes):
        turns = []
        for ax, (name, fit) in zip(axes.flat, fits.items(), strict=True):
            ax.plot(fit.epochs[1:], fit.train[1:], color=COLOURS[0], linestyle=STYLES[0], label="points shown")
            ax.plot(fit.epochs[1:], fit.oof[1:], color=COLOURS[1], linestyle=STYLES[1], label="points held out")
            ax.set_xscale("log")
            ax.set_xlabel("epoch")
            ax.set_ylabel("cross-entropy, nats" if fit.classes else "squared error")
            ax.set_ylim(0, 1.3 * float(fit.oof[1]))
            ax.set_title(f"{name}: {len(fit.hidden)} layers of {fit.hidden[0]}")
            ax.legend()
            turns.append(f"{int(fit.epochs[fit.oof.argmin()]):,} ({name})")
        answer(
            figure, f"On points held out, the error is lowest at epoch {' and '.join(turns)}; then the nets learn noise"
        )
    return figure


def chosen_picture(gaps: Mapping[str, pd.DataFrame]) -> Figure:
    """Training, held-out and fresh losses from the smallest net to the largest."""
    with canvas(1, len(gaps), height=3.8) as (figure, axes):
        chosen = []
        for ax, (task, gap) in zip(axes.flat, gaps.items(), strict=True):
            nets, floor = gap.iloc[:-1], float(gap["fresh, in range"].iloc[-1])
            place = np.arange(len(nets))
            ax.plot(place, nets["train"], color=COLOURS[0], marker="o", label="points shown")
            ax.errorbar(
                place, nets["held out"], yerr=nets["error"], color=COLOURS[1], linestyle="--", marker="s", capsize=3,
                label="held out ± standard error",
            )  # fmt: skip
            ax.plot(
                place, nets["fresh, in range"], color=COLOURS[2], linestyle="-.", marker="^", label="fresh, in range"
            )
            ax.axhline(floor, color=COLOURS[4], linestyle=":", label="the source itself")
            ax.set_xticks(place, nets["net"].tolist(), rotation=40, ha="right")
            ax.set_ylabel("RMSE" if task == "regression" else "log loss, nats")
            ax.set_ylim(bottom=0)
            ax.set_title(task)
            chosen.append(f"{nets['net'].iloc[int(nets['held out'].argmin())]} ({task})")
        axes.flat[0].legend(fontsize=8)
        answer(figure, f"On points held out, {' and '.join(chosen)} are lowest; on those shown, the largest nets")
    return figure


def moving_line(points: Points, line: Fit) -> bytes:
    """A GIF of the regression line as it learns."""
    frames = np.unique(np.linspace(0, np.searchsorted(line.epochs, 600), _FRAMES).astype(int))
    frames = frames[frames < len(line.epochs)]
    x = np.array([float(points.inputs.min()) - 0.5, float(points.inputs.max()) + 0.5])
    with canvas(1, 1, height=3.6) as (figure, axes):
        ax = axes[0, 0]
        _scatter(ax, points)
        (drawn,) = ax.plot(x, 0 * x, color=COLOURS[1], linewidth=2, label="line")
        ax.set_ylim(*_heights(points))
        ax.legend(loc="upper left")

        def show(number: int) -> list[object]:
            slope, height = line.path[number]
            drawn.set_data(x, slope * x + height)
            ax.set_title(
                f"epoch {line.epochs[number]}: y = {slope:.2f} x + {height:.2f}, error {line.train[number]:.2f}"
            )
            return [drawn]

        animation = FuncAnimation(figure, show, frames=frames.tolist())  # type: ignore[arg-type]  # stubs want Artists
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "line.gif"
            animation.save(path, writer=PillowWriter(fps=12), dpi=70)
            return path.read_bytes()

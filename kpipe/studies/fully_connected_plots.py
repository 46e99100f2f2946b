"""Plots of the fully connected nets: fits, regions, losses, and the training of a line."""

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

from kpipe.core.plots import COLOURS, STYLES, new_figure, set_title
from kpipe.studies.fully_connected_nets import Fit, Points, wave

__all__ = ["fits_plot", "line_animation", "losses_plot", "regions_plot", "selection_plot"]

_FRAMES = 60


def _panels(names: int) -> tuple[int, int]:
    return (2, 2) if names == 4 else (1, names)


def fits_plot(points: Points, fits: Mapping[str, Fit], title: str) -> Figure:
    """Plot the training points, the true curve and the predictions of each net.

    Parameters
    ----------
    points : Points
        The data.
    fits : mapping of str to Fit
        The nets, one for each panel.
    title : str
        The title of the figure.

    Returns
    -------
    Figure
    """
    x = torch.linspace(float(points.inputs.min()) - 0.5, float(points.inputs.max()) + 0.5, 800)[None]
    with new_figure(*_panels(len(fits)), height=2.9) as (figure, axes):
        for ax, (name, fit) in zip(axes.flat, fits.items(), strict=True):
            _scatter(ax, points)
            ax.plot(x[0], wave(x[0]), color=COLOURS[4], linestyle=STYLES[2], linewidth=1, label="true curve")
            ax.plot(x[0], fit.predict(x), color=COLOURS[1], linewidth=1.8, label="net")
            ax.set_ylim(*_y_limits(points))
            ax.set_title(f"{name}: MSE {fit.train[-1]:.2f}")
        axes.flat[0].legend(loc="upper left", fontsize=8)
        set_title(figure, title)
    return figure


def _scatter(ax: Axes, points: Points) -> None:
    ax.scatter(
        points.inputs[0], points.targets, s=12, color=COLOURS[0], alpha=0.6, linewidths=0, label="training points"
    )
    ax.set_xlabel("x")
    ax.set_ylabel("y")


def _y_limits(points: Points) -> tuple[float, float]:
    return float(points.targets.min()) - 2, float(points.targets.max()) + 2


def regions_plot(points: Points, fits: Mapping[str, Fit], title: str) -> Figure:
    """Plot the predicted probabilities and the decision boundary of each net.

    Parameters
    ----------
    points : Points
        The data.
    fits : mapping of str to Fit
        The nets, one for each panel.
    title : str
        The title of the figure.

    Returns
    -------
    Figure
    """
    edge = float(points.inputs.abs().max()) + 0.3
    side = torch.linspace(-edge, edge, 240)
    plane = torch.stack([part.flatten() for part in torch.meshgrid(side, side, indexing="xy")])
    turn = np.linspace(0, 2 * np.pi, 200)
    with new_figure(1, len(fits), height=3.0 if len(fits) > 1 else 4.2) as (figure, axes):
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
        set_title(figure, f"{title} (grey: probability of label 1; solid: decision boundary; dashed: true boundary)")
    return figure


def losses_plot(fits: Mapping[str, Fit]) -> Figure:
    """Plot the training and validation losses of nets by epoch.

    Parameters
    ----------
    fits : mapping of str to Fit
        The nets by task, one for each panel.

    Returns
    -------
    Figure
    """
    with new_figure(1, len(fits), height=3.2) as (figure, axes):
        minima = []
        for ax, (name, fit) in zip(axes.flat, fits.items(), strict=True):
            ax.plot(fit.epochs[1:], fit.train[1:], color=COLOURS[0], linestyle=STYLES[0], label="training")
            ax.plot(fit.epochs[1:], fit.oof[1:], color=COLOURS[1], linestyle=STYLES[1], label="validation")
            ax.set_xscale("log")
            ax.set_xlabel("epoch")
            ax.set_ylabel("cross-entropy, nats" if fit.classes else "squared error")
            ax.set_ylim(0, 1.3 * float(fit.oof[1]))
            ax.set_title(f"{name}: {len(fit.hidden)} layers of {fit.hidden[0]}")
            ax.legend()
            minima.append(f"{int(fit.epochs[fit.oof.argmin()]):,} ({name})")
        set_title(figure, f"The validation loss is lowest at epoch {' and '.join(minima)}; then the nets learn noise")
    return figure


def selection_plot(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Plot training, validation and test losses from the smallest net to the largest.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        The losses of the nets by task, one for each panel; the last row is the best possible prediction.

    Returns
    -------
    Figure
    """
    with new_figure(1, len(tables), height=3.8) as (figure, axes):
        chosen = []
        for ax, (task, table) in zip(axes.flat, tables.items(), strict=True):
            nets, floor = table.iloc[:-1], float(table["test, in range"].iloc[-1])
            place = np.arange(len(nets))
            ax.plot(place, nets["train"], color=COLOURS[0], marker="o", label="training")
            ax.errorbar(
                place, nets["validation"], yerr=nets["standard error"], color=COLOURS[1], linestyle="--",
                marker="s", capsize=3, label="validation ± standard error",
            )  # fmt: skip
            ax.plot(place, nets["test, in range"], color=COLOURS[2], linestyle="-.", marker="^", label="test, in range")
            ax.axhline(floor, color=COLOURS[4], linestyle=":", label="best possible")
            ax.set_xticks(place, nets["net"].tolist(), rotation=40, ha="right")
            ax.set_ylabel("RMSE" if task == "regression" else "log loss, nats")
            ax.set_ylim(bottom=0)
            ax.set_title(task)
            chosen.append(f"{nets['net'].iloc[int(nets['validation'].argmin())]} ({task})")
        axes.flat[0].legend(fontsize=8)
        set_title(
            figure,
            f"{' and '.join(chosen)} have the lowest validation loss; the largest nets have the lowest training loss",
        )
    return figure


def line_animation(points: Points, line: Fit) -> bytes:
    """Animate the training of a regression line.

    Parameters
    ----------
    points : Points
        The data.
    line : Fit
        A net without hidden layers.

    Returns
    -------
    bytes
        A GIF.
    """
    frames = np.unique(np.linspace(0, np.searchsorted(line.epochs, 600), _FRAMES).astype(int))
    frames = frames[frames < len(line.epochs)]
    x = np.array([float(points.inputs.min()) - 0.5, float(points.inputs.max()) + 0.5])
    with new_figure(1, 1, height=3.6) as (figure, axes):
        ax = axes[0, 0]
        _scatter(ax, points)
        (drawn,) = ax.plot(x, 0 * x, color=COLOURS[1], linewidth=2, label="line")
        ax.set_ylim(*_y_limits(points))
        ax.legend(loc="upper left")

        def show(number: int) -> list[object]:
            slope, intercept = line.path[number]
            drawn.set_data(x, slope * x + intercept)
            ax.set_title(
                f"epoch {line.epochs[number]}: y = {slope:.2f} x + {intercept:.2f}, MSE {line.train[number]:.2f}"
            )
            return [drawn]

        animation = FuncAnimation(figure, show, frames=frames.tolist())  # type: ignore[arg-type]  # stubs want Artists
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "line.gif"
            animation.save(path, writer=PillowWriter(fps=12), dpi=70)
            return path.read_bytes()

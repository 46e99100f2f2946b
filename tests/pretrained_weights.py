"""Weights of tiny residual networks, and tables of pictures, for tests of pretrained models."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from safetensors.torch import save_file

from kpipe.data.pixels import pixel_names

COLOURS = {"red": (200, 20, 20), "blue": (20, 20, 200)}


def resnet_tensors(width: int = 8, *, classes: int = 5, seed: int = 0) -> dict[str, torch.Tensor]:
    """The tensors of a residual network with one block of two convolutions in each of four stages."""
    generator = torch.Generator().manual_seed(seed)
    tensors: dict[str, torch.Tensor] = {}

    def convolution(name: str, inputs: int, outputs: int, side: int) -> None:
        tensors[f"{name}.weight"] = torch.randn(outputs, inputs, side, side, generator=generator) / side / inputs**0.5

    def norm(name: str, channels: int) -> None:
        for part, value in (("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)):
            tensors[f"{name}.{part}"] = torch.full((channels,), value)

    convolution("conv1", 3, width, 7)
    norm("bn1", width)
    inputs = width
    for stage in range(1, 5):
        outputs, block = width * 2 ** (stage - 1), f"layer{stage}.0"
        convolution(f"{block}.conv1", inputs, outputs, 3)
        norm(f"{block}.bn1", outputs)
        convolution(f"{block}.conv2", outputs, outputs, 3)
        norm(f"{block}.bn2", outputs)
        if stage > 1:
            convolution(f"{block}.downsample.0", inputs, outputs, 1)
            norm(f"{block}.downsample.1", outputs)
        inputs = outputs
    tensors["fc.weight"], tensors["fc.bias"] = torch.zeros(classes, inputs), torch.zeros(classes)
    return tensors


def write_resnet(path: Path, *, seed: int = 0) -> Path:
    """A file with these tensors, in the format that its ending says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = resnet_tensors(seed=seed)
    if path.suffix == ".safetensors":
        save_file(tensors, path)
    else:
        torch.save(tensors, path)
    return path


def picture_table(rows: int, shape: tuple[int, int, int] = (12, 10, 3), *, seed: int = 0) -> pd.DataFrame:
    """Pictures of noise, every second one brighter at the left."""
    pixels = np.random.default_rng(seed).integers(0, 120, (rows, *shape), dtype=np.uint8)
    pixels[::2, :, : shape[1] // 2] += 100
    return pd.DataFrame(pixels.reshape(rows, -1), columns=pixel_names(shape))


def write_pictures(folder: Path, count: int = 24) -> Path:
    """A competition of red and blue pictures, with their names in train.csv."""
    random = np.random.default_rng(0)
    labels = [["red", "blue"][number % 2] for number in range(count)]
    for part in ("train", "test"):
        (folder / part).mkdir(parents=True)
        for number, label in enumerate(labels):
            noise = random.integers(-20, 20, (8, 8, 3)) + COLOURS[label]
            made = io.BytesIO()
            Image.fromarray(noise.clip(0, 255).astype(np.uint8)).save(made, "png")
            (folder / part / f"{number}.png").write_bytes(made.getvalue())
    rows = [f"{number},{label}" for number, label in enumerate(labels)]
    (folder / "train.csv").write_text("\n".join(["id,label", *rows]) + "\n")
    (folder / "sample_submission.csv").write_text("\n".join(["id,label", *(f"{n},red" for n in range(count))]) + "\n")
    return folder

"""Competitions of pictures: kpipe's networks beside fastai's ``Learner`` with its xresnet18, in the same CPU time.

    python benchmarks/pictures.py cifar-10 [--weights PATH] [--rows N]
    python benchmarks/pictures.py dogs-vs-cats-redux-kernels-edition

It needs torchvision, which ``fastai.vision`` imports. All models learn from the same four fifths of Kaggle's train
pictures and are scored on the rest; differences are paired. Times are CPU seconds of one thread, since the machine may
be busy: ``photo-net`` and ``pretrained`` as they are (the latter with all its features), then fastai for as many epochs
as ``photo-net``'s time allows, on pictures that are warped in the same way.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.model_selection import train_test_split

import kpipe
from kpipe.core.values import Context
from kpipe.data.pixels import picture_columns, picture_shape
from kpipe.models import model
from kpipe.models.nets.fastai_vision import Batches
from kpipe.models.nets.image_augmentation import RandomWarp
from kpipe.models.nets.picture_batches import to_pictures

KAGGLE = Path(os.environ.get("KPIPE_TEST_DATA", Path(__file__).resolve().parents[2] / "shared" / "kaggle"))


def read(slug: str, rows: int) -> tuple[pd.DataFrame, np.ndarray]:
    train = kpipe.load(slug, KAGGLE / f"{slug}.zip").train
    pixels = picture_columns(train.columns)
    chosen = np.sort(np.random.default_rng(0).permutation(len(train))[: rows or len(train)])
    target = next(name for name in ("label", "target") if name in train)
    return train[pixels].iloc[chosen], np.unique(train[target].iloc[chosen].astype(str), return_inverse=True)[1]


def of_kpipe(name: str, X: pd.DataFrame, y: np.ndarray, **options: Any) -> Callable[[pd.DataFrame], np.ndarray]:
    context = Context(task="classification", n_classes=len(np.unique(y)), threads=1)
    return model(name, **options)(context).fit(X, y).predict_proba


def of_fastai(X: pd.DataFrame, y: np.ndarray, *, seconds: float) -> Callable[[pd.DataFrame], np.ndarray]:
    """xresnet18 of pictures between 0 and 1, less their mean, trained by ``fit_one_cycle(n, 3e-3)``."""
    import fastai.callback.schedule  # noqa: F401
    from fastai.data.core import DataLoaders
    from fastai.learner import Learner
    from fastai.vision.models.xresnet import xresnet18

    shape = picture_shape(list(X.columns)) or (0, 0, 0)
    generator = torch.Generator().manual_seed(0)
    warp = RandomWarp(shape=shape, zoom=0.15, shift=3.0, flip=True, padding="reflection")

    def pictures(rows: torch.Tensor, *, warped: bool) -> torch.Tensor:
        return to_pictures(warp(rows, generator) if warped else rows, shape=shape, size=shape[:2]) * 4 - 2

    rows, wanted = torch.from_numpy(X.to_numpy().copy()), torch.from_numpy(y)

    def learner() -> Any:
        torch.manual_seed(0)
        batches = Batches(rows, wanted, 64, lambda batch: pictures(batch, warped=True))
        empty = Batches(rows[:0], wanted[:0], 64, lambda batch: pictures(batch, warped=False))
        loss = torch.nn.functional.cross_entropy
        return Learner(DataLoaders(batches, empty), xresnet18(n_out=len(np.unique(y))), loss_func=loss, path=folder)

    with tempfile.TemporaryDirectory() as folder:
        trial = learner()
        with trial.no_bar(), trial.no_logging():
            began = time.process_time()
            trial.fit(1)
            epochs = max(1, int(seconds / (time.process_time() - began)))
        final = learner()
        with final.no_bar(), final.no_logging():
            final.fit_one_cycle(epochs, 3e-3)
    print(f"fastai: {epochs} epochs", flush=True)

    @torch.inference_mode()
    def predict(found: pd.DataFrame) -> np.ndarray:
        network = final.model.eval()
        parts = torch.from_numpy(found.to_numpy().copy()).split(128)
        logits = torch.cat([network(pictures(part, warped=False)) for part in parts])
        return logits.double().softmax(dim=1).numpy()

    return predict


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("slug")
    parser.add_argument("--weights", help="for pretrained; default: those on this machine")
    parser.add_argument("--rows", type=int, default=0, help="pictures of train; default: all")
    options = parser.parse_args()
    torch.set_num_threads(1)
    X, y = read(options.slug, options.rows)
    os.environ["KPIPE_CACHE"] = tempfile.mkdtemp()  # no features of an earlier run
    X, X_valid, y, y_valid = train_test_split(X, y, test_size=0.2, random_state=0, stratify=y)
    losses: dict[str, np.ndarray] = {}
    seconds: dict[str, float] = {}
    recipes: dict[str, Callable[[], Callable[[pd.DataFrame], np.ndarray]]] = {
        "photo-net": lambda: of_kpipe("photo-net", X, y, shape=picture_shape(list(X.columns))),
        "pretrained": lambda: of_kpipe("pretrained", X, y, weights=options.weights),
        "fastai xresnet18": lambda: of_fastai(X, y, seconds=seconds["photo-net"]),
    }
    for name, recipe in recipes.items():
        began = time.process_time()
        predict = recipe()
        seconds[name] = time.process_time() - began
        proba = np.clip(predict(X_valid), 1e-15, 1)
        losses[name] = -np.log(proba[np.arange(len(y_valid)), y_valid])
        difference = losses[name] - losses["photo-net"]
        error = difference.std(ddof=1) / np.sqrt(len(difference))
        print(
            f"{name:18} accuracy {(proba.argmax(axis=1) == y_valid).mean():.4f}  log loss {losses[name].mean():.4f}  "
            f"({difference.mean():+.4f} ± {error:.4f} against photo-net)  {seconds[name]:.0f} CPU s",
            flush=True,
        )


if __name__ == "__main__":
    main()

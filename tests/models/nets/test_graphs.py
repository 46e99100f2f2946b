"""Recorded steps: equal to the steps themselves for every net, refused where they are not, and never half done."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from kpipe.errors import TrainingError
from kpipe.models.nets import graphs, loop
from kpipe.models.nets.convnet import ConvNetClassifier, ConvNetRegressor
from kpipe.models.nets.loop import Recipe, train
from kpipe.models.nets.machine import Machine
from kpipe.models.nets.neural import NeuralClassifier, NeuralRegressor
from kpipe.models.nets.tabular_net import TabularNetClassifier, TabularNetRegressor
from kpipe.models.teaching.mlp import PlainClassifier, PlainRegressor
from tests.models.nets.recording import OperationRecorder, refuse_waiting

RNG = np.random.default_rng(0)
DIGITS, PICTURES = (RNG.integers(0, 256, (70, size), dtype=np.uint8) for size in (24 * 24, 25 * 23 * 3))
NUMBERS = RNG.normal(size=(70, 5))
LABELS = np.arange(70) % 3
TABLE = pd.DataFrame(NUMBERS, columns=list("abcde")).assign(few=RNG.choice(list("xyz"), 70), many=np.arange(70) % 40)
TABLE["many"] = "name " + TABLE["many"].astype(str)
SHORT: dict[str, Any] = {"batch_size": 32, "epochs": 4, "min_steps": 1, "random_state": 0}
PLAIN: dict[str, Any] = {"hidden": (8,), "batch_size": 32, "epochs": 4, "random_state": 0}
WARPED: dict[str, Any] = {"elastic": 1.0, "shear": 0.1, "dropout": 0.2, "flip": True}

# batches of 70 rows differ by one row, or the last one is smaller: two kinds of steps; images that grow double them
FITS = {
    "convnet": (lambda: ConvNetClassifier(**SHORT).fit(DIGITS, LABELS), 4),
    "convnet-large": (lambda: ConvNetClassifier(**SHORT, size="large", **WARPED).fit(DIGITS, LABELS), 4),
    "photo-net": (
        lambda: ConvNetRegressor(
            **SHORT, size="photo", shape=(25, 23, 3), loss="logistic", flip=True, padding="reflection"
        ).fit(PICTURES, NUMBERS[:, :2] > 0),
        4,
    ),
    "neural": (lambda: NeuralClassifier(**SHORT).fit(NUMBERS, LABELS), 2),
    "neural, numbers": (lambda: NeuralRegressor(**SHORT, batch_norm=False).fit(NUMBERS, NUMBERS[:, 0]), 2),
    "tabular-net": (lambda: TabularNetClassifier(**SHORT).fit(TABLE, LABELS), 2),
    "tabular-net, counts": (lambda: TabularNetRegressor(**SHORT, loss="poisson").fit(TABLE, LABELS), 2),
    "tabular-net, huber": (lambda: TabularNetRegressor(**SHORT, loss="huber").fit(TABLE, NUMBERS[:, 0]), 2),
    "mlp": (lambda: PlainClassifier(**PLAIN, dropout=0.3, weight_decay=0.1).fit(NUMBERS, LABELS, watched=NUMBERS), 2),
    "mlp, sgd": (lambda: PlainRegressor(**PLAIN, optimizer="sgd", weight_decay=0.1).fit(NUMBERS, NUMBERS[:, 0]), 2),
}


def small() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 1))


def trained(**options: Any) -> loop.Trained:
    recipe = Recipe(**{"epochs": 5, "batch_size": 32, "lr": 0.05, **options.pop("recipe", {})})
    chosen = {"loss": functional.mse_loss, "machine": Machine(), "seed": 0, **options}
    return train(small, NUMBERS.astype(np.float32), NUMBERS[:, :1].astype(np.float32), recipe=recipe, **chosen)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> OperationRecorder:
    return inject(monkeypatch, OperationRecorder())


KEPT: list[Any] = []  # a CUDA graph whose recording failed must not be freed


def forget_failures(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    failed: list[Any] = []
    KEPT.append(failed)
    monkeypatch.setattr(graphs, "_FAILED", failed)
    return failed


def inject(monkeypatch: pytest.MonkeyPatch, recorder: Any) -> Any:
    failed = forget_failures(monkeypatch)
    monkeypatch.setattr(graphs, "_recorder", lambda device, generators: None if failed else recorder)
    return recorder


def bytes_of(fit: Any) -> list[bytes]:
    weights = fit.weights if isinstance(fit, loop.Trained) else fit.weights_
    return [value.tobytes() for value in weights.values()] + [losses_of(fit).tobytes()]


def losses_of(fit: Any) -> np.ndarray:
    return fit.losses if isinstance(fit, loop.Trained) else fit.loss_curve_


@pytest.mark.parametrize(("fit", "kinds"), FITS.values(), ids=FITS)
def test_replayed_steps_are_equal_to_the_steps_themselves_for_every_net(
    fit: Callable[[], Any], kinds: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    itself = bytes_of(fit())
    recorder = inject(monkeypatch, OperationRecorder())
    with caplog.at_level(logging.WARNING, logger="kpipe"):
        assert bytes_of(fit()) == itself
    assert recorder.recorded == kinds
    assert not caplog.messages


@pytest.mark.parametrize(
    "recipe",
    [
        {"optimizer": "sgd", "weight_decay": 0.1, "averaging": 0.9},
        {"optimizer": "adamw", "weight_decay": 0.1, "momentum": 0.8},
        {"min_steps": 50, "warmup": 0.5},
    ],
    ids=str,
)
@pytest.mark.parametrize("bfloat16", [False, True])
def test_replayed_steps_are_equal_for_every_recipe(
    recipe: dict[str, Any], bfloat16: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"recipe": recipe, "machine": Machine(bfloat16=bfloat16)}
    itself = bytes_of(trained(**options))
    recorder = inject(monkeypatch, OperationRecorder())
    assert bytes_of(trained(**options)) == itself
    assert recorder.recorded == 2


def test_replayed_steps_are_equal_where_images_are_mixed(monkeypatch: pytest.MonkeyPatch) -> None:
    images = DIGITS[:, :36].reshape(70, 1, 6, 6).astype(np.float32) / 255

    def mixed() -> loop.Trained:
        options = {"loss": functional.cross_entropy, "machine": Machine(), "seed": 0}
        recipe = Recipe(epochs=30, batch_size=32, lr=0.01, cutmix=0.5)
        return train(lambda: nn.Sequential(nn.Flatten(), nn.Linear(36, 3)), images, LABELS, recipe=recipe, **options)

    itself = bytes_of(mixed())
    recorder = inject(monkeypatch, OperationRecorder())
    assert bytes_of(mixed()) == itself
    assert recorder.recorded == 2


def test_each_kind_of_step_is_recorded_once_when_it_first_comes(recorder: OperationRecorder) -> None:
    seen = []

    def augment(progress: float) -> loop.Augment:
        seen.append((progress, recorder.recorded))
        return _shrunk if progress < 0.5 else _as_it_is

    trained(augment=augment)
    assert recorder.recorded == 4  # two sizes, two augmentations
    assert max(count for progress, count in seen if progress < 0.5) == 2
    assert recorder.warmed_up == 4 * 3


def _shrunk(rows: Tensor, generator: torch.Generator) -> Tensor:
    return rows * torch.rand(len(rows), 1, generator=generator)


def _as_it_is(rows: Tensor, generator: torch.Generator) -> Tensor:
    return rows


def changing_in_python() -> Callable[[float], loop.Augment]:
    """An augmentation that is the same to the loop, but does something else in each step."""
    calls = iter(range(1, 1000))
    return lambda progress: _Growing(calls)


class _Growing:
    def __init__(self, calls: Any) -> None:
        self.calls = calls

    def __call__(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        return rows * next(self.calls)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Growing)

    def __hash__(self) -> int:
        return 0


def test_the_recorder_of_these_tests_finds_what_python_changes_from_step_to_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    itself = bytes_of(trained(augment=changing_in_python()))
    inject(monkeypatch, OperationRecorder())
    assert bytes_of(trained(augment=changing_in_python())) != itself


def waits(outputs: Tensor, targets: Tensor) -> Tensor:
    value = functional.mse_loss(outputs, targets)
    return value if value.item() > 0 else -value


def chooses_rows(outputs: Tensor, targets: Tensor) -> Tensor:
    return functional.mse_loss(outputs[targets > -9], targets[targets > -9])


def makes_a_tensor(outputs: Tensor, targets: Tensor) -> Tensor:
    return functional.mse_loss(outputs * torch.tensor([1.0]), targets)


@pytest.mark.parametrize("loss", [waits, chooses_rows, makes_a_tensor])
def test_a_step_that_cannot_be_recorded_is_taken_itself_with_a_word_and_with_the_same_result(
    loss: loop.LossFunction, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    itself = bytes_of(trained(loss=loss))
    inject(monkeypatch, OperationRecorder())
    with caplog.at_level(logging.WARNING, logger="kpipe"):
        assert bytes_of(trained(loss=loss)) == itself
        assert bytes_of(trained(loss=loss)) == itself
    assert len(caplog.messages) == 1  # it is not tried again
    assert "cannot be recorded" in caplog.messages[0]


class Faulty(OperationRecorder):
    """Its second recording does not do what the step does."""

    def __init__(self, damage: Callable[[Callable[[], None]], Callable[[], None]]) -> None:
        super().__init__()
        self.damage = damage

    def record(self, step: Callable[[], None]) -> Callable[[], None]:
        replay = super().record(step)
        return self.damage(step) if self.recorded == 2 else replay


def stopped(step: Callable[[], None]) -> Callable[[], None]:
    raise RuntimeError("out of memory")


def nothing(step: Callable[[], None]) -> Callable[[], None]:
    return lambda: None


def twice(step: Callable[[], None]) -> Callable[[], None]:
    def replay() -> None:
        step()
        step()

    return replay


def without_random_numbers(step: Callable[[], None]) -> Callable[[], None]:
    def replay() -> None:
        state = torch.get_rng_state()
        step()
        torch.set_rng_state(state)

    return replay


def of_the_values_at_recording(step: Callable[[], None]) -> Callable[[], None]:
    """As if the rows of the batch and the learning rate had been read by the host."""
    training = step.func.__self__  # type: ignore[attr-defined]
    held = [(tensor, tensor.clone()) for tensor in (training.batch, training.rate)]

    def replay() -> None:
        for tensor, value in held:
            tensor.copy_(value)
        step()

    return replay


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (stopped, "out of memory"),
        (nothing, "the replay's weights differ"),
        (twice, "the replay's weights differ"),
        (without_random_numbers, "other random numbers"),
        (of_the_values_at_recording, "the replay's weights differ"),
    ],
)
def test_a_recording_that_fails_or_differs_is_never_used(
    damage: Callable[..., Any], words: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    before = torch.get_rng_state()
    itself = bytes_of(trained())
    inject(monkeypatch, Faulty(damage))
    with caplog.at_level(logging.WARNING, logger="kpipe"):
        assert bytes_of(trained()) == itself
    assert len(caplog.messages) == 1
    assert words in caplog.messages[0]
    assert torch.equal(torch.get_rng_state(), before)


class NoHost(TorchDispatchMode):
    """Refuses operations on the CPU in a step on another device, which is "meta" here, for want of a GPU."""

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        refuse_waiting(func, args)
        result = None if func.name().startswith("aten::_fused_") else func(*args, **(kwargs or {}))
        tensors = [leaf for leaf in tree_leaves((args, kwargs, result)) if isinstance(leaf, Tensor)]
        assert not any(tensor.device.type == "cpu" for tensor in tensors), f"{func} reads or makes a tensor on the host"
        return result


@pytest.mark.parametrize("name", [name for name in FITS if "mlp" not in name])
def test_no_step_copies_anything_from_the_host_to_the_device(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[loop._SetUp] = []

    def keep(*arrays: Any, loss: Any, recipe: Any, machine: Any, seed: Any, augment: Any = None, **_: Any) -> None:
        kept.append(loop._SetUp(*arrays, loss, recipe, machine, seed, augment))
        raise InterruptedError

    monkeypatch.setattr(loop, "train", keep)
    with pytest.raises(InterruptedError):
        FITS[name][0]()
    drawn, meta = torch.Generator(), torch.device("meta")
    monkeypatch.setattr(torch, "Generator", lambda device: drawn)  # there is none on "meta"
    monkeypatch.setattr(loop, "rate_tensor", lambda device: torch.zeros((), device=device))
    monkeypatch.setattr(loop, "autocast", lambda machine, device: contextlib.nullcontext())
    training = loop._Training(kept[0], meta)
    for progress in (0.0, 1.0):
        now = training.set_up.augment(progress) if training.set_up.augment else None
        with contextlib.suppress(NotImplementedError):  # the optimizer's kernels are not on "meta"
            training._step(32, now)  # makes what is kept
        with NoHost():
            training._step(32, now)


def test_a_training_that_diverges_says_so_and_not_that_its_replay_differs(
    recorder: OperationRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="kpipe"), pytest.raises(TrainingError, match="finite number"):
        trained(loss=lambda outputs, targets: functional.mse_loss(outputs, targets) * float("inf"))
    assert not caplog.messages


needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
ON_CUDA = {
    "convnet": lambda: ConvNetClassifier(**SHORT, device="cuda").fit(DIGITS, LABELS),
    "convnet-large": lambda: ConvNetClassifier(**SHORT, size="large", **WARPED, device="cuda").fit(DIGITS, LABELS),
    "neural": lambda: NeuralClassifier(**SHORT, device="cuda").fit(NUMBERS, LABELS),
    "tabular-net": lambda: TabularNetClassifier(**SHORT, device="cuda").fit(TABLE, LABELS),
    "mlp": lambda: PlainClassifier(**PLAIN, dropout=0.3, device="cuda").fit(NUMBERS, LABELS),
    "sgd, averages": lambda: trained(
        machine=Machine(device="cuda"), recipe={"optimizer": "sgd", "averaging": 0.9, "weight_decay": 0.1}
    ),
}


@needs_cuda
@pytest.mark.parametrize("fit", ON_CUDA.values(), ids=ON_CUDA)
def test_a_cuda_device_replays_graphs_with_the_losses_of_the_steps_and_the_same_bytes_twice(
    fit: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    forget_failures(monkeypatch)
    with caplog.at_level(logging.INFO, logger="kpipe"):
        first, second = fit(), fit()
    assert len(caplog.messages) >= 2 * 2
    assert all("was recorded as a graph" in message for message in caplog.messages)
    assert bytes_of(first) == bytes_of(second)
    monkeypatch.setattr(graphs, "_recorder", lambda device, generators: None)
    np.testing.assert_allclose(losses_of(first), losses_of(fit()), rtol=0.02)


@needs_cuda
def test_a_cuda_device_predicts_what_the_cpu_predicts() -> None:
    weights = trained().weights
    rows = np.resize(NUMBERS.astype(np.float32), (3000, 5))
    here, there = (loop.forward(small, weights, rows, machine=Machine(device=name)) for name in ("cpu", "cuda"))
    np.testing.assert_allclose(there, here, rtol=1e-3, atol=1e-4)


@needs_cuda
@pytest.mark.parametrize("loss", [waits, chooses_rows])
def test_after_a_recording_that_failed_a_cuda_device_trains_on_with_a_word_and_the_same_bytes(
    loss: loop.LossFunction, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    forget_failures(monkeypatch)
    stream = torch.cuda.current_stream()
    with caplog.at_level(logging.WARNING, logger="kpipe"):
        first, second = (trained(loss=loss, machine=Machine(device="cuda")) for _ in range(2))
    assert len(caplog.messages) == 1
    assert bytes_of(first) == bytes_of(second)
    assert torch.cuda.current_stream() == stream
    assert torch.rand(3, device="cuda").isfinite().all()

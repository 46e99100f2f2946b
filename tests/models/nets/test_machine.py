from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from kpipe.core.devices import resolve_device
from kpipe.errors import TrainingError, UsageError
from kpipe.models.nets.loop import forward
from kpipe.models.nets.machine import Machine, autocast
from tests.models.nets.test_loop import X, Y, fit, line


def test_the_global_state_is_restored_after_success_and_after_failure():
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    fit(machine=Machine(threads=threads + 1))
    with pytest.raises(TrainingError):
        fit(machine=Machine(threads=threads + 1), targets=np.full_like(Y, np.inf))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_threads_are_bounded_while_training():
    seen = []

    def loss(outputs, targets):
        seen.append(torch.get_num_threads())
        return functional.mse_loss(outputs, targets)

    fit(loss=loss, machine=Machine(threads=1))
    assert set(seen) == {1}


def test_bfloat16_outputs_are_float32_and_close_to_those_of_float32():
    outputs = [forward(line, fit(), X, machine=Machine(bfloat16=choice)) for choice in (False, True)]
    assert {output.dtype for output in outputs} == {np.dtype(np.float32)}
    np.testing.assert_allclose(*outputs, atol=0.1)


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"amx_bf16": True}, True),
        ({"avx512_bf16": True, "amx_bf16": False}, True),
        ({"avx512_f": True}, False),
        ({}, False),
    ],
)
def test_the_processor_decides_about_bfloat16(
    monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, bool], expected: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert torch.is_autocast_enabled("cpu") is False
    with autocast(Machine(bfloat16="auto"), torch.device("cpu")):
        assert torch.is_autocast_enabled("cpu") is expected


def test_the_device_auto_can_compute():
    assert torch.ones(2, device=resolve_device("auto")).sum().item() == 2


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_missing_device_is_refused_with_a_list_of_the_available_ones():
    with pytest.raises(UsageError, match=r"cuda.*no such device.*Available:.*cpu"):
        fit(machine=Machine(device="cuda"))

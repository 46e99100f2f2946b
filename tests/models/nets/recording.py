"""Emulate a CUDA graph on the CPU: record the operations of a step, with every number that Python passed to them.

A replay calls no Python of the step: it repeats the operations on the same tensors. A step whose replays are equal to
calls of it, over batches, sizes and phases, contains no constant that should change. Operations that make the host wait
for the device, or copy something to it, are refused, as by CUDA.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

aten = torch.ops.aten

# ``.item()``, shapes that depend on values, and tensors that Python makes of numbers.
REFUSED = (aten._local_scalar_dense, aten.nonzero, aten.masked_select, aten._unique2, aten.equal, aten.lift_fresh)


class OperationRecorder:
    """A ``kpipe.models.nets.graphs.Recorder`` that counts what it recorded."""

    def __init__(self) -> None:
        self.recorded = 0
        self.warmed_up = 0

    def warm_up(self, step: Callable[[], None]) -> None:
        self.warmed_up += 1
        step()

    def record(self, step: Callable[[], None]) -> Callable[[], None]:
        operations = Operations()
        with operations:
            step()
        self.recorded += 1
        return operations.repeat


class Operations(TorchDispatchMode):
    """Keeps the operations of a block."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        refuse_waiting(func, args)
        result = func(*args, **(kwargs or {}))
        self.calls.append((func, args, kwargs or {}, result))
        return result

    @torch.no_grad()
    def repeat(self) -> None:
        for func, args, kwargs, result in self.calls:
            again = func(*args, **kwargs)
            for old, new in zip(tree_leaves(result), tree_leaves(again), strict=True):
                if isinstance(old, Tensor) and old.untyped_storage().data_ptr() != new.untyped_storage().data_ptr():
                    old.copy_(new)


def refuse_waiting(func: Any, args: tuple[Any, ...]) -> None:
    by_mask = func.overloadpacket in (aten.index, aten.index_put_, aten.index_put) and any(
        isinstance(index, Tensor) and index.dtype in (torch.bool, torch.uint8) for index in args[1]
    )
    if func.overloadpacket in REFUSED or by_mask:
        raise RuntimeError(f"{func} cannot be recorded")

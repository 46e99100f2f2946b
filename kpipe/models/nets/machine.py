"""Where a network computes: device, threads and number format, bounded and restored."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch

from kpipe.core.devices import resolve_device

__all__ = ["Machine", "autocast", "torch_session"]


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Where a network computes.

    Parameters
    ----------
    device : str, default="cpu"
        As for ``resolve_device``.
    threads : int, default=1
        CPU threads that torch may use while a network trains or predicts.
    bfloat16 : bool or "auto", default=False
        Whether convolutions and matrix products are computed in bfloat16; "auto" does so where the processor has units
        for it.
    """

    device: str = "cpu"
    threads: int = 1
    bfloat16: bool | Literal["auto"] = False


@contextmanager
def torch_session(machine: Machine, *, seed: int) -> Iterator[torch.device]:
    """A context with bounded threads and a seeded random state; both are restored at its end.

    Parameters
    ----------
    machine : Machine
        Where to compute.
    seed : int
        Of torch's random state.

    Yields
    ------
    torch.device
        The device to compute on.
    """
    device = torch.device(resolve_device(machine.device))
    threads = torch.get_num_threads()
    with _seeded(device, seed), torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
        torch.set_num_threads(machine.threads)
        try:
            yield device
        finally:
            torch.set_num_threads(threads)


@contextmanager
def _seeded(device: torch.device, seed: int) -> Iterator[None]:
    """Seed the CPU and ``device`` alone, where ``torch.manual_seed`` would reseed every device."""
    mps_state = torch.mps.get_rng_state() if device.type == "mps" else None
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            torch.cuda.manual_seed(seed)
        if mps_state is not None:
            torch.mps.manual_seed(seed)
        try:
            yield
        finally:
            if mps_state is not None:
                torch.mps.set_rng_state(mps_state)


def autocast(machine: Machine, device: torch.device) -> torch.autocast:
    """A context that computes in bfloat16 if the machine's settings say so.

    Parameters
    ----------
    machine : Machine
        Its ``bfloat16`` decides.
    device : torch.device
        Where the network is.

    Returns
    -------
    torch.autocast
        Disabled where bfloat16 is not used.
    """
    # weights that are kept in bfloat16 must not outlive the step on CUDA, where a graph would go on to read them
    keep = device.type != "cuda"
    return torch.autocast(device.type, torch.bfloat16, enabled=_uses_bfloat16(machine, device), cache_enabled=keep)


def _uses_bfloat16(machine: Machine, device: torch.device) -> bool:
    """Whether the device computes in bfloat16 faster than in float32.

    A training step of ``convnet`` takes 0.4 of the time on a Xeon with AMX, and 0.55 to 0.7 on an EPYC of the fifth
    generation with AVX-512 BF16; without instructions for it, as on most processors, bfloat16 is slower.
    """
    if machine.bfloat16 != "auto":
        return machine.bfloat16
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # torch 2.6 does not have it
    return device.type == "cpu" and any(capabilities.get(name) for name in ("amx_bf16", "avx512_bf16"))

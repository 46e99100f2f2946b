"""Steps of a training that are recorded once and then replayed, where the device can: CUDA graphs.

A step of a small net is a hundred kernels, each of which takes less time than its launch from Python; a graph launches
all of them at once. A step that can be recorded reads and changes tensors that stay where they are and random
generators, and nothing else: no number that Python computes anew for each step, no tensor made on the host, no value
that the host waits for. ``tests/models/nets/recording.py`` is a recorder that finds violations without a GPU.

A recording is used only if its replay agrees with the step itself, tried on the device from the same state. Otherwise,
and if it cannot be made, steps are taken one call at a time, and the log says so.

References
----------
https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs (warm-up on a side stream, whole-network capture).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

__all__ = ["Recorder", "Step", "Steps"]

_LOG = logging.getLogger("kpipe")

Step = Callable[[], None]

_WARM_UPS = 3  # calls in which libraries choose kernels and take memory, which must not happen during a recording
# Relative to the norm of a step's change: bfloat16 sums in another order differ by less, another batch or learning rate
# by more.
_TOLERANCE = 0.1
_FAILED: list[Recorder] = []  # kept, since torch may still refer to a graph whose recording failed


class Recorder(Protocol):
    """Records steps on a device."""

    def warm_up(self, step: Step) -> None:
        """Call a step where it will be recorded."""

    def record(self, step: Step) -> Step:
        """A function that does again what the step does."""


class Steps:
    """Takes steps: recordings of them where the device can record, and else the steps themselves.

    Parameters
    ----------
    device : device
        Of the tensors.
    changed : dict of str to sequence of Tensor
        All tensors that a step changes and that outlive it, by what they are, such as "weights".
    inputs : sequence of Tensor
        What a step reads, filled anew before each.
    generators : sequence of Generator
        From which it draws, besides torch's own.
    """

    def __init__(
        self,
        device: torch.device,
        changed: Mapping[str, Sequence[Tensor]],
        *,
        inputs: Sequence[Tensor],
        generators: Sequence[torch.Generator] = (),
    ) -> None:
        drawn = [*generators, *_own_generators(device)]
        self.recorder = _recorder(device, drawn)
        self.state = _State({**changed, "inputs": inputs}, drawn)
        self.inputs = inputs
        self.recordings: dict[Hashable, Step] = {}

    def take(self, kind: Hashable, step: Step) -> None:
        """Take a step, or replay the recording of one of its kind.

        Parameters
        ----------
        kind : hashable
            Steps of one kind do the same to their tensors.
        step : callable
            Without arguments.
        """
        if self.recorder is not None and kind not in self.recordings:
            self._record(self.recorder, kind, step)
        self.recordings.get(kind, step)()

    def _record(self, recorder: Recorder, kind: Hashable, step: Step) -> None:
        """Record a step, and restore everything afterwards, whether that failed or not."""
        start, saved = time.perf_counter(), self.state.save()
        try:
            self.recordings[kind] = self._recording(recorder, step, saved)
            _LOG.info("a training step was recorded as a graph in %.3f s", time.perf_counter() - start)
        except Exception as error:  # whatever torch raises where it cannot record; an error of the step comes again
            reason = _first_cause(error)
            _LOG.warning("training steps are not replayed from a graph, which is slower: %s", reason)
            _FAILED.append(recorder)
            self.recorder = None
            self.recordings.clear()
        finally:
            self.state.restore(saved)

    def _recording(self, recorder: Recorder, step: Step, before: _Saved) -> Step:
        for _ in range(_WARM_UPS):
            self.state.restore(before)
            recorder.warm_up(step)
        expected = self.state.save()
        for tensor in self.inputs:
            tensor.zero_()  # should a value be recorded instead of the tensor that holds it, the replay is wrong
        recording = recorder.record(step)
        self.state.restore(before)
        recording()
        _require_equal(self.state.save(), expected, before)
        return recording


def _first_cause(error: BaseException) -> str:
    """The first line of the error behind others: ``torch.cuda.graph`` raises one of its own after that of the step."""
    while error.__context__ is not None:
        error = error.__context__
    return (str(error) or repr(error)).partition("\n")[0]


class _Saved(NamedTuple):
    """Copies of tensors, by what they are, and the states of generators."""

    tensors: dict[str, list[Tensor]]
    generators: list[Tensor]


class _State:
    """All that steps read and change."""

    def __init__(self, tensors: Mapping[str, Sequence[Tensor]], generators: Sequence[torch.Generator]) -> None:
        self.tensors, self.generators = tensors, generators

    def save(self) -> _Saved:
        copies = {name: [tensor.detach().clone() for tensor in group] for name, group in self.tensors.items()}
        return _Saved(copies, [generator.get_state() for generator in self.generators])

    @torch.no_grad()
    def restore(self, saved: _Saved) -> None:
        """Write what was saved into the tensors, which stay where they are."""
        for name, group in self.tensors.items():
            for tensor, copied in zip(group, saved.tensors[name], strict=True):
                tensor.copy_(copied)
        for generator, state in zip(self.generators, saved.generators, strict=True):
            generator.set_state(state)


def _require_equal(found: _Saved, expected: _Saved, before: _Saved) -> None:
    for name, group in expected.tensors.items():
        off = _distance(found.tensors[name], group)
        if off > _TOLERANCE * _distance(group, before.tensors[name]):
            raise RuntimeError(f"the replay's {name} differ from the step's by {off:.2g}")
    if not all(map(torch.equal, found.generators, expected.generators)):
        raise RuntimeError("the replay draws other random numbers than the step")


def _distance(first: Sequence[Tensor], second: Sequence[Tensor]) -> float:
    """The norm of a difference; places where both have diverged count as equal."""
    squares = [(_finite(a) - _finite(b)).square().sum() for a, b in zip(first, second, strict=True)]
    return float(torch.stack(squares).sum().sqrt()) if squares else 0.0


def _finite(tensor: Tensor) -> Tensor:
    return torch.nan_to_num(tensor.float()).double()


def _own_generators(device: torch.device) -> list[torch.Generator]:
    """The generators from which layers such as dropout draw."""
    cuda = [torch.cuda.default_generators[torch.cuda.current_device()]] if device.type == "cuda" else []
    return [torch.default_generator, *cuda]


def _recorder(device: torch.device, generators: Sequence[torch.Generator]) -> Recorder | None:
    if device.type != "cuda" or _FAILED:  # once it has failed, it is not tried again in this process
        return None
    return _CudaRecorder([generator for generator in generators if generator.device.type == "cuda"])


class _CudaRecorder:
    """Records steps as CUDA graphs, which share their memory since only one of them is replayed at a time."""

    def __init__(self, generators: Sequence[torch.Generator]) -> None:
        self.generators = generators
        self.stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch's own stubs
        self.pool = torch.cuda.graph_pool_handle()
        self.graphs: list[torch.cuda.CUDAGraph] = []

    def warm_up(self, step: Step) -> None:
        with self._beside():
            step()

    def record(self, step: Step) -> Step:
        graph = torch.cuda.CUDAGraph()
        self.graphs.append(graph)
        for generator in self.generators:
            if hasattr(graph, "register_generator_state"):  # torch 2.13 does not need it
                graph.register_generator_state(generator)
        try:
            with self._beside(), torch.cuda.graph(graph, pool=self.pool, stream=self.stream):
                step()
        except BaseException:
            self._free_generators()
            raise
        return graph.replay

    @contextmanager
    def _beside(self) -> Iterator[None]:
        """On the side stream, after what was begun before; what follows waits for it.

        The stream is restored here too, since ``torch.cuda.graph`` does not do so if a recording fails.
        """
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            yield
        torch.cuda.current_stream().wait_stream(self.stream)

    def _free_generators(self) -> None:
        """Give generators a new state: before torch 2.13 the old one waits for the end of the recording that failed."""
        for generator in self.generators:
            generator.graphsafe_set_state(generator.clone_state())

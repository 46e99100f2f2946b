"""Build a Kaggle kernel: one script that embeds kpipe, the competition's code and the request of a run.

The script needs no network and installs nothing. Its content is put together here; what it does is in ``main.py``.

References
----------
https://github.com/Kaggle/kaggle-api/blob/main/docs/kernels_metadata.md: the fields of kernel-metadata.json.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kpipe import competitions
from kpipe._version import __version__
from kpipe.core.metrics import get_metric
from kpipe.core.request import FILE_OPTIONS, RunRequest
from kpipe.data.weights import NO_WEIGHTS
from kpipe.errors import OutputError, UsageError
from kpipe.kaggle.kernel.embedded import check_importable, zip_embedded
from kpipe.problem.competition import find
from kpipe.runs.reproduce import rerun_spec
from kpipe.runs.run import Run
from kpipe.training.cross_validation import Fits, ShortenedFits

__all__ = ["BuiltKernel", "KernelSpec", "build_kernel", "on_kaggle", "spec_of_run"]

_MAX_BYTES = 1_000_000  # of a script; Kaggle refuses larger ones
_SHORTEST_TITLE, _LONGEST_TITLE = 5, 50  # characters, of titles and of slugs


@dataclass(frozen=True)
class KernelSpec:
    """The specification of a kernel.

    Attributes
    ----------
    request : RunRequest
        The options of the run.
    made_from : str
        The id of the run that the kernel repeats; empty if it repeats none.
    fits : Fits, optional
        Exactly these fits, whatever the budget of that run was; None as a new run chooses.
    threads : int, optional
        The CPU threads of a fit, on which the last digits of some models depend; None as a new run chooses.
    steps : ShortenedFits
        The steps of those fits that the budget of that run had shortened.
    """

    request: RunRequest
    made_from: str = ""
    fits: Fits | None = None
    threads: int | None = None
    steps: ShortenedFits = field(default_factory=dict)


@dataclass(frozen=True)
class BuiltKernel:
    """The folder of a kernel.

    Attributes
    ----------
    folder, script, metadata : Path
        The folder and the two files in it.
    sha256 : str
        Of the compressed zip of kpipe that the script embeds.
    """

    folder: Path
    script: Path
    metadata: Path
    sha256: str


def build_kernel(
    spec: KernelSpec, folder: Path, *, username: str, gpu: bool = False, wheels: str = "", inputs: Sequence[str] = ()
) -> BuiltKernel:
    """Write a kernel's script and its kernel-metadata.json.

    Parameters
    ----------
    spec : KernelSpec
        What the kernel runs.
    folder : Path
        Where to write; created if it does not exist.
    username : str
        The kernel's owner on Kaggle.
    gpu : bool
        Request a T4 GPU.
    wheels : str, optional
        A dataset of additional packages, owner/slug.
    inputs : sequence of str
        Further inputs, such as pretrained weights: data sets (owner/slug) and models
        (owner/model/framework/variation/version).

    Returns
    -------
    BuiltKernel
        What was written.

    Raises
    ------
    UsageError
        If the slug cannot be a competition's, an input is neither a data set nor a model, the script is larger than
        Kaggle accepts, or the competition's module needs what the script cannot embed.
    OutputError
        If the folder cannot be written.
    """
    slug = spec.request.slug
    if not competitions.is_slug(slug):
        raise UsageError(
            f"{slug!r} cannot be a competition: slugs are lower-case words joined by hyphens.", code="invalid-slug"
        )
    find(slug)  # modules that it finds in places of its own can be embedded once it was imported
    datasets, models = _datasets_and_models(inputs)
    payload = zip_embedded(slug)
    script = _script(spec, payload, wheels=wheels)
    if len(script.encode()) > _MAX_BYTES:
        raise UsageError(
            f"The script would have {len(script.encode()):,} bytes, more than the {_MAX_BYTES:,} that Kaggle accepts. "
            f"Make competitions/{slug}/, and what it imports from elsewhere, smaller: files other than Python belong "
            "in a dataset.",
            code="kernel-not-buildable",
        )
    check_importable(slug, payload)
    metadata = (
        json.dumps(
            _metadata(slug, username, gpu=gpu, datasets=[*([wheels] if wheels else []), *datasets], models=models),
            indent=2,
        )
        + "\n"
    )
    built = BuiltKernel(folder, folder / "script.py", folder / "kernel-metadata.json", _sha256(payload))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        built.script.write_text(script, encoding="utf-8", newline="\n")
        built.metadata.write_text(metadata, encoding="utf-8", newline="\n")
    except OSError as error:
        raise OutputError(
            f"{folder} cannot be written: {error.strerror}. Choose another --dir.", code="cannot-write"
        ) from error
    return built


def spec_of_run(run: Run) -> KernelSpec:
    """The specification of a kernel that repeats a finished run: exactly the run's fits, whatever its budget allowed.

    Its files are those that Kaggle mounts, pretrained weights those of its inputs. A metric that the user named or
    kpipe inferred, perhaps from Kaggle's page, is named; a metric that the competition's module declares stays the
    module's, whatever its name. Another device than the CPU is chosen anew.

    Parameters
    ----------
    run : Run
        Finished.

    Returns
    -------
    KernelSpec

    Raises
    ------
    UsageError
        If the run is a blend of runs, which no kernel can train; if a version of kpipe made it that did not record its
        options; or if the competition's module is not that of the run.
    DataError
        If the run's record is broken.
    """
    rerun = rerun_spec(run)
    record, place = run.record, run.path / "run.json"
    slug, options = record["slug"], record.get("options")
    changes: dict[str, Any] = {"models": list(rerun.fits or ()), "seeds": record["seed"], "budget": None}
    request = RunRequest.from_json(slug, options, place=place, **changes)
    changes |= {"metric": request.metric or _inferred_metric(run)}
    request = on_kaggle(RunRequest.from_json(slug, options, place=place, **changes))
    return KernelSpec(request, record["run_id"], rerun.fits, rerun.threads, rerun.steps)


def on_kaggle(request: RunRequest) -> RunRequest:
    """A request as a kernel makes it, with the files that Kaggle mounts instead of those of this machine.

    Parameters
    ----------
    request : RunRequest

    Returns
    -------
    RunRequest
    """
    return replace(
        request,
        **{name: os.path.basename(file) for name in FILE_OPTIONS[:3] if (file := getattr(request, name))},
        extra=[os.path.basename(file) for file in request.extra],
        data=None,
        device=request.device if request.device == "cpu" else "auto",
        weights=request.weights if request.weights == NO_WEIGHTS else None,  # the kernel looks into its inputs
    )


def _inferred_metric(run: Run) -> str | None:
    """The name of the run's metric if kpipe inferred it; None if the competition's module declares it.

    Raises UsageError if the module, as it is now, does not declare the metric that the run was scored by.
    """
    record, slug = run.record, run.record["slug"]
    name, declared = str(record["metric"]["name"]), find(slug).metric
    inferred = record.get("inferred")
    if isinstance(inferred, Mapping) and "metric" in inferred:
        return get_metric(name).name
    if declared is not None and get_metric(declared).name == name:
        return None
    where = competitions.folder(slug)
    found = "kpipe does not find it here" if where is None else f"{where / 'competition.py'} declares another metric"
    raise UsageError(
        f"{record['run_id']} was scored by {name!r}, a metric that its competition's module declared, but {found}. "
        "Call kpipe in the run's workspace, set KPIPE_COMPETITIONS to the folder of the module, or build the kernel "
        "from a new run.",
        code="unknown-metric",
    )


def _sha256(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()


def _script(spec: KernelSpec, payload: bytes, *, wheels: str) -> str:
    request = spec.request
    fits = spec.fits and {
        name: {seed: list(folds) for seed, folds in seeds.items()} for name, seeds in spec.fits.items()
    }
    steps = {name: [[*of_net] for of_net in nets] for name, nets in spec.steps.items()}
    rerun = {"fits": fits, "threads": spec.threads, "steps": steps} if fits else {}
    encoded = base64.b85encode(payload).decode()  # 6 % shorter than base64
    origin = f", which repeats the run {spec.made_from}" if spec.made_from else ""
    return "\n".join([
        f'"""{request.slug}, by kpipe {__version__}{origin}.',
        "",
        "Written by `kpipe kernel build`. It needs no network and installs nothing: the zip at the end contains kpipe.",
        f"The zip's sha256 is {_sha256(payload)}.",
        '"""',
        "",
        _main_source(),
        f"SLUG = {request.slug!r}",
        f"OPTIONS = {request.to_json()!r}",
        f"RERUN = {rerun!r}",
        f"SHA256 = {_sha256(payload)!r}",
        f"WHEELS = {wheels!r}",
        "KPIPE = (",
        *(f'    "{encoded[start : start + 116]}"' for start in range(0, len(encoded), 116)),
        ")",
        "",
        'if __name__ == "__main__":',
        "    main(SLUG, OPTIONS, RERUN, (KPIPE, SHA256), WHEELS)",
        "",
    ])  # fmt: skip


def _main_source() -> str:
    """The code of ``main.py`` without its docstring."""
    source = (Path(__file__).parent / "main.py").read_text(encoding="utf-8")
    return re.sub(r'\A""".*?"""\s*', "", source, flags=re.DOTALL)


def _datasets_and_models(inputs: Sequence[str]) -> tuple[list[str], list[str]]:
    """The names of data sets and those of models, which differ in their number of parts."""
    parts = r"[\w.-]+(/[\w.-]+)"
    for name in inputs:
        if not re.fullmatch(rf"{parts}|{parts}{{3,4}}", name):
            raise UsageError(
                "A kernel's input must be a Kaggle dataset (owner/name) or model "
                f"(owner/model/framework/variation/version), not a local file; got {name!r}."
            )
    return [name for name in inputs if name.count("/") == 1], [name for name in inputs if name.count("/") > 1]


def _metadata(slug: str, username: str, *, gpu: bool, datasets: Sequence[str], models: Sequence[str]) -> dict[str, Any]:
    title = f"kpipe {slug}"[:_LONGEST_TITLE].strip(" -")
    assert len(title) >= _SHORTEST_TITLE
    metadata = {
        "id": f"{username}/{title.replace(' ', '-')}",
        "title": title,
        "code_file": "script.py",
        "language": "python",
        "kernel_type": "script",
        "is_private": True,
        "enable_gpu": gpu,
        "enable_tpu": False,
        "enable_internet": False,
        "dataset_sources": list(datasets),
        "competition_sources": [slug],
        "kernel_sources": [],
        "model_sources": list(models),
    }
    # enable_gpu alone has meant a P100, which current torch does not support
    return {**metadata, "machine_shape": "NvidiaTeslaT4"} if gpu else metadata

"""Build a Kaggle kernel: one script that embeds kpipe, the competition's code and the request of a run.

The script needs no network and installs nothing. What it holds is decided here; what it does is in ``main.py``.

References
----------
https://github.com/Kaggle/kaggle-api/blob/main/docs/kernels_metadata.md: the fields of kernel-metadata.json.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import lzma
import os
import re
import textwrap
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kpipe import competitions
from kpipe._version import __version__
from kpipe.core.request import FILE_OPTIONS, RunRequest
from kpipe.errors import OutputError, UsageError
from kpipe.problem.competition import find
from kpipe.runs.run import Run, refuse_blend

__all__ = ["BuiltKernel", "build_kernel", "embedded_files", "request_of_run"]

_MOST_BYTES = 1_000_000  # of a script; Kaggle refuses larger ones
_SHORTEST_TITLE, _LONGEST_TITLE = 5, 50  # characters, of titles and of slugs
_ROOT = Path(__file__).parents[2]
_EPOCH = (1980, 1, 1, 0, 0, 0)  # of every file in the zip: the same files give the same bytes

# Packages and modules of kpipe that no run imports: what people use before and after a run.
_LEFT_OUT = ("kpipe.__main__", "kpipe.cli", "kpipe.kaggle.kernel", "kpipe.report", "kpipe.studies")


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
    request: RunRequest,
    folder: Path,
    *,
    username: str,
    gpu: bool = False,
    made_from: str = "",
    wheels: str = "",
) -> BuiltKernel:
    """Write a kernel's script and its kernel-metadata.json.

    Parameters
    ----------
    request : RunRequest
        What the kernel runs.
    folder : Path
        Where to write; created if it does not exist.
    username : str
        The kernel's owner on Kaggle.
    gpu : bool
        Request a T4 GPU.
    made_from : str, optional
        The id of the run that the kernel repeats.
    wheels : str, optional
        A dataset of additional packages, owner/slug.

    Returns
    -------
    BuiltKernel
        What was written.

    Raises
    ------
    UsageError
        If the slug cannot be a competition's, or the script is larger than Kaggle accepts.
    OutputError
        If the folder cannot be written.
    """
    if not competitions.is_slug(request.slug):
        raise UsageError(f"{request.slug!r} cannot be a competition: slugs are lower-case words joined by hyphens.")
    payload = _zip(request.slug)
    script = _script(request, payload, made_from=made_from, wheels=wheels)
    if len(script.encode()) > _MOST_BYTES:
        raise UsageError(
            f"The script would have {len(script.encode()):,} bytes, more than the {_MOST_BYTES:,} that Kaggle accepts. "
            f"Make competitions/{request.slug}/ smaller: files other than Python belong in a dataset."
        )
    metadata = json.dumps(_metadata(request.slug, username, gpu=gpu, wheels=wheels), indent=2) + "\n"
    built = BuiltKernel(folder, folder / "script.py", folder / "kernel-metadata.json", _sha256(payload))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        built.script.write_text(script, encoding="utf-8", newline="\n")
        built.metadata.write_text(metadata, encoding="utf-8", newline="\n")
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror}. Choose another --dir.") from error
    return built


def request_of_run(run: Run) -> RunRequest:
    """The request with which a kernel repeats a finished run.

    The run's models and seeds are named, whatever its budget skipped, and its files are those that Kaggle mounts. The
    metric is named if the user named it or kpipe inferred it, which may need Kaggle's page; a metric that the
    competition's module declares stays the module's. Another device than the CPU is chosen anew.

    Parameters
    ----------
    run : Run
        Finished.

    Returns
    -------
    RunRequest
        All options of the run.

    Raises
    ------
    UsageError
        If the run is a blend of runs, which no kernel can train, or was made by a version of kpipe that did not record
        its options.
    DataError
        If the run's record is broken.
    """
    refuse_blend(run)
    record, place = run.record, run.path / "run.json"
    request = RunRequest.from_json(
        record["slug"],
        record.get("options"),
        place=place,
        models=[model["name"] for model in record["models"]],
        seeds=record["seed"],
        budget=None,
        data=None,
    )
    changes: dict[str, Any] = {"device": request.device if request.device == "cpu" else "auto"}
    changes |= {name: os.path.basename(file) for name in FILE_OPTIONS[:3] if (file := getattr(request, name))}
    changes["extra"] = [os.path.basename(file) for file in request.extra]
    if request.metric is None and find(request.slug).metric is None:
        changes["metric"] = record["metric"]["name"]
    return RunRequest.from_json(request.slug, request.to_json(), place=place, **changes)


def embedded_files(slug: str) -> Iterator[tuple[str, bytes]]:
    """The files that a script embeds: kpipe without what no run imports, and the competition without its sample.

    Parameters
    ----------
    slug : str
        The competition, which need not have code of its own.

    Yields
    ------
    name : str
        The path in the zip, which is a path of modules.
    content : bytes
        The file.
    """
    for path in _ROOT.rglob("*.py"):
        name = path.relative_to(_ROOT.parent).as_posix()
        # a wheel's kpipe/competitions holds all competitions; the one that is wanted may be elsewhere
        if not _is_left_out(name) and not re.match("kpipe/competitions/[^/]+/", name):
            yield name, path.read_bytes()
    folder = competitions.folder(slug)
    for path in folder.rglob("*") if folder else ():
        inside = path.relative_to(folder or path)
        if path.is_file() and not {"sample", "__pycache__"} & set(inside.parts) and path.suffix != ".md":
            yield f"kpipe/competitions/{slug}/{inside.as_posix()}", path.read_bytes()


def _is_left_out(name: str) -> bool:
    module = name.removesuffix(".py").replace("/", ".")
    return any(f"{module}.".startswith(f"{one}.") for one in _LEFT_OUT)


def _zip(slug: str) -> bytes:
    """The embedded files as a zip, compressed as one: 248 kB for titanic, where each file by itself gives 430 kB."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in sorted(embedded_files(slug)):
            archive.writestr(zipfile.ZipInfo(name, date_time=_EPOCH), content)
    return lzma.compress(buffer.getvalue(), preset=9)


def _sha256(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()


def _script(request: RunRequest, payload: bytes, *, made_from: str, wheels: str) -> str:
    encoded = textwrap.wrap(base64.b64encode(payload).decode(), 116)
    origin = f", which repeats the run {made_from}" if made_from else ""
    return "\n".join([
        f'"""{request.slug}, by kpipe {__version__}{origin}.',
        "",
        "Written by `kpipe kernel build`. It needs no network and installs nothing: the zip at its end holds kpipe.",
        f"The zip's sha256 is {_sha256(payload)}.",
        '"""',
        "",
        _main_source(),
        f"SLUG = {request.slug!r}",
        f"OPTIONS = {request.to_json()!r}",
        f"SHA256 = {_sha256(payload)!r}",
        f"WHEELS = {wheels!r}",
        "KPIPE = (",
        *(f'    "{line}"' for line in encoded),
        ")",
        "",
        'if __name__ == "__main__":',
        "    main(SLUG, OPTIONS, KPIPE, SHA256, WHEELS)",
        "",
    ])  # fmt: skip


def _main_source() -> str:
    """The code of ``main.py`` without its docstring."""
    source = (Path(__file__).parent / "main.py").read_text(encoding="utf-8")
    return re.sub(r'\A""".*?"""\s*', "", source, flags=re.DOTALL)


def _metadata(slug: str, username: str, *, gpu: bool, wheels: str) -> dict[str, Any]:
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
        "dataset_sources": [wheels] if wheels else [],
        "competition_sources": [slug],
        "kernel_sources": [],
        "model_sources": [],
    }
    # enable_gpu alone has meant a P100, which current torch does not support
    return {**metadata, "machine_shape": "NvidiaTeslaT4"} if gpu else metadata

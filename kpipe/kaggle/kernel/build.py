"""A competition as one self-contained Kaggle kernel script: kpipe travels inside it, nothing is installed or fetched.

References
----------
https://github.com/Kaggle/kaggle-api/blob/main/docs/kernels_metadata.md: the fields of kernel-metadata.json.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import textwrap
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kpipe import competitions
from kpipe._version import __version__
from kpipe.errors import OutputError, UsageError
from kpipe.runs.run import Run, refuse_blend

__all__ = ["Built", "build", "options_of"]

_LARGEST = 1_000_000  # bytes; Kaggle refuses larger sources
_SHORTEST_TITLE, _LONGEST_TITLE = 5, 50  # characters, of titles and of slugs
_PACKAGE = Path(__file__).parents[2]
# Of kpipe, what no kernel calls: the command line, and what it does besides a run.
_LEFT_OUT = (
    *("__main__.py", "checks/conformance.py", "kaggle/kernel/", "kaggle/submit.py", "problem/template.py"),
    "cli/",
    *(f"runs/{name}" for name in ("blend", "compare", "loaded", "prune", "reproduce", "tracking")),
    *("report/", "studies/"),
)
_KEPT = ("cli/__init__.py", "cli/notebook.py")  # `kpipe.run` is in kpipe.cli.notebook
_EPOCH = (1980, 1, 1, 0, 0, 0)  # in every member of the zip: the same files give the same bytes


@dataclass(frozen=True)
class Built:
    """A kernel's folder. script, metadata : its two files. sha256 : of the zip inside the script."""

    folder: Path
    script: Path
    metadata: Path
    sha256: str


def build(
    slug: str,
    options: Mapping[str, Any],
    folder: Path,
    *,
    username: str,
    gpu: bool = False,
    made_from: str = "",
    wheels: str = "",
) -> Built:
    """Write ``script.py`` and ``kernel-metadata.json``.

    options : of ``kpipe.run``, JSON types. username : whose kernel it is. gpu : on a T4; else on CPUs.
    made_from : the id of the run that it repeats. wheels : a dataset of further packages, owner/slug.
    Raises UsageError for a slug that is none or a script that Kaggle would refuse, OutputError where it cannot be
    written.
    """
    if not competitions.is_slug(slug):
        raise UsageError(f"{slug!r} is no competition's slug: lower-case words joined by hyphens.")
    payload = _zip(slug)
    digest = hashlib.sha256(payload).hexdigest()
    script = _script(slug, options, payload, digest, made_from=made_from, wheels=wheels)
    if len(script.encode()) > _LARGEST:
        raise UsageError(
            f"The script would have {len(script.encode()):,} bytes, more than the {_LARGEST:,} that Kaggle takes. "
            f"Make competitions/{slug}/ smaller: what is not Python belongs into a dataset."
        )
    metadata = json.dumps(_metadata(slug, username, gpu=gpu, wheels=wheels), indent=2) + "\n"
    built = Built(folder, folder / "script.py", folder / "kernel-metadata.json", digest)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        built.script.write_text(script, encoding="utf-8", newline="\n")
        built.metadata.write_text(metadata, encoding="utf-8", newline="\n")
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror}. Choose another --dir.") from error
    return built


def options_of(run: Run) -> dict[str, Any]:
    """What makes a run again: its models and seeds by name, whatever a budget left out.

    Raises UsageError for a blend of runs, which no kernel can train.
    """
    refuse_blend(run)
    record = run.record
    return {
        "models": [model["name"] for model in record["models"]],
        "seed": list(record["seed"]),
        "metric": record["metric"]["name"],
        **{name: record[name] for name in ("id", "target", "split", "drop", "text") if record.get(name)},
    }


def _zip(slug: str) -> bytes:
    """Modules of kpipe and the competition's folder without its sample, as a zip; the same files, the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in sorted(_members(slug)):
            archive.writestr(zipfile.ZipInfo(name, date_time=_EPOCH), content, zipfile.ZIP_DEFLATED, compresslevel=9)
    return buffer.getvalue()


def _members(slug: str) -> Iterator[tuple[str, bytes]]:
    for path in _PACKAGE.rglob("*.py"):
        inside = path.relative_to(_PACKAGE)
        # of the wheel's competitions only the package itself: the one that is wanted comes from where it was found
        needed = inside.as_posix() in _KEPT or not inside.as_posix().startswith(_LEFT_OUT)
        if needed and (inside.parts[0] != "competitions" or len(inside.parts) == 2):
            yield f"kpipe/{inside.as_posix()}", path.read_bytes()
    folder = competitions.folder(slug)
    if folder is None:
        return
    for path in folder.rglob("*"):
        inside = path.relative_to(folder)
        if path.is_file() and not {"sample", "__pycache__"} & set(inside.parts) and path.suffix != ".md":
            yield f"kpipe/competitions/{slug}/{inside.as_posix()}", path.read_bytes()


def _script(slug: str, options: Mapping[str, Any], payload: bytes, digest: str, *, made_from: str, wheels: str) -> str:
    encoded = textwrap.wrap(base64.b64encode(payload).decode(), 116)
    origin = f", which repeats the run {made_from}" if made_from else ""
    return "\n".join([
        f'"""{slug}, by kpipe {__version__}{origin}.',
        "",
        "Made by `kpipe kernel build`. It needs no network and installs nothing: kpipe is the zip at its end, whose",
        f"sha256 is {digest}.",
        '"""',
        "",
        _source(),
        f"SLUG = {slug!r}",
        f"OPTIONS = {dict(options)!r}",
        f"SHA256 = {digest!r}",
        f"WHEELS = {wheels!r}",
        "KPIPE = (",
        *(f'    "{line}"' for line in encoded),
        ")",
        "",
        'if __name__ == "__main__":',
        "    main(SLUG, OPTIONS, KPIPE, SHA256, WHEELS)",
        "",
    ])  # fmt: skip


def _source() -> str:
    """``kernel_main``'s code without its docstring."""
    source = (_PACKAGE / "kaggle" / "kernel" / "main.py").read_text(encoding="utf-8")
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
    # enable_gpu alone has meant a P100, which current torch cannot use
    return {**metadata, "machine_shape": "NvidiaTeslaT4"} if gpu else metadata

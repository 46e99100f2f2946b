"""What a kernel script embeds: kpipe, the competition's folder, and the modules from elsewhere that it imports."""

from __future__ import annotations

import io
import lzma
import re
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from kpipe import competitions
from kpipe.errors import UsageError
from kpipe.runs.code_hashes import code_files, imported_modules

__all__ = ["check_importable", "embedded_files", "zip_embedded"]

_ROOT = Path(__file__).parents[2]
_EPOCH = (1980, 1, 1, 0, 0, 0)  # of every file in the zip: the same files give the same bytes
_MAX_BYTES = 64 << 20  # of files from elsewhere, before compression; a script may have 1 MB

# Packages and modules of kpipe that no run imports: they are used before and after a run.
_LEFT_OUT = (
    "kpipe.__main__",
    "kpipe.cli",
    "kpipe.grading",
    "kpipe.kaggle.kernel",
    "kpipe.report",
    "kpipe.studies",
    "kpipe.vault",
)
_COMPILED = {".so", ".pyd", ".dylib", ".dll"}

# Import a competition from the unpacked zip, with the installed packages and nothing else.
_IMPORT = "import sys; sys.path = [sys.argv[1], *sys.path, *sys.argv[3:]]; __import__(sys.argv[2])"


def embedded_files(slug: str) -> Iterator[tuple[str, bytes]]:
    """The files that a script embeds: kpipe without what no run imports, and the competition without its sample.

    Modules from elsewhere that the competition's files import are embedded under the names by which they are imported.

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

    Raises
    ------
    UsageError
        If a module from elsewhere is compiled or too large to be embedded.
    """
    for path in _ROOT.rglob("*.py"):
        name = path.relative_to(_ROOT.parent).as_posix()
        # a wheel's kpipe/competitions holds all competitions; the one that is wanted may be elsewhere
        if not _is_left_out(name) and not re.match("kpipe/competitions/[^/]+/", name):
            yield name, path.read_bytes()
    folder, modules = competitions.folder(slug), imported_modules(slug)
    _refuse_large(modules)
    if folder is not None:
        modules[folder] = f"{competitions.__name__}.{slug}"
    for place, module in modules.items():
        for path in code_files(place, "*").values():
            if path.suffix in _COMPILED:
                raise UsageError(
                    f"{path} cannot be embedded: it is compiled for this machine. Import it from a wheel, with "
                    "--package NAME, or avoid it in the competition's module.",
                    code="kernel-not-buildable",
                )
            inside = path.relative_to(place).as_posix() if path != place else ""
            base = module.replace(".", "/")
            yield (f"{base}/{inside}" if inside else f"{base}.py"), path.read_bytes()


def _is_left_out(name: str) -> bool:
    module = name.removesuffix(".py").replace("/", ".")
    return any(f"{module}.".startswith(f"{one}.") for one in _LEFT_OUT)


def _refuse_large(modules: dict[Path, str]) -> None:
    """Raise UsageError for modules that are too large for any script, before they are compressed."""
    for place, module in modules.items():
        size = sum(path.stat().st_size for path in code_files(place, "*").values())
        if size > _MAX_BYTES:
            raise UsageError(
                f"The competition's module imports {module} from {place}, which has {size:,} bytes: too many to embed. "
                "Move the code that the module needs into a smaller module, or into the competition's folder.",
                code="kernel-not-buildable",
            )


def zip_embedded(slug: str) -> bytes:
    """The embedded files as a zip, compressed as one: 498 kB for titanic; each file by itself would give 860 kB.

    Parameters
    ----------
    slug : str
        The competition.

    Returns
    -------
    bytes
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in sorted(dict(embedded_files(slug)).items()):
            archive.writestr(zipfile.ZipInfo(name, date_time=_EPOCH), content)
    return lzma.compress(buffer.getvalue(), preset=9)


def check_importable(slug: str, payload: bytes) -> None:
    """Import a user's competition from what a script embeds, in a process that finds only installed packages besides.

    Parameters
    ----------
    slug : str
        The competition. Those that come with kpipe are not imported.
    payload : bytes
        What ``zip_embedded`` gave.

    Raises
    ------
    UsageError
        If the kernel would fail to import it.
    """
    folder = competitions.folder(slug)
    if folder is None or folder.parent in (_ROOT / "competitions", competitions.CHECKOUT / "competitions"):
        return
    with tempfile.TemporaryDirectory() as temporary:
        with zipfile.ZipFile(io.BytesIO(lzma.decompress(payload))) as archive:
            archive.extractall(temporary)
        command = [sys.executable, "-I", "-S", "-B", "-c", _IMPORT, temporary]
        command += [f"{competitions.__name__}.{slug}.competition", *_installed()]
        # Without the user's variables and outside the workspace, as on Kaggle: kpipe finds competitions through both.
        done = subprocess.run(command, capture_output=True, text=True, check=False, env={}, cwd=temporary)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["the import ended without a message"])[-1]
        raise UsageError(
            f"The kernel would fail: {folder / 'competition.py'} cannot be imported from the code that the script "
            "embeds. "
            f"{reason}. kpipe embeds the competition's folder and each module that its files import with an import "
            f"statement. Import it that way, or copy it into {folder}; add a package that Kaggle's image lacks with "
            "--package NAME.",
            code="kernel-not-buildable",
        )


def _installed() -> list[str]:
    """The folders of installed packages, without what links from there to other places."""
    found = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    return list(
        dict.fromkeys([*found, *(path for path in sys.path if path.endswith(("site-packages", "dist-packages")))])
    )

"""Hashes of all code that a run's results depend on: kpipe's, the competition's, and the modules that it imports."""

from __future__ import annotations

import ast
import hashlib
import sys
import sysconfig
from collections.abc import Iterator
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from kpipe import competitions

__all__ = ["code_files", "code_hashes", "hash_kpipe", "imported_modules", "is_installed"]

_KPIPE = Path(__file__).parents[1]
# The folders of pip and of Python: what lies there changes with its version and is not the competition's own code.
_INSTALLED = {
    *(Path(path) for name, path in sysconfig.get_paths().items() if name.endswith(("lib", "stdlib"))),
    *(Path(path) for path in sys.path if path.endswith(("site-packages", "dist-packages"))),
    _KPIPE,
}
_NOT_CODE = {"sample", "__pycache__"}  # in a competition's folder; the sample's files are hashed as data


def code_hashes(slug: str) -> dict[str, str]:
    """The SHA-256 of each body of code that the results of a competition's runs depend on.

    Parameters
    ----------
    slug : str
        The competition, with or without a module.

    Returns
    -------
    dict of str to str
        "kpipe"; "module" if the competition has one, for the files in its folder; and the name of each module from
        elsewhere that it imports, wherever in its files, and of those that these import. Installed packages are not
        among them.
    """
    found = {"kpipe": _hash(_KPIPE, "*.py")}
    folder = competitions.folder(slug)
    if folder is not None:
        found["module"] = _hash(folder, "*")
        found |= {place.name: _hash(place, "*.py") for place in reversed(imported_modules(slug))}
    return found


def imported_modules(slug: str) -> dict[Path, str]:
    """The modules and packages from elsewhere that a competition's files import, directly or not.

    Parameters
    ----------
    slug : str
        The competition, with or without a module.

    Returns
    -------
    dict of Path to str
        File or folder to the dotted name of the module, in the order in which they are imported. Installed packages are
        not among them.
    """
    folder = competitions.folder(slug)
    return {} if folder is None else _imported_modules(folder, f"{competitions.__name__}.{slug}")


def hash_kpipe(*packages: str) -> str:
    """One SHA-256 of the code in some of kpipe's packages.

    Parameters
    ----------
    *packages : str
        Such as "models".

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    return hashlib.sha256("".join(_hash(_KPIPE / package, "*.py") for package in packages).encode()).hexdigest()


def is_installed(path: Path) -> bool:
    """Whether a file belongs to Python, to kpipe or to an installed package, and not to the user.

    Parameters
    ----------
    path : Path
        A file or a folder.

    Returns
    -------
    bool
    """
    return any(path.is_relative_to(each) for each in _INSTALLED)


def code_files(place: Path, pattern: str) -> dict[str, Path]:
    """The files of a module or of a competition's folder, without its sample, its texts and hidden files.

    Parameters
    ----------
    place : Path
        A folder or a file.
    pattern : str
        Which files of a folder, such as "*.py".

    Returns
    -------
    dict of str to Path
        The path inside the folder ("." for a file itself) to the file, sorted.
    """
    files = sorted(place.rglob(pattern)) if place.is_dir() else [place]
    named = {file.relative_to(place): file for file in files if file.is_file() and file.suffix != ".md"}
    return {name.as_posix(): file for name, file in named.items() if _is_code(name)}


def _is_code(name: Path) -> bool:
    """Whether a file of a module can be code, by its path in the module: not a sample's, cached or hidden.

    Hidden files are the history of git, which changes with each commit, and secrets such as ``.env``.
    """
    return not any(part in _NOT_CODE or part.startswith(".") for part in name.parts)


def _hash(place: Path, pattern: str) -> str:
    """One SHA-256 of the names and contents of the files in a folder, or of one file."""
    digest = hashlib.sha256()
    for name, file in code_files(place, pattern).items():
        digest.update(f"{name}\0{file.stat().st_size}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def _imported_modules(folder: Path, package: str) -> dict[Path, str]:
    """Place to name of the modules from elsewhere that the files in a folder import, directly or not."""
    found: dict[Path, str] = {}
    waiting = [(file, package) for file in sorted(folder.rglob("*.py"))]
    while waiting:
        file, own_package = waiting.pop()
        for name in (name for name in _imports(file, own_package) if name != package):
            for place in _places(name):
                if place in found or place == folder or folder in place.parents:
                    continue
                found[place] = name
                waiting += [(inner, "") for inner in (place.rglob("*.py") if place.is_dir() else [place])]
    return found


def _imports(file: Path, package: str) -> Iterator[str]:
    """What a file imports, anywhere in it: top-level names, and of competitions also the name of the competition."""
    try:
        yield from _imports_of_text(file.read_bytes(), package)
    except (OSError, SyntaxError, ValueError):
        return


@lru_cache(maxsize=256)  # a run asks twice: for its record, and for the code that it keeps
def _imports_of_text(text: bytes, package: str) -> tuple[str, ...]:
    found = []
    for node in ast.walk(ast.parse(text)):
        for name in _imported_names(node, package):
            parts = name.split(".")
            is_competition = ".".join(parts[:2]) == competitions.__name__ and len(parts) > 2
            found.append(".".join(parts[:3]) if is_competition else parts[0])
    return tuple(dict.fromkeys(found))


def _imported_names(node: ast.AST, package: str) -> list[str]:
    """The full names in an import statement; relative ones only if the file's package is known."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    parent = package.rsplit(".", node.level - 1)[0] if node.level and package else ""
    start = ".".join(filter(None, (parent, node.module)))
    return [f"{start}.{alias.name}" for alias in node.names] if start and (package or not node.level) else []


def _places(name: str) -> Iterator[Path]:
    """The file or folders of a module, unless it is installed or belongs to kpipe or Python."""
    if name in sys.stdlib_module_names or name == "kpipe":
        return
    try:
        spec = sys.modules[name].__spec__ if name in sys.modules else find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return
    found = list(spec.submodule_search_locations or [spec.origin or ""]) if spec else []
    for place in map(Path, found):
        if place.exists() and (place.is_dir() or place.suffix == ".py") and not is_installed(place):
            yield place

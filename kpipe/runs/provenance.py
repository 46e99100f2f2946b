"""What a run is made of: everything that its results depend on, so that a change is noticed and can be named."""

from __future__ import annotations

import ast
import hashlib
import json
import platform
import re
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from kpipe import competitions
from kpipe.core.packages import installed_versions
from kpipe.data.further_tables import file_hashes
from kpipe.problem.problem import Problem
from kpipe.training.cross_validation import Fits

__all__ = ["RerunSpec", "differences", "inputs_of", "machine", "versions"]

_LIBRARIES = (
    *("kpipe", "numpy", "pandas", "pyarrow", "scikit-learn", "lightgbm", "catboost", "xgboost", "torch", "fastai"),
    *("joblib", "scipy"),
)
_LONGEST = 80  # characters of a value that a difference still shows
# Where pip and Python put modules: these change with their versions, and are no code of the competition's.
_INSTALLED = {
    *(Path(path) for name, path in sysconfig.get_paths().items() if name.endswith(("lib", "stdlib"))),
    *(Path(path) for path in sys.path if path.endswith(("site-packages", "dist-packages"))),
    Path(__file__).parents[1],
}
_NOT_CODE = {
    "sample",
    "__pycache__",
}  # in a competition's folder: its sample is data, whose hash is taken where it is read


@dataclass(frozen=True, kw_only=True)
class RerunSpec:
    """What a resumed or reproduced run takes over from the run before it.

    Attributes
    ----------
    inputs : mapping or None
        What the inputs of a resumed run must be; None where any inputs are accepted.
    threads : int or None
        CPU threads of a fit, on which the last digits of some models depend; None as a new run would choose.
    fits : Fits or None
        Exactly these fits, however long they take; None as a new run would choose.
    of : str
        The id of the finished run that is reproduced; empty otherwise.
    then : mapping or None
        The inputs of that run: what differs now is said before anything is trained.
    """

    inputs: Mapping[str, Any] | None = None
    threads: int | None = None
    fits: Fits | None = None
    of: str = ""
    then: Mapping[str, Any] | None = None


def versions() -> dict[str, str]:
    """The versions of Python and of the libraries that results depend on."""
    return {"python": platform.python_version(), **installed_versions(_LIBRARIES)}


def machine() -> dict[str, str]:
    """What computes: the system and the processor, whose instructions decide the last digits."""
    return {"system": f"{platform.system()} {platform.machine()}", "processor": _processor()}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())


def inputs_of(problem: Problem, models: Sequence[str], **settings: object) -> dict[str, Any]:
    """Everything that a run's results depend on: files, code, versions, and settings.

    Parameters
    ----------
    problem : Problem
    models : sequence of str
        Names of the models that are trained.
    **settings
        Further settings of the run, such as seeds, folds and device.

    Returns
    -------
    dict
        JSON types: "files" (name to sha256), "code" (name to sha256), "versions", "settings".
    """
    given = problem.competition
    own: dict[str, object] = {
        "slug": problem.slug,
        "id": problem.id,
        "targets": list(problem.targets),
        "task": problem.task,
        "metric": problem.metric.name,
        "groups": problem.groups,
        "split": given.split,
        "text": list(given.text),
        "drop": list(given.drop),
        "models": list(models),
        **settings,
    }
    columns = "\n".join(problem.columns).encode()
    folder = competitions.folder(problem.slug)
    code = {"kpipe": _hash_of_code(Path(__file__).parents[1], "*.py")}
    if folder is not None:
        code["module"] = _hash_of_code(folder, "*")
        code |= _helpers(folder, f"{competitions.__name__}.{problem.slug}")
    made = {
        "files": file_hashes(problem.tables),
        "code": code,
        "versions": versions(),
        "settings": {**own, "columns": hashlib.sha256(columns).hexdigest()},
    }
    return json.loads(json.dumps(made, default=str))


def _hash_of_code(folder: Path, pattern: str) -> str:
    """One sha256 of names and contents; a competition's module may read whatever lies beside it. Also of one file."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob(pattern)) if folder.is_dir() else [folder]:
        inside = path.relative_to(folder)
        if path.is_file() and not _NOT_CODE & set(inside.parts) and path.suffix != ".md":
            digest.update(f"{inside.as_posix()}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return digest.hexdigest()


def _helpers(folder: Path, package: str) -> dict[str, str]:
    """The sha256 of own modules that a competition's folder imports from elsewhere, and of those that these import.

    As its files say it, wherever in them: what a model's factory imports counts before it is called. What is installed
    is left out. A folder of modules counts whole.
    """
    found: dict[str, str] = {}
    waiting = [(path, package) for path in sorted(folder.rglob("*.py"))]
    while waiting:
        path, inside = waiting.pop()
        for place in (place for name in _imports(path, inside) if name != package for place in _own(name)):
            if place.name in found or place == folder or folder in place.parents:
                continue
            found[place.name] = _hash_of_code(place, "*.py")
            waiting += [(one, "") for one in (place.rglob("*.py") if place.is_dir() else [place])]
    return found


def _imports(path: Path, package: str) -> Iterator[str]:
    """What a file imports: top names, and of what lies among the competitions the name below them."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        if isinstance(node, ast.ImportFrom):
            above = package.rsplit(".", node.level - 1)[0] if node.level and package else ""
            start = ".".join(filter(None, (above, node.module)))
            names = [f"{start}.{name}" for name in names] if start and (package or not node.level) else []
        for name in names:
            parts = name.split(".")
            among = ".".join(parts[:2]) == competitions.__name__ and len(parts) > 2
            yield ".".join(parts[:3]) if among else parts[0]


def _own(name: str) -> Iterator[Path]:
    """Where a module lies that is neither installed nor kpipe's nor Python's."""
    if name in sys.stdlib_module_names or name == "kpipe":
        return
    try:
        spec = sys.modules[name].__spec__ if name in sys.modules else find_spec(name)
    except (ImportError, ValueError, AttributeError):
        return
    found = list(spec.submodule_search_locations or [spec.origin or ""]) if spec else []
    for place in map(Path, found):
        installed = any(place.is_relative_to(each) for each in _INSTALLED)
        if place.exists() and (place.is_dir() or place.suffix == ".py") and not installed:
            yield place


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between what two runs are made of, each as a phrase; ``then`` may come from anywhere.

    >>> differences({"versions": {"numpy": "2.1"}}, {"versions": {"numpy": "2.2"}})
    ['versions: numpy was 2.1, is 2.2']
    """
    words = {"files": "data", "code": "code", "versions": "versions", "settings": "options", "machine": "machine"}
    found = []
    for part, word in words.items():
        before, after = (_mapping(made.get(part)) for made in (then, now))
        found += [f"{word}: {phrase}" for phrase in _phrases(before, after)]
    # What a record from elsewhere says is shown on a terminal, which must not be told what to do by it.
    return [phrase if phrase.isprintable() else ascii(phrase) for phrase in found]


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _phrases(before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[str]:
    differ = [name for name in sorted({*before, *after}, key=str) if before.get(name) != after.get(name)]
    hashed = [name for name in differ if name in before and name in after and _is_hash(after[name])]
    if hashed:
        yield f"{', '.join(hashed)} changed"
    for name in differ:
        if name not in before or name not in after:
            yield f"{name} is {'no longer' if name in before else 'newly'} there"
        elif name not in hashed:
            yield f"{name} was {_shown(before[name])}, is {_shown(after[name])}"


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."

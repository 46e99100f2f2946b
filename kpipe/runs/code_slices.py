"""The part of a user's modules that given functions and classes run, as a hash.

Of each module only the statements count that the given names reach: a change elsewhere in the file, of a comment or of
a docstring leaves the hash as it was. What cannot be followed (``eval``, ``globals()``, ``from x import *``) takes in
the whole module.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path

from kpipe import competitions
from kpipe.runs.code_hashes import is_installed

__all__ = ["hash_code", "user_source"]

_UNTRACEABLE = {"eval", "exec", "globals", "vars", "locals", "import_module", "__import__"}
_BLOCKS = (ast.If, ast.Try, ast.With)  # statements that may define names as well as do something
_NOT_DATA = {".py", ".pyc", ".md"}  # suffixes in a competition's folder that hold no data a module may read
_COMPETITIONS = f"{competitions.__name__}."
_SOURCES: dict[str, tuple[ModuleSpec, bytes]] = {}  # of modules that are loaded
_ALL = "*"  # every name of a module
_CACHED_MODULES, _CACHED_NODES = 64, 50_000  # of the sources that were parsed last


def hash_code(names: frozenset[tuple[str, str]]) -> str:
    """One SHA-256 of the user's code that functions and classes run, and of data files beside a competition's module.

    Parameters
    ----------
    names : frozenset of (str, str)
        The module of each function or class, and its qualified name. Modules that are not the user's are ignored.

    Returns
    -------
    str
        64 hexadecimal digits; the same for the same code in every process.

    Raises
    ------
    ValueError
        If the source of one of the user's modules cannot be read, or has changed since it was imported in a way that
        Python cannot parse.
    """
    waiting, seen = [*names], set[tuple[str, str]]()
    modules: dict[str, _Module] = {}
    while waiting:
        name, qualified = waiting.pop()
        start = qualified.split(".")[0]
        if (name, start) in seen or (file := user_source(name)) is None:
            continue
        seen.add((name, start))
        if name not in modules:
            modules[name] = _Module.read(name, file)
        waiting += modules[name].include(start)
    digest = hashlib.sha256()
    for name in sorted(modules):
        digest.update(f"{name}\0{modules[name].text()}\0".encode())
    for folder in sorted({module.folder for module in modules.values() if module.is_competition}):
        digest.update(_hash_data(folder).encode())
    return digest.hexdigest()


def user_source(name: str) -> Path | None:
    """The source file of a module if it is the user's own: neither Python's, nor kpipe's, nor installed by pip.

    Parameters
    ----------
    name : str
        Its dotted name. Nothing is imported.

    Returns
    -------
    Path or None
        None also if the name is that of a module's member.

    Raises
    ------
    ValueError
        If the module is the user's, and its source is not in a file: it was typed into a prompt or a notebook.
    """
    is_competition = name.startswith(_COMPETITIONS)  # may lie inside kpipe's folder
    if name == "__main__":
        raise ValueError("Functions and classes of the main program are known to it alone.")
    if not is_competition and "." in name and user_source(name.partition(".")[0]) is None:
        return None
    if name in sys.stdlib_module_names or name == "kpipe":
        return None
    spec = _find_spec(name)
    if spec is None or not spec.origin:
        return None
    path = Path(spec.origin).resolve()
    if not is_competition and (is_installed(path) or spec.origin in ("built-in", "frozen")):
        return None
    if path.suffix != ".py":
        raise ValueError(f"The source of the module {name} cannot be read: {path}.")
    return path


def _find_spec(name: str) -> ModuleSpec | None:
    """The specification of a module; unlike importlib's function this imports no package above it."""
    above = name.rpartition(".")[0]
    try:
        if name in sys.modules:
            return sys.modules[name].__spec__
        if not above:
            return find_spec(name)
        package = _find_spec(above)
    except (ImportError, ValueError, AttributeError):
        return None
    places = package.submodule_search_locations if package is not None else None
    return PathFinder.find_spec(name, places) if places else None


@dataclass
class _Module:
    """A user's module, statement by statement, and the statements that are included so far."""

    name: str
    package: str
    folder: Path
    statements: list[ast.stmt]
    included: set[int] = field(default_factory=set)

    @classmethod
    def read(cls, name: str, file: Path) -> _Module:
        try:
            statements = _parse(_loaded_source(name, file))
        except (OSError, SyntaxError) as error:
            raise ValueError(f"The source of the module {name} cannot be read: {error}.") from error
        package = name if file.name == "__init__.py" else name.rpartition(".")[0]
        return cls(name, package, file.parent, statements)

    @property
    def is_competition(self) -> bool:
        """Whether the module lies in the folder of a competition."""
        return self.name.startswith(_COMPETITIONS)

    def include(self, start: str) -> list[tuple[str, str]]:
        """Include the statements that define a name, what they reach, and what runs in any case; return the imports."""
        defined = [_defined(statement) for statement in self.statements]
        wanted = {start} | {name for names in defined for name in names if start == _ALL}
        imports: list[tuple[str, str]] = []
        reached: set[str] = set()
        while wanted:
            reached |= wanted
            found = [
                number
                for number, names in enumerate(defined)
                if number not in self.included and (names & reached or _counts_anyway(self.statements[number], reached))
            ]
            self.included.update(found)
            used = {name for number in found for name in _used(self.statements[number])}
            imports += [one for number in found for one in _imports(self.statements[number], self.package)]
            everything = {name for names in defined for name in names}
            wanted = (everything if used & _UNTRACEABLE else used & everything) - reached
        return imports

    def text(self) -> str:
        """The included statements, without positions, comments and docstrings."""
        return "\n".join(_dump(self.statements[number]) for number in sorted(self.included))


def _loaded_source(name: str, file: Path) -> bytes:
    """The source of a module as it was when it was first asked for, until the module is loaded again.

    In a notebook, a file may have been edited since: then the process still runs what it had imported.
    """
    spec = sys.modules[name].__spec__ if name in sys.modules else None
    if spec is None:
        return file.read_bytes()
    if name not in _SOURCES or _SOURCES[name][0] is not spec:  # reload makes another specification
        _SOURCES[name] = (spec, file.read_bytes())
    return _SOURCES[name][1]


@lru_cache(maxsize=_CACHED_MODULES)
def _parse(source: bytes) -> list[ast.stmt]:
    """The statements of a module without docstrings; they are cached, so that callers must not change them."""
    tree = ast.parse(source)
    _remove_docstrings(tree)
    return tree.body


def _remove_docstrings(tree: ast.Module) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:] or [ast.Pass()]


@lru_cache(maxsize=_CACHED_NODES)
def _defined(statement: ast.stmt) -> set[str]:
    """The names that a statement of a module binds."""
    if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return {statement.name}
    found = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    for node in ast.walk(statement):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
    return found


def _counts_anyway(statement: ast.stmt, reached: set[str]) -> bool:
    """Whether a statement may change what the reached names do, though it defines none of them."""
    return _always_runs(statement) or _derives(statement, reached)


@lru_cache(maxsize=_CACHED_NODES)
def _always_runs(statement: ast.stmt) -> bool:
    """Whether a statement does more than define names: it may change what the others do."""
    if isinstance(statement, ast.If) and "__name__" in _used(statement.test):
        return False  # if __name__ == "__main__"
    if isinstance(statement, ast.Assign | ast.AugAssign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return any(not isinstance(node, ast.Name | ast.Tuple | ast.List) for node in targets)
    if isinstance(statement, ast.ImportFrom):
        return any(alias.name == _ALL for alias in statement.names)
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return bool(statement.decorator_list)  # which may register it somewhere
    if isinstance(statement, _BLOCKS):
        return any(_always_runs(inner) for inner in ast.iter_child_nodes(statement) if isinstance(inner, ast.stmt))
    return isinstance(statement, ast.Expr | ast.For | ast.While | ast.Delete)


def _derives(statement: ast.stmt, reached: set[str]) -> bool:
    """Whether a statement defines a subclass of a class that is reached, which may know its subclasses."""
    return isinstance(statement, ast.ClassDef) and any(_used(base) & reached for base in statement.bases)


@lru_cache(maxsize=_CACHED_NODES)
def _used(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


@lru_cache(maxsize=_CACHED_NODES)
def _dump(node: ast.AST) -> str:
    return ast.dump(node)


@lru_cache(maxsize=_CACHED_NODES)
def _imports(statement: ast.stmt, package: str) -> tuple[tuple[str, str], ...]:
    """The modules that a statement imports anywhere in it, each with the name that is taken from it, or ``*``."""
    return tuple(_each_import(statement, package))


def _each_import(statement: ast.stmt, package: str) -> Iterator[tuple[str, str]]:
    for node in ast.walk(statement):
        if isinstance(node, ast.Import):
            yield from ((alias.name, _ALL) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parent = package.rsplit(".", node.level - 1)[0] if node.level else ""
            module = ".".join(filter(None, (parent, node.module)))
            for alias in node.names:
                yield module, alias.name
                yield f"{module}.{alias.name}", _ALL  # if the name is a module's


def _hash_data(folder: Path) -> str:
    """One SHA-256 of the data files beside a competition's module, which the module may read."""
    digest = hashlib.sha256()
    for file in sorted(folder.iterdir()):
        if file.is_file() and file.suffix not in _NOT_DATA:
            with file.open("rb") as opened:
                digest.update(f"{file.name}\0{hashlib.file_digest(opened, 'sha256').hexdigest()}\0".encode())
    return digest.hexdigest()

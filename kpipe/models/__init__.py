"""Models by name: factories that turn a ``Context`` into an unfitted estimator, each loaded when it is first called.

A model is a public function in a module of this folder whose first parameter is ``context: Context``. With hyphens for
underscores, the function's name is the model's name; the first line of its docstring describes the model. Adding a
model is therefore adding one file. The catalogue is read from the text of the files, so that naming a model imports
neither torch nor a boosting library.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from kpipe.core.values import Context
from kpipe.core.wording import did_you_mean, listed
from kpipe.errors import UsageError
from kpipe.models.factory import unknown_option

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

__all__ = ["CATALOG", "CatalogEntry", "Model", "model", "read_catalog", "unknown_model"]

_FACTORY = re.compile(r'^def ([a-z]\w*)\(\s*context: Context\b.*?"""(.*?)\.?(?:"""|\n)', re.MULTILINE | re.DOTALL)


class CatalogEntry(NamedTuple):
    """Where a model of the catalogue is defined: its module's name, and one line that describes it."""

    module: str
    description: str


def read_catalog(folder: Path, package: str) -> dict[str, CatalogEntry]:
    """Find the models in the files of a folder, without importing them.

    Parameters
    ----------
    folder : Path
    package : str
        The dotted name of the folder.

    Returns
    -------
    dict of str to CatalogEntry
        By the model's name; those in the folder itself come first, then those of the folders below.
    """
    return {
        function.replace("_", "-"): CatalogEntry(
            ".".join([package, *path.relative_to(folder).with_suffix("").parts]), text
        )
        for path in sorted(folder.rglob("*.py"), key=lambda path: (len(path.parts), path))
        for function, text in _FACTORY.findall(path.read_text(encoding="utf-8"))
    }


CATALOG = read_catalog(Path(__file__).parent, __name__)


@dataclass(frozen=True)
class Model:
    """A model of the catalogue with options; calling it with a ``Context`` gives an unfitted estimator.

    It can be pickled, and is therefore what competitions declare and workers receive.

    Parameters
    ----------
    name : str
        A key of ``CATALOG``.
    options : dict of str to object
        Keyword arguments of the model's factory.
    """

    name: str
    options: dict[str, Any] = field(default_factory=dict)

    def __call__(self, context: Context) -> BaseEstimator:
        """The unfitted estimator.

        Parameters
        ----------
        context : Context
            Task, loss, seed, threads and device of the fit.

        Returns
        -------
        estimator
            As the factory returns it.

        Raises
        ------
        UsageError
            If the model has no such option, cannot do the context's task, or its library is not installed.
        """
        module = import_module(CATALOG[self.name].module)
        factory: Callable[..., BaseEstimator] = getattr(module, self.name.replace("-", "_"))
        try:
            return factory(context, **self.options)
        except TypeError as error:
            unknown = re.search(r"unexpected keyword argument '(\w+)'", str(error))
            if unknown is None or unknown[1] not in self.options:
                raise
            raise unknown_option(self.name, unknown[1], _options_of(factory, context)) from error


def _options_of(factory: Callable[..., BaseEstimator], context: Context) -> list[str]:
    """The options of a factory: its own, and those of the estimator that it returns, if it passes options on."""
    own = inspect.signature(factory).parameters
    names = [name for name, parameter in own.items() if parameter.kind is parameter.KEYWORD_ONLY]
    if all(parameter.kind is not parameter.VAR_KEYWORD for parameter in own.values()):
        return names
    made: Any = factory(context)
    last = made[-1] if hasattr(made, "steps") else made
    inner = last.estimator if hasattr(last, "library") else last  # of early stopping
    theirs = inspect.signature(type(inner).__init__).parameters
    return [*names, *(name for name in theirs if name not in ("self", "args", "kwargs", *names))]


def model(name: str, **options: Any) -> Model:
    """A model of the catalogue by name; its module is loaded when it is first called.

    Parameters
    ----------
    name : str
        A key of ``CATALOG``.
    **options
        Keyword arguments of the model's factory.

    Returns
    -------
    Model
        A factory ``Context → estimator``.

    Raises
    ------
    UsageError
        If the catalogue has no model of this name.

    Examples
    --------
    >>> model("linear", C=0.5)
    Model(name='linear', options={'C': 0.5})
    """
    if name not in CATALOG:
        raise unknown_model(name, list(CATALOG))
    return Model(name, options)


def unknown_model(name: str, known: Sequence[str]) -> UsageError:
    """The error for a model name that does not exist, with the most similar name or, if none is near, all names.

    Parameters
    ----------
    name : str
        The name that the user gave.
    known : sequence of str
        The names that exist.

    Returns
    -------
    UsageError
        To be raised by the caller.
    """
    hint = did_you_mean(name, known)
    if "," in name:
        hint = f" Repeat the option: {' '.join(f'--model {part.strip()}' for part in name.split(','))}."
    names = listed(known) if hint else ", ".join(known)
    return UsageError(f"There is no model {name!r}.{hint} The models are: {names}.", code="unknown-model")

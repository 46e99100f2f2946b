"""Installed packages: their versions, and the command that installs the ones that are missing."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable
from functools import cache

from kpipe._version import __version__

__all__ = ["DISTRIBUTION", "install_command", "installed_versions"]

DISTRIBUTION = "kaggle-kpipe"  # the name on PyPI, where "kpipe" belongs to another project


def installed_versions(names: Iterable[str]) -> dict[str, str]:
    """Versions of the distributions that are installed, by name.

    Parameters
    ----------
    names : iterable of str
        Distributions, as on PyPI. ``"kpipe"`` stands for the package that is running, which may come from a checkout
        or from a kernel script rather than from an installed distribution.

    Returns
    -------
    dict of str to str
        Name to version, in the given order, without the distributions that are not installed.

    Examples
    --------
    >>> installed_versions(["no-such-package"])
    {}
    """
    found = {name: __version__ if name == "kpipe" else _version(name) for name in names}
    return {name: version for name, version in found.items() if version is not None}


@cache  # called three times in a run, and reading the metadata of a package takes milliseconds
def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def install_command(*packages: str, extra: str = "") -> str:
    """The shell command that installs missing packages.

    Parameters
    ----------
    *packages : str
        Distributions, as on PyPI.
    extra : str, optional
        An extra of kpipe, one of ``[project.optional-dependencies]`` in pyproject.toml.

    Returns
    -------
    str
        A command for the user to copy.

    Examples
    --------
    >>> install_command(extra="xgboost")
    "pip install 'kaggle-kpipe[xgboost]'"
    >>> install_command("torch", "fastai")
    'pip install torch fastai'
    """
    wanted = [*packages, *([f"'{DISTRIBUTION}[{extra}]'"] if extra else [])]
    return f"pip install {' '.join(wanted)}"

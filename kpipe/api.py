"""The functions of the public Python API: they take and return what a user of pandas and scikit-learn expects.

``kpipe.run`` is in ``kpipe.cli.notebook``, because it shows a progress bar in a notebook; ``kpipe.runs()`` and
``kpipe.report()`` are in the packages of their names.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kpipe import pipeline
from kpipe.core.request import RunRequest, check_option_names
from kpipe.core.values import Check, Tables
from kpipe.data import loading
from kpipe.errors import UsageError
from kpipe.kaggle.download import KaggleDownloader
from kpipe.problem.competition import Competition
from kpipe.problem.settings import SETTINGS, make_request
from kpipe.runs.compare import Comparison
from kpipe.runs.compare import compare as compare_runs
from kpipe.runs.find import find_run
from kpipe.runs.run import Run

__all__ = ["blend", "check", "compare", "load", "load_run"]

_CALLBACKS_OF_A_CHECK = ("on_step", "on_check")
_NO_OPTIONS_OF_A_CHECK = ("slug", "budget", "seed", "seeds", "keep_models", "name", "note")
_OPTIONS_OF_LOAD = ("data", "text", "id", "train", "test", "sample", "extra", "size")


def load_run(run: str | Path, *, out: str | Path = "submissions") -> Run:
    """A finished run, read from its folder.

    Parameters
    ----------
    run : str or Path
        The run's folder, its id, or as much of the beginning or the end of its id as no other run shares.
    out : str or Path, default="submissions"
        The folder that runs are written to, in which ids are looked up.

    Returns
    -------
    Run

    Raises
    ------
    UsageError
        If no run or several runs match, or the run is unfinished.
    DataError
        If the run's record is broken.

    See Also
    --------
    kpipe.runs : A table of all runs.

    Examples
    --------
    >>> import kpipe
    >>> run = kpipe.load_run("20261121T092754Z-f40eed")  # doctest: +SKIP
    >>> run.score, run.standard_error  # doctest: +SKIP
    (0.8653, 0.0114)
    """
    return find_run(str(run), Path(out))


def compare(a: Run | str | Path, b: Run | str | Path, *, out: str | Path = "submissions") -> Comparison:
    """Compare two runs on the rows that both predicted.

    Parameters
    ----------
    a, b : Run, str or Path
        Runs of one competition: as ``kpipe.run`` returns them, or as ``kpipe.load_run`` finds them.
    out : str or Path, default="submissions"
        The folder in which ids are looked up.

    Returns
    -------
    Comparison
        ``verdict`` says whether b is significantly better or worse than a; ``difference`` and ``standard_error`` are
        paired; ``changed`` lists what differs between the runs; ``sides`` is a DataFrame of the rows that were won and
        lost.

    Raises
    ------
    UsageError
        If there is no such run, or the runs differ in competition, rows, targets or metric.

    Examples
    --------
    >>> import kpipe
    >>> comparison = kpipe.compare(first, second)  # doctest: +SKIP
    >>> comparison.verdict  # doctest: +SKIP
    'no significant difference'
    """
    return compare_runs(_as_run(a, out), _as_run(b, out))


def blend(
    runs: Sequence[Run | str | Path],
    *,
    data: str | Path | None = None,
    name: str | None = None,
    note: str | None = None,
    out: str | Path = "submissions",
) -> Run:
    """Combine the models of several runs into a new run, with weights fitted on their out-of-fold predictions.

    Parameters
    ----------
    runs : sequence of Run, str or Path
        Two runs or more that were trained on the same rows and folds.
    data : str or Path, optional
        A folder or zip of Kaggle's files. By default, where the first run read them.
    name, note : str, optional
        Of the new run, as for ``kpipe.run``.
    out : str or Path, default="submissions"
        The folder in which ids are looked up and the new run is created.

    Returns
    -------
    Run

    Raises
    ------
    UsageError
        If the runs cannot be blended with each other.
    DataError
        If the files are not those of the runs.

    Examples
    --------
    >>> import kpipe
    >>> kpipe.blend([first, second]).scores  # doctest: +SKIP
    """
    if isinstance(runs, Run | str | Path):
        raise UsageError("runs must be a list of two runs or more.", code="missing-argument")
    names = [str(run.path) if isinstance(run, Run) else str(run) for run in runs]
    return pipeline.blend_runs(names, data=data, name=name, note=note, out=Path(out))


def _as_run(run: Run | str | Path, out: str | Path) -> Run:
    return run if isinstance(run, Run) else load_run(run, out=out)


def check(
    competition: str | Competition,
    **options: Any,
) -> tuple[Check, ...]:
    """Test a competition module for leaks and mistakes, as scikit-learn's ``check_estimator`` tests an estimator.

    Parameters
    ----------
    competition : str or Competition
        A slug, or a ``Competition``, such as one that you are still writing.
    **options
        As for ``kpipe.run``: data, models, folds, device, jobs, metric, target, id, text, split, drop, fresh, and out,
        where a vault may be in force. Models that are defined in the test module itself need ``jobs=1``, because
        worker processes cannot import them. In a workspace, ``kpipe.toml`` sets those that are not given.

    Returns
    -------
    tuple of Check
        Each has a ``name``, a ``status`` ("pass", "warn" or "fail"), and a ``detail``.

    Raises
    ------
    KpipeError
        If nothing can be checked, because the files cannot be read or the arguments are wrong.

    Examples
    --------
    In a test of your own module::

        def test_my_competition_is_honest():
            assert [c for c in kpipe.check("my-competition", data="my.zip") if c.status == "fail"] == []
    """
    callbacks = {name: options.pop(name) for name in _CALLBACKS_OF_A_CHECK if name in options}
    if unused := ", ".join(sorted({*_NO_OPTIONS_OF_A_CHECK} & {*options})):
        raise UsageError(f"A check fits each model once and writes no run: omit {unused}.", code="conflicting-options")
    check_option_names(options)
    slug, own = (competition, None) if isinstance(competition, str) else (competition.slug, competition)
    names = [name for name in SETTINGS if name not in _NO_OPTIONS_OF_A_CHECK]
    return pipeline.check(make_request(slug, options, names=names), own, **callbacks)


def _signature_of_check() -> inspect.Signature:
    """The parameters of ``check``: the competition, and the options of a run that a check has."""
    own = inspect.signature(check)
    options = [
        each.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, each in inspect.signature(RunRequest).parameters.items()
        if name not in _NO_OPTIONS_OF_A_CHECK
    ]
    return own.replace(parameters=[own.parameters["competition"], *options])


check.__signature__ = _signature_of_check()  # type: ignore[attr-defined]  # what help and editors show


def load(
    slug: str,
    path: str | Path | None = None,
    *,
    text: Sequence[str] = (),
    id: str | None = None,
    train: str | None = None,
    test: str | None = None,
    sample: str | None = None,
    extra: Sequence[str] = (),
    size: int | None = None,
) -> Tables:
    """Read a competition's tables: train, test and the sample submission.

    Parameters
    ----------
    slug : str
        The competition's name on Kaggle.
    path : str or Path, optional
        A folder, Kaggle's zip, a table, or "sample". Without it kpipe looks in ``KPIPE_DATA/<slug>``, where the
        workspace's ``kpipe.toml`` says, in a kernel's input folders, the cache of downloads and the current folder,
        then asks Kaggle if there are credentials, and last takes the embedded sample.
    text : sequence of str
        Columns to read as text although they look like numbers.
    id : str, optional
        The id column, if it is known.
    train, test, sample : str, optional
        Files with these roles: names in the folder or zip, or paths. By default inferred from their names.
    extra : sequence of str
        Further training files, whose rows every fold trains on and none validates.
    size : int, optional
        Pixels of the longer side that pictures are read with, at most. By default inferred from the pictures.

    Returns
    -------
    Tables
        The dtypes of a column are the same in train and test.

    Raises
    ------
    DataError
        A file is missing, broken, or contradicts the others; the message names file, line and column.
    RemoteError
        Kaggle refuses or fails to send the files.
    UsageError
        An argument has a wrong type or an invalid value.

    Examples
    --------
    >>> import kpipe
    >>> kpipe.load("titanic", "sample").train.shape
    (300, 12)
    """
    given = {"data": path, "text": text or None, "id": id, "train": train, "test": test, "sample": sample}
    request = make_request(slug, {**given, "extra": extra or None, "size": size}, names=_OPTIONS_OF_LOAD)
    choice = loading.FileChoice.of(request, ())
    return loading.load(
        request.slug, request.data, text=request.text, id=request.id, choice=choice, downloader=KaggleDownloader()
    )

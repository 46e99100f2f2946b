"""kpipe's exceptions, as one tree, so that callers can catch all of them or some.

::

    KpipeError                  every error that kpipe explains; the command line prints it without a traceback
    ├── InputError              the call or the files are wrong (exit status 2)
    │   ├── UsageError          an option, a slug or a name that does not exist
    │   └── DataError           a file that is missing, broken, or does not fit the competition
    └── RunError                the call was right and the work failed (exit status 1)
        ├── TrainingError       a model could not be fitted, or its predictions are invalid
        ├── SubmissionError     the submission differs from what Kaggle asks for
        ├── OutputError         the results could not be written
        └── RemoteError         Kaggle refused, could not be reached, or sent an invalid response

Programs distinguish errors by ``code``, such as "unknown-metric", which does not change when a message is reworded. The
code is set where the error is raised; the code of the class is the default. ``kpipe explain CODE``
says what a code means: its texts are in ``kpipe/cli/explanations/errors.toml``, and a test compares the two.
"""

from __future__ import annotations

import re

__all__ = [
    "DataError",
    "InputError",
    "KpipeError",
    "OutputError",
    "RemoteError",
    "RunError",
    "SubmissionError",
    "TrainingError",
    "UsageError",
    "printable",
]

# Characters that a terminal executes (escape sequences), reorders (bidirectional marks), or cannot display.
_OBEYED = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u202a-\\u202e\\u2066-\\u2069\\ud800-\\udfff]"
)
_LONGEST, _SHOWN = 4000, 2000  # characters; of longer messages, the beginning and the end are shown


def printable(text: str) -> str:
    r"""Make a text from a file or the network safe to show: escape control characters, and limit its length.

    >>> print(printable("train\x1b[31m.csv"))
    train\x1b[31m.csv
    """
    if len(text) > _LONGEST:
        text = f"{text[:_SHOWN]} ... ({len(text) - 2 * _SHOWN:,} characters more) ... {text[-_SHOWN:]}"
    return _OBEYED.sub(lambda found: repr(found.group())[1:-1], text)


class KpipeError(Exception):
    """An error that kpipe can explain: the message says what is wrong, where, and what to do.

    Parameters
    ----------
    message : str
        One or more sentences.
    code : str, optional
        Identifies the kind of error for programs; by default the code of the class.
    file, column : str, optional
        The file and the column with the mistake.
    row : int, optional
        Row of the table, counted from 1 below the header.
    line : int, optional
        Line of the file, counted from 1.

    Attributes
    ----------
    code : str
    exit_status : the exit status of the ``kpipe`` command (1: a run failed; 2: the call or the input was wrong).
    next : tuple of str
        Suggested commands, which the caller of the failed function adds.
    where : dict
        The values of file, column, row and line; None where they do not apply.

    Examples
    --------
    >>> error = DataError("train.csv lacks the target.", code="missing-column", file="train.csv")
    >>> error.code, error.where["file"], DataError("It is broken.").code
    ('missing-column', 'train.csv', 'bad-data')
    """

    exit_status = 1
    code = "failed"
    next: tuple[str, ...] = ()

    def __init__(
        self,
        message: object = "",
        *,
        code: str | None = None,
        file: str | None = None,
        column: object = None,
        row: int | None = None,
        line: int | None = None,
    ) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code
        column = None if column is None else str(column)
        self.where: dict[str, str | int | None] = {"file": file, "column": column, "row": row, "line": line}

    def __str__(self) -> str:
        return printable(super().__str__())


class InputError(KpipeError):
    """The call or the input is wrong: nothing was trained and nothing was written."""

    exit_status = 2
    code = "bad-input"


class UsageError(InputError):
    """An option, slug, model or metric that does not exist or does not fit the others."""

    code = "bad-usage"


class DataError(InputError):
    """A competition's file is missing, broken or contradicts the others."""

    code = "bad-data"


class RunError(KpipeError):
    """The call was valid, but the work failed."""


class TrainingError(RunError):
    """A model could not be fitted, or its predictions are invalid."""

    code = "training-failed"


class TooFewStepsError(TrainingError):
    """A time limit leaves a model so few steps of training, or trees, that it would learn next to nothing."""

    code = "too-few-steps"


class SubmissionError(RunError):
    """The submission does not match the sample submission. It was not written."""

    code = "invalid-submission"


class OutputError(RunError):
    """Results could not be written (folder read-only, disk full)."""

    code = "cannot-write"


class RemoteError(RunError):
    """Kaggle refused, could not be reached, or sent an invalid response."""

    code = "kaggle-error"

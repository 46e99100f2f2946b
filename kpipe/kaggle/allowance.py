"""Check that a submission may be sent, before one of the day's submissions is spent on it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kpipe.errors import SubmissionError
from kpipe.kaggle.client import Kaggle
from kpipe.kaggle.submit import refuse_repetition, settle_attempts
from kpipe.runs.files import sha256_of
from kpipe.runs.run import Run

__all__ = ["SubmissionAllowance", "check_can_submit"]


@dataclass(frozen=True, kw_only=True)
class SubmissionAllowance:
    """How many submissions Kaggle still allows.

    Attributes
    ----------
    left_today : int
        Submissions to the competition that are left until midnight UTC, including the one that is about to be made.
    """

    left_today: int

    @property
    def is_last(self) -> bool:
        """Whether the next submission is the last one today: the user is asked to confirm it."""
        return self.left_today == 1


def check_can_submit(
    kaggle: Kaggle, slug: str, file: Path, run: Run | None, *, out: Path, force: bool
) -> SubmissionAllowance:
    """Refuse a submission that is forbidden or wasted; send nothing.

    Parameters
    ----------
    kaggle : Kaggle
        The client.
    slug : str
        The competition.
    file : Path
        The CSV to submit.
    run : Run or None
        The run that wrote the file.
    out : Path
        The folder of all runs, which holds the ledger of submissions.
    force : bool
        Allow a failed check and a file that was submitted before. Sample data is refused all the same.

    Returns
    -------
    SubmissionAllowance
        How many submissions are left today.

    Raises
    ------
    SubmissionError
        With the reason why the file must not or should not be submitted.
    RemoteError
        If Kaggle does not say how many submissions are left.
    """
    digest = sha256_of(file)
    if run is not None:
        _check_run(run, digest, force=force)
    settle_attempts(kaggle, slug, out=out)
    if not force:
        refuse_repetition(out, slug, digest)
    left = kaggle.competitions.submissions_left(slug)
    if left < 1:
        raise _none_left(kaggle, slug)
    return SubmissionAllowance(left_today=left)


def _none_left(kaggle: Kaggle, slug: str) -> SubmissionError:
    """Why no submission is allowed: it is the daily limit only if some were made today."""
    page = f"https://www.kaggle.com/competitions/{slug}"
    if kaggle.competitions.submissions_today(slug) > 0:
        return SubmissionError(
            f"No submission for {slug} is left today: try again after midnight UTC.", code="no-submission-left"
        )
    if not kaggle.competitions.get(slug).user_has_entered:
        return SubmissionError(
            f"Kaggle allows no submission: the rules of {slug} are not accepted yet. Accept them on {page}/rules, "
            "then try again.",
            code="rules-not-accepted",
        )
    return SubmissionError(
        f"Kaggle allows no submission for {slug}, although none was made today. Are its rules accepted, and is it "
        f"still open? See {page}.",
        code="no-submission-left",
    )


def _check_run(run: Run, digest: str, *, force: bool) -> None:
    if not run.record["submission"]["sendable"]:
        raise SubmissionError(
            "This run was made from sample data, which is not Kaggle's: it can never be submitted.", code="sample-data"
        )
    if run.record["submission"]["sha256"] != digest:
        raise SubmissionError(
            f"{run.path / 'submission.csv'} was changed after the run wrote it. Submit it as a CSV.",
            code="submission-changed",
        )
    failed = [check for check in run.record["checks"] if check["status"] == "fail"]
    if failed and not force:
        raise SubmissionError(
            f"The check {failed[0]['name']!r} failed: {failed[0]['detail']} To submit anyway, add --force.",
            code="check-failed",
        )

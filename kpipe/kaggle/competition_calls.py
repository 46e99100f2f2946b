"""Calls to Kaggle about competitions: details, allowance, submissions and files."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from kpipe.errors import RemoteError
from kpipe.kaggle.polling import poll
from kpipe.kaggle.responses import Submission, read_submission, starts_at
from kpipe.kaggle.session import Session, timeout

__all__ = ["LISTED_WITHIN", "CompetitionCalls"]

LISTED_WITHIN = 15.0  # seconds within which Kaggle lists a submission that it has accepted

_LISTED = 100  # submissions, the newest
_NO_SUCH_RANGE = 416
_SERVER_ERROR = 500  # and above: the request may have been carried out all the same
_CREATING = ("/CreateSubmission", "/CreateCodeSubmission")  # the requests that make a submission

_LOG = logging.getLogger("kpipe")


@dataclass
class _Progress:
    """How far a submission has come: whether the request that makes it was begun, and whether Kaggle refused that."""

    begun: bool = False
    refused: bool = False


class CompetitionCalls:
    """Calls about competitions.

    Parameters
    ----------
    session : Session
        The connection.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._api = session.api

    def get(self, slug: str) -> Any:
        """A competition's details.

        Parameters
        ----------
        slug : str
            The competition.

        Returns
        -------
        kagglesdk ApiCompetition
            Holds, among others, whether the rules are accepted, the metric's name and the user's rank.

        Raises
        ------
        RemoteError
            With what went wrong and what to do.
        """
        from kagglesdk.competitions.types.competition_api_service import ApiGetCompetitionRequest

        request = ApiGetCompetitionRequest()
        request.competition_name = slug
        return self._session.call_with_retries(
            slug, partial(self._session.with_sdk, lambda sdk: _service(sdk).get_competition(request))
        )

    def submissions_left(self, slug: str) -> int:
        """How many submissions may still be made today.

        Parameters
        ----------
        slug : str
            The competition.

        Returns
        -------
        int
            0 or more.

        Raises
        ------
        RemoteError
            With what went wrong and what to do.
        """
        return self._session.call_with_retries(
            slug, lambda: int(self._api.competition_get_submission_limits(slug).num_allowed_now)
        )

    def submissions_today(self, slug: str) -> int:
        """How many submissions the user's team has made today.

        Parameters
        ----------
        slug : str
            The competition.

        Returns
        -------
        int
            0 or more.

        Raises
        ------
        RemoteError
            With what went wrong and what to do.
        """
        return self._session.call_with_retries(
            slug, lambda: int(self._api.competition_get_submission_limits(slug).num_today)
        )

    def submissions(self, slug: str) -> list[Submission]:
        """The newest submissions of the user's team.

        Parameters
        ----------
        slug : str
            The competition.

        Returns
        -------
        list of Submission
            At most 100, newest first.

        Raises
        ------
        RemoteError
            With what went wrong and what to do.
        """

        def ask() -> list[Submission]:
            listed = self._api.competition_submissions(slug, page_size=_LISTED) or []
            return [read_submission(one) for one in listed if one]

        return self._session.call_with_retries(slug, ask)

    def submit(
        self, slug: str, path: Path, message: str, *, on_send: Callable[[frozenset[int]], None] = lambda known: None
    ) -> int:
        """Submit a file once; if the response is lost, the submission is looked up and not sent again.

        Parameters
        ----------
        slug : str
            The competition.
        path : Path
            The CSV.
        message : str
            The description.
        on_send : callable
            Called with the numbers of earlier submissions just before the request that makes the submission.

        Returns
        -------
        int
            Kaggle's number of the submission.

        Raises
        ------
        RemoteError
            If Kaggle does not accept the submission, or it is not known whether it did.
        """
        send = partial(self._api.competition_submit, str(path), message, slug, quiet=True)
        repeat_upload = partial(self._session.call_with_retries, slug, once="CreateSubmission")
        return self._submit_once(slug, path.name, message, send, call=repeat_upload, on_send=on_send)

    def submit_output(
        self,
        slug: str,
        kernel: str,
        version: int,
        file_name: str,
        message: str,
        *,
        on_send: Callable[[frozenset[int]], None] = lambda known: None,
    ) -> int:
        """Submit a file that a version of a kernel wrote, in a competition that takes submissions from notebooks only.

        Parameters
        ----------
        slug : str
            The competition.
        kernel : str
            The kernel's ref, owner/slug.
        version : int
            The version that wrote the file.
        file_name : str
            The file among the version's output.
        message : str
            The description.
        on_send : callable
            Called with the numbers of earlier submissions just before the request that makes the submission.

        Returns
        -------
        int
            Kaggle's number of the submission.

        Raises
        ------
        RemoteError
            If Kaggle does not accept the submission, or it is not known whether it did.
        """
        send = partial(self._api.competition_submit_code, file_name, message, slug, kernel, version, quiet=True)
        call = partial(self._session.call, slug)
        return self._submit_once(slug, file_name, message, send, call=call, on_send=on_send)

    def _submit_once(
        self,
        slug: str,
        file_name: str,
        message: str,
        send: Callable[[], Any],
        *,
        call: Callable[[Callable[[], Any]], Any],
        on_send: Callable[[frozenset[int]], None],
    ) -> int:
        """Kaggle's number of the submission that ``call(send)`` makes, looked up if its response is lost."""
        known, progress = frozenset(one.ref for one in self.submissions(slug)), _Progress()

        def note_begin(url: str) -> None:
            if not progress.begun and url.endswith(_CREATING):
                on_send(known)
                progress.begun = True

        self._api.on_request = note_begin
        try:
            response = call(partial(_send, send, progress))
        except RemoteError as error:
            if not progress.begun:
                raise
            return self._look_up(slug, file_name, message, known, error, at_once=progress.refused)
        finally:
            self._api.on_request = lambda url: None
        if response.message == self._api.COMPETITION_SUBMIT_UPLOAD_FAILED_MESSAGE:
            raise RemoteError(
                f"Kaggle did not accept the upload of {file_name}. Nothing was submitted. Try again.",
                code="submission-refused",
            )
        said = f": {response.message}" if response.message else "."
        unnumbered = RemoteError(f"Kaggle gave {file_name} no number{said}", code="submission-refused")
        return int(response.ref or 0) or self._look_up(slug, file_name, message, known, unnumbered, at_once=False)

    def _look_up(
        self, slug: str, file_name: str, message: str, known: frozenset[int], error: RemoteError, *, at_once: bool
    ) -> int:
        """The number of a submission that may have been made all the same; raises ``error`` if it was not.

        Kaggle may list a submission some seconds after it was made: look repeatedly, unless Kaggle refused it.
        """
        message = self._api.redact(message)  # as the list shows it
        if not at_once:
            _LOG.warning("Kaggle did not confirm the submission: looking for it in the list of submissions.")
        for _ in (0.0,) if at_once else poll(LISTED_WITHIN):
            try:
                newest = self.submissions(slug)
            except RemoteError:
                raise RemoteError(
                    f"{error} It is not known whether the submission was made: before you submit it again, "
                    f"check with `kpipe submissions {slug}`.",
                    code="submission-uncertain",
                ) from error
            for one in newest:
                if one.ref not in known and one.is_of(message, file_name):
                    return one.ref
        if at_once:
            raise error
        raise RemoteError(f"{error} Kaggle does not list the submission: it was not made.", code=error.code)

    def download(self, slug: str, offset: int = 0, etag: str = "") -> Any:
        """A streaming response with the competition's zip, or with the rest of it.

        Parameters
        ----------
        slug : str
            The competition.
        offset : int
            Bytes that were downloaded before.
        etag : str
            The ETag that those bytes belong to.

        Returns
        -------
        requests.Response
            Starts at ``offset``, or at the zip's beginning: if the zip has changed since, or Kaggle sends another part.

        Raises
        ------
        RemoteError
            With what went wrong and what to do.
        """
        import requests
        from kagglesdk.competitions.types.competition_api_service import ApiDownloadDataFilesRequest

        request = ApiDownloadDataFilesRequest()
        request.competition_name = slug
        get_whole = partial(self._session.with_sdk, lambda sdk: _service(sdk).download_data_files(request))

        def ask() -> Any:
            whole = get_whole()
            if not offset or whole.headers.get("ETag") != etag:
                return whole
            whole.close()
            # headers of the redirected request: without credentials, as the files are on another host
            headers = {**whole.request.headers, "Range": f"bytes={offset}-", "If-Range": etag}
            rest = requests.get(whole.url, headers=headers, stream=True, timeout=timeout())
            # 416: the kept bytes are as many as the whole zip's, or more
            of_another = rest.ok and rest.headers.get("ETag", etag) != etag
            if rest.status_code == _NO_SUCH_RANGE or of_another or not (starts_at(rest, offset) or starts_at(rest, 0)):
                rest.close()
                return get_whole()
            rest.raise_for_status()
            return rest

        return self._session.call_with_retries(slug, ask)


def _send(send: Callable[[], Any], progress: _Progress) -> Any:
    """The response to a submission; notes whether Kaggle refused it."""
    import requests

    progress.refused = False  # a refusal of an earlier try, such as 429, is not one of this try
    try:
        return send()
    except requests.RequestException as error:
        progress.refused = error.response is not None and error.response.status_code < _SERVER_ERROR
        raise


def _service(sdk: Any) -> Any:
    return sdk.competitions.competition_api_client

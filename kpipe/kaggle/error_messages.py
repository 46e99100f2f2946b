"""Errors of calls to Kaggle as messages for the user: what is wrong and what to do.

A refusal is diagnosed where the status, the call and a phrase of Kaggle's message state the cause; any other message of
Kaggle's is quoted. Secrets are removed from whatever is quoted.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlsplit

from kpipe.errors import RemoteError
from kpipe.kaggle.credentials import Credentials, all_credentials

__all__ = ["explain_error", "explain_refused_credentials", "redact", "seconds_asked_for", "status_or_kind"]

_PAGE = "https://www.kaggle.com/competitions/{what}"
_LONGEST_QUOTE = 500  # characters of Kaggle's message
_MAX_DAYS = 11  # of a pause that Kaggle asks for

# Names of the calls, as the address of a request ends.
_SUBMITTING = ("StartSubmissionUpload", "CreateSubmission", "CreateCodeSubmission")
_COMPETITION = (*_SUBMITTING, "GetCompetition", "GetSubmissionLimits", "ListSubmissions", "DownloadDataFiles")


@dataclass(frozen=True)
class _Diagnosis:
    """A cause that Kaggle states, and the code of the error.

    phrase : of Kaggle's message, as a regular expression of whole words in any case; "" where there is no message;
    None whatever the message.
    """

    calls: tuple[str, ...]
    statuses: tuple[int, ...]
    phrase: str | None
    text: str
    code: str

    def applies(self, call: str, status: int, message: str) -> bool:
        if call not in self.calls or status not in self.statuses:
            return False
        if not self.phrase:
            return self.phrase is None or not message
        return re.search(rf"\b(?:{self.phrase})\b", message, flags=re.IGNORECASE) is not None


_PASSED = "deadline has (?:already )?passed"
_NO_COMPETITION = "Kaggle has no competition {what!r}, or it is not open to you ({status}). See " + _PAGE + "."
# The first that applies is shown. One message may state several causes; the one that waiting does not cure goes first.
_DIAGNOSES = (
    _Diagnosis(
        calls=_COMPETITION,
        statuses=(400, 403),
        phrase="accept (?:this|the) competition.?s rules",
        text="The rules of {what} are not accepted yet. Accept them on " + _PAGE + "/rules, then try again.",
        code="rules-not-accepted",
    ),
    _Diagnosis(
        calls=_COMPETITION,
        statuses=(400, 403),
        phrase="verify your (?:account|phone)|phone (?:number )?verification|phone[ -]verified",
        text="Kaggle requires a verified phone number: https://www.kaggle.com/settings.",
        code="account-unverified",
    ),
    _Diagnosis(
        calls=_SUBMITTING,
        statuses=(400, 403),
        phrase="only accepts submissions from notebooks",
        text="{what} accepts submissions from notebooks only: run one with `kpipe kernel push {what}`.",
        code="kernels-only",
    ),
    _Diagnosis(
        calls=_SUBMITTING,
        statuses=(400, 403),
        phrase=rf"(?:entry|entrant|entrants|acceptance) {_PASSED}",
        text="The entry deadline of {what} has passed: only those who entered before may submit.",
        code="competition-closed",
    ),
    _Diagnosis(
        calls=_SUBMITTING,
        statuses=(400, 403),
        phrase=rf"(?<!entry )(?<!entrant )(?<!entrants )(?<!acceptance )(?<!merger )(?<!merge ){_PASSED}"
        r"|competition (?:has ended|is over)",
        text="The deadline of {what} has passed: it no longer accepts submissions.",
        code="competition-closed",
    ),
    _Diagnosis(
        calls=_SUBMITTING,
        statuses=(400, 403),
        phrase="submissions (?:have been|are) (?:disabled|closed)",
        text="{what} accepts no submissions.",
        code="competition-closed",
    ),
    _Diagnosis(
        calls=_SUBMITTING,
        statuses=(400, 403),
        phrase="used its (?:daily )?submission allowance",
        text="No submission for {what} is left today: try again after midnight UTC.",
        code="no-submission-left",
    ),
    _Diagnosis(
        calls=_COMPETITION,
        statuses=(403,),
        phrase=r"permission 'competitions\.\w+' was (?:denied|not satisfied)",
        text=_NO_COMPETITION,
        code="unknown-competition",
    ),
    _Diagnosis(calls=_COMPETITION, statuses=(403,), phrase="", text=_NO_COMPETITION, code="unknown-competition"),
    _Diagnosis(
        calls=("CreateCodeSubmission",),
        statuses=(404,),
        phrase=None,
        text="Kaggle does not find the kernel, its version or that file in its output (404). `kpipe kernel push` makes "
        "a new version.",
        code="kernel-not-found",
    ),
    _Diagnosis(calls=_COMPETITION, statuses=(404,), phrase=None, text=_NO_COMPETITION, code="unknown-competition"),
)  # fmt: skip


def explain_error(error: Any, what: str, credentials: Credentials) -> RemoteError:
    """The error that says what went wrong with a call to Kaggle and what to do.

    Parameters
    ----------
    error : requests.RequestException
        The error of the call.
    what : str
        What the call was about: a competition's slug, a kernel's ref, or words such as "your quota".
    credentials : Credentials
        With which the call was made; its secret does not appear in the message.

    Returns
    -------
    RemoteError
        With the code of the cause.
    """
    if error.response is None:  # not "if not error.response": a response with the status of an error is falsy
        return _explain_no_response(error, what)
    return _explain_status(error.response, what, credentials)


def _explain_no_response(error: Any, what: str) -> RemoteError:
    import requests

    kind = type(error).__name__
    if isinstance(error, (ValueError, requests.TooManyRedirects, requests.exceptions.ContentDecodingError)):
        text = f"Kaggle's response about {what} cannot be read ({kind}). If there is a proxy, check it; then try again."
        return RemoteError(text, code="kaggle-error")
    if isinstance(error, requests.Timeout):
        text = f"Kaggle did not respond in time about {what}. Nothing is lost: try again."
    else:
        text = f"Kaggle cannot be reached about {what} ({kind}). Check the network, then try again."
    return RemoteError(text, code="kaggle-unreachable")


def _explain_status(response: Any, what: str, credentials: Credentials) -> RemoteError:
    status, message = response.status_code, redact(_message(response), credentials)
    said = f" Kaggle says: {message}" if message else ""
    if status == 401:
        return RemoteError(explain_refused_credentials(credentials), code="credentials-refused")
    if status == 429:
        asked = seconds_asked_for(response)
        pause = "a few minutes" if asked is None else f"{asked:.0f} seconds"
        text = f"There were too many requests for Kaggle's rate limit. Try again in {pause}."
        return RemoteError(text, code="rate-limited")
    if status >= 500:
        text = f"Kaggle has an internal error ({status}). Try again later.{said}"
        return RemoteError(text, code="kaggle-unreachable")
    call = urlsplit(str(response.request.url)).path.rsplit("/", 1)[-1]
    cause = next((one for one in _DIAGNOSES if one.applies(call, status, message)), None)
    if cause is not None:
        return RemoteError(f"{cause.text.format(what=what, status=status)}{said}", code=cause.code)
    return RemoteError(f"Kaggle refused the request about {what} ({status}).{said}", code="kaggle-error")


def seconds_asked_for(response: Any) -> float | None:
    """The pause that a response asks for in its header Retry-After, as a number of seconds or as a date.

    Parameters
    ----------
    response : requests.Response

    Returns
    -------
    float or None
        None if it asks for none, or for more than a million seconds. A date is compared with the response's own, since
        this machine's clock may be wrong.
    """
    after = str(response.headers.get("Retry-After", ""))
    if re.fullmatch(r"[0-9]{1,6}", after):
        return float(after)
    try:
        pause = parsedate_to_datetime(after) - parsedate_to_datetime(str(response.headers.get("Date", "")))
    except (ValueError, TypeError, OverflowError):  # not a date, or one of two without a time zone
        return None
    return max(0.0, pause.total_seconds()) if pause.days < _MAX_DAYS else None


def _message(response: Any) -> str:
    """The message in the body: {"error": {"message"}} or {"message"}; empty for a page of HTML."""
    try:
        body = response.json()
    except (ValueError, RecursionError):
        return ""
    inner = body.get("error", body) if isinstance(body, dict) else {}
    text = inner.get("message", "") if isinstance(inner, dict) else str(inner)
    return " ".join(str(text).split())[:_LONGEST_QUOTE]


def redact(text: str, credentials: Credentials) -> str:
    """A text without the secret of credentials, should Kaggle repeat it.

    Parameters
    ----------
    text : str
        From Kaggle.
    credentials : Credentials
        Whose secret must not be shown: neither as it is, nor as a header, nor as part of an address.

    Returns
    -------
    str
        The text with ``***`` in place of the secret.
    """
    secret, user = credentials.secret, credentials.username
    if not secret:
        return text
    header = base64.b64encode(f"{user}:{secret}".encode()).decode()
    for form in (secret, quote(secret, safe=""), header):
        text = text.replace(form, "***")
    return text


def explain_refused_credentials(credentials: Credentials) -> str:
    """A message that says which credentials Kaggle does not accept and which others they take precedence over.

    Parameters
    ----------
    credentials : Credentials
        Those that Kaggle refused.

    Returns
    -------
    str
        Where the credentials are, and what to do; no secret.
    """
    others = [c.place for c in all_credentials() if c.place != credentials.place and not c.problem]
    hides = f" They take precedence over {others[0]}: to use that, remove them." if others else ""
    return (
        f"Kaggle does not accept the credentials from {credentials.place}.{hides} "
        "Create new ones on https://www.kaggle.com/settings, under API."
    )


def status_or_kind(error: Any) -> str:
    """The status of Kaggle's response, or the kind of error where there was no response.

    Parameters
    ----------
    error : requests.RequestException or another exception
        The error of the call.

    Returns
    -------
    str
        Such as "503" or "ConnectTimeout".
    """
    response = getattr(error, "response", None)
    return str(response.status_code) if response is not None else type(error).__name__

"""Kaggle's errors in words: what is wrong and what to do, from the status and the body of the answer."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

from kpipe.kaggle.credentials import Credentials, found

__all__ = ["hidden", "refused", "status_of", "words"]


def words(error: Any, what: str, credentials: Credentials) -> str:
    """What went wrong and what to do, from the status and the body of the answer."""
    import requests

    response = error.response
    strange = (ValueError, requests.TooManyRedirects, requests.exceptions.ContentDecodingError)
    if response is None and isinstance(error, strange):  # what is no JSON, or leads to what is no address
        return (
            f"Kaggle's answer about {what} cannot be read ({type(error).__name__}). Is there a proxy? Then try again."
        )
    if response is None:  # not "if not response": a response with an error's status is falsy
        if isinstance(error, requests.Timeout):
            return f"Kaggle did not answer in time about {what}. Nothing is lost: try again."
        return f"Kaggle cannot be reached ({type(error).__name__}) about {what}. Is there a network? Then try again."
    message = hidden(_message(response), credentials)
    return _explained(response.status_code, message, response.headers, what, credentials)


def _explained(status: int, message: str, headers: Any, what: str, credentials: Credentials) -> str:
    said = f" Kaggle says: {message}" if message else ""
    lowered, page = message.lower(), f"https://www.kaggle.com/competitions/{what}"
    if status == 401:
        return refused(credentials)
    if status == 429:
        after = headers.get("Retry-After", "")
        wait = f"{after} seconds" if str(after).isdecimal() else "a few minutes"
        return f"Kaggle asks for a pause: too many requests. Try again in {wait}."
    if status >= 500:
        return f"Kaggle has a fault of its own ({status}).{said} Try again later."
    if "rules" in lowered:
        return f"The rules of {what} are not accepted yet. Accept them on {page}/rules, then try again."
    if "phone" in lowered or "verif" in lowered:
        return f"Kaggle wants a verified phone number first: https://www.kaggle.com/settings.{said}"
    if "deadline" in lowered or "ended" in lowered or "closed" in lowered:
        return f"{what} takes no submissions any more: its deadline has passed.{said}"
    if "limit" in lowered or "maximum" in lowered or "submissions" in lowered:
        return f"No submission is left today: the daily limit for {what} is reached, until midnight UTC.{said}"
    if status in (403, 404):
        return f"Kaggle has no competition {what!r}, or it is not open to you ({status}). See {page}.{said}"
    return f"Kaggle refused ({status}).{said}"


def _message(response: Any) -> str:
    """The message in the body: {"error": {"message"}} or {"message"}; no page of HTML."""
    try:
        body = response.json()
    except (ValueError, RecursionError):
        return ""
    inner = body.get("error", body) if isinstance(body, dict) else {}
    text = inner.get("message", "") if isinstance(inner, dict) else str(inner)
    return str(text).strip()[:500]


def hidden(text: str, credentials: Credentials) -> str:
    """A text of Kaggle's without the secret, should it come back: as it is, as a header, or as part of an address."""
    secret, user = credentials.secret, credentials.username
    if not secret:
        return text
    header = base64.b64encode(f"{user}:{secret}".encode()).decode()
    for form in (secret, quote(secret, safe=""), header):
        text = text.replace(form, "***")
    return text


def refused(credentials: Credentials) -> str:
    """Kaggle does not accept credentials: where they stand, and which others they hide."""
    others = [c.place for c in found() if c.place != credentials.place and not c.problem]
    hides = f" It goes before {others[0]}, which is not asked: remove it to use that." if others else ""
    return (
        f"Kaggle does not accept the credentials from {credentials.place}.{hides} "
        "Create new ones on https://www.kaggle.com/settings, under API."
    )


def status_of(error: Any) -> str:
    """The status of the answer, or the kind of error where there was none."""
    return str(error.response.status_code) if error.response is not None else type(error).__name__

"""Calls to Kaggle through the ``kaggle`` client: without output, bounded in time and size, retried where that is safe.

By default, the client prints a page of help and exits if it finds no credentials, creates a folder in the user's home,
reads every ``KAGGLE_*`` variable as configuration, waits without a limit, and raises errors such as "403 Client Error".

References
----------
kaggle 2.2.4 and kagglesdk 0.1.37, read as source.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any, TypeVar

from kpipe.errors import RemoteError, UsageError
from kpipe.kaggle.credentials import Credentials
from kpipe.kaggle.error_messages import (
    explain_error,
    explain_refused_credentials,
    redact,
    seconds_asked_for,
    status_or_kind,
)
from kpipe.kaggle.responses import check_fields, read_bounded

__all__ = ["Session", "quiet", "timeout"]

_CONNECT_SECONDS, _READ_SECONDS = 10.0, 60.0
_UPLOAD_FACTOR = 10  # uploading a file may take this many times longer than another call
_TRIES, _FIRST_WAIT, _LONGEST_WAIT = 4, 0.5, 8.0  # a repeated call; seconds before the second try, doubled each time
_LONGEST_RATE_LIMIT = 60.0  # seconds that a call waits in all where Kaggle's rate limit is reached
_MAX_TRIES = 20  # where Kaggle asks for pauses, which may be of 0 s
_TOO_MANY_REQUESTS = 429
_HOMES = ("HOME", "USERPROFILE", "XDG_CONFIG_HOME", "KAGGLE_CONFIG_DIR")  # where the client looks and makes a folder
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost):\d+")

# What the client raises on a response that is not Kaggle's: wrong types, missing fields, endless nesting.
_UNREADABLE = (LookupError, ValueError, TypeError, AttributeError, ArithmeticError, RecursionError)

T = TypeVar("T")
_LOG = logging.getLogger("kpipe")


def timeout() -> tuple[float, float]:
    """Seconds within which a request must connect, and within which the next bytes of its response must arrive.

    Returns
    -------
    connect, read : float
        As ``requests`` takes them.
    """
    return _CONNECT_SECONDS, _READ_SECONDS


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Discard what the client prints to stdout, which is reserved for kpipe's output."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield


class Session:
    """One user's connection to Kaggle's API.

    Parameters
    ----------
    credentials : Credentials
        A token is checked at once, a user name and key with the first call.

    Attributes
    ----------
    api : kaggle.KaggleApi
        The client, which knows these credentials and no other configuration. Its ``on_request`` is called with the
        address of each request before that is sent.
    credentials : Credentials
        With the token of a login, which comes from Kaggle.

    Raises
    ------
    RemoteError
        If Kaggle does not accept the token.
    UsageError
        If ``KPIPE_KAGGLE_ENDPOINT`` is not an address of this machine.
    """

    def __init__(self, credentials: Credentials) -> None:
        self.api = _api(credentials)
        self.credentials = replace(credentials, secret=self.api.config_values.get("token") or credentials.secret)

    def call(self, what: str, ask: Callable[[], T]) -> T:
        """Make a call once, and return its result.

        Parameters
        ----------
        what : str
            What the call is about, for error messages: a slug, a kernel's ref, or words such as "your quota".
        ask : callable
            Makes the call.

        Returns
        -------
        object
            What ``ask`` returns.

        Raises
        ------
        RemoteError
            If the call fails; the message says why, and what to do.
        """
        return _call(what, ask, self.credentials)

    def call_with_retries(self, what: str, ask: Callable[[], T], *, once: str = "") -> T:
        """Make a call, retry it after temporary errors, and return its result.

        The pauses grow. If Kaggle's rate limit is reached and its response names a pause, the call waits that long, up
        to a minute in all, and logs a warning.

        Parameters
        ----------
        what : str
            What the call is about, for error messages.
        ask : callable
            Makes the call, which must be safe to repeat.
        once : str, optional
            Part of the address of a request of ``ask`` that must not be sent twice.

        Returns
        -------
        object
            What ``ask`` returns.

        Raises
        ------
        RemoteError
            If the call fails; the message says why, and what to do.
        """
        import tenacity

        def may_repeat(error: BaseException) -> bool:
            request = getattr(error, "request", None)
            if _seconds_asked_for(error) is not None:
                return True  # the request was refused, so that repeating it is safe
            return _is_temporary(error) and not (once and once in str(getattr(request, "url", once)))

        def pause_asked_for(state: tenacity.RetryCallState) -> float | None:
            return _seconds_asked_for(state.outcome.exception() if state.outcome else None)

        def pause_after(state: tenacity.RetryCallState) -> float:
            asked = pause_asked_for(state)
            return exponential(state) if asked is None else asked

        def must_stop(state: tenacity.RetryCallState) -> bool:
            asked = pause_asked_for(state)
            if asked is None:
                return state.attempt_number >= _TRIES
            return state.idle_for + asked > _LONGEST_RATE_LIMIT or state.attempt_number >= _MAX_TRIES

        def log_rate_limit(state: tenacity.RetryCallState) -> None:
            if (asked := pause_asked_for(state)) is not None:
                _LOG.warning("Kaggle's rate limit is reached: trying again in %.0f s, as Kaggle asks.", asked)

        exponential = tenacity.wait_exponential(multiplier=_FIRST_WAIT, max=_LONGEST_WAIT)
        tries = tenacity.Retrying(
            stop=must_stop,
            wait=pause_after,
            retry=tenacity.retry_if_exception(may_repeat),
            before_sleep=log_rate_limit,
            reraise=True,
        )
        return self.call(what, lambda: tries(ask))

    def with_sdk(self, ask: Callable[[Any], T]) -> T:
        """Call kagglesdk, for what the client does not offer, and return the result.

        Parameters
        ----------
        ask : callable
            Takes kagglesdk's client and makes the call.

        Returns
        -------
        object
            What ``ask`` returns.
        """
        with self.api.build_kaggle_client() as client:
            return ask(client)


def _call(what: str, ask: Callable[[], T], credentials: Credentials) -> T:
    """Make a call, and return its result; errors become RemoteErrors."""
    import requests

    try:
        with quiet():
            return ask()
    except requests.RequestException as error:
        raise explain_error(error, what, credentials) from None
    except SystemExit:
        raise RemoteError(
            "The kaggle client exited without an answer. `kpipe doctor` checks your credentials.", code="kaggle-error"
        ) from None
    except _UNREADABLE as error:
        reason = redact(f"{type(error).__name__}: {error}"[:500], credentials)
        raise RemoteError(
            f"Kaggle sent a response about {what} that its client cannot read ({reason}). "
            "Try again; if the error persists, try another version of the package kaggle.",
            code="kaggle-error",
        ) from None  # the client's error holds the response, which may hold a secret


def _seconds_asked_for(error: BaseException | None) -> float | None:
    """The pause that Kaggle names if its rate limit is reached; None if it names none, or for another error."""
    response = getattr(error, "response", None)
    if response is None or response.status_code != _TOO_MANY_REQUESTS:
        return None
    return seconds_asked_for(response)


def _is_temporary(error: BaseException) -> bool:
    """Whether another try may succeed: the network failed, or Kaggle has an internal error."""
    import requests

    if isinstance(error, requests.HTTPError):
        return error.response is not None and error.response.status_code >= 500
    cut = requests.exceptions.ChunkedEncodingError  # the connection broke in the middle of a response
    return isinstance(error, requests.ConnectionError | requests.Timeout | cut)


def _api(credentials: Credentials) -> Any:
    """A client that knows these credentials and reads no other configuration."""
    api = _bounded_api_class()()
    api.config_values = {}
    api.on_request = lambda url: None
    api.redact = lambda text: redact(text, credentials)
    if endpoint := os.environ.get("KPIPE_KAGGLE_ENDPOINT"):
        _use_endpoint(api, endpoint)
    if credentials.kind == "key":
        api.config_values = {"username": credentials.username, "key": credentials.secret}
    else:
        token = credentials.secret if credentials.kind == "token" else _login_token(api)
        credentials = replace(credentials, secret=token)
        api.config_values = {"token": token}
        api.config_values["username"] = _username(api, token, credentials)
    api._authenticated = True
    return api


def _use_endpoint(api: Any, endpoint: str) -> None:
    """Send calls to a simulated Kaggle, for tests. No other address is accepted: credentials are sent there."""
    if not _LOOPBACK.fullmatch(endpoint):
        raise UsageError("KPIPE_KAGGLE_ENDPOINT is for tests: it must be http://127.0.0.1:PORT.", code="invalid-value")
    from kagglesdk import kaggle_env

    kaggle_env._env_to_endpoint[kaggle_env.KaggleEnv.LOCAL] = endpoint
    api.args = ["--local"]


def _username(api: Any, token: str, credentials: Credentials) -> str:
    name = _call("your account", lambda: api._introspect_token(token), credentials)
    if not name:
        raise RemoteError(explain_refused_credentials(credentials), code="credentials-refused")
    return str(name)


def _login_token(api: Any) -> str:
    """An access token from the login of ``kaggle auth login``."""
    import requests
    from kagglesdk.kaggle_creds import KaggleCredentials

    try:
        with quiet(), api.build_kaggle_client() as client:
            return str(KaggleCredentials.load(client=client).get_access_token() or "")
    except (requests.RequestException, *_UNREADABLE) as error:
        raise RemoteError(
            f"Kaggle did not renew your login ({status_or_kind(error)}). Log in again: kaggle auth login",
            code="credentials-refused",
        ) from None


@contextlib.contextmanager
def _expendable_stdin() -> Iterator[None]:
    """Replace sys.stdin: if kaggle finds no credentials on import, it calls Python's exit(), which closes it."""
    kept, sys.stdin = sys.stdin, io.StringIO()
    try:
        yield
    finally:
        sys.stdin = kept


@cache
def _bounded_api_class() -> Any:
    """A KaggleApi whose calls are bounded in time and size. Loading it prints nothing and leaves no folder behind."""
    with (
        tempfile.TemporaryDirectory() as folder,
        _environment_without_credentials(folder),
        quiet(),
        _expendable_stdin(),
    ):
        from kaggle.api.kaggle_api_extended import KaggleApi, ResumableUploadResult

    import requests

    class BoundedApi(KaggleApi):
        def build_kaggle_client(self) -> Any:
            client = super().build_kaggle_client()
            http = client.http_client()
            http._init_session()
            http._session.headers["Accept-Encoding"] = "identity"  # no response can unpack to more than was sent
            for scheme in ("https://", "http://"):
                http._session.mount(scheme, _bounded_adapter_class()(lambda url: self.on_request(url)))
            prepare = http._prepare_response
            http._prepare_response = lambda kind, response: check_fields(prepare(kind, response), self.redact)
            return client

        def get_response_processor(self) -> None:
            """None: the client's own processor prints a message when there is a newer version."""

        def upload_complete(self, path: str, url: str, quiet: bool, resume: bool = False) -> Any:
            """Send the whole file in one request; the client's own method prints errors and waits without a limit."""
            with open(path, "rb") as file:
                seconds = (_CONNECT_SECONDS, _UPLOAD_FACTOR * _READ_SECONDS)
                response = requests.put(url, data=file, timeout=seconds)
            response.raise_for_status()
            return ResumableUploadResult.COMPLETE

    return BoundedApi


@cache
def _bounded_adapter_class() -> Any:
    """An adapter of ``requests`` that ends a silent connection, and reads a response up to a limit.

    It takes a callable, which it calls with the address of each request before that is sent.
    """
    from requests.adapters import HTTPAdapter

    class BoundedAdapter(HTTPAdapter):
        def __init__(self, on_request: Callable[[str], None]) -> None:
            super().__init__()
            self._on_request = on_request

        def send(self, request: Any, *args: Any, **options: Any) -> Any:
            options["timeout"] = options.get("timeout") or timeout()
            self._on_request(str(request.url))
            response = super().send(request, *args, **options)
            if not options.get("stream") or "json" in response.headers.get("Content-Type", ""):
                response._content = read_bounded(response)  # requests itself would read without a limit
            return response

    return BoundedAdapter


@contextlib.contextmanager
def _environment_without_credentials(folder: str) -> Iterator[None]:
    """While the client is imported, hide the user's home and ``KAGGLE_*`` variables from it."""
    kept = dict(os.environ)
    hidden = [name for name in kept if name.startswith("KAGGLE_")] + ["VERBOSE", "VERBOSE_OUTPUT"]
    try:
        for name in hidden:
            os.environ.pop(name, None)
        os.environ.update(dict.fromkeys(_HOMES, folder))
        yield
    finally:
        for name in _HOMES:
            os.environ.pop(name, None)
        os.environ.update(kept)

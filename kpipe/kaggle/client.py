"""The real ``kaggle`` client, made well-behaved: loaded only when asked for, silent, bounded in time, and explained.

What it does of itself, and does not do here: print a page of help and end the process without credentials, make a
folder in the user's home, take every ``KAGGLE_*`` variable for configuration, wait for ever, say "403 Client Error".

References
----------
kaggle 2.2.4 and kagglesdk 0.1.37, read as source.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

from kpipe.errors import OutputError, RemoteError, UsageError
from kpipe.kaggle.credentials import Credentials, find, found
from kpipe.kaggle.error_messages import explain_error, explain_refused_credentials, redact, status_or_kind
from kpipe.kaggle.responses import Pushed, Submission, bounded, listed, owned, typed

__all__ = ["Kaggle", "Pushed", "Submission", "connect"]

_CONNECT_SECONDS, _READ_SECONDS = 10.0, 60.0
_MOST_PAGES = 100  # of a kernel's list of files
_TRIES, _FIRST_WAIT = 4, 0.5  # a call that is safe to repeat, and seconds before the second try, doubled each time
_NO_SUCH_RANGE = 416
_HOMES = ("HOME", "USERPROFILE", "XDG_CONFIG_HOME", "KAGGLE_CONFIG_DIR")  # where the client looks and makes a folder
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost):\d+")
_NONE = (
    "There are no Kaggle credentials. On https://www.kaggle.com/settings, under API, create a token and put it into "
    "the variable KAGGLE_API_TOKEN or the file ~/.kaggle/access_token (or kaggle.json into ~/.kaggle). "
    "`kpipe doctor` says what is found."
)

# What the client raises on an answer that is none of Kaggle's: wrong types, missing fields, depths without end.
_UNREADABLE = (LookupError, ValueError, TypeError, AttributeError, ArithmeticError, RecursionError)

T = TypeVar("T")


def connect() -> Kaggle:
    """The client for the credentials of this user. Raises UsageError if there are none."""
    if os.environ.get("KAGGLE_KERNEL_RUN_TYPE") and find() is None:
        _take_kernel_secrets()
    credentials = find()
    if credentials is None:
        broken = [f"{c.place}: {c.problem}" for c in found()]
        raise UsageError(f"{_NONE} Found, and of no use: {'; '.join(broken)}." if broken else _NONE)
    return Kaggle(credentials)


def _take_kernel_secrets() -> None:
    """In a kernel with internet, the secrets kaggle_username and kaggle_key; fastkaggle knows how."""
    with contextlib.suppress(Exception, SystemExit), _quiet():
        from fastkaggle import import_kaggle

        import_kaggle()


class Kaggle:
    """What kpipe asks of Kaggle. Every method raises RemoteError with what is wrong and what to do."""

    def __init__(self, credentials: Credentials) -> None:
        self.api = _api(credentials)
        secret = self.api.config_values.get("token") or credentials.secret  # a login's token comes from Kaggle
        self.credentials = replace(credentials, secret=secret)

    def username(self) -> str:
        """The name behind the credentials; also proves that they work."""
        if self.credentials.kind != "key":
            return str(self.api.config_values.get("username", ""))
        self._safely("your submissions", lambda: self.api.competitions_list(page=1))
        return self.credentials.username

    def competition(self, slug: str) -> Any:
        """The competition as kagglesdk's ApiCompetition: rules accepted, deadline, daily limit, rank."""
        from kagglesdk.competitions.types.competition_api_service import ApiGetCompetitionRequest

        request = ApiGetCompetitionRequest()
        request.competition_name = slug

        def ask() -> Any:
            with self.api.build_kaggle_client() as client:
                return client.competitions.competition_api_client.get_competition(request)

        return self._safely(slug, ask)

    def left_today(self, slug: str) -> int:
        """How many submissions may still be made today."""
        return self._safely(slug, lambda: int(self.api.competition_get_submission_limits(slug).num_allowed_now))

    def gpu_hours(self) -> tuple[float, float]:
        """Used and allowed hours of GPU in kernels this week."""

        def ask() -> tuple[float, float]:
            quota = self.api.quota_view().gpu_quota
            if quota is None:
                return 0.0, 0.0
            return quota.time_used.total_seconds() / 3600, quota.total_time_allowed.total_seconds() / 3600

        return self._safely("your quota", ask)

    def submissions(self, slug: str) -> list[Submission]:
        """The newest 100 of this team, newest first."""

        def ask() -> list[Submission]:
            return [listed(one) for one in self.api.competition_submissions(slug, page_size=100) or [] if one]

        return self._safely(slug, ask)

    def submit(self, slug: str, path: Path, message: str) -> int:
        """Send a file once; gives Kaggle's number of the submission.

        If the answer is lost after the submission was made, it is looked up, not sent again.
        """
        known = {one.ref for one in self.submissions(slug)}
        try:
            send = partial(self.api.competition_submit, str(path), message, slug, quiet=True)
            answer = self._safely(slug, send, but="CreateSubmission")
        except RemoteError as error:
            return self._looked_up(slug, path, message, known, error)
        if answer.message == self.api.COMPETITION_SUBMIT_UPLOAD_FAILED_MESSAGE:
            raise RemoteError(f"Kaggle did not take the upload of {path.name}. Nothing was submitted. Try again.")
        return int(answer.ref or 0) or self._looked_up(slug, path, message, known, RemoteError(answer.message))

    def _looked_up(self, slug: str, path: Path, message: str, known: set[int], error: RemoteError) -> int:
        try:
            newest = self.submissions(slug)
        except RemoteError:
            raise RemoteError(
                f"{error} Whether the submission was made is not known: before sending it again, "
                f"look with `kpipe submissions {slug}`."
            ) from error
        for one in newest:
            if one.ref not in known and (one.description, one.file_name) == (message, path.name):
                return one.ref
        raise error

    def submit_code(self, slug: str, kernel: str, version: int, file_name: str, message: str) -> int:
        """Submit what a version of a kernel wrote, in a competition that takes kernels only; the number of it."""
        known = {one.ref for one in self.submissions(slug)}
        try:
            answer = self._translated(
                slug, lambda: self.api.competition_submit_code(file_name, message, slug, kernel, version, quiet=True)
            )
        except RemoteError as error:
            return self._looked_up(slug, Path(file_name), message, known, error)
        return int(answer.ref or 0) or self._looked_up(
            slug, Path(file_name), message, known, RemoteError(answer.message)
        )

    def push_kernel(self, folder: Path) -> Pushed:
        """Make a new version of a kernel from a folder with kernel-metadata.json; Kaggle starts it.

        Raises RemoteError for what Kaggle refuses in its answer, sources that it does not know among it.
        """
        answer = self._translated(str(folder), _of_folder(folder, self.api.kernels_push))
        faults = [answer.error] if answer.error else []
        for kind in ("tags", "dataset_sources", "competition_sources", "kernel_sources", "model_sources"):
            if names := getattr(answer, f"invalid_{kind}"):
                faults.append(f"it does not know the {kind.replace('_', ' ')} {', '.join(names)}")
        if faults:
            raise RemoteError(f"Kaggle did not take the kernel: {'; '.join(faults)}.")
        ref = self._translated(str(folder), lambda: owned(answer.ref))
        return Pushed(ref=ref, version=int(answer.version_number or 1), url=answer.url)

    def kernel_status(self, pushed: Pushed) -> tuple[str, str]:
        """The state of a version, in lower case ("queued", "running", "complete", "error", ...), and why it failed."""
        from kagglesdk.kernels.types.kernels_api_service import ApiGetKernelSessionStatusRequest

        request = _of_version(ApiGetKernelSessionStatusRequest(), pushed)

        def ask() -> tuple[str, str]:
            answer = self._kernels("get_kernel_session_status", request)
            return answer.status.name.lower(), answer.failure_message or ""

        return self._safely(pushed.ref, ask)

    def kernel_output(self, pushed: Pushed) -> tuple[dict[str, str], str]:
        """Files that a version wrote, by name, with the addresses to fetch them from; and its log."""
        from kagglesdk.kernels.types.kernels_api_service import ApiListKernelSessionOutputRequest

        files: dict[str, str] = {}
        token, log = "", ""
        for _ in range(_MOST_PAGES):
            request = _of_version(ApiListKernelSessionOutputRequest(), pushed)
            request.page_token = token
            answer = self._safely(pushed.ref, partial(self._kernels, "list_kernel_session_output", request))
            files |= {one.file_name: one.url for one in answer.files or [] if one.file_name and one.url}
            log, token = log or answer.log or "", answer.next_page_token or ""
            if not token:
                break
        return files, log

    def dataset_status(self, name: str) -> str:
        """In lower case: "ready", "pending", ...; "" where there is no such dataset."""
        import requests

        def ask() -> str:
            try:
                return str(self.api.dataset_status(name))
            except requests.HTTPError as error:
                if error.response is not None and error.response.status_code in (403, 404):
                    return ""
                raise

        return self._safely(name, ask)

    def create_dataset(self, folder: Path) -> None:
        """A private dataset of a folder with dataset-metadata.json; it is not ready at once."""
        create = partial(self.api.dataset_create_new, quiet=True)
        answer = self._translated(str(folder), _of_folder(folder, create))
        if answer.status.lower() != "ok":
            raise RemoteError(f"Kaggle did not take the dataset of {folder}: {answer.error}")

    def fetch(self, url: str, target: Path, *, most: int = 1 << 30) -> Path:
        """A file of a kernel's output, whole or not at all. Raises RemoteError for one of more than ``most`` bytes."""
        import requests

        def ask() -> bytes:
            whole = {"Accept-Encoding": "identity"}  # packed, its length would be another than the file's
            timeout = (_CONNECT_SECONDS, _READ_SECONDS)
            with requests.get(url, headers=whole, stream=True, timeout=timeout) as answer:
                answer.raise_for_status()
                content = bounded(answer, most=most)
                expected = answer.headers.get("Content-Length")
                if expected and int(expected) != len(content):
                    raise requests.ConnectionError(f"{len(content)} of {expected} bytes")
            return content

        content = self._safely(target.name, ask)
        beside = target.with_name(f".{target.name}.part")
        try:
            beside.write_bytes(content)
            os.replace(beside, target)
        except OSError as error:
            raise OutputError(f"{target} cannot be written: {error.strerror}. Free space.") from error
        return target

    def _kernels(self, name: str, request: Any) -> Any:
        with self.api.build_kaggle_client() as client:
            return getattr(client.kernels.kernels_api_client, name)(request)

    def download(self, slug: str, offset: int = 0, validator: str = "") -> Any:
        """A streaming ``requests.Response`` with the competition's zip, from ``offset`` on where it is still the same.

        validator : the ETag that the first ``offset`` bytes belong to.
        """
        import requests
        from kagglesdk.competitions.types.competition_api_service import ApiDownloadDataFilesRequest

        request = ApiDownloadDataFilesRequest()
        request.competition_name = slug

        def ask() -> Any:
            with self.api.build_kaggle_client() as client:
                whole = client.competitions.competition_api_client.download_data_files(request)
                if not offset or whole.headers.get("ETag") != validator:
                    return whole
                whole.close()
                # of the request that was redirected there: without credentials, where that is another host
                headers = {**whole.request.headers, "Range": f"bytes={offset}-", "If-Range": validator}
                rest = requests.get(whole.url, headers=headers, stream=True, timeout=(_CONNECT_SECONDS, _READ_SECONDS))
                if rest.status_code == _NO_SUCH_RANGE:  # what is kept is as long as the whole, or longer
                    rest.close()
                    return client.competitions.competition_api_client.download_data_files(request)
                rest.raise_for_status()
                return rest

        return self._safely(slug, ask)

    def _safely(self, what: str, ask: Callable[[], T], *, but: str = "") -> T:
        """Asked again, with growing pauses, where asking twice does no harm and another answer may come.

        but : the one call among those that ``ask`` makes that must not be made twice.
        """
        import tenacity

        def may_be_repeated(error: BaseException) -> bool:
            request = getattr(error, "request", None)
            return _may_pass(error) and not (but and but in str(getattr(request, "url", but)))

        tries = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(_TRIES),
            wait=tenacity.wait_exponential(multiplier=_FIRST_WAIT, max=8),
            retry=tenacity.retry_if_exception(may_be_repeated),
            reraise=True,
        )
        return self._translated(what, lambda: tries(ask))

    def _translated(self, what: str, ask: Callable[[], T]) -> T:
        return _translated(what, ask, self.credentials)


def _translated(what: str, ask: Callable[[], T], credentials: Credentials) -> T:
    import requests

    try:
        with _quiet():
            return ask()
    except requests.RequestException as error:
        raise RemoteError(explain_error(error, what, credentials)) from None
    except SystemExit:
        raise RemoteError("The Kaggle client ended by itself. `kpipe doctor` says what it finds.") from None
    except _UNREADABLE as error:
        told = redact(f"{type(error).__name__}: {error}"[:500], credentials)
        raise RemoteError(
            f"Kaggle gave an answer about {what} that its client cannot read ({told}). "
            "Try again; if it stays so, another version of the package kaggle may help."
        ) from None  # the client's error holds the answer, and the answer may hold a secret


def _of_folder(folder: Path, call: Callable[[str], T]) -> Callable[[], T]:
    """The call on a folder, whose own objections to what is in the folder are the user's business."""

    def ask() -> T:
        try:
            return call(str(folder))
        except json.JSONDecodeError:
            raise
        except ValueError as error:
            raise UsageError(f"{folder}: {error}") from error

    return ask


def _may_pass(error: BaseException) -> bool:
    """Whether the same question may get another answer: the network failed, or Kaggle has a fault of its own."""
    import requests

    if isinstance(error, requests.HTTPError):
        return error.response is not None and error.response.status_code >= 500
    broke = requests.exceptions.ChunkedEncodingError  # the line was cut in the middle of an answer
    return isinstance(error, requests.ConnectionError | requests.Timeout | broke)


def _of_version(request: Any, pushed: Pushed) -> Any:
    request.user_name, request.kernel_slug = pushed.ref.split("/")
    request.version_label = str(pushed.version)
    return request


# --- the client, loaded and bounded


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """What the client prints is not for our user."""
    with contextlib.redirect_stdout(io.StringIO()):
        yield


def _api(credentials: Credentials) -> Any:
    """A client that knows these credentials, and reads no other configuration."""
    api = _bounded_api()()
    api.config_values = {}
    api.hide = lambda text: redact(text, credentials)
    if endpoint := os.environ.get("KPIPE_KAGGLE_ENDPOINT"):
        _lead_to(api, endpoint)
    if credentials.kind == "key":
        api.config_values = {"username": credentials.username, "key": credentials.secret}
    else:
        token = credentials.secret if credentials.kind == "token" else _oauth_token(api)
        credentials = replace(credentials, secret=token)
        api.config_values = {"token": token}
        api.config_values["username"] = _user_of(api, token, credentials)
    api._authenticated = True
    return api


def _lead_to(api: Any, endpoint: str) -> None:
    """Tests only: to a Kaggle on this machine. No other address is taken: credentials are sent there."""
    if not _LOOPBACK.fullmatch(endpoint):
        raise UsageError("KPIPE_KAGGLE_ENDPOINT is for tests: it must be http://127.0.0.1:PORT.")
    from kagglesdk import kaggle_env

    kaggle_env._env_to_endpoint[kaggle_env.KaggleEnv.LOCAL] = endpoint
    api.args = ["--local"]


def _user_of(api: Any, token: str, credentials: Credentials) -> str:
    name = _translated("your account", lambda: api._introspect_token(token), credentials)
    if not name:
        raise RemoteError(explain_refused_credentials(credentials))
    return str(name)


def _oauth_token(api: Any) -> str:
    import requests
    from kagglesdk.kaggle_creds import KaggleCredentials

    try:
        with _quiet(), api.build_kaggle_client() as client:
            return str(KaggleCredentials.load(client=client).get_access_token() or "")
    except (requests.RequestException, *_UNREADABLE) as error:
        raise RemoteError(
            f"Kaggle does not renew the login of `kaggle auth login` ({status_or_kind(error)}). Call it again."
        ) from None


@cache
def _bounded_api() -> Any:
    """KaggleApi with limits of time on every call. Loading it neither speaks nor asks nor leaves a folder behind."""
    with tempfile.TemporaryDirectory() as folder, _nobody(folder), _quiet():
        from kaggle.api.kaggle_api_extended import KaggleApi, ResumableUploadResult

    import requests
    from requests.adapters import HTTPAdapter

    class Limited(HTTPAdapter):
        def send(self, *args: Any, **options: Any) -> Any:
            options["timeout"] = options.get("timeout") or (_CONNECT_SECONDS, _READ_SECONDS)
            answer = super().send(*args, **options)
            if not options.get("stream") or "json" in answer.headers.get("Content-Type", ""):
                answer._content = bounded(answer)  # where requests would keep it: it reads as much as there is
            return answer

    class Bounded(KaggleApi):
        def build_kaggle_client(self) -> Any:
            client = super().build_kaggle_client()
            http = client.http_client()
            http._init_session()
            http._session.headers["Accept-Encoding"] = "identity"  # what is not packed unpacks to no bomb
            for scheme in ("https://", "http://"):
                http._session.mount(scheme, Limited())
            prepare = http._prepare_response
            http._prepare_response = lambda kind, answer: typed(prepare(kind, answer), self.hide)
            return client

        def get_response_processor(self) -> None:
            """None: the client's own prints that a newer one is out."""

        def upload_complete(self, path: str, url: str, quiet: bool, resume: bool = False) -> Any:
            """The whole file in one request; the client's own prints errors and waits without end."""
            with open(path, "rb") as file:
                answer = requests.put(url, data=file, timeout=(_CONNECT_SECONDS, 10 * _READ_SECONDS))
            answer.raise_for_status()
            return ResumableUploadResult.COMPLETE

    return Bounded


@contextlib.contextmanager
def _nobody(folder: str) -> Iterator[None]:
    """The environment of somebody without a home and without credentials, for as long as the client is imported."""
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

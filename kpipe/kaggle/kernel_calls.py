"""Calls to Kaggle about kernels (scripts that Kaggle runs) and the private datasets that they use."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from kpipe.errors import OutputError, RemoteError, UsageError
from kpipe.kaggle.responses import Pushed, read_bounded, read_kernel_ref
from kpipe.kaggle.session import Session, timeout

__all__ = ["KernelCalls"]

_MAX_PAGES = 100  # of the list of a kernel's output
_SOURCES = ("tags", "dataset_sources", "competition_sources", "kernel_sources", "model_sources")

T = TypeVar("T")


class KernelCalls:
    """Calls about kernels and datasets.

    Parameters
    ----------
    session : Session
        The connection.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._api = session.api

    def push(self, folder: Path) -> Pushed:
        """Upload a new version of a kernel, which Kaggle then runs.

        Parameters
        ----------
        folder : Path
            Holds kernel-metadata.json and the script.

        Returns
        -------
        Pushed
            The version.

        Raises
        ------
        RemoteError
            If Kaggle does not accept the kernel, or does not know one of its sources.
        UsageError
            If the client does not accept the folder.
        """
        response = self._session.call(str(folder), _checked_by_client(folder, self._api.kernels_push))
        faults = [response.error] if response.error else []
        for kind in _SOURCES:
            if names := getattr(response, f"invalid_{kind}"):
                faults.append(f"it does not know the {kind.replace('_', ' ')} {', '.join(names)}")
        if faults:
            raise RemoteError(f"Kaggle did not accept the kernel: {'; '.join(faults)}.", code="kernel-failed")
        ref = self._session.call(str(folder), lambda: read_kernel_ref(response.ref))
        return Pushed(ref=ref, version=int(response.version_number or 1), url=response.url)

    def status(self, pushed: Pushed) -> tuple[str, str]:
        """The state of a version.

        Parameters
        ----------
        pushed : Pushed
            The version.

        Returns
        -------
        status : str
            In lower case: "queued", "running", "complete", "error", ...
        reason : str
            Why the version failed; empty unless it did.

        Raises
        ------
        RemoteError
            With what went wrong and what to do.
        """
        from kagglesdk.kernels.types.kernels_api_service import ApiGetKernelSessionStatusRequest

        request = _of_version(ApiGetKernelSessionStatusRequest(), pushed)

        def ask() -> tuple[str, str]:
            response = self._session.with_sdk(lambda sdk: _service(sdk).get_kernel_session_status(request))
            return response.status.name.lower(), response.failure_message or ""

        return self._session.call_with_retries(pushed.ref, ask)

    def output(self, pushed: Pushed) -> tuple[dict[str, str], str]:
        """The files that a version wrote, and its log.

        Parameters
        ----------
        pushed : Pushed
            The version.

        Returns
        -------
        files : dict of str to str
            File name to the address from which it can be downloaded.
        log : str
            The log as Kaggle gives it.

        Raises
        ------
        RemoteError
            With what went wrong and what to do.
        """
        from kagglesdk.kernels.types.kernels_api_service import ApiListKernelSessionOutputRequest

        files: dict[str, str] = {}
        token, log = "", ""
        for _ in range(_MAX_PAGES):
            request = _of_version(ApiListKernelSessionOutputRequest(), pushed)
            request.page_token = token
            response = self._session.call_with_retries(pushed.ref, partial(self._list_output, request))
            files |= {one.file_name: one.url for one in response.files or [] if one.file_name and one.url}
            log, token = log or response.log or "", response.next_page_token or ""
            if not token:
                break
        return files, log

    def _list_output(self, request: Any) -> Any:
        return self._session.with_sdk(lambda sdk: _service(sdk).list_kernel_session_output(request))

    def download_file(self, url: str, target: Path, *, most: int = 1 << 30) -> Path:
        """A file of a kernel's output, downloaded whole or not at all.

        Parameters
        ----------
        url : str
            The address, from ``output``.
        target : Path
            Where to write the file.
        most : int
            The largest size in bytes.

        Returns
        -------
        Path
            ``target``.

        Raises
        ------
        RemoteError
            If the file cannot be downloaded or is larger.
        OutputError
            If ``target`` cannot be written.
        """
        content = self._session.call_with_retries(target.name, partial(_get, url, most=most))
        unfinished = target.with_name(f".{target.name}.part")
        try:
            unfinished.write_bytes(content)
            os.replace(unfinished, target)
        except OSError as error:
            raise OutputError(
                f"{target} cannot be written: {error.strerror}. Free space.", code="cannot-write"
            ) from error
        return target

    def dataset_status(self, name: str) -> str:
        """The state of a dataset.

        Parameters
        ----------
        name : str
            The dataset, owner/slug.

        Returns
        -------
        str
            In lower case: "ready", "pending", ...; empty if there is no such dataset.

        Raises
        ------
        RemoteError
            With what went wrong and what to do.
        """
        import requests

        def ask() -> str:
            try:
                return str(self._api.dataset_status(name))
            except requests.HTTPError as error:
                if error.response is not None and error.response.status_code in (403, 404):
                    return ""
                raise

        return self._session.call_with_retries(name, ask)

    def create_dataset(self, folder: Path) -> None:
        """Create a private dataset; it is not ready at once.

        Parameters
        ----------
        folder : Path
            Holds dataset-metadata.json and the files.

        Raises
        ------
        RemoteError
            If Kaggle does not accept the dataset.
        UsageError
            If the client does not accept the folder.
        """
        create = partial(self._api.dataset_create_new, quiet=True)
        response = self._session.call(str(folder), _checked_by_client(folder, create))
        if response.status.lower() != "ok":
            raise RemoteError(f"Kaggle did not accept the dataset of {folder}: {response.error}", code="dataset-failed")


def _get(url: str, *, most: int) -> bytes:
    """The content of a file; raises ``requests``' errors if it is not whole."""
    import requests

    plain = {"Accept-Encoding": "identity"}  # the length of a compressed response would not be the file's
    with requests.get(url, headers=plain, stream=True, timeout=timeout()) as response:
        response.raise_for_status()
        content = read_bounded(response, most=most)
        expected = response.headers.get("Content-Length")
        if expected and int(expected) != len(content):
            raise requests.ConnectionError(f"{len(content)} of {expected} bytes")
    return content


def _checked_by_client(folder: Path, call: Callable[[str], T]) -> Callable[[], T]:
    """The call on a folder; ValueErrors that the client raises about the folder become UsageErrors."""

    def ask() -> T:
        try:
            return call(str(folder))
        except json.JSONDecodeError:  # a ValueError too, of Kaggle's response
            raise
        except ValueError as error:
            raise UsageError(f"{folder}: {error}", code="broken-kernel-folder") from error

    return ask


def _service(sdk: Any) -> Any:
    return sdk.kernels.kernels_api_client


def _of_version(request: Any, pushed: Pushed) -> Any:
    request.user_name, request.kernel_slug = pushed.ref.split("/")
    request.version_label = str(pushed.version)
    return request

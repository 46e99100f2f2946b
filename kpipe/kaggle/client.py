"""The Kaggle client: connect with the user's credentials, and call Kaggle about competitions and kernels."""

from __future__ import annotations

import contextlib
import os

from kpipe.errors import UsageError
from kpipe.kaggle.competition_calls import CompetitionCalls
from kpipe.kaggle.credentials import Credentials, all_credentials, find_credentials
from kpipe.kaggle.kernel_calls import KernelCalls
from kpipe.kaggle.session import Session, quiet

__all__ = ["Kaggle", "connect"]

_NO_CREDENTIALS = (
    "There are no Kaggle credentials. On https://www.kaggle.com/settings, under API, create a token and put it into "
    "the variable KAGGLE_API_TOKEN or the file ~/.kaggle/access_token (or kaggle.json into ~/.kaggle). "
    "`kpipe doctor` shows which credentials are found."
)


def connect() -> Kaggle:
    """The client, with the credentials of this user.

    Returns
    -------
    Kaggle
        The client.

    Raises
    ------
    UsageError
        If there are no credentials.
    RemoteError
        If Kaggle does not accept them.
    """
    credentials = find_credentials()
    if credentials is None and os.environ.get("KAGGLE_KERNEL_RUN_TYPE"):
        _take_kernel_secrets()
        credentials = find_credentials()
    if credentials is None:
        broken = "; ".join(f"{one.place}: {one.problem}" for one in all_credentials())
        raise UsageError(
            f"{_NO_CREDENTIALS} Found but unusable: {broken}." if broken else _NO_CREDENTIALS, code="no-credentials"
        )
    return Kaggle(credentials)


def _take_kernel_secrets() -> None:
    """In a kernel with internet, take the secrets kaggle_username and kaggle_key, as fastkaggle does."""
    with contextlib.suppress(Exception, SystemExit), quiet():
        from fastkaggle import import_kaggle

        import_kaggle()


class Kaggle:
    """The Kaggle client. A RemoteError of its calls says what went wrong and what to do.

    Parameters
    ----------
    credentials : Credentials
        The user's credentials.

    Attributes
    ----------
    competitions : CompetitionCalls
        Calls about competitions and submissions.
    kernels : KernelCalls
        Calls about kernels and datasets.

    Raises
    ------
    RemoteError
        If Kaggle does not accept a token.
    """

    def __init__(self, credentials: Credentials) -> None:
        self._session = Session(credentials)
        self.competitions = CompetitionCalls(self._session)
        self.kernels = KernelCalls(self._session)

    def username(self) -> str:
        """The user's name on Kaggle; the call proves that the credentials are accepted.

        Returns
        -------
        str
            The name.

        Raises
        ------
        RemoteError
            If Kaggle does not accept the credentials.
        """
        credentials, api = self._session.credentials, self._session.api
        if credentials.kind != "key":
            return str(api.config_values.get("username", ""))
        self._session.call_with_retries("your account", lambda: api.competitions_list(page=1))
        return credentials.username

    def gpu_hours(self) -> tuple[float, float]:
        """GPU hours of kernels this week.

        Returns
        -------
        used, allowed : float
            0 and 0 if Kaggle returns no quota.

        Raises
        ------
        RemoteError
            With what went wrong and what to do.
        """

        def quota_hours() -> tuple[float, float]:
            quota = self._session.api.quota_view().gpu_quota
            if quota is None:
                return 0.0, 0.0
            return quota.time_used.total_seconds() / 3600, quota.total_time_allowed.total_seconds() / 3600

        return self._session.call_with_retries("your quota", quota_hours)

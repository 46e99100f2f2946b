from __future__ import annotations

import re
import sys

import joblib
import pytest

from kpipe.core.packages import install_command
from kpipe.errors import UsageError
from kpipe.training.backends import active_cluster, connect_to_cluster, dask


@pytest.mark.parametrize("address", ["dask", "dask=", "spark=here"])
def test_an_invalid_address_is_refused_with_the_valid_forms(address: str) -> None:
    words = f"A cluster must be dask=ADDRESS, ray=ADDRESS or ray=auto; got '{address}'"
    with pytest.raises(UsageError, match=words), connect_to_cluster(address):
        pass


def test_without_an_address_the_active_backend_stays() -> None:
    with joblib.parallel_config(backend="threading"), connect_to_cluster(None):
        assert active_cluster() is None


@pytest.mark.parametrize(("kind", "module"), [("dask", "distributed"), ("ray", "ray")])
def test_a_library_that_is_not_installed_is_reported_with_the_command_that_installs_it(
    kind: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    hint = re.escape(install_command(extra=kind))
    with pytest.raises(UsageError, match=hint), connect_to_cluster(f"{kind}=127.0.0.1:1"):
        pass


@pytest.mark.slow
def test_a_cluster_that_does_not_answer_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason=install_command(extra="dask"))
    monkeypatch.setattr(dask, "CONNECT_TIMEOUT", 1.0)
    connection = connect_to_cluster("dask=tcp://127.0.0.1:1")
    with pytest.raises(UsageError, match=r"No Dask scheduler answers at tcp://127\.0\.0\.1:1"), connection:
        pass

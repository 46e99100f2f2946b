"""The imports that every worker needs, made first by the fork server (``kpipe.training.fork_server``)."""

from __future__ import annotations

from kpipe.core.collector import collect_rarely
from kpipe.core.scipy_docs import skip_scipy_docs

collect_rarely()
skip_scipy_docs()

import kpipe.features  # noqa: E402
import kpipe.training.pool  # noqa: E402, F401

"""A run as one HTML page: :func:`write`."""

from kpipe.report.page import FILE, write
from kpipe.report.run_data import RunData

__all__ = ["FILE", "RunData", "write"]

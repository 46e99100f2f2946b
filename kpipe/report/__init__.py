"""A run as one HTML page: :func:`write`."""

from kpipe.report.page import FILE, Data, write

__all__ = ["FILE", "Data", "write"]

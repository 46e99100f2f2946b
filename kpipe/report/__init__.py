"""A run as one HTML page: :func:`write`."""

from kpipe.report.page import FILE, write

__all__ = ["FILE", "write"]

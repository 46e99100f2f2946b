"""A run as one HTML page: :func:`write`; all runs on one: :func:`write_index`."""

from kpipe.report.index import INDEX, write_index
from kpipe.report.page import FILE, write

__all__ = ["FILE", "INDEX", "write", "write_index"]

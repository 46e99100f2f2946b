"""The version of kpipe, read by hatchling when the distribution is built."""

__version__ = "0.1.0"

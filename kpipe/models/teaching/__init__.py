"""The nets of the notebooks from which kpipe came."""

"""The nets of the notebooks that kpipe came from."""

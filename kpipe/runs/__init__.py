"""Finished runs: stored, found, recorded, compared."""

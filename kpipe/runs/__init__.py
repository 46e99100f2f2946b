"""Run folders: store, find, record, resume, reproduce, compare, blend, prune and track runs."""

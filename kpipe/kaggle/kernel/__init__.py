"""Kaggle kernels: build the script, push it, add packages to it."""

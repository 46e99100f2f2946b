"""Kaggle: credentials, the client, downloads, submissions and kernels."""

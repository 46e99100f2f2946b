"""Kernel scripts: built, pushed, provided with wheels."""

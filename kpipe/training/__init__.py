"""Folds, cross-validation, ensembles and thresholds."""

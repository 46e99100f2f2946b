"""Torch networks as scikit-learn estimators, and the training loop that they share."""

"""Networks and the training loop that they share."""

"""Values, metrics, statistics and utilities that all layers above share."""

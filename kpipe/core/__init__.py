"""Values, metrics, statistics and other things that every layer above shares."""

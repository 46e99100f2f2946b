"""Values, metrics and what every layer above shares."""

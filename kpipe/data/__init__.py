"""Where a competition's files come from, and how they are read."""

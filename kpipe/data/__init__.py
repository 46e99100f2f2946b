"""A competition's files → ``Tables``: where they come from, how they are read, and what their columns hold."""

"""The commands behind ``kpipe``: each adds its options to a parser, and is called with them. Light to import."""

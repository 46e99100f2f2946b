"""The definition of a competition: as its author wrote it, and with every field inferred."""

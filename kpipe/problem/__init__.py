"""What a competition is: as its author wrote it, and with every field inferred."""

"""All rendering on the terminal."""

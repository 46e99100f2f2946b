"""``python -m kpipe`` and the ``kpipe`` command."""

from kpipe.cli.main import main

__all__ = ["main"]

if __name__ == "__main__":
    main()

"""``python -m kpipe`` and the ``kpipe`` command."""

from kpipe.cli.interrupts import end_on_interrupt
from kpipe.core.collector import collect_rarely

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit, see ``kpipe.cli.main``."""
    with end_on_interrupt():
        collect_rarely()
        from kpipe.cli.main import main  # here, so that Ctrl-C during the import is answered too
        from kpipe.core.scipy_docs import skip_scipy_docs

        skip_scipy_docs()
        main()


if __name__ == "__main__":
    main()

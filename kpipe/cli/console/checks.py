"""The checks of ``kpipe check``, printed as they complete."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from kpipe.cli.console.layout import STATUS_STYLES, get_console
from kpipe.core.values import Check
from kpipe.errors import printable

__all__ = ["print_check", "print_check_counts"]


def print_check(check: Check) -> None:
    """Print the result of a check, to stdout.

    Parameters
    ----------
    check : Check
        The result.
    """
    status = (f"{check.status:4} ", STATUS_STYLES[check.status])
    get_console().print(Text.assemble(status, (check.name, "bold"), f": {printable(check.detail)}"))


def print_check_counts(checks: Sequence[Check]) -> None:
    """Print how many checks passed, warned and failed, and were skipped if any were, to stdout.

    Parameters
    ----------
    checks : sequence of Check
        The results.
    """
    counts = {status: sum(check.status == status for check in checks) for status in STATUS_STYLES}
    skipped = f", {counts['skipped']} skipped" if counts["skipped"] else ""
    print(f"{counts['pass']} passed, {counts['warn']} warned, {counts['fail']} failed{skipped}.")

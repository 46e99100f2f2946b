"""The findings of ``kpipe doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from kpipe.cli.console.layout import STATUS_STYLES, get_console

if TYPE_CHECKING:
    from kpipe.cli.doctor import Finding

__all__ = ["print_finding"]


def print_finding(finding: Finding) -> None:
    """Print a finding and how to fix it, to stdout.

    Parameters
    ----------
    finding : Finding
        The result of a check.
    """
    console = get_console()
    status = (f"{finding.status:5}", STATUS_STYLES[finding.status])
    console.print(Text.assemble(status, f"{finding.name}: {finding.detail}"))
    if finding.fix:
        console.print(Text(f"     {finding.fix}"))

"""``kpipe vault``."""

from __future__ import annotations

import argparse

from kpipe.cli.command import Command
from kpipe.cli.messages import print_competition_notes
from kpipe.cli.options import (
    DATA_OPTIONS,
    add_json_option,
    add_out_option,
    add_request_options,
    add_slug,
    request_from,
    share,
)
from kpipe.errors import UsageError

__all__ = ["COMMAND"]


def _add_options(parser: argparse.ArgumentParser) -> None:
    add_slug(parser)
    add = parser.add_argument
    add("run", metavar="RUN", nargs="?", help="with open in place of SLUG: the run to score")
    add("--share", metavar="SHARE", type=share, help="lock away this share of the training rows, such as 20%%")
    add_request_options(parser, DATA_OPTIONS)
    add_out_option(parser)
    add_json_option(parser)


def _execute(options: argparse.Namespace) -> int:
    """Lock rows away, open the vault for a run, or describe the vault."""
    from kpipe import vault
    from kpipe.cli.console.vault import print_look, print_vault

    if options.slug == "open":
        if options.run is None or options.share is not None:
            raise UsageError("Name the run, and nothing else: kpipe vault open RUN.", code="missing-argument")
        print_look(vault.open_vault(options.run, out=options.out, data=options.data), json=options.json)
        return 0
    if options.run is not None:
        raise UsageError(f"To open a vault for a run: kpipe vault open {options.run}.", code="conflicting-options")
    if options.share is None:
        print_vault(vault.show_vault(request_from(options)), json=options.json)
        return 0
    print_competition_notes([])
    made, notes = vault.make_vault(request_from(options), share=options.share)
    print_vault(vault.VaultStatus(vault=made), notes, json=options.json)
    return 0


COMMAND = Command(
    description=(
        "Lock away a share of the training rows: later runs neither train nor validate on them. Opening the vault for "
        "a run scores the run on these rows, an unbiased test of choices that were made on all other rows."
    ),
    examples=(
        ("kpipe vault titanic --data titanic.zip --share 20%", "lock away a fifth of the training rows"),
        ("kpipe vault titanic", "show what is locked away, and how often it was opened"),
        ("kpipe vault open 20261121T092754Z-f40eed", "score a run on these rows"),
        ("kpipe run titanic --all-rows", "the final run, with these rows"),
    ),
    add_options=_add_options,
    execute=_execute,
    usage="[OPTIONS] SLUG | open RUN",
)

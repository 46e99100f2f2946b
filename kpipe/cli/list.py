"""``kpipe list``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from kpipe.cli.command import Command
from kpipe.cli.messages import print_competition_notes
from kpipe.cli.options import add_json_option

__all__ = ["COMMAND"]


def _add_options(parser: argparse.ArgumentParser) -> None:
    what = "what to list: competitions (the default), models or metrics"
    parser.add_argument("what", metavar="WHAT", nargs="?", choices=_LISTS, default="competitions", help=what)
    add_json_option(parser)


def _execute(options: argparse.Namespace) -> int:
    """Print the list."""
    listed = list(_LISTS[options.what]())
    if options.json:
        from kpipe.cli.json_output import print_json

        print_json(listed)
    elif options.what == "competitions":
        print("\n".join(one["slug"] for one in listed))
    else:
        for one in listed:
            print(f"{one['name']}: {one['description']}")
    return 0


def _competitions() -> Iterator[dict[str, str]]:
    """The competitions that have a module, which is not imported."""
    from kpipe import competitions

    slugs = competitions.slugs()
    print_competition_notes(slugs)
    return ({"slug": slug, "path": str(competitions.folder(slug))} for slug in slugs)


def _models() -> Iterator[dict[str, str]]:
    from kpipe.models import CATALOG

    return ({"name": name, "description": f"{entry.description}."} for name, entry in CATALOG.items())


def _metrics() -> Iterator[dict[str, str]]:
    from kpipe.core.metrics import METRICS

    for name, metric in METRICS.items():
        direction = "higher" if metric.greater_is_better else "lower"
        also = f" Also called {', '.join(metric.aliases)}." if metric.aliases else ""
        yield {"name": name, "description": f"{direction} is better; scores {_SCORED[metric.needs]}.{also}"}


_LISTS = {"competitions": _competitions, "models": _models, "metrics": _metrics}
_SCORED = {"label": "labels", "probability": "probabilities", "ranking": "the most probable labels", "value": "numbers"}

COMMAND = Command(
    description=(
        "List the competitions that have a module (kpipe works for any other competition too), the models for --model "
        "or the metrics for --metric."
    ),
    examples=(
        ("kpipe list", "the competitions that have a module"),
        ("kpipe list models", "all models, each with a one-line description"),
        ("kpipe list metrics --json", "all metrics, as JSON"),
    ),
    add_options=_add_options,
    execute=_execute,
    is_listing=True,
)

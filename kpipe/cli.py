"""The ``kpipe`` command: parse, call, show; the only place that words errors for people.

Nothing heavy is imported here: ``kpipe --help`` loads click and no more.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

import click

from kpipe.errors import KpipeError

__all__ = ["main"]

_INTERRUPTED = 128 + signal.SIGINT  # what shells expect of a command that Ctrl-C has ended


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit status: 0 done, 1 a check or a run failed, 2 wrong call or input."""
    try:
        status = kpipe.main(args=args, prog_name="kpipe", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except KpipeError as error:
        click.echo(f"Error: {error}", err=True)
        status = error.exit_status
    except (KeyboardInterrupt, click.Abort):
        click.echo("Interrupted.", err=True)
        status = _INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has left (kpipe list | head): nothing to say, and nobody to say it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    sys.exit(status or 0)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="kpipe")
def kpipe() -> None:
    r"""From a Kaggle competition's name to a score one can believe.

    \b
    kpipe run titanic                     train on the embedded sample, no account needed
    kpipe run titanic --data titanic.zip  train on Kaggle's own files
    kpipe show titanic                    what a run would do, and why
    """


def _data_options(command: Any) -> Any:
    """The options by which files are found and read."""
    for option in (
        click.option("--text", multiple=True, metavar="COLUMN", help="Read a column as text. Repeatable."),
        click.option("--id", metavar="COLUMN", help="The id column; default: inferred."),
        click.option("--target", metavar="COLUMN", help="The target column; default: inferred."),
        click.option("--metric", metavar="NAME", help="The metric; default: the competition's, or a guess."),
        click.option(
            "--data", metavar="PATH", help="A folder or Kaggle's zip; default: what is found, last the sample."
        ),
    ):
        command = option(command)
    return command


@kpipe.command()
@click.argument("slug")
@_data_options
@click.option("--model", "models", multiple=True, metavar="NAME", help="Train only this model. Repeatable.")
@click.option("--budget", metavar="TIME", help="Begin no model that would end after this time, as 90s, 5m or 1h.")
@click.option("--folds", type=click.IntRange(min=2), metavar="N", help="Number of folds; default: the competition's.")
@click.option("--seed", multiple=True, type=click.IntRange(min=0), metavar="N", help="Average over seeds. Repeatable.")
@click.option("--device", default="auto", metavar="NAME", help="auto, cpu, cuda or mps, for torch models.")
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Model fits at a time; default: one per core.")
@click.option("--out", default="submissions", metavar="DIR", help="Where run folders are made; default: submissions.")
@click.option("--json", "as_json", is_flag=True, help="Print run.json to stdout, and nothing else.")
@click.option("--quiet", is_flag=True, help="Print only the path of the submission.")
def run(slug: str, as_json: bool, quiet: bool, budget: str | None, seed: tuple[int, ...], **options: Any) -> int:
    """Train, validate, predict, check and write a submission for the competition SLUG."""
    seconds = None if budget is None else _seconds(budget)
    from kpipe import display, pipeline

    with display.progress(quiet=quiet) as progress:
        finished = pipeline.run(
            slug,
            budget=seconds,
            seed=seed or (0,),
            started=progress.started,
            tell=progress.tell,
            command=["kpipe", *sys.argv[1:]],
            **options,
        )
    if as_json:
        click.echo((finished.path / "run.json").read_text(), nl=False)
    elif quiet:
        click.echo(finished.path / "submission.csv")
    else:
        display.show_run(finished)
    return 1 if any(check["status"] == "fail" for check in finished.record["checks"]) else 0


@kpipe.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def list_(as_json: bool) -> None:
    """List the competitions that have a module; any other slug works too, with --data."""
    from kpipe import competitions

    slugs = competitions.slugs()
    if as_json:
        import json

        click.echo(json.dumps([{"slug": slug, "path": str(competitions.folder(slug))} for slug in slugs], indent=2))
    else:
        click.echo("\n".join(slugs))


@kpipe.command()
@click.argument("slug")
@_data_options
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def show(slug: str, as_json: bool, **options: Any) -> None:
    """Show what a run of the competition SLUG would do: each field, its value, and why it has it."""
    from kpipe import display, pipeline

    competition, tables = pipeline.prepare(slug, **options)
    if as_json:
        import json

        click.echo(json.dumps(display.described(competition, tables), indent=2))
    else:
        display.show_competition(competition, tables)


def _seconds(text: str) -> float:
    """Seconds of a time as 90, 90s, 5m or 1h. Raises UsageError."""
    units = {"s": 1.0, "m": 60.0, "h": 3600.0}
    number, unit = (text[:-1], text[-1]) if text[-1:].lower() in units else (text, "s")
    try:
        seconds = float(number) * units[unit.lower()]
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < float("inf"):
        raise click.UsageError(f"--budget must be a time such as 90s, 5m or 1h, however: {text!r}.")
    return seconds

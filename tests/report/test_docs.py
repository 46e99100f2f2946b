from __future__ import annotations

import re
from argparse import ArgumentParser
from importlib import import_module
from pathlib import Path

import kpipe
from kpipe.report import write
from kpipe.runs.run import Run
from tests.report.pages import Page

DOCS = Path(__file__).parents[2] / "docs"


def page() -> str:
    return (DOCS / "report.md").read_text(encoding="utf-8")


def help_of(command: str) -> str:
    parser = ArgumentParser()
    import_module(f"kpipe.cli.{command}").COMMAND.add_options(parser)
    return parser.format_help()


def test_the_options_and_pictures_in_the_docs_exist() -> None:
    options = {option for command in ("run", "report") for option in re.findall(r"--[a-z][\w-]*", help_of(command))}
    assert set(re.findall(r"--[a-z][\w-]*", page())) <= options
    assert "kpipe run titanic --report" in page()
    for picture in re.findall(r"\((pictures/[\w-]+\.png)\)", page()):
        assert (DOCS / picture).is_file()


def test_the_docs_list_every_plot_of_a_run(three_models: Run, house: Run) -> None:
    listed = set(re.findall(r"^\| `(\w+)` \|", page(), flags=re.MULTILINE))
    assert listed == {*dir(kpipe.plot(three_models)), *dir(kpipe.plot(house))}


def test_the_docs_list_every_section_of_a_page_in_its_order(three_models: Run) -> None:
    html = write(three_models).read_text(encoding="utf-8")
    titles = re.findall(r"<h2[^>]*>(.*?)</h2>", html)
    bold = re.findall(r"\*\*([\w -]+)\*\*", page().partition("## Sections")[2].partition("\n## ")[0])
    assert bold == titles
    assert "Findings" in Page(html).text

"""Print a command of the README, so that CI can run it: `python tools/readme.py 1` prints the first `sh` block."""

from __future__ import annotations

import sys
from pathlib import Path

import pages

__all__ = ["blocks"]

_README = Path(__file__).resolve().parents[1] / "README.md"


def blocks(language: str) -> list[str]:
    """The code blocks of a language, in order."""
    return [block.text for block in pages.blocks(_README) if block.language == language]


if __name__ == "__main__":
    print(blocks("sh")[int(sys.argv[1]) - 1].strip())

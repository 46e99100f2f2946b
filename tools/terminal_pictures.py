"""Draw the pictures of the terminal in docs/pictures: python tools/terminal_pictures.py TITANIC.zip.

The command runs in a pseudo-terminal, in a folder of its own. The final screen, with its colours, becomes an SVG whose
text can be selected and searched. Needs pyte (``pip install pyte``), which emulates the terminal.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shutil
import struct
import sys
import termios
from itertools import groupby
from pathlib import Path

import pyte
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "pictures"
SHOTS = {"run-80": 80, "run-140": 140}
COMMAND = ["kpipe", "run", "titanic", "--data", "titanic.zip"]
FOLDER = Path("/home/you")  # its path is printed in the pictures: run this as a user that may create it
ROWS = 60
THEME = TerminalTheme(
    (24, 26, 31),
    (222, 226, 230),
    [
        *((24, 26, 31), (224, 90, 90), (120, 190, 110), (222, 180, 90)),
        *((96, 150, 230), (190, 120, 210), (90, 180, 190), (222, 226, 230)),
    ],
)
_FONT = re.compile(r"@font-face \{.*?\}", re.DOTALL)  # would be loaded from the network


def run_in_terminal(command: list[str], columns: int, folder: Path) -> pyte.Screen:
    """The screen after a command that ran in a terminal with this number of columns."""
    screen = pyte.Screen(columns, ROWS)
    stream = pyte.ByteStream(screen)
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(folder)
        os.environ.update(TERM="xterm-256color", COLUMNS=str(columns), LINES=str(ROWS))
        os.execvp(command[0], command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
    while True:
        try:
            got = os.read(terminal, 65536)
        except OSError:  # the child has ended
            break
        stream.feed(got)
    os.waitpid(child, 0)
    return screen


def draw(screen: pyte.Screen, command: list[str]) -> str:
    """A screen as SVG, with the command above it."""
    console = Console(record=True, width=screen.columns, file=open(os.devnull, "w"), force_terminal=True)  # noqa: SIM115
    console.print(Text("$ " + " ".join(command), style="bold"))
    last = max(row for row in range(ROWS) if screen.display[row].strip())
    for row in range(last + 1):
        line = Text(no_wrap=True)
        cells = (screen.buffer[row][column] for column in range(screen.columns))
        for (colour, bold), alike in groupby(cells, key=lambda cell: (cell.fg.replace("brown", "yellow"), cell.bold)):
            line.append("".join(cell.data for cell in alike), Style(color=colour, bold=bold))
        line.rstrip()
        console.print(line, soft_wrap=True)
    svg = console.export_svg(title="kpipe", theme=THEME, unique_id=f"kpipe-{screen.columns}")
    return _FONT.sub("", svg).replace("Fira Code", "ui-monospace, Menlo, Consolas")


def main(archive: Path) -> None:
    """Draw every picture."""
    for name, columns in SHOTS.items():
        FOLDER.mkdir(parents=True)
        try:
            shutil.copy(archive, FOLDER / "titanic.zip")
            path = PICTURES / f"{name}.svg"
            path.write_text(draw(run_in_terminal(COMMAND, columns, FOLDER), COMMAND), encoding="utf-8")
            print(path, path.stat().st_size)
        finally:
            shutil.rmtree(FOLDER)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

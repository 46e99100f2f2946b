"""Start real runs and kill them: a server imports kpipe once and forks a process group for each run.

Importing takes longer than the run: without the server, a hundred kills would take half an hour. A run is the ``kpipe``
command with its arguments, in a real process that a real SIGKILL ends. With ``at``, the process kills itself instead,
just before the n-th time that it opens a file for writing, renames or removes something in a folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

_CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"}


class KillableRuns:
    """Starts runs and kills them. ``log`` holds the stdout and stderr of the last run."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.log, self.folder = folder / "killable.log", folder
        code = "from tests.killable import serve; serve()"
        root = Path(__file__).resolve().parents[1]
        self.server = subprocess.Popen(
            [sys.executable, "-c", code], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> KillableRuns:
        return self

    def __exit__(self, *error: object) -> None:
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        self.server.stdin.close()
        self.server.stdout.close()
        self.server.wait()

    def run(self, *args: object, after: float | None = None, at: int = 0, since: str = "", interrupts: int = 0) -> int:
        """The exit status of a run: -9 if it was killed, ``after`` seconds or ``at`` a change of its files.

        Changes are counted from the first of a path with ``since`` in it. With ``interrupts``, Ctrl-C is pressed
        instead: so many times, at this change and those that follow.
        """
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        request = {"args": [str(arg) for arg in args], "log": str(self.log), "folder": str(self.folder)}
        print(
            json.dumps({**request, "at": at, "after": after, "since": since, "interrupts": interrupts}),
            file=self.server.stdin,
            flush=True,
        )
        return int(self.server.stdout.readline())


def serve() -> None:
    """Read requests from stdin, one a line; print the exit status of each run."""
    import sklearn.linear_model  # what a run loads
    import sklearn.pipeline  # noqa: F401

    import kpipe.cli.console.progress
    import kpipe.cli.console.run
    import kpipe.pipeline  # noqa: F401
    from kpipe.cli.interrupts import end_on_interrupt
    from kpipe.cli.main import main

    for line in sys.stdin:
        request = json.loads(line)
        if (pid := os.fork()) == 0:
            os.setsid()
            log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(log, 1)
            os.dup2(log, 2)
            if request["at"]:
                sys.addaudithook(
                    _KillItself(**{name: request[name] for name in ("at", "folder", "since", "interrupts")})
                )
            try:
                with end_on_interrupt():
                    main(request["args"])
            except SystemExit as left:
                sys.stdout.flush()
                os._exit(int(left.code or 0))
        print(os.waitstatus_to_exitcode(_ended(pid, request["after"])), flush=True)


def _ended(pid: int, after: float | None) -> int:
    """Wait for a process, whose group is killed after so many seconds; return its status."""
    if after is None:
        return os.waitpid(pid, 0)[1]
    deadline = time.monotonic() + after
    while time.monotonic() < deadline:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return status
        time.sleep(0.001)
    with contextlib.suppress(ProcessLookupError):  # the process does not lead a group yet
        os.killpg(pid, signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)  # not reaped yet: the id is still its own
    return os.waitpid(pid, 0)[1]


class _KillItself:
    def __init__(self, at: int, folder: str, since: str, interrupts: int) -> None:
        self.left, self.folder, self.since, self.interrupts = at, folder, since, interrupts

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)
        if not (event in _CHANGES or writes) or not str(args[0]).startswith(self.folder):
            return
        if self.since and self.since not in str(args[0]):
            return
        self.since = ""
        self.left -= 1
        if self.left == 0 and not self.interrupts:
            os.kill(os.getpid(), signal.SIGKILL)
        if -self.interrupts < self.left <= 0:
            os.kill(os.getpid(), signal.SIGINT)

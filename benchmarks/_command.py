"""Run the command of a system that is compared, within its time limit."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

GRACE = 300  # seconds; a system has failed after three times its budget plus this


class Failure(Exception):
    """A system wrote no submission that can be scored."""


def run_command(command: Sequence[str], out: Path, seconds: float) -> tuple[int, str]:
    """Exit status and output of a command; it is killed with its children if it exceeds the time limit."""
    with (out / "stdout").open("w") as stdout, (out / "stderr").open("w") as stderr:
        cold: dict[str, Any] = {"env": os.environ | {"KPIPE_CACHE": str(out / "cache")}, "start_new_session": True}
        process = subprocess.Popen(command, cwd=out, stdout=stdout, stderr=stderr, **cold)
        try:
            status = process.wait(timeout=3 * seconds + GRACE)
        except subprocess.TimeoutExpired as error:
            raise failure(out, f"did not end after {error.timeout:g} s") from error
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # remaining workers
            process.wait()
    return status, (out / "stdout").read_text()


def failure(out: Path, what: str) -> Failure:
    texts = [(out / name).read_text().strip() for name in ("stdout", "stderr")]
    last = [text.splitlines()[-1].strip() for text in texts if text]
    return Failure(f"{what}: {last[-1] if last else 'no output'}")

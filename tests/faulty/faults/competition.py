"""Models that fail in every way that a process can. ``KPIPE_COMPETITIONS=tests/faulty`` makes them a competition's."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.dummy import DummyClassifier

from kpipe import Competition, model
from kpipe.core.values import Context


class Unpicklable(Exception):
    """Holds what cannot be sent to another process."""

    def __init__(self, left: int, right: int) -> None:
        super().__init__(f"{left} is not {right}")
        self.lock = threading.Lock()


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed_once() -> None:
    """The first fit of all kills its process, as a machine that is lost would."""
    mark = Path(os.environ.get("FAULTS_MARK", "/tmp/killed-once"))
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return
    killed()


def slow_but_once() -> None:
    """The first fit of all is quick, the others take an hour."""
    try:
        Path(os.environ["FAULTS_MARK"]).touch(exist_ok=False)
    except FileExistsError:
        time.sleep(3600)


def raises() -> None:
    raise RuntimeError("the matrix is singular")


def hogs() -> None:
    kept = []
    while True:
        kept.append(np.ones(2**24))


def leaves() -> None:
    sys.exit(0)


def leaves_at_once() -> None:
    os._exit(0)


def crashes() -> None:
    ctypes.string_at(0)


def never_ends() -> None:
    signal_is_ours = threading.current_thread() is threading.main_thread()
    if signal_is_ours:  # of a Dask worker it is not
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        pass


def prints() -> None:
    print("I am a model")
    os.write(1, b"I write\n")
    subprocess.run(["echo", "I am a child"], check=True)


def leaves_a_thread() -> None:
    threading.Thread(target=time.sleep, args=(3600,)).start()


def raises_what_cannot_be_pickled() -> None:
    raise Unpicklable(1, 2)


def interrupts() -> None:
    raise KeyboardInterrupt


FAULTS = {
    **{"killed": killed, "killed-once": killed_once, "raises": raises, "hogs": hogs, "leaves": leaves},
    **{"leaves-at-once": leaves_at_once, "crashes": crashes, "never-ends": never_ends, "prints": prints},
    **{"leaves-a-thread": leaves_a_thread, "raises-what-cannot-be-pickled": raises_what_cannot_be_pickled},
    **{"interrupts": interrupts, "slow-but-once": slow_but_once},
}


class Faulty(DummyClassifier):
    """Triggers a fault before it fits."""

    def __init__(self, fault: str = "raises") -> None:
        super().__init__(strategy="prior")
        self.fault = fault

    def fit(self, X: pd.DataFrame, y: np.ndarray, sample_weight: None = None) -> Faulty:
        FAULTS[self.fault]()
        return super().fit(X, y)


class Slow(DummyClassifier):
    """Leaves a line with its process's id for each fit, which takes so many seconds."""

    def __init__(self, pids: str = "", seconds: float = 0.0) -> None:
        super().__init__(strategy="prior")
        self.pids, self.seconds = pids, seconds

    def fit(self, X: pd.DataFrame, y: np.ndarray, sample_weight: None = None) -> Slow:
        with open(self.pids, "a") as file:
            file.write(f"{os.getpid()}\n")
        time.sleep(self.seconds)
        return super().fit(X, y)


class Locked(DummyClassifier):
    """Cannot be sent to another process."""

    def __init__(self) -> None:
        super().__init__(strategy="prior")
        self.lock = threading.Lock()


def faulty(fault: str) -> object:
    def made(context: Context) -> BaseEstimator:
        return Faulty(fault)

    return made


def locked(context: Context) -> BaseEstimator:
    return Locked()


def not_made(context: Context) -> BaseEstimator:
    raise ValueError("no such option")


competition = Competition(
    slug="faults",
    id="id",
    target="survived",
    metric="accuracy",
    models={
        **{name: faulty(name) for name in FAULTS},
        **{"sound": model("linear"), "locked": locked, "not-made": not_made},
    },
)

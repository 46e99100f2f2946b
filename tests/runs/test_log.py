from __future__ import annotations

import logging
from contextlib import ExitStack
from pathlib import Path

import pytest

from kpipe.errors import OutputError
from kpipe.runs.store import open_run_folder


def test_a_log_that_cannot_be_opened_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "x" / ".partial-key" / "log.txt").mkdir(parents=True)
    with pytest.raises(OutputError, match=r"log\.txt cannot be written: "), open_run_folder(tmp_path, "x", "key"):
        pass


def test_the_log_of_a_run_holds_what_kpipe_reports_and_no_debugging(tmp_path: Path) -> None:
    logger = logging.getLogger("kpipe")
    with open_run_folder(tmp_path, "x", "key") as folder:
        logger.info("five folds")
        logger.debug("a detail")
        text = (folder.path / "log.txt").read_text()
    assert text.endswith("INFO five folds\n")


@pytest.mark.parametrize("level", [logging.NOTSET, logging.DEBUG, logging.ERROR])
def test_a_run_leaves_the_level_of_the_logger_as_it_was(level: int, tmp_path: Path) -> None:
    logger = logging.getLogger("kpipe")
    before = logger.level
    try:
        logger.setLevel(level)
        with ExitStack() as stack:
            stack.enter_context(open_run_folder(tmp_path, "x", "first"))
            with open_run_folder(tmp_path, "x", "second"):
                stack.close()  # the run that started first ends first
                assert logger.isEnabledFor(logging.INFO)
        assert logger.level == level
    finally:
        logger.setLevel(before)

"""The code of a fit is what its functions and classes reach in the user's own modules."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from kpipe.runs.code_slices import hash_code, user_source

MODULE = '''"""A module."""
import numpy as np
from helper_for_slices import scale as stretch

LIMIT = 3
OTHER = 4


def used(x):
    """Do."""
    return inner(x) * LIMIT


def inner(x):
    return stretch(np.log1p(x))  # a comment


def unused(x):
    return x + OTHER


class Base:
    factor = 2


class Encoder(Base):
    def fit(self, X):
        return self
'''
HELPER = "def scale(x):\n    return 2 * x\n\n\ndef other(x):\n    return x\n"


@pytest.fixture
def hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A function of the two sources and a name to the hash of that name's code."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def of(module: str = MODULE, helper: str = HELPER, name: str = "used") -> str:
        (tmp_path / "module_for_slices.py").write_text(module)
        (tmp_path / "helper_for_slices.py").write_text(helper)
        return hash_code(frozenset({("module_for_slices", name)}))

    yield of
    for name in ("module_for_slices", "helper_for_slices"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""Do."""', '"""Do something else."""'),
        ('"""A module."""', '"""Another text.\n\nWith lines."""'),
        ("# a comment", "# another one"),
        ("x + OTHER", "x - OTHER"),
        ("OTHER = 4", "OTHER = 5"),
        ("factor = 2", "factor = 3"),
    ],
)
def test_texts_for_people_and_code_that_is_not_reached_leave_the_hash(hashed, old: str, new: str) -> None:
    assert hashed(MODULE.replace(old, new)) == hashed()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("* LIMIT", "/ LIMIT"),
        ("LIMIT = 3", "LIMIT = 2"),
        ("np.log1p", "np.sqrt"),
        ("OTHER = 4", "OTHER = 4\nnp.seterr(all='raise')"),
        ("OTHER = 4", "OTHER = 4\ninner.factor = 3"),
        ("def unused", "@np.vectorize\ndef unused"),
    ],
)
def test_code_that_is_reached_or_runs_on_import_changes_the_hash(hashed, old: str, new: str) -> None:
    assert hashed(MODULE.replace(old, new)) != hashed()


def test_a_helper_module_counts_as_far_as_it_is_reached(hashed) -> None:
    before = hashed()
    assert hashed(helper=HELPER.replace("2 * x", "3 * x")) != before
    assert hashed(helper=HELPER.replace("    return x\n", "    return -x\n")) == before


def test_a_class_that_derives_from_one_that_is_reached_counts(hashed) -> None:
    more = MODULE + "\n\nclass Known(Encoder):\n    rate = 1\n"
    assert hashed(more, name="Encoder") != hashed(more.replace("rate = 1", "rate = 2"), name="Encoder")


def test_a_file_that_was_edited_counts_once_its_module_is_loaded_again(hashed) -> None:
    hashed()  # writes the files
    module = importlib.import_module("module_for_slices")
    before = hashed()
    edited = MODULE.replace("LIMIT = 3", "LIMIT = 2")
    assert hashed(edited) == before  # the process still runs what it has imported
    importlib.reload(module)
    assert hashed(edited) != before


def test_a_module_of_a_package_that_is_imported_only_while_fitting_counts(hashed, tmp_path: Path) -> None:
    (tmp_path / "package_for_slices").mkdir()
    (tmp_path / "package_for_slices" / "__init__.py").write_text("")
    (tmp_path / "package_for_slices" / "inner.py").write_text("RATE = 1\n")
    late = MODULE.replace("return stretch(", "from package_for_slices.inner import RATE\n\n    return RATE * stretch(")
    before = hashed(late)
    (tmp_path / "package_for_slices" / "inner.py").write_text("RATE = 2\n")
    assert hashed(late) != before
    assert not [name for name in sys.modules if name.startswith("package_for_slices")]


def test_the_bases_of_a_class_count(hashed) -> None:
    assert hashed(MODULE.replace("factor = 2", "factor = 3"), name="Encoder") != hashed(name="Encoder")


@pytest.mark.parametrize("call", ["globals()['unused'](x)", "eval('unused(x)')"])
def test_where_names_cannot_be_followed_the_whole_module_counts(hashed, call: str) -> None:
    module = MODULE.replace("stretch(np.log1p(x))", call)
    assert hashed(module) != hashed(module.replace("x + OTHER", "x - OTHER"))


def test_what_is_installed_is_not_the_user_s_and_the_main_program_has_no_source() -> None:
    for name in ("numpy", "sklearn.linear_model", "json", "kpipe.models", "no_such"):
        assert user_source(name) is None
    with pytest.raises(ValueError, match="main program"):
        user_source("__main__")

from __future__ import annotations

from pathlib import Path

import pytest

from kpipe import competitions
from kpipe.kaggle.kernel.embedded import embedded_files
from kpipe.runs.code_hashes import code_hashes, imported_modules
from kpipe.runs.kept_code import keep_code


def test_imported_modules_are_found_wherever_a_file_imports_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "competitions"
    monkeypatch.setattr(competitions, "__path__", [str(home), *competitions.__path__])
    monkeypatch.syspath_prepend(tmp_path)
    for name, text in {
        "competitions/far/competition.py": "import numpy, far_a.b\nfrom ..far_common import X\nfrom . import own\n",
        "competitions/far/own.py": "def make(context):\n    from far_late import Net\n",
        "competitions/far_common.py": "import far_deep, far_nowhere, kpipe.core.metrics",
        "far_a/b.py": "from . import c\nimport far_common_not",
        "far_a/c.py": "",
        "far_late.py": "import far_late, os.path",
        "far_deep.py": "no python (",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    modules = imported_modules("far")
    assert sorted(modules.values()) == ["far_a", "far_deep", "far_late", "kpipe.competitions.far_common"]
    assert modules[home / "far_common.py"] == "kpipe.competitions.far_common"
    assert sorted({*code_hashes("far")} - {"kpipe", "module"}) == [
        "far_a",
        "far_common.py",
        "far_deep.py",
        "far_late.py",
    ]


def test_hidden_files_are_neither_hashed_nor_kept_nor_embedded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(competitions, "__path__", [str(tmp_path), *competitions.__path__])
    home = tmp_path / "secretive"
    (home / ".git").mkdir(parents=True)
    (home / "competition.py").write_text("from kpipe import Competition\ncompetition = Competition(slug='secretive')\n")
    before = code_hashes("secretive")
    (home / ".git" / "HEAD").write_text("ref: refs/heads/main")
    (home / ".env").write_text("KAGGLE_API_TOKEN=secret")
    assert code_hashes("secretive") == before
    keep_code(tmp_path / "run", "secretive")
    assert [file.name for file in (tmp_path / "run" / "code" / "competitions").rglob("*") if file.is_file()] == [
        "competition.py"
    ]
    names = [name for name, _ in embedded_files("secretive") if "secretive" in name]
    assert names == ["kpipe/competitions/secretive/competition.py"]

"""Before the first run: a module written from the files, a workspace, competitions that a package brings."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kpipe import competitions, pipeline
from kpipe.api import check
from kpipe.cli.console.competition import describe
from kpipe.cli.main import main
from kpipe.core import workspace
from kpipe.core.request import RunRequest
from kpipe.core.values import Tables
from kpipe.data.locate import locate
from kpipe.errors import OutputError, UsageError
from kpipe.problem.competition import Competition
from kpipe.problem.template import home as home_of_modules
from kpipe.problem.template import module_path, write_module
from kpipe.training.estimators import choose_models
from tests.conftest import ROOT
from tests.tables import prepared, prices, survivors, tables, write


def visits() -> Tables:
    """Ids of groups (gggg_pp), as Spaceship Titanic's: kpipe makes columns out of them."""
    rng = np.random.default_rng(0)
    parties = np.repeat(np.arange(120), 2)
    frame = pd.DataFrame({"id": [f"{p:04}_{i % 2:02}" for i, p in enumerate(parties)], "x": rng.normal(size=240)})
    train = frame.head(160).assign(y=frame["x"].head(160) > 0)
    test = frame.tail(80).reset_index(drop=True)
    return tables(train, test, test[["id"]].assign(y=False))


def spelt_otherwise() -> Tables:
    """The id and the target of train and test are not spelt as the sample submission spells them."""
    made = survivors()
    return tables(
        made.train.rename(columns={"survived": "SURVIVED"}),
        made.test.rename(columns={"id": "ID"}),
        made.sample.rename(columns={"id": "Id"}),
    )


def class_columns() -> Tables:
    made = survivors(seed=1)
    train = made.train.assign(survived=made.train["survived"].map({0: "no", 1: "yes"}))
    return tables(train, made.test, made.test[["id"]].assign(survived_no=0.5, survived_yes=0.5))


def two_targets() -> Tables:
    made = prices()
    train = made.train.assign(weight=made.train["price"] * 2)
    return tables(train, made.test, made.sample.assign(weight=0.5))


def customers() -> Tables:
    """Rows of customers, of whom test has others."""
    made = prices(n=120, m=60)
    named = {
        role: frame.assign(customer=[f"c{i}" for i in (frame["id"] // 4)])
        for role, frame in vars(made).items()
        if role in ("train", "test")
    }
    return tables(named["train"], named["test"], made.sample)


def later() -> Tables:
    made = prices(n=120, m=40)
    day = pd.date_range("2020-01-01", periods=160).strftime("%Y-%m-%d")
    return tables(made.train.assign(day=day[:120]), made.test.assign(day=day[120:]), made.sample)


def pixels() -> Tables:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.integers(0, 256, (90, 16)), columns=[f"pixel{n}" for n in range(16)])
    train = frame.head(60).assign(label=np.arange(60) % 3).reset_index(drop=True)
    test = frame.tail(30).reset_index(drop=True)
    return tables(train, test, pd.DataFrame({"ImageId": np.arange(1, 31), "label": 0}))


KINDS: list[Callable[[], Tables]] = [
    survivors,
    prices,
    visits,
    spelt_otherwise,
    class_columns,
    two_targets,
    customers,
    later,
    pixels,
]


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of competitions that is looked into first."""
    monkeypatch.setattr(competitions, "__path__", [str(tmp_path / "mine"), *competitions.__path__])
    return tmp_path / "mine"


def fresh(name: str) -> str:
    """A slug that no test before has imported."""
    fresh.count += 1  # type: ignore[attr-defined]
    return f"{name.replace('_', '-')}-{fresh.count}"  # type: ignore[attr-defined]


fresh.count = 0  # type: ignore[attr-defined]


def fields(slug: str, data: Path, **options: object) -> tuple[dict[str, object], Tables]:
    problem = prepared(slug, data=data, **options)
    shown = describe(problem)
    del shown["inferred"], shown["guesses"]
    return shown, problem.tables


def budget_plan(slug: str, data: Path) -> list[str]:
    """The models of a run with a budget, in order."""
    return [*choose_models(prepared(slug, data=data), budget=60.0)]


def new(slug: str, *, data: object = None, out: Path | None = None, **options: object) -> tuple[Path, dict[str, str]]:
    """Write a module: its path, and the guesses that are left open."""
    path = module_path(slug, out)
    request = RunRequest(slug, data=data, **options)  # type: ignore[arg-type]
    return path, write_module(pipeline.prepare(request, Competition(slug=slug)), path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_module_settles_the_same_as_no_module_and_reads_the_same_tables(
    kind: Callable[[], Tables], mine: Path, tmp_path: Path
) -> None:
    slug, data = fresh(kind.__name__), write(kind(), tmp_path / "data")
    bare, before = fields(slug, data)
    plan = budget_plan(slug, data)
    new(slug, data=data, out=mine)
    stated, after = fields(slug, data)
    assert stated == bare
    assert budget_plan(slug, data) == plan
    for name in ("train", "test", "sample"):
        pd.testing.assert_frame_equal(getattr(after, name), getattr(before, name))


@pytest.mark.parametrize("kind", KINDS)
def test_each_field_that_is_commented_out_can_be_stated_and_changes_nothing(
    kind: Callable[[], Tables], mine: Path, tmp_path: Path
) -> None:
    data = write(kind(), tmp_path / "data")
    slug = fresh(kind.__name__)
    new(slug, data=data, out=mine)
    text = (mine / slug / "competition.py").read_text()
    bare, _ = fields(slug, data)
    left = re.findall(r"^    # (\w+)=[^.]", text, flags=re.MULTILINE)
    assert left
    for name in left:
        other = fresh(kind.__name__)
        (mine / other).mkdir()
        (mine / other / "competition.py").write_text(stating(text, name).replace(f'"{slug}"', f'"{other}"'))
        # The slug also stands in notes that advise a command.
        assert json.dumps(fields(other, data)[0]) == json.dumps(bare).replace(slug, other), name


def stating(text: str, name: str) -> str:
    """A module with a field that was commented out, and the imports that are named beside such."""
    block = re.compile(rf"^    # {name}=.*(\n    #  +.*)*(\n    # [)}}].*)?$", flags=re.MULTILINE)
    stated = block.sub(lambda found: found.group().replace("    # ", "    "), text, count=1)
    return re.sub(r"^# (from .*)$", r"\1", stated, flags=re.MULTILINE)


@pytest.mark.parametrize("kind", KINDS)
def test_every_hint_of_a_new_module_can_be_uncommented_in_place(
    kind: Callable[[], Tables], mine: Path, tmp_path: Path
) -> None:
    data = write(kind(), tmp_path / "data")
    slug, other = fresh(kind.__name__), fresh(kind.__name__)
    new(slug, data=data, out=mine)
    text = (mine / slug / "competition.py").read_text().replace(f'"{slug}"', f'"{other}"')
    for name in re.findall(r"^    # (\w+)=[^.]", text, flags=re.MULTILINE):
        text = stating(text, name)
    ideas = re.findall(r"^#        (.*)$", text, flags=re.MULTILINE)
    statements, clean, forest = ideas[:-2], ideas[-2], ideas[-1]
    assert statements[0] == "import numpy as np"
    head, call = text.split("\ncompetition = Competition(\n")
    text = "\n".join([head, *statements, "competition = Competition(", f"    {clean}", call, f"models = {{{forest}}}"])
    (mine / other).mkdir()
    (mine / other / "competition.py").write_text(f"from kpipe import model  # for the last idea\n{text}")
    assert "Log" in prepared(other, data=data).tables.train


def test_a_new_module_with_every_hint_uncommented_runs(mine: Path, tmp_path: Path) -> None:
    data, slug = write(survivors(), tmp_path / "data"), fresh("hints")
    new(slug, data=data, out=mine)
    text = (mine / slug / "competition.py").read_text()
    for name in re.findall(r"^    # (\w+)=[^.]", text, flags=re.MULTILINE):
        text = stating(text, name)
    (mine / slug / "competition.py").write_text(text)
    assert (
        call("run", slug, "--data", data, "--model", "linear", "--jobs", 1, "--quiet", "--out", tmp_path / "out") == 0
    )


@pytest.mark.parametrize("made", [survivors(), visits()], ids=["survivors", "visits"])
def test_a_new_module_gives_the_bytes_that_no_module_gives(
    made: Tables, mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slug, data = fresh("bytes"), write(made, tmp_path / "data")

    def submission(out: str) -> bytes:
        args = ["run", slug, "--data", data, "--model", "linear", "--jobs", "1", "--quiet", "--out", tmp_path / out]
        assert call(*args) == 0
        return Path(capsys.readouterr().out.strip()).read_bytes()

    before = submission("before")
    assert call("new", slug, "--data", data, "--out", mine) == 0
    assert capsys.readouterr().out == f"{mine / slug / 'competition.py'}\n"
    assert submission("after") == before


def call(*args: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(arg) for arg in args])
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.slow
def test_a_new_module_passes_kpipe_check(mine: Path, tmp_path: Path) -> None:
    slug, data = fresh("honest"), write(survivors(n=150), tmp_path / "data")
    new(slug, data=data, out=mine)
    assert [one for one in check(slug, data=data, models=["linear"], jobs=1) if one.status == "fail"] == []


def test_new_modules_are_as_ruff_writes_them_with_its_own_settings_and_with_kpipes(mine: Path, tmp_path: Path) -> None:
    slugs = [fresh(kind.__name__) for kind in KINDS]
    for slug, kind in zip(slugs, KINDS, strict=True):
        new(slug, data=write(kind(), tmp_path / slug), out=mine)
    for settings in (["--isolated"], ["--config", str(ROOT / "pyproject.toml")]):
        for command in (["check"], ["format", "--check"]):
            done = subprocess.run(
                [sys.executable, "-m", "ruff", *command, *settings, mine], capture_output=True, text=True
            )
            assert done.returncode == 0, done.stdout


def test_options_that_are_given_are_stated(mine: Path, tmp_path: Path) -> None:
    slug, data = fresh("given"), write(survivors(), tmp_path / "data")
    given = {"metric": "auc", "drop": ["sex"], "split": "rows", "text": ["x"]}
    bare, _ = fields(slug, data, **given)
    _, guesses = new(slug, data=data, out=mine, **given)
    assert fields(slug, data)[0] == bare
    assert "metric" not in guesses


def test_a_guess_stays_called_one_until_it_is_stated(mine: Path, tmp_path: Path) -> None:
    slug, data = fresh("guess"), write(survivors(), tmp_path / "data")
    path, guesses = new(slug, data=data, out=mine)
    assert {"metric", "splitter"} <= set(guesses)
    assert prepared(slug, data=data).reasons["metric"].guess
    path.write_text(stating(path.read_text(), "metric").replace(slug, other := fresh("guess")))
    path.parent.rename(mine / other)
    assert "metric" not in prepared(other, data=data).reasons


def test_a_module_is_never_overwritten(mine: Path, tmp_path: Path) -> None:
    slug, data = fresh("twice"), write(survivors(), tmp_path / "data")
    path = new(slug, data=data, out=mine)[0]
    path.write_text("mine = True\n")
    with pytest.raises(UsageError, match=r"competition\.py exists already and is not overwritten.*--out DIR"):
        new(slug, data=data, out=mine)
    assert path.read_text() == "mine = True\n"


@pytest.mark.parametrize(
    "name",
    [
        "a\nimport os",
        'a"b',
        "a'b\\",
        '"""',
        "\u202egnp",
        "\u2028x",
        "Ärger £",
        "{x}",
        "# x",
        "x" * 200,
    ],
)
def test_whatever_a_column_is_called_it_stays_a_name(name: str, mine: Path, tmp_path: Path) -> None:
    made = survivors()
    renamed = {"id": f"{name} id", "x": name, "survived": f"{name} y"}
    data = write(
        tables(*(frame.rename(columns=renamed) for frame in (made.train, made.test, made.sample))), tmp_path / "data"
    )
    slug = fresh("hostile")
    bare, _ = fields(slug, data)
    path = new(slug, data=data, out=mine)[0]
    assert [type(node).__name__ for node in ast.parse(path.read_text()).body] == [
        "Expr",
        "ImportFrom",
        "ImportFrom",
        "Assign",
    ]
    assert fields(slug, data)[0] == bare


def test_new_says_where_it_can_write_and_what_a_slug_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"There is no workspace.*kpipe init.*--out DIR"):
        new("my-slug")
    with pytest.raises(UsageError, match="cannot be a competition"):
        new("../my-slug", out=tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        new("my-slug", data=write(survivors(), tmp_path / "data"), out=tmp_path / "file")
    assert home_of_modules(tmp_path / "here") == tmp_path / "here"
    monkeypatch.setenv("KPIPE_COMPETITIONS", str(tmp_path / "mine"))
    assert home_of_modules() == tmp_path / "mine"


# --- workspaces


def kpipe(*args: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kpipe", *map(str, args)],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )


def places(cwd: Path, **environment: str) -> tuple[dict[str, str], str]:
    done = kpipe("list", "--json", cwd=cwd, **environment)
    assert done.returncode == 0, done.stderr
    return {one["slug"]: one["path"] for one in json.loads(done.stdout)}, done.stderr


def competition_in(folder: Path, slug: str) -> Path:
    (folder / slug).mkdir(parents=True)
    (folder / slug / "competition.py").write_text(
        f'from kpipe import Competition\n\ncompetition = Competition(slug="{slug}", target="y")\n'
    )
    return folder / slug


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a user who has no workspace yet."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def test_a_workspace_is_found_from_below_and_goes_before_kpipes_own_aloud(home: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    assert kpipe("init", work, cwd=tmp_path).returncode == 0
    own = competition_in(work / "competitions", "titanic")
    (work / "deep" / "er").mkdir(parents=True)
    found, said = places(work / "deep" / "er")
    assert found["titanic"] == str(own)
    assert "digit-recognizer" in found
    assert f"Note: using titanic from {own}, which takes precedence over" in said
    assert "titanic" in places(tmp_path)[0]
    assert places(tmp_path)[0]["titanic"] != str(own)


def test_nobody_elses_workspace_is_used_unasked(home: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    competition_in(theirs / "competitions", "planted")
    (theirs / workspace.MARKER).write_text("")
    found, said = places(theirs)
    assert "planted" not in found
    assert f"If you trust the code in it: kpipe init {theirs}" in said
    assert kpipe("init", cwd=theirs).returncode == 0
    found, said = places(theirs)
    assert "planted" in found
    assert said == ""


def test_a_folder_that_is_only_called_competitions_is_not_looked_into(home: Path, tmp_path: Path) -> None:
    competition_in(tmp_path / "competitions", "planted")
    assert "planted" not in places(tmp_path)[0]


def test_kpipe_competitions_goes_before_the_workspace(home: Path, tmp_path: Path) -> None:
    assert kpipe("init", cwd=tmp_path).returncode == 0
    competition_in(tmp_path / "competitions", "mine")
    first = competition_in(tmp_path / "first", "mine")
    assert places(tmp_path, KPIPE_COMPETITIONS=str(tmp_path / "first"))[0]["mine"] == str(first)


def test_a_module_of_ones_own_has_the_sample_of_the_one_that_it_hides(mine: Path) -> None:
    before = locate("titanic", "sample")
    new("titanic", data="sample", out=mine)
    assert competitions.folder("titanic") == mine / "titanic"
    assert locate("titanic", "sample") == before


# --- packages


@pytest.mark.slow
def test_a_package_brings_competitions_by_an_entry_point(home: Path, tmp_path: Path) -> None:
    source, installed = tmp_path / "source", tmp_path / "installed"
    competition_in(source / "ours" / "competitions", "ours-only")
    (source / "ours" / "__init__.py").write_text("raise RuntimeError('listing imports nothing')\n")
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "ours"\nversion = "1"\n'
        '[project.entry-points."kpipe.competitions"]\nours = "ours.competitions"\n'
    )
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--target", installed, source], check=True, cwd=tmp_path)
    found, said = places(tmp_path, PYTHONPATH=str(installed))
    assert found["ours-only"] == str(installed / "ours" / "competitions" / "ours-only")
    assert said == ""
    data = write(
        tables(
            *(f.rename(columns={"survived": "y"}) for f in (survivors().train, survivors().test, survivors().sample))
        ),
        tmp_path / "data",
    )
    args = ["run", "ours-only", "--data", data, "--model", "linear", "--jobs", "1", "--quiet"]
    done = kpipe(*args, cwd=tmp_path, PYTHONPATH=str(installed))
    assert done.returncode == 0, done.stderr
    assert Path(tmp_path / done.stdout.strip()).read_text().startswith("id,y\n")


def test_an_entry_point_of_a_package_that_is_gone_is_reported_and_left_out(home: Path, tmp_path: Path) -> None:
    info = tmp_path / "gone-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: gone\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[kpipe.competitions]\ngone = gone.competitions\n")
    found, said = places(tmp_path, PYTHONPATH=str(tmp_path))
    assert "titanic" in found
    assert "gone = gone.competitions is ignored: the package is not installed" in said


# --- docs/workspace.md


PAGE = (ROOT / "docs" / "workspace.md").read_text(encoding="utf-8")


def test_the_module_of_the_page_trains_and_leaks_nothing() -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    defined: dict[str, object] = {"__name__": "__main__"}
    exec(compile(code, "docs/workspace.md", "exec"), defined)
    competition = defined["competition"]
    assert isinstance(competition, Competition)
    found = check(competition, data="sample", models=["linear"], folds=2, jobs=1)
    assert [one for one in found if one.status == "fail"] == []


@pytest.mark.slow  # five processes
def test_the_commands_of_the_page_work_one_after_another(home: Path, tmp_path: Path) -> None:
    (commands,) = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    folder = tmp_path
    for line in commands.splitlines():
        name, *args = line.split()
        if name == "cd":
            folder /= args[0]
            continue
        done = kpipe(*args, cwd=folder)
        assert done.returncode == 0, (line, done.stderr)
    assert "Note: using titanic from" in done.stderr
    assert list(folder.glob("submissions/titanic/*/submission.csv"))


def test_the_page_says_what_kpipe_says(home: Path, tmp_path: Path) -> None:
    (tmp_path / workspace.MARKER).write_text("")
    told = places(tmp_path)[1].replace(str(tmp_path), "/home/you/theirs")
    assert " ".join(told.split()) in " ".join(PAGE.split())

"""A kernel script, run as Kaggle runs it: nothing beside it, no network, no kpipe installed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

import pytest

from kpipe import competitions
from kpipe.core.request import RunRequest
from kpipe.errors import UsageError
from kpipe.kaggle.kernel import build as kernel
from kpipe.kaggle.kernel.build import BuiltKernel, KernelSpec, build_kernel, spec_of_run
from kpipe.kaggle.kernel.embedded import embedded_files
from kpipe.runs.run import Run
from tests.cli.calls import call
from tests.kaggle.conftest import SAMPLE
from tests.kaggle_server import KEY, TOKEN, USER
from tests.pictures import TEST, csv, names, train_pictures, write

LAYOUTS = pytest.mark.parametrize(
    "layout", ["input/competitions/titanic", pytest.param("input/titanic", marks=pytest.mark.slow)]
)


def offline() -> list[str]:
    """A prefix for a command that runs it without a network, where this machine can do that."""
    wrapped = ["unshare", "--net", "--map-root-user"]
    can = (
        shutil.which("unshare") and subprocess.run([*wrapped, "true"], capture_output=True, check=False).returncode == 0
    )
    return wrapped if can else []


def rehearse(
    script: Path, root: Path, *, layout: str = "input/titanic", files: Path = SAMPLE
) -> subprocess.CompletedProcess[str]:
    """As on Kaggle: the script alone in a folder that cannot be written, the files mounted, an empty working folder."""
    source = root / "src"
    for folder in (source, root / "working"):
        folder.mkdir(parents=True)
    shutil.copy(script, source / "script.py")
    shutil.copytree(files, root / layout)
    source.chmod(0o555)
    # -S: no site, so that the editable kpipe of this environment is not found; its libraries are
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": sysconfig.get_path("purelib"), "KPIPE_KAGGLE_ROOT": str(root)}
    env |= {"KAGGLE_KERNEL_RUN_TYPE": "Batch", "HOME": str(root / "working"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [*offline(), sys.executable, "-S", str(source / "script.py")]
    return subprocess.run(command, capture_output=True, text=True, env=env, cwd=root / "working", check=False)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished run, from files that are not marked as the sample."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(SAMPLE, tmp_path / "files")
    assert call("run", "titanic", "--data", "files", "--model", "linear", "--seed", "3", "--folds", "3", "--quiet") == 0
    (folder,) = (tmp_path / "submissions" / "titanic").glob("2*")
    return folder


def command(*args: str, competitions_in: Path, fails: bool = False) -> str:
    """The messages of a command with competitions of the user's own."""
    return python(
        f"from kpipe.cli.main import main; main({list(args)!r})", competitions_in=competitions_in, fails=fails
    )


def python(code: str, *, competitions_in: Path, fails: bool = False) -> str:
    """The messages of code in a process that finds competitions of the user's own, and modules beside their folder."""
    script = f"import sys; sys.path.append({str(competitions_in.parent)!r}); {code}"
    env = {**os.environ, "KPIPE_COMPETITIONS": str(competitions_in)}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == (2 if fails else 0), done.stderr
    return done.stderr


def built_for(slug: str, folder: Path, *, models: str | None = None, gpu: bool = False) -> BuiltKernel:
    return build_kernel(KernelSpec(RunRequest(slug, models=models or ())), folder, username="ada", gpu=gpu)


def finished_run(folder: Path, **changed: object) -> Run:
    """A run with a record of what a kernel needs."""
    options = {"data": "titanic.zip", "models": [], "budget": 60.0, "folds": 3, "seed": [1], "metric": None}
    options |= {
        "train": "train.csv",
        "test": None,
        "sample": None,
        "extra": ["more.csv"],
        "all_rows": False,
        "fresh": False,
        "weights": None,
        "size": None,
        "keep_models": False,
        "name": None,
        "note": None,
    }
    options |= {"target": "Fare", "id": "Ticket", "text": ["Cabin"], "split": "Name", "drop": ["Age"], "device": "cpu"}
    record = {
        "slug": "titanic",
        "run_id": "r",
        "folds": 3,
        "models": [
            {"name": "linear", "fits": {"1": [0, 1, 2], "2": [0, 1, 2], "5": [0, 1, 2]}},
            {"name": "forest", "fits": {"1": [0, 2]}},
        ],
        "seed": [1, 2],
        "metric": {"name": "accuracy"},
        "machine": {"threads": 3},
        "options": {**options, "jobs": 2, **changed},
    }
    return Run(path=folder, record=record)


@LAYOUTS
def test_the_script_of_a_run_writes_the_same_submission_offline(run: Path, tmp_path: Path, layout: str) -> None:
    assert call("kernel", "build", run.name, "--user", "ada", "--dir", str(tmp_path / "kernel")) == 0
    ended = rehearse(tmp_path / "kernel" / "script.py", tmp_path / "root", layout=layout)
    assert ended.returncode == 0, ended.stderr
    working = tmp_path / "root" / "working"
    assert (working / "submission.csv").read_bytes() == (run / "submission.csv").read_bytes()
    record = json.loads((working / "run.json").read_text())
    assert record["data"]["origin"] == "kernel"
    assert record["score"] == json.loads((run / "run.json").read_text())["score"]
    assert "titanic: accuracy 0." in ended.stdout
    assert "pass training and validation rows disjoint" in ended.stdout


@pytest.mark.slow
def test_the_script_of_a_run_on_pictures_writes_the_same_submission_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    labels = csv("id,is_red", *(f"{i},{int(name == 'red')}" for i, name in enumerate(names(40))))
    sample = csv("id,is_red", "1,0.5", "0,0.5", "2,0.5")
    tables = {"trainLabels.csv": labels, "sampleSubmission.csv": sample}
    files = write(tmp_path / "files", {**train_pictures("train", 40), **TEST, **tables})
    options = ["--data", "files", "--model", "photo-net-quick", "--folds", "2", "--metric", "log_loss", "--quiet"]
    assert call("run", "colours", *options, "--jobs", "1") == 0
    (run,) = (tmp_path / "submissions" / "colours").glob("2*")
    assert call("kernel", "build", run.name, "--user", "ada", "--dir", str(tmp_path / "kernel")) == 0
    script = tmp_path / "kernel" / "script.py"
    ended = rehearse(script, tmp_path / "root", layout="input/competitions/colours", files=files)
    assert ended.returncode == 0, ended.stderr
    working = tmp_path / "root" / "working"
    assert (working / "submission.csv").read_bytes() == (run / "submission.csv").read_bytes()


def test_a_kernel_has_all_options_of_its_run_and_exactly_its_fits(tmp_path: Path) -> None:
    run = finished_run(tmp_path)
    spec = spec_of_run(run)
    asked, repeated = run.record["options"], spec.request.to_json()
    assert asked.keys() == RunRequest("titanic").to_json().keys()
    named = {"models": ["linear", "forest"], "seed": [1, 2], "budget": None, "data": None}
    assert repeated == {**asked, **named}
    assert spec.fits == {"linear": {1: [0, 1, 2], 2: [0, 1, 2], 5: [0, 1, 2]}, "forest": {1: [0, 2]}}
    assert spec.threads == 3


def test_a_kernel_looks_for_named_files_among_those_that_kaggle_mounts(tmp_path: Path) -> None:
    run = finished_run(tmp_path, train="/home/ada/cs-training.csv", extra=["/home/ada/more.csv"])
    request = spec_of_run(run).request
    assert (request.train, request.extra) == ("cs-training.csv", ("more.csv",))


@pytest.mark.parametrize(("slug", "asked", "named"), [
    ("titanic", None, None),  # its module declares the metric
    ("titanic", "log_loss", "log_loss"),
    ("somewhere", None, "accuracy"),  # inferred, perhaps from Kaggle's page, which a kernel cannot read
    ("somewhere", "log_loss", "log_loss"),
])  # fmt: skip
def test_a_metric_is_named_unless_the_competitions_module_declares_it(
    tmp_path: Path, slug: str, asked: str | None, named: str | None
) -> None:
    run = finished_run(tmp_path, metric=asked)
    inferred = {} if slug == "titanic" else {"metric": "the sample submission holds labels"}
    assert (
        spec_of_run(Run(path=run.path, record={**run.record, "slug": slug, "inferred": inferred})).request.metric
        == named
    )


@pytest.mark.parametrize(("slug", "name"), [("somewhere", "my accuracy"), ("somewhere", "f1"), ("titanic", "f1")])
def test_a_metric_that_the_runs_module_declared_is_never_looked_up_by_its_name(
    slug: str, name: str, tmp_path: Path
) -> None:
    run = finished_run(tmp_path)
    with pytest.raises(
        UsageError, match=f"was scored by '{name}', a metric that its competition's module declared, but"
    ):
        spec_of_run(Run(path=run.path, record={**run.record, "slug": slug, "metric": {"name": name}}))


@pytest.mark.parametrize(("asked", "chosen"), [("cpu", "cpu"), ("mps", "auto"), ("cuda", "auto"), ("auto", "auto")])
def test_a_device_that_kaggle_may_not_have_is_chosen_anew(tmp_path: Path, asked: str, chosen: str) -> None:
    assert spec_of_run(finished_run(tmp_path, device=asked)).request.device == chosen


def test_a_run_without_recorded_options_is_refused(tmp_path: Path) -> None:
    run = finished_run(tmp_path)
    with pytest.raises(UsageError, match="does not contain the options of its run"):
        spec_of_run(Run(path=run.path, record={**run.record, "options": None}))


OWN = """
import numpy as np

from kpipe import Competition, model, row_by_row
from kpipe.core.metrics import Metric
from kpipe.competitions.common import share
from helpers.columns import add_length


def late(context):
    import lately

    return model("linear", **lately.OPTIONS)(context)


competition = Competition(
    slug="titanic",
    metric=Metric(name="f1", function=share, greater_is_better=True, needs="label"),
    clean=row_by_row(add_length),
    models={"late": late, "forest": model("forest", n_estimators=10)},
)
"""
HELPERS = {
    "mine/titanic/competition.py": OWN,
    "mine/common.py": "import numpy as np\n\n\ndef share(y, labels):\n    return 0.25 + np.mean(y == labels) / 2\n",
    "helpers/__init__.py": "",
    "helpers/columns.py": "from .names import NEW\n\n\ndef add_length(frame):\n"
    "    return frame.assign(**{NEW: frame['Name'].str.len()})\n",
    "helpers/names.py": "NEW = 'Length'\n",
    "lately.py": "OPTIONS = {}\n",
}


def written(home: Path, files: Mapping[str, str]) -> Path:
    """A folder of competitions with a module, and what it imports from elsewhere."""
    for name, text in files.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    return home / "mine"


def test_a_kernel_makes_the_fits_of_its_run_with_the_metric_and_the_helpers_of_the_competitions_module(
    tmp_path: Path,
) -> None:
    """The metric has the name of one of kpipe's, the seeds are those that the budget left time for."""
    mine = written(tmp_path, HELPERS)
    shutil.copytree(SAMPLE, tmp_path / "files")
    out = str(tmp_path / "out")
    request = f"RunRequest('titanic', data={str(tmp_path / 'files')!r}, folds=2, budget=900.0, out={out!r})"
    fits = {"late": {0: [0, 1]}, "forest": {0: [0, 1], 1: [0, 1], 5: [0, 1]}}
    python(
        "from kpipe import RunRequest, pipeline; from kpipe.runs.rerun import RerunSpec; "
        f"pipeline.run({request}, rerun=RerunSpec(fits={fits}))",
        competitions_in=mine,
    )
    (run,) = (tmp_path / "out" / "titanic").glob("2*")
    record = json.loads((run / "run.json").read_text())
    assert (record["seed"], [model["seeds"] for model in record["models"]]) == ([0], [[0], [0, 1, 5]])
    (mine / "titanic" / "competition.py").write_text("raise ImportError('edited since')\n")  # the run has kept its code
    command("kernel", "build", str(run), "--user", "ada", "--dir", str(tmp_path / "k"), competitions_in=mine)
    ended = rehearse(tmp_path / "k" / "script.py", tmp_path / "root")
    assert ended.returncode == 0, ended.stderr
    assert f"titanic: f1 {record['score']}" in ended.stdout
    assert (tmp_path / "root/working/submission.csv").read_bytes() == (run / "submission.csv").read_bytes()


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"mine/titanic/competition.py": OWN}, "line 6: ModuleNotFoundError: No module named"),
        (
            {
                "mine/titanic/competition.py": "import importlib, sys\nfrom kpipe import Competition\n"
                "sys.path.append(__file__.rpartition('/')[0] + '/../..')\nimportlib.import_module('lately')\n"
                "competition = Competition(slug='titanic')\n",
                "lately.py": "",
            },
            "The kernel would fail: .*ModuleNotFoundError: No module named 'lately'.*--package NAME",
        ),
        ({**HELPERS, "helpers/fast.so": "..."}, r"fast\.so cannot be embedded: it is compiled for this machine"),
    ],
)
def test_a_module_that_a_kernel_could_not_import_is_refused_when_it_is_built(
    files: Mapping[str, str], reason: str, tmp_path: Path
) -> None:
    build = ("kernel", "build", "titanic", "--user", "ada", "--dir", str(tmp_path / "k"))
    message = command(*build, competitions_in=written(tmp_path, files), fails=True)
    assert re.search(reason, message)
    assert not (tmp_path / "k").exists()


def test_a_kernel_without_a_stated_metric_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(SAMPLE, tmp_path / "somewhere")
    monkeypatch.setenv("KPIPE_DATA", str(tmp_path))
    assert call("kernel", "build", "somewhere", "--user", "ada") == 0
    assert "No metric was specified: the kernel will infer one" in capsys.readouterr().err
    assert call("kernel", "build", "somewhere", "--user", "ada", "--metric", "auc") == 0
    assert "No metric" not in capsys.readouterr().err
    assert "'metric': 'auc'" in (tmp_path / "kernels/somewhere/script.py").read_text()


def test_a_kernel_of_a_run_takes_no_options_of_another(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in (run.name, run.name[-8:], str(run)):
        assert call("kernel", "build", name, "--user", "ada", "--model", "forest") == 2
        assert "A kernel repeats a run as it was: omit --model." in capsys.readouterr().err


def test_every_embedded_module_can_be_imported_without_the_rest_of_kpipe(tmp_path: Path) -> None:
    names = []
    for name, content in embedded_files("titanic"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        names.append(name.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
    assert {"kpipe.pipeline", "kpipe.models.nets.convnet", "kpipe.competitions.titanic.competition"} <= {*names}
    assert not [name for name in names if name.startswith(("kpipe.cli", "kpipe.report", "kpipe.studies"))]
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    env["PYTHONPATH"] = os.pathsep.join((str(tmp_path), sysconfig.get_path("purelib")))
    script = f"import importlib, sys\nfor name in {names}: importlib.import_module(name)"
    done = subprocess.run([sys.executable, "-S", "-c", script], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_building_a_competition_twice_gives_the_same_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("first", "second"):
        assert call("kernel", "build", "titanic", "--model", "linear", "--user", "ada", "--dir", name) == 0
    first, second = (tmp_path / name / "script.py" for name in ("first", "second"))
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_size < 700_000  # Kaggle accepts 1 MB
    compile(first.read_text(), "script.py", "exec")


def test_the_metadata_is_explicit_and_private(tmp_path: Path) -> None:
    built = built_for("titanic", tmp_path, gpu=True)
    told = json.loads(built.metadata.read_text())
    assert told["id"] == "ada/kpipe-titanic"
    assert told["is_private"] is True
    assert told["enable_internet"] is False
    assert told["kernel_type"] == "script"
    assert told["competition_sources"] == ["titanic"]
    assert told["machine_shape"] == "NvidiaTeslaT4"
    assert "machine_shape" not in json.loads(built_for("titanic", tmp_path).metadata.read_text())
    long = built_for("a" * 30 + "-" + "b" * 30, tmp_path)
    assert 5 <= len(json.loads(long.metadata.read_text())["title"]) <= 50


def test_weights_are_attached_as_the_data_set_or_model_that_they_are(tmp_path: Path) -> None:
    names = ["google/resnet/pyTorch/resnet18/1", "ada/my-weights"]
    flags = [word for name in names for word in ("--input", name)]
    assert call("kernel", "build", "titanic", "--user", "ada", "--dir", str(tmp_path / "kernel"), *flags) == 0
    told = json.loads((tmp_path / "kernel" / "kernel-metadata.json").read_text())
    assert (told["model_sources"], told["dataset_sources"]) == (names[:1], names[1:])


@pytest.mark.parametrize("name", ["/home/ada/resnet18.pth", "resnet18.pth", "a/b/c", "ada/x y"])
def test_a_file_of_this_machine_cannot_be_attached_to_a_kernel(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="must be a Kaggle dataset"):
        build_kernel(KernelSpec(RunRequest("titanic")), tmp_path, username="ada", inputs=[name])


@pytest.mark.parametrize(("given", "kept"), [("/home/ada/resnet18.pth", None), ("none", "none"), (None, None)])
def test_the_weights_of_a_run_are_looked_for_in_the_kernels_inputs(given: str, kept: str, tmp_path: Path) -> None:
    assert spec_of_run(finished_run(tmp_path, weights=given)).request.weights == kept


def test_a_run_that_fails_leaves_the_sample_submission_and_an_error(tmp_path: Path) -> None:
    built = built_for("titanic", tmp_path / "kernel", models="no-such-model")
    ended = rehearse(built.script, tmp_path / "root")
    assert ended.returncode != 0
    assert "There is no model 'no-such-model'" in ended.stderr
    assert "submission.csv is the sample submission, not a result" in ended.stderr
    written = (tmp_path / "root" / "working" / "submission.csv").read_bytes()
    assert written in [path.read_bytes() for path in SAMPLE.glob("*ubmission*")]


def test_a_script_whose_zip_was_changed_runs_nothing(tmp_path: Path) -> None:
    built = built_for("titanic", tmp_path / "kernel", models="linear")
    text = built.script.read_text()
    begin = text.index('KPIPE = (\n    "') + 15
    built.script.write_text(text[: begin + 40] + ("A" if text[begin + 40] != "A" else "B") + text[begin + 41 :])
    ended = rehearse(built.script, tmp_path / "root")
    assert ended.returncode != 0
    assert "This script was changed: kpipe's zip has the sha256" in ended.stderr
    assert not (tmp_path / "root" / "working" / "submission.csv").exists()


@pytest.mark.slow
def test_a_competition_of_the_users_own_is_embedded(tmp_path: Path) -> None:
    mine = tmp_path / "mine" / "titanic"
    mine.mkdir(parents=True)
    text = (competitions.folder("titanic") / "competition.py").read_text()
    (mine / "competition.py").write_text(text + "\nprint('the user\\'s own')\n")
    build = ("kernel", "build", "titanic", "--model", "linear", "--user", "ada", "--dir", str(tmp_path / "k"))
    command(*build, competitions_in=tmp_path / "mine")
    ended = rehearse(tmp_path / "k" / "script.py", tmp_path / "root")
    assert ended.returncode == 0, ended.stderr
    assert "the user's own" in ended.stdout


def test_a_script_or_slug_that_kaggle_would_refuse_is_refused_when_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(kernel, "_MAX_BYTES", 1000)
    with pytest.raises(UsageError, match="more than the 1,000 that Kaggle accepts"):
        built_for("titanic", tmp_path)
    with pytest.raises(UsageError, match="cannot be a competition"):
        built_for("../titanic", tmp_path)
    assert call("kernel", "build", "titanic", "--dir", str(tmp_path)) == 2
    assert "pass your Kaggle user name with --user NAME" in capsys.readouterr().err


def test_no_credential_is_in_a_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_USERNAME", USER)
    monkeypatch.setenv("KAGGLE_KEY", KEY)
    monkeypatch.setenv("KAGGLE_API_TOKEN", TOKEN)
    monkeypatch.chdir(tmp_path)
    assert call("kernel", "build", "titanic", "--user", USER) == 0
    written = b"".join(path.read_bytes() for path in (tmp_path / "kernels" / "titanic").iterdir())
    assert KEY.encode() not in written
    assert TOKEN.encode() not in written


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["titanic", "--user", "Ada Lovelace"], "--user must be your user name on Kaggle, .* got 'Ada Lovelace'"),
        (["titanik", "--user", "ada"], r"neither a run nor a competition module 'titanik'\. Did you mean titanic\?"),
        (["no-such", "--user", "ada"], r"no-such'\. For any other competition, put its files .*no-such\.zip"),
    ],
)
def test_a_user_or_a_competition_that_cannot_be_is_refused(
    args: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("kernel", "build", *args) == 2
    assert re.search(words, capsys.readouterr().err)
    assert not list(tmp_path.iterdir())


def test_a_competition_that_kaggle_does_not_have_is_refused(
    titanic_kaggle: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("kernel", "build", "no-such") == 2
    assert "Kaggle has no competition 'no-such'" in capsys.readouterr().err

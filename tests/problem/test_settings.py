"""``kpipe.toml``: what it sets, what overrides it, and how mistakes in it are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from kpipe.core import workspace
from kpipe.core.request import RunRequest
from kpipe.errors import InputError
from kpipe.problem.settings import (
    SETTINGS,
    make_request,
    read_settings,
    settings_of,
)


def write(work: Path, text: str) -> None:
    (work / "kpipe.toml").write_text(text, encoding="utf-8")


def used(request: RunRequest) -> tuple[str, ...]:
    found = settings_of(request)
    return () if found is None else found.used


def test_every_setting_is_an_option_of_the_request_and_paths_are_relative_to_the_file(work: Path) -> None:
    (work / "data").mkdir()
    (work / "data" / "more.csv").write_text("")
    write(
        work,
        """
        [titanic]
        data = "data"
        train = "training.csv"         # a name in the data
        extra = ["data/more.csv", "old.csv"]
        weights = "weights.safetensors"
        metric = "log_loss"
        target = "Survived"
        drop = ["Cabin"]
        split = "rows"
        budget = "5m"
        models = "linear"
        seeds = [0, 1]
        """,
    )
    request = make_request("Titanic", {})
    assert used(request) == tuple(read_settings("titanic").written)  # type: ignore[union-attr]
    assert request.to_json() == {
        **RunRequest("titanic").to_json(),
        "data": str(work / "data"),
        "train": "training.csv",
        "extra": [str(work / "data" / "more.csv"), "old.csv"],
        "weights": str(work / "weights.safetensors"),
        "metric": "log_loss",
        "target": "Survived",
        "drop": ["Cabin"],
        "split": "rows",
        "budget": 300.0,
        "models": ["linear"],
        "seed": [0, 1],
    }


def test_a_given_option_overrides_the_file_and_none_does_not(work: Path) -> None:
    write(work, '[titanic]\nmetric = "auc"\ndrop = ["Cabin"]\nseeds = [1, 2]\ndata = "gone.zip"\nbudget = 60')
    request = make_request("titanic", {"metric": "accuracy", "drop": (), "seed": 0, "data": "sample", "budget": None})
    assert (request.metric, request.drop, request.seeds, request.data) == ("accuracy", (), (0,), "sample")
    assert used(request) == ("budget",)
    assert request.command() == "kpipe run titanic --data sample --budget 60 --metric accuracy"


def test_only_the_settings_that_a_command_has_options_for_count(work: Path) -> None:
    write(work, '[titanic]\nmetric = "no_such_metric"\nbudget = 60')
    assert used(make_request("titanic", {}, names=("budget",))) == ("budget",)
    assert make_request("house-prices", {}) == RunRequest("house-prices")


def test_the_file_of_a_workspace_that_the_user_does_not_trust_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "[titanic]\ndata = 'secret'\nthis is broken")
    monkeypatch.chdir(tmp_path)
    assert make_request("titanic", {}) == RunRequest("titanic")
    workspace.create(tmp_path)
    with pytest.raises(InputError, match="not valid TOML"):
        make_request("titanic", {})


def test_kpipe_data_precedes_the_file_where_it_has_the_competition(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(work, '[titanic]\ndata = "data"\ndrop = ["Cabin"]')
    (work / "data").mkdir()
    monkeypatch.setenv("KPIPE_DATA", str(tmp_path / "all"))
    assert make_request("titanic", {}).data == str(work / "data")
    (tmp_path / "all" / "titanic").mkdir(parents=True)
    request = make_request("titanic", {})
    assert (request.data, used(request)) == (None, ("drop",))
    said = f"{tmp_path / 'all' / 'titanic'} is read: KPIPE_DATA takes precedence over data in {work / 'kpipe.toml'}."
    assert said in settings_of(request).sentence  # type: ignore[union-attr]


def test_the_sample_is_named_as_on_the_command_line(work: Path) -> None:
    write(work, '[titanic]\ndata = "sample"')
    assert make_request("titanic", {}).data == "sample"
    (work / "sample").mkdir()
    assert make_request("titanic", {}).data == str(work / "sample")


# --- mistakes

NO_SETTINGS: list[tuple[str, str, int | None]] = [
    ("[titanic]\nmetric accuracy", r"is not valid TOML: .*line 2", 2),
    ('metric = "auc"', r"'metric' is not in the table of a competition\. Write it below", None),
    ("[[titanic]]", "'titanic' is not in the table", None),
    ("[competitions.titanic]", r"\[competitions\.titanic\] is a table inside .* Write \[titanic\] instead", None),
    ('["my own"]', r'\["my own"\] is not the slug', None),
    ('[titanic]\nmetrics = "auc"', r"\[titanic\] has an unknown setting, 'metrics'\. Did you mean metric\?", None),
    ('[titanic]\nmodel = "linear"', r"Did you mean models\?", None),
    ("[titanic]\nfresh = true", "unknown setting, 'fresh'", None),
    ("[titanic]\nmetric = 3", r"\[titanic\]: metric must be a string; got 3", None),
    ("[titanic]\nmetric = {a = 1}", "metric must be a string", None),
    ('[titanic]\ndata = ["a"]', "data must be a string", None),
    ('[titanic]\ndata = "a\\u0000b"', "data must not contain a null character", None),
    ("[titanic]\ndrop = [1]", "drop must be a name or a list of names", None),
    ('[titanic]\nbudget = "5min"', "budget must be a duration such as 90s", None),
    ("[titanic]\nbudget = nan", "budget must be a duration", None),
    ("[titanic]\nfolds = 2.5", "folds must be a whole number", None),
    ("[titanic]\nseeds = 2020-01-01", "seed must be a whole number", None),
    ("[titanic]\na = " + "[" * 100_000, "is not valid TOML", None),
    ("[titanic]\nfolds = " + "9" * 10_000, "is not valid TOML|folds", None),
]


@pytest.mark.parametrize(("text", "message", "line"), NO_SETTINGS, ids=[text[:40] for text, _, _ in NO_SETTINGS])
def test_a_mistake_in_the_file_is_reported_with_its_place(
    work: Path, text: str, message: str, line: int | None
) -> None:
    write(work, text)
    with pytest.raises(InputError, match=message) as caught:
        make_request("titanic", {})
    assert (caught.value.code, caught.value.exit_status) == ("invalid-settings", 2)
    assert caught.value.where["file"] == str(work / "kpipe.toml")
    assert caught.value.where["line"] == line
    assert str(work / "kpipe.toml") in str(caught.value)


def test_a_file_in_another_encoding_is_reported_and_a_byte_order_mark_is_read(work: Path) -> None:
    (work / "kpipe.toml").write_bytes("[titanic]\ndrop = ['Größe']".encode("latin-1"))
    with pytest.raises(InputError, match=r"kpipe\.toml is not valid TOML: 'utf-8' codec"):
        make_request("titanic", {})
    (work / "kpipe.toml").write_bytes("[titanic]\r\ndrop = ['Größe']\r\n".encode("utf-8-sig"))
    assert make_request("titanic", {}).drop == ("Größe",)


@pytest.mark.parametrize(
    ("setting", "code", "message"),
    [
        ('data = "gone.zip"', "data-not-found", r"\[titanic\]: data names .*gone\.zip, which does not exist"),
        (
            'metric = "acuracy"',
            "unknown-metric",
            r"\[titanic\]: There is no metric 'acuracy'\. Did you mean",
        ),
    ],
)
def test_a_setting_that_names_nothing_is_an_error_unless_it_is_overridden(
    work: Path, setting: str, code: str, message: str
) -> None:
    write(work, f"[titanic]\n{setting}")
    with pytest.raises(InputError, match=message) as caught:
        make_request("titanic", {})
    assert (caught.value.code, caught.value.where["file"]) == (code, str(work / "kpipe.toml"))
    assert used(make_request("titanic", {"data": "sample", "metric": "auc"})) == ()


def test_a_mistake_in_the_table_of_another_competition_does_not_matter(work: Path) -> None:
    write(work, '[house-prices]\nmetrics = 3\n[titanic]\nmetric = "auc"')
    assert make_request("titanic", {}).metric == "auc"


def test_the_example_of_a_new_workspace_is_valid_once_it_is_uncommented(work: Path) -> None:
    text = (work / "kpipe.toml").read_text()
    assert read_settings("titanic") is None
    example = text[text.index("# [titanic]") :]
    write(work, "\n".join(line.removeprefix("# ") for line in example.splitlines()))
    assert {"data", "metric", "split", "drop", "budget"} == {*read_settings("titanic").written} <= {*SETTINGS}  # type: ignore[union-attr]

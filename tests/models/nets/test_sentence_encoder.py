"""Vectors of texts, computed with a stand-in for the network, and with a real one where transformers is installed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from kpipe.core.values import Weights  # noqa: E402
from kpipe.errors import UsageError  # noqa: E402
from kpipe.models.nets.machine import Machine  # noqa: E402
from kpipe.models.nets.sentence_encoder import Encoder, build_encoder, embed  # noqa: E402
from kpipe.models.text_weights import find_text_weights  # noqa: E402
from tests.text_encoder import write_encoder  # noqa: E402


class Numbers(torch.nn.Module):
    """A network whose vector of a token is its number and 1."""

    def forward(self, *, input_ids: Any, attention_mask: Any) -> SimpleNamespace:
        assert input_ids.shape[0] == 16
        assert input_ids.shape[1] % 16 == 0
        vectors = torch.stack([input_ids, torch.ones_like(input_ids)], dim=2)
        return SimpleNamespace(last_hidden_state=vectors.float())


class Lengths:
    """A tokenizer that gives each word its length."""

    def encode_batch(self, texts: list[str]) -> list[SimpleNamespace]:
        return [SimpleNamespace(ids=[len(word) for word in text.split()]) for text in texts]


def test_a_text_is_the_mean_of_its_tokens_without_those_that_fill_it() -> None:
    texts = ["a bb ccc", "dddd", "", " ".join(["ee"] * 40)]
    found = embed(Encoder(Numbers(), Lengths(), 0), texts, machine=Machine())
    assert found.tolist() == [[2, 1], [4, 1], [0, 1], [2, 1]]


def test_texts_keep_their_order_in_more_than_one_batch() -> None:
    texts = ["x" * (1 + i % 7) for i in range(50)] + [" ".join(["y"] * 20)]
    found = embed(Encoder(Numbers(), Lengths(), 0), texts, machine=Machine())
    assert found[:, 0].tolist() == [1 + i % 7 for i in range(50)] + [1]


def weights_of(folder: Path) -> Weights:
    found = find_text_weights(str(folder)).weights
    assert found is not None
    return found


def test_a_real_encoder_is_read_without_a_network_and_a_text_depends_on_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_encoder(tmp_path)
    monkeypatch.setattr("socket.socket.connect", lambda *args: pytest.fail("something connects"))
    encoder = build_encoder(weights_of(folder))
    alone = embed(encoder, ["kov lup"], machine=Machine())
    among = embed(encoder, ["bex", "kov lup", *["mis " * 60] * 20], machine=Machine())
    assert alone.shape == (1, 16)
    assert np.array_equal(alone[0], among[1])


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"without": "encoder.layer.0.output"}, r"model.safetensors lacks \d+ tensors, such as encoder.layer.0.output"),
        ({"config": {"hidden_size": 1 << 15}}, "config.json describes a network of"),
        ({"config": {"vocab_size": 8}}, "bert: "),
    ],
)
def test_files_that_do_not_belong_together_are_refused(tmp_path: Path, options: dict[str, Any], why: str) -> None:
    weights = weights_of(write_encoder(tmp_path, **options))
    with pytest.raises(UsageError, match=why):
        build_encoder(weights)


def test_code_that_a_config_names_is_not_run(tmp_path: Path) -> None:
    code = {"auto_map": {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"}}
    folder = write_encoder(tmp_path, config=code)
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    build_encoder(weights_of(folder))
    assert not (tmp_path / "ran").exists()


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    folder = write_encoder(tmp_path)
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-2000])
    with pytest.raises(UsageError, match="does not hold a text encoder of the kind bert"):
        build_encoder(weights_of(folder))

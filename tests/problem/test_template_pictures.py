"""A module written for a competition of pictures."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from kpipe import pipeline
from kpipe.core.request import RunRequest
from kpipe.problem.competition import Competition
from kpipe.problem.template import module_path, write_module
from tests.pretrained_weights import write_pictures, write_resnet


@pytest.mark.parametrize("weights", ["none", "resnet18.safetensors"])
def test_a_new_module_of_pictures_settles_the_same_and_lists_no_pixels(weights: str, tmp_path: Path) -> None:
    if weights != "none":
        weights = str(write_resnet(tmp_path / weights))
    request = RunRequest("red-or-blue", str(write_pictures(tmp_path / "data", 12)), weights=weights)
    bare = pipeline.prepare(request, Competition(slug="red-or-blue"))
    path = module_path("red-or-blue", tmp_path / "mine")
    write_module(bare, path)
    text = path.read_text()
    assert "pictures (8 x 8 pixels, 3 channels)." in re.sub(r"\s+#?\s*", " ", text)
    assert "pixel_" not in text
    # On another machine there may be no weights: then models that need them are left to the inference.
    assert ("    # models={" in text) == (weights != "none")
    found = pipeline.prepare(request, _competition(text))
    assert (found.models, found.default, found.budgeted) == (bare.models, bare.default, bare.budgeted)
    assert '#        "photo-net-100": model("photo-net", shape=(8, 8, 3), epochs=100),' in text
    stated = re.sub(r"^    # (?=\w+=[^.]|    +\S|}|\),)", "    ", text, flags=re.MULTILINE)
    stated = re.sub(r"^# (?=from )", "", stated, flags=re.MULTILINE)
    assert pipeline.prepare(request, _competition(stated)).models == bare.models


def _competition(text: str) -> Any:
    names: dict[str, Any] = {}
    exec(text, names)
    return names["competition"]

"""A training goes on from the weights of an earlier model, whichever of its files are there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from twobranch.common.errors import UserError
from twobranch.embedding.backbones import load_backbone
from twobranch.embedding.model_folder import resolve_model
from twobranch.train.sides.late_stages import split_backbone
from twobranch.train.sides.sentences import SentenceEncoder
from twobranch.train.sides.start import mixed, read_start


def test_the_towers_of_the_shipped_model_give_their_weights_by_name() -> None:
    backbone = load_backbone("efficientnet-lite2", size=320)
    start = read_start(resolve_model("default"), backbone)
    late = split_backbone(backbone)[1].state_dict()
    assert {name: tensor.shape for name, tensor in start.late.items()} == {
        name: tensor.shape for name, tensor in late.items()
    }
    own = SentenceEncoder.pretrained().state_dict()
    assert start.sentences.keys() == own.keys()
    for name, weights in own.items():
        assert start.sentences[name].shape == weights.shape, name
    # A tuned matrix is still much like the pretrained one, which it could not be transposed or misnamed.
    name = "bert.encoder.layer.3.intermediate.dense.weight"
    cosine = torch.nn.functional.cosine_similarity(
        start.sentences[name].flatten(), own[name].flatten(), dim=0
    )
    assert cosine > 0.95


def test_a_model_whose_backbone_was_never_tuned_is_refused(tmp_path: Path) -> None:
    backbone = load_backbone("efficientnet-lite2", size=320)
    shipped = resolve_model("default")
    with pytest.raises(UserError, match="not efficientnet-lite0; add --backbone efficientnet-lite2"):
        read_start(shipped, load_backbone("efficientnet-lite0"))
    # The text tower in the image tower's place: nothing in it is called late.
    for name in ("config.json", "config.sha256", "text.onnx"):
        shutil.copy(shipped / name, tmp_path / name)
    shutil.copy(shipped / "text.onnx", tmp_path / "image.onnx")
    with pytest.raises(UserError, match="never tuned"):
        read_start(tmp_path, backbone)


def test_a_mix_is_weight_by_weight() -> None:
    own, start = {"a": torch.tensor([0.0, 2.0])}, {"a": torch.tensor([1.0, 4.0])}
    # a quarter of the start: 0.75 * 0 + 0.25 * 1, 0.75 * 2 + 0.25 * 4
    torch.testing.assert_close(mixed(own, start, 0.25)["a"], torch.tensor([0.25, 2.5]))
    with pytest.raises(ValueError, match="shapes"):
        mixed(own, {"a": torch.zeros(3)}, 0.5)

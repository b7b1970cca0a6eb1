"""Text networks with habits of their own, and where weights and tokenizers lie."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
open_clip = pytest.importorskip("open_clip")
from safetensors.torch import load_file  # noqa: E402

from tests.train.conversion import smallmodels  # noqa: E402
from tests.train.conversion.references import unit  # noqa: E402
from tests.train.conversion.smallmodels import TEXTS  # noqa: E402
from twobranch.common.errors import ModelError  # noqa: E402
from twobranch.embedding.text_inputs import TokensInput  # noqa: E402
from twobranch.train.conversion.convert import read_model  # noqa: E402
from twobranch.train.conversion.source_model import SourceModel, TextTower  # noqa: E402
from twobranch.train.conversion.tokenizer_files import read_tokenizer  # noqa: E402


def text_rows(model: SourceModel, texts: list[str], folder: Path) -> np.ndarray:
    """The vectors of texts, by PyTorch."""
    path = folder / "written.json"
    model.text.tokenizer.save(str(path))
    inputs = TokensInput(path, model.text.max_tokens, model.text.tokens).inputs(texts)
    with torch.no_grad():
        return TextTower(model.text)(*map(torch.from_numpy, inputs.values())).numpy()


def test_multilingual_clip_is_a_mean_over_tokens_and_a_matrix(tmp_path: Path) -> None:
    model = read_model(smallmodels.write_multilingual_clip(tmp_path))
    tensors = load_file(tmp_path / "model.safetensors")
    network = transformers.XLMRobertaModel(smallmodels.roberta_config(tmp_path)).eval()
    network.load_state_dict(
        {name.removeprefix("transformer."): one for name, one in tensors.items() if "Linear" not in name}
    )
    encoding = transformers.PreTrainedTokenizerFast.from_pretrained(tmp_path)
    tokens = encoding(TEXTS, padding=True, truncation=True, return_tensors="pt")
    # As M-CLIP's own code: the mean over the tokens that are no padding, then the linear layer.
    states = network(tokens["input_ids"], tokens["attention_mask"]).last_hidden_state
    mask = tokens["attention_mask"].unsqueeze(2)
    means = (states * mask).sum(dim=1) / mask.sum(dim=1)
    weight, bias = (tensors[f"LinearTransformation.{name}"] for name in ("weight", "bias"))
    np.testing.assert_allclose(text_rows(model, TEXTS, tmp_path), unit(means @ weight.T + bias), atol=1e-4)
    assert (model.image.size, model.text.max_tokens) == (smallmodels.SIZE, 64)


def test_short_texts_need_no_padding(tmp_path: Path) -> None:
    """open_clip reads 77 tokens, of which CLIP's network sees only those of the text."""
    smallmodels.write_open_clip_clip(tmp_path)
    model = read_model(tmp_path)
    network = open_clip.create_model(f"local-dir:{tmp_path}").eval()
    tokenizer = open_clip.get_tokenizer(f"local-dir:{tmp_path}")
    with torch.no_grad():
        expected = unit(network.encode_text(tokenizer(["a dog"])))
    np.testing.assert_allclose(text_rows(model, ["a dog"], tmp_path), expected, atol=1e-4)
    assert model.text.tokenizer.padding is None


def test_separators_are_stripped_where_the_model_was_trained_so(tmp_path: Path) -> None:
    """CLIPA's texts end in no separator; open_clip puts 0 in its place."""
    smallmodels.bert_vocabulary(tmp_path)
    text = {
        "hf_tokenizer_name": "bert-base-uncased",
        "vocab_size": 300,
        "context_length": 16,
        "tokenizer_kwargs": {"strip_sep_token": True},
        "no_causal_mask": True,
        "pool_type": "last",
    }
    smallmodels.write_open_clip(tmp_path, text, {"resize_mode": "squash"}, custom_text=True)
    network = open_clip.create_model(f"local-dir:{tmp_path}").eval()
    tokenizer = open_clip.get_tokenizer(f"local-dir:{tmp_path}")
    with torch.no_grad():
        expected = unit(network.encode_text(tokenizer(TEXTS)))
    np.testing.assert_allclose(text_rows(read_model(tmp_path), TEXTS, tmp_path), expected, atol=1e-4)


def test_coca_has_towers_too(tmp_path: Path) -> None:
    text = {"embed_cls": True, "output_tokens": True, "context_length": 20}
    vision = smallmodels.OPEN_CLIP_VISION | {
        "attentional_pool": True,
        "attn_pooler_heads": 2,
        "output_tokens": True,
    }
    decoder = {
        "context_length": 20,
        "vocab_size": 49408,
        "width": 16,
        "heads": 2,
        "layers": 1,
    }
    smallmodels.write_open_clip(
        tmp_path, text, {}, vision_cfg=vision, multimodal_cfg=decoder, custom_text=True
    )
    model = read_model(tmp_path)
    network = open_clip.create_model(f"local-dir:{tmp_path}").eval()
    tokenizer = open_clip.get_tokenizer(f"local-dir:{tmp_path}")
    values = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        expected = unit(network.encode_text(tokenizer(TEXTS)))
        images = unit(network.encode_image(values)), unit(model.image.features(values))
    np.testing.assert_allclose(text_rows(model, TEXTS, tmp_path), expected, atol=1e-4)
    np.testing.assert_allclose(*images, atol=1e-4)


def test_two_networks_of_any_kind(tmp_path: Path) -> None:
    """VisionTextDualEncoder: here a ViT and a BERT."""
    smallmodels.bert_vocabulary(tmp_path)
    sides = smallmodels.SIDES
    network = transformers.VisionTextDualEncoderModel(
        vision_model=transformers.ViTModel(transformers.ViTConfig(**smallmodels.VISION)),
        text_model=transformers.BertModel(transformers.BertConfig(**sides, vocab_size=300)),
    ).eval()
    smallmodels.save(tmp_path, network)
    settings = {"image_processor_type": "ViTImageProcessor", "size": 32, "resample": 2}
    settings |= {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    smallmodels.write_json(tmp_path / "preprocessor_config.json", settings)
    model = read_model(tmp_path)
    assert model.image.framing.fit == "squash"  # one number is both sides for a ViT
    tokens = transformers.BertTokenizer.from_pretrained(tmp_path)(TEXTS, padding=True, return_tensors="pt")
    tokens = {name: one[:, : model.text.max_tokens] for name, one in tokens.items()}
    with torch.no_grad():
        found = network.get_text_features(
            tokens["input_ids"][:4], attention_mask=tokens["attention_mask"][:4]
        )
    np.testing.assert_allclose(text_rows(model, TEXTS[:4], tmp_path), unit(found.pooler_output), atol=1e-4)


def test_weights_in_several_files(tmp_path: Path) -> None:
    whole = smallmodels.write_clip(tmp_path / "whole")
    parts = shutil.copytree(whole, tmp_path / "parts")
    (parts / "model.safetensors").unlink()
    smallmodels.save(parts, transformers.CLIPModel.from_pretrained(whole), max_shard_size="40KB")
    assert len(list(parts.glob("*.safetensors"))) > 1
    rows = [text_rows(read_model(folder), TEXTS, tmp_path) for folder in (whole, parts)]
    np.testing.assert_array_equal(*rows)


def test_a_missing_part_of_the_weights(tmp_path: Path) -> None:
    smallmodels.write_clip(tmp_path)
    network = transformers.CLIPModel.from_pretrained(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    smallmodels.save(tmp_path, network, max_shard_size="40KB")
    sorted(tmp_path.glob("*.safetensors"))[1].unlink()
    with pytest.raises(ModelError, match=r"cannot be read|lack"):
        read_model(tmp_path)


@pytest.mark.parametrize("in_file", [False, True])
def test_gemmas_last_token_is_added_by_its_settings(tmp_path: Path, in_file: bool) -> None:
    smallmodels.gemma_like_tokenizer(tmp_path, last_in_file=in_file)
    assert read_tokenizer(tmp_path).encode("a dog").tokens[-2:] == ["g", "<eos>"]


def test_a_vocabulary_without_tokenizer_json(tmp_path: Path) -> None:
    smallmodels.clip_like_tokenizer(tmp_path)
    expected = [read_tokenizer(tmp_path).encode(text).ids for text in TEXTS]
    (tmp_path / "tokenizer.json").unlink()
    assert [read_tokenizer(tmp_path).encode(text).ids for text in TEXTS] == expected


def test_newer_folders_have_one_file_for_all_processors(tmp_path: Path) -> None:
    smallmodels.write_clip(tmp_path)
    old = tmp_path / "preprocessor_config.json"
    settings: dict[str, Any] = json.loads(old.read_text(encoding="utf-8"))
    old.unlink()
    smallmodels.write_json(tmp_path / "processor_config.json", {"image_processor": settings})
    assert read_model(tmp_path).image.framing.fit == "crop"

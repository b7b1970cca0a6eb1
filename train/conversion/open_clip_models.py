"""Models in the layout of open_clip: ``open_clip_config.json`` and safetensors."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from twobranch.common.errors import ModelError
from twobranch.embedding.conversion.layouts import OPEN_CLIP_CONFIG, RESIZE_MODES
from twobranch.embedding.preparation import Framing, Tokens
from twobranch.train.conversion.base_models import text_config
from twobranch.train.conversion.image_processor import checked_scaling
from twobranch.train.conversion.open_clip_tokenizer import clip_tokenizer
from twobranch.train.conversion.source_files import (
    check_tensors,
    read_table,
    reading,
    tensor_shapes,
    weight_files,
)
from twobranch.train.conversion.source_model import ImageHalf, SourceModel, TextHalf, without_parts
from twobranch.train.conversion.tokenizer_files import (
    check_vocabulary,
    pad_and_cut,
    read_settings,
    read_tokenizer,
    token_text,
)

Features = Callable[[Tensor, Tensor], Tensor]

_HALVES = ("vision", "text")
_CONTEXT = 77  # tokens, where the configuration does not say
_CLIP_PAD = "!"  # id 0, which CLIP's texts are filled up with
_TEXT_NETWORK = "text.transformer."  # before the tensors of a text network of transformers
_AT_THE_END = ("argmax", "eos")  # kinds of pooling that read the vector at the text's last token


def repository_of(name: str) -> str | None:
    """Return the Hugging Face repository of ``ARCHITECTURE/TAG``, by open_clip's own names.

    None for any other name. Raises ``ModelError`` for a checkpoint of open_clip that is not there.
    """
    from open_clip import get_pretrained_cfg, list_models, list_pretrained_tags_by_model

    architecture, _, tag = name.partition("/")
    if architecture not in list_models():
        return None
    repository = get_pretrained_cfg(architecture, tag).get("hf_hub", "")
    if not repository:
        tags = [
            one
            for one in list_pretrained_tags_by_model(architecture)
            if get_pretrained_cfg(architecture, one).get("hf_hub")
        ]
        raise ModelError(
            f"{name}: open_clip has no such checkpoint as safetensors; for {architecture} it has: "
            f"{', '.join(tags) or 'none'}"
        )
    return "/".join(str(repository).split("/")[:2])


def read_open_clip(folder: Path) -> SourceModel:
    """Read a model of open_clip. Raises ``ModelError``."""
    path = folder / OPEN_CLIP_CONFIG
    config = read_table(path).get("model_cfg")
    if not isinstance(config, dict) or not all(isinstance(config.get(f"{one}_cfg"), dict) for one in _HALVES):
        raise ModelError(f"{path}: no model_cfg with vision_cfg and text_cfg; copy the file again")
    network = _network(folder, config)
    return SourceModel(
        _image_half(path, network), _text_half(folder, config["text_cfg"], network), _name(config)
    )


def _name(config: dict[str, Any]) -> str:
    """Return open_clip's name of an architecture, "" if it has none."""
    from open_clip import get_model_config, list_models

    return next((name for name in list_models() if get_model_config(name) == config), "")


def _network(folder: Path, config: dict[str, Any]) -> Any:
    """Build the network and load its weights, in float32. Raises ``ModelError``."""
    from open_clip.factory import create_model, load_checkpoint

    files = weight_files(folder)
    weights = next((path for path in files if path.name.startswith("open_clip")), files[0])
    shapes = tensor_shapes([weights])
    with tempfile.TemporaryDirectory() as temporary:
        _write_config(Path(temporary), folder, config, shapes)
        with reading(folder):
            network = create_model(f"local-dir:{temporary}", load_weights=False, pretrained_text=False)
            built = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
            # open_clip would stretch positions that are too few without a word.
            misshapen = [
                name
                for name, shape in shapes.items()
                if built.get(name, shape) != shape and "logit" not in name
            ]
            check_tensors(folder, [], misshapen, [])
            keys = load_checkpoint(network, str(weights), strict=False)
            check_tensors(folder, keys.missing_keys, [], keys.unexpected_keys)
            network.visual = _folded(network.visual)
    return network.float().eval()


def _write_config(
    temporary: Path, folder: Path, config: dict[str, Any], shapes: dict[str, tuple[int, ...]]
) -> None:
    """Write the configuration for open_clip.

    That of a text network which open_clip would download is added.
    """
    settings = read_table(folder / OPEN_CLIP_CONFIG)
    text = config["text_cfg"]
    if name := text.get("hf_model_name"):
        inner = {tensor.removeprefix(_TEXT_NETWORK): shape for tensor, shape in shapes.items()}
        text_config(folder / OPEN_CLIP_CONFIG, str(name), inner).save_pretrained(temporary)
        text = text | {"hf_model_name": str(temporary)}
    model = config | {"text_cfg": text}
    path = temporary / OPEN_CLIP_CONFIG
    path.write_text(json.dumps(settings | {"model_cfg": model}), encoding="utf-8")


def _folded(visual: nn.Module) -> nn.Module:
    """Fold the parallel convolutions of MobileCLIP's networks.

    Its makers do so too. Their sum is one convolution, which is much faster.
    """
    from timm.utils.model import reparameterize_model

    return reparameterize_model(visual.eval())


def _image_half(path: Path, network: Any) -> ImageHalf:
    from open_clip import get_model_preprocess_cfg

    settings = get_model_preprocess_cfg(network)
    size = settings.get("size")
    sides = list(size) if isinstance(size, (list, tuple)) else [size]
    if len(set(sides)) != 1:
        raise ModelError(f"{path}: photos of {sides} are not square, and others are not taken")
    mode = settings.get("resize_mode")
    if mode not in RESIZE_MODES:
        raise ModelError(
            f"{path}: resize_mode is {mode!r:.40}, and this program knows {', '.join(RESIZE_MODES)}; "
            "add another model"
        )
    try:
        filter_ = settings.get("interpolation")
        framing = Framing.of({"fit": RESIZE_MODES[mode], "filter": filter_, "margin": "round"})
    except TypeError as error:
        raise ModelError(f"{path}: {error}; add another model") from None
    scaling = checked_scaling(path, 1 / 255, settings.get("mean"), settings.get("std"))
    visual = network.visual

    def features(values: Tensor) -> Tensor:
        found = visual(values)
        return found[0] if isinstance(found, tuple) else found  # CoCa's gives the parts of the photo too

    return ImageHalf(features, visual, scaling, int(sides[0]), framing)


def _text_half(folder: Path, config: dict[str, Any], network: Any) -> TextHalf:
    settings = read_settings(folder)
    length = int(config.get("context_length", _CONTEXT))
    half, features, padded = _text_features(network)
    tokenizer, tokens = _tokenizer(folder, config, padded)
    check_vocabulary(folder, tokenizer, _rows(half))
    if (config.get("tokenizer_kwargs") or {}).get("strip_sep_token"):
        separator = tokenizer.token_to_id(token_text(settings, "sep_token") or "[SEP]")
        features = _without(features, separator)
    if padded and config.get("hf_tokenizer_name"):
        pad_and_cut(tokenizer, length, settings)
    elif padded:
        tokenizer.enable_padding(length=length, pad_id=0, pad_token=_CLIP_PAD)
        tokenizer.enable_truncation(length)
    return TextHalf(features, half, tokenizer, tokens, length)


def _tokenizer(folder: Path, config: dict[str, Any], padded: bool) -> tuple[Tokenizer, Tokens]:
    """Return the tokenizer, and the cleaning before it, as open_clip chooses them."""
    path = folder / OPEN_CLIP_CONFIG
    settings = config.get("tokenizer_kwargs") or {}
    if config.get("tokenizer_mode") or settings.get("reduction_mask"):
        raise ModelError(f"{path}: its tokenizer has a mode that this program lacks; add another model")
    of_clip = not config.get("hf_tokenizer_name")
    cleaning = settings.get("clean", "lower" if of_clip else "whitespace")
    try:
        tokens = Tokens.of({"cleaning": cleaning, "padded": padded})
    except TypeError as error:
        raise ModelError(f"{path}: {error}; add another model") from None
    return clip_tokenizer() if of_clip else read_tokenizer(folder), tokens


def _text_features(network: Any) -> tuple[nn.Module, Features, bool]:
    """Return the text network and its function.

    The third value is True if texts must be padded.
    """
    apart = getattr(
        network, "text", None
    )  # CLIP itself has its text network's parts beside the image network
    half = without_parts(network, "visual") if apart is None else apart
    if hasattr(half, "pooler"):  # a network of transformers, which masks the padding by its id
        pad = half.config.pad_token_id
        return half, lambda ids, mask: _first(half(torch.where(mask > 0, ids, pad))), False
    pooling = getattr(half, "pool_type", None) or half.text_pool_type
    if half.attn_mask is not None and pooling in _AT_THE_END and getattr(half, "cls_emb", None) is None:
        causal = CausalText(half, pooling)
        return causal, lambda ids, mask: causal(ids), False
    encode = half.encode_text if apart is None else half
    return half, lambda ids, mask: _first(encode(ids)), True


def _first(output: Any) -> Tensor:
    return output[0] if isinstance(output, tuple) else output


def _without(features: Features, token: int | None) -> Features:
    """Return ``features`` of texts in which 0 stands for a token."""
    if token is None:
        return features
    return lambda ids, mask: features(torch.where(ids == token, 0, ids), mask)


def _rows(half: nn.Module) -> int:
    """Return the number of tokens that a text network knows."""
    tables = (one for one in half.modules() if isinstance(one, nn.Embedding))
    return max(table.num_embeddings for table in tables)


class CausalText(nn.Module):
    """CLIP's text network for texts of any length up to its own.

    open_clip always reads 77 tokens. A token sees only those before it and the vector is read at the end of
    the text, so the padding behind it changes nothing; without it a short query takes a sixth of the time.
    """

    def __init__(self, network: Any, pooling: str) -> None:
        super().__init__()
        self.network = network
        self._pooling = pooling
        self._end = getattr(network, "eos_id", getattr(network, "text_eos_id", None))

    def forward(self, ids: Tensor) -> Tensor:
        from open_clip.transformer import text_global_pool

        network = self.network
        places = torch.arange(ids.shape[1], device=ids.device)
        states = network.token_embedding(ids) + network.positional_embedding[places]
        hidden = torch.where(places[None, :] > places[:, None], float("-inf"), 0.0)
        states = network.ln_final(network.transformer(states, attn_mask=hidden))
        rows = text_global_pool(states, ids, self._pooling, eos_token_id=self._end)
        projection = network.text_projection
        if projection is None:
            return cast(Tensor, rows)
        return cast(Tensor, projection(rows) if isinstance(projection, nn.Linear) else rows @ projection)

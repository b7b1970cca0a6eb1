"""Models in the layout of transformers: ``config.json``, safetensors, tokenizer and image processor."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from twobranch.common.errors import ModelError
from twobranch.embedding.model_folder import CONFIG
from twobranch.embedding.preparation import Cleaning, Tokens
from twobranch.train.conversion.image_processor import read_processor
from twobranch.train.conversion.source_files import check_tensors, read_table, reading, weight_files
from twobranch.train.conversion.source_model import ImageHalf, SourceModel, TextHalf, without_parts
from twobranch.train.conversion.tokenizer_files import (
    check_vocabulary,
    pad_and_cut,
    read_settings,
    read_tokenizer,
)

# Kinds of text networks whose positions count from behind the id of the padding token.
_OFFSET = ("roberta", "camembert", "altclip_text_model")
_MOST_TOKENS = 8192  # a tokenizer without a limit states a huge one


@dataclass(frozen=True)
class _Family:
    """The habits of the models of one class of transformers."""

    name: str  # of the class
    masked: bool  # the text network attends to the tokens that the mask marks
    padded: bool = False  # texts are padded to the full length, and the padding is read too


# By `model_type`. CLIP's text network is causal and reads its vector at the end of the text, so padding
# behind that changes nothing, and a mask is not needed.
_FAMILIES = {
    "clip": _Family("CLIPModel", masked=False),
    "siglip": _Family("SiglipModel", masked=False, padded=True),
    "chinese_clip": _Family("ChineseCLIPModel", masked=True),
    "altclip": _Family("AltCLIPModel", masked=True),
    "vision-text-dual-encoder": _Family("VisionTextDualEncoderModel", masked=True),
}


def read_transformers(folder: Path) -> SourceModel:
    """Read a model of transformers. Raises ``ModelError``; no code of the model's repository is run."""
    family = _family(folder)
    network = _network(folder, family)
    return SourceModel(_image_half(folder, network), _text_half(folder, network, family), family.name)


def read_image_half(folder: Path) -> ImageHalf:
    """Read the image half of a model of transformers. Raises ``ModelError``."""
    return _image_half(folder, _network(folder, _family(folder)))


def _family(folder: Path) -> _Family:
    """Tell the family of a model by its configuration. Raises ``ModelError``."""
    kind = read_table(folder / CONFIG).get("model_type")
    if kind == "siglip2":
        raise ModelError(
            f"{folder / CONFIG}: a SigLIP2 model for photos of any proportions (NaFlex), which has no towers "
            "for squares; add one with a fixed size, such as google/siglip2-base-patch16-224"
        )
    if not isinstance(kind, str) or kind not in _FAMILIES:
        known = ", ".join(sorted((*_FAMILIES, "M-CLIP")))
        raise ModelError(f"{folder / CONFIG}: model_type is {kind!r:.60}; models that can be added: {known}")
    return _FAMILIES[kind]


def _network(folder: Path, family: _Family) -> Any:
    """Load the network in float32. Raises ``ModelError``."""
    import transformers

    weight_files(folder)
    with reading(folder):
        network, facts = getattr(transformers, family.name).from_pretrained(
            str(folder),
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # reported below
            # ONNX Runtime has fewer steps to do than for the other implementations.
            attn_implementation="eager",
        )
    misshapen = [name if isinstance(name, str) else name[0] for name in facts["mismatched_keys"]]
    unknown = [name for name in facts["unexpected_keys"] if not name.endswith("position_ids")]
    check_tensors(folder, list(facts["missing_keys"]), misshapen, unknown)
    return network.float().eval()


def _image_half(folder: Path, network: Any) -> ImageHalf:
    network = without_parts(network, "text_")
    size = network.config.vision_config.image_size
    if not isinstance(size, int):
        raise ModelError(
            f"{folder / CONFIG}: photos of {size} pixels are not square, and others are not taken"
        )
    framing, scaling = read_processor(folder, size)

    def features(values: Tensor) -> Tensor:
        return _vectors(network.get_image_features(pixel_values=values))

    return ImageHalf(features, network, scaling, size, framing)


def _text_half(folder: Path, network: Any, family: _Family) -> TextHalf:
    network = without_parts(network, "vis")
    config, settings = network.config.text_config, read_settings(folder)
    tokenizer = read_tokenizer(folder)
    check_vocabulary(folder, tokenizer, config.vocab_size)
    length = longest_text(config, settings)
    if family.padded:
        pad_and_cut(tokenizer, length, settings)

    def features(ids: Tensor, mask: Tensor) -> Tensor:
        return _vectors(
            network.get_text_features(input_ids=ids, attention_mask=mask if family.masked else None)
        )

    return TextHalf(features, network, tokenizer, Tokens(_cleaning(family, settings), family.padded), length)


def longest_text(config: Any, settings: dict[str, Any]) -> int:
    """Return the number of tokens that a text network of ``config`` takes."""
    positions = int(config.max_position_embeddings)
    if any(name in config.model_type for name in _OFFSET):
        positions -= config.pad_token_id + 1
    stated = settings.get("model_max_length")
    limit = int(stated) if isinstance(stated, (int, float)) and 0 < stated <= _MOST_TOKENS else _MOST_TOKENS
    return min(positions, limit)


def _cleaning(family: _Family, settings: dict[str, Any]) -> Cleaning:
    """Return the cleaning of the texts that the model was trained on.

    SigLIP's were in lower case without punctuation, SigLIP2's in lower case. Their tokenizers may leave that
    to the caller; done twice it changes nothing.
    """
    if family.name != "SiglipModel":
        return "none"
    kind = str(settings.get("tokenizer_class", ""))
    return "lower" if "Gemma" in kind or "Siglip2" in kind else "canonicalize"


def _vectors(output: Any) -> Tensor:
    """Return the projected vectors; version 5 of transformers wraps them."""
    return output if isinstance(output, Tensor) else output.pooler_output

"""M-CLIP: multilingual text networks for CLIP models.

They were trained to the vectors of a CLIP model's texts, and are published alone. The CLIP model whose
photos they fit lies in the sub-folder ``image``: a model of transformers or open_clip. (Carlsson et al.,
*Cross-lingual and Multilingual CLIP*, LREC 2022.)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from twobranch.common.errors import ModelError
from twobranch.embedding.conversion.layouts import OPEN_CLIP_CONFIG
from twobranch.embedding.model_folder import CONFIG
from twobranch.embedding.preparation import Tokens
from twobranch.train.conversion.base_models import Shapes, text_config
from twobranch.train.conversion.open_clip_models import read_open_clip
from twobranch.train.conversion.source_files import (
    check_tensors,
    read_table,
    reading,
    tensor_shapes,
    weight_files,
)
from twobranch.train.conversion.source_model import SourceModel, TextHalf
from twobranch.train.conversion.tokenizer_files import check_vocabulary, read_settings, read_tokenizer
from twobranch.train.conversion.transformers_models import longest_text, read_image_half

MODEL_TYPE = "M-CLIP"
_IMAGE = "image"  # the sub-folder
_NETWORK, _LINEAR = "transformer.", "LinearTransformation."


class MultilingualText(nn.Module):
    """A text network: a transformer, then a linear layer.

    Maps ids and mask, (N, T) int64, to (N, D); the layer takes the mean over the tokens.
    """

    def __init__(self, transformer: nn.Module, width: int, dim: int) -> None:
        super().__init__()
        self.transformer = transformer
        self.LinearTransformation = nn.Linear(width, dim)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        states = self.transformer(input_ids=ids, attention_mask=mask).last_hidden_state
        weights = mask.unsqueeze(-1).to(states.dtype)
        return self.LinearTransformation((states * weights).sum(dim=1) / weights.sum(dim=1))


def read_multilingual_clip(folder: Path) -> SourceModel:
    """Read an M-CLIP model and the CLIP model in it.

    Of the latter only the image half is used. Raises ``ModelError``.
    """
    image_folder = folder / _IMAGE
    if not image_folder.is_dir():
        raise ModelError(
            f"{folder}: M-CLIP is the text network alone; put the CLIP model that it was trained to into "
            f"{image_folder}, for example openai/clip-vit-base-patch32 for XLM-Roberta-Large-Vit-B-32"
        )
    if (image_folder / OPEN_CLIP_CONFIG).is_file():
        image = read_open_clip(image_folder).image
    else:
        image = read_image_half(image_folder)
    return SourceModel(image, _text_half(folder), MODEL_TYPE)


def _text_half(folder: Path) -> TextHalf:
    from safetensors.torch import load_file
    from transformers import AutoModel

    settings = read_table(folder / CONFIG)
    files = weight_files(folder)
    shapes = tensor_shapes(files)
    inner: Shapes = {
        name.removeprefix(_NETWORK): shape for name, shape in shapes.items() if name.startswith(_NETWORK)
    }
    if f"{_LINEAR}weight" not in shapes:
        raise ModelError(f"{folder}: the weights lack {_LINEAR}weight; copy the whole model folder again")
    config = text_config(folder / CONFIG, str(settings.get("modelBase")), inner)
    dim, width = shapes[f"{_LINEAR}weight"]
    with reading(folder):
        transformer: Any = AutoModel.from_config(
            config, add_pooling_layer="pooler.dense.weight" in inner, attn_implementation="eager"
        )
        network = MultilingualText(transformer, width, dim)
        tensors = {name: tensor for path in files for name, tensor in load_file(path).items()}
        known = network.state_dict().keys()
        check_tensors(folder, sorted(known - tensors.keys()), [], sorted(tensors.keys() - known))
        network.load_state_dict({name: tensors[name] for name in known})
    tokenizer = read_tokenizer(folder)
    check_vocabulary(folder, tokenizer, config.vocab_size)
    length = longest_text(config, read_settings(folder))
    return TextHalf(network, network.float().eval(), tokenizer, Tokens(), length)

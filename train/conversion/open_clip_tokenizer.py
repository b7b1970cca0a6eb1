"""CLIP's byte-pair tokenizer, made out of open_clip's vocabulary."""

from __future__ import annotations

import gzip
from pathlib import Path

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

_MERGES = 49152 - 256 - 2  # of the lines in the file; CLIP leaves out the rest
_START, _END = "<start_of_text>", "<end_of_text>"
_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
# open_clip first repairs texts with the package ftfy. These are the repairs that matter for what people type
# or paste: one form of accents, and straight quotes. Its repairs of wrongly decoded texts are left out.
_QUOTES = (("[\u02bc\u2018-\u201b]", "'"), ("[\u201c-\u201f]", '"'))


def clip_tokenizer() -> Tokenizer:
    """Return the tokenizer. Texts must be in lower case, with single spaces.

    Its ids are those of ``open_clip.SimpleTokenizer``, whose vocabulary file it reads.
    """
    from open_clip.tokenizer import bytes_to_unicode, default_bpe

    lines = gzip.decompress(Path(default_bpe()).read_bytes()).decode().split("\n")
    merges = [(left, right) for left, right in (line.split() for line in lines[1 : _MERGES + 1])]
    letters = list(bytes_to_unicode().values())
    pieces = [*letters, *(f"{letter}</w>" for letter in letters), *map("".join, merges), _START, _END]
    vocabulary = {piece: id_ for id_, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence(
        [*(normalizers.Replace(Regex(quotes), plain) for quotes, plain in _QUOTES), normalizers.NFC()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.add_special_tokens([_START, _END])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{_START} $A {_END}",
        special_tokens=[(token, vocabulary[token]) for token in (_START, _END)],
    )
    return tokenizer

"""The tokenizers that models are published with, as one ``tokenizer.json``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, processors

from twobranch.common.errors import ModelError
from twobranch.embedding.model_folder import TOKENIZER
from twobranch.train.conversion.source_files import read_table, reading

_SETTINGS = "tokenizer_config.json"
# Vocabularies from which transformers builds a tokenizer without other packages.
_VOCABULARIES = (("vocab.txt",), ("vocab.json", "merges.txt"))
_PADS = ("<pad>", "[PAD]", "</s>", "<|endoftext|>")


def read_settings(folder: Path) -> dict[str, Any]:
    """Return the contents of ``tokenizer_config.json``, empty if there is none. Raises ``ModelError``."""
    return read_table(folder / _SETTINGS) if (folder / _SETTINGS).is_file() else {}


def read_tokenizer(folder: Path) -> Tokenizer:
    """Read the tokenizer of a folder.

    Padding and truncation are off. Raises ``ModelError`` where there is none, or one in a form that only
    other packages read.
    """
    with reading(folder / TOKENIZER):
        if (folder / TOKENIZER).is_file():
            tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        elif any(all((folder / name).is_file() for name in names) for names in _VOCABULARIES):
            tokenizer = _built(folder)
        else:
            raise ModelError(
                f"{folder}: no {TOKENIZER} (nor vocab.txt, nor vocab.json with merges.txt); save the "
                "tokenizer with a recent version of transformers, whose save_pretrained writes that file"
            )
    tokenizer.no_padding()
    tokenizer.no_truncation()
    _add_ends(tokenizer, read_settings(folder))
    return tokenizer


def _built(folder: Path) -> Tokenizer:
    """Build the tokenizer from a vocabulary, as transformers does."""
    from transformers import AutoTokenizer

    wrapper = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    return Tokenizer.from_str(wrapper.backend_tokenizer.to_str())


def _add_ends(tokenizer: Tokenizer, settings: dict[str, Any]) -> None:
    """Add the first and last token that Gemma's settings ask for.

    transformers does this when it loads the tokenizer, so they may be missing in the file.
    """
    if "gemma" not in str(settings.get("tokenizer_class", "")).lower():
        return
    first, last = (
        token_text(settings, f"{end}_token") if settings.get(f"add_{end}_token") else None
        for end in ("bos", "eos")
    )
    ends = [(token, tokenizer.token_to_id(token)) for token in (first, last) if token]
    if ends:
        single = " ".join(part for part in (first, "$A", last) if part)
        tokenizer.post_processor = processors.TemplateProcessing(single=single, special_tokens=ends)


def token_text(settings: dict[str, Any], name: str) -> str | None:
    """Return the text of a special token in the settings."""
    token = settings.get(name)
    return token.get("content") if isinstance(token, dict) else token


def pad_and_cut(tokenizer: Tokenizer, length: int, settings: dict[str, Any]) -> None:
    """Make the tokenizer pad and cut each text to ``length`` tokens.

    Raises ``ModelError`` if its padding token cannot be told.
    """
    names = (token_text(settings, "pad_token"), *_PADS)
    pads = [(name, tokenizer.token_to_id(name)) for name in names if name]
    known = [(name, id_) for name, id_ in pads if id_ is not None]
    if not known:
        raise ModelError(
            f"{_SETTINGS}: names no pad_token that the tokenizer has; copy the whole model folder"
        )
    name, id_ = known[0]
    tokenizer.enable_padding(
        length=length, pad_id=id_, pad_token=name, direction=settings.get("padding_side", "right")
    )
    tokenizer.enable_truncation(length)


def check_vocabulary(folder: Path, tokenizer: Tokenizer, rows: int) -> None:
    """Raise ``ModelError`` for a tokenizer of more tokens than ``rows``.

    These are what the text network has vectors for.
    """
    largest = max(tokenizer.get_vocab(with_added_tokens=True).values(), default=0)
    if largest >= rows:
        raise ModelError(
            f"{folder}: the tokenizer has {largest + 1:,} tokens, the text network {rows:,}; they are not of "
            "one model: copy the whole folder again"
        )

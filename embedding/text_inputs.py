"""Inputs of text towers: sentences as word features or as token ids."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from twobranch.common.errors import ModelError
from twobranch.embedding.model_folder import ADVICE, first_line
from twobranch.embedding.preparation import Cleaning, Tokens
from twobranch.embedding.sif import WORD_VECTORS, SifEncoder
from twobranch.embedding.tower import Input

_UNKNOWN_PIECES = ("[UNK]", "<unk>")  # WordPiece's and SentencePiece's
_PUNCTUATION = str.maketrans("", "", string.punctuation)


class TextInput(Protocol):
    """Converts sentences to the inputs of an ONNX text tower. ``takes`` describes these inputs."""

    @property
    def takes(self) -> Sequence[Input]: ...

    def inputs(self, texts: Sequence[str]) -> dict[str, NDArray[Any]]: ...

    def unknown_words(self, text: str) -> list[str]: ...

    def knows(self, text: str) -> bool: ...


class WordsInput:
    """SIF features for a word-vector tower: ``features`` (N, C) float32."""

    def __init__(self, folder: Path) -> None:
        self._sif = SifEncoder.load(folder)
        shape = (None, self._sif.words.vectors.shape[1])
        self.takes = (Input("features", "tensor(float)", shape, f"the vectors in {WORD_VECTORS}"),)

    def inputs(self, texts: Sequence[str]) -> dict[str, NDArray[Any]]:
        return {"features": self._sif.features(texts)}

    def unknown_words(self, text: str) -> list[str]:
        return self._sif.unknown_words(text)

    def knows(self, text: str) -> bool:
        return self._sif.knows(text)


class TokensInput:
    """Token ids for a transformer: ``input_ids`` and ``attention_mask`` (N, T) int64.

    T is the longest of the texts, at most ``max_tokens``. With ``tokens.padded`` it is always the length that
    is written in the tokenizer's file.
    """

    def __init__(self, path: Path, max_tokens: int, tokens: Tokens = Tokens()) -> None:  # noqa: B008 (frozen)
        from tokenizers import Tokenizer

        self._path = path
        self._clean = CLEANERS[tokens.cleaning]
        with self._errors():
            self._tokenizer = Tokenizer.from_file(str(path))
            if not tokens.padded:
                self._tokenizer.enable_truncation(max_tokens)
                self._tokenizer.enable_padding()
            length = (self._tokenizer.padding or {}).get("length")  # None: that of the longest text
            ids = (self._tokenizer.token_to_id(piece) for piece in _UNKNOWN_PIECES)
            self._unknown = frozenset(id_ for id_ in ids if id_ is not None)
        self.takes = tuple(
            Input(one, "tensor(int64)", (None, length), f"from {path.name}")
            for one in ("input_ids", "attention_mask")
        )

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn the tokenizer's errors into ``ModelError``.

        It raises bare ``Exception``, and ``BaseException`` for a panic of its Rust code, which also prints a
        line of its own.
        """
        try:
            yield
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            reason = first_line(error) if self._path.is_file() else "no such file"
            raise ModelError(f"{self._path}: the tokenizer cannot be used ({reason}); {ADVICE}") from None

    def inputs(self, texts: Sequence[str]) -> dict[str, NDArray[Any]]:
        with self._errors():
            encodings = self._tokenizer.encode_batch([self._clean(text) for text in texts])
        return {
            "input_ids": np.array([e.ids for e in encodings], dtype=np.int64),
            "attention_mask": np.array([e.attention_mask for e in encodings], dtype=np.int64),
        }

    def last_token(self) -> dict[str, NDArray[Any]]:
        """Return the inputs of a text of nothing but the last token.

        Ids and mask are (1, T) int64.
        """
        length = self.takes[0].shape[1] or 3
        last = max(self._tokenizer.get_vocab(with_added_tokens=True).values(), default=0)
        ids = np.full((1, length), last, dtype=np.int64)
        return {"input_ids": ids, "attention_mask": np.ones_like(ids)}

    def unknown_words(self, text: str) -> list[str]:
        # Words are split into pieces, down to letters. Only an unseen script or sign has no piece.
        text = self._clean(text)
        encoding = self._encode(text)
        pieces = zip(encoding.offsets, encoding.ids, strict=True)
        return [text[start:end] for (start, end), id_ in pieces if id_ in self._unknown]

    def knows(self, text: str) -> bool:
        encoding = self._encode(self._clean(text))
        pieces = zip(encoding.ids, encoding.special_tokens_mask, strict=True)
        return any(not special and id_ not in self._unknown for id_, special in pieces)

    def _encode(self, text: str) -> Any:
        with self._errors():
            return self._tokenizer.encode(text)


def _single_spaces(text: str) -> str:
    return " ".join(text.split())


def _canonical(text: str) -> str:
    """Return the text in lower case, without punctuation, with single spaces.

    As the text that SigLIP was trained on (Zhai et al., *Sigmoid Loss for Language Image Pre-Training*, 2023)
    was prepared.
    """
    return _single_spaces(text.replace("_", " ").translate(_PUNCTUATION).lower())


# The preparation of a text before it is split into tokens, as the makers of models call it.
CLEANERS: dict[Cleaning, Callable[[str], str]] = {
    "none": lambda text: text,
    "whitespace": _single_spaces,
    "lower": lambda text: _single_spaces(text).lower(),
    "canonicalize": _canonical,
}

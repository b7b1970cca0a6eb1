"""The encoder of a library's model."""

from __future__ import annotations

from dataclasses import asdict

from twobranch.common.errors import LibraryError, ModelError, UserError
from twobranch.embedding.encoder import Encoder
from twobranch.embedding.language import ENGLISH, LANGUAGES
from twobranch.indexer.catalog.reader import LibraryModel


def load_encoder(model: LibraryModel) -> Encoder:
    """Load the encoder of a catalogued model.

    Raises ``LibraryError`` when the model folder is gone or has changed.
    """
    try:
        encoder = Encoder.load(model.name, **asdict(model.variant))
        same = encoder.fingerprint == model.fingerprint
    except ModelError as error:
        raise LibraryError(
            f"this library was indexed with the model {model.name}, which is gone ({error}); "
            "put it back, or encode everything again with `index --model default PATH`"
        ) from None
    if not same:
        raise changed_model(model.name)
    return encoder


def changed_model(name: str) -> LibraryError:
    """Return the error for a model folder that has changed.

    It has changed since the library was indexed.
    """
    return LibraryError(
        f"the model {name} has changed since this library was indexed; "
        f"encode everything again with `index --model {name} PATH`"
    )


def check_language(encoder: Encoder, language: str) -> None:
    """Raise ``UserError`` for a language that the model does not read."""
    if language not in LANGUAGES:
        raise UserError(f"{language}: no such language; known are {', '.join(LANGUAGES)}")
    if language != ENGLISH and encoder.reads_only_english:
        raise UserError(f"the model {encoder.name} reads English only; search without --language")


def check_known(encoder: Encoder, text: str, language: str | None = None) -> None:
    """Raise ``UserError`` for a sentence without any word that the model knows."""
    if not encoder.knows(text, language):
        raise UserError(f"the model knows no word of this query: {text}; use other words")

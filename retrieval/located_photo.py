"""A photo with the places of phrases in it, without a library."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from twobranch.common.errors import UserError
from twobranch.common.paths import expanded
from twobranch.embedding.encoder import Encoder
from twobranch.embedding.sif import well_formed
from twobranch.retrieval.encoders import check_language
from twobranch.retrieval.where.locator import Located, Locator


@dataclass(frozen=True)
class LocatedPhoto(Located):
    """The phrases that were looked for in one photo, and the photo. A notebook shows it as pictures."""

    photo: Path | bytes = field(repr=False)  # an absolute path, or a file's bytes
    unknown_words: tuple[str, ...] = ()  # of the phrases, without a meaning to the model

    def as_json(self) -> dict[str, Any]:
        """Return the JSON data of ``where --json``. ``path`` is None for a photo given as bytes."""
        path = None if isinstance(self.photo, bytes) else str(self.photo)
        return {"path": path, **super().as_json()}

    def _repr_html_(self) -> str:
        """Return the photo with its heat maps as HTML, for Jupyter."""
        from twobranch.retrieval.display.notebook_maps import notebook_maps

        return notebook_maps(self.photo, self)


def where(
    photo: Path | str | bytes,
    *phrases: str,
    model: Path | str = "default",
    language: str | None = None,
) -> LocatedPhoto:
    """Find each phrase in a photo.

    ``model`` is a shipped model or a model folder; it stays loaded for the next call. The photo is a path or
    a file's bytes. ``language`` is a code of ``embedding.language``; by default that of each phrase is
    detected. Raises ``ImageError`` for a photo that cannot be read, ``ModelError`` for a model that is
    missing or gives no cells, and ``UserError`` for no phrase, one without a known word, or a language that
    the model does not read.
    """
    if not all(isinstance(phrase, str) for phrase in phrases):
        raise TypeError('phrases are texts, one after another: where(photo, "a dog", "a ball")')
    wanted = [well_formed(" ".join(phrase.split())) for phrase in phrases]
    if not all(wanted) or not wanted:
        raise UserError('no phrase to look for; as in: where photo.jpg "a dog" "a red ball"')
    asked = Encoder.load(model)
    encoder, locator = _loaded(asked.folder, tuple(sorted(asked.config.files.items())))
    if language is not None:
        check_language(encoder, language)
    source = photo if isinstance(photo, bytes) else expanded(photo).absolute()
    located = locator.locate(source, wanted, language=language)
    unknown = [word for phrase in wanted for word in encoder.unknown_words(phrase, language)]
    words = tuple(dict.fromkeys(unknown))
    return LocatedPhoto(located.width, located.height, located.phrases, source, words)


@lru_cache(maxsize=1)
def _loaded(folder: Path, files: tuple[tuple[str, str], ...]) -> tuple[Encoder, Locator]:
    """Load the model in a folder. The checksums of its ``files`` tell when it has changed."""
    encoder = Encoder.load(folder)
    return encoder, Locator(encoder)

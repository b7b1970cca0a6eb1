"""Photos that a command names: finding them, and marking them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from twobranch.commands.shared import Options
from twobranch.indexer.catalog.library import find_library
from twobranch.indexer.catalog.marks import markable, set_marks
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.catalog.writing import writing
from twobranch.retrieval.chosen_photos import chosen_photos


def find_photos(options: Options, words: Sequence[str]) -> tuple[Path, dict[int, Path]]:
    """Return the library, and the paths of chosen photos by id.

    Those that could not be read are left out with a warning: they have no marks. Raises ``UserError``.
    """
    library = find_library(options.library)
    with closing(CatalogReader.open(library)) as reader:
        chosen = chosen_photos(library, reader, words)
        readable = markable(reader, list(chosen))
    for photo, path in chosen.items():
        if photo not in readable:
            options.progress().warn(f"{path}: left out, it could not be read when it was indexed")
    return library, {photo: path for photo, path in chosen.items() if photo in readable}


def mark_photos(
    options: Options, words: Sequence[str], *, rating: int | None = None, favourite: bool | None = None
) -> list[Path]:
    """Mark the photos that words choose, and return their paths. Raises ``UserError``."""
    library, photos = find_photos(options, words)
    with writing(library) as connection:
        set_marks(connection, list(photos), rating=rating, favourite=favourite)
    return list(photos.values())

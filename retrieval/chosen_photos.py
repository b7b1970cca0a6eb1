"""Photos of the library that a command names.

A number is a hit of the last search, a path a photo or a whole folder, and any other word the name of a photo
in the library.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from twobranch.common.errors import UserError
from twobranch.common.paths import expanded
from twobranch.indexer.catalog.photo_places import paths_of, photos_at
from twobranch.indexer.catalog.reader import CatalogReader, LibraryModel
from twobranch.indexer.disk.names import as_listed
from twobranch.retrieval.last_search import LastSearch
from twobranch.retrieval.photo_names import NamedPhotos, listed


def chosen_photos(library: Path, reader: CatalogReader, words: Sequence[str]) -> dict[int, Path]:
    """Return photo id -> path of the photos that words choose.

    They keep the order of the words. Raises ``UserError`` for a word that chooses none, or a name that
    several photos have.
    """
    model = reader.active_model()
    last: LastSearch | None = None
    ids: list[int] = []
    for word in words:
        if not word:  # an unset variable in a script; as a path it would be the whole current folder
            raise UserError("one of the photos is an empty text; name a photo, or `.` for this folder")
        if word.isascii() and word.isdecimal():
            if last is None:
                last = LastSearch.load(library)
                last.check_ids(reader, model)
            ids.append(_photo_of_hit(reader, last, int(word)))
        else:
            ids += _photos_named(reader, model, word)
    return paths_of(reader, ids)


def _photo_of_hit(reader: CatalogReader, last: LastSearch, rank: int) -> int:
    """Return the photo of a hit of the last search. Raises ``UserError``."""
    (item,) = last.items([rank])
    found = reader.found(item.gallery, [item.id]).get(item.id)
    if found is None or found.photo is None:
        raise UserError(f"hit {rank} has no photo in the library; search anew")
    return found.photo


def _photos_named(reader: CatalogReader, model: LibraryModel | None, word: str) -> list[int]:
    """Return the photos at a path, or the photo of a name. Raises ``UserError``."""
    typed = Path(os.path.normpath(expanded(word).absolute()))
    followed = typed.parent.resolve() / typed.name
    for path in dict.fromkeys((typed, followed, as_listed(followed))):
        if ids := photos_at(reader, path):
            return ids
    if typed.exists() or model is None:
        raise UserError(f"{typed}: not in the library; `index {word}` adds it")
    term = NamedPhotos(reader, model).term(word)
    if term.namesakes:
        raise UserError(
            f"{word}: is the name of several photos; give the path: {listed([term.path, *term.namesakes])}"
        )
    assert term.item is not None
    return list(reader.images_of_vectors([term.item.id]).values())

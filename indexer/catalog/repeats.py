"""Captions that repeat another one of the same photo.

Each line of a caption file has its row in ``captions``. Of rows with the same photo and the same text, the
first one is the caption. It alone has vectors, and so it alone is searched, evaluated and counted. The others
have its id in ``same_as``: they are what remains when the file of the first one is changed or forgotten.

Triggers note in ``stale_captions`` the rows that may have become equal to others, or different from them.
``refresh_repeats`` compares those at the end of every writing transaction (``Catalog.session``), as the
full-text table is updated. Plain ``sqlite3``.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence

from twobranch.indexer.captionfiles.corpus import composed_name
from twobranch.indexer.captionfiles.texts import text_key

_BLOCK = 500  # photos compared at a time
_STALE = (
    "(c.id IN (SELECT caption_id FROM stale_captions)"
    " OR c.same_as IN (SELECT caption_id FROM stale_captions))"
)
# Rows of (id, what the caption is about, text, same_as), by rising ids.
_Rows = Iterable[tuple[int, int | str | None, str, int | None]]


def refresh_repeats(connection: sqlite3.Connection) -> None:
    """Find repeated captions among the stale ones, in the open transaction.

    Captions with a photo are compared within that photo. Captions without one are compared where their files
    write the same name, or none. Raises ``sqlite3.DatabaseError``.
    """
    if connection.execute("SELECT 1 FROM stale_captions LIMIT 1").fetchone() is None:
        return
    for rows in (*_of_photos(connection), _without_photo(connection)):
        _compare(connection, rows)
    connection.execute("DELETE FROM stale_captions")


def _of_photos(connection: sqlite3.Connection) -> Iterator[_Rows]:
    """Yield the captions of photos with stale captions, in blocks."""
    query = f"SELECT DISTINCT c.image_id FROM captions c WHERE c.image_id IS NOT NULL AND {_STALE}"
    photos = [photo for (photo,) in connection.execute(query)]
    for start in range(0, len(photos), _BLOCK):
        some = photos[start : start + _BLOCK]
        yield connection.execute(
            "SELECT id, image_id, text, same_as FROM captions"
            f" WHERE image_id IN ({','.join('?' * len(some))}) ORDER BY id",
            some,
        ).fetchall()


def _without_photo(connection: sqlite3.Connection) -> _Rows:
    """Return the captions without a photo, if any of them is stale."""
    query = f"SELECT 1 FROM captions c WHERE c.image_id IS NULL AND {_STALE} LIMIT 1"
    if connection.execute(query).fetchone() is None:
        return []
    rows = connection.execute(
        "SELECT id, image_name, text, same_as FROM captions WHERE image_id IS NULL ORDER BY id"
    ).fetchall()
    return [
        (id_, None if name is None else composed_name(os.fsdecode(name)), text, same_as)
        for id_, name, text, same_as in rows
    ]


def _compare(connection: sqlite3.Connection, rows: _Rows) -> None:
    """Store which of the rows repeat another one."""
    first: dict[tuple[int | str | None, str], tuple[int, str]] = {}
    changed: list[tuple[int | None, int]] = []  # (same_as, id)
    repeats: list[tuple[int, int]] = []  # (id of the caption, id), with the text letter by letter
    for id_, about, text, same_as in rows:
        caption, written = first.setdefault((about, text_key(text)), (id_, text))
        now = None if caption == id_ else caption
        if now != same_as:
            changed.append((now, id_))
            if now is not None and text == written:
                repeats.append((now, id_))
    connection.executemany("UPDATE captions SET same_as = ? WHERE id = ?", changed)
    # A vector of the same text is the caption's own, if it has none yet.
    connection.executemany(
        "UPDATE OR IGNORE caption_vectors SET caption_id = ? WHERE caption_id = ?", repeats
    )
    now_repeats = ((id_,) for now, id_ in changed if now is not None)
    connection.executemany("DELETE FROM caption_vectors WHERE caption_id = ?", now_repeats)


def keep_vectors(connection: sqlite3.Connection, ids: Sequence[int]) -> None:
    """Give the vectors of captions that will be deleted to their repeats.

    The first repeat with the same text, letter by letter, takes over. So a caption that another file still
    has needs no model to stay searchable. Raises ``sqlite3.DatabaseError``.
    """
    heir = (
        "SELECT MIN(r.id) FROM captions r JOIN captions c ON c.id = r.same_as"
        " WHERE c.id = caption_vectors.caption_id AND r.text = c.text"
    )
    connection.executemany(
        f"UPDATE caption_vectors SET caption_id = ({heir}) WHERE caption_id = ? AND ({heir}) IS NOT NULL",
        ((id_,) for id_ in ids),
    )

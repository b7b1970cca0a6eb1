"""The full-text table: each photo's name, folder, keywords and captions (FTS5).

The table is a cache of the catalogue, as index files are, by photo id. Triggers of the catalogue note in
``stale_words`` the ids of photos whose words may have changed. ``refresh_words`` updates those at the end of
every writing transaction (``Catalog.session``). So no step of indexing needs to know of the table. Plain
``sqlite3``: a search reads the table too, and must not wait for SQLAlchemy.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from twobranch.embedding.stop_words import STOP_WORDS
from twobranch.indexer.catalog.tokens import name_words

FIELDS = ("name", "folder", "keywords", "captions")
TOKENIZER = "unicode61 remove_diacritics 2"
_TABLE = f"CREATE VIRTUAL TABLE words USING fts5({', '.join(FIELDS)}, tokenize = '{TOKENIZER}')"
# FTS5's own list of the table's words; the words in it that begin with some letters.
_WORD_LIST = "CREATE VIRTUAL TABLE IF NOT EXISTS temp.word_list USING fts5vocab(main, words, row)"
_WORDS_BETWEEN = "SELECT term FROM temp.word_list WHERE term BETWEEN ? AND ?"
_FREQUENT_WORDS = f"{_WORDS_BETWEEN.replace('term', 'term, doc', 1)} ORDER BY doc DESC, term LIMIT ?"
_FIRST, _LAST = "\x01", "\U0010ffff"  # before and after all letters of words
_SHADOWS = ("words_config", "words_content", "words_data", "words_docsize", "words_idx")  # FTS5's own
_BLOCK = 1000  # photos in memory at a time


def refresh_words(connection: sqlite3.Connection) -> None:
    """Update the words of stale photos, in the open transaction.

    Creates the table where there is none. Raises ``sqlite3.DatabaseError``.
    """
    if not _exists(connection):
        connection.execute(_TABLE)
        connection.execute("INSERT OR IGNORE INTO stale_words SELECT id FROM images")
    while True:
        stale = connection.execute(
            "SELECT image_id FROM stale_words ORDER BY image_id LIMIT ?", [_BLOCK]
        ).fetchall()
        if not stale:
            return
        _refresh(connection, stale[0][0], stale[-1][0])


def drop_damaged_words(connection: sqlite3.Connection) -> None:
    """Drop the table if it is damaged or lacks photos.

    The next ``refresh_words`` creates it again. Reads all of it: 4 microseconds a photo with five captions.
    """
    if not _exists(connection):
        return
    try:
        connection.execute("INSERT INTO words (words) VALUES ('integrity-check')")
        differ = _photos_differ(connection)
    except sqlite3.DatabaseError:
        differ = True
    if differ:
        connection.execute("DROP TABLE words")


def compact_words(connection: sqlite3.Connection) -> None:
    """Remove the words of deleted photos from the table's storage.

    FTS5 only marks them as deleted, until it merges them with others some day. A damaged table stays as it
    is; the next `index` creates it again.
    """
    with suppress(sqlite3.DatabaseError):
        if _exists(connection):
            connection.execute("INSERT INTO words (words) VALUES ('optimize')")


def words_are_sound(connection: sqlite3.Connection, copy: Path) -> bool | None:
    """Return True if the table is whole and complete.

    None where there is no table. Stale photos may be missing in it. Only reads: FTS5 checks a table that it
    may write to, so its rows are copied into a new file ``copy``.
    """
    if not _exists(connection):
        return None
    try:
        with closing(sqlite3.connect(copy)) as other:
            other.execute(_TABLE)
            for shadow in _SHADOWS:
                rows = connection.execute(f"SELECT * FROM {shadow}")
                other.execute(f"DELETE FROM {shadow}")
                places = ", ".join("?" * len(rows.description))
                other.executemany(f"INSERT INTO {shadow} VALUES ({places})", rows)
            other.commit()
        # Opened again: FTS5 caches what it has read of its own tables until they are closed.
        with closing(sqlite3.connect(copy)) as other:
            other.execute("INSERT INTO words (words) VALUES ('integrity-check')")
        return not _photos_differ(connection)
    except sqlite3.DatabaseError:
        return False


def match(word: str, fields: Sequence[str]) -> str:
    """Return an FTS5 query for a word in any of the fields.

    The word is quoted, and so never read as syntax.
    """
    return f"{{{' '.join(fields)}}} : {quoted(word)}"


def quoted(word: str) -> str:
    """Return a word as an FTS5 query for it in any field."""
    inside = word.replace('"', '""').replace("\0", " ")  # SQLite takes NUL for the end of the text
    return f'"{inside}"'


def photo_texts(connection: sqlite3.Connection, fields: Sequence[str]) -> dict[int, str]:
    """Return photo id -> the text of some fields, one a line."""
    return dict(connection.execute(f"SELECT rowid, {' || char(10) || '.join(fields)} FROM words"))


class TextTable:
    """Texts in memory, read into words as those of the library are."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._connection = sqlite3.connect(":memory:")
        self._connection.execute(f"CREATE VIRTUAL TABLE words USING fts5(text, tokenize = '{TOKENIZER}')")
        self._connection.executemany("INSERT INTO words (rowid, text) VALUES (?, ?)", enumerate(texts))

    def rows_with(self, word: str) -> NDArray[np.int64]:
        """Return (n,) the places of the texts that have a word, rising."""
        rows = self._connection.execute(
            "SELECT rowid FROM words WHERE words MATCH ?", [match(word, ["text"])]
        )
        return np.fromiter((row for (row,) in rows), dtype=np.int64)

    def words_beginning(self, letters: str) -> list[str]:
        """Return the words that begin with some letters.

        Both are in lower case and without accents.
        """
        return words_beginning(self._connection, letters)


def words_beginning(connection: sqlite3.Connection, letters: str) -> list[str]:
    """Return the words of the full-text table that begin with some letters.

    Both are in lower case and without accents. Stop words are left out. SQLite reads all that the table has
    of each word: with a word in 100,000 photos this takes 2 ms, so stop words are not even read.
    """
    # A view of the table's own list of words, in this connection alone: nothing is written.
    connection.execute(_WORD_LIST)
    found: list[str] = []
    for ends in _between_stop_words(letters):
        found += (word for (word,) in connection.execute(_WORDS_BETWEEN, ends))
    return found


def frequent_words_beginning(
    connection: sqlite3.Connection, letters: str, most: int
) -> list[tuple[str, int]]:
    """Return the most frequent words that begin with some letters.

    Each has its number of photos. As ``words_beginning``, but at most ``most``.
    """
    connection.execute(_WORD_LIST)
    found: list[tuple[str, int]] = []
    for ends in _between_stop_words(letters):
        found += connection.execute(_FREQUENT_WORDS, (*ends, most))
    return sorted(found, key=lambda one: (-one[1], one[0]))[:most]


def _between_stop_words(letters: str) -> list[tuple[str, str]]:
    """Return the ranges of words that begin with some letters.

    Both ends are included, stop words are not.
    """
    ranges, first = [], letters
    for word in sorted(word for word in STOP_WORDS if word.startswith(letters)):
        ranges.append((first, word[:-1] + chr(ord(word[-1]) - 1) + _LAST))
        first = word + _FIRST
    return [*((first, last) for first, last in ranges if first <= last), (first, letters + _LAST)]


def _photos_differ(connection: sqlite3.Connection) -> bool:
    ((differ,),) = connection.execute(
        "SELECT (SELECT COUNT(*) FROM images WHERE id NOT IN (SELECT image_id FROM stale_words))"
        " <> (SELECT COUNT(*) FROM words WHERE rowid NOT IN (SELECT image_id FROM stale_words))"
    )
    return bool(differ)


def _exists(connection: sqlite3.Connection) -> bool:
    query = "SELECT 1 FROM sqlite_master WHERE name = 'words' AND type = 'table'"
    return connection.execute(query).fetchone() is not None


def _refresh(connection: sqlite3.Connection, first: int, last: int) -> None:
    """The stale photos with ids from ``first`` to ``last``."""
    stale = "(SELECT image_id FROM stale_words WHERE image_id BETWEEN ? AND ?)"
    captions: dict[int, list[str]] = {}
    for image_id, text in connection.execute(
        f"SELECT image_id, text FROM captions WHERE image_id IN {stale} AND same_as IS NULL ORDER BY id",
        [first, last],
    ):
        captions.setdefault(image_id, []).append(text)
    photos = connection.execute(
        "SELECT i.id, r.path, i.path, i.keywords FROM images i JOIN roots r ON r.id = i.root_id"
        f" WHERE i.id IN {stale}",
        [first, last],
    ).fetchall()
    connection.execute(f"DELETE FROM words WHERE rowid IN {stale}", [first, last])
    connection.executemany(
        f"INSERT INTO words (rowid, {', '.join(FIELDS)}) VALUES (?, ?, ?, ?, ?)",
        (
            (id_, *_path_words(root, path), keywords or "", "\n".join(captions.get(id_, ())))
            for id_, root, path, keywords in photos
        ),
    )
    connection.execute("DELETE FROM stale_words WHERE image_id BETWEEN ? AND ?", [first, last])


def _path_words(root: str | bytes, path: str | bytes) -> tuple[str, str]:
    """Return the words of a photo's name, and of its folders."""
    relative = PurePath(os.fsdecode(path))
    folders = (PurePath(os.fsdecode(root)).name, *relative.parts[:-1])
    return name_words(relative.stem), " ".join(map(name_words, folders))

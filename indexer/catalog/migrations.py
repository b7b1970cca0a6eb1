"""The catalogue's schema, version by version.

``PRAGMA user_version`` of the file holds its version. A released migration is never edited: another one is
added after it.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from twobranch.common.atomic import replacing
from twobranch.common.errors import LibraryError


@dataclass(frozen=True)
class Migration:
    """The step to ``version`` from the one before, as SQL statements."""

    version: int
    statements: tuple[str, ...]


def _vector_triggers(kind: str, table: str) -> tuple[str, ...]:
    """Return the triggers on a table of vectors, which renew vector states.

    Any change to the vectors of a model gives them a new state, whichever program makes it.
    """

    def renew(row: str) -> str:
        return f"""
                INSERT INTO vector_states (kind, model_id, token)
                VALUES ('{kind}', {row}.model_id, randomblob(16))
                ON CONFLICT (kind, model_id) DO UPDATE SET token = excluded.token;"""

    return (
        f"""
            CREATE TRIGGER {kind}_vector_added AFTER INSERT ON {table} BEGIN{renew("new")}
            END
            """,
        f"""
            CREATE TRIGGER {kind}_vector_removed AFTER DELETE ON {table} BEGIN{renew("old")}
            END
            """,
        # This program never does that: an id names one vector for ever. So no earlier state is valid then.
        f"""
            CREATE TRIGGER {kind}_vector_changed AFTER UPDATE OF id, model_id, vector ON {table} BEGIN
                DELETE FROM past_vector_states;{renew("old")}{renew("new")}
            END
            """,
    )


def _carried_marks() -> tuple[str, ...]:
    """Return the trigger that carries marks to a photo's new content.

    The old content keeps them: copies have it, or an undone edit brings it back. A content that another photo
    has keeps what it has itself. Such a file was overwritten or renamed, not edited.
    """
    before = (
        "CASE WHEN old.failure IS NULL THEN old.content_hash "
        "ELSE (SELECT content_hash FROM last_contents WHERE image_id = new.id) END"
    )
    is_edited = "NOT EXISTS (SELECT 1 FROM images WHERE content_hash = new.content_hash AND id <> new.id)"
    return (
        f"""
            CREATE TRIGGER marks_content_changed AFTER UPDATE OF content_hash, failure ON images
            WHEN new.failure IS NULL AND new.content_hash IS NOT NULL
                AND (old.content_hash IS NOT new.content_hash OR old.failure IS NOT NULL) BEGIN
                INSERT INTO marks (content_hash, rating, favourite, changed_at)
                SELECT new.content_hash, rating, favourite, changed_at FROM marks
                WHERE content_hash = {before} AND {is_edited}
                    AND NOT EXISTS (SELECT 1 FROM marks WHERE content_hash = new.content_hash);
                INSERT INTO album_photos (album_id, content_hash, added_at)
                SELECT album_id, new.content_hash, added_at FROM album_photos
                WHERE content_hash = {before} AND {is_edited}
                    AND NOT EXISTS (SELECT 1 FROM album_photos WHERE content_hash = new.content_hash)
                ORDER BY id;
                DELETE FROM last_contents WHERE image_id = new.id;
            END
            """,
    )


MIGRATIONS: tuple[Migration, ...] = (
    Migration(
        1,
        (
            """
            CREATE TABLE roots (
                id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
                path TEXT NOT NULL UNIQUE
            )
            """,
            """
            CREATE TABLE models (
                id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
                name TEXT NOT NULL,
                folder TEXT NOT NULL,
                fingerprint TEXT NOT NULL UNIQUE,
                dim INTEGER NOT NULL,
                added_at DATETIME NOT NULL
            )
            """,
            """
            CREATE TABLE settings (
                "key" TEXT NOT NULL PRIMARY KEY,
                value TEXT NOT NULL
            )
            """,
            """
            CREATE TABLE images (
                id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
                root_id INTEGER NOT NULL REFERENCES roots (id) ON DELETE CASCADE,
                path TEXT NOT NULL,
                size INTEGER NOT NULL,
                mtime_ns INTEGER NOT NULL,
                content_hash BLOB,
                width INTEGER,
                height INTEGER,
                taken_at DATETIME,
                camera TEXT,
                latitude REAL,
                longitude REAL,
                indexed_at DATETIME NOT NULL,
                failure TEXT,
                UNIQUE (root_id, path)
            )
            """,
            "CREATE INDEX ix_images_content_hash ON images (content_hash)",
            """
            CREATE TABLE corpora (
                id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
                path TEXT NOT NULL UNIQUE,
                split TEXT,
                format TEXT NOT NULL,
                size INTEGER NOT NULL,
                mtime_ns INTEGER NOT NULL,
                added_at DATETIME NOT NULL
            )
            """,
            """
            CREATE TABLE captions (
                id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
                corpus_id INTEGER NOT NULL REFERENCES corpora (id) ON DELETE CASCADE,
                position INTEGER NOT NULL,
                text TEXT NOT NULL,
                image_name TEXT,
                split TEXT,
                image_id INTEGER REFERENCES images (id) ON DELETE SET NULL
            )
            """,
            "CREATE INDEX ix_captions_corpus ON captions (corpus_id, position)",
            "CREATE INDEX ix_captions_image_id ON captions (image_id)",
            """
            CREATE TABLE image_vectors (
                id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
                model_id INTEGER NOT NULL REFERENCES models (id) ON DELETE CASCADE,
                image_id INTEGER NOT NULL REFERENCES images (id) ON DELETE CASCADE,
                vector BLOB NOT NULL,
                UNIQUE (image_id, model_id)
            )
            """,
            "CREATE INDEX ix_image_vectors_model_id ON image_vectors (model_id)",
            """
            CREATE TABLE caption_vectors (
                id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
                model_id INTEGER NOT NULL REFERENCES models (id) ON DELETE CASCADE,
                caption_id INTEGER NOT NULL REFERENCES captions (id) ON DELETE CASCADE,
                vector BLOB NOT NULL,
                UNIQUE (caption_id, model_id)
            )
            """,
            "CREATE INDEX ix_caption_vectors_model_id ON caption_vectors (model_id)",
            """
            CREATE TABLE evaluations (
                id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
                created_at DATETIME NOT NULL,
                model_id INTEGER REFERENCES models (id) ON DELETE SET NULL,
                model_name TEXT NOT NULL,
                split TEXT,
                n_images INTEGER NOT NULL,
                n_captions INTEGER NOT NULL,
                exact BOOLEAN NOT NULL,
                rsum REAL NOT NULL,
                rsum_low REAL NOT NULL,
                rsum_high REAL NOT NULL,
                command TEXT NOT NULL
            )
            """,
            """
            CREATE TABLE evaluation_directions (
                evaluation_id INTEGER NOT NULL REFERENCES evaluations (id) ON DELETE CASCADE,
                direction TEXT NOT NULL,
                n_queries INTEGER NOT NULL,
                n_gallery INTEGER NOT NULL,
                median_rank REAL NOT NULL,
                mean_rank REAL NOT NULL,
                PRIMARY KEY (evaluation_id, direction)
            )
            """,
            """
            CREATE TABLE evaluation_recalls (
                evaluation_id INTEGER NOT NULL REFERENCES evaluations (id) ON DELETE CASCADE,
                direction TEXT NOT NULL,
                k INTEGER NOT NULL,
                recall REAL NOT NULL,
                low REAL NOT NULL,
                high REAL NOT NULL,
                PRIMARY KEY (evaluation_id, direction, k)
            )
            """,
        ),
    ),
    # Full-text search: `indexer.catalog.fulltext` fills an FTS5 table for the photos noted here.
    Migration(
        2,
        (
            "ALTER TABLE images ADD COLUMN keywords TEXT",
            "CREATE TABLE stale_words (image_id INTEGER NOT NULL PRIMARY KEY)",
            "INSERT INTO stale_words SELECT id FROM images",
            """
            CREATE TRIGGER words_image_added AFTER INSERT ON images BEGIN
                INSERT OR IGNORE INTO stale_words VALUES (new.id);
            END
            """,
            """
            CREATE TRIGGER words_image_changed AFTER UPDATE OF root_id, path, keywords ON images
            WHEN (old.root_id, old.path, old.keywords) IS NOT (new.root_id, new.path, new.keywords) BEGIN
                INSERT OR IGNORE INTO stale_words VALUES (new.id);
            END
            """,
            """
            CREATE TRIGGER words_image_removed AFTER DELETE ON images BEGIN
                INSERT OR IGNORE INTO stale_words VALUES (old.id);
            END
            """,
            """
            CREATE TRIGGER words_caption_added AFTER INSERT ON captions WHEN new.image_id IS NOT NULL BEGIN
                INSERT OR IGNORE INTO stale_words VALUES (new.image_id);
            END
            """,
            """
            CREATE TRIGGER words_caption_changed AFTER UPDATE OF text, image_id ON captions
            WHEN (old.text, old.image_id) IS NOT (new.text, new.image_id) BEGIN
                INSERT OR IGNORE INTO stale_words
                SELECT id FROM images WHERE id IN (old.image_id, new.image_id);
            END
            """,
            """
            CREATE TRIGGER words_caption_removed AFTER DELETE ON captions WHEN old.image_id IS NOT NULL BEGIN
                INSERT OR IGNORE INTO stale_words VALUES (old.image_id);
            END
            """,
            """
            CREATE TRIGGER words_root_moved AFTER UPDATE OF path ON roots BEGIN
                INSERT OR IGNORE INTO stale_words SELECT id FROM images WHERE root_id = new.id;
            END
            """,
        ),
    ),
    # The state of the vectors in an index file: `indexer.catalog.vector_states`.
    Migration(
        3,
        (
            """
            CREATE TABLE vector_states (
                kind TEXT NOT NULL,
                model_id INTEGER NOT NULL,
                token BLOB NOT NULL,
                PRIMARY KEY (kind, model_id)
            )
            """,
            """
            CREATE TABLE past_vector_states (
                id INTEGER NOT NULL PRIMARY KEY,
                kind TEXT NOT NULL,
                model_id INTEGER NOT NULL,
                token BLOB NOT NULL UNIQUE
            )
            """,
            *_vector_triggers("images", "image_vectors"),
            *_vector_triggers("captions", "caption_vectors"),
            "INSERT INTO vector_states SELECT 'images', id, randomblob(16) FROM models",
            "INSERT INTO vector_states SELECT 'captions', id, randomblob(16) FROM models",
        ),
    ),
    # The identity of the file that was read; a server opens no other: `indexer.disk.open.identity_of`.
    Migration(4, ("ALTER TABLE images ADD COLUMN identity TEXT",)),
    # Each caption once, whatever number of files have it: `indexer.catalog.repeats`.
    Migration(
        5,
        (
            "ALTER TABLE captions ADD COLUMN same_as INTEGER REFERENCES captions (id) ON DELETE SET NULL",
            "CREATE INDEX ix_captions_same_as ON captions (same_as)",
            "CREATE TABLE stale_captions (caption_id INTEGER NOT NULL PRIMARY KEY)",
            "INSERT INTO stale_captions SELECT id FROM captions",
            """
            CREATE TRIGGER repeats_caption_added AFTER INSERT ON captions BEGIN
                INSERT OR IGNORE INTO stale_captions VALUES (new.id);
            END
            """,
            # Without OR IGNORE, which does not hold where a deleted photo or caption empties the column.
            """
            CREATE TRIGGER repeats_caption_changed
            AFTER UPDATE OF text, image_name, image_id, same_as ON captions
            WHEN (old.text, old.image_name, old.image_id, old.same_as)
                IS NOT (new.text, new.image_name, new.image_id, new.same_as) BEGIN
                INSERT INTO stale_captions
                SELECT new.id WHERE NOT EXISTS (SELECT 1 FROM stale_captions WHERE caption_id = new.id);
            END
            """,
            # Why a caption file could not be read the last time; its size and time are those of then.
            "ALTER TABLE corpora ADD COLUMN failure TEXT",
        ),
    ),
    # Vectors of windows of photos: `index --regions`.
    Migration(
        6,
        (
            """
            CREATE TABLE region_vectors (
                id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
                model_id INTEGER NOT NULL REFERENCES models (id) ON DELETE CASCADE,
                image_id INTEGER NOT NULL REFERENCES images (id) ON DELETE CASCADE,
                part INTEGER NOT NULL,
                vector BLOB NOT NULL,
                UNIQUE (image_id, model_id, part)
            )
            """,
            "CREATE INDEX ix_region_vectors_model_id ON region_vectors (model_id)",
            *_vector_triggers("regions", "region_vectors"),
            "INSERT INTO vector_states SELECT 'regions', id, randomblob(16) FROM models",
        ),
    ),
    # What people add to photos, by content: `indexer.catalog.marks`.
    Migration(
        7,
        (
            """
            CREATE TABLE marks (
                id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
                content_hash BLOB NOT NULL UNIQUE,
                rating INTEGER,
                favourite BOOLEAN NOT NULL,
                changed_at DATETIME NOT NULL
            )
            """,
            """
            CREATE TABLE albums (
                id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
                name TEXT NOT NULL UNIQUE,
                created_at DATETIME NOT NULL
            )
            """,
            """
            CREATE TABLE album_photos (
                id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
                album_id INTEGER NOT NULL REFERENCES albums (id) ON DELETE CASCADE,
                content_hash BLOB NOT NULL,
                added_at DATETIME NOT NULL,
                UNIQUE (album_id, content_hash)
            )
            """,
            "CREATE INDEX ix_album_photos_content_hash ON album_photos (content_hash)",
            """
            CREATE TABLE saved_searches (
                id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
                name TEXT NOT NULL UNIQUE,
                query TEXT NOT NULL,
                created_at DATETIME NOT NULL
            )
            """,
            """
            CREATE TABLE last_contents (
                image_id INTEGER NOT NULL PRIMARY KEY REFERENCES images (id) ON DELETE CASCADE,
                content_hash BLOB NOT NULL
            )
            """,
            # A program may be caught in the middle of saving a photo.
            """
            CREATE TRIGGER marks_content_lost AFTER UPDATE OF content_hash, failure ON images
            WHEN old.failure IS NULL AND old.content_hash IS NOT NULL AND new.failure IS NOT NULL BEGIN
                INSERT OR REPLACE INTO last_contents VALUES (new.id, old.content_hash);
            END
            """,
            *_carried_marks(),
        ),
    ),
)
LATEST = MIGRATIONS[-1].version
_TIMEOUT = 30.0  # seconds to wait for another process
_MOST = 1000  # no program has so many versions: the number is damaged


def schema_version(connection: sqlite3.Connection) -> int:
    """The schema version of an open file; 0 for an empty one. Raises ``sqlite3.Error``."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def is_possible(version: int) -> bool:
    """Return True for a schema version that some program has written.

    Others come from damaged files.
    """
    return 0 <= version <= _MOST


def check_not_newer(path: Path, version: int, latest: int = LATEST) -> None:
    """Raises ``LibraryError`` for the schema version of a newer program."""
    if is_possible(version) and version > latest:
        raise LibraryError(
            f"{path}: written by a newer twobranch (schema {version}, this program knows {latest}); "
            "update twobranch"
        )


def upgrade(path: Path, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Migrate the catalogue at ``path``, all in one transaction.

    A catalogue that already held something is copied to ``<name>.v<version>.bak`` first. Raises
    ``LibraryError`` for one that is newer than the migrations or is some other SQLite file.
    """
    latest = migrations[-1].version
    with closing(sqlite3.connect(path, timeout=_TIMEOUT, isolation_level=None)) as connection:
        connection.execute("BEGIN")  # one moment: another process may be creating the tables
        version, has_tables = schema_version(connection), _has_tables(connection)
        connection.execute("COMMIT")
        check_not_newer(path, version, latest)
        if not is_possible(version):
            raise LibraryError(
                f"{path}: damaged (schema {version}); `doctor --repair` saves what can be read"
            )
        if version == 0 and has_tables:
            raise LibraryError(
                f"{path}: some other SQLite file, not a catalogue; choose another library folder"
            )
        # For a new file. A page of the usual 4 KB holds one vector of 2 KB, and its other half stays empty.
        connection.execute("PRAGMA page_size = 16384")
        _use_wal(connection)
        connection.execute("BEGIN IMMEDIATE")
        version = schema_version(connection)  # another process may have been quicker
        if 0 < version < latest:
            _back_up(path)
        for migration in migrations:
            if migration.version > version:
                for statement in migration.statements:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {migration.version}")
        connection.execute("COMMIT")


def _use_wal(connection: sqlite3.Connection) -> None:
    """Kept in the file: readers never wait for a writer."""
    latest = time.monotonic() + _TIMEOUT
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:  # SQLite does not wait in this statement
            if "locked" not in str(error) or time.monotonic() > latest:
                raise
            time.sleep(0.01)


def _has_tables(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None


def _back_up(path: Path) -> None:
    """Copy the catalogue, which no process may be writing to.

    Its version must not change on the way.
    """
    with closing(sqlite3.connect(path)) as reader:  # the connection with the lock cannot copy
        target = path.with_name(f"{path.name}.v{schema_version(reader)}.bak")
        with replacing(target) as partial, closing(sqlite3.connect(partial)) as copy:
            copy.execute("PRAGMA journal_mode = OFF")  # a journal would be one more file to leave behind
            reader.backup(copy)

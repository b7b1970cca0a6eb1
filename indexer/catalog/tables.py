"""The tables of the catalogue, one SQLite file: photos, captions, marks, models.

SQLite holds the data, and index files are caches of it: a vector is committed in the transaction of its row.
An id is never used twice (AUTOINCREMENT), so an id names one vector for ever. The tables are created by
``indexer.catalog.migrations``; a test compares the two.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import (
    Connection,
    Dialect,
    ForeignKey,
    Index,
    LargeBinary,
    QueuePool,
    Text,
    TypeDecorator,
    UniqueConstraint,
    create_engine,
    event,
    func,
    select,
)
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.orm import Session as Session  # other packages name it in signatures only

from twobranch.embedding.model_folder import Variant, model_label
from twobranch.indexer.catalog.connection import (
    ACTIVE_MODEL,
    CATALOG,
    connect,
    has_advice,
    library_error,
    open_database,
)
from twobranch.indexer.catalog.fulltext import refresh_words
from twobranch.indexer.catalog.repeats import refresh_repeats
from twobranch.indexer.catalog.vector_states import note_states

T = TypeVar("T")
_IDS_A_STATEMENT = 500  # SQLite's default limit on parameters is 999 in old versions


class OsText(TypeDecorator[str]):
    """Text from the operating system, such as a file name.

    File names need not be UTF-8; those that are not are stored as bytes. ``os.fsdecode`` gives them lone
    surrogates, which SQLite's text cannot hold.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:
        if value is None or value.isascii():
            return value
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            return os.fsencode(value)
        return value

    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        return os.fsdecode(value) if isinstance(value, bytes) else value


class Base(DeclarativeBase):
    """The tables of schema version ``LATEST``."""


class Root(Base):
    """A folder that was indexed. Roots never lie inside one another."""

    __tablename__ = "roots"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012 (SQLAlchemy's own protocol)

    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(OsText, unique=True)  # absolute


class Model(Base):
    """A model that encoded something in this library.

    Each variant of a model counts as another one.
    """

    __tablename__ = "models"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(OsText)  # what a person calls it
    folder: Mapped[str] = mapped_column(OsText)  # absolute
    fingerprint: Mapped[str] = mapped_column(Text, unique=True)  # weights and variant
    dim: Mapped[int]
    added_at: Mapped[datetime]

    @property
    def variant(self) -> Variant:
        """The options that photos were encoded with."""
        return Variant.of_fingerprint(self.fingerprint)

    @property
    def label(self) -> str:
        """The name, and the options that photos were indexed with."""
        return model_label(self.name, self.variant)


class Setting(Base):
    """One value by its key.

    ``ACTIVE_MODEL`` holds the id of the model that searches use.
    """

    __tablename__ = "settings"

    key: Mapped[str] = mapped_column(Text, primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class Image(Base):
    """A photo file, readable or not.

    An unreadable one has no vector, and ``failure`` gives the reason.
    """

    __tablename__ = "images"
    __table_args__ = (UniqueConstraint("root_id", "path"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    root_id: Mapped[int] = mapped_column(ForeignKey("roots.id", ondelete="CASCADE"))
    path: Mapped[str] = mapped_column(OsText)  # relative to the root, with "/"
    size: Mapped[int]  # bytes
    mtime_ns: Mapped[int]
    content_hash: Mapped[bytes | None] = mapped_column(LargeBinary, index=True)  # sha256; None when unread
    width: Mapped[int | None]  # of the upright photo, in pixels
    height: Mapped[int | None]
    taken_at: Mapped[datetime | None]  # by the camera's clock
    camera: Mapped[str | None] = mapped_column(Text)
    latitude: Mapped[float | None]  # degrees, north positive
    longitude: Mapped[float | None]  # degrees, east positive
    keywords: Mapped[str | None] = mapped_column(Text)  # and title and description, as the file has them
    indexed_at: Mapped[datetime]
    failure: Mapped[str | None] = mapped_column(OsText)
    identity: Mapped[str | None] = mapped_column(Text)  # of the file that was read; None: not known

    root: Mapped[Root] = relationship(lazy="joined", innerjoin=True)


class Corpus(Base):
    """A caption file (or folder of sidecars) that was added."""

    __tablename__ = "corpora"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012

    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str] = mapped_column(OsText, unique=True)  # absolute
    split: Mapped[str | None] = mapped_column(Text)  # the --split it was last added with
    format: Mapped[str] = mapped_column(Text)
    size: Mapped[int]  # bytes
    mtime_ns: Mapped[int]
    added_at: Mapped[datetime]
    failure: Mapped[str | None] = mapped_column(OsText)  # why the file cannot be read now; its captions stay


class Caption(Base):
    """A sentence of a corpus, linked to its photo.

    There is no link until that photo is in the library. ``same_as`` is None for the first one of equal
    captions of a photo, which alone has vectors (``repeats``).
    """

    __tablename__ = "captions"
    __table_args__ = (Index("ix_captions_corpus", "corpus_id", "position"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    corpus_id: Mapped[int] = mapped_column(ForeignKey("corpora.id", ondelete="CASCADE"))
    position: Mapped[int]  # in the whole file, from 0
    text: Mapped[str] = mapped_column(Text)
    image_name: Mapped[str | None] = mapped_column(OsText)  # as in the file
    split: Mapped[str | None] = mapped_column(Text)
    image_id: Mapped[int | None] = mapped_column(ForeignKey("images.id", ondelete="SET NULL"), index=True)
    same_as: Mapped[int | None] = mapped_column(ForeignKey("captions.id", ondelete="SET NULL"), index=True)

    image: Mapped[Image | None] = relationship()


class StaleWord(Base):
    """A photo whose row in the full-text table may be outdated.

    Triggers insert it.
    """

    __tablename__ = "stale_words"

    image_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


class StaleCaption(Base):
    """A caption that may now repeat another one, or no longer.

    Triggers insert it.
    """

    __tablename__ = "stale_captions"

    caption_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)


# Two indexes each. (item, model) finds the vectors of a deleted item. (model), which in SQLite ends with the
# row id, gives the number of vectors, the newest one, and the ids in order without reading a vector.


class ImageVector(Base):
    """The embedding of a photo under a model.

    ``dim`` float32, little endian, a unit vector.
    """

    __tablename__ = "image_vectors"
    __table_args__ = (UniqueConstraint("image_id", "model_id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"), index=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"))
    vector: Mapped[bytes] = mapped_column(LargeBinary)


class CaptionVector(Base):
    """The embedding of a caption under a model.

    ``dim`` float32, little endian, a unit vector.
    """

    __tablename__ = "caption_vectors"
    __table_args__ = (UniqueConstraint("caption_id", "model_id"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"), index=True)
    caption_id: Mapped[int] = mapped_column(ForeignKey("captions.id", ondelete="CASCADE"))
    vector: Mapped[bytes] = mapped_column(LargeBinary)


class RegionVector(Base):
    """The embedding of a window of a photo under a model.

    ``dim`` float32, little endian, a unit vector. A library has them after ``index --regions``.
    """

    __tablename__ = "region_vectors"
    __table_args__ = (UniqueConstraint("image_id", "model_id", "part"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    model_id: Mapped[int] = mapped_column(ForeignKey("models.id", ondelete="CASCADE"), index=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("images.id", ondelete="CASCADE"))
    part: Mapped[int]  # the place of the window in ``preprocess.REGIONS``
    vector: Mapped[bytes] = mapped_column(LargeBinary)


class Mark(Base):
    """The rating of a photo's content, and whether it is a favourite.

    Marks belong to the content, not to a row of ``images``: they outlive that row (``marks``).
    """

    __tablename__ = "marks"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012

    id: Mapped[int] = mapped_column(primary_key=True)
    content_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)  # sha256
    rating: Mapped[int | None]  # 1 to 5
    favourite: Mapped[bool]
    changed_at: Mapped[datetime]


class Album(Base):
    """A named list of photos."""

    __tablename__ = "albums"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text, unique=True)
    created_at: Mapped[datetime]


class AlbumPhoto(Base):
    """A photo in an album, by its content. The ids give the order."""

    __tablename__ = "album_photos"
    __table_args__ = (UniqueConstraint("album_id", "content_hash"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(primary_key=True)
    album_id: Mapped[int] = mapped_column(ForeignKey("albums.id", ondelete="CASCADE"))
    content_hash: Mapped[bytes] = mapped_column(LargeBinary, index=True)  # sha256
    added_at: Mapped[datetime]


class SavedSearch(Base):
    """A search under a name."""

    __tablename__ = "saved_searches"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text, unique=True)
    query: Mapped[str] = mapped_column(Text)  # parameters of an address, such as "q=dog&after=2023"
    created_at: Mapped[datetime]


class LastContent(Base):
    """The last content of a photo that cannot be read now.

    Triggers insert and remove it: its marks wait for the next content.
    """

    __tablename__ = "last_contents"

    image_id: Mapped[int] = mapped_column(
        ForeignKey("images.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    content_hash: Mapped[bytes] = mapped_column(LargeBinary)


class VectorState(Base):
    """The current token of the vectors of a kind and model.

    Triggers change it (``vector_states``).
    """

    __tablename__ = "vector_states"

    kind: Mapped[str] = mapped_column(Text, primary_key=True)
    model_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    token: Mapped[bytes] = mapped_column(LargeBinary)  # 16 random bytes


class PastVectorState(Base):
    """A token that was current at the end of a transaction."""

    __tablename__ = "past_vector_states"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    model_id: Mapped[int]
    token: Mapped[bytes] = mapped_column(LargeBinary, unique=True)


class Evaluation(Base):
    """One evaluation with its numbers, as they were reported.

    Recall is in percent.
    """

    __tablename__ = "evaluations"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012

    id: Mapped[int] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]
    model_id: Mapped[int | None] = mapped_column(ForeignKey("models.id", ondelete="SET NULL"))
    model_name: Mapped[str] = mapped_column(OsText)  # ``Model.label``: outlives the model
    split: Mapped[str | None] = mapped_column(Text)
    n_images: Mapped[int]
    n_captions: Mapped[int]
    exact: Mapped[bool]  # the index agreed with exact search
    rsum: Mapped[float]
    rsum_low: Mapped[float]
    rsum_high: Mapped[float]
    command: Mapped[str] = mapped_column(OsText)

    directions: Mapped[list[EvaluationDirection]] = relationship(cascade="all, delete-orphan")
    recalls: Mapped[list[EvaluationRecall]] = relationship(
        cascade="all, delete-orphan", order_by="EvaluationRecall.k"
    )


class EvaluationDirection(Base):
    """The ranks of one direction, "text_to_image" or "image_to_text"."""

    __tablename__ = "evaluation_directions"

    evaluation_id: Mapped[int] = mapped_column(
        ForeignKey("evaluations.id", ondelete="CASCADE"), primary_key=True
    )
    direction: Mapped[str] = mapped_column(Text, primary_key=True)
    n_queries: Mapped[int]
    n_gallery: Mapped[int]
    median_rank: Mapped[float]
    mean_rank: Mapped[float]


class EvaluationRecall(Base):
    """Recall@k of one direction with its 95 % interval, in percent."""

    __tablename__ = "evaluation_recalls"

    evaluation_id: Mapped[int] = mapped_column(
        ForeignKey("evaluations.id", ondelete="CASCADE"), primary_key=True
    )
    direction: Mapped[str] = mapped_column(Text, primary_key=True)
    k: Mapped[int] = mapped_column(primary_key=True)
    recall: Mapped[float]
    low: Mapped[float]
    high: Mapped[float]


class Catalog:
    """An open catalogue. Threads may share it; each session belongs to one thread."""

    def __init__(self, folder: Path, path: Path) -> None:
        self.folder = folder
        self.path = path
        self._engine = create_engine("sqlite+pysqlite://", creator=lambda: connect(path), poolclass=QueuePool)
        event.listen(self._engine, "begin", _begin)
        self._writer = self._engine.execution_options(begin="BEGIN IMMEDIATE")

    @classmethod
    def open(cls, folder: Path, create: bool = False) -> Catalog:
        """Open the catalogue of a library folder, migrated to the current schema.

        ``create`` makes the folder and an empty catalogue where there is none. Raises ``LibraryError``
        when it is missing, damaged, not a catalogue, or newer than this program.
        """
        path = open_database(folder, create=create)
        return cls(folder, path)

    @contextmanager
    def session(self, *, write: bool = False) -> Iterator[Session]:
        """Open a session that commits at the end.

        It rolls back on errors. ``write`` takes the write lock at once: a transaction that reads first and
        writes later fails when another process wrote in between. At its end repeated captions are found
        (``repeats``), the full-text table is updated (``fulltext``) and the state of the vectors is kept
        (``vector_states``). Raises ``LibraryError`` for a full disk, a read-only or damaged file and a lock
        that is held too long.
        """
        try:
            engine = self._writer if write else self._engine
            with Session(engine, expire_on_commit=False) as session, session.begin():
                yield session
                if write:
                    session.flush()
                    refresh_repeats(sqlite_connection(session))
                    refresh_words(sqlite_connection(session))
                    note_states(sqlite_connection(session))
        except sqlite3.DatabaseError as error:  # from the full-text table and the states
            raise library_error(self.path, error) from None
        except DatabaseError as error:
            if error.orig is not None and has_advice(error.orig):
                raise library_error(self.path, error.orig) from None
            raise

    def close(self) -> None:
        """Close every connection; SQLite then folds its write-ahead log into the file."""
        self._engine.dispose()


def sqlite_connection(session: Session) -> sqlite3.Connection:
    """Return the SQLite connection of a session, within its transaction."""
    connection = session.connection().connection.driver_connection
    assert isinstance(connection, sqlite3.Connection)
    return connection


def _begin(connection: Connection) -> None:
    # The sqlite3 module would begin a transaction only at the first INSERT; reads must be in it too.
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))


def id_blocks(ids: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield parts of ``ids`` that fit into one statement."""
    for start in range(0, len(ids), _IDS_A_STATEMENT):
        yield ids[start : start + _IDS_A_STATEMENT]


def utcnow() -> datetime:
    """Return the current time in UTC, without a zone.

    SQLite keeps none.
    """
    return datetime.now(timezone.utc).replace(tzinfo=None)


def image_file(image: Image) -> Path:
    """Return the absolute path of a photo."""
    return Path(image.root.path, image.path)


def active_model(session: Session) -> Model | None:
    """Return the model that searches use; None before the first one."""
    setting = session.get(Setting, ACTIVE_MODEL)
    return None if setting is None else session.get(Model, int(setting.value))


def library_model(folder: Path) -> Model | None:
    """Return the model that a library uses.

    None where there is no library, or no model yet.
    """
    if not (folder / CATALOG).is_file():
        return None
    with closing(Catalog.open(folder)) as catalog, catalog.session() as session:
        return active_model(session)


@dataclass(frozen=True)
class Counts:
    """The numbers of photos and captions in a library.

    The searchable ones have a vector under the active model. Equal captions of a photo count once.
    """

    photos: int
    searchable_photos: int
    failed_photos: int
    captions: int
    repeated_captions: int  # lines of caption files that say what another one says
    searchable_captions: int
    captions_with_photo: int


def count_items(session: Session) -> Counts:
    """Count the photos and captions of a library."""
    model = active_model(session)
    model_id = None if model is None else model.id

    def count(*conditions: Any, of: type[Base]) -> int:
        return session.scalar(select(func.count()).select_from(of).where(*conditions)) or 0

    return Counts(
        photos=count(of=Image),
        searchable_photos=count(ImageVector.model_id == model_id, of=ImageVector),
        failed_photos=count(Image.failure.is_not(None), of=Image),
        captions=count(Caption.same_as.is_(None), of=Caption),
        repeated_captions=count(Caption.same_as.is_not(None), of=Caption),
        searchable_captions=count(CaptionVector.model_id == model_id, of=CaptionVector),
        captions_with_photo=count(Caption.image_id.is_not(None), Caption.same_as.is_(None), of=Caption),
    )

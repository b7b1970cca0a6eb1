"""Statements about caption files (corpora) and their captions."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import delete, exists, func, insert, or_, select, update

from twobranch.indexer.catalog.repeats import keep_vectors, refresh_repeats
from twobranch.indexer.catalog.tables import (
    Caption,
    CaptionVector,
    Corpus,
    Image,
    Session,
    id_blocks,
    sqlite_connection,
)


class KnownCaptions(NamedTuple):
    """A caption file as the catalogue has it."""

    path: str  # absolute
    format: str
    split: str | None  # the one that was asked for; None: all
    size: int  # bytes
    mtime_ns: int
    failure: str | None = None  # why it could not be read the last time


class StoredCaption(NamedTuple):
    """A caption of a corpus."""

    id: int
    position: int  # in the whole file, from 0
    text: str
    image_name: str | None  # as in the file
    split: str | None


class NamedCaption(NamedTuple):
    """A caption with the name of its photo, and its link."""

    id: int
    corpus_id: int
    image_name: str
    image_id: int | None


# --- corpora ----------------------------------------------------------------------------------------


def all_corpora(session: Session) -> list[Corpus]:
    """Return every corpus, in the order they were added."""
    return list(session.scalars(select(Corpus).order_by(Corpus.id)))


def caption_files(session: Session) -> list[KnownCaptions]:
    """Return every caption file, in the order they were added."""
    query = select(Corpus.path, Corpus.format, Corpus.split, Corpus.size, Corpus.mtime_ns, Corpus.failure)
    return list(map(KnownCaptions._make, session.execute(query.order_by(Corpus.id))))


def note_failure(session: Session, path: str, size: int, mtime_ns: int, failure: str) -> None:
    """Store why a caption file cannot be read.

    Its size in bytes and its time are those it has now.
    """
    values = {"size": size, "mtime_ns": mtime_ns, "failure": failure}
    session.execute(update(Corpus).where(Corpus.path == path).values(values))


@dataclass(frozen=True)
class DeletedCaptions:
    """The captions of a caption file that was forgotten, each once."""

    gone: int
    kept: int  # other caption files have them too


def delete_corpus(session: Session, corpus: Corpus) -> DeletedCaptions:
    """Delete a caption file and the captions that no other file has."""
    own = func.coalesce(Caption.same_as, Caption.id)
    had = session.scalar(select(func.count(own.distinct())).where(Caption.corpus_id == corpus.id)) or 0
    before = _count_captions(session)
    delete_captions(session, session.scalars(select(Caption.id).where(Caption.corpus_id == corpus.id)).all())
    session.delete(corpus)
    session.flush()
    refresh_repeats(sqlite_connection(session))  # else the captions that stay could not be counted
    gone = before - _count_captions(session)
    return DeletedCaptions(gone, had - gone)


def _count_captions(session: Session) -> int:
    return session.scalar(select(func.count()).where(Caption.same_as.is_(None))) or 0


def corpus_at(session: Session, path: str) -> Corpus | None:
    """Return the corpus of a caption file; None where there is none."""
    return session.scalar(select(Corpus).where(Corpus.path == path))


def count_captions_by_corpus(session: Session) -> list[tuple[str, str, int, str | None]]:
    """Return (path, format, number of captions, failure) of each corpus."""
    query = select(Corpus.path, Corpus.format, func.count(Caption.id), Corpus.failure).outerjoin(Caption)
    rows = session.execute(query.group_by(Corpus.id))
    return [(path, form, count, failure) for path, form, count, failure in rows]


def image_names(session: Session, corpus_id: int) -> list[str]:
    """Return the photo names in a corpus, each once."""
    query = select(Caption.image_name).where(Caption.corpus_id == corpus_id).distinct()
    return [name for name in session.scalars(query) if name is not None]


def linked_roots(session: Session, corpus_id: int) -> set[int]:
    """Return the ids of the roots that a corpus has photos in."""
    query = select(Image.root_id).join(Caption, Caption.image_id == Image.id)
    return set(session.scalars(query.where(Caption.corpus_id == corpus_id).distinct()))


# --- captions ---------------------------------------------------------------------------------------


def stored_captions(
    session: Session, corpus_id: int, splits: Collection[str | None] | None
) -> list[StoredCaption]:
    """Return the captions of a corpus, the last first.

    With ``splits`` only those of these splits.
    """
    query = select(Caption.id, Caption.position, Caption.text, Caption.image_name, Caption.split)
    query = query.where(Caption.corpus_id == corpus_id).order_by(Caption.position.desc())
    if splits is not None:
        query = query.where(Caption.split.in_(splits))
    return list(map(StoredCaption._make, session.execute(query)))


def add_captions(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Insert captions: corpus_id, position, text, image_name and split of each."""
    if rows:
        session.execute(insert(Caption), rows)


def change_captions(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Update captions: the id of each, and the columns to set."""
    if rows:
        session.execute(update(Caption), rows)


def delete_captions(session: Session, ids: Sequence[int]) -> None:
    """Delete captions, and their vectors that no other file needs."""
    repeats: set[int] = set()
    for some in id_blocks(ids):
        query = select(Caption.id).where(Caption.id.in_(some), Caption.same_as.is_not(None))
        repeats.update(session.scalars(query))
    # Repeats go first, so that vectors are kept by captions that stay.
    for some in id_blocks([*repeats, *(id for id in ids if id not in repeats)]):
        keep_vectors(sqlite_connection(session), some)
        session.execute(delete(Caption).where(Caption.id.in_(some)))


def unencoded_captions(session: Session, model_id: int) -> Iterator[tuple[int, str]]:
    """Yield (id, text) of captions without a model's vector, by rising ids.

    Repeats of another caption need none.
    """
    known = exists().where(CaptionVector.caption_id == Caption.id, CaptionVector.model_id == model_id)
    query = select(Caption.id, Caption.text).where(~known, Caption.same_as.is_(None))
    yield from session.execute(query.order_by(Caption.id))


def captions_to_link(session: Session, corpus_id: int | None) -> Iterator[NamedCaption]:
    """Yield the captions that may be linked to another photo.

    Those are all that name a photo in the corpus ``corpus_id``, and those without a photo in the others.
    """
    query = select(Caption.id, Caption.corpus_id, Caption.image_name, Caption.image_id)
    query = query.where(Caption.image_name.is_not(None))
    query = query.where(or_(Caption.image_id.is_(None), Caption.corpus_id == corpus_id))
    yield from map(NamedCaption._make, session.execute(query))


def count_captions_without_photo(session: Session) -> int:
    """Count the captions that name a photo but are linked to none."""
    query = select(func.count()).where(Caption.image_name.is_not(None), Caption.image_id.is_(None))
    return session.scalar(query.where(Caption.same_as.is_(None))) or 0


def newest_caption(session: Session) -> int:
    """Return the highest id of a caption; 0 where there is none."""
    return session.scalar(select(func.max(Caption.id))) or 0


def count_captions_after(session: Session, id: int) -> tuple[int, int]:
    """Return (captions, repeats of others) among the rows with higher ids."""
    query = select(func.count(), func.count(Caption.same_as)).where(Caption.id > id)
    rows, repeats = session.execute(query).one()
    return rows - repeats, repeats

"""Statements about caption files (corpora) and their captions."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import delete, exists, func, insert, or_, select, update

from twobranch.indexer.catalog.tables import Caption, CaptionVector, Corpus, Image, Session, id_blocks


class KnownCaptions(NamedTuple):
    """A caption file as the catalogue has it."""

    path: str  # absolute
    format: str
    split: str | None  # the one that was asked for; None: all
    size: int  # bytes
    mtime_ns: int


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
    query = select(Corpus.path, Corpus.format, Corpus.split, Corpus.size, Corpus.mtime_ns)
    return list(map(KnownCaptions._make, session.execute(query.order_by(Corpus.id))))


def corpus_at(session: Session, path: str) -> Corpus | None:
    """Return the corpus of a caption file; None where there is none."""
    return session.scalar(select(Corpus).where(Corpus.path == path))


def count_captions_by_corpus(session: Session) -> list[tuple[str, str, int]]:
    """Return (path, format, number of captions) of each corpus."""
    query = select(Corpus.path, Corpus.format, func.count(Caption.id)).outerjoin(Caption)
    return [(path, form, count) for path, form, count in session.execute(query.group_by(Corpus.id))]


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
    """Delete captions and their vectors."""
    for some in id_blocks(ids):
        session.execute(delete(Caption).where(Caption.id.in_(some)))


def unencoded_captions(session: Session, model_id: int) -> Iterator[tuple[int, str]]:
    """Yield (id, text) of captions without a model's vector, by rising ids."""
    known = exists().where(CaptionVector.caption_id == Caption.id, CaptionVector.model_id == model_id)
    yield from session.execute(select(Caption.id, Caption.text).where(~known).order_by(Caption.id))


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
    return session.scalar(query) or 0

"""Statements about the vectors of photos and captions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, exists, func, insert, literal, select
from sqlalchemy.orm import aliased

from twobranch.indexer.catalog.photos import n_windows
from twobranch.indexer.catalog.reader import Gallery
from twobranch.indexer.catalog.tables import (
    Caption,
    CaptionVector,
    Image,
    ImageVector,
    RegionVector,
    Root,
    Session,
    id_blocks,
)


@dataclass(frozen=True)
class SameContent:
    """A photo of the catalogue by its content, and its vector."""

    image_id: int
    vector: bytes


# --- photos -----------------------------------------------------------------------------------------


def photos_with_content(
    session: Session, digests: Collection[bytes], model_id: int, most: int
) -> dict[bytes, list[SameContent]]:
    """Return content -> encoded photos with it, at most ``most`` of each.

    Contents that the catalogue does not have are missing.
    """
    known = select(Image.content_hash).where(Image.content_hash.in_(digests)).distinct()
    query = (
        select(Image.id, ImageVector.vector)
        .join(ImageVector, ImageVector.image_id == Image.id)
        .where(ImageVector.model_id == model_id)
        .order_by(Image.id)
        .limit(most)
    )
    same: dict[bytes, list[SameContent]] = {}
    for digest in session.scalars(known).all():
        rows = session.execute(query.where(Image.content_hash == digest)).all()
        if digest is not None and rows:
            same[digest] = [SameContent(row.id, row.vector) for row in rows]
    return same


def unencoded_with_content(
    session: Session, digests: Collection[bytes], ids: Collection[int], model_id: int
) -> dict[bytes, list[int]]:
    """Return content -> photos with it that lack a model's vector.

    They are photos among ``ids``, as rising ids. Contents without any are missing.
    """
    has = exists().where(ImageVector.image_id == Image.id, ImageVector.model_id == model_id)
    query = select(Image.id, Image.content_hash).where(Image.content_hash.in_(digests), ~has)
    found: dict[bytes, list[int]] = {}
    for id, digest in session.execute(query.order_by(Image.id)):
        if id in ids and digest is not None:
            found.setdefault(digest, []).append(id)
    return found


def encoded_contents(session: Session, model_id: int, n_regions: int = 0) -> Iterator[tuple[int, int, bytes]]:
    """Yield (id, root id, content hash) of a model's encoded photos.

    Only of those with at least ``n_regions`` windows.
    """
    query = (
        select(Image.id, Image.root_id, Image.content_hash)
        .join(ImageVector, ImageVector.image_id == Image.id)
        .where(ImageVector.model_id == model_id, Image.content_hash.is_not(None))
    )
    if n_regions:
        query = query.where(n_windows(model_id) >= n_regions)
    for id, root_id, digest in session.execute(query):
        if digest is not None:  # for the type checker
            yield id, root_id, digest


def delete_photo_vectors(session: Session, image_ids: Collection[int]) -> None:
    """Delete the vectors of photos and of their windows, under every model."""
    session.execute(delete(ImageVector).where(ImageVector.image_id.in_(image_ids)))
    session.execute(delete(RegionVector).where(RegionVector.image_id.in_(image_ids)))


def add_photo_vectors(session: Session, model_id: int, vectors: Sequence[tuple[int, bytes]]) -> None:
    """Insert the vectors of photos under a model.

    ``vectors`` has (photo id, vector) of each.
    """
    if vectors:
        rows = [{"model_id": model_id, "image_id": id, "vector": vector} for id, vector in vectors]
        session.execute(insert(ImageVector), rows)


def regions_with_content(
    session: Session, digests: Collection[bytes], model_id: int, n_regions: int
) -> dict[bytes, tuple[bytes, ...]]:
    """Return content -> the vectors of its windows, in order.

    Contents without a photo that has all ``n_regions`` are missing.
    """
    photo = select(Image.id).where(n_windows(model_id) >= n_regions).order_by(Image.id).limit(1)
    rows = select(RegionVector.vector).order_by(RegionVector.part)
    rows = rows.where(RegionVector.model_id == model_id, RegionVector.part < n_regions)
    found: dict[bytes, tuple[bytes, ...]] = {}
    for digest in digests:
        first = session.scalar(photo.where(Image.content_hash == digest))
        if first is not None:
            found[digest] = tuple(session.scalars(rows.where(RegionVector.image_id == first)))
    return found


def set_regions(session: Session, model_id: int, regions: Sequence[tuple[int, Sequence[bytes]]]) -> None:
    """Replace the vectors of photos' windows under a model.

    ``regions`` has (photo id, vectors in the order of their windows) of each.
    """
    for some in id_blocks([id for id, _ in regions]):
        old = delete(RegionVector).where(RegionVector.model_id == model_id, RegionVector.image_id.in_(some))
        session.execute(old)
    rows = [
        {"model_id": model_id, "image_id": id, "part": part, "vector": vector}
        for id, vectors in regions
        for part, vector in enumerate(vectors)
    ]
    if rows:
        session.execute(insert(RegionVector), rows)


def delete_regions(session: Session) -> None:
    """Delete the vectors of all windows under every model."""
    session.execute(delete(RegionVector))


def photos_of_vectors(session: Session, vector_ids: Sequence[int]) -> Iterator[tuple[int, Image]]:
    """Yield (vector id, photo), of those that exist.

    One block of them is in memory at a time.
    """
    query = select(ImageVector.id, Image).join(Image)
    for some in id_blocks(vector_ids):
        yield from session.execute(query.where(ImageVector.id.in_(some)))
        session.expunge_all()


def identical_photos(session: Session, model_id: int) -> list[list[int]]:
    """Return lists of vector ids of photos with the same content.

    Contents of a single photo are missing.
    """
    with_vector = (
        select(ImageVector.id, Image.content_hash)
        .join(Image)
        .where(ImageVector.model_id == model_id, Image.content_hash.is_not(None))
    )
    twice = (
        select(Image.content_hash)
        .where(Image.content_hash.is_not(None))
        .group_by(Image.content_hash)
        .having(func.count() > 1)
    )
    by_content: dict[bytes | None, list[int]] = defaultdict(list)
    for id, digest in session.execute(with_vector.where(Image.content_hash.in_(twice))):
        by_content[digest].append(id)
    return [ids for ids in by_content.values() if len(ids) > 1]


# --- captions ---------------------------------------------------------------------------------------


def add_caption_vectors(session: Session, model_id: int, vectors: Sequence[tuple[int, bytes]]) -> None:
    """Insert the vectors of captions under a model.

    ``vectors`` has (caption id, vector) of each.
    """
    rows = [{"model_id": model_id, "caption_id": id, "vector": vector} for id, vector in vectors]
    session.execute(insert(CaptionVector), rows)


def copy_caption_vectors(session: Session, from_model: int, to_model: int) -> None:
    """Copy the caption vectors of one model to another.

    Captions that the other model has encoded are left out.
    """
    own = aliased(CaptionVector)
    known = exists().where(own.caption_id == CaptionVector.caption_id, own.model_id == to_model)
    rows = select(literal(to_model), CaptionVector.caption_id, CaptionVector.vector)
    rows = rows.where(~known, CaptionVector.model_id == from_model)
    session.execute(insert(CaptionVector).from_select(["model_id", "caption_id", "vector"], rows))


def caption_texts(session: Session) -> dict[int, str]:
    """Return vector id -> text of the caption."""
    rows = session.execute(select(CaptionVector.id, Caption.text).join(Caption))
    return {row.id: row.text for row in rows}


def texts_of_vectors(session: Session, ids: Sequence[int]) -> dict[int, str]:
    """Return vector id -> text of the caption, of some vectors."""
    query = select(CaptionVector.id, Caption.text).join(Caption, Caption.id == CaptionVector.caption_id)
    texts: dict[int, str] = {}
    for some in id_blocks(ids):
        texts.update((row.id, row.text) for row in session.execute(query.where(CaptionVector.id.in_(some))))
    return texts


def encoded_captions(session: Session, model_id: int) -> dict[int, tuple[int, str]]:
    """Return vector id -> (caption id, text) under a model."""
    query = select(CaptionVector.id, Caption.id, Caption.text)
    query = query.join(Caption, Caption.id == CaptionVector.caption_id)
    rows = session.execute(query.where(CaptionVector.model_id == model_id))
    return {vector: (id, text) for vector, id, text in rows}


# --- both -------------------------------------------------------------------------------------------


def count_vectors(session: Session, kind: Gallery, model_id: int) -> int:
    """Return the number of vectors of one kind and model."""
    table = ImageVector if kind == "images" else CaptionVector
    return session.scalar(select(func.count()).where(table.model_id == model_id)) or 0


def vectors_with_facts(session: Session, kind: Gallery, model_id: int, block: int) -> Iterator[Sequence[Any]]:
    """Yield blocks of vectors with photo facts, by rising vector ids.

    Each row has id, vector, caption, root, path, taken_at, mtime_ns, camera, width, height, latitude and
    longitude. A photo comes with the first of its captions; a caption without a photo has None for all facts.
    """
    table = ImageVector if kind == "images" else CaptionVector
    query, newest = (_photos if kind == "images" else _captions)(model_id), 0
    while rows := session.execute(query.where(table.id > newest).limit(block)).all():
        newest = rows[-1].id
        yield rows


_OF_PHOTO = (
    Root.path.label("root"),
    Image.path,
    Image.taken_at,
    Image.mtime_ns,
    Image.camera,
    Image.width,
    Image.height,
    Image.latitude,
    Image.longitude,
)


# They return a Select, whose type parameters are other ones in SQLAlchemy 2.0 than in 2.1.


def _photos(model_id: int) -> Any:
    of_photo = select(Caption.text).where(Caption.image_id == Image.id, Caption.same_as.is_(None))
    first = of_photo.order_by(Caption.corpus_id, Caption.position).limit(1).scalar_subquery()
    query = select(ImageVector.id, ImageVector.vector, first.label("caption"), *_OF_PHOTO)
    query = query.join(Image, Image.id == ImageVector.image_id).join(Root, Root.id == Image.root_id)
    return query.where(ImageVector.model_id == model_id).order_by(ImageVector.id)


def _captions(model_id: int) -> Any:
    columns = (CaptionVector.id, CaptionVector.vector, Caption.text.label("caption"), *_OF_PHOTO)
    query = select(*columns).join(Caption, Caption.id == CaptionVector.caption_id)
    query = query.outerjoin(Image, Image.id == Caption.image_id).outerjoin(Root, Root.id == Image.root_id)
    return query.where(CaptionVector.model_id == model_id).order_by(CaptionVector.id)

"""Statements about the rows of photos."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import delete, exists, func, select, update

from twobranch.indexer.catalog.tables import Image, ImageVector, RegionVector, Root, Session, id_blocks


class KnownPhoto(NamedTuple):
    """A photo as the catalogue has it."""

    id: int
    path: str  # relative to the root, with "/"
    size: int  # bytes
    mtime_ns: int
    failure: str | None = None  # why it could not be read
    content_hash: bytes | None = None


class UnencodedPhoto(NamedTuple):
    """A readable photo of which a model lacks vectors."""

    id: int
    root_id: int
    root: str  # absolute
    path: str  # relative to the root, with "/"
    size: int  # bytes
    mtime_ns: int
    content_hash: bytes | None = None  # of a photo that lacks only the vectors of its windows


def photos_by_id(session: Session, ids: Collection[int]) -> dict[int, Image]:
    """Return id -> photo, of those that exist."""
    return {image.id: image for image in session.scalars(select(Image).where(Image.id.in_(ids)))}


def known_photos(session: Session, root_id: int, paths: Sequence[str] | None = None) -> Iterator[KnownPhoto]:
    """Yield the photos of a root.

    With ``paths`` only those at these relative paths.
    """
    query = select(Image.id, Image.path, Image.size, Image.mtime_ns, Image.failure, Image.content_hash)
    query = query.where(Image.root_id == root_id)
    if paths is None:
        yield from map(KnownPhoto._make, session.execute(query))
        return
    for some in id_blocks(paths):
        yield from map(KnownPhoto._make, session.execute(query.where(Image.path.in_(some))))


def photo_paths(session: Session, root_id: int) -> list[tuple[int, str]]:
    """Return (id, relative path) of each photo of a root."""
    rows = session.execute(select(Image.id, Image.path).where(Image.root_id == root_id))
    return [(id, path) for id, path in rows]


def all_photo_paths(session: Session) -> list[tuple[int, int, str]]:
    """Return (id, root id, relative path) of every photo, by rising ids."""
    rows = session.execute(select(Image.id, Image.root_id, Image.path).order_by(Image.id))
    return [(id, root_id, path) for id, root_id, path in rows]


def move_photos(session: Session, root_id: int, paths: Mapping[int, str]) -> None:
    """Move photos to another root.

    ``paths`` gives photo id -> path relative to that root.
    """
    if paths:
        moved = [{"id": id, "root_id": root_id, "path": path} for id, path in paths.items()]
        session.execute(update(Image), moved)


def delete_photos(session: Session, ids: Sequence[int]) -> None:
    """Delete photos and their vectors; their captions stay."""
    for some in id_blocks(ids):
        session.execute(delete(Image).where(Image.id.in_(some)))


def has_photos(session: Session, root_id: int) -> bool:
    """Return True for a root with photos."""
    return session.scalar(select(Image.id).where(Image.root_id == root_id).limit(1)) is not None


def count_photos(session: Session, root_id: int) -> int:
    """Return the number of photos of a root."""
    return session.scalar(select(func.count()).where(Image.root_id == root_id)) or 0


def failed_photos(session: Session) -> list[Image]:
    """Return the photos that could not be read, by rising ids."""
    return list(session.scalars(select(Image).where(Image.failure.is_not(None)).order_by(Image.id)))


def unencoded_photos(session: Session, model_id: int | None) -> list[UnencodedPhoto]:
    """Return the readable photos that a model has not encoded.

    Their ids rise. For None these are all readable photos.
    """
    has = exists().where(ImageVector.image_id == Image.id, ImageVector.model_id == model_id)
    query = select(Image.id, Image.root_id, Root.path, Image.path, Image.size, Image.mtime_ns).join(Root)
    rows = session.execute(query.where(Image.failure.is_(None), ~has).order_by(Image.id))
    return [UnencodedPhoto(*row) for row in rows]


def photos_without_regions(session: Session, model_id: int, n_regions: int) -> list[UnencodedPhoto]:
    """Return the encoded photos with vectors of fewer than ``n_regions`` windows.

    Their ids rise.
    """
    query = (
        select(Image.id, Image.root_id, Root.path, Image.path, Image.size, Image.mtime_ns, Image.content_hash)
        .join(Root)
        .join(ImageVector, ImageVector.image_id == Image.id)
        .where(ImageVector.model_id == model_id, n_windows(model_id) < n_regions)
    )
    return [UnencodedPhoto(*row) for row in session.execute(query.order_by(Image.id))]


def n_windows(model_id: int) -> Any:
    """Return the number of a photo's windows, as SQL.

    It is for statements about ``Image``.
    """
    counted = select(func.count()).select_from(RegionVector)
    counted = counted.where(RegionVector.image_id == Image.id, RegionVector.model_id == model_id)
    return counted.correlate(Image).scalar_subquery()


def sample_photos(session: Session, root_ids: Iterable[int], n: int) -> list[tuple[int, str, int]]:
    """Return (root id, relative path, size) of an even sample of photos.

    The sample has ``n`` to ``2 n`` photos of these roots, or all where there are fewer.
    """
    ids = session.scalars(select(Image.id).where(Image.root_id.in_(root_ids)).order_by(Image.id)).all()
    sample = ids[:: max(1, len(ids) // n)]
    rows = session.execute(select(Image.root_id, Image.path, Image.size).where(Image.id.in_(sample)))
    return [(root_id, path, size) for root_id, path, size in rows]

"""Statements about the roots: the folders that were indexed."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from sqlalchemy import delete, func, select, update

from twobranch.indexer.catalog.tables import Image, Root, Session


def all_roots(session: Session) -> list[Root]:
    """Return every root, in the order of their paths."""
    return list(session.scalars(select(Root).order_by(Root.path)))


def add_root(session: Session, folder: Path) -> Root:
    """Add a root and return it with its id."""
    root = Root(path=str(folder))
    session.add(root)
    session.flush()
    return root


def delete_roots(session: Session, ids: Collection[int]) -> None:
    """Delete roots, and with them the photos that are still in them."""
    session.execute(delete(Root).where(Root.id.in_(ids)))


def move_roots(session: Session, paths: Mapping[int, Path]) -> None:
    """Set the path of each root, by its id."""
    # In two steps: one root may go where another one is still.
    session.execute(update(Root), [{"id": id, "path": f"moving {id}"} for id in paths])
    session.execute(update(Root), [{"id": id, "path": str(path)} for id, path in paths.items()])


def count_photos_by_root(session: Session) -> dict[int, int]:
    """Return root id -> number of its photos.

    Roots without photos are missing.
    """
    counts = select(Image.root_id, func.count().label("photos")).group_by(Image.root_id)
    return {row.root_id: row.photos for row in session.execute(counts)}

"""Catalogues whose rows are written by hand, without photo files."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import delete

from twobranch.indexer.catalog.connection import ACTIVE_MODEL
from twobranch.indexer.catalog.tables import Catalog, Image, ImageVector, Model, Root, Setting, utcnow

WRITTEN = datetime(2020, 2, 1)  # the time of the files


def fill(library: Path, photos: Sequence[dict[str, Any]], vector: bool = True) -> None:
    """Rows of photos: ``root`` and ``path``, and what else is to be said of them."""
    with closing(Catalog.open(library, create=True)) as catalog, catalog.session(write=True) as session:
        session.execute(delete(Image))
        session.execute(delete(Root))
        session.execute(delete(Model))
        model = Model(name="m", folder="/m", fingerprint="1", dim=1, added_at=utcnow())
        roots = {name: Root(path=name) for name in dict.fromkeys(photo["root"] for photo in photos)}
        session.add_all([model, *roots.values()])
        session.flush()
        session.merge(Setting(key=ACTIVE_MODEL, value=str(model.id)))
        known = {"size": 1, "mtime_ns": int(WRITTEN.timestamp()) * 10**9, "indexed_at": utcnow()}
        for photo in photos:
            image = Image(**{**known, "width": 4, "height": 3, **photo, "root": roots[photo["root"]]})
            session.add(image)
            session.flush()
            if vector:
                session.add(ImageVector(model_id=model.id, image_id=image.id, vector=b"\0\0\0\0"))


def at(path: str, root: str = "/photos", **facts: Any) -> dict[str, Any]:
    return {"root": root, "path": path, **facts}

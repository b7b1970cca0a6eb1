"""Coordinates of all photos that have any, for a map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from twobranch.indexer.catalog.filters import Filters
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.disk.open import content_name
from twobranch.indexer.gazetteer.place_names import place_label

_A_STATEMENT = 500  # photos; SQLite's limit on parameters is 999 in old versions


def photo_coordinates(reader: CatalogReader, filters: Filters) -> NDArray[np.float64]:
    """Return (N, 3) id, latitude and longitude of photos.

    Those that match and have coordinates. They are those that a search finds: photos with a vector of the
    active model. Raises ``LibraryError``.
    """
    with reader.snapshot():
        model = reader.active_model()
        if model is None:
            return np.empty((0, 3))
        condition, values = filters.condition()
        # Ids are exact in a float64 up to 2**53.
        rows = reader.rows(
            "SELECT i.id, i.latitude, i.longitude FROM images i JOIN roots r ON r.id = i.root_id "
            "WHERE i.latitude IS NOT NULL AND i.longitude IS NOT NULL AND EXISTS "
            f"(SELECT 1 FROM image_vectors v WHERE v.image_id = i.id AND v.model_id = ?) AND {condition}",
            [model.id, *values],
        )
    return np.array(rows, dtype=np.float64).reshape(-1, 3)


def content_and_town(
    reader: CatalogReader, photos: Sequence[int]
) -> dict[int, tuple[str | None, str | None]]:
    """Return photo id -> name of its content, and its town. Raises ``LibraryError``."""
    facts: dict[int, tuple[str | None, str | None]] = {}
    for start in range(0, len(photos), _A_STATEMENT):
        some = photos[start : start + _A_STATEMENT]
        marks = ",".join("?" * len(some))
        statement = f"SELECT id, content_hash, latitude, longitude FROM images WHERE id IN ({marks})"
        for id_, content_hash, *at in reader.rows(statement, some):
            facts[id_] = content_name(content_hash), place_label(*at)
    return facts

"""Names of the places of photos. They are not stored: a point gives its name in microseconds."""

from __future__ import annotations

from collections.abc import Sequence

from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.gazetteer.place_names import place_label

_A_STATEMENT = 500  # photos; SQLite's limit on parameters is 999 in old versions


def place_labels(reader: CatalogReader, photos: Sequence[int]) -> dict[int, str]:
    """Return photo id -> place, such as ``Paris, France``. Photos without a place are missing.

    Raises ``LibraryError``.
    """
    labels: dict[int, str] = {}
    for start in range(0, len(photos), _A_STATEMENT):
        some = photos[start : start + _A_STATEMENT]
        for id_, latitude, longitude in reader.rows(
            "SELECT id, latitude, longitude FROM images "
            f"WHERE latitude IS NOT NULL AND id IN ({','.join('?' * len(some))})",
            some,
        ):
            label = place_label(latitude, longitude)
            if label is not None:
                labels[id_] = label
    return labels

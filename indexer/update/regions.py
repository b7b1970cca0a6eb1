"""The windows of photos that ``index --regions`` encodes as well."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from twobranch.embedding.preprocess import REGIONS
from twobranch.indexer.catalog.connection import CATALOG
from twobranch.indexer.catalog.settings import REGIONS as SETTING
from twobranch.indexer.catalog.settings import load_regions, store_setting
from twobranch.indexer.catalog.tables import Catalog
from twobranch.indexer.catalog.vectors import delete_regions
from twobranch.indexer.update.run import Run

_COPIES = 2  # of a vector on disk: in the catalogue and in the index file
WINDOW_BYTES = 320  # of a window in the catalogue, beside its vector (benchmarks/regions.md)


def choose_regions(catalog: Catalog, chosen: bool | None) -> bool:
    """Store the choice of a run, and return the current one.

    None keeps the choice of earlier runs. Without windows, those that there are go at once.
    """
    with catalog.session() as session:
        known = load_regions(session)
    if chosen is None or chosen == known:
        return known
    with catalog.session(write=True) as session:
        store_setting(session, SETTING, chosen)
        if not chosen:
            delete_regions(session)
    return chosen


def with_regions(library: Path, chosen: bool | None) -> bool:
    """Return the choice that a run would follow. Raises ``LibraryError``."""
    if chosen is not None or not (library / CATALOG).is_file():
        return bool(chosen)
    with closing(Catalog.open(library)) as catalog, catalog.session() as session:
        return load_regions(session)


def say_cost(run: Run, n_photos: int) -> None:
    """Note the time and space for the windows of photos to read."""
    if not (run.regions and n_photos):
        return
    windows = len(run.regions)
    times = 1 + windows / len(run.encoder.views)
    kilobytes = region_bytes(run.encoder.dim) / 1000
    total = f"{kilobytes * n_photos / 1000:,.1f} MB for {n_photos:,}"
    run.progress.note(
        f"regions: {windows} windows of each photo are encoded as well, which takes up to {times:.0f} times "
        f"as long and {kilobytes:,.0f} KB a photo on disk ({total}); a search looks at half of that"
    )


def region_bytes(dim: int) -> int:
    """Return the bytes on disk of the vectors of a photo's windows."""
    return len(REGIONS) * (_COPIES * 4 * dim + WINDOW_BYTES)

"""The index of one kind of vectors.

The kinds are photos, captions, and windows of photos. An index is exact or, for a large gallery, made of
inverted lists. Vectors that are newer than the lists are in an exact index beside them, the tail.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twobranch.common.progress import Progress
from twobranch.indexer.catalog.reader import VECTOR_KINDS, CatalogReader, VectorKind
from twobranch.indexer.vectors.exact import index_file, open_exact
from twobranch.indexer.vectors.ivf import LargeIndex, build_lists, drifted, load_lists

# The least number of vectors in a large gallery. An exact search of so many, of 512 dimensions, reads 0.4 GB.
LARGE = 200_000

# Queries to measure inverted lists with: typed queries are distributed differently from photos.
TRIAL_QUERIES = (
    "a dog", "a cat on a sofa", "beach at sunset", "red car on a street", "birthday cake with candles",
    "two children playing in the snow", "mountains", "a man riding a bicycle", "wedding",
    "a bride and groom", "people at a concert", "food on a plate", "a cup of coffee",
    "flowers in a garden", "city at night", "a boat on a lake", "an airplane in the sky",
    "a train at a station", "a baby sleeping", "group photo", "a woman with a hat", "a man in a suit",
    "football match", "a girl jumping into a pool", "horses in a field", "a bird on a branch",
    "christmas tree", "fireworks", "a bridge over a river", "an old church", "a castle on a hill",
    "a road through a forest", "autumn leaves", "a waterfall", "a rainbow", "the moon",
    "a document with text", "a receipt", "a screenshot of a phone", "a whiteboard", "a map", "a book",
    "a laptop on a desk", "kitchen", "living room", "bathroom", "a staircase", "a door",
    "a market with fruit", "pizza", "a glass of wine", "a skateboarder doing a trick", "a motorcycle",
    "a bus", "a crowd in a square", "a statue", "a museum", "graffiti on a wall",
    "a black dog running with a stick", "people hiking", "a tent in the mountains", "a surfer on a wave",
    "three friends smiling at the camera", "an empty street",
)  # fmt: skip


class Index(Protocol):
    """A searchable set of vectors with ids."""

    def __len__(self) -> int: ...

    @property
    def dim(self) -> int: ...

    def vectors(self, ids: ArrayLike) -> NDArray[np.float32]: ...

    def sample(self, n: int, among: NDArray[np.int64] | None = None) -> NDArray[np.float32]: ...

    def search(
        self, queries: ArrayLike, k: int, among: ArrayLike | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]: ...


def open_index(
    catalog: CatalogReader,
    kind: VectorKind,
    model_id: int,
    dim: int,
    *,
    exact: bool = False,
    verify: bool = False,
) -> Index:
    """Open the index over all vectors of one kind and model.

    It is current with the catalogue. With ``exact`` a search compares every vector, whatever the size of the
    gallery. It also does so in a large gallery whose lists are missing or damaged, until ``index`` builds
    them again. ``verify`` compares the checksums of whole files; without it, damage that left a file's
    modification time unchanged is not noticed. Raises ``LibraryError``.
    """
    count = catalog.count_vectors(kind, model_id)
    if count >= LARGE and not exact:
        lists = load_lists(catalog, kind, model_id, dim, verify=verify)
        if lists is not None:
            tail = open_exact(catalog, kind, model_id, dim, after=lists.newest, verify=verify)
            return LargeIndex(lists, tail, catalog, kind, model_id, count)
    return open_exact(catalog, kind, model_id, dim, verify=verify)


def update_index(
    catalog: CatalogReader,
    kind: VectorKind,
    model_id: int,
    dim: int,
    encode_texts: Callable[[Sequence[str]], NDArray[np.float32]],
    progress: Progress,
) -> None:
    """Update the index files of one kind and model.

    Inverted lists are built if they are needed: for a large gallery that has none, or whose lists are out of
    date. The checksums are compared first, which reads the whole of each file. ``encode_texts`` is the
    model's. Raises ``LibraryError``.
    """
    count = catalog.count_vectors(kind, model_id)
    if count >= LARGE:
        lists = load_lists(catalog, kind, model_id, dim, verify=True)
        newer = 0 if lists is None else catalog.count_vectors(kind, model_id, after=lists.newest)
        if lists is None or drifted(lists, count - newer, newer):
            try:
                build_lists(catalog, kind, model_id, dim, encode_texts(TRIAL_QUERIES), progress)
                index_file(catalog.path.parent, kind, model_id).unlink(missing_ok=True)
            except OSError as error:
                progress.warn(f"{error}; until the next `index` a search compares all {count:,} {kind}")
    open_index(catalog, kind, model_id, dim, verify=True)


def kinds_with_index(catalog: CatalogReader, model_id: int) -> tuple[VectorKind, ...]:
    """Return the kinds of vectors that have an index.

    Windows of photos have one only where the library has any.
    """
    has_regions = catalog.has_regions(model_id)
    return tuple(kind for kind in VECTOR_KINDS if kind != "regions" or has_regions)


def remove_index_files(folder: Path, model_id: int, kinds: Sequence[VectorKind] = VECTOR_KINDS) -> None:
    """Delete the cache files of some kinds of a model's vectors."""
    with suppress(OSError):  # they are caches: what cannot be listed or deleted stays
        for kind in kinds:
            for file in folder.glob(f"{kind}-{model_id}.*"):
                file.unlink()


def index_bytes(folder: Path, model_id: int) -> int:
    """Return the size of the cache files of a model's vectors."""
    total = 0
    for kind in VECTOR_KINDS:
        for file in folder.glob(f"{kind}-{model_id}.*"):
            with suppress(OSError):  # deleted since it was listed
                total += file.stat().st_size
    return total


def remove_unused_files(catalog: CatalogReader, model_id: int) -> None:
    """Delete the cache files of kinds that no longer have an index."""
    used = kinds_with_index(catalog, model_id)
    unused = [kind for kind in VECTOR_KINDS if kind not in used]
    remove_index_files(catalog.path.parent, model_id, unused)

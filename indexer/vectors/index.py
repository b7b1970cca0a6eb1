"""Which index a gallery has: an exact one, or, when it is large, inverted lists beside an exact tail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from twobranch.common.progress import Progress
from twobranch.indexer.catalog.reader import GALLERIES, CatalogReader, Gallery
from twobranch.indexer.vectors.exact import index_file, open_exact
from twobranch.indexer.vectors.ivf import LargeIndex, build_lists, drifted, load_lists

# From here on a gallery is large: an exact search of so many vectors of 512 dimensions reads 0.4 GB.
LARGE = 200_000

# To measure inverted lists with: what people type is spread otherwise than photos are.
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
    """What can be searched."""

    def __len__(self) -> int: ...

    @property
    def dim(self) -> int: ...

    def vectors(self, ids: ArrayLike) -> NDArray[np.float32]: ...

    def search(
        self, queries: ArrayLike, k: int, among: ArrayLike | None = None
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]: ...


def open_index(
    catalog: CatalogReader,
    kind: Gallery,
    model_id: int,
    dim: int,
    *,
    exact: bool = False,
    verify: bool = False,
) -> Index:
    """The index over all vectors of one kind and model, as the catalogue has them now.

    ``exact`` looks at every vector whatever the size of the gallery; so does a large one whose lists are
    missing or damaged, until ``index`` builds them again. ``verify`` compares the checksums of whole files;
    else one that was damaged without a change of its time is not noticed. Raises ``LibraryError``.
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
    kind: Gallery,
    model_id: int,
    dim: int,
    encode_texts: Callable[[Sequence[str]], NDArray[np.float32]],
    progress: Progress,
) -> None:
    """Bring the files of one kind and model up to date, and build lists where they are due.

    Their checksums are compared first, which reads all of each.

    ``encode_texts`` is the model's. Raises ``LibraryError``.
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
                progress.warn(f"{error}; until the next `index` a search looks at all {count:,} {kind}")
    open_index(catalog, kind, model_id, dim, verify=True)


def remove_index_files(folder: Path, model_id: int) -> None:
    """Deletes the cache files of a model that is gone from the catalogue."""
    for kind in GALLERIES:
        for file in folder.glob(f"{kind}-{model_id}.*"):
            with suppress(OSError):
                file.unlink()

"""Which of the ranked photos or captions are shown: what is there, and what looks alike as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.reader import CatalogReader, Found, Gallery
from retrieval.folding import Fold, folds


@dataclass(frozen=True)
class Shown:
    """What is shown of a ranking: positions in it, and what the vectors there stand for, by id."""

    folds: Sequence[Fold]
    found: dict[int, Found]


def first_shown(
    ids: Sequence[int],
    top: int,
    catalog: CatalogReader,
    gallery: Gallery,
    own: frozenset[Path],
    vectors: Callable[[Sequence[int]], NDArray[np.float32]] | None,
) -> Shown:
    """The ``top`` first of ranked vectors, without photos that are ``own`` and what has left the catalogue.

    ``vectors`` gives the (n, D) vectors with these ids, to show as one what looks alike; without it nothing
    is folded. Raises ``LibraryError``.
    """
    left_out: set[int] = set()
    while True:
        kept = [at for at, id_ in enumerate(ids) if id_ not in left_out]
        if vectors is None:
            groups = [Fold(at) for at in kept[:top]]
        else:
            groups = [
                Fold(kept[group.kept], tuple(kept[at] for at in group.alike))
                for group in folds(vectors([ids[at] for at in kept]))[:top]
            ]
        # Only of these: what is behind them changes nothing about them.
        members = [ids[at] for group in groups for at in (group.kept, *group.alike)]
        found = catalog.found(gallery, members)
        gone = {id_ for id_ in members if id_ not in found or _is_own(found[id_].path, own)}
        if not gone:
            return Shown(groups, found)
        left_out |= gone


def _is_own(path: Path | None, own: frozenset[Path]) -> bool:
    return bool(own) and path is not None and path.resolve() in own

"""Collapsing of near-duplicate hits.

Ranked hits that show almost the same photo become one hit. Only their vectors are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twobranch.indexer.catalog.reader import CatalogReader, Found, Gallery

# Cosine of two photos' vectors, from benchmarks/duplicates.md. A lower limit would soon merge two weddings:
# the vectors separate topics better than moments. So only the closest frames of a burst collapse.
NEAR_DUPLICATE = 0.95
# A hit is compared with at most this many kept hits above it. Copies have nearly the same score, so their
# ranks are close. With this limit a list of 100,000 hits takes seconds, not minutes.
_COMPARED = 1000
_BLOCK = 256  # hits compared in one matrix product; one product per hit takes five times as long


@dataclass(frozen=True)
class Group:
    """A kept hit and its near-duplicates with lower ranks.

    Both are positions in the list of ranked hits.
    """

    kept: int
    duplicates: tuple[int, ...] = ()


@dataclass(frozen=True)
class Selection:
    """The groups to list, with their catalogue rows.

    ``found`` maps the id of a vector to its row.
    """

    groups: Sequence[Group]
    found: dict[int, Found]


def collapse(vectors: NDArray[np.float32], cosine: float = NEAR_DUPLICATE) -> list[Group]:
    """Group ranked hits by their (k, D) float32 unit rows, best first.

    A hit joins the first kept hit whose cosine with it is at least ``cosine``. Otherwise it is kept itself.
    So every member is close to the listed hit, not only to another member.
    """
    kept: list[int] = []
    under: dict[int, list[int]] = {}
    for start in range(0, len(vectors), _BLOCK):
        block = vectors[start : start + _BLOCK]
        others = [*kept[-_COMPARED:], *range(start, start + len(block))]
        close = block @ vectors[others].T >= cosine
        above = len(others) - len(block)
        close[:, above:] = np.tril(close[:, above:], -1)  # within the block, only the hits above
        has_any = close.any(axis=1)
        for row, position in enumerate(range(start, start + len(block))):
            # A close hit above may itself be a duplicate, or too many kept hits above by now.
            oldest = kept[-_COMPARED] if len(kept) >= _COMPARED else 0
            near = np.flatnonzero(close[row]).tolist() if has_any[row] else []
            leader = next((others[at] for at in near if others[at] in under and others[at] >= oldest), None)
            if leader is None:
                kept.append(position)
                under[position] = []
            else:
                under[leader].append(position)
    return [Group(position, tuple(under[position])) for position in kept]


def select(
    ids: Sequence[int],
    top: int,
    catalog: CatalogReader,
    gallery: Gallery,
    own: frozenset[Path],
    vectors: Callable[[Sequence[int]], NDArray[np.float32]] | None,
) -> Selection:
    """Select the first ``top`` groups of ranked vectors.

    Left out are the photos in ``own``, and vectors that are no longer in the catalogue. ``vectors`` returns
    the (n, D) vectors of some ids, to collapse near-duplicates; with None nothing is collapsed. Raises
    ``LibraryError``.
    """
    left_out: set[int] = set()
    while True:
        kept = [at for at, id_ in enumerate(ids) if id_ not in left_out]
        if vectors is None:
            groups = [Group(at) for at in kept[:top]]
        else:
            groups = [
                Group(kept[group.kept], tuple(kept[at] for at in group.duplicates))
                for group in collapse(vectors([ids[at] for at in kept]))[:top]
            ]
        # Only these are looked up: vectors with lower ranks do not change the groups.
        members = [ids[at] for group in groups for at in (group.kept, *group.duplicates)]
        found = catalog.found(gallery, members)
        gone = {id_ for id_ in members if id_ not in found or _is_own(found[id_].path, own)}
        if not gone:
            return Selection(groups, found)
        left_out |= gone


def _is_own(path: Path | None, own: frozenset[Path]) -> bool:
    return bool(own) and path is not None and path.resolve() in own

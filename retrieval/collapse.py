"""Collapsing of near-duplicate hits.

Ranked hits that show almost the same photo become one hit. Only their vectors are compared. Pictures of text
become one hit only if their vectors are equal, as those of copies of a file are: the vectors of two receipts
are almost the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twobranch.indexer.catalog.reader import CatalogReader, Found, Gallery

# Cosine of two photos' vectors in the shipped model, from benchmarks/duplicates.md. A lower limit would soon
# merge two weddings: the vectors separate topics better than moments. So only the closest frames of a burst
# collapse.
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


@dataclass(frozen=True)
class Comparison:
    """The functions that collapsing compares photos with."""

    vectors: Callable[[Sequence[int]], NDArray[np.float32]]  # of n ids: (n, D)
    is_text: Callable[[NDArray[np.float32]], NDArray[np.bool_]]  # of (n, D) vectors: (n,) pictures of text
    cosine: float = NEAR_DUPLICATE  # of near-duplicates, in the model

    def groups(self, ids: Sequence[int]) -> list[Group]:
        """Group ranked photos by the ids of their vectors."""
        vectors = self.vectors(ids)
        groups = collapse(vectors, self.cosine)
        if not any(group.duplicates for group in groups):  # the usual case, without a look at text
            return groups
        is_text = self.is_text(vectors)
        if not is_text.any():
            return groups
        return collapse(vectors, self.cosine, text_kinds(vectors, is_text))


def text_kinds(vectors: NDArray[np.float32], is_text: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return (k,) kinds for ``collapse``.

    Equal pictures of text share one; all other photos have 0.
    """
    kinds = np.zeros(len(vectors), dtype=np.int64)
    numbers: dict[bytes, int] = {}
    for position in np.flatnonzero(is_text).tolist():
        kinds[position] = numbers.setdefault(vectors[position].tobytes(), len(numbers) + 1)
    return kinds


def collapse(
    vectors: NDArray[np.float32], cosine: float = NEAR_DUPLICATE, kinds: NDArray[np.int64] | None = None
) -> list[Group]:
    """Group ranked hits by their (k, D) float32 unit rows, best first.

    A hit joins the first kept hit whose cosine with it is at least ``cosine``, and which has the same one of
    the (k,) ``kinds``. Otherwise it is kept itself. So every member is close to the listed hit, not only to
    another member.
    """
    kept: list[int] = []
    under: dict[int, list[int]] = {}
    for start in range(0, len(vectors), _BLOCK):
        block = vectors[start : start + _BLOCK]
        others = [*kept[-_COMPARED:], *range(start, start + len(block))]
        close = block @ vectors[others].T >= cosine
        if kinds is not None:
            close &= kinds[start : start + len(block), None] == kinds[others]
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
    comparison: Comparison | None,
) -> Selection:
    """Select the first ``top`` groups of ranked vectors.

    Left out are the photos in ``own``, and vectors that are no longer in the catalogue. Near-duplicates are
    collapsed by ``comparison``; with None nothing is collapsed. Raises ``LibraryError``.
    """
    left_out: set[int] = set()
    while True:
        kept = [at for at, id_ in enumerate(ids) if id_ not in left_out]
        if comparison is None:
            groups = [Group(at) for at in kept[:top]]
        else:
            groups = [
                Group(kept[group.kept], tuple(kept[at] for at in group.duplicates))
                for group in comparison.groups([ids[at] for at in kept])[:top]
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

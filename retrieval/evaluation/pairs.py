"""The captions and photos that an evaluation asks for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twobranch.common.errors import UserError
from twobranch.indexer.captionfiles.corpus import canonical_split, split_members
from twobranch.indexer.captionfiles.texts import text_key
from twobranch.indexer.catalog.evaluations import PairRow, count_linked_captions, encoded_pairs
from twobranch.indexer.catalog.tables import Model, Session
from twobranch.indexer.catalog.vectors import texts_of_vectors
from twobranch.indexer.update.models import index_command


@dataclass(frozen=True)
class Pairs:
    """Captions and their photos, as ids of vectors.

    A caption and a photo are positives if they have the same item, which is the photo's id. Photos with the
    same content are one item, with the id of the first: the model cannot tell them apart.
    """

    caption_vectors: NDArray[np.int64]  # (C,)
    caption_items: NDArray[np.int64]  # (C,)
    image_vectors: NDArray[np.int64]  # (I,)
    image_items: NDArray[np.int64]  # (I,)
    split: str | None
    caption_ids: NDArray[np.int64]  # (C,) of the captions' rows: a vector may go over to an equal caption


@dataclass(frozen=True)
class ModelPairs:
    """A model with its vectors of the pairs of an evaluation."""

    model: Model
    pairs: Pairs
    missing: int  # captions that another one has, with their photos, and that this one lacks
    known: int  # captions that any of the models has


def pairs_of_models(session: Session, models: Sequence[Model], split: str | None) -> list[ModelPairs]:
    """Return the pairs of a split that every model has encoded.

    Each comes once. Their captions and photos both have a vector under each model. The queries, their items
    and their order are the same for all. Raises ``UserError`` if there are no such pairs.
    """
    name = canonical_split(split) if split is not None else None
    splits = None if name is None else split_members(name)
    tables = [
        {(row.caption_id, row.image_id): row for row in encoded_pairs(session, model.id, splits)}
        for model in models
    ]
    known = set().union(*tables)
    if not known:
        raise UserError(_no_pairs(session, split))
    shared = [key for key in tables[0] if all(key in table for table in tables)]
    if not shared:
        fewest = min(zip(tables, models, strict=True), key=lambda pair: len(pair[0]))[1]
        raise UserError(
            f"no captioned photo has vectors of all of {', '.join(model.label for model in models)}; "
            f"complete those of {fewest.label} with `{index_command(fewest)}`"
        )
    return [
        ModelPairs(
            model, _pairs(session, [table[key] for key in shared], name), len(known) - len(table), len(known)
        )
        for model, table in zip(models, tables, strict=True)
    ]


def _pairs(session: Session, rows: Sequence[PairRow], split: str | None) -> Pairs:
    pairs = _without_copies(session, rows)
    items = np.array([item for item, _ in pairs], dtype=np.int64)
    image_items, first = np.unique(items, return_index=True)
    only = {row.split for _, row in pairs}
    return Pairs(
        np.array([row.caption_vector for _, row in pairs], dtype=np.int64),
        items,
        np.array([row.image_vector for _, row in pairs], dtype=np.int64)[first],
        image_items,
        split if split is not None else (only.pop() if len(only) == 1 else None),
        np.array([row.caption_id for _, row in pairs], dtype=np.int64),
    )


def _without_copies(session: Session, rows: Sequence[PairRow]) -> list[tuple[int, PairRow]]:
    """Return pairs with their items.

    Copies of a photo are one item, and have each text once.
    """
    photos: dict[bytes | None, set[int]] = defaultdict(set)
    for row in rows:
        photos[row.content].add(row.image_id)
    copied = {content for content, ids in photos.items() if content is not None and len(ids) > 1}
    if not copied:
        return [(row.image_id, row) for row in rows]
    vectors = [row.caption_vector for row in rows if row.content in copied]
    texts = texts_of_vectors(session, vectors)
    pairs, seen = [], set()
    for row in rows:
        if row.content not in copied:
            pairs.append((row.image_id, row))
            continue
        item = min(photos[row.content])
        key = item, text_key(texts[row.caption_vector])
        if key not in seen:
            seen.add(key)
            pairs.append((item, row))
    return pairs


def _no_pairs(session: Session, split: str | None) -> str:
    counts = count_linked_captions(session)
    if not counts:
        return "no photo of this library has a caption; add them with `index PHOTOS --captions FILE`"
    there = ", ".join(f"{name or 'no split'} ({count:,} captions)" for name, count in counts)
    return f"no captioned photos in the split {split!r}; there are: {there}"

"""Statements about stored evaluations and the pairs behind them."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import selectinload

from twobranch.indexer.catalog.tables import (
    Caption,
    CaptionVector,
    Evaluation,
    Image,
    ImageVector,
    Session,
)

# The caption that a row is, or that it repeats: each file may name another split.
_CAPTION = func.coalesce(Caption.same_as, Caption.id)


class PairRow(NamedTuple):
    """A caption and its photo, both with a vector."""

    caption_vector: int
    caption_id: int
    image_id: int
    image_vector: int
    content: bytes | None  # hash of the photo's file
    split: str | None  # that any caption file names


def evaluation_history(session: Session) -> list[Evaluation]:
    """Return every evaluation, the oldest first, with its directions and recalls."""
    query = select(Evaluation).options(selectinload(Evaluation.directions), selectinload(Evaluation.recalls))
    return list(session.scalars(query.order_by(Evaluation.id)))


def count_evaluations(session: Session) -> int:
    """Return the number of stored evaluations."""
    return session.scalar(select(func.count()).select_from(Evaluation)) or 0


def encoded_pairs(session: Session, model_id: int, splits: Collection[str | None] | None) -> list[PairRow]:
    """Return the pairs that a model has encoded, by rising caption vectors.

    With ``splits`` only those of these splits. A caption that several files have is in all of their splits.
    """
    query = (
        select(
            CaptionVector.id,
            CaptionVector.caption_id,
            Image.id,
            ImageVector.id,
            Image.content_hash,
            func.max(Caption.split),
        )
        .join(Caption, CaptionVector.caption_id == _CAPTION)
        .join(Image, Image.id == Caption.image_id)
        .join(ImageVector, ImageVector.image_id == Image.id)
        .where(CaptionVector.model_id == model_id, ImageVector.model_id == model_id)
        .group_by(CaptionVector.id)
        .order_by(CaptionVector.id)
    )
    if splits is not None:
        query = query.where(Caption.split.in_(splits))
    return list(map(PairRow._make, session.execute(query)))


def count_pairs_by_split(session: Session, model_id: int) -> list[tuple[str | None, int, int]]:
    """Return (split, captions, photos) of a model's pairs, the largest split last."""
    query = (
        select(Caption.split, func.count(_CAPTION.distinct()), func.count(Caption.image_id.distinct()))
        .join(CaptionVector, CaptionVector.caption_id == _CAPTION)
        .join(ImageVector, ImageVector.image_id == Caption.image_id)
        .where(CaptionVector.model_id == model_id, ImageVector.model_id == model_id)
        .group_by(Caption.split)
        .order_by(func.count(_CAPTION.distinct()))
    )
    return [(split, captions, photos) for split, captions, photos in session.execute(query)]


def count_linked_captions(session: Session) -> list[tuple[str | None, int]]:
    """Return (split, captions) of the captions that are linked to a photo."""
    query = select(Caption.split, func.count(_CAPTION.distinct())).where(Caption.image_id.is_not(None))
    return [(split, count) for split, count in session.execute(query.group_by(Caption.split))]

"""Hits from ranked photos or captions and their catalogue rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from twobranch.indexer.catalog.reader import CatalogReader, Found
from twobranch.retrieval.collapse import Group, Selection
from twobranch.retrieval.fusion import FusedRanking, SearchedPhotos
from twobranch.retrieval.hits import Hit
from twobranch.retrieval.regions import PixelBox, lifting, pixel_box
from twobranch.retrieval.verdict import Judge


def made_hits(
    catalog: CatalogReader,
    ranked: FusedRanking,
    selected: Selection,
    searched: SearchedPhotos,
    judge: Judge,
    first_rank: int = 1,
) -> list[Hit]:
    """Make the selected hits, with ranks from the first one on.

    They have a confidence if the model is calibrated for such queries.
    """
    ids = [int(ranked.ids[group.kept]) for group in selected.groups]
    scores = [float(ranked.scores[group.kept]) for group in selected.groups]
    worded = [selected.found[id_].photo for id_ in ids if id_ in ranked.words]
    fields = catalog.fields_with_words(ranked.forms, [id_ for id_ in worded if id_ is not None])
    # Names with some of the words lift a photo in the ranking as much, but count less as a match.
    worded_scores = [ranked.known * ranked.words.get(id_, 0.0) for id_ in ids]
    verdict = judge.verdict(searched.vector, scores, worded_scores)
    regions = _regions(searched, [selected.found[id_] for id_ in ids], scores)
    hits = []
    for at, (id_, score, group) in enumerate(zip(ids, scores, selected.groups, strict=True)):
        item = selected.found[id_]
        hits.append(
            replace(
                plain_hit(first_rank + at, score, id_, item),
                confidence=None if verdict is None else verdict.confidences[at],
                tier=None if verdict is None else verdict.tiers[at],
                words=ranked.words.get(id_),
                matched=fields.get(item.photo or 0, ()),
                alike=_alike(ranked, selected, group),
                region=regions[at],
            )
        )
    return hits


def plain_hit(rank: int, score: float | None, id_: int, item: Found) -> Hit:
    """Make the hit of a vector from its catalogue row."""
    return Hit(
        rank,
        score,
        item.path,
        item.caption,
        id=id_,
        date=item.date,
        date_from=item.date_from,
        photo=item.photo,
        width=item.width,
        height=item.height,
        content=item.content,
        latitude=item.latitude,
        longitude=item.longitude,
        rating=item.rating,
        favourite=item.favourite,
    )


def _regions(
    searched: SearchedPhotos, items: Sequence[Found], scores: Sequence[float]
) -> list[PixelBox | None]:
    """Return the windows that gave photos their scores, in pixels."""
    if searched.regions is None:
        return [None] * len(items)
    photos = [item.photo for item in items if item.photo is not None]
    windows = searched.regions.of_photos(searched.vector, photos)
    found: list[PixelBox | None] = []
    for item, score in zip(items, scores, strict=True):
        part = lifting(windows.get(item.photo or 0), score)
        if part is None or item.width is None or item.height is None:
            found.append(None)
        else:
            found.append(pixel_box(part, item.width, item.height))
    return found


def _alike(ranked: FusedRanking, selected: Selection, group: Group) -> tuple[Path, ...]:
    """Return the paths of a hit's near-duplicates."""
    paths = (selected.found[int(ranked.ids[at])].path for at in group.duplicates)
    return tuple(path for path in paths if path is not None)

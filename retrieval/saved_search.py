"""Saved searches as requests.

They are kept as the parameters of an address, the same for the page and the command line: see
``server.api.search.SearchParameters``. What only concerns the look of the page is left out here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import get_args
from urllib.parse import parse_qs, urlencode

from twobranch.common.errors import UserError
from twobranch.indexer.catalog.reader import GALLERIES
from twobranch.retrieval.filter_syntax import parse_filters
from twobranch.retrieval.fusion import Ranking
from twobranch.retrieval.query import Query
from twobranch.retrieval.request import HitOrder, PhotoFeedback, SearchRequest

_RANKINGS: tuple[Ranking, ...] = get_args(Ranking)
_ORDERS: tuple[HitOrder, ...] = get_args(HitOrder)
_NO = ("false", "0", "no", "off")
Values = Mapping[str, str | Sequence[str] | bool | float | None]


def saved_query(query: Query, options: Values) -> str:
    """Return a search as the parameters of an address.

    ``options`` are parameters besides the words; those of None, False or "" are left out. Raises
    ``UserError`` for a query with photos.
    """
    if query.photos or query.items:
        raise UserError("a search with photos cannot be saved; save one of words and filters")
    given: dict[str, object] = {}
    for name, value in {"q": str(query), **options}.items():
        if value not in (None, False, "", 0.0):
            given[name] = "true" if value is True else value
    return urlencode(given, doseq=True, errors="replace")


def saved_request(query: str, top: int) -> SearchRequest:
    """Return the request of a saved search.

    Raises ``UserError`` for parameters that cannot be understood.
    """
    values = parse_qs(query, max_num_fields=200)

    def last(name: str) -> str | None:
        return values[name][-1] if name in values else None

    def is_on(name: str) -> bool:
        return (last(name) or "").lower() not in _NO

    if "picture" in values or "box" in values:
        raise UserError("this search was saved with a picture; run it on the page")
    words = (last("q") or "").strip()
    photos = PhotoFeedback(_ids(values.get("like", ())), _ids(values.get("unlike", ())))
    filters = parse_filters(
        after=last("after"),
        before=last("before"),
        paths=values.get("path"),
        not_paths=values.get("not_path"),
        cameras=values.get("camera"),
        near=last("near"),
        within=last("within"),
        shapes=values.get("shape", ()),
        min_size=last("min_size"),
        formats=values.get("format"),
        albums=values.get("album"),
        rating=last("rating"),
        favourite=is_on("favourite") if "favourite" in values else None,
        day=last("day"),
        places=values.get("place"),
    )
    return SearchRequest(
        words=(words,) if words else (),
        files=False,
        feedback=photos if photos.liked or photos.disliked else None,
        filters=filters,
        gallery=next((gallery for gallery in GALLERIES if gallery == last("in")), "images"),
        top=top,
        min_confidence=_share(last("min_confidence") or "0"),
        sort=next((order for order in _ORDERS if order == last("sort")), "relevance"),
        collapse=is_on("fold"),
        ranking=next((ranking for ranking in _RANKINGS if ranking == last("ranking")), "fused"),
        correct=is_on("correct"),
        dates=is_on("dates"),
        language=last("language"),
    )


def _ids(texts: Sequence[str]) -> tuple[int, ...]:
    return tuple(int(text) for text in texts if text.isascii() and text.isdecimal() and len(text) < 19)


def _share(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        raise UserError(f"{text!r} is no probability; a saved search has one from 0 to 1") from None

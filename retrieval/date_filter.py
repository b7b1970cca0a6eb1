"""The date in a query's words as a filter."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import Any

from twobranch.common.errors import UserError
from twobranch.embedding.language import language_of
from twobranch.indexer.catalog.filters import NamedDates
from twobranch.indexer.catalog.reader import CatalogReader, Gallery
from twobranch.retrieval.date_spans import Span
from twobranch.retrieval.date_words import Reading, read_dates
from twobranch.retrieval.query import ONLY_DISLIKED, Query
from twobranch.retrieval.terms import ItemTerm, TextTerm


@dataclass(frozen=True)
class DateWords:
    """Words of a query that name dates.

    If they are not ``used``, no photo is of those dates, and the words were searched for instead.
    """

    dates: NamedDates
    used: bool = True

    def __str__(self) -> str:
        """The words and their span.

        As in "june 2020 = 2020-06-01 to 2020-07-01"; the end is exclusive.
        """
        after, before = (moment and moment.date() for moment in (self.dates.after, self.dates.before))
        return f"{self.dates.words} = {Span(after, before, self.dates.yearly)}"

    def as_json(self) -> dict[str, Any]:
        """Return the words as JSON data. ``before`` is exclusive."""
        after, before = (
            moment and moment.date().isoformat() for moment in (self.dates.after, self.dates.before)
        )
        yearly = None if self.dates.yearly is None else list(self.dates.yearly)
        return {
            "words": self.dates.words,
            "after": after,
            "before": before,
            "yearly": yearly,
            "used": self.used,
        }


def with_dates(query: Query, today: date, *, texts: bool) -> Query:
    """Return the query with the date in its words as a filter.

    It is the same query if its words name no date or several, if it has a filter by date, or if only negative
    terms would be left, except dislikes. With ``texts`` a photo also passes by its names, keywords and
    captions.
    """
    if query.filters.after or query.filters.before or query.filters.dates:
        return query
    readings = [
        (at, reading)
        for at, term in enumerate(query.terms)
        if isinstance(term, TextTerm) and term.weight > 0
        and (reading := read_dates(term.text, query.language or language_of(term.text), today))
    ]  # fmt: skip
    if len(readings) != 1:
        return query
    ((at, reading),) = readings
    term = query.terms[at]
    assert isinstance(term, TextTerm)
    left = (replace(term, text=reading.rest),) if reading.rest else ()
    terms = (*query.terms[:at], *left, *query.terms[at + 1 :])
    filters = replace(query.filters, dates=_named(reading, texts))
    language = query.language if any(isinstance(term, TextTerm) for term in terms) else None
    dated = Query(terms, filters, language)
    only_negative = bool(terms) and all(term.weight <= 0 for term in terms)
    return query if only_negative and not _has_only_dislikes(dated) else dated


def date_words(
    query: Query, dated: Query, gallery: Gallery, catalog: CatalogReader, model_id: int
) -> tuple[Query, DateWords | None]:
    """Return the query to search for, and its words for dates.

    It is ``dated`` unless its filters let no photo through, while those of ``query`` do. Raises
    ``LibraryError``, and ``UserError`` if only disliked hits are left beside the dates.
    """
    dates = dated.filters.dates
    if dates is None:
        return query, None
    if (
        dated != query
        and not catalog.any_matching(gallery, model_id, dated.filters)
        and catalog.any_matching(gallery, model_id, query.filters)
    ):
        return query, DateWords(dates, used=False)
    if _has_only_dislikes(dated):
        raise UserError(ONLY_DISLIKED)
    return dated, DateWords(dates)


def _has_only_dislikes(query: Query) -> bool:
    terms = query.terms
    return bool(terms) and all(isinstance(term, ItemTerm) and term.weight < 0 for term in terms)


def _named(reading: Reading, texts: bool) -> NamedDates:
    span = reading.span
    texts_found = reading.texts if texts else ()
    return NamedDates(reading.words, _midnight(span.after), _midnight(span.before), span.yearly, texts_found)


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time())

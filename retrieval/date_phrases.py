"""Single dates in a query, such as "june 2020", "last week", "2019".

A month needs a year, a preposition or nothing else beside it; seasons and holidays need a year or "last".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Literal

from twobranch.retrieval.date_names import Name, english_month
from twobranch.retrieval.date_spans import (
    Span,
    a_day,
    a_holiday,
    a_month,
    a_season,
    a_weekday,
    a_weekend,
    a_year,
    days_ago,
    every_day,
    every_month,
    latest,
    seasons_of,
)
from twobranch.retrieval.date_tokens import AMBIGUOUS_MONTHS, AMBIGUOUS_NAMES, TokenizedText

Texts = tuple[tuple[str, ...], ...]
_OWNS = re.compile(r"['’]s\b")  # "today's newspaper" is no photo of today
_YEARS = re.compile(r"(\d{4})[-–](\d{4})")
_WINTER = re.compile(r"(\d{4})[-–/](\d\d(?:\d\d)?)")
_NUMERIC = re.compile(
    r"(?P<y>\d{4})-(?P<m>\d{1,2})(?:-(?P<d>\d{1,2}))?|(?P<D>\d{1,2})\. ?(?P<M>\d{1,2})\. ?(?P<Y>\d{4})"
)


@dataclass(frozen=True)
class Phrase:
    """A date in the tokens from ``start`` to ``end``.

    ``texts`` are words of which a name or caption has one of each, if it is about that date. One that
    ``is_range`` has words for both of its ends, as in "2018 to 2020", and no ``texts``.
    """

    start: int
    end: int
    span: Span
    texts: Texts = ()
    is_range: bool = False


def read_phrase(text: TokenizedText, at: int) -> Phrase | None:
    """Read the date that begins at a token. Raises ``ValueError`` for a day that does not exist."""
    if not text.word(at):
        return None
    rules = (_numeric, read_calendar, _named, _last, _relative, _lone_year)
    phrase = next((found for rule in rules if (found := rule(text, at)) is not None), None)
    return None if phrase is None or _owns(text, phrase) else phrase


def read_calendar(text: TokenizedText, at: int) -> Phrase | None:
    """Read june 2020, 2020 june, 14 june 2020, june 14th, in june."""
    start, leading = at, _leading_year(text, at)
    year, at = leading or (None, at)
    day = text.day(at)
    at = text.past_of(at + 1) if day else at
    found = text.name(at, "month")
    if found is None or (text.word(at) in AMBIGUOUS_MONTHS and (year or text.is_counted(at))):
        return None
    name, end = found
    month, word = int(name.value), text.tokens[at].raw.lower()
    if not day and (day := text.day(end)):
        end += 1
    if year is None:
        year, end = _year_behind(text, end, word) or (None, end)
    texts: Texts = (
        _either(word, english_month(month)),
        *((_either(str(day), f"{day:02}"),) if day else ()),
    )
    if year is not None:
        span = a_day(year, month, day) if day else a_month(year, month)
        return Phrase(start, end, span, (*texts, (str(year),)))
    if name.is_short or not text.stands_for_month(start, end):
        return None
    return Phrase(start, end, every_day(month, day) if day else every_month(month), texts)


def _numeric(text: TokenizedText, at: int) -> Phrase | None:
    """Read 2020-06, 2020-06-14, 14.6.2020, 2018-2020."""
    word = text.word(at)
    years = _YEARS.fullmatch(word)
    if years and text.is_year(years[1]) and text.is_year(years[2]) and years[1] < years[2]:
        return Phrase(
            at, at + 1, Span(date(int(years[1]), 1, 1), date(int(years[2]) + 1, 1, 1)), is_range=True
        )
    match = _NUMERIC.fullmatch(word)
    if match is None:
        return None
    year, month, day = match["y"] or match["Y"], int(match["m"] or match["M"]), match["d"] or match["D"]
    if not text.is_year(year):
        return None
    texts = ((year,), (f"{month:02}",), *(((f"{int(day):02}",),) if day else ()))
    span = a_day(int(year), month, int(day)) if day else a_month(int(year), month)
    return Phrase(at, at + 1, span, texts)


def _named(text: TokenizedText, at: int) -> Phrase | None:
    """Read summer 2019, 2019 summer, christmas 2018, winter 2018/19."""
    start, leading = at, _leading_year(text, at)
    year, at = leading or (None, at)
    found = text.name(at, "season", "holiday")
    if found is None or found[0].value == "weekend" or text.is_no_season(at, found[1], year is not None):
        return None
    name, end = found
    word = text.raw[text.tokens[at].start : text.tokens[end - 1].end].lower()
    if year is None:
        behind = text.past_of(end)
        if name.value == "winter" and (first := _winter(text, behind)):
            return Phrase(start, behind + 1, a_season("winter", first))
        dated = _year_behind(text, end, word)
        if dated is None:
            return None
        year, end = dated
    span = (seasons_of if name.kind == "season" else a_holiday)(str(name.value), year)
    return Phrase(start, end, span, (*((one,) for one in word.split()), (str(year),)))


def _last(text: TokenizedText, at: int) -> Phrase | None:
    """Read last summer, this christmas, l'été dernier, last june, letzten Monat."""
    word, start = text.word(at), at
    which: Literal["last", "this"] | None = None
    if word in text.small.last or word in text.small.this:
        which = "last" if word in text.small.last else "this"
    found = text.name(at + (which is not None))
    if found is None:
        return None
    name, end = found
    if which is not None and text.is_no_season(at + 1, end, True):
        return None
    if which is None and text.word(end) in text.small.last_behind:
        which, end = "last", end + 1
    if which is None or name.is_short or (which == "this" and name.kind == "month"):
        return None  # "this may be a dog"
    return Phrase(start, end, _latest(text, name, which))


def _relative(text: TokenizedText, at: int) -> Phrase | None:
    """Read yesterday, last week, this year."""
    found = text.name(at, "relative")
    if found is None:
        return None
    unit, distance = str(found[0].value).split()
    return Phrase(at, found[1], days_ago(unit, int(distance), text.today))


def _lone_year(text: TokenizedText, at: int) -> Phrase | None:
    """Read 2019, but neither "a 1957 chevrolet" nor "2000 people"."""
    year = text.year(at)
    if year is None or text.word(at - 1) in text.small.one - text.small.during:
        return None
    if text.word(at + 1) in text.small.to | text.small.and_ and text.year(at + 2):
        return Phrase(at, at + 1, a_year(year), ((str(year),),))
    if year % 100 == 0 and text.word(at + 1) and text.word(at - 1) not in text.small.during:
        return None
    return Phrase(at, at + 1, a_year(year), ((str(year),),))


def _year_behind(text: TokenizedText, at: int, name: str) -> tuple[int, int] | None:
    """Find the year behind a name.

    Such as that of "june of 2020", "june '20", "june last year". The second is the token after it.
    """
    for _ in range(4):
        if (year := text.year(at) or text.short_year(at)) is not None:
            return year, at + 1
        if (relative := _relative_year(text, at)) is not None:
            return relative
        is_in = text.word(at) in text.small.during and name not in AMBIGUOUS_NAMES
        if not is_in and text.word(at) not in text.small.around:
            return None
        at += 1
    return None


def _leading_year(text: TokenizedText, at: int) -> tuple[int, int] | None:
    """Find the year before a name.

    Such as that of "2020 june", "last year in june". The second is the token of the name.
    """
    year = text.year(at)
    if year is not None:
        return year, at + 1
    relative = _relative_year(text, at)
    if relative is None:
        return None
    year, at = relative
    while text.word(at) and text.word(at) in text.small.during | text.small.around:
        at += 1
    return year, at


def _relative_year(text: TokenizedText, at: int) -> tuple[int, int] | None:
    """Find "last year" or "this year", as a number. The second is the token after it."""
    phrase = _relative(text, at) or _last(text, at)
    if phrase is None or phrase.span.after is None or _owns(text, phrase):
        return None
    year = phrase.span.after.year
    return (year, phrase.end) if phrase.span == a_year(year) else None


def _winter(text: TokenizedText, at: int) -> int | None:
    """Read the first year of 2018/19."""
    winter = _WINTER.fullmatch(text.word(at))
    if winter is None or not text.is_year(winter[1]):
        return None
    return int(winter[1]) if str(int(winter[1]) + 1).endswith(winter[2]) else None


def _latest(text: TokenizedText, name: Name, which: Literal["last", "this"]) -> Span:
    """Return the last or the current span of a name."""
    value = str(name.value)
    if name.kind == "unit":
        return days_ago(value, int(which == "last"), text.today)
    if name.kind == "day":
        return a_weekday(int(name.value), text.today, which)
    if value == "weekend":
        return a_weekend(text.today, which)
    if name.kind == "month":
        return latest(lambda year: a_month(year, int(name.value)), text.today, which)
    of_year = a_season if name.kind == "season" else a_holiday
    return latest(lambda year: of_year(value, year), text.today, which)


def _owns(text: TokenizedText, phrase: Phrase) -> bool:
    """True for the today of "today's"."""
    return _OWNS.match(text.raw, text.tokens[phrase.end - 1].end) is not None


def _either(*words: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))

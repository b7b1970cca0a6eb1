"""Dates in the words of a query.

Such as "beach summer 2019", "last christmas", "photos from march". A wrong filter hides photos, so
words in doubt are left alone: a month needs a year, a preposition or nothing else beside it; seasons and
holidays need a year or "last"; and a text with two dates has none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Literal

from twobranch.retrieval.date_names import Name, english_month, find_foreign_name, find_name, particles, plain
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

Texts = tuple[tuple[str, ...], ...]
_FIRST_YEAR = 1900  # photos with an earlier date are scans, whose names say it
_TOKEN = re.compile(
    r"\d{4}[-–]\d{4}|\d{4}-\d{1,2}(?:-\d{1,2})?|\d{1,2}\.\d{1,2}\.\d{4}|\d{4}/\d{2,4}|[^\W_]+"
)
# A word of a date stands alone: the 2019 of "IMG_2019", "$2019" and "2019.jpg" does not.
_MAY_PRECEDE = re.compile(r"[\s(\[\"'’,]?")
_MAY_FOLLOW = re.compile(r"$|['’]|[.,;:!?)\]\"]*(?:\s|$)")
_PAIRS = ("()", "[]", '""', "''")
_OWNS = re.compile(r"['’]s\b")  # "today's newspaper" is no photo of today
_YEARS = re.compile(r"(\d{4})[-–](\d{4})")
_WINTER = re.compile(r"(\d{4})/(?:\d\d)?(\d\d)")
_NUMERIC = re.compile(
    r"(?P<y>\d{4})-(?P<m>\d{1,2})(?:-(?P<d>\d{1,2}))?|(?P<D>\d{1,2})\.(?P<M>\d{1,2})\.(?P<Y>\d{4})"
)
_DAY = re.compile(r"(\d{1,2})(?:st|nd|rd|th|er|º)?")
_OTHER_WORDS = frozenset({"may", "march", "mars"})  # not alone, and not after a year: "in 2019 may ..."


@dataclass(frozen=True)
class Reading:
    """A text with the words from ``start`` to ``end`` read as dates.

    ``texts`` are words of which a name or caption has one of each, if it is about those dates.
    """

    text: str
    start: int
    end: int
    span: Span
    texts: Texts = ()

    @property
    def words(self) -> str:
        """The words that were read as dates."""
        return self.text[self.start : self.end]

    @property
    def rest(self) -> str:
        """The other words, without brackets or quotes around the date alone."""
        before, after = self.text[: self.start].strip(" ,"), self.text[self.end :].strip(" ,")
        while before and after and before[-1] + after[0] in _PAIRS:
            before, after = before[:-1].rstrip(" ,"), after[1:].lstrip(" ,")
        return " ".join(part for part in (before, after) if part)


@dataclass(frozen=True)
class _Token:
    raw: str
    plain: str
    start: int
    end: int
    is_free: bool  # not part of a name or number


@dataclass(frozen=True)
class _Phrase:
    """A date in the tokens from ``start`` to ``end``."""

    start: int
    end: int
    span: Span
    texts: Texts = ()


def read_dates(text: str, language: str, today: date) -> Reading | None:
    """Read the date that a text names.

    It is in ``language``, a code of ``embedding.language``, or in English. None if the text names none or
    several, or one after today's year.
    """
    return _Text(text, language, today).read()


class _Text:
    """The tokens of a text, read as dates from a place on."""

    def __init__(self, text: str, language: str, today: date) -> None:
        self.text = text
        self.language = language
        self.today = today
        self.small = particles(language)
        self.tokens = [_token(text, match) for match in _TOKEN.finditer(text)]
        self.plain = [token.plain if token.is_free else "" for token in self.tokens]

    def read(self) -> Reading | None:
        try:
            phrases = list(self._phrases())
        except ValueError:  # 30 February
            return None
        if len(phrases) != 1 or self._word(phrases[0].start - 1) in self.small.to - self.small.until:
            return None  # "june to august 2019" is not August
        phrase = self._with_particles(phrases[0])
        others = [*self.plain[: phrase.start], *self.plain[phrase.end :]]
        if all(word and word in self._empty for word in others):
            return Reading(self.text, 0, len(self.text), phrase.span, phrase.texts)
        start, end = self.tokens[phrase.start].start, self.tokens[phrase.end - 1].end
        return Reading(self.text, start, end, phrase.span, phrase.texts)

    @cached_property
    def _empty(self) -> frozenset[str]:
        """Words that leave nothing to search for."""
        return self.small.photos | self.small.during | self.small.around | self.small.one

    def _phrases(self) -> Iterator[_Phrase]:
        """Yield all dates, from left to right."""
        at = 0
        while at < len(self.tokens):
            phrase = self._phrase(at)
            if phrase is None:
                at += 1
                continue
            until = (
                self._phrase(phrase.end + 1)
                if self._word(phrase.end) in self.small.to | self.small.until
                else None
            )
            if until and phrase.span.after and until.span.before and phrase.span.after < until.span.before:
                span = Span(phrase.span.after, until.span.before)
                phrase = _Phrase(phrase.start, until.end, span)
            yield phrase
            at = phrase.end

    def _phrase(self, at: int) -> _Phrase | None:
        """Read the date that begins at a token. Raises ``ValueError`` for a day that does not exist."""
        if not self._word(at):
            return None
        rules: tuple[Callable[[int], _Phrase | None], ...] = (
            self._numeric, self._calendar, self._named, self._last, self._relative, self._lone_year
        )  # fmt: skip
        phrase = next((found for rule in rules if (found := rule(at)) is not None), None)
        if phrase is None or _OWNS.match(self.text, self.tokens[phrase.end - 1].end):
            return None
        return phrase

    def _with_particles(self, phrase: _Phrase) -> _Phrase:
        """Add the words before a date that belong to it.

        Such as "since" and "in the".
        """
        start = phrase.start
        while self._word(start - 1) in self.small.around | self.small.during:
            start -= 1
        word, span = self._word(start - 1), phrase.span
        if span.yearly is None and word:
            if word in self.small.since:
                return _Phrase(start - 1, phrase.end, Span(after=span.after))
            if word in self.small.before:
                return _Phrase(start - 1, phrase.end, Span(before=span.after))
            if word in self.small.after:
                return _Phrase(start - 1, phrase.end, Span(after=span.before))
            if word in self.small.until:
                return _Phrase(start - 1, phrase.end, Span(before=span.before))
        return replace(phrase, start=start)

    # --- rules: each reads one form of a date that begins at a token ---------------------------------

    def _numeric(self, at: int) -> _Phrase | None:
        """2020-06, 2020-06-14, 14.6.2020, 2018-2020."""
        word = self._word(at)
        years = _YEARS.fullmatch(word)
        if years and self._is_year(years[1]) and self._is_year(years[2]) and years[1] < years[2]:
            return _Phrase(at, at + 1, Span(date(int(years[1]), 1, 1), date(int(years[2]) + 1, 1, 1)))
        match = _NUMERIC.fullmatch(word)
        if match is None:
            return None
        year, month, day = match["y"] or match["Y"], int(match["m"] or match["M"]), match["d"] or match["D"]
        if not self._is_year(year):
            return None
        texts = ((year,), (f"{month:02}",), *(((f"{int(day):02}",),) if day else ()))
        span = a_day(int(year), month, int(day)) if day else a_month(int(year), month)
        return _Phrase(at, at + 1, span, texts)

    def _calendar(self, at: int) -> _Phrase | None:
        """june 2020, 2020 june, 14 june 2020, june 14th, in june."""
        year, start = self._year(at), at
        at += year is not None
        day = self._day(at)
        at = self._past_of(at + 1) if day else at
        found = self._name(at, "month")
        if found is None or (year and self._word(at) in _OTHER_WORDS):
            return None
        name, end = found
        month, word = int(name.value), self.tokens[at].raw.lower()
        if not day and (day := self._day(end)):
            end += 1
        if year is None:
            after = self._past_of(end)
            year = self._year(after)
            end = end if year is None else after + 1
        texts: Texts = (
            _either(word, english_month(month)),
            *((_either(str(day), f"{day:02}"),) if day else ()),
        )
        if year is not None:
            span = a_day(year, month, day) if day else a_month(year, month)
            return _Phrase(start, end, span, (*texts, (str(year),)))
        if name.is_short or not self._stands_for_month(start, end):
            return None
        return _Phrase(start, end, every_day(month, day) if day else every_month(month), texts)

    def _named(self, at: int) -> _Phrase | None:
        """summer 2019, 2019 summer, christmas 2018, winter 2018/19."""
        year, start = self._year(at), at
        found = self._name(at + (year is not None), "season", "holiday")
        if found is None or found[0].value == "weekend":
            return None
        name, end = found
        word = self.text[self.tokens[at + (year is not None)].start : self.tokens[end - 1].end].lower()
        if year is None:
            at = self._past_of(end)
            winter = _WINTER.fullmatch(self._word(at))
            if winter and name.value == "winter" and self._is_year(winter[1]):
                return _Phrase(start, at + 1, a_season("winter", int(winter[1])))
            year, end = self._year(at), at + 1
            if year is None:
                return None
        span = (seasons_of if name.kind == "season" else a_holiday)(str(name.value), year)
        return _Phrase(start, end, span, (*((one,) for one in word.split()), (str(year),)))

    def _last(self, at: int) -> _Phrase | None:
        """last summer, this christmas, l'été dernier, last june, last friday, letzten Monat."""
        word, start = self._word(at), at
        which: Literal["last", "this"] | None = None
        if word in self.small.last or word in self.small.this:
            which = "last" if word in self.small.last else "this"
        found = self._name(at + (which is not None))
        if found is None:
            return None
        name, end = found
        if which is None and self._word(end) in self.small.last:
            which, end = "last", end + 1
        if which is None or name.is_short or (which == "this" and name.kind == "month"):
            return None  # "this may be a dog"
        return _Phrase(start, end, self._latest(name, which))

    def _relative(self, at: int) -> _Phrase | None:
        """Yesterday, last week, this year."""
        found = self._name(at, "relative")
        if found is None:
            return None
        unit, distance = str(found[0].value).split()
        return _Phrase(at, found[1], days_ago(unit, int(distance), self.today))

    def _lone_year(self, at: int) -> _Phrase | None:
        """Read 2019, but neither "a 1957 chevrolet" nor "2000 people"."""
        year = self._year(at)
        if year is None or self._word(at - 1) in self.small.one - self.small.during:
            return None
        if year % 100 == 0 and self._word(at + 1) and self._word(at - 1) not in self.small.during:
            return None
        return _Phrase(at, at + 1, a_year(year), ((str(year),),))

    # --- parts of dates -----------------------------------------------------------------------------

    def _word(self, at: int) -> str:
        """Return the word of a token.

        It is empty outside the text, and for a part of a name or number.
        """
        return self.plain[at] if 0 <= at < len(self.plain) else ""

    def _name(self, at: int, *kinds: str) -> tuple[Name, int] | None:
        """Find the name that begins at a token.

        The second is the token after it. A name of a third language counts only beside a year or alone.
        """
        words = self.plain[at : at + 4] if self._word(at) else []
        found = find_name(words, self.language)
        if words and found is None and self._is_alone_or_dated(at):
            found = find_foreign_name(words, self.language)
        if found is None or (kinds and found[0].kind not in kinds):
            return None
        return found[0], at + found[1]

    def _is_alone_or_dated(self, at: int) -> bool:
        """True for the only word, and for one beside a year."""
        return bool(len(self.tokens) == 1 or self._year(at - 1) or self._year(self._past_of(at + 1)))

    def _year(self, at: int) -> int | None:
        return int(self._word(at)) if self._is_year(self._word(at)) else None

    def _is_year(self, word: str) -> bool:
        is_number = len(word) == 4 and word.isascii() and word.isdigit()
        return is_number and _FIRST_YEAR <= int(word) <= self.today.year

    def _day(self, at: int) -> int | None:
        match = _DAY.fullmatch(self._word(at))
        return int(match[1]) if match and 1 <= int(match[1]) <= 31 else None

    def _past_of(self, at: int) -> int:
        """Skip a word such as the "de" of "junio de 2020"."""
        return at + 1 if self._word(at) in self.small.around else at

    def _stands_for_month(self, start: int, end: int) -> bool:
        """True if a month without a year is meant.

        A preposition precedes it, or it is the whole text.
        """
        is_alone = len(self.tokens) == end - start and self._word(start) not in _OTHER_WORDS
        return is_alone or self._word(start - 1) in self.small.during

    def _latest(self, name: Name, which: Literal["last", "this"]) -> Span:
        """Return the last or the current span of a name."""
        value = str(name.value)
        if name.kind == "unit":
            return days_ago(value, int(which == "last"), self.today)
        if name.kind == "day":
            return a_weekday(int(name.value), self.today, which)
        if value == "weekend":
            return a_weekend(self.today, which)
        if name.kind == "month":
            return latest(lambda year: a_month(year, int(name.value)), self.today, which)
        of_year = a_season if name.kind == "season" else a_holiday
        return latest(lambda year: of_year(value, year), self.today, which)


def _token(text: str, match: re.Match[str]) -> _Token:
    is_free = bool(_MAY_PRECEDE.fullmatch(text[: match.start()][-1:])) and bool(
        _MAY_FOLLOW.match(text, match.end())
    )
    return _Token(match[0], plain(match[0]), match.start(), match.end(), is_free)


def _either(*words: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))

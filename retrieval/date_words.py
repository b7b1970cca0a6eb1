"""Dates in the words of a query.

Such as "beach summer 2019", "last christmas", "photos from march". A wrong filter hides photos, so
words in doubt are left alone: a month needs a year, a preposition or nothing else beside it; seasons and
holidays need a year or "last"; a text with two dates has none, nor one of which a part cannot be read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Literal

from twobranch.embedding.language import ENGLISH
from twobranch.retrieval.date_names import Name, english_month, find_foreign_name, find_name, plain
from twobranch.retrieval.date_particles import particles
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
    r"\d{4}[-–]\d{4}|\d{4}-\d{1,2}(?:-\d{1,2})?|\d{1,2}\. ?\d{1,2}\. ?\d{4}|\d{4}/\d{2,4}|[^\W_]+"
)
# A word of a date stands alone: the 2019 of "IMG_2019", "$2019" and "2019.jpg" does not.
_MAY_PRECEDE = re.compile(r"[\s(\[\"'’,]?")
_MAY_FOLLOW = re.compile(r"$|['’]|[.,;:!?)\]\"]*(?:\s|$)")
_PAIRS = ("()", "[]", '""', "''")
_OWNS = re.compile(r"['’]s\b")  # "today's newspaper" is no photo of today
_YEARS = re.compile(r"(\d{4})[-–](\d{4})")
_MINUS = re.compile(r"(?:^|\s)[-−–]\w")  # of "dog -june 2020"
_HYPHEN = re.compile(r"[-−–/&+~]")
_WINTER = re.compile(r"(\d{4})[-–/](\d\d(?:\d\d)?)")
_NUMERIC = re.compile(
    r"(?P<y>\d{4})-(?P<m>\d{1,2})(?:-(?P<d>\d{1,2}))?|(?P<D>\d{1,2})\. ?(?P<M>\d{1,2})\. ?(?P<Y>\d{4})"
)
_DAY = re.compile(r"(\d{1,2})(?:st|nd|rd|th|er|º)?")
_OTHER_WORDS = frozenset({"may", "march", "mars"})  # not alone, and not after a year: "in 2019 may ..."
_NO_DATES = frozenset({"záři"})  # Czech: "in the glow"; September is "září"
# Seasons that are verbs and things as well, and the words before them that tell so.
_NO_SEASON = {
    "spring": frozenset({"hot", "thermal", "mineral", "water", "metal", "coil", "steel", "natural", "that"}),
    "fall": frozenset({"that", "to", "snow", "rain", "water", "free", "will", "can", "may", "a"}),
}


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
    """A date in the tokens from ``start`` to ``end``.

    A range has words for both of its ends, as in "2018 to 2020".
    """

    start: int
    end: int
    span: Span
    texts: Texts = ()
    is_range: bool = False


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
        self.plain = [
            token.plain if token.is_free and token.raw.lower() not in _NO_DATES else ""
            for token in self.tokens
        ]

    def read(self) -> Reading | None:
        try:
            phrases = list(self._phrases())
        except ValueError:  # 30 February
            return None
        if len(phrases) != 1 or self._is_part_of_more(phrases[0]):
            return None
        phrase = self._with_particles(phrases[0])
        if phrase is None:
            return None
        minus = _MINUS.search(self.text)
        if minus and minus.start() < self._end(phrase):
            return None
        others = [*self.plain[: phrase.start], *self.plain[phrase.end :]]
        if all(word and word in self._empty for word in others):
            return Reading(self.text, 0, len(self.text), phrase.span, phrase.texts)
        start, end = self.tokens[phrase.start].start, self._end(phrase)
        return Reading(self.text, start, end, phrase.span, phrase.texts)

    @cached_property
    def _empty(self) -> frozenset[str]:
        """Words that leave nothing to search for."""
        return self.small.photos | self.small.during | self.small.around | self.small.one

    def _phrases(self) -> Iterator[_Phrase]:
        """Yield all dates, from left to right."""
        at = 0
        while at < len(self.tokens):
            phrase = self._short_range(at) or self._phrase(at)
            if phrase is None:
                at += 1
                continue
            phrase = self._long_range(phrase) or phrase
            yield phrase
            at = phrase.end

    def _long_range(self, first: _Phrase) -> _Phrase | None:
        """Read a range of two dates.

        Such as "june 2018 to 2020", "between 2018 and 2020".
        """
        at = self._other_end(first.start, first.end)
        if at is None:
            return None
        year = self._year(at)  # also after "a", the "to" of some languages, and the "a" of "a 1957 chevrolet"
        last = self._phrase(at) or (_Phrase(at, at + 1, a_year(year)) if year else None)
        if last is None or first.span.yearly or last.span.yearly:
            return None
        if not (first.span.after and last.span.before and first.span.after < last.span.before):
            return None
        return _Phrase(first.start, last.end, Span(first.span.after, last.span.before), is_range=True)

    def _short_range(self, at: int) -> _Phrase | None:
        """Read a range with one year, at its end.

        Such as "june to august 2020", "14 to 16 june 2020".
        """
        day, end, start = self._day(at), at, at
        end = self._past_of(end + 1) if day else end
        found = self._name(end, "month")
        end = found[1] if found else at + 1
        if not day and found and (day := self._day(end)):
            end += 1
        at_last = self._other_end(start, end) if found or day else None
        last = self._calendar(at_last) if at_last is not None else None
        if last is None or last.span.after is None or last.span.before is None:
            return None
        month = int(found[0].value) if found else last.span.after.month
        first = date(last.span.after.year, month, day or 1)
        is_day = (last.span.before - last.span.after).days == 1
        if is_day != bool(day) or first >= last.span.after:
            return None
        return _Phrase(start, last.end, Span(first, last.span.before), is_range=True)

    def _other_end(self, start: int, end: int) -> int | None:
        """Return the token of the last date of a range.

        There may be one, as its first date, from ``start`` to ``end``, has a word such as "to" behind it.
        """
        before = start - 1
        while self._word(before) in self.small.around | self.small.during:
            before -= 1
        joins = self.small.to | self.small.until
        if self._word(before) in self.small.between:
            joins |= self.small.and_
        return self._past_of(end + 1) if self._word(end) in joins else None

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

    def _is_part_of_more(self, phrase: _Phrase) -> bool:
        """True if a date was read in part.

        Such as the "july 2020" of "june or july 2020".
        """
        return self._is_date_beside(phrase.start - 1, -1) or self._is_date_beside(phrase.end, 1)

    def _is_date_beside(self, at: int, step: Literal[-1, 1]) -> bool:
        """True if the words beside a date are one too.

        ``at`` is the token beside it. Short numbers, and words and signs such as "or" and "-", are passed
        over; several numbers are part of a date ("june 14 - 16 2020"), a single one not ("iphone 12 2019").
        """
        small = self.small
        joins = small.to | small.until | small.between | small.and_ | small.or_
        is_joined, n_numbers = False, 0
        while 0 <= at < len(self.tokens):
            is_joined |= bool(_HYPHEN.search(self._gap(at, -step)))
            word = self.tokens[at].plain
            if word.isdigit() and len(word) <= 2:
                n_numbers += 2 if is_joined else 1
            elif word in joins or (is_joined and word in small.around | small.last | small.this):
                is_joined = True
            else:
                break
            at += step
        if n_numbers > 1:
            return True
        is_joined |= bool(_HYPHEN.search(self._gap(at, step)))  # the "aug" of "june-aug 2020"
        return self._is_date_word(at, step, is_joined)

    def _is_date_word(self, at: int, step: Literal[-1, 1], is_joined: bool) -> bool:
        """True if a name or year is at a token.

        It begins there or, with a step of -1, ends there. If it ``is_joined`` to the date by a word or sign,
        also one that is seldom a date counts.
        """
        if not 0 <= at < len(self.tokens):
            return False
        word = self.tokens[at].plain
        if not is_joined and word in _OTHER_WORDS | _NO_SEASON.keys():
            return False  # "a hot spring 2021"
        if is_joined and word[:4].isdigit():
            return True
        starts = range(max(0, at - 3), at + 1) if step == -1 else (at,)
        words = [token.plain for token in self.tokens]
        return any(
            (step == 1 or start + found[1] == at + 1)
            and found[0].kind in ("month", "season", "holiday")
            and found[0].value != "weekend"
            and (is_joined or not found[0].is_short)
            for start in starts
            if (found := find_name(words[start : start + 4], self.language)) is not None
        )

    def _gap(self, at: int, step: int) -> str:
        """Return the text between a token and its neighbour."""
        left, right = sorted((at, at + step))
        is_inside = left >= 0 and right < len(self.tokens)
        return self.text[self.tokens[left].end : self.tokens[right].start] if is_inside else ""

    def _with_particles(self, phrase: _Phrase) -> _Phrase | None:
        """Add the words before a date that belong to it.

        Such as "since" and "in the". None if they make no sense with it.
        """
        start = phrase.start
        while self._word(start - 1) in self.small.around | self.small.during:
            start -= 1
        word, span = self._word(start - 1), phrase.span
        if phrase.is_range:
            if word in self.small.before | self.small.after | self.small.until:
                return None
            begins = word and word in self.small.since | self.small.between
            return replace(phrase, start=start - bool(begins))
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
            return _Phrase(
                at, at + 1, Span(date(int(years[1]), 1, 1), date(int(years[2]) + 1, 1, 1)), is_range=True
            )
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
        start, leading = at, self._leading_year(at)
        year, at = leading or (None, at)
        day = self._day(at)
        at = self._past_of(at + 1) if day else at
        found = self._name(at, "month")
        if found is None or (self._word(at) in _OTHER_WORDS and (year or self._is_counted(at))):
            return None
        name, end = found
        month, word = int(name.value), self.tokens[at].raw.lower()
        if not day and (day := self._day(end)):
            end += 1
        if year is None:
            year, end = self._year_behind(end, word) or (None, end)
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
        start, leading = at, self._leading_year(at)
        year, at = leading or (None, at)
        found = self._name(at, "season", "holiday")
        if found is None or found[0].value == "weekend" or self._is_no_season(at, found[1], year is not None):
            return None
        name, end = found
        word = self.text[self.tokens[at].start : self.tokens[end - 1].end].lower()
        if year is None:
            behind = self._past_of(end)
            if name.value == "winter" and (first := self._winter(behind)):
                return _Phrase(start, behind + 1, a_season("winter", first))
            dated = self._year_behind(end, word)
            if dated is None:
                return None
            year, end = dated
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
        if which is not None and self._is_no_season(at + 1, end, True):
            return None
        if which is None and self._word(end) in self.small.last_behind:
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
        if self._word(at + 1) in self.small.to | self.small.and_ and self._year(at + 2):
            return _Phrase(at, at + 1, a_year(year), ((str(year),),))
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
        if words[0] in _NO_SEASON and self.language != ENGLISH:
            return None  # "auf jeden Fall"
        return found[0], at + found[1]

    def _is_alone_or_dated(self, at: int) -> bool:
        """True for the only word, and for one beside a year."""
        return bool(len(self.tokens) == 1 or self._year(at - 1) or self._year(self._past_of(at + 1)))

    def _year(self, at: int) -> int | None:
        return int(self._word(at)) if self._is_year(self._word(at)) else None

    def _is_year(self, word: str) -> bool:
        is_number = len(word) == 4 and word.isascii() and word.isdigit()
        return is_number and _FIRST_YEAR <= int(word) <= self.today.year

    def _year_behind(self, at: int, name: str) -> tuple[int, int] | None:
        """Find the year behind a name.

        Such as that of "june of 2020", "june '20", "june last year". The second is the token after it.
        """
        for _ in range(4):
            if (year := self._year(at) or self._short_year(at)) is not None:
                return year, at + 1
            if (relative := self._relative_year(at)) is not None:
                return relative
            is_in = self._word(at) in self.small.during and name not in _OTHER_WORDS | _NO_SEASON.keys()
            if not is_in and self._word(at) not in self.small.around:
                return None
            at += 1
        return None

    def _leading_year(self, at: int) -> tuple[int, int] | None:
        """Find the year before a name.

        Such as that of "2020 june", "last year in june". The second is the token of the name.
        """
        year = self._year(at)
        if year is not None:
            return year, at + 1
        relative = self._relative_year(at)
        if relative is None:
            return None
        year, at = relative
        while self._word(at) and self._word(at) in self.small.during | self.small.around:
            at += 1
        return year, at

    def _relative_year(self, at: int) -> tuple[int, int] | None:
        """Find "last year" or "this year", as a number. The second is the token after it."""
        phrase = self._relative(at) or self._last(at)
        if phrase is None or phrase.span.after is None or _OWNS.match(self.text, self._end(phrase)):
            return None
        year = phrase.span.after.year
        return (year, phrase.end) if phrase.span == a_year(year) else None

    def _short_year(self, at: int) -> int | None:
        """Read the '20 of "june '20"."""
        if not self._is_short_year(at):
            return None
        year = self.today.year // 100 * 100 + int(self._word(at))
        return year if year <= self.today.year else year - 100

    def _is_short_year(self, at: int) -> bool:
        word = self._word(at)
        is_number = len(word) == 2 and word.isascii() and word.isdigit()
        before = self.text[: self.tokens[at].start] if is_number else ""
        if not before.endswith(("'", "’")):
            return False
        is_apart = not before[-2:-1].isalnum()  # "june'20" is a year, the 11 of "dell'11 giugno" is none
        return is_apart or self._name(at - 1, "month", "season", "holiday") is not None

    def _winter(self, at: int) -> int | None:
        """Read the first year of 2018/19."""
        winter = _WINTER.fullmatch(self._word(at))
        if winter is None or not self._is_year(winter[1]):
            return None
        return int(winter[1]) if str(int(winter[1]) + 1).endswith(winter[2]) else None

    def _is_no_season(self, start: int, end: int, is_behind: bool) -> bool:
        """True for a verb or thing with the name of a season.

        Such as the spring of "a hot spring", the fall of "this fall guy". With ``is_behind`` a year or "last"
        precedes, and no noun may follow.
        """
        word = self._word(start)
        if word not in _NO_SEASON:
            return False
        follows = self.small.during | self.small.around | self.small.photos
        is_noun = is_behind and self._word(end) not in follows and not self._gap(end, -1).strip()
        return self._word(start - 1) in _NO_SEASON[word] or (is_noun and end < len(self.tokens))

    def _is_counted(self, at: int) -> bool:
        """True for the march of "a march" and of "a women's march"."""
        return self._word(at - 1) == "s" or self._word(at - 1) in self.small.one - self.small.to

    def _end(self, phrase: _Phrase) -> int:
        return self.tokens[phrase.end - 1].end

    def _day(self, at: int) -> int | None:
        if self._is_short_year(at):
            return None
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

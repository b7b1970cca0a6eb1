"""Dates in the words of a query.

Such as "beach summer 2019", "last christmas", "photos from march". A wrong filter hides photos, so
words in doubt are left alone: a text with two dates has none, nor one of which a part cannot be read.
``date_phrases`` reads single dates; ranges, and the words around dates, are read here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from twobranch.retrieval.date_names import find_name
from twobranch.retrieval.date_particles import Particles
from twobranch.retrieval.date_phrases import Phrase, Texts, read_calendar, read_phrase
from twobranch.retrieval.date_spans import Span, a_year
from twobranch.retrieval.date_tokens import AMBIGUOUS_NAMES, TokenizedText, tokenize

_PAIRS = ("()", "[]", '""', "''")
_MINUS = re.compile(r"(?:^|\s)[-−–]\w")  # of "dog -june 2020"
_HYPHEN = re.compile(r"[-−–/&+~]")


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


def read_dates(text: str, language: str, today: date) -> Reading | None:
    """Read the date that a text names.

    It is in ``language``, a code of ``embedding.language``, or in English. None if the text names none or
    several, or one after today's year.
    """
    return _read(tokenize(text, language, today))


def _read(text: TokenizedText) -> Reading | None:
    """Read the only date, with the small words that belong to it."""
    try:
        phrases = list(_phrases(text))
    except ValueError:  # 30 February
        return None
    if len(phrases) != 1 or _is_part_of_more(text, phrases[0]):
        return None
    phrase = _with_particles(text, phrases[0])
    if phrase is None:
        return None
    start, end = text.tokens[phrase.start].start, text.tokens[phrase.end - 1].end
    minus = _MINUS.search(text.raw)
    if minus and minus.start() < end:
        return None
    others = [*text.words[: phrase.start], *text.words[phrase.end :]]
    if _says_nothing(others, text.small):
        start, end = 0, len(text.raw)
    return Reading(text.raw, start, end, phrase.span, phrase.texts)


def _says_nothing(words: Sequence[str], small: Particles) -> bool:
    """True for words that leave nothing to search for."""
    empty = small.photos | small.during | small.around | small.one
    return all(word and word in empty for word in words)


def _phrases(text: TokenizedText) -> Iterator[Phrase]:
    """Yield all dates, from left to right."""
    at = 0
    while at < len(text.tokens):
        phrase = _short_range(text, at) or read_phrase(text, at)
        if phrase is None:
            at += 1
            continue
        phrase = _long_range(text, phrase) or phrase
        yield phrase
        at = phrase.end


def _long_range(text: TokenizedText, first: Phrase) -> Phrase | None:
    """Read a range of two dates.

    Such as "june 2018 to 2020", "between 2018 and 2020".
    """
    at = _other_end(text, first.start, first.end)
    if at is None:
        return None
    year = text.year(at)  # also after "a", the "to" of some languages, and the "a" of "a 1957 chevrolet"
    last = read_phrase(text, at) or (Phrase(at, at + 1, a_year(year)) if year else None)
    if last is None or first.span.yearly or last.span.yearly:
        return None
    if not (first.span.after and last.span.before and first.span.after < last.span.before):
        return None
    return Phrase(first.start, last.end, Span(first.span.after, last.span.before), is_range=True)


def _short_range(text: TokenizedText, at: int) -> Phrase | None:
    """Read a range with one year, at its end.

    Such as "june to august 2020", "14 to 16 june 2020".
    """
    day, end, start = text.day(at), at, at
    end = text.past_of(end + 1) if day else end
    found = text.name(end, "month")
    end = found[1] if found else at + 1
    if not day and found and (day := text.day(end)):
        end += 1
    at_last = _other_end(text, start, end) if found or day else None
    last = read_calendar(text, at_last) if at_last is not None else None
    if last is None or last.span.after is None or last.span.before is None:
        return None
    month = int(found[0].value) if found else last.span.after.month
    first = date(last.span.after.year, month, day or 1)
    is_day = (last.span.before - last.span.after).days == 1
    if is_day != bool(day) or first >= last.span.after:
        return None
    return Phrase(start, last.end, Span(first, last.span.before), is_range=True)


def _other_end(text: TokenizedText, start: int, end: int) -> int | None:
    """Return the token of the last date of a range.

    There may be one, as its first date, from ``start`` to ``end``, has a word such as "to" behind it.
    """
    before = start - 1
    while text.word(before) in text.small.around | text.small.during:
        before -= 1
    joins = text.small.to | text.small.until
    if text.word(before) in text.small.between:
        joins |= text.small.and_
    return text.past_of(end + 1) if text.word(end) in joins else None


def _with_particles(text: TokenizedText, phrase: Phrase) -> Phrase | None:
    """Add the words before a date that belong to it.

    Such as "since" and "in the". None if they make no sense with it.
    """
    start = phrase.start
    while text.word(start - 1) in text.small.around | text.small.during:
        start -= 1
    word, span = text.word(start - 1), phrase.span
    if phrase.is_range:
        if word in text.small.before | text.small.after | text.small.until:
            return None
        begins = word and word in text.small.since | text.small.between
        return replace(phrase, start=start - bool(begins))
    if span.yearly is None and word:
        if word in text.small.since:
            return Phrase(start - 1, phrase.end, Span(after=span.after))
        if word in text.small.before:
            return Phrase(start - 1, phrase.end, Span(before=span.after))
        if word in text.small.after:
            return Phrase(start - 1, phrase.end, Span(after=span.before))
        if word in text.small.until:
            return Phrase(start - 1, phrase.end, Span(before=span.before))
    return replace(phrase, start=start)


def _is_part_of_more(text: TokenizedText, phrase: Phrase) -> bool:
    """True if a date was read in part.

    Such as the "july 2020" of "june or july 2020".
    """
    return _is_date_beside(text, phrase.start - 1, -1) or _is_date_beside(text, phrase.end, 1)


def _is_date_beside(text: TokenizedText, at: int, step: Literal[-1, 1]) -> bool:
    """True if the words beside a date are one too.

    ``at`` is the token beside it. Short numbers, and words and signs such as "or" and "-", are passed
    over; several numbers are part of a date ("june 14 - 16 2020"), a single one not ("iphone 12 2019").
    """
    small = text.small
    joins = small.to | small.until | small.between | small.and_ | small.or_
    is_joined, n_numbers = False, 0
    while 0 <= at < len(text.tokens):
        is_joined |= bool(_HYPHEN.search(text.gap(at, -step)))
        word = text.tokens[at].plain
        if word.isdigit() and len(word) <= 2:
            n_numbers += 2 if is_joined else 1
        elif word in joins or (is_joined and word in small.around | small.last | small.this):
            is_joined = True
        else:
            break
        at += step
    if n_numbers > 1:
        return True
    is_joined |= bool(_HYPHEN.search(text.gap(at, step)))  # the "aug" of "june-aug 2020"
    return _is_date_word(text, at, step, is_joined)


def _is_date_word(text: TokenizedText, at: int, step: Literal[-1, 1], is_joined: bool) -> bool:
    """True if a name or year is at a token.

    It begins there or, with a step of -1, ends there. If it ``is_joined`` to the date by a word or sign,
    also one that is seldom a date counts.
    """
    if not 0 <= at < len(text.tokens):
        return False
    word = text.tokens[at].plain
    if not is_joined and word in AMBIGUOUS_NAMES:
        return False  # "a hot spring 2021"
    if is_joined and word[:4].isdigit():
        return True
    starts = range(max(0, at - 3), at + 1) if step == -1 else (at,)
    words = [token.plain for token in text.tokens]
    return any(
        (step == 1 or start + found[1] == at + 1)
        and found[0].kind in ("month", "season", "holiday")
        and found[0].value != "weekend"
        and (is_joined or not found[0].is_short)
        for start in starts
        if (found := find_name(words[start : start + 4], text.language)) is not None
    )

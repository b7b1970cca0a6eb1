"""Tokens of a query, and the names, years and days they begin."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from twobranch.embedding.language import ENGLISH
from twobranch.retrieval.date_names import Name, find_foreign_name, find_name, plain
from twobranch.retrieval.date_particles import Particles, particles

AMBIGUOUS_MONTHS = frozenset({"may", "march", "mars"})  # not alone, and not after a year: "in 2019 may ..."
# Seasons that are verbs and things as well, and the words before them that tell so.
_AMBIGUOUS_SEASONS = {
    "spring": frozenset({"hot", "thermal", "mineral", "water", "metal", "coil", "steel", "natural", "that"}),
    "fall": frozenset({"that", "to", "snow", "rain", "water", "free", "will", "can", "may", "a"}),
}
AMBIGUOUS_NAMES = AMBIGUOUS_MONTHS | frozenset(_AMBIGUOUS_SEASONS)
_NO_DATES = frozenset({"záři"})  # Czech: "in the glow"; September is "září"
_FIRST_YEAR = 1900  # photos with an earlier date are scans, whose names say it
_TOKEN = re.compile(
    r"\d{4}[-–]\d{4}|\d{4}-\d{1,2}(?:-\d{1,2})?|\d{1,2}\. ?\d{1,2}\. ?\d{4}|\d{4}/\d{2,4}|[^\W_]+"
)
# A word of a date stands alone: the 2019 of "IMG_2019", "$2019" and "2019.jpg" does not.
_MAY_PRECEDE = re.compile(r"[\s(\[\"'’,]?")
_MAY_FOLLOW = re.compile(r"$|['’]|[.,;:!?)\]\"]*(?:\s|$)")
_DAY = re.compile(r"(\d{1,2})(?:st|nd|rd|th|er|º)?")


@dataclass(frozen=True)
class Token:
    """A word or number, from the character ``start`` to ``end``.

    ``plain`` is without accents and in lower case. One that ``is_free`` is no part of a longer name or
    number, as the 2019 of "IMG_2019" is.
    """

    raw: str
    plain: str
    start: int
    end: int
    is_free: bool


@dataclass(frozen=True)
class TokenizedText:
    """A text and its tokens.

    ``words`` are those of the tokens, as ``word`` returns them; ``small`` the particles of ``language``, a
    code of ``embedding.language``. No year is after that of ``today``.
    """

    raw: str
    language: str
    today: date
    tokens: tuple[Token, ...]
    words: tuple[str, ...]
    small: Particles

    def word(self, at: int) -> str:
        """Return the word of a token.

        It is empty outside the text, and for a part of a name or number.
        """
        return self.words[at] if 0 <= at < len(self.words) else ""

    def gap(self, at: int, step: int) -> str:
        """Return the text between a token and its neighbour."""
        left, right = sorted((at, at + step))
        is_inside = left >= 0 and right < len(self.tokens)
        return self.raw[self.tokens[left].end : self.tokens[right].start] if is_inside else ""

    def past_of(self, at: int) -> int:
        """Skip a word such as the "de" of "junio de 2020"."""
        return at + 1 if self.word(at) in self.small.around else at

    def name(self, at: int, *kinds: str) -> tuple[Name, int] | None:
        """Find the name that begins at a token.

        The second is the token after it. A name of a third language counts only beside a year or alone.
        """
        words = self.words[at : at + 4] if self.word(at) else ()
        found = find_name(words, self.language)
        if words and found is None and self._is_alone_or_dated(at):
            found = find_foreign_name(words, self.language)
        if found is None or (kinds and found[0].kind not in kinds):
            return None
        if words[0] in _AMBIGUOUS_SEASONS and self.language != ENGLISH:
            return None  # "auf jeden Fall"
        return found[0], at + found[1]

    def day(self, at: int) -> int | None:
        """Read the 14 of "14th june". None for a year such as '14."""
        if self._is_short_year(at):
            return None
        match = _DAY.fullmatch(self.word(at))
        return int(match[1]) if match and 1 <= int(match[1]) <= 31 else None

    def year(self, at: int) -> int | None:
        """Read a year of four digits."""
        return int(self.word(at)) if self.is_year(self.word(at)) else None

    def short_year(self, at: int) -> int | None:
        """Read the '20 of "june '20"."""
        if not self._is_short_year(at):
            return None
        year = self.today.year // 100 * 100 + int(self.word(at))
        return year if year <= self.today.year else year - 100

    def is_year(self, word: str) -> bool:
        """True for a year of four digits, from 1900 to today's."""
        is_number = len(word) == 4 and word.isascii() and word.isdigit()
        return is_number and _FIRST_YEAR <= int(word) <= self.today.year

    def is_counted(self, at: int) -> bool:
        """True for the march of "a march" and of "a women's march"."""
        return self.word(at - 1) == "s" or self.word(at - 1) in self.small.one - self.small.to

    def is_no_season(self, start: int, end: int, is_behind: bool) -> bool:
        """True for a verb or thing with the name of a season.

        Such as the spring of "a hot spring", the fall of "this fall guy". With ``is_behind`` a year or "last"
        precedes, and no noun may follow.
        """
        word = self.word(start)
        if word not in _AMBIGUOUS_SEASONS:
            return False
        follows = self.small.during | self.small.around | self.small.photos
        is_noun = is_behind and self.word(end) not in follows and not self.gap(end, -1).strip()
        return self.word(start - 1) in _AMBIGUOUS_SEASONS[word] or (is_noun and end < len(self.tokens))

    def stands_for_month(self, start: int, end: int) -> bool:
        """True if a month without a year is meant.

        A preposition precedes it, or it is the whole text.
        """
        is_alone = len(self.tokens) == end - start and self.word(start) not in AMBIGUOUS_MONTHS
        return is_alone or self.word(start - 1) in self.small.during

    def _is_alone_or_dated(self, at: int) -> bool:
        """True for the only word, and for one beside a year."""
        return bool(len(self.tokens) == 1 or self.year(at - 1) or self.year(self.past_of(at + 1)))

    def _is_short_year(self, at: int) -> bool:
        word = self.word(at)
        is_number = len(word) == 2 and word.isascii() and word.isdigit()
        before = self.raw[: self.tokens[at].start] if is_number else ""
        if not before.endswith(("'", "’")):
            return False
        is_apart = not before[-2:-1].isalnum()  # "june'20" is a year, the 11 of "dell'11 giugno" is none
        return is_apart or self.name(at - 1, "month", "season", "holiday") is not None


def tokenize(text: str, language: str, today: date) -> TokenizedText:
    """Split a text into tokens."""
    tokens = tuple(_token(text, match) for match in _TOKEN.finditer(text))
    words = tuple(
        token.plain if token.is_free and token.raw.lower() not in _NO_DATES else "" for token in tokens
    )
    return TokenizedText(text, language, today, tokens, words, particles(language))


def _token(text: str, match: re.Match[str]) -> Token:
    is_free = bool(_MAY_PRECEDE.fullmatch(text[: match.start()][-1:])) and bool(
        _MAY_FOLLOW.match(text, match.end())
    )
    return Token(match[0], plain(match[0]), match.start(), match.end(), is_free)

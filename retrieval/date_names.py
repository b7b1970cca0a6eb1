"""The names of dates in the ten languages of ``embedding.language``.

Months, days and units come from CLDR, by way of dateparser (``train.languages.date_names`` writes the table).
It has neither seasons nor holidays: those are below. Words are compared without accents, in lower case.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from twobranch.embedding.language import ENGLISH, LANGUAGES, frequency, without_accents

DATA = Path(__file__).parent / "data" / "date-names.json"

_SHORT = 3  # letters of an abbreviated month, at most
Kind = Literal["month", "day", "season", "holiday", "unit", "relative"]
# spring, summer, autumn, winter
_SEASONS: dict[str, tuple[str, str, str, str]] = {
    "en": ("spring", "summer", "autumn fall", "winter"),
    "de": ("frühling frühjahr", "sommer", "herbst", "winter"),
    "fr": ("printemps", "été", "automne", "hiver"),
    "es": ("primavera", "verano", "otoño", "invierno"),
    "cs": ("jaro jara jaře", "léto léta létě", "podzim podzimu podzimě", "zima zimy zimě"),
    "it": ("primavera", "estate", "autunno", "inverno"),
    "nl": ("lente voorjaar", "zomer", "herfst najaar", "winter"),
    "pt": ("primavera", "verão", "outono", "inverno"),
    "pl": ("wiosna wiosny wiosną", "lato lata latem", "jesień jesieni jesienią", "zima zimy zimą"),
    "sv": ("vår våren", "sommar sommaren", "höst hösten", "vinter vintern"),
}
# Christmas, Easter, the turn of the year named by its last day, and named by its first; weekend. A comma ends
# each name: some have several words.
_HOLIDAYS: dict[str, tuple[str, str, str, str, str]] = {
    "en": ("christmas, xmas", "easter", "new year's eve, new years eve", "new year, new year's", "weekend"),
    "de": ("weihnachten", "ostern", "silvester", "neujahr", "wochenende"),
    "fr": ("noël", "pâques", "réveillon", "nouvel an", "week-end, weekend"),
    "es": ("navidad, navidades", "pascua, semana santa", "nochevieja", "año nuevo", "fin de semana"),
    "cs": (
        "vánoce, vánoc, vánocích",
        "velikonoce, velikonoc, velikonocích",
        "silvestr",
        "nový rok",
        "víkend",
    ),
    "it": ("natale", "pasqua", "san silvestro", "capodanno", "fine settimana, weekend"),
    "nl": ("kerst, kerstmis", "pasen", "oud en nieuw, oudjaar", "nieuwjaar", "weekend, weekeinde"),
    "pt": ("natal", "páscoa", "véspera de ano novo", "ano novo", "fim de semana"),
    "pl": ("boże narodzenie", "wielkanoc, wielkanocy", "sylwester, sylwestra", "nowy rok", "weekend"),
    "sv": ("jul, julen", "påsk, påsken", "nyårsafton", "nyår", "helg, helgen"),
}
_HOLIDAY_KEYS = ("christmas", "easter", "new year's eve", "new year", "weekend")
# Single days of those, by the names of ``date_spans.a_holiday``.
_FEAST_DAYS: dict[str, dict[str, str]] = {
    "en": {
        "christmas eve": "christmas eve, xmas eve",
        "christmas day": "christmas day, xmas day",
        "boxing day": "boxing day",
        "new year's day": "new year's day, new years day",
        "good friday": "good friday",
        "easter sunday": "easter sunday",
        "easter monday": "easter monday",
    },
    "de": {
        "christmas eve": "heiligabend, heiliger abend",
        "christmas day": "erster weihnachtstag, ersten weihnachtstag, 1 weihnachtstag",
        "boxing day": "zweiter weihnachtstag, zweiten weihnachtstag, 2 weihnachtstag",
        "new year's day": "neujahrstag",
        "good friday": "karfreitag",
        "easter sunday": "ostersonntag",
        "easter monday": "ostermontag",
    },
    "fr": {
        "christmas eve": "réveillon de noël, veille de noël",
        "christmas day": "jour de noël",
        "new year's day": "jour de l'an",
        "good friday": "vendredi saint",
        "easter sunday": "dimanche de pâques",
        "easter monday": "lundi de pâques",
    },
    "es": {
        "christmas eve": "nochebuena",
        "christmas day": "día de navidad",
        "new year's day": "día de año nuevo",
        "good friday": "viernes santo",
        "easter sunday": "domingo de pascua",
    },
    "cs": {
        "christmas eve": "štědrý den, štědrý večer",
        "good friday": "velký pátek",
        "easter monday": "velikonoční pondělí",
    },
    "it": {
        "christmas eve": "vigilia di natale",
        "christmas day": "giorno di natale",
        "good friday": "venerdì santo",
        "easter sunday": "domenica di pasqua",
        "easter monday": "pasquetta",
    },
    "nl": {
        "christmas eve": "kerstavond",
        "christmas day": "eerste kerstdag",
        "boxing day": "tweede kerstdag",
        "new year's day": "nieuwjaarsdag",
        "good friday": "goede vrijdag",
        "easter sunday": "paaszondag, eerste paasdag",
        "easter monday": "paasmaandag, tweede paasdag",
    },
    "pt": {
        "christmas eve": "véspera de natal",
        "christmas day": "dia de natal",
        "new year's day": "dia de ano novo",
        "good friday": "sexta feira santa",
        "easter sunday": "domingo de páscoa",
    },
    "pl": {
        "christmas eve": "wigilia, wigilię",
        "good friday": "wielki piątek",
        "easter monday": "poniedziałek wielkanocny",
    },
    "sv": {
        "christmas eve": "julafton",
        "christmas day": "juldagen",
        "new year's day": "nyårsdagen",
        "good friday": "långfredagen",
        "easter sunday": "påskdagen",
        "easter monday": "annandag påsk",
    },
}
# Inflected years, as in "Sommer letzten Jahres".
_ALSO_YEAR = {"de": ("jahres",), "fr": ("an",), "cs": ("roku",), "pl": ("rok", "roku")}
# One-word names of days and years that CLDR does not have.
_ALSO_RELATIVE: dict[str, dict[str, tuple[str, ...]]] = {
    "cs": {"year 0": ("letos",), "year 1": ("loni", "vloni")},
    "pl": {"day 2": ("przedwczoraj",)},
}


@dataclass(frozen=True)
class Name:
    """A month, season, holiday, day or span of time that words name.

    ``value`` is 1 to 12 for months, 0 (Monday) to 6 for days, "summer", "christmas", "week", or "day 1" for
    yesterday. An ``is_short`` month is abbreviated.
    """

    kind: Kind
    value: int | str
    is_short: bool = False


def plain(word: str) -> str:
    """Return a word in lower case and without accents."""
    return without_accents(unicodedata.normalize("NFKC", word.lower())).replace("ł", "l")


def find_name(words: Sequence[str], language: str) -> tuple[Name, int] | None:
    """Find the name that begins the words, and its length.

    It is the longest such name. Those of ``language`` go before those of English. ``words`` are as ``plain``
    returns them.
    """
    return _longest(words, _names(language)) or _longest(words, _names(ENGLISH))


def find_foreign_name(words: Sequence[str], language: str) -> tuple[Name, int] | None:
    """Find the name that begins the words in any other language.

    Only months, seasons and holidays, in languages other than ``language`` and English. A word must be ten
    times as frequent in that language as in English ("estate" is not). Nothing is found
    if two languages mean different things by it.
    """
    found = {
        found
        for other in LANGUAGES
        if other not in (language, ENGLISH)
        and (found := _longest(words, _names(other))) is not None
        and found[0].kind in ("month", "season", "holiday")
        and not found[0].is_short
        and frequency(words[0], other) > 10 * frequency(words[0], ENGLISH)
    }
    return found.pop() if len(found) == 1 else None


def english_month(month: int) -> str:
    """Return the English name of a month.

    Months are 1 to 12; the name is in lower case.
    """
    return max(_table()[ENGLISH]["months"][month - 1], key=len)


@cache
def month_names(month: int) -> tuple[str, ...]:
    """Return the names of a month in all languages, English first.

    Months are 1 to 12. Names are in lower case and not abbreviated.
    """
    order = (ENGLISH, *(language for language in LANGUAGES if language != ENGLISH))
    names = (name for language in order for name in _whole_names(_table()[language]["months"][month - 1]))
    return tuple(dict.fromkeys(names))


def _whole_names(written: Sequence[str]) -> list[str]:
    """Return the forms of a name that do not abbreviate it."""
    longest = max(map(len, written))
    return [
        one
        for one in written
        if (len(one) > _SHORT or longest <= _SHORT)
        and not any(other != one and other.startswith(one) for other in written)
    ]


def _longest(words: Sequence[str], names: Mapping[tuple[str, ...], Name]) -> tuple[Name, int] | None:
    for n in range(min(4, len(words)), 0, -1):
        name = names.get(tuple(words[:n]))
        if name is not None:
            return name, n
    return None


@cache
def _table() -> dict[str, dict[str, Any]]:
    """Read the names that come from CLDR."""
    return json.loads(DATA.read_text(encoding="utf-8"))


@cache
def _names(language: str) -> dict[tuple[str, ...], Name]:
    """Map the names of a language to what they name.

    The keys are words as ``plain`` returns them.
    """
    table = _table()[language]
    names: dict[tuple[str, ...], Name] = {}
    for month, written in enumerate(table["months"], start=1):
        for one in written:
            is_short = any(other != one and other.startswith(one) for other in written)
            names[_key(one)] = Name("month", month, is_short)
    for day, written in enumerate(table["days"]):
        names |= {_key(one): Name("day", day) for one in written}
    for unit, written in table["units"].items():
        names |= {_key(one): Name("unit", unit) for one in written}
    names |= {_key(one): Name("unit", "year") for one in _ALSO_YEAR.get(language, ())}
    for season, forms in zip(("spring", "summer", "autumn", "winter"), _SEASONS[language], strict=True):
        names |= {_key(one): Name("season", season) for one in forms.split()}
    for holiday, forms in zip(_HOLIDAY_KEYS, _HOLIDAYS[language], strict=True):
        names |= {_key(one): Name("holiday", holiday) for one in forms.split(", ")}
    for holiday, written in _FEAST_DAYS[language].items():
        names |= {_key(one): Name("holiday", holiday) for one in written.split(", ")}
    for relative in (table["relative"], _ALSO_RELATIVE.get(language, {})):
        for value, written in relative.items():
            names |= {_key(one): Name("relative", value) for one in written}
    return names


def _key(name: str) -> tuple[str, ...]:
    """Split a name as queries are split."""
    return tuple(plain(name).replace("'", " ").replace("-", " ").split())

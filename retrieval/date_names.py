"""The words for dates in the ten languages of ``embedding.language``.

Months, days and units come from CLDR, by way of dateparser (``train.languages.date_names`` writes the table).
It has neither seasons nor holidays, nor the small words around dates: those are below. Words are compared
without accents, in lower case.
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
_LAST = {
    "en": "last previous",  # "past" is a preposition: "leaves fall past a window"
    "de": "letzte letzten letzter letztes letztem vergangene vergangenen "
    "vergangener vergangenes vorige vorigen voriger voriges",
    "fr": "dernier dernière",
    "es": "pasado pasada último última",
    "cs": "minulý minulé minulá minulou minulém minulého poslední",
    "it": "scorso scorsa",
    "nl": "vorig vorige afgelopen",
    "pt": "passado passada último última",
    "pl": "zeszły zeszła zeszłe zeszłego zeszłej zeszłym zeszłą ubiegły ubiegłe ubiegłego ubiegłej ubiegłym",
    "sv": "förra senaste",
}
# The same after a name, as in "été dernier"; elsewhere such a word begins another date ("june last year").
_LAST_BEHIND = {
    "en": "",
    "de": "",
    "fr": _LAST["fr"],
    "es": _LAST["es"],
    "cs": "",
    "it": _LAST["it"],
    "nl": "",
    "pt": _LAST["pt"],
    "pl": _LAST["pl"],
    "sv": "",
}
_THIS = {
    "en": "this",
    "de": "diese dieser dieses diesen diesem",
    "fr": "ce cet cette",
    "es": "este esta",
    "cs": "tento toto této tuto letošní",
    "it": "questo questa quest",
    "nl": "dit deze",
    "pt": "este esta deste desta",
    "pl": "ten to tego tej tym",
    "sv": "denna detta",
}
# Before a month they make it a date: "in march" is one, "a march" is none.
_DURING = {
    "en": "in from during",
    "de": "im vom aus",
    "fr": "en",
    "es": "en",
    "cs": "v ve z ze",
    "it": "in",
    "nl": "in uit",
    "pt": "em",
    "pl": "w we z ze",
    "sv": "i från",
}
_SINCE = {
    "en": "since",
    "de": "seit ab",
    "fr": "depuis",
    "es": "desde",
    "cs": "od",
    "it": "dal dalla",
    "nl": "sinds vanaf",
    "pt": "desde",
    "pl": "od",
    "sv": "sedan",
}
_BEFORE = {
    "en": "before",
    "de": "vor",
    "fr": "avant",
    "es": "antes",
    "cs": "před",
    "it": "prima",
    "nl": "voor",
    "pt": "antes",
    "pl": "przed",
    "sv": "före innan",
}
_AFTER = {
    "en": "after",
    "de": "nach",
    "fr": "après",
    "es": "después",
    "cs": "po",
    "it": "dopo",
    "nl": "na",
    "pt": "depois",
    "pl": "po",
    "sv": "efter",
}
_UNTIL = {
    "en": "until till",
    "de": "bis",
    "fr": "jusqu",
    "es": "hasta",
    "cs": "až",
    "it": "fino",
    "nl": "tot",
    "pt": "até",
    "pl": "",
    "sv": "till",
}
# Between the two ends of a span, as those before.
_TO = {
    "en": "to",
    "de": "",
    "fr": "à a au",
    "es": "a al",
    "cs": "do",
    "it": "a al ad",
    "nl": "",
    "pt": "a",
    "pl": "do",
    "sv": "",
}
_BETWEEN = {
    "en": "between",
    "de": "zwischen",
    "fr": "entre",
    "es": "entre",
    "cs": "mezi",
    "it": "tra fra",
    "nl": "tussen",
    "pt": "entre",
    "pl": "między pomiędzy",
    "sv": "mellan",
}
_AND = {
    "en": "and",
    "de": "und",
    "fr": "et",
    "es": "y",
    "cs": "a",
    "it": "e",
    "nl": "en",
    "pt": "e",
    "pl": "a i",
    "sv": "och",
}
_OR = {
    "en": "or",
    "de": "oder",
    "fr": "ou",
    "es": "o",
    "cs": "nebo",
    "it": "o",
    "nl": "of",
    "pt": "ou",
    "pl": "lub albo",
    "sv": "eller",
}
# Articles and prepositions that belong to a date after them: "in the summer of 2019".
_AROUND = {
    "en": "of on at the taken year",
    "de": "in am an der die das den dem von zu des jahr jahre jahres jahren",
    "fr": "de du d le la l les à au pendant dans mois année an",
    "es": "de del el la los las durante por año",
    "cs": "o na roku roce rokem lety letech",
    "it": "di del della dell d il la l lo a nel nella nell durante anno",
    "nl": "van de het op tijdens met jaar",
    "pt": "de do da no na o a durante ano",
    "pl": "na roku rokiem latach",
    "sv": "under på den av år året",
}
# "a 1957 chevrolet" is no photo of 1957.
_ONE = {
    "en": "a an",
    "de": "ein eine einen einem einer",
    "fr": "un une",
    "es": "un una",
    "cs": "",
    "it": "un una uno",
    "nl": "een",
    "pt": "um uma",
    "pl": "",
    "sv": "en ett",
}
# Words that ask for photos and say nothing of them.
_PHOTOS = {
    "en": "photo photos picture pictures image images pic pics all my our everything",
    "de": "foto fotos bild bilder alle meine unsere",
    "fr": "photo photos image images toutes mes nos les",
    "es": "foto fotos fotografías imagen imágenes todas mis las",
    "cs": "foto fotky fotka fotografie obrázky moje všechny",
    "it": "foto fotografie immagini tutte le mie",
    "nl": "foto fotos foto's beelden alle mijn onze",
    "pt": "foto fotos fotografias imagens todas as minhas",
    "pl": "zdjęcie zdjęcia fotki moje wszystkie",
    "sv": "foto foton bild bilder alla mina våra",
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


@dataclass(frozen=True)
class Particles:
    """The small words around dates in some languages, folded."""

    last: frozenset[str]
    last_behind: frozenset[str]
    this: frozenset[str]
    during: frozenset[str]
    since: frozenset[str]
    before: frozenset[str]
    after: frozenset[str]
    until: frozenset[str]
    to: frozenset[str]
    between: frozenset[str]
    and_: frozenset[str]
    or_: frozenset[str]
    around: frozenset[str]
    one: frozenset[str]
    photos: frozenset[str]


def plain(word: str) -> str:
    """Return a word in lower case and without accents."""
    return without_accents(unicodedata.normalize("NFKC", word.lower())).replace("ł", "l")


@cache
def particles(language: str) -> Particles:
    """Return the small words of a language and of English."""
    tables = (
        _LAST, _LAST_BEHIND, _THIS, _DURING, _SINCE, _BEFORE, _AFTER, _UNTIL,
        _TO, _BETWEEN, _AND, _OR, _AROUND, _ONE, _PHOTOS,
    )  # fmt: skip
    codes = (language, ENGLISH)
    return Particles(*(frozenset(plain(" ".join(table[code] for code in codes)).split()) for table in tables))


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

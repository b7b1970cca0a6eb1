"""The small words around dates in the ten languages of ``embedding.language``.

Such as "last", "since", "between". Words are compared without accents, in lower case.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from twobranch.embedding.language import ENGLISH
from twobranch.retrieval.date_names import plain

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


@cache
def particles(language: str) -> Particles:
    """Return the small words of a language and of English."""
    tables = (
        _LAST, _LAST_BEHIND, _THIS, _DURING, _SINCE, _BEFORE, _AFTER, _UNTIL,
        _TO, _BETWEEN, _AND, _OR, _AROUND, _ONE, _PHOTOS,
    )  # fmt: skip
    codes = (language, ENGLISH)
    return Particles(*(frozenset(plain(" ".join(table[code] for code in codes)).split()) for table in tables))

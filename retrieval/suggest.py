"""Suggestions while a query is typed.

The text ends with the beginning of something: a folder, a month, a camera, a word. Words before that
stay in the query, so in "dog hol" the folder "holiday" is suggested. A source is a function that finds
suggestions of one kind; a new kind is one more entry in ``SAVED`` or ``NAMED``.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any, Literal

from twobranch.embedding.language import without_accents
from twobranch.indexer.catalog.albums import album_names
from twobranch.indexer.catalog.known_names import KnownNames, NamedPhotos
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.catalog.saved_searches import all_searches
from twobranch.indexer.catalog.tokens import runs
from twobranch.retrieval.date_names import month_names

Kind = Literal["folder", "month", "camera", "place", "album", "search", "word"]
MOST = 50  # suggestions that are ever asked for
_MOST_WORDS = 4  # of what is typed that a name is compared with
_SHORTEST_WORD = 2  # letters; most photos have a word with a given first letter
_MOST_COMPLETIONS = 20
_FOREIGN = 3  # characters of a key, up to which months are only found by their English names


@dataclass(frozen=True)
class Suggestion:
    """A suggestion, and the parameters of the search that it adds."""

    kind: Kind
    label: str
    photos: int | None  # that it stands for; None if they are not counted
    filter: dict[str, str]

    def as_json(self) -> dict[str, Any]:
        """Return the suggestion as JSON data."""
        return {"kind": self.kind, "label": self.label, "photos": self.photos, "filter": self.filter}


@dataclass(frozen=True)
class Known:
    """The names that suggestions are made of."""

    names: KnownNames
    text: str  # of ``names_text``
    reader: CatalogReader


# Takes the end of what is typed, as ``key_of`` writes it; "" for nothing.
Source = Callable[[str, Known], list[Suggestion]]


def suggest(text: str, limit: int, known: Known) -> list[Suggestion]:
    """Return at most ``limit`` suggestions, those of a kind together.

    They have as many of the last words as any name has, and each kind gets its share before any gets more.
    For an empty text they are the newest months and the largest folders. Raises ``LibraryError``.
    """
    typed = plain_words(text)
    if text.strip() and not typed:  # signs alone
        return []
    found: list[list[Suggestion]] = []
    for n in range(min(_MOST_WORDS, len(typed)), -1 if not typed else 0, -1):
        ending = key_of(" ".join(typed[-n:])) if n else ""
        is_named = (
            ending in known.text
        )  # most endings of several words are not, and need no look at each name
        found = [source(ending, known) for source in (*SAVED, *(NAMED if is_named else ()))]
        if any(found):
            break
    return _shared_out([*found, completions(typed, known)], limit)


def _shared_out(found: Sequence[Sequence[Suggestion]], limit: int) -> list[Suggestion]:
    """Take from each list in turn, up to the limit.

    Those of a list stay together.
    """
    rounds = ((at, nth) for nth in range(limit) for at, one in enumerate(found) if nth < len(one))
    return [found[at][nth] for at, nth in sorted(islice(rounds, limit))]


def plain_words(text: str) -> list[str]:
    """Return the words of a text in lower case and without accents."""
    return [without_accents(unicodedata.normalize("NFKC", word)) for word in runs(text)]


@lru_cache(maxsize=50_000)
def key_of(name: str) -> str:
    """Return the words of a name, a space before each.

    The keys of names are kept: each is compared with every letter that is typed.
    """
    return "".join(f" {word}" for word in plain_words(name))


def folders(ending: str, known: Known) -> list[Suggestion]:
    """Find folders that have it in their path.

    Those that have it in their own name come first.
    """
    found = [folder for folder in known.names.folders if ending in key_of(folder.name)]
    found.sort(key=lambda folder: ending not in key_of(folder.name.rpartition("/")[2]))
    return [Suggestion("folder", one.name, one.photos, {"path": one.value}) for one in found[:MOST]]


def cameras(ending: str, known: Known) -> list[Suggestion]:
    """Find cameras that have it in their name."""
    found = [camera for camera in known.names.cameras if ending and ending in key_of(camera.name)]
    return [Suggestion("camera", one.name, one.photos, {"camera": one.value}) for one in found]


def months(ending: str, known: Known) -> list[Suggestion]:
    """Find months by year and name in any language, newest first."""
    found = []
    for month in known.names.months:
        labels = month_labels(month)[: None if len(ending) > _FOREIGN else 1]
        label = next((label for label in labels if ending in key_of(label)), None)
        if label is not None:
            span = {"after": month.name, "before": _next_month(month.name)}
            found.append(Suggestion("month", label, month.photos, span))
    return found


def places(ending: str, known: Known) -> list[Suggestion]:
    """Find towns and countries that photos were taken in."""
    found = [place for place in known.names.places if ending and ending in key_of(place.name)]
    return [Suggestion("place", one.name, one.photos, {"place": one.value}) for one in found]


def albums(ending: str, known: Known) -> list[Suggestion]:
    """Find albums by name. Counting their photos would take too long."""
    names = [name for _, name in album_names(known.reader)] if ending else []
    return [Suggestion("album", name, None, {"album": name}) for name in names if ending in key_of(name)]


def searches(ending: str, known: Known) -> list[Suggestion]:
    """Find saved searches by name, the newest first."""
    found = [one for one in all_searches(known.reader) if ending in key_of(one.name)] if ending else []
    return [Suggestion("search", one.name, None, {"query": one.query}) for one in found]


# A new kind is one more entry: of what people save, or of names that ``names_text`` has.
SAVED: Sequence[Source] = (searches, albums)
NAMED: Sequence[Source] = (places, months, folders, cameras)


def names_text(names: KnownNames) -> str:
    """Return the keys of all names as one text, a line each."""
    labels = [one.name for kind in (names.places, names.folders, names.cameras) for one in kind]
    for month in names.months:
        labels += month_labels(month)
    return "\n".join(map(key_of, labels))


def month_labels(month: NamedPhotos) -> list[str]:
    """Return a month's name and year in all languages, English first."""
    year, number = int(month.name[:4]), int(month.name[5:7])
    return [f"{name.capitalize()} {year}" for name in month_names(number)]


def completions(typed: Sequence[str], known: Known) -> list[Suggestion]:
    """Find words of the library that begin with the last one.

    The most frequent come first.
    """
    last = typed[-1] if typed else ""
    if len(last) < _SHORTEST_WORD or not known.reader.has_words():
        return []
    found = known.reader.frequent_words_beginning(last, _MOST_COMPLETIONS)
    others = [(word, n) for word, n in found if word != last and not word.isdecimal()]
    return [Suggestion("word", word, n, {"q": word}) for word, n in others]


def _next_month(name: str) -> str:
    year, month = int(name[:4]), int(name[5:7])
    return f"{year + month // 12:04}-{month % 12 + 1:02}"

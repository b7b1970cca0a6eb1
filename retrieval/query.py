"""Queries: weighted terms and filters, and their parser."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from twobranch.common.errors import UserError
from twobranch.common.paths import expanded, is_file, is_folder
from twobranch.embedding.preprocess import IMAGE_SUFFIXES
from twobranch.embedding.sif import well_formed
from twobranch.indexer.catalog.filters import Filters, NamedDates, Place
from twobranch.retrieval.photo_names import NamedPhotos
from twobranch.retrieval.terms import (
    Item,
    ItemTerm,
    PartTerm,
    PhotoTerm,
    PictureTerm,
    Term,
    TextTerm,
    as_typed,
    term_as_json,
    term_from_json,
)

MOST_CHARACTERS = 2000  # of a query; a sentence encoder reads about the first hundred words of a sentence
# A plus or minus that stands alone, as in `dog + ./pool.jpg - fruit`.
_SIGN = re.compile(r"(?:^|(?<=\s))([+-])(?=\s|$)")
# Total weight of the liked and of the disliked hits (benchmarks/feedback.md).
_TOWARDS, _AWAY = 0.3, 0.1
ONLY_DISLIKED = "a query cannot have only disliked hits; say what to look for as well"
_MOST_WEIGHT = 1_000_000  # with a higher weight, float32 would lose the other terms
# Addresses of the network, and data: addresses, which hold a whole picture. Addresses of files on this
# computer have no host.
_ADDRESS = re.compile(r"(?:https?|ftp|file)://\S+|data:[\w.+-]+/[\w.+-]+[;,]\S*", re.IGNORECASE)
_FILE_ADDRESS = re.compile(r"file://(?:localhost)?(?=/)", re.IGNORECASE)
_MOST_SHOWN = 80  # characters of an address in a message
_WEIGHT = re.compile(r"(\d+(?:\.\d+)?):\s*(?=\S)")


@dataclass(frozen=True)
class Query:
    """A weighted sum of terms, and filters.

    Only items that pass the filters are found. A query without terms finds the newest ones.
    """

    terms: tuple[Term, ...] = ()
    filters: Filters = Filters()  # noqa: RUF009 (frozen)
    language: str | None = None  # code of the language of its sentences; None: each is read in its own

    @property
    def sentence(self) -> str | None:
        """The sentence, if the query is a single positive sentence; else None."""
        match self.terms:
            case (TextTerm(text, weight),) if weight > 0:
                return text
        return None

    @property
    def wording(self) -> str:
        """The sentence with the words for its dates.

        Names and captions may have these too. Empty for any other query.
        """
        dates = self.filters.dates
        if self.sentence is None or dates is None or not dates.texts:
            return self.sentence or ""
        return f"{self.sentence} {dates.words}"

    @property
    def is_photo(self) -> bool:
        """True if the query is an external photo or a part."""
        match self.terms:
            case (PhotoTerm() | PictureTerm() | PartTerm() as term,):
                return term.weight > 0
        return False

    @property
    def texts(self) -> tuple[str, ...]:
        """All sentences of the query."""
        return tuple(term.text for term in self.terms if isinstance(term, TextTerm))

    @property
    def phrases(self) -> tuple[str, ...]:
        """The sentences that photos should show: those with a positive weight."""
        return tuple(term.text for term in self.terms if isinstance(term, TextTerm) and term.weight > 0)

    @property
    def photos(self) -> tuple[Path, ...]:
        """All photos of the query that have a path."""
        return tuple(term.path for term in self.terms if isinstance(term, PhotoTerm | PartTerm))

    @property
    def items(self) -> tuple[Item, ...]:
        """All items of the library that the query has by their ids."""
        terms = (term for term in self.terms if isinstance(term, PhotoTerm | ItemTerm))
        return tuple(term.item for term in terms if term.item is not None)

    def __str__(self) -> str:
        """The query as typed on a command line.

        Terms that cannot be typed are left out.
        """
        parts: list[str] = []
        for term in self.terms:
            typed = as_typed(term)
            if typed is not None:
                parts += (["-"] if term.weight < 0 else ["+"] if parts else []) + [typed]
        return " ".join(parts)

    def as_json(self) -> dict[str, Any]:
        """Return the query as JSON data for ``from_json``."""
        filters = asdict(self.filters)
        for of in (filters, filters["dates"] or {}):
            of |= {name: of[name].isoformat() for name in ("after", "before") if of.get(name)}
        terms = [term_as_json(term) for term in self.terms]
        return {"terms": terms, "filters": filters, "language": self.language}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Query:
        """Read what ``as_json`` wrote.

        Raises ``AttributeError``, ``KeyError``, ``TypeError`` or ``ValueError`` for anything else.
        """
        filters = _from_json(data["filters"])
        filters["near"] = filters["near"] and Place(**filters["near"])
        if dates := filters.get("dates"):  # not in files of 0.2
            filters["dates"] = NamedDates(**_from_json(dates))
        language = data.get("language")  # not in files of 0.1
        return cls(tuple(map(term_from_json, data["terms"])), Filters(**filters), language)


def _from_json(written: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of filters or dates: tuples for lists, and moments."""
    fields = {name: _as_tuple(value) for name, value in written.items()}
    for name in ("after", "before"):
        fields[name] = fields[name] and datetime.fromisoformat(fields[name])
    return fields


def _as_tuple(value: Any) -> Any:
    return tuple(map(_as_tuple, value)) if isinstance(value, list) else value


def parse_query(
    words: Sequence[str],
    plus: Sequence[str] = (),
    minus: Sequence[str] = (),
    filters: Filters = Filters(),  # noqa: B008 (frozen)
    *,
    files: bool = True,
    library: NamedPhotos | None = None,
) -> Query:
    """Parse the words of a command line as a query.

    ``plus`` and ``minus`` are further positive and negative terms. A ``+`` or ``-`` that stands alone begins
    the next term; ``2:`` before a term is its weight. A word that begins with ``./``, ``../``, ``/`` or
    ``~`` or ``file:///``, or names an existing image file, is a photo. A file name that is none here is
    looked up in ``library``. Without ``files`` every word is text, and the disk is not read. Raises
    ``UserError`` for an empty query without filters, a sign without a term, a query with only negative terms,
    more than ``MOST_CHARACTERS`` (paths of photos not counted), the address of a picture elsewhere (nothing
    is downloaded), and a photo that does not exist or stands within a sentence.
    """
    for word in (*words, *plus, *minus):
        for part in _SIGN.split(word):
            _refuse_address(_weighted(part.strip())[1], files)
    _check_length((*words, *plus, *minus), files)
    terms: list[Term] = []
    pending: list[str] = []
    sign = ""

    def end_term() -> None:
        if pending:
            terms.append(_term(pending, -1.0 if sign == "-" else 1.0, files, library))
            pending.clear()
        elif sign:
            raise UserError(f'nothing follows the {sign!r}; as in: search "dog" {sign} "snow"')

    for word in words:
        # The name of a photo may contain these signs. In a quoted sentence they separate terms.
        for part in [word] if files and is_photo_path(_weighted(word)[1]) else _SIGN.split(word):
            if part in ("+", "-"):
                if pending or sign:
                    end_term()
                sign = part
            elif part.strip():
                pending.append(part.strip())
    end_term()
    terms += [_term([text], 1.0, files, library) for text in plus]
    terms += [_term([text], -1.0, files, library) for text in minus]
    if not terms and not filters:
        raise UserError('empty query; describe a photo, as in: search "red car on a street"')
    if terms and all(term.weight <= 0 for term in terms):
        raise UserError("a query cannot have only negative terms; say what to look for as well")
    return Query(tuple(terms), filters)


def _refuse_address(word: str, files: bool) -> None:
    """Raise ``UserError`` for an address.

    With ``files`` that of a file is a path.
    """
    if not _ADDRESS.fullmatch(word) or (files and _FILE_ADDRESS.match(word)):
        return
    shown = word if len(word) <= _MOST_SHOWN else f"{word[:_MOST_SHOWN]}…"
    raise UserError(f"{shown}: is an address; download the picture and search for the file")


def _check_length(words: Sequence[str], files: bool) -> None:
    """Raise ``UserError`` for a query that is too long.

    Paths of photos are not counted.
    """
    n = sum(len(word) for word in words if not (files and is_photo_path(_weighted(word)[1])))
    if n > MOST_CHARACTERS:
        raise UserError(f"a query of {n:,} characters; describe a photo in {MOST_CHARACTERS:,} or fewer")


def _weighted(word: str) -> tuple[float, str]:
    """Split a word into its weight and the rest."""
    match = _WEIGHT.match(word)
    return (float(match[1]), word[match.end() :]) if match else (1.0, word)


def _term(words: Sequence[str], sign: float, files: bool, library: NamedPhotos | None) -> Term:
    """Parse the words of one term."""
    weight, first = _weighted(words[0])
    if weight > _MOST_WEIGHT:
        raise UserError(f"a weight of more than {_MOST_WEIGHT:,}; give a smaller one")
    weight, words = sign * weight, [first, *words[1:]]
    paths = [word for word in words if files and is_photo_path(word)]
    if paths and len(words) > 1:
        raise UserError(f'{paths[0]}: a photo in a sentence; write + between: search "dog" + {paths[0]}')
    if not paths:
        text = well_formed(" ".join(" ".join(words).split()))
        if not text:
            raise UserError('an empty term; describe a photo, as in: search "red car on a street"')
        return TextTerm(text, weight)
    path = _path(paths[0])
    if is_folder(path):
        raise UserError(f"{path}: is a folder; `similarity` compares folders, `search` takes photos")
    if is_file(path):
        return PhotoTerm(path, weight)
    if library is None or _is_explicit_path(paths[0]):
        raise UserError(f"{path}: no such photo")
    return replace(library.term(paths[0]), weight=weight)


def _path(word: str) -> Path:
    """Return the path that a word denotes.

    It is the word itself, or what its ``file:`` address has.
    """
    address = _FILE_ADDRESS.match(word)
    if address is None:
        return expanded(word)
    path = unquote(word[address.end() :], errors="surrogateescape")
    return Path(path[1:] if os.name == "nt" else path)  # /C:/a.jpg


def with_feedback(query: Query, liked: Sequence[Item], disliked: Sequence[Item]) -> Query:
    """Return the query moved towards liked and away from disliked items.

    It moves by the mean of each (Rocchio, *Relevance feedback in information retrieval*, 1971). Raises
    ``UserError`` if it would have only disliked items.
    """
    if disliked and not (query.terms or liked):
        raise UserError(ONLY_DISLIKED)
    towards = [ItemTerm(item, _TOWARDS / len(liked)) for item in liked]
    away = [ItemTerm(item, -_AWAY / len(disliked)) for item in disliked]
    return replace(query, terms=(*query.terms, *towards, *away))


def is_photo_path(word: str) -> bool:
    """True for a word that denotes a photo.

    It looks like a path, ends like the name of an image file, or names an existing one.
    """
    if _is_explicit_path(word):
        return True
    return (" " not in word.strip() and Path(word).suffix.lower() in IMAGE_SUFFIXES) or _is_image_file(word)


def _is_explicit_path(word: str) -> bool:
    return word.startswith(("./", "../", "/", "~/", ".\\", "..\\")) or bool(_FILE_ADDRESS.match(word))


def _is_image_file(word: str) -> bool:
    path = Path(word)
    return path.suffix.lower() in IMAGE_SUFFIXES and is_file(path)

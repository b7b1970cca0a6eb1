"""The terms of a query.

A term is a text, a photo on disk, an uploaded picture, a part of a photo, or an item of the library. It has
a weight; a negative weight moves the query away from it. Code that handles terms has one ``match`` over all
five classes, which mypy checks for completeness.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from twobranch.indexer.catalog.reader import Gallery

Edges: TypeAlias = tuple[int, int, int, int]  # left, top, right, bottom in pixels of the upright photo


class Item(NamedTuple):
    """A photo or caption of the library.

    ``id`` is the id of its vector.
    """

    gallery: Gallery
    id: int


@dataclass(frozen=True)
class TextTerm:
    """A sentence."""

    text: str
    weight: float = 1.0


@dataclass(frozen=True)
class PhotoTerm:
    """A photo on disk, or one of the library by name.

    Of the latter ``item`` has the vector, so that its file is not read.
    """

    path: Path
    weight: float = 1.0
    item: Item | None = None
    namesakes: tuple[Path, ...] = ()  # other photos of the library with that name


@dataclass(frozen=True)
class PictureTerm:
    """An uploaded picture, as its embedding."""

    vector: bytes  # (D,) float32, of length 1
    weight: float = 1.0


@dataclass(frozen=True)
class PartTerm:
    """A part of a photo, as its embedding."""

    path: Path
    box: Edges
    vector: bytes  # (D,) float32, of length 1
    weight: float = 1.0


@dataclass(frozen=True)
class ItemTerm:
    """An item of the library."""

    item: Item
    weight: float = 1.0


Term: TypeAlias = TextTerm | PhotoTerm | PictureTerm | PartTerm | ItemTerm


def as_typed(term: Term) -> str | None:
    """Return the term as typed on a command line, without its sign.

    None for a term that cannot be typed.
    """
    match term:
        case TextTerm(text):
            typed = text
        case PhotoTerm(path):
            typed = str(path)
        case PictureTerm() | PartTerm() | ItemTerm():
            return None
    return typed if abs(term.weight) == 1 else f"{abs(term.weight):g}:{typed}"


def term_as_json(term: Term) -> dict[str, Any]:
    """Return the term as JSON data for ``term_from_json``.

    It has the weight, and a second key that names the class of the term; of a photo of the library also its
    item.
    """
    match term:
        case TextTerm(text):
            what: dict[str, Any] = {"text": text}
        case PhotoTerm(path, item=item):
            what = {"photo": str(path.absolute()), "item": None if item is None else list(item)}
        case PictureTerm(vector):
            what = {"picture": vector.hex()}
        case PartTerm(path, box, vector):
            what = {"part": str(path.absolute()), "box": list(box), "vector": vector.hex()}
        case ItemTerm(item):
            what = {"item": list(item)}
    return {**what, "weight": term.weight}


def term_from_json(data: dict[str, Any]) -> Term:
    """Read the output of ``term_as_json``.

    Null values count as missing. Raises ``KeyError``, ``TypeError`` or ``ValueError`` for anything else.
    """
    weight = float(data["weight"])
    match {key: value for key, value in data.items() if value is not None}:
        case {"text": str(text)}:
            return TextTerm(text, weight)
        case {"photo": str(path), "item": [("images" | "captions") as gallery, id_]}:
            return PhotoTerm(Path(path), weight, Item(gallery, int(id_)))
        case {"photo": str(path)}:
            return PhotoTerm(Path(path), weight)
        case {"picture": str(vector)}:
            return PictureTerm(bytes.fromhex(vector), weight)
        case {"part": str(path), "box": [left, top, right, bottom], "vector": str(vector)}:
            box = int(left), int(top), int(right), int(bottom)
            return PartTerm(Path(path), box, bytes.fromhex(vector), weight)
        case {"item": [("images" | "captions") as gallery, id_]}:
            return ItemTerm(Item(gallery, int(id_)), weight)
    raise ValueError(f"{data} is not a query term")

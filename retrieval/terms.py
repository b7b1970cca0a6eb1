"""The terms of a query: a text, a photo on disk, a picture handed in, or an item of the library.

A term has a weight; a negative one leads away from it. Code that handles terms has one ``match`` over all
four classes, which mypy checks for completeness.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from twobranch.indexer.catalog.reader import Gallery


class Item(NamedTuple):
    """A photo or caption of the library, by the id of its vector."""

    gallery: Gallery
    id: int


@dataclass(frozen=True)
class TextTerm:
    """A sentence."""

    text: str
    weight: float = 1.0


@dataclass(frozen=True)
class PhotoTerm:
    """A photo on disk."""

    path: Path
    weight: float = 1.0


@dataclass(frozen=True)
class PictureTerm:
    """A picture that was handed in, as its embedding."""

    vector: bytes  # (D,) float32, of length 1
    weight: float = 1.0


@dataclass(frozen=True)
class ItemTerm:
    """An item of the library."""

    item: Item
    weight: float = 1.0


Term: TypeAlias = TextTerm | PhotoTerm | PictureTerm | ItemTerm


def as_typed(term: Term) -> str | None:
    """The term without its sign, as typed on a command line; None for one that cannot be typed."""
    match term:
        case TextTerm(text):
            typed = text
        case PhotoTerm(path):
            typed = str(path)
        case PictureTerm() | ItemTerm():
            return None
    return typed if abs(term.weight) == 1 else f"{abs(term.weight):g}:{typed}"


def term_as_json(term: Term) -> dict[str, Any]:
    """The term for ``term_from_json``: its weight, and one more key, which names its class."""
    match term:
        case TextTerm(text):
            what: dict[str, Any] = {"text": text}
        case PhotoTerm(path):
            what = {"photo": str(path.absolute())}
        case PictureTerm(vector):
            what = {"picture": vector.hex()}
        case ItemTerm(item):
            what = {"item": list(item)}
    return {**what, "weight": term.weight}


def term_from_json(data: dict[str, Any]) -> Term:
    """The term that ``term_as_json`` wrote; null values count as missing.

    Raises ``KeyError``, ``TypeError`` or ``ValueError`` for anything else.
    """
    weight = float(data["weight"])
    match {key: value for key, value in data.items() if value is not None}:
        case {"text": str(text)}:
            return TextTerm(text, weight)
        case {"photo": str(path)}:
            return PhotoTerm(Path(path), weight)
        case {"picture": str(vector)}:
            return PictureTerm(bytes.fromhex(vector), weight)
        case {"item": [("images" | "captions") as gallery, id_]}:
            return ItemTerm(Item(gallery, int(id_)), weight)
    raise ValueError(f"{data} is no term of a query")

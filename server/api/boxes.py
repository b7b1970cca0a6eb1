"""Boxes in photos as parameters: ``left,top,right,bottom``."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from twobranch.retrieval.terms import Edges

_LARGEST = 1_000_000  # pixels; an edge of a box


def edges_of(text: str) -> Edges:
    """Read the edges of a box. Raises ``ValueError``."""
    left, top, right, bottom = (int(edge) for edge in text.split(","))
    return left, top, right, bottom


def _checked_box(text: str) -> str:
    try:
        is_valid = all(edge.isdecimal() for edge in text.split(",")) and max(edges_of(text)) <= _LARGEST
    except ValueError:
        is_valid = False
    if not is_valid:
        raise PydanticCustomError("box", "write left,top,right,bottom in pixels, such as 120,80,360,300")
    return text


BoxText = Annotated[str, AfterValidator(_checked_box)]

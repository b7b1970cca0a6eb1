"""From what was typed to what is searched for: words that are certainly mistyped are put right."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from retrieval.query import Query
from retrieval.spelling import Correction, corrected, corrections

if TYPE_CHECKING:
    from retrieval.engine import SearchEngine


@dataclass(frozen=True)
class Asked:
    """A query as it is searched for, and what there is to say of it."""

    query: Query
    corrections: tuple[Correction, ...] = ()  # what was done, and what is doubtful
    unknown: tuple[str, ...] = ()  # words that mean nothing to the model


def put_right(query: Query, engine: SearchEngine, *, by_words: bool = True) -> Asked:
    """The query with the words that are certainly mistyped put right.

    With ``by_words``, where the words beside photos are searched as well, those are known words. Raises
    ``LibraryError``.
    """
    unknown = engine.unknown_words(query)
    terms, all_found = [], []
    for term in query.terms:
        text = term.text or ""
        found = corrections(text, engine.written_words(text) if by_words else ())
        all_found += found
        certain = [correction for correction in found if correction.is_certain]
        terms.append(replace(term, text=corrected(text, certain)) if certain else term)
    return Asked(replace(query, terms=tuple(terms)), tuple(all_found), tuple(unknown))

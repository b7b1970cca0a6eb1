"""Correction of a query's mistyped words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from twobranch.embedding.language import ENGLISH
from twobranch.retrieval.query import Query
from twobranch.retrieval.spelling import Correction, Vocabulary, corrected, corrections
from twobranch.retrieval.terms import Term, TextTerm


@dataclass(frozen=True)
class CorrectedQuery:
    """A query with its certain corrections applied.

    ``corrections`` has the doubtful ones as well.
    """

    query: Query
    corrections: tuple[Correction, ...] = ()


def correct_query(query: Query, written_words: Callable[[str], Vocabulary] | None) -> CorrectedQuery:
    """Correct the words of a query that are certainly mistyped.

    ``written_words`` returns the words of the library for a text. With None only frequent words count as
    known. Its exceptions are passed on.
    """
    terms: list[Term] = []
    found: list[Correction] = []
    for term in query.terms:
        if isinstance(term, TextTerm):
            library = None if written_words is None else written_words(term.text)
            of_term = corrections(term.text, library, query.language or ENGLISH)
            certain = [correction for correction in of_term if correction.is_certain]
            terms.append(replace(term, text=corrected(term.text, certain)) if certain else term)
            found += of_term
        else:
            terms.append(term)
    return CorrectedQuery(replace(query, terms=tuple(terms)), tuple(found))

"""Conversion of queries to vectors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from twobranch.common.errors import UserError
from twobranch.embedding.encoder import Encoder
from twobranch.retrieval.encoders import check_known
from twobranch.retrieval.query import Query
from twobranch.retrieval.terms import Item, ItemTerm, PartTerm, PhotoTerm, PictureTerm, Term, TextTerm

VectorOf = Callable[[Item], NDArray[np.float32]]  # (D,) of length 1; raises KeyError


def query_vector(query: Query, encoder: Encoder, vector_of: VectorOf) -> NDArray[np.float32]:
    """Return the normalised weighted sum of the terms' vectors.

    It is (D,) float32, of length 1. ``vector_of`` returns the vector of an item. Raises ``UserError`` for a
    sentence without a known word, a photo that cannot be read, an item that is no longer in the library, and
    terms that cancel out.
    """
    for text in query.texts:
        check_known(encoder, text, query.language)
    if len(query.terms) == 1:
        return _term_vector(query.terms[0], query.language, encoder, vector_of)
    vectors = [_term_vector(term, query.language, encoder, vector_of) for term in query.terms]
    total = np.sum([term.weight * vector for term, vector in zip(query.terms, vectors, strict=True)], axis=0)
    length = np.linalg.norm(total)
    if length < 1e-6:
        raise UserError(f"{query}: its terms cancel out; nothing is left to look for")
    return np.asarray(total / length, dtype=np.float32)


def _term_vector(
    term: Term, language: str | None, encoder: Encoder, vector_of: VectorOf
) -> NDArray[np.float32]:
    """Return the (D,) float32 unit vector of a term, without its weight."""
    match term:
        case TextTerm(text):
            return encoder.encode_query(text, language)
        case PhotoTerm(path, item=item):
            if item is None:
                return encoder.encode_images([path])[0]
            try:
                return vector_of(item)
            except KeyError:
                raise UserError(f"{path}: is no longer in the library; search anew") from None
        case PictureTerm(vector) | PartTerm(vector=vector):
            return np.frombuffer(vector, dtype=np.float32)
        case ItemTerm(item):
            try:
                return vector_of(item)
            except KeyError:
                raise UserError(
                    "a hit that was liked or not is no longer in the library; search anew"
                ) from None

"""Queries to ranked hits, over the library's vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedding.encoder import Encoder
from embedding.errors import LibraryError, ModelError, UserError
from indexer.galleries import Index, open_index
from indexer.library import find_library
from indexer.reader import CatalogReader, LibraryModel
from indexer.reader import Kind as Gallery
from indexer.vectors import VectorIndex
from retrieval.confidence import Calibration, Kind
from retrieval.fusion import SURE, FusedRanking, Ranking, fused
from retrieval.query import ImageQuery, Query, TextQuery, parse_query


@dataclass(frozen=True)
class Hit:
    """One result: ``rank`` from 1, ``score`` the inner product of two unit vectors, higher is closer.

    Hits are in the order of score + words; confidence goes by the score alone.
    """

    rank: int
    score: float
    path: Path | None  # the photo; of a caption, the photo it describes, if that is in the library
    caption: str | None  # the sentence, when captions were searched
    confidence: float | None = None  # probability that it matches; None without a calibration
    words: float | None = None  # what names, captions and the like add to the score in the ranking
    matched: tuple[str, ...] = ()  # which of them have words of the query

    def as_json(self) -> dict[str, Any]:
        """The shape of a hit in ``search --json``."""
        path = None if self.path is None else str(self.path)
        return {
            "rank": self.rank,
            "score": round(self.score, 6),
            "confidence": None if self.confidence is None else round(self.confidence, 4),
            "path": path,
            "caption": self.caption,
            "words": None if self.words is None else round(self.words, 4),
            "matched": list(self.matched),
        }


class SearchEngine:
    """A library, open for searching. Model and indexes are loaded when first needed and then kept."""

    def __init__(
        self,
        library: Path,
        catalog: CatalogReader,
        load: Callable[[LibraryModel], Encoder],
        *,
        exact: bool = False,
    ) -> None:
        self.library = library
        self.exact = exact
        self.catalog = catalog
        self._load = load
        self.model = catalog.active_model()  # None until something was encoded
        self._indexes: dict[Gallery, Index] = {}

    @classmethod
    def open(
        cls,
        library: Path | str | None = None,
        *,
        load: Callable[[LibraryModel], Encoder] | None = None,
        exact: bool = False,
    ) -> SearchEngine:
        """The engine of a library folder (default: the nearest ``.twobranch``).

        ``load`` gives the encoder of a catalogued model, instead of reading its model folder; ``exact`` looks
        at every vector of a large gallery too. Raises ``LibraryError``.
        """
        folder = find_library(Path(library) if library is not None else None)
        return cls(folder, CatalogReader.open(folder), load or load_encoder, exact=exact)

    def __enter__(self) -> SearchEngine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.catalog.close()

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder of the library's model. Raises ``LibraryError`` when that is gone or has changed."""
        if self.model is None:
            raise LibraryError(f"{self.library}: nothing is indexed yet; run `index PATH`")
        return self._load(self.model)

    @cached_property
    def calibration(self) -> Calibration | None:
        """What the scores of the library's model mean, where its folder says. Raises ``ModelError``."""
        return Calibration.load(self.encoder.folder)

    def index(self, within: Gallery) -> Index:
        """The vector index over photos or captions, brought up to date with the catalogue."""
        if within not in self._indexes:
            self._indexes[within] = (
                VectorIndex.empty(1)
                if self.model is None
                else open_index(self.catalog, within, self.model.id, self.model.dim, exact=self.exact)
            )
        return self._indexes[within]

    def unknown_words(self, query: Query) -> list[str]:
        """The words of a sentence that mean nothing to the library's model."""
        if isinstance(query, ImageQuery) or self.model is None:
            return []
        return self.encoder.unknown_words(query.text)

    def matches_well(self, query: Query, hits: list[Hit], within: Gallery = "images") -> bool | None:
        """Whether the best of these hits of ``query`` is a likely match; None without a calibration."""
        if len(self.index(within)) == 0 or self.calibration is None:
            return None
        if not hits or hits[0].confidence is None:
            return None if hits else False
        if (hits[0].words or 0) >= SURE:
            return True
        text = query.text if isinstance(query, TextQuery) else None
        best = max(hit.confidence or 0 for hit in hits)
        return self.calibration.matches_well(kind_of(query, within), text, best, len(self.index(within)))

    def search(
        self,
        query: Query | str | Path,
        top: int = 10,
        within: Gallery = "images",
        min_confidence: float = 0.0,
        ranking: Ranking = "fused",
    ) -> list[Hit]:
        """The ``top`` best photos or captions for a sentence or a photo, best first.

        A string is parsed as on the command line, a ``Path`` is a photo. A photo is not listed among its
        own hits. A sentence that asks for photos is also looked for in the words beside them
        (``retrieval.fusion``) unless ``ranking`` is "visual", and only there if it is "words". Fewer hits
        than asked for means that the gallery holds no more, or none as likely as ``min_confidence``. Raises
        ``UserError`` for a query with no known word or a photo that cannot be read, or a
        ``min_confidence`` when the model has no calibration; ``LibraryError`` when the model is gone;
        ``ValueError`` for ``top`` below 1.
        """
        if top < 1:
            raise ValueError(f"top is {top}; it must be at least 1")
        if isinstance(query, Path):
            query = ImageQuery(query)
        elif isinstance(query, str):
            query = parse_query([query])
        index = self.index(within)
        if len(index) == 0:
            return []
        vector = self._encode(query)
        if min_confidence > 0 and self.calibration is None:
            raise UserError(
                f"the model {self.encoder.name} has no calibration, so its hits have no confidence; "
                "search without --min-confidence"
            )
        own = query.path.resolve() if isinstance(query, ImageQuery) and within == "images" else None
        wanted = top if own is None else top + 1  # the query photo itself may be found
        while True:
            ranked = self._ranked(query, vector, wanted, index, within, ranking)
            hits = self._hits(ranked, within, own)[:top]
            # Links to the query photo are left out as well: there may be more hits behind them.
            if len(hits) == top or min(len(index), len(ranked.ids) + 1) <= wanted:
                break
            wanted *= 2
        hits = self._with_confidence(hits, query, vector[0], within)
        return [hit for hit in hits if hit.confidence is None or hit.confidence >= min_confidence]

    def _with_confidence(
        self, hits: list[Hit], query: Query, vector: NDArray[np.float32], within: Gallery
    ) -> list[Hit]:
        """The hits with their confidence, where the model is calibrated for this kind of query."""
        if self.calibration is None:
            return hits
        confidences = self.calibration.confidences(
            kind_of(query, within),
            vector,
            query.text if isinstance(query, TextQuery) else None,
            [hit.score for hit in hits],
            len(self.index(within)),
        )
        if confidences is None:
            return hits
        pairs = zip(hits, confidences.tolist(), strict=True)
        return [replace(hit, confidence=confidence) for hit, confidence in pairs]

    def _ranked(
        self,
        query: Query,
        vector: NDArray[np.float32],
        wanted: int,
        index: Index,
        within: Gallery,
        ranking: Ranking,
    ) -> FusedRanking:
        """The ``wanted`` best for a (1, D) vector, and for the words of a sentence that asks for photos."""

        def search(k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
            scores, ids = index.search(vector, k)
            return scores[0], ids[0]

        if isinstance(query, ImageQuery) or within == "captions" or self.model is None:
            return FusedRanking(*search(wanted))
        return fused(
            query.text,
            search,
            lambda ids: index.vectors(ids) @ vector[0],
            wanted,
            self.catalog,
            self.model.id,
            ranking,
        )

    def _hits(self, ranked: FusedRanking, within: Gallery, own: Path | None) -> list[Hit]:
        """Ranked hits without the photo that is ``own``."""
        ids = ranked.ids.tolist()
        found = self.catalog.found(within, ids)
        rows = [(score, id_) for score, id_ in zip(ranked.scores.tolist(), ids, strict=True) if id_ in found]
        hits = [
            Hit(0, score, found[id_].path, found[id_].caption, None, *ranked.words_of(id_))
            for score, id_ in rows
        ]
        kept = [hit for hit in hits if own is None or hit.path is None or hit.path.resolve() != own]
        return [replace(hit, rank=rank) for rank, hit in enumerate(kept, start=1)]

    def _encode(self, query: Query) -> NDArray[np.float32]:
        """(1, D) float32, a unit row."""
        if isinstance(query, ImageQuery):
            return self.encoder.encode_images([query.path])
        check_known(self.encoder, query)
        return self.encoder.encode_texts([query.text])


def kind_of(query: Query, within: Gallery) -> Kind:
    """The kind of query, as calibrations name it."""
    if isinstance(query, TextQuery):
        return "text_to_images" if within == "images" else "text_to_captions"
    return "image_to_images" if within == "images" else "image_to_captions"


def load_encoder(model: LibraryModel) -> Encoder:
    """The encoder of a catalogued model. Raises ``LibraryError`` when it is gone or is another one now."""
    try:
        encoder = Encoder.load(model.name, **asdict(model.variant))
        same = encoder.fingerprint == model.fingerprint
    except ModelError as error:
        raise LibraryError(
            f"this library was indexed with the model {model.name}, which is gone ({error}); "
            "put it back, or encode everything again with `index --model default PATH`"
        ) from None
    if not same:
        raise changed_model(model.name)
    return encoder


def changed_model(name: str) -> LibraryError:
    """The error for a model folder that is not the one the library was indexed with."""
    return LibraryError(
        f"the model {name} has changed since this library was indexed; "
        f"encode everything again with `index --model {name} PATH`"
    )


def check_known(encoder: Encoder, query: TextQuery) -> None:
    """Raise ``UserError`` when nothing in the query means anything to the model."""
    if not encoder.knows(query.text):
        raise UserError(f"the model knows no word of this query: {query.text}; use other words")

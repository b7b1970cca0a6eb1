"""The search engine: requests to answers, queries to ranked hits."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from twobranch.common.errors import LibraryError, UserError
from twobranch.embedding.encoder import Encoder
from twobranch.indexer.catalog.library import find_library
from twobranch.indexer.catalog.reader import CatalogReader, Found, Gallery, LibraryModel
from twobranch.indexer.catalog.tokens import runs
from twobranch.indexer.disk.names import as_listed
from twobranch.indexer.vectors.exact import VectorIndex
from twobranch.indexer.vectors.index import Index, open_index
from twobranch.retrieval.answer import Answer
from twobranch.retrieval.collapse import Group, Selection, select
from twobranch.retrieval.confidence import Calibration, QueryKind
from twobranch.retrieval.correction import correct_query
from twobranch.retrieval.display.notebook import Hits
from twobranch.retrieval.encoders import check_language, load_encoder
from twobranch.retrieval.fusion import SURE, FusedRanking, Ranking, SearchedPhotos, fused, matched_fields
from twobranch.retrieval.hits import Hit
from twobranch.retrieval.query import Query, parse_query
from twobranch.retrieval.query_vector import query_vector
from twobranch.retrieval.request import SearchRequest, resolve
from twobranch.retrieval.terms import Item, PhotoTerm
from twobranch.retrieval.text_match import WrittenWords

Engine = TypeVar("Engine", bound="SearchEngine")

_MOST_BY_DATE = 1000
# Hits beyond those asked for that are ranked as well, to find the near-duplicates of the last ones.
_MORE_TO_COLLAPSE = 100


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
        self._indexes: dict[Gallery, Index] = {}
        self._version = catalog.version()
        self.model = catalog.active_model()  # None until something was encoded

    @classmethod
    def open(
        cls: type[Engine],
        library: Path | str | None = None,
        *,
        load: Callable[[LibraryModel], Encoder] | None = None,
        exact: bool = False,
    ) -> Engine:
        """The engine of a library folder (default: the nearest ``.twobranch``).

        ``load`` gives the encoder of a catalogued model, instead of reading its model folder; ``exact`` looks
        at every vector of a large gallery too. Raises ``LibraryError``.
        """
        folder = find_library(Path(library) if library is not None else None)
        return cls(folder, CatalogReader.open(folder), load or load_encoder, exact=exact)

    def __enter__(self: Engine) -> Engine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.catalog.close()

    @property
    def is_current(self) -> bool:
        """True if nothing was committed since the library was opened or refreshed."""
        return self.catalog.version() == self._version

    def refresh(self) -> None:
        """Take in what was committed since the last look. Raises ``LibraryError``."""
        version = self.catalog.version()
        if version == self._version:
            return
        model = self.catalog.active_model()
        if model != self.model:
            for loaded in ("encoder", "calibration"):
                vars(self).pop(loaded, None)
        self.model = model
        opened = list(self._indexes)
        self._indexes.clear()
        for gallery in opened:
            self.index(gallery)
        self._version = version

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder of the library's model. Raises ``LibraryError`` when it is gone, changed or unknown."""
        if self.model is not None:
            return self._load(self.model)
        if self.catalog.has_models():
            raise LibraryError(
                f"{self.library}: it is lost which model this was indexed with; `doctor` says what else is, "
                "and the next `index` sets it"
            )
        raise LibraryError(f"{self.library}: nothing is indexed yet; run `index PATH`")

    @cached_property
    def calibration(self) -> Calibration | None:
        """The calibration of the library's model, if it has one. Raises ``ModelError``."""
        return Calibration.load(self.encoder.folder, self.encoder.dim)

    def index(self, gallery: Gallery) -> Index:
        """The vector index over photos or captions, brought up to date with the catalogue."""
        if gallery not in self._indexes:
            self._indexes[gallery] = (
                VectorIndex.empty(1)
                if self.model is None
                else open_index(self.catalog, gallery, self.model.id, self.model.dim, exact=self.exact)
            )
        return self._indexes[gallery]

    def unknown_words(self, query: Query) -> list[str]:
        """The words of a query that mean nothing to the library's model."""
        if self.model is None:
            return []
        return [word for text in query.texts for word in self.encoder.unknown_words(text, query.language)]

    def with_language(self, query: Query) -> Query:
        """The query with the language of its sentences; all are read in the same one.

        Raises ``UserError`` for a given language that the model does not read.
        """
        if self.model is None:
            return query
        if query.language is not None:
            check_language(self.encoder, query.language)
        elif query.texts:
            return replace(query, language=self.encoder.language_of(" ".join(query.texts)))
        return query

    def written_words(self, text: str) -> Container[str]:
        """The words of a text that names, folders, keywords or captions have.

        Each is looked up when it is asked for, which raises ``LibraryError``.
        """
        return WrittenWords(self.catalog, frozenset(runs(text)))

    def answer(self, request: SearchRequest) -> Answer:
        """Carry out a whole search: parse, refine, correct, search, judge.

        Raises as ``search`` does, and ``UserError`` for words, feedback or a last search that cannot be used.
        """
        query, gallery = resolve(request, self.library, self.catalog, self.model)
        query = self.with_language(query)
        unknown = self.unknown_words(query)
        fixed = correct_query(query, None if request.ranking == "visual" else self.written_words)
        if request.correct:
            query = fixed.query
        started = perf_counter()
        hits = self.search(
            query,
            request.top,
            gallery,
            request.min_confidence,
            by_date=request.by_date,
            collapse=request.collapse,
            ranking=request.ranking,
        )
        took_ms = (perf_counter() - started) * 1000
        n_gallery = len(self.index(gallery))
        excluded = not hits and self._filters_exclude_all(query, gallery)
        return Answer(
            query,
            gallery,
            query.language,
            hits,
            n_gallery,
            matches_well=self.matches_well(query, hits, gallery) if n_gallery and not excluded else None,
            n_matching=self.n_matching(query, hits, gallery),
            corrections=fixed.corrections,
            corrected=request.correct,
            unknown_words=tuple(unknown),
            filters_exclude_all=excluded,
            took_ms=took_ms,
        )

    def matches_well(self, query: Query, hits: Sequence[Hit], gallery: Gallery = "images") -> bool | None:
        """Judge whether the best of a query's hits is a likely match; None where nobody can tell."""
        if query.terms and not hits and self.calibration is not None and len(self.index(gallery)):
            return False
        kind = kind_of(query, gallery)
        best = max((hit.confidence for hit in hits if hit.confidence is not None), default=None)
        if kind is None or best is None or self.calibration is None:
            return None
        if (hits[0].words or 0) >= SURE:
            return True
        return self.calibration.matches_well(kind, query.sentence, best, len(self.index(gallery)))

    def n_matching(self, query: Query, hits: Sequence[Hit], gallery: Gallery = "images") -> int | None:
        """Count the hits down to the last likely match; None where nobody can tell."""
        if not hits or not self._has_confidence(query, gallery):
            return None
        weakest = self._weakest(query, gallery)
        likely = [(hit.confidence or 0) >= weakest or (hit.words or 0) >= SURE for hit in hits]
        return max((at for at, well in enumerate(likely, start=1) if well), default=0)

    def search(
        self,
        query: Query | str | Path,
        top: int = 10,
        gallery: Gallery = "images",
        min_confidence: float = 0.0,
        *,
        by_date: bool = False,
        collapse: bool = False,
        ranking: Ranking = "fused",
    ) -> Hits:
        """Find the ``top`` best photos or captions for a query, best first; without terms the newest ones.

        A string is parsed as on the command line, a ``Path`` is a photo. Photos of the query are not listed
        among its hits. A query that is one sentence about photos is also looked for in the words beside them
        (``retrieval.fusion``) unless ``ranking`` is "visual", and only there if it is "words". Fewer hits
        than asked for means that the gallery holds no more of what the filters let through, or none as
        likely as ``min_confidence``. With ``by_date`` the newest of those that match well come first: of the
        1,000 best, what is not weaker than 95% of the first hits that were right on dev and at least half as
        likely as the best, or is meant by its words; of a query without confidence the ``top`` best. With
        ``collapse`` a photo that shows almost the same as a better hit is in that one's ``alike``, and there
        are ``top`` that differ; neither captions nor the newest of a query without terms are collapsed.
        Raises ``UserError`` for a sentence with no known word, a photo that cannot be read, terms that cancel
        out, or a ``min_confidence`` where hits have no confidence; ``LibraryError`` when the model is gone;
        ``ValueError`` for ``top`` below 1.
        """
        if top < 1:
            raise ValueError(f"top is {top}; it must be at least 1")
        if isinstance(query, Path):
            query = Query((PhotoTerm(query),))
        elif isinstance(query, str):
            query = parse_query([query])
        if len(self.index(gallery)) == 0 or self.model is None:
            return Hits()
        if not query.terms:
            return self._newest(query, top, gallery, self.model)
        has_confidence = self._has_confidence(query, gallery)
        if min_confidence > 0 and not has_confidence:
            raise self._without_confidence()
        collapse = collapse and gallery == "images"
        if not (by_date and has_confidence):
            hits = self._best(query, top, gallery, collapse, ranking)
        else:
            hits = self._best(query, max(top, _MOST_BY_DATE), gallery, collapse, ranking)
            best = max((hit.confidence or 0.0 for hit in hits), default=0.0)
            min_confidence = max(min_confidence, self._weakest(query, gallery), best / 2)
        hits = [
            hit
            for hit in hits
            if hit.confidence is None
            or hit.confidence >= min_confidence
            or (by_date and (hit.words or 0) >= SURE)
        ]
        return Hits(self._newest_first(hits, gallery)[:top] if by_date else hits)

    def _newest(self, query: Query, top: int, gallery: Gallery, model: LibraryModel) -> Hits:
        """The newest photos or captions that the filters let through."""
        ids = self.catalog.newest(gallery, model.id, query.filters, top)
        found = self.catalog.found(gallery, ids)
        there = [id_ for id_ in ids if id_ in found]
        return Hits(_hit(rank, None, id_, found[id_]) for rank, id_ in enumerate(there, start=1))

    def _filters_exclude_all(self, query: Query, gallery: Gallery) -> bool:
        """True if the gallery has items and the query's filters let none of them through."""
        if self.model is None or not query.filters or not len(self.index(gallery)):
            return False
        return not len(self.catalog.matching(gallery, self.model.id, query.filters))

    def _without_confidence(self) -> UserError:
        """The error for a minimum confidence where hits have no confidence."""
        fact = (
            f"the model {self.encoder.name} has no calibration, so its hits have no confidence"
            if self.calibration is None
            else "only hits of one sentence or one photo have a confidence"
        )
        return UserError(f"{fact}; search without --min-confidence")

    def _best(self, query: Query, top: int, gallery: Gallery, collapse: bool, ranking: Ranking) -> list[Hit]:
        """The ``top`` best, best first; near-duplicates count as one hit if ``collapse``."""
        assert self.model is not None
        index = self.index(gallery)
        among = self.catalog.matching(gallery, self.model.id, query.filters) if query.filters else None
        vector = query_vector(query, self.encoder, self._item_vector)
        own = frozenset(as_listed(photo.resolve()) for photo in query.photos if gallery == "images")
        wanted = top + len(own)  # the query photos themselves may be found
        if collapse:
            wanted += min(top, _MORE_TO_COLLAPSE)
        most = len(index) if among is None else len(among)
        searched = SearchedPhotos(index, vector, self.catalog, self.model.id, among)
        while True:
            if query.sentence is None or gallery == "captions":
                ranked = FusedRanking(*searched.best(wanted))
            else:
                ranked = fused(query.sentence, searched, wanted, ranking)
            selected = select(
                ranked.ids.tolist(), top, self.catalog, gallery, own, index.vectors if collapse else None
            )
            # Links to the query photos are left out as well: there may be more hits behind them.
            if len(selected.groups) == top or wanted >= most or len(ranked.ids) < wanted:
                return self._hits(ranked, selected, query, vector, gallery)
            wanted *= 2

    def _item_vector(self, item: Item) -> NDArray[np.float32]:
        """(D,) float32, of length 1. Raises ``KeyError`` for an item that is not in the library."""
        return self.index(item.gallery).vectors([item.id])[0]

    def _newest_first(self, hits: Sequence[Hit], gallery: Gallery) -> list[Hit]:
        """Sort hits by date, with new ranks; those without a photo last."""
        dates = self.catalog.dates(gallery, [hit.id for hit in hits])
        ordered = sorted(hits, key=lambda hit: dates.get(hit.id, ""), reverse=True)
        return [replace(hit, rank=rank) for rank, hit in enumerate(ordered, start=1)]

    def _has_confidence(self, query: Query, gallery: Gallery) -> bool:
        kind = kind_of(query, gallery)
        return kind is not None and self.calibration is not None and kind in self.calibration.fits

    def _weakest(self, query: Query, gallery: Gallery) -> float:
        """The confidence below which a query's best hit is no likely match."""
        kind = kind_of(query, gallery)
        assert self.calibration is not None and kind is not None
        return self.calibration.weakest(kind, query.sentence, len(self.index(gallery)))

    def _hits(
        self,
        ranked: FusedRanking,
        selected: Selection,
        query: Query,
        vector: NDArray[np.float32],
        gallery: Gallery,
    ) -> list[Hit]:
        """The selected hits; with confidence where the model is calibrated for such queries."""
        ids = [int(ranked.ids[group.kept]) for group in selected.groups]
        scores = [float(ranked.scores[group.kept]) for group in selected.groups]
        worded = [selected.found[id_].photo for id_ in ids if id_ in ranked.words]
        fields = matched_fields(
            self.catalog, query.sentence or "", [id_ for id_ in worded if id_ is not None]
        )
        kind, confidences = kind_of(query, gallery), None
        if self.calibration is not None and kind is not None:
            n_gallery = len(self.index(gallery))
            confidences = self.calibration.confidences(kind, vector, query.sentence, scores, n_gallery)
        hits = []
        for at, (id_, score, group) in enumerate(zip(ids, scores, selected.groups, strict=True)):
            item = selected.found[id_]
            hits.append(
                replace(
                    _hit(at + 1, score, id_, item),
                    confidence=None if confidences is None else float(confidences[at]),
                    words=ranked.words.get(id_),
                    matched=fields.get(item.photo or 0, ()),
                    alike=_alike(ranked, selected, group),
                )
            )
        return hits


def _hit(rank: int, score: float | None, id_: int, item: Found) -> Hit:
    """The hit of a vector, with the catalogue's facts."""
    return Hit(
        rank,
        score,
        item.path,
        item.caption,
        id=id_,
        date=item.taken_at,
        photo=item.photo,
        width=item.width,
        height=item.height,
        content=item.content,
    )


def _alike(ranked: FusedRanking, selected: Selection, group: Group) -> tuple[Path, ...]:
    """The paths of a hit's near-duplicates."""
    paths = (selected.found[int(ranked.ids[at])].path for at in group.duplicates)
    return tuple(path for path in paths if path is not None)


def kind_of(query: Query, gallery: Gallery) -> QueryKind | None:
    """The kind of query for calibrations; None for more than a sentence or photo."""
    if query.sentence is not None:
        return "text_to_images" if gallery == "images" else "text_to_captions"
    if query.is_photo:
        return "image_to_images" if gallery == "images" else "image_to_captions"
    return None

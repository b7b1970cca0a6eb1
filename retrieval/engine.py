"""Queries to ranked hits, over the library's vectors."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from embedding.encoder import Encoder
from embedding.errors import LibraryError, ModelError, UserError
from indexer.galleries import Index, open_index
from indexer.library import find_library
from indexer.listednames import as_listed
from indexer.reader import CatalogReader, Found, Gallery, LibraryModel
from indexer.tokens import runs
from indexer.vectors import VectorIndex
from retrieval.confidence import Calibration, QueryKind
from retrieval.fusion import SURE, FusedRanking, Ranking, SearchedPhotos, fused, matched_fields
from retrieval.hits import Hit, Hits
from retrieval.query import Query, Term, parse_query
from retrieval.shown import Shown, first_shown
from retrieval.words import WrittenWords

Engine = TypeVar("Engine", bound="SearchEngine")

_MOST_BY_DATE = 1000
# So many hits more than were asked for are looked at, to find what is like the last of them.
_MORE_TO_FOLD = 100


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
        """Whether nothing was committed since the library was opened, or looked at last."""
        return self.catalog.version() == self._version

    def refresh(self) -> None:
        """See what was committed since the library was opened, or looked at last. Raises ``LibraryError``."""
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
        """What the scores of the library's model mean, where its folder says. Raises ``ModelError``."""
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
        """The words of its sentences that mean nothing to the library's model."""
        if self.model is None:
            return []
        return [word for text in query.texts for word in self.encoder.unknown_words(text)]

    def written_words(self, text: str) -> Container[str]:
        """The words of a text that are in names, folders, keywords or captions; each is looked up when it is
        asked for, which raises ``LibraryError``."""
        return WrittenWords(self.catalog, frozenset(runs(text)))

    def matches_well(self, query: Query, hits: Sequence[Hit], gallery: Gallery = "images") -> bool | None:
        """Whether the best of these hits of ``query`` is a likely match; None where nobody can tell."""
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
        """After how many of these hits of ``query`` none is a likely match; None where nobody can tell."""
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
        fold: bool = False,
        ranking: Ranking = "fused",
    ) -> Hits:
        """The ``top`` best photos or captions for a query, best first; without terms the newest ones.

        A string is parsed as on the command line, a ``Path`` is a photo. Photos of the query are not listed
        among its hits. What is one sentence about photos is also looked for in the words beside them
        (``retrieval.fusion``) unless ``ranking`` is "visual", and only there if it is "words". Fewer hits
        than asked for means that the gallery holds no more of what the filters let through, or none as
        likely as ``min_confidence``. With ``by_date`` the newest of those that match well come first: of the
        1,000 best, what is not weaker than 95% of the first hits that were right on dev and at least half as
        likely as the best, or is meant by its words; of a query without confidence the ``top`` best. With
        ``fold`` a photo that shows almost the same as a better hit is in that one's ``alike``, and there are
        ``top`` that differ; neither captions nor the newest of a query without terms are folded. Raises
        ``UserError`` for a sentence with no known word, a photo that cannot be read, terms that cancel out,
        or a ``min_confidence`` where hits have no confidence; ``LibraryError`` when the model is gone;
        ``ValueError`` for ``top`` below 1.
        """
        if top < 1:
            raise ValueError(f"top is {top}; it must be at least 1")
        if isinstance(query, Path):
            query = Query((Term(photo=query),))
        elif isinstance(query, str):
            query = parse_query([query])
        index = self.index(gallery)
        if len(index) == 0 or self.model is None:
            return Hits()
        if not query.terms:
            ids = self.catalog.newest(gallery, self.model.id, query.filters, top)
            found = self.catalog.found(gallery, ids)
            there = [id_ for id_ in ids if id_ in found]
            return Hits(_hit(rank, None, id_, found[id_]) for rank, id_ in enumerate(there, start=1))
        if min_confidence > 0 and not self._has_confidence(query, gallery):
            fact = (
                f"the model {self.encoder.name} has no calibration, so its hits have no confidence"
                if self.calibration is None
                else "only hits of one sentence or one photo have a confidence"
            )
            raise UserError(f"{fact}; search without --min-confidence")
        sure = by_date and self._has_confidence(query, gallery)
        fold = fold and gallery == "images"
        hits = self._best(query, max(top, _MOST_BY_DATE) if sure else top, gallery, fold, ranking)
        if sure:
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

    def _best(self, query: Query, top: int, gallery: Gallery, fold: bool, ranking: Ranking) -> list[Hit]:
        """The ``top`` best, best first, those that look alike as one if ``fold``."""
        assert self.model is not None
        index = self.index(gallery)
        among = self.catalog.matching(gallery, self.model.id, query.filters) if query.filters else None
        vector = self._encode(query)
        own = frozenset(as_listed(photo.resolve()) for photo in query.photos if gallery == "images")
        wanted = top + len(own)  # the query photos themselves may be found
        if fold:
            wanted += min(top, _MORE_TO_FOLD)
        most = len(index) if among is None else len(among)
        searched = SearchedPhotos(index, vector, self.catalog, self.model.id, among)
        while True:
            if query.sentence is None or gallery == "captions":
                ranked = FusedRanking(*searched.best(wanted))
            else:
                ranked = fused(query.sentence, searched, wanted, ranking)
            shown = first_shown(
                ranked.ids.tolist(), top, self.catalog, gallery, own, index.vectors if fold else None
            )
            # Links to the query photos are left out as well: there may be more hits behind them.
            if len(shown.folds) == top or wanted >= most or len(ranked.ids) < wanted:
                return self._hits(ranked, shown, query, vector, gallery)
            wanted *= 2

    def _newest_first(self, hits: Sequence[Hit], gallery: Gallery) -> list[Hit]:
        """The hits by date, with new ranks; those without a photo last."""
        dates = self.catalog.dates(gallery, [hit.id for hit in hits])
        ordered = sorted(hits, key=lambda hit: dates.get(hit.id, ""), reverse=True)
        return [replace(hit, rank=rank) for rank, hit in enumerate(ordered, start=1)]

    def _has_confidence(self, query: Query, gallery: Gallery) -> bool:
        kind = kind_of(query, gallery)
        return self.calibration is not None and kind in self.calibration.fits

    def _weakest(self, query: Query, gallery: Gallery) -> float:
        """The confidence below which a best hit of this query is no likely match."""
        kind = kind_of(query, gallery)
        assert self.calibration is not None and kind is not None
        return self.calibration.weakest(kind, query.sentence, len(self.index(gallery)))

    def _hits(
        self, ranked: FusedRanking, shown: Shown, query: Query, vector: NDArray[np.float32], gallery: Gallery
    ) -> list[Hit]:
        """What is shown of a ranking; with confidence where the model is calibrated for such queries."""
        ids = [int(ranked.ids[fold.kept]) for fold in shown.folds]
        scores = [float(ranked.scores[fold.kept]) for fold in shown.folds]
        worded = [shown.found[id_].photo for id_ in ids if id_ in ranked.words]
        fields = matched_fields(
            self.catalog, query.sentence or "", [id_ for id_ in worded if id_ is not None]
        )
        kind, confidences = kind_of(query, gallery), None
        if self.calibration is not None and kind is not None:
            n_gallery = len(self.index(gallery))
            confidences = self.calibration.confidences(kind, vector, query.sentence, scores, n_gallery)
        hits = []
        for at, (id_, score, fold) in enumerate(zip(ids, scores, shown.folds, strict=True)):
            item = shown.found[id_]
            alike = (shown.found[int(ranked.ids[other])].path for other in fold.alike)
            hits.append(
                _hit(
                    at + 1,
                    score,
                    id_,
                    item,
                    confidence=None if confidences is None else float(confidences[at]),
                    words=ranked.words.get(id_),
                    matched=fields.get(item.photo or 0, ()),
                    alike=tuple(path for path in alike if path is not None),
                )
            )
        return hits

    def _encode(self, query: Query) -> NDArray[np.float32]:
        """(D,) float32, of length 1: the weighted sum of the terms' vectors."""
        for text in query.texts:
            check_known(self.encoder, text)
        if len(query.terms) == 1:
            return self._vector_of(query.terms[0])
        total = np.sum([term.weight * self._vector_of(term) for term in query.terms], axis=0)
        length = np.linalg.norm(total)
        if length < 1e-6:
            raise UserError(f"{query}: its terms cancel out; nothing is left to look for")
        return (total / length).astype(np.float32)

    def _vector_of(self, term: Term) -> NDArray[np.float32]:
        """(D,) float32, of length 1; whatever its weight."""
        if term.picture is not None:
            return np.frombuffer(term.picture, dtype=np.float32)
        if term.photo is not None:
            return self.encoder.encode_images([term.photo])[0]
        if term.item is not None:
            kind, id_ = term.item
            try:
                return self.index(kind).vectors([id_])[0]
            except KeyError:
                raise UserError(
                    "a hit that was liked or not is no longer in the library; search anew"
                ) from None
        return self.encoder.encode_texts([term.text or ""])[0]


def _hit(rank: int, score: float | None, id_: int, item: Found, **known: Any) -> Hit:
    """The hit that a vector is, with what is ``known`` beside what it stands for."""
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
        **known,
    )


def kind_of(query: Query, gallery: Gallery) -> QueryKind | None:
    """The kind of query, as calibrations name it; None for one that is more than a sentence or a photo."""
    if query.sentence is not None:
        return "text_to_images" if gallery == "images" else "text_to_captions"
    if query.is_photo:
        return "image_to_images" if gallery == "images" else "image_to_captions"
    return None


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


def check_known(encoder: Encoder, text: str) -> None:
    """Raise ``UserError`` when nothing in a sentence means anything to the model."""
    if not encoder.knows(text):
        raise UserError(f"the model knows no word of this query: {text}; use other words")

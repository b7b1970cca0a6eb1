"""The search engine: requests to answers, queries to ranked hits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from functools import cached_property
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from twobranch.common.errors import LibraryError, ModelError
from twobranch.embedding.encoder import Encoder
from twobranch.indexer.catalog.albums import check_albums
from twobranch.indexer.catalog.library import find_library
from twobranch.indexer.catalog.reader import CatalogReader, Gallery, LibraryModel, VectorKind
from twobranch.indexer.catalog.sorting import Sort
from twobranch.indexer.catalog.tokens import runs
from twobranch.indexer.disk.names import as_listed
from twobranch.indexer.vectors.exact import VectorIndex
from twobranch.indexer.vectors.index import Index, open_index
from twobranch.retrieval.answer import Answer
from twobranch.retrieval.background import ScoreScales
from twobranch.retrieval.collapse import NEAR_DUPLICATE, Comparison, Selection, select
from twobranch.retrieval.confidence import SAMPLE, Calibration, SearchedGallery
from twobranch.retrieval.correction import correct_query
from twobranch.retrieval.date_filter import DateWords, date_words, with_dates
from twobranch.retrieval.display.notebook import Hits
from twobranch.retrieval.encoders import check_language, load_encoder
from twobranch.retrieval.fusion import Ranking, SearchedPhotos
from twobranch.retrieval.hits import Hit
from twobranch.retrieval.made_hits import made_hits
from twobranch.retrieval.ordered_hits import listed_page, sorted_page
from twobranch.retrieval.paging import (
    Page,
    RankedItems,
    matches_well_so_far,
    matching_so_far,
    next_start,
    ranked_place,
)
from twobranch.retrieval.photo_names import NamedPhotos
from twobranch.retrieval.query import Query, parse_query
from twobranch.retrieval.query_vector import query_vector
from twobranch.retrieval.ranked_search import RankedSearch, Rankings
from twobranch.retrieval.regions import PENALTY, SearchedRegions
from twobranch.retrieval.request import HitOrder, SearchRequest, resolve
from twobranch.retrieval.scope import Scope
from twobranch.retrieval.terms import Item, PhotoTerm
from twobranch.retrieval.text_match import WrittenWords, content_words
from twobranch.retrieval.text_pictures import TextPictures
from twobranch.retrieval.understanding import not_understood
from twobranch.retrieval.verdict import Judge, kind_of, matching

if TYPE_CHECKING:
    from twobranch.retrieval.background_file import LibraryConfidence
    from twobranch.retrieval.where.locator import Locator

Engine = TypeVar("Engine", bound="SearchEngine")


_MOST_SORTED = 1000  # best hits that are put in another order
# Additional hits that are ranked to find the near-duplicates of the last ones.
_MORE_TO_COLLAPSE = 100


class SearchEngine:
    """A library, open for searching.

    The model and the indexes are loaded when they are first needed, and then kept.
    """

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
        self._indexes: dict[VectorKind, Index] = {}
        self._samples: dict[Gallery, NDArray[np.float32]] = {}
        self._rankings = Rankings()
        self._version = catalog.version()
        self.model = catalog.active_model()  # None before anything is encoded

    @classmethod
    def open(
        cls: type[Engine],
        library: Path | str | None = None,
        *,
        load: Callable[[LibraryModel], Encoder] | None = None,
        exact: bool = False,
    ) -> Engine:
        """Open a library folder (default: the nearest ``.twobranch``).

        ``load`` returns the encoder of a catalogued model, instead of reading its model folder. With
        ``exact`` large galleries are searched exactly as well. Raises ``LibraryError``.
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
        """Load what was committed since opening or the last refresh.

        Raises ``LibraryError``.
        """
        version = self.catalog.version()
        if version == self._version:
            return
        model = self.catalog.active_model()
        if model != self.model:
            for loaded in ("encoder", "_model_calibration", "text_pictures", "locator"):
                vars(self).pop(loaded, None)
        self.model = model
        opened = list(self._indexes)
        self._indexes.clear()
        self._samples.clear()
        for kind in opened:
            if kind != "regions" or self._has_regions:
                self.index(kind)
        self._version = version

    @cached_property
    def encoder(self) -> Encoder:
        """The encoder of the library's model.

        Raises ``LibraryError`` when the model is gone, changed or unknown.
        """
        if self.model is not None:
            return self._load(self.model)
        if self.catalog.has_models():
            raise LibraryError(
                f"{self.library}: the catalogue has lost which model was used; `doctor` shows other losses, "
                "and the next `index` sets the model"
            )
        raise LibraryError(f"{self.library}: nothing is indexed yet; run `index PATH`")

    @property
    def calibration(self) -> Calibration | None:
        """The calibration of the library's model, else that of the library. Raises ``ModelError``."""
        if self._model_calibration is not None or self.model is None:
            return self._model_calibration
        return self._library_confidence.calibration(self.model)

    @cached_property
    def _model_calibration(self) -> Calibration | None:
        return Calibration.load(self.encoder.folder, self.encoder.dim)

    @cached_property
    def _library_confidence(self) -> LibraryConfidence:
        from twobranch.retrieval.background_file import LibraryConfidence  # few searches need it

        return LibraryConfidence(self.library)

    @property
    def scales(self) -> ScoreScales:
        """The scales of the model's scores.

        Models with a calibration are trained here, and their scores are like those of the shipped model: they
        have its scales, and so has a model that the library knows none of. Raises ``ModelError``, and as
        ``encoder`` does.
        """
        if self.model is None or self._model_calibration is not None:
            return ScoreScales()
        return self._library_confidence.scales(self.model)

    @cached_property
    def text_pictures(self) -> TextPictures:
        """The detector of pictures of text for the library's model."""
        return TextPictures(
            lambda: self.encoder,
            "" if self.model is None else self.model.fingerprint,
            self.library,
            lambda: self.scales,
        )

    def comparison(self) -> Comparison:
        """Return the comparison of photos that tells near-duplicates."""
        try:
            scales = self.scales
        except (LibraryError, ModelError):  # without the model its vectors can still be compared
            scales = ScoreScales()
        cosine = scales.near_cosine(NEAR_DUPLICATE)
        return Comparison(self.index("images").vectors, self.text_pictures.find, cosine)

    @cached_property
    def locator(self) -> Locator:
        """The locator of phrases in photos, for the library's model. Raises as ``encoder`` does."""
        from twobranch.retrieval.where.locator import Locator  # searches do without it

        return Locator(self.encoder)

    def index(self, kind: VectorKind) -> Index:
        """Open the vector index over photos, captions or windows of photos.

        It is first brought up to date with the catalogue, and then kept.
        """
        if kind not in self._indexes:
            self._indexes[kind] = (
                VectorIndex.empty(1)
                if self.model is None
                else open_index(self.catalog, kind, self.model.id, self.model.dim, exact=self.exact)
            )
        return self._indexes[kind]

    @property
    def _has_regions(self) -> bool:
        """True if photos of the library have vectors of windows."""
        return self.model is not None and self.catalog.has_regions(self.model.id)

    def unknown_words(self, query: Query) -> list[str]:
        """Return the words of a query that the model does not know."""
        if self.model is None:
            return []
        return [word for text in query.texts for word in self.encoder.unknown_words(text, query.language)]

    def with_language(self, query: Query) -> Query:
        """Return the query with the language of its sentences.

        All of them are read in the same language. Raises ``UserError`` if the query already has one that the
        model does not read.
        """
        if self.model is None:
            return query
        if query.language is not None:
            check_language(self.encoder, query.language)
        elif query.texts:
            return replace(query, language=self.encoder.language_of(" ".join(query.texts)))
        return query

    def written_words(self, text: str) -> WrittenWords:
        """Return the words that the library has.

        With ``in`` they are those of ``text`` that occur in names, folders, keywords or captions. Each word
        is looked up when it is asked for, which raises ``LibraryError``.
        """
        return WrittenWords(self.catalog, frozenset(runs(text)))

    def answer(self, request: SearchRequest) -> Answer:
        """Carry out a whole search: parse, refine, correct, search, judge.

        Raises as ``search`` does, and ``UserError`` for invalid words or feedback, or a missing last search.
        """
        query, gallery = resolve(request, self.library, self.catalog, self.model)
        check_albums(self.catalog, query.filters)
        typed = self.with_language(query)
        query, dates = self.read_dates(typed, gallery, request)
        unknown = self.unknown_words(query)
        fixed = correct_query(query, None if request.ranking == "visual" else self.written_words)
        if request.correct:
            query = fixed.query
        started = perf_counter()
        scope = self.scope(query, gallery)
        judge = self.judge(query, gallery, scope)
        page = self._search(judge, scope, request)
        hits = Hits(page.hits)
        took_ms = (perf_counter() - started) * 1000
        excluded = not hits and scope.is_excluded
        return Answer(
            query,
            typed,
            gallery,
            query.language,
            hits,
            len(scope.index),
            scope.size,
            next_start(page, request.start),
            matches_well=None if excluded else matches_well_so_far(hits, judge, request.start),
            confidence_from=judge.confidence_from,
            n_matching=matching_so_far(hits, request.start),
            not_understood=judge.not_understood,
            corrections=fixed.corrections,
            corrected=request.correct,
            unknown_words=() if judge.not_understood else tuple(unknown),
            filters_exclude_all=excluded,
            dates=dates,
            took_ms=took_ms,
        )

    def read_dates(
        self, query: Query, gallery: Gallery, request: SearchRequest
    ) -> tuple[Query, DateWords | None]:
        """Return the query with its dates as a filter.

        Its words for them come second. Searches for captions, and for words alone, keep their words. Raises
        as ``date_words`` does.
        """
        if not request.dates or self.model is None or gallery != "images" or request.ranking == "words":
            return query, None
        texts = request.ranking == "fused" and self.catalog.has_words()
        dated = with_dates(query, date.today(), texts=texts)
        return date_words(query, dated, gallery, self.catalog, self.model.id)

    def scope(self, query: Query, gallery: Gallery = "images") -> Scope:
        """Return the items of the gallery that pass the query's filters."""
        index = self.index(gallery)
        if self.model is None or not len(index):
            return Scope(index)
        kinds: list[VectorKind] = [gallery]
        if gallery == "images" and query.terms and self._has_regions:
            kinds.append("regions")
        among = {
            kind: self.catalog.matching(kind, self.model.id, query.filters) if query.filters else None
            for kind in kinds
        }
        if "regions" not in among:
            return Scope(index, among[gallery])
        windows = self.index("regions")
        spread = self.scales.text_factor if query.texts else self.scales.photo_factor
        regions = SearchedRegions(windows, self.catalog, self.model.id, among["regions"], PENALTY * spread)
        return Scope(index, among[gallery], regions)

    def judge(self, query: Query, gallery: Gallery = "images", scope: Scope | None = None) -> Judge:
        """Return the judge of a query's hits.

        The calibration is loaded only for a query with terms and a gallery with items. Raises
        ``LibraryError`` or ``ModelError`` if it cannot be loaded.
        """
        scope = scope or self.scope(query, gallery)
        of_photos = query.sentence is not None and gallery == "images"
        reason = not_understood(query.sentence or "", query.language) if of_photos else None
        if reason is not None and reason.is_foreign and self.encoder.reads_any_language:
            reason = None
        calibration = self.calibration if query.terms and scope.size else None
        sample = np.empty((0, scope.index.dim), np.float32)
        if calibration is not None and kind_of(query, gallery) in calibration.fits:
            sample = self._sample(scope, gallery)  # up to 500 rows are read: not for hits without confidence
        return Judge(query, gallery, calibration, SearchedGallery(scope.size, sample), reason)

    def _sample(self, scope: Scope, gallery: Gallery) -> NDArray[np.float32]:
        """Return (m, D) vectors spread over the searched items. Those of a whole gallery are kept."""
        if scope.among is not None:
            return scope.index.sample(SAMPLE, scope.among)
        if gallery not in self._samples:
            self._samples[gallery] = scope.index.sample(SAMPLE)
        return self._samples[gallery]

    def search(
        self,
        query: Query | str | Path,
        top: int = 10,
        gallery: Gallery = "images",
        min_confidence: float = 0.0,
        *,
        sort: HitOrder = "relevance",
        collapse: bool = False,
        ranking: Ranking = "fused",
    ) -> Hits:
        """Find the ``top`` best photos or captions, best first.

        A string is parsed as on the command line; a ``Path`` is a photo. A query without terms finds the
        newest items. Photos of the query are not among its hits. There are fewer than ``top`` hits if no more
        items pass the filters, or no more are as likely as ``min_confidence``. ``ranking`` is for a query
        that is one sentence about photos: "fused" also uses the words in names, keywords and captions
        (``retrieval.fusion``), "visual" does not, "words" uses them alone.

        ``sort`` puts the matching ones of the 1,000 best hits in another order, such as the newest first: the
        likely ones or, if there are none, those that perhaps match (``retrieval.verdict``). If hits have no
        confidence, the ``top`` best are sorted. With ``collapse`` a photo that shows almost the same as a
        better hit is listed in that hit's ``alike``, and the ``top`` hits are all different. Captions, and
        hits of a query without terms, are not collapsed.

        Raises ``UserError`` for a sentence without a known word, a photo that cannot be read, terms that
        cancel out, or ``min_confidence`` if hits have no confidence; ``LibraryError`` when the model is gone;
        ``ValueError`` for ``top`` below 1.
        """
        if isinstance(query, Path):
            query = Query((PhotoTerm(query),))
        elif isinstance(query, str):
            named = NamedPhotos(self.catalog, self.model) if self.model is not None else None
            query = parse_query([query], library=named)
        request = SearchRequest(
            top=top, min_confidence=min_confidence, sort=sort, collapse=collapse, ranking=ranking
        )
        scope = self.scope(query, gallery)
        return Hits(self._search(self.judge(query, gallery, scope), scope, request).hits)

    def _search(self, judge: Judge, scope: Scope, request: SearchRequest) -> Page:
        """Find a page of hits with the options of a request."""
        top = request.top
        if top < 1:
            raise ValueError(f"top is {top}; it must be at least 1")
        if len(scope.index) == 0 or self.model is None:
            return Page([])
        sort: Sort = "date" if request.sort == "relevance" else request.sort
        if not judge.query.terms:
            filters = judge.query.filters
            return listed_page(self.catalog, self.model, judge.gallery, filters, top, sort, request.start)
        if request.min_confidence > 0 and scope.size:
            judge.check_confidence(self.encoder.name)
        if request.sort == "relevance":
            page = self._best(judge, scope, request)
            kept = _confident(page.hits, request.min_confidence)
            return page if len(kept) == len(page.hits) else Page(kept)
        most = max(top, _MOST_SORTED) if judge.has_confidence else top
        best = self._best(judge, scope, replace(request, top=most, start=None)).hits
        hits = _confident(matching(best) if judge.has_confidence else best, request.min_confidence)
        return sorted_page(self.catalog, hits, judge.gallery, top, sort, request.start)

    def _best(self, judge: Judge, scope: Scope, request: SearchRequest) -> Page:
        """Return a page of the best hits of the judge's query.

        If the request says so, near-duplicates count as one hit.
        """
        query, gallery, top, start = judge.query, judge.gallery, request.top, request.start
        collapse = request.collapse and gallery == "images"
        own = frozenset(as_listed(photo.resolve()) for photo in query.photos if gallery == "images")
        # The photos of the query may be among the hits. One more hit tells whether there is another page.
        wanted = top + 1 + len(own)
        if collapse:
            wanted += min(top, _MORE_TO_COLLAPSE)
        comparison = self.comparison() if collapse else None
        search = self._ranked_search(judge, scope, request.ranking)
        place = None if start is None else ranked_place(start)
        depth = wanted if start is None else search.depth_from(start.rank + wanted)
        while True:
            ranked = self._ranked(search, depth, query, keep=start is not None)
            rest = ranked if place is None else ranked.after(place)
            ids = rest.ranking.ids[:wanted].tolist()
            selected = select(ids, top + 1, self.catalog, gallery, own, comparison)
            is_all = depth >= scope.size or len(ranked) < depth
            # Links to the photos of the query are left out too, so further hits may be needed.
            if len(selected.groups) > top or (is_all and wanted >= len(rest)):
                break
            if wanted >= len(rest):
                depth *= 2
            wanted *= 2
        shown = Selection(selected.groups[:top], selected.found)
        first_rank = 1 if start is None else start.rank
        hits = made_hits(self.catalog, rest.ranking, shown, search.searched, judge, first_rank)
        if len(selected.groups) <= top:
            return Page(hits)
        members = [ids[at] for group in shown.groups for at in (group.kept, *group.duplicates)]
        before = () if place is None else place.shown
        return Page(hits, ranked.place_after(hits[-1].id, [*before, *members], is_first_page=place is None))

    def _ranked_search(self, judge: Judge, scope: Scope, ranking: Ranking) -> RankedSearch:
        """Return the search of a query, with its vector."""
        assert self.model is not None
        query, not_understood = judge.query, judge.not_understood
        if not_understood is not None and not_understood.is_for_words and ranking == "fused":
            ranking, vector = "words", np.zeros(scope.index.dim, np.float32)  # pixels say nothing
        else:
            vector = query_vector(query, self.encoder, self._item_vector)
        searched = SearchedPhotos(
            scope.index,
            vector,
            self.catalog,
            self.model.id,
            scope.among,
            scope.regions,
            self.scales.text_factor,
        )
        of_words = query.sentence is not None and judge.gallery == "images"
        return RankedSearch(searched, self._wording(query) if of_words else None, ranking, query.language)

    def _ranked(self, search: RankedSearch, depth: int, query: Query, *, keep: bool) -> RankedItems:
        """Rank the best items. Those of later pages are kept for the next page."""
        if not keep:
            return search.ranked(depth)
        return self._rankings.ranked(search, depth, (query.filters, self.catalog.version(), self._version))

    def _wording(self, query: Query) -> str:
        """Return the words that names are searched for.

        Words for dates are a filter already. In names they count beside another word that names have, as in
        "norway 2021": alone, as in "sunset 2021", they would hide what the pictures show.
        """
        sentence = query.sentence or ""
        if query.wording == sentence:
            return sentence
        written = self.written_words(sentence)
        return query.wording if any(word in written for word in content_words(sentence)) else sentence

    def _item_vector(self, item: Item) -> NDArray[np.float32]:
        """Return the (D,) float32 unit vector of an item.

        Raises ``KeyError`` for an item that is not in the library.
        """
        return self.index(item.gallery).vectors([item.id])[0]


def _confident(hits: Sequence[Hit], least: float) -> list[Hit]:
    """Return the hits with this confidence, and those without any."""
    return [hit for hit in hits if hit.confidence is None or hit.confidence >= least]

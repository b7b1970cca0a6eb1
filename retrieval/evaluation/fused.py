"""Evaluation of fused ranking: Recall@K with and without words.

Each caption of an indexed pair is a query against the photos that have captions. This caption is left out,
and so is every caption that says nearly the same (``near_texts``), of its own photo and of all others. The
other captions stay, and all names, folders and keywords. The rarity of words is counted without what is left
out. So a caption never finds itself, and a photo with one caption is found by its names alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twobranch.common.errors import UserError
from twobranch.common.progress import SILENT, Progress
from twobranch.embedding.language import ENGLISH, language_of
from twobranch.indexer.catalog.fulltext import TextTable, photo_texts
from twobranch.indexer.catalog.reader import CatalogReader, LibraryModel
from twobranch.indexer.catalog.tables import Catalog, sqlite_connection
from twobranch.indexer.catalog.vectors import caption_texts
from twobranch.indexer.vectors.index import open_index
from twobranch.retrieval.background_file import library_scales
from twobranch.retrieval.evaluation.evaluate import chosen_pairs
from twobranch.retrieval.evaluation.metrics import recall_at
from twobranch.retrieval.evaluation.near_texts import near_texts
from twobranch.retrieval.evaluation.pairs import Pairs
from twobranch.retrieval.fusion import bonus_with_scores
from twobranch.retrieval.text_match import NAMES, combined, content_words, everyday_rows, shares
from twobranch.retrieval.word_forms import word_forms

_NONE = np.empty(0, np.int64)
_QUERIES = 256  # queries whose scores with all photos are in memory at once


@dataclass(frozen=True)
class FusedComparison:
    """The rank of each caption's photo, without and with words."""

    visual: NDArray[np.int64]  # (C,) from 1; ties count against the photo
    fused: NDArray[np.int64]  # (C,)
    n_images: int

    def as_json(self, ks: Sequence[int]) -> dict[str, Any]:
        """Return the part that ``--fused`` adds to ``eval --json``.

        It is the text-to-image recall without and with words.
        """
        return {name: _figures(ranks, ks) for name, ranks in (("visual", self.visual), ("fused", self.fused))}


def compare_fused(
    catalog: Catalog,
    names: Sequence[str],
    *,
    ks: Sequence[int],
    split: str | None,
    progress: Progress = SILENT,
) -> list[dict[str, Any]]:
    """Compare both rankings over the pairs of a split, for each model.

    The models and pairs are those of ``evaluate_models``. Returns ``FusedComparison.as_json`` of each. Raises
    ``UserError`` when there are no pairs, or no indexed words.
    """
    vectors = []
    with catalog.session() as session:
        chosen = chosen_pairs(session, catalog.folder, names, split)
        texts = caption_texts(session)
        with closing(CatalogReader.open(catalog.folder)) as reader:
            if not reader.has_words():
                raise UserError(f"{catalog.folder}: has no words of its photos yet; run `index` again")
            for one in chosen:
                model, pairs = one.model, one.pairs
                images = open_index(reader, "images", model.id, model.dim).vectors(pairs.image_vectors)
                queries = open_index(reader, "captions", model.id, model.dim).vectors(pairs.caption_vectors)
                known = LibraryModel(model.id, model.name, model.fingerprint, model.dim)
                vectors.append((queries, images, pairs, library_scales(catalog.folder, known).text_factor))
        photo_names = photo_texts(sqlite_connection(session), NAMES)
    return [
        compare(
            queries,
            images,
            pairs,
            [texts[id_] for id_ in pairs.caption_vectors.tolist()],
            photo_names,
            progress,
            spread,
        ).as_json(ks)
        for queries, images, pairs, spread in vectors
    ]


def compare(
    queries: NDArray[np.float32],
    images: NDArray[np.float32],
    pairs: Pairs,
    texts: Sequence[str],
    names: dict[int, str],
    progress: Progress = SILENT,
    spread: float = 1.0,
) -> FusedComparison:
    """Rank each caption's photo, without and with words.

    ``queries`` are the (C, D) captions with their ``texts``, ``images`` the (I, D) photos; ``names`` maps an
    item to the names of its photo; ``spread`` is that of the model's scores, as in ``bonus``.
    """
    rows = np.searchsorted(pairs.image_items, pairs.caption_items)  # (C,) of each caption's photo
    n = len(images)
    by_name = WordTable([names.get(item, "") for item in pairs.image_items.tolist()], np.arange(n))
    by_caption = WordTable(texts, rows)
    near = near_texts(texts)
    ranks = np.empty((2, len(queries)), dtype=np.int64)
    progress.start("words", len(queries))
    for start in range(0, len(queries), _QUERIES):
        block = slice(start, start + _QUERIES)
        scores = (queries[block] @ images.T).astype(np.float64)  # (B, I)
        own = rows[block]
        ranks[0, block] = _ranks(scores, own)
        for row, (caption, without) in enumerate(zip(texts[block], near[block], strict=True)):
            language = language_of(caption)
            words = content_words(caption, language)
            named = [by_name.photos(word, language=language) for word in words]
            captioned = [by_caption.photos(word, without, language=language) for word in words]
            everyday = everyday_rows(words, named, language)
            matches = combined(shares(named, n, everyday=everyday), shares(captioned, n), everyday)
            scores[row, matches.image_ids] += bonus_with_scores(matches, scores[row], spread)
        ranks[1, block] = _ranks(scores, own)
        progress.advance(len(own))
    progress.finish()
    return FusedComparison(ranks[0], ranks[1], n)


class WordTable:
    """A full-text index of texts of photos.

    Its tokenizer is that of the library.
    """

    def __init__(self, texts: Sequence[str], photos: NDArray[np.int64]) -> None:
        self._photos = photos  # (T,) the photo of each text
        self._known: dict[
            tuple[str, str], tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
        ] = {}
        self._texts = TextTable(texts)

    def photos(
        self, word: str, without: NDArray[np.int64] = _NONE, *, language: str = ENGLISH
    ) -> NDArray[np.int64]:
        """Return the (n,) photos that have the word in any form, ascending.

        The texts ``without``, (m,) rows ascending, are left out: a photo stays if another text has the word.
        """
        key = word, language
        if key not in self._known:
            forms = word_forms(word, language, self._texts.words_beginning)
            texts = np.unique(np.concatenate([self._texts.rows_with(form) for form in forms]))
            self._known[key] = (texts, *np.unique(self._photos[texts], return_counts=True))
        texts, photos, counts = self._known[key]
        if not len(without):
            return photos
        hidden = np.intersect1d(without, texts, assume_unique=True)
        of, lost = np.unique(self._photos[hidden], return_counts=True)
        at = np.searchsorted(photos, of)
        return np.delete(photos, at[counts[at] == lost])


def _ranks(scores: NDArray[np.float64], own: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the (B,) ranks of the queries' own photos.

    ``own`` are the (B,) columns of these photos in the (B, I) scores.
    """
    best = scores[np.arange(len(own)), own]
    return np.asarray(np.count_nonzero(scores >= best[:, None], axis=1), dtype=np.int64)


def _figures(ranks: NDArray[np.int64], ks: Sequence[int]) -> dict[str, float]:
    recalls = {f"R@{k}": round(recall_at(ranks, k), 2) for k in ks}
    return {**recalls, "median_rank": float(np.median(ranks)), "mean_rank": round(float(np.mean(ranks)), 2)}

"""Quality and cost of words beside pixels, by ways to fuse both rankings.

    python -m benchmarks.words quality LIBRARY --split train
    python -m benchmarks.words cost LIBRARY --photos 100000

LIBRARY has captioned photos, indexed with the default model. `quality` asks four questions over 1,000:

captions  each caption is asked for; its photo keeps the words of its other captions, and all others of all
          theirs, but for texts that say nearly the same (as `eval --fused`).
names     no captions; the folder of each photo has two words of one of its captions, and its other captions
          are asked for.
wrong     the same with the folders dealt out again at random: what words do when they only mislead.
albums    no captions; each photo is at random in one of 96 albums such as "italy 2018", and is asked for by
          the album and two words of a caption.

`cost` makes a library of so many photos in 96 albums, without captions and with five each (those of LIBRARY,
again and again), and measures what the table of words takes to fill and on disk, and what searches take.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.biglibrary import make_library
from twobranch.embedding.encoder import Encoder
from twobranch.indexer.catalog.connection import CATALOG
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.catalog.tables import Catalog, active_model
from twobranch.indexer.vectors.index import open_index
from twobranch.retrieval.engine import SearchEngine
from twobranch.retrieval.evaluation.evaluate import indexed_pairs
from twobranch.retrieval.evaluation.fused import WordTable
from twobranch.retrieval.evaluation.metrics import recall_at
from twobranch.retrieval.evaluation.near_texts import near_texts
from twobranch.retrieval.fusion import POWER, WEIGHT, Ranking
from twobranch.retrieval.text_match import content_words, shares

PLACES = (
    "germany", "italy", "spain", "france", "japan", "norway",
    "iceland", "morocco", "greece", "peru", "croatia", "ireland",
)  # fmt: skip
ALBUMS = [f"{place} {year}" for place in PLACES for year in range(2014, 2022)]
QUERIES = (
    "a zeppelin",
    "red car on a street",
    "germany 2019 beach",
    "two dogs play in the snow",
    "a man in a red shirt standing in front of a crowd of people",
)
Fusion = Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]]


# --- quality ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Photos:
    """Photos of a split with their captions."""

    vectors: NDArray[np.float32]  # (I, D)
    queries: NDArray[np.float32]  # (C, D) of the captions
    texts: list[str]  # (C,)
    own: NDArray[np.int64]  # (C,) the photo of each caption


@dataclass(frozen=True)
class Case:
    """Queries with what pixels and words say of each photo."""

    scores: NDArray[np.float32]  # (Q, I)
    shares: NDArray[np.float32]  # (Q, I)
    own: NDArray[np.int64]  # (Q,) the photo that is meant


def read_photos(library: Path, split: str, n: int) -> Photos:
    """``n`` photos of a split, at random."""
    with (
        closing(Catalog.open(library)) as catalog,
        catalog.session() as session,
        closing(CatalogReader.open(library)) as reader,
    ):
        model = active_model(session)
        assert model is not None
        pairs = indexed_pairs(session, model, split)
        items = np.sort(np.random.default_rng(0).permutation(pairs.image_items)[:n])
        kept = np.isin(pairs.caption_items, items)
        images = pairs.image_vectors[np.searchsorted(pairs.image_items, items)]
        captions = pairs.caption_vectors[kept]
        found = reader.found("captions", captions.tolist())
        return Photos(
            open_index(reader, "images", model.id, model.dim).vectors(images),
            open_index(reader, "captions", model.id, model.dim).vectors(captions),
            [found[id_].caption or "" for id_ in captions.tolist()],
            np.searchsorted(items, pairs.caption_items[kept]),
        )


def by_captions(photos: Photos) -> Case:
    table = WordTable(photos.texts, photos.own)
    found = _shares(table, photos.texts, len(photos.vectors), without=near_texts(photos.texts))
    return Case(photos.queries @ photos.vectors.T, found, photos.own)


def by_names(photos: Photos, *, wrong: bool) -> Case:
    rng = random.Random(1)
    n = len(photos.vectors)
    named = [rng.choice(np.flatnonzero(photos.own == photo).tolist()) for photo in range(n)]
    names = [_some_words(photos.texts[caption], rng) for caption in named]
    if wrong:
        rng.shuffle(names)
    asked = np.setdiff1d(np.arange(len(photos.texts)), named)
    found = _shares(WordTable(names, np.arange(n)), [photos.texts[caption] for caption in asked], n)
    return Case(photos.queries[asked] @ photos.vectors.T, found, photos.own[asked])


def by_albums(photos: Photos) -> Case:
    rng = random.Random(2)
    n = len(photos.vectors)
    albums = [rng.choice(ALBUMS) for _ in range(n)]
    first = np.unique(photos.own, return_index=True)[1].tolist()
    texts = [
        f"{album} {_some_words(photos.texts[caption], rng)}"
        for album, caption in zip(albums, first, strict=True)
    ]
    queries = Encoder.load("default").encode_texts(texts)
    found = _shares(WordTable(albums, np.arange(n)), texts, n)
    return Case(queries @ photos.vectors.T, found, np.arange(n))


def _some_words(text: str, rng: random.Random) -> str:
    words = [word for word in content_words(text) if len(word) > 2]
    return " ".join(rng.sample(words, min(2, len(words))))


def _shares(
    table: WordTable, texts: Sequence[str], n: int, without: Sequence[NDArray[np.int64]] | None = None
) -> NDArray[np.float32]:
    found = np.zeros((len(texts), n), np.float32)
    for row, text in enumerate(texts):
        words = content_words(text)
        having = [
            table.photos(word) if without is None else table.photos(word, without[row]) for word in words
        ]
        ids, values = shares(having, n)
        found[row, ids] = values
    return found


def reciprocal_ranks(k: int, weight: float) -> Fusion:
    """Photos that words say the same of have the same rank, the best of theirs."""

    def fuse(scores: NDArray[np.float32], found: NDArray[np.float32]) -> NDArray[np.float32]:
        fused = 1 / (k + _places(scores))
        fused += np.where(found > 0, weight / (k + _places(found)), 0)
        return fused.astype(np.float32)

    return fuse


def _places(values: NDArray[np.float32]) -> NDArray[np.int64]:
    """(Q, I) 1 + how many of a row are higher."""
    rising = np.sort(values, axis=1)
    higher = [len(row) - np.searchsorted(row, of, "right") for row, of in zip(rising, values, strict=True)]
    return 1 + np.stack(higher)


def sums(weight: float, power: float) -> Fusion:
    return lambda scores, found: scores + np.float32(weight) * found ** np.float32(power)


def fusions() -> dict[str, Fusion]:
    ways: dict[str, Fusion] = {"visual": lambda scores, found: scores, "words, then score": sums(1e4, 1)}
    for k, weight in ((60, 1.0), (60, 0.25), (10, 0.25)):
        ways[f"reciprocal ranks, k {k}, weight {weight}"] = reciprocal_ranks(k, weight)
    for power in (1, 2, 3):
        for weight in (0.1, 0.2, 0.3, 0.4):
            chosen = " (chosen)" if (weight, power) == (WEIGHT, POWER) else ""
            ways[f"score + {weight} share^{power}{chosen}"] = sums(weight, power)
    return ways


def quality(library: Path, split: str, n: int) -> None:
    photos = read_photos(library, split, n)
    cases = (
        by_captions(photos),
        by_names(photos, wrong=False),
        by_names(photos, wrong=True),
        by_albums(photos),
    )
    print(f"R@1 and R@10 over {len(photos.vectors):,} photos of {split}\n")
    print("| fusion | captions | names | wrong | albums |\n|---|---|---|---|---|")
    for name, fuse in fusions().items():
        cells = []
        for case in cases:
            fused = fuse(case.scores, case.shares)
            best = fused[np.arange(len(fused)), case.own]
            ranks = np.count_nonzero(fused >= best[:, None], axis=1)
            cells.append(f"{recall_at(ranks, 1):.1f} {recall_at(ranks, 10):.1f}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


# --- cost -------------------------------------------------------------------------------------------


def cost(source: Path, n: int) -> None:
    with closing(sqlite3.connect(source / CATALOG)) as connection:
        texts = [text for (text,) in connection.execute("SELECT text FROM captions")]
    with tempfile.TemporaryDirectory() as temporary:
        library = Path(temporary) / "library"
        make_library(library, n)
        with closing(sqlite3.connect(library / CATALOG)) as connection:
            rng = random.Random(0)
            connection.execute("DROP TABLE IF EXISTS words")
            connection.executemany(
                "UPDATE images SET path = ? || '/' || path WHERE id = ?",
                ((rng.choice(ALBUMS), id_) for id_ in range(1, n + 1)),
            )
            connection.commit()
        print(f"## {n:,} photos in {len(ALBUMS)} albums\n")
        _measure(library, n)
        with closing(sqlite3.connect(library / CATALOG)) as connection:
            connection.execute(
                "INSERT INTO corpora VALUES (1, '/c.csv', NULL, 'csv', 0, 0, '2024-01-01 00:00:00')"
            )
            connection.executemany(
                "INSERT INTO captions (corpus_id, position, text, image_id) VALUES (1, ?, ?, ?)",
                ((i, texts[i % len(texts)], 1 + i // 5) for i in range(5 * n)),
            )
            connection.execute("DROP TABLE words")
            connection.commit()
        print("\n## With five captions each\n")
        _measure(library, n)


def _measure(library: Path, n: int) -> None:
    started = time.perf_counter()
    with closing(Catalog.open(library)) as catalog, catalog.session(write=True):
        pass
    seconds = time.perf_counter() - started
    with closing(sqlite3.connect(library / CATALOG)) as connection:
        ((size,),) = connection.execute("SELECT SUM(pgsize) FROM dbstat WHERE name LIKE 'words%'")
        started = time.perf_counter()
        connection.execute("INSERT INTO words (words) VALUES ('integrity-check')")
        checking = time.perf_counter() - started
        connection.rollback()
    print(
        f"filled in {seconds:.1f} s ({1e6 * seconds / n:.0f} µs a photo), {size / n:.0f} bytes a photo; ",
        end="",
    )
    print(f"checked in {1000 * checking:.0f} ms\n")
    print("| query | visual | fused | words only |\n|---|---|---|---|")
    with SearchEngine.open(library) as engine:
        for query in QUERIES:
            cells = [
                f"{_milliseconds(engine, query, ranking):.1f} ms" for ranking in ("visual", "fused", "words")
            ]
            print(f"| {query} | {' | '.join(cells)} |", flush=True)


def _milliseconds(engine: SearchEngine, query: str, ranking: Ranking) -> float:
    """The least of 25 searches: whatever else runs on the machine only adds to it."""
    times = []
    for _ in range(25):
        started = time.perf_counter()
        engine.search(query, ranking=ranking)
        times.append(1000 * (time.perf_counter() - started))
    return min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=("quality", "cost"))
    parser.add_argument("library", type=Path)
    parser.add_argument("--split", default="train")
    parser.add_argument("--photos", type=int, help="how many [default: 1000 for quality, 100000 for cost]")
    arguments = parser.parse_args()
    if arguments.what == "quality":
        quality(arguments.library, arguments.split, arguments.photos or 1000)
    else:
        cost(arguments.library, arguments.photos or 100_000)


if __name__ == "__main__":
    main()

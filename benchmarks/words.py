"""Quality and cost of words beside pixels.

    python -m benchmarks.words quality SHARED --sources flickr8k,coco
    python -m benchmarks.words quality SHARED --sources unsplash,ade,named
    python -m benchmarks.words cost LIBRARY --photos 100000

`quality` takes the dev photos of these sources in the folder SHARED (`flickr8k` and `wider`), encodes them
with the default model, and puts them into four trees of folders, on paper:

nasty     folders whose names say nothing of the photos, dealt out at random: `101APPLE`, `Camera Roll`.
albums    places with years, events, and topics such as `Food` with photos that show it.
wrong     each photo's folder has two words of a text of some other photo.
right     each photo's folder has two words of its own texts.

Queries are captions, typed queries, names of objects (mAP), everyday queries (how many of the eight visually
best photos stay), and the album of a photo with two words of one of its texts. Each is answered by pixels
alone, by the rule of version 0.2 and by that of today. The row "other captions" has no folders: a photo's
first two captions are asked for, and its others are beside it.

`cost` needs a LIBRARY with captioned photos, indexed with the default model. It makes a library of so many
photos in 96 albums, without captions and with five each (those of LIBRARY, again and again), and measures
what the full-text table takes to fill and on disk, and what searches take.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sqlite3
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.biglibrary import make_library
from twobranch.embedding.encoder import Encoder
from twobranch.embedding.language import ENGLISH
from twobranch.embedding.stop_words import STOP_WORDS
from twobranch.indexer.catalog.connection import CATALOG
from twobranch.indexer.catalog.tables import Catalog
from twobranch.indexer.catalog.tokens import name_words, runs
from twobranch.retrieval.engine import SearchEngine
from twobranch.retrieval.evaluation.fused import WordTable
from twobranch.retrieval.evaluation.metrics import recall_at
from twobranch.retrieval.fusion import Ranking, bonus_with_scores
from twobranch.retrieval.text_match import combined, content_words, everyday_rows, shares

PLACES = (
    "germany", "italy", "spain", "france", "japan", "norway",
    "iceland", "morocco", "greece", "peru", "croatia", "ireland",
)  # fmt: skip
ALBUMS = [f"{place} {year}" for place in PLACES for year in range(2014, 2022)]
EVENTS = (
    "Anna's wedding", "Summer holiday", "Emma graduation", "Christmas at home", "Birthday party Max",
    "Ski trip 2018", "Company picnic",
)  # fmt: skip
# Topics, and words of a photo's texts or objects that lead there.
TOPICS = {
    "Food": r"banana|apple|sandwich|broccoli|carrot|pizza|donut|cake",
    "Pets 2019": r"dogs?|cats?",
    "Receipts": r"receipts?",
    "Garden": r"flowers?|gardens?",
    "Beach": r"beach|sea|ocean",
}
# Names that cameras and people give, and how many percent of the photos are there.
NASTY = {
    "Camera Roll": 22, "101APPLE": 18, "Backup of old phone": 12, "DCIM": 10, "New folder (2)": 6,
    "IMG_2021": 5, "Work": 5, "It's all good": 4, "day 1": 4, "day 2": 4, "Kids birthday": 3,
    "Screenshots": 3, "House move": 2, "It's a small world": 1, "Red car": 1,
}  # fmt: skip
EVERYDAY = (
    "apple", "an apple", "green apple", "a man with a camera", "camera", "a birthday cake", "birthday cake",
    "birthday", "sunny day", "rainy day", "a day at the beach", "phone", "kids", "kids playing", "new car",
    "house", "old house", "old man", "child on a man's shoulders", "a small dog", "picture of food",
    "people at work", "roll of paper", "good food", "the world", "2 dogs", "a red car", "old phone",
)  # fmt: skip
N_EVERYDAY = 8  # hits that a person sees first
QUERIES = (
    "a zeppelin",
    "red car on a street",
    "germany 2019 beach",
    "two dogs play in the snow",
    "a man in a red shirt standing in front of a crowd of people",
)

# --- quality ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Photo:
    """A photo with the texts that people and models wrote about it."""

    path: Path
    captions: tuple[str, ...] = ()
    typed: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        return (*self.captions, *self.typed, *self.words, *self.objects) or ("photo",)


@dataclass(frozen=True)
class Query:
    """A query and the places of the photos that are meant, if any."""

    text: str
    own: tuple[int, ...] = ()


@dataclass(frozen=True)
class Question:
    """Queries, and the words beside the photos that they are asked of."""

    queries: list[Query]
    names: WordTable
    captions: WordTable = field(default_factory=lambda: WordTable([], np.empty(0, np.int64)))


# From a question, a query and the (I,) scores to the (I,) scores with words.
Way = Callable[[Question, Query, NDArray[np.float64]], NDArray[np.float64]]


def by_pixels(question: Question, query: Query, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    return scores


def as_before(question: Question, query: Query, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Version 0.2: the share of the words that any photo has, cubed."""
    total, n = scores.copy(), len(scores)
    words = [word for word in dict.fromkeys(runs(query.text)) if word not in STOP_WORDS]
    for table in (question.names, question.captions):
        rows = [table.photos(word, language="") for word in words]  # no other forms
        rows = [ids for ids in rows if 0 < len(ids) <= 0.9 * n]
        weights = [float(np.log(1 + (n - len(ids) + 0.5) / (len(ids) + 0.5))) for ids in rows]
        share = np.zeros(n)
        for ids, weight in zip(rows, weights, strict=True):
            share[ids] += weight / sum(weights)
        total += 0.3 * share**3
    return total


def as_now(question: Question, query: Query, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    words, n = content_words(query.text), len(scores)
    named = [question.names.photos(word) for word in words]
    captioned = [question.captions.photos(word) for word in words]
    everyday = everyday_rows(words, named, ENGLISH)
    matches = combined(shares(named, n, everyday=everyday), shares(captioned, n), everyday)
    total = scores.copy()
    total[matches.image_ids] += bonus_with_scores(matches, scores)
    return total


WAYS: dict[str, Way] = {"pixels": by_pixels, "0.2": as_before, "now": as_now}


def read_photos(shared: Path, sources: Sequence[str]) -> list[Photo]:
    """Return the dev photos of these sources with their English texts."""
    photos = []
    if "flickr8k" in sources:
        folder = shared / "flickr8k"
        captions: dict[str, list[str]] = {}
        for line in (folder / "Flickr8k.token.txt").read_text().splitlines():
            name, text = line.split("\t", 1)
            captions.setdefault(name.split("#")[0], []).append(text)
        names = (folder / "Flickr_8k.devImages.txt").read_text().split()
        photos += [Photo(folder / "images" / name, tuple(captions[name])) for name in names]
    for entry in json.loads((shared / "wider" / "dataset.json").read_text())["images"]:
        if entry["split"] != "dev" or entry["source"] not in sources:
            continue
        texts = {
            kind: tuple(text["raw"] for text in entry["sentences"] if text["kind"] == kind)
            for kind in ("caption", "query", "word")
        }
        path = shared / "wider" / "images" / entry["filename"]
        photos.append(Photo(path, texts["caption"], texts["query"], texts["word"], tuple(entry["objects"])))
    return photos


def trees(photos: Sequence[Photo]) -> dict[str, list[str]]:
    """Return the name of each photo's folder, in each tree."""
    rng = random.Random(1)
    right = [_two_words(rng.choice(photo.texts), rng) for photo in photos]
    return {
        "nasty": rng.choices(list(NASTY), list(NASTY.values()), k=len(photos)),
        "albums": [_album(photo, rng) for photo in photos],
        "wrong": rng.sample(right, len(right)),
        "right": right,
    }


def _album(photo: Photo, rng: random.Random) -> str:
    """Half of the photos that show a topic are there; a fifth of the others are of an event."""
    text = " ".join(photo.texts).lower()
    for topic, words in TOPICS.items():
        if re.search(rf"\b({words})\b", text) and rng.random() < 0.5:
            return topic
    return rng.choice(EVENTS if rng.random() < 0.2 else ALBUMS)


def _two_words(text: str, rng: random.Random) -> str:
    words = [word for word in content_words(text) if len(word) > 2]
    return " ".join(rng.sample(words, min(2, len(words))))


def questions(photos: Sequence[Photo]) -> dict[str, Question]:
    """Return what is asked, by the heading of its column."""
    rng, n = random.Random(2), len(photos)
    folders = trees(photos)
    table = {
        tree: WordTable([name_words(name) for name in names], np.arange(n)) for tree, names in folders.items()
    }
    captions = [Query(text, (at,)) for at, photo in enumerate(photos) for text in photo.captions[:2]]
    typed = [Query(text, (at,)) for at, photo in enumerate(photos) for text in (*photo.typed, *photo.words)]
    names = sorted({name for photo in photos for name in photo.objects})
    objects = [
        Query(name, tuple(at for at, photo in enumerate(photos) if name in photo.objects)) for name in names
    ]
    found = {}
    for tree in ("nasty", "albums", "wrong", "right"):
        found[f"{tree}: captions"] = Question(captions, table[tree])
        found[f"{tree}: typed"] = Question(typed, table[tree])
    found["nasty: objects, mAP"] = Question(objects, table["nasty"])
    found["nasty: everyday, kept"] = Question([Query(text) for text in EVERYDAY], table["nasty"])
    asked = [
        (name, Query(f"{name.lower()} {_two_words(photo.texts[0], rng)}", (at,)))
        for at, (name, photo) in enumerate(zip(folders["albums"], photos, strict=True))
    ]
    for kind, members in (("places", ALBUMS), ("events", EVENTS), ("topics", tuple(TOPICS))):
        chosen = [query for name, query in asked if name in members]
        found[f"albums: {kind}"] = Question(chosen, table["albums"])
    texts = [(text, at) for at, photo in enumerate(photos) for text in photo.captions[2:]]
    if texts:
        others = WordTable([text for text, _ in texts], np.array([at for _, at in texts]))
        found["other captions"] = Question(
            [query for query in captions if photos[query.own[0]].captions[2:]],
            WordTable([], np.empty(0, np.int64)),
            others,
        )
    return found


def figure(question: Question, way: Way, scores: NDArray[np.float64]) -> str:
    """Recall, mean average precision, or how many of the visually best photos stay; in percent."""
    ranks, precisions, kept = [], [], []
    for query, row in zip(question.queries, scores, strict=True):
        total = way(question, query, row)
        if len(query.own) == 1:
            ranks.append(np.count_nonzero(total >= total[query.own[0]]))
        elif query.own:
            hit = np.isin(np.argsort(-total, kind="stable"), query.own)
            precisions.append(float((np.cumsum(hit) / np.arange(1, len(hit) + 1))[hit].mean()))
        else:
            tops = [set(np.argsort(-all_, kind="stable")[:N_EVERYDAY].tolist()) for all_ in (row, total)]
            kept.append(len(tops[0] & tops[1]) / N_EVERYDAY)
    if precisions or kept:
        return f"{100 * np.mean(precisions or kept):.1f}"
    return " ".join(f"{recall_at(np.array(ranks), k):.1f}" for k in (1, 5, 10))


def quality(shared: Path, sources: Sequence[str]) -> None:
    photos = read_photos(shared, sources)
    encoder = Encoder.load("default")
    images = encoder.encode_images([photo.path for photo in photos])
    print(f"{len(photos):,} photos of {', '.join(sources)}; R@1, R@5, R@10 in percent\n")
    print(f"| tree and queries | queries | {' | '.join(WAYS)} |\n|---|---|{'---|' * len(WAYS)}")
    asked = {heading: question for heading, question in questions(photos).items() if question.queries}
    texts = sorted({query.text for question in asked.values() for query in question.queries})
    vectors = dict(zip(texts, encoder.encode_texts(texts, ENGLISH), strict=True))
    for heading, question in asked.items():
        queries = np.stack([vectors[query.text] for query in question.queries])
        scores = (queries @ images.T).astype(np.float64)
        cells = [figure(question, way, scores) for way in WAYS.values()]
        print(f"| {heading} | {len(question.queries):,} | {' | '.join(cells)} |", flush=True)


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
    parser.add_argument("folder", type=Path, help="SHARED or LIBRARY")
    parser.add_argument("--sources", default="flickr8k,coco", help="of quality")
    parser.add_argument("--photos", type=int, default=100_000, help="of cost")
    arguments = parser.parse_args()
    if arguments.what == "quality":
        quality(arguments.folder, arguments.sources.split(","))
    else:
        cost(arguments.folder, arguments.photos)


if __name__ == "__main__":
    main()

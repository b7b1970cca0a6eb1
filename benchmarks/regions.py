"""Quality and cost of windows of photos beside the whole ones (`index --regions`).

    python -m benchmarks.regions quality SHARED --cache DIR
    python -m benchmarks.regions cost PHOTOS --photos 10000

`quality` takes the dev photos in the folder SHARED (`flickr8k` and `wider`) and encodes them and their
windows with the default model. It puts these questions without windows and with those of the program, and
then to other layouts of windows and other penalties:

* Flickr8k's captions (rsum), captions and typed queries of the other collections (R@1, R@5, R@10).
* Names of the 80 kinds of objects over the COCO photos (mAP), those of small things by themselves.
* Mosaics: 250 squares of four photos of Flickr8k among the COCO photos; the query describes one of four.
* Insets: 250 photos of Unsplash with a photo of Flickr8k in a ninth of them, anywhere, among the COCO photos.
* Confidence of first hits, where half of the questions have no answer: calibration error and Brier score.

The photos of SHARED are small (224 pixels), so a window of them is blurred; those of a camera gain more.

`cost` indexes the folder PHOTOS without and with windows, and searches in a library of so many photos.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.biglibrary import make_library
from benchmarks.confidence import calibration_error
from benchmarks.words import QUERIES, Photo, read_photos
from twobranch.common.cpu import usable_cores
from twobranch.common.progress import SILENT
from twobranch.embedding.encoder import Encoder
from twobranch.embedding.language import ENGLISH
from twobranch.embedding.preprocess import REGIONS, View, load_views
from twobranch.indexer.catalog.connection import CATALOG
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.update.library import update_library
from twobranch.indexer.vectors.index import update_index
from twobranch.retrieval.confidence import SAMPLE, Calibration, features, n_words
from twobranch.retrieval.engine import SearchEngine
from twobranch.retrieval.evaluation.metrics import recall_at
from twobranch.retrieval.regions import PENALTY

SOURCES = ("flickr8k", "coco", "unsplash", "ade", "named")
LARGE_QUARTERS = tuple(View(0.6, left=left, top=top) for top in (0, 0.4) for left in (0, 0.4))
NINE = tuple(View(0.5, left=left, top=top) for top in (0, 0.25, 0.5) for left in (0, 0.25, 0.5))
VIEWS = (View(), *LARGE_QUARTERS, View(0.6, left=0.2, top=0.2), *NINE)  # as they are cached
LAYOUTS = {
    "4 of 0.6": VIEWS[1:5],
    "4 of 0.6 and the centre": VIEWS[1:6],
    "4 of 0.5": (NINE[0], NINE[2], NINE[6], NINE[8]),
    "4 of 0.5 and the centre": (NINE[0], NINE[2], NINE[4], NINE[6], NINE[8]),
    "9 of 0.5": NINE,
}
PENALTIES = (0.0, 0.02, 0.04, 0.05, 0.06, 0.08, 0.1)
N_MADE = 250  # mosaics and insets
FEWEST = 100  # questions of a row
SIDE = 224  # of a photo in them, in pixels
# Kinds of objects that are mostly small in COCO's photos, as people would say: there are no boxes here.
SMALL = frozenset(
    (
        "backpack", "baseball bat", "baseball glove", "bird", "book", "bottle", "cell phone", "clock", "cup",
        "fire hydrant", "fork", "frisbee", "handbag", "kite", "knife", "mouse", "parking meter", "remote",
        "scissors", "spoon", "sports ball", "stop sign", "tie", "toothbrush", "traffic light", "vase",
        "wine glass",
    )
)  # fmt: skip
WINDOW_NOISE = 0.9  # of made-up windows against their photo: a cosine of about 0.75

Made = Literal["mosaics", "insets"]
_Vectors = NDArray[np.float32]
_Scores = NDArray[np.float32]

# --- vectors ----------------------------------------------------------------------------------------


def mosaics(photos: Sequence[Photo]) -> Iterator[Image.Image]:
    """Yield squares of four photos each."""
    for start in range(0, 4 * N_MADE, 4):
        mosaic = Image.new("RGB", (2 * SIDE, 2 * SIDE))
        for corner, photo in enumerate(photos[start : start + 4]):
            mosaic.paste(square(photo, SIDE), (SIDE * (corner % 2), SIDE * (corner // 2)))
        yield mosaic


def insets(photos: Sequence[Photo], backgrounds: Sequence[Photo]) -> Iterator[Image.Image]:
    """Yield photos with another one in a ninth of them, at a random place."""
    rng = random.Random(0)
    for photo, background in zip(photos[:N_MADE], backgrounds, strict=False):
        large = square(background, 3 * SIDE)
        large.paste(square(photo, SIDE), (rng.randint(0, 2 * SIDE), rng.randint(0, 2 * SIDE)))
        yield large


def square(photo: Photo, side: int) -> Image.Image:
    with Image.open(photo.path) as image:
        return image.convert("RGB").resize((side, side), Image.Resampling.BICUBIC)


def encoded(
    encoder: Encoder, source: str, images: Iterable[Image.Image | Path], cache: Path | None
) -> _Vectors:
    """Return the (N, V, D) vectors of ``VIEWS``, from the cache where that has them."""
    file = None if cache is None else cache / f"{source}.npy"
    if file is not None and file.is_file():
        return np.asarray(np.load(file))

    def encode(image: Image.Image | Path) -> _Vectors:
        return encoder.encode_each_view(load_views(image, encoder.image_size, VIEWS).pixels[None])[0]

    with ThreadPoolExecutor(usable_cores()) as threads:
        rows = np.stack(list(threads.map(encode, images)))
    if file is not None:
        np.save(file, rows)
    return rows


def scored(
    queries: _Vectors, rows: _Vectors, layout: Sequence[View] = (), penalty: float = PENALTY
) -> _Scores:
    """Return the (Q, N) scores of photos, (N, V, D), with the windows of a layout."""
    scores = queries @ rows[:, 0].T
    for view in layout:
        np.maximum(scores, queries @ rows[:, VIEWS.index(view)].T - penalty, out=scores)
    return scores


# --- questions --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """Sentences, and the photo that each is asked for."""

    texts: tuple[str, ...]
    own: NDArray[np.int64]  # (Q,)


def asked(photos: Sequence[Photo], kind: str) -> Asked:
    """Return the captions or typed queries of these photos."""
    pairs = [
        (text, at)
        for at, photo in enumerate(photos)
        for text in (photo.captions if kind == "captions" else (*photo.typed, *photo.words))
    ]
    return Asked(tuple(text for text, _ in pairs), np.array([at for _, at in pairs], dtype=np.int64))


@dataclass(frozen=True)
class Dev:
    """All dev photos with their vectors, and the vectors of texts."""

    photos: dict[str, list[Photo]]
    rows: dict[str, _Vectors]  # and of "mosaics" and "insets"
    texts: dict[str, _Vectors]

    @classmethod
    def read(cls, shared: Path, encoder: Encoder, cache: Path | None) -> Dev:
        photos = {source: read_photos(shared, [source]) for source in SOURCES}
        images: dict[str, Iterable[Image.Image | Path]] = {
            **{source: [photo.path for photo in some] for source, some in photos.items()},
            "mosaics": mosaics(photos["flickr8k"]),
            "insets": insets(photos["flickr8k"], photos["unsplash"]),
        }
        rows = {source: encoded(encoder, source, some, cache) for source, some in images.items()}
        texts = sorted(
            {text for some in photos.values() for photo in some for text in (*photo.texts, *photo.objects)}
        )
        return cls(photos, rows, dict(zip(texts, encoder.encode_texts(texts, ENGLISH), strict=True)))

    def vectors(self, texts: Iterable[str]) -> _Vectors:
        return np.stack([self.texts[text] for text in texts])


def ranks(scores: _Scores, own: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the (Q,) ranks of the photos that are asked for; ties count against them."""
    return np.count_nonzero(scores >= scores[np.arange(len(own)), own][:, None], axis=1)


def recalls(found: NDArray[np.int64]) -> list[float]:
    return [recall_at(found, k) for k in (1, 5, 10)]


def of_photos(dev: Dev, source: str, kind: str, layout: Sequence[View], penalty: float) -> list[float]:
    """Recall@1, 5 and 10 of sentences among the photos of their source."""
    questions = asked(dev.photos[source], kind)
    scores = scored(dev.vectors(questions.texts), dev.rows[source], layout, penalty)
    return recalls(ranks(scores, questions.own))


def rsum(dev: Dev, layout: Sequence[View], penalty: float) -> float:
    """Recall both ways over Flickr8k's photos and captions, added up."""
    questions = asked(dev.photos["flickr8k"], "captions")
    scores = scored(dev.vectors(questions.texts), dev.rows["flickr8k"], layout, penalty)
    is_own = questions.own == np.arange(len(dev.photos["flickr8k"]))[:, None]
    best = np.where(is_own, scores.T, -np.inf).max(axis=1)
    others = np.count_nonzero((best[:, None] <= scores.T) & ~is_own, axis=1)
    return sum(recalls(ranks(scores, questions.own))) + sum(recalls(1 + others))


def of_made(dev: Dev, made: Made, layout: Sequence[View], penalty: float) -> list[float]:
    """Recall of mosaics or insets among the photos of COCO, by captions of a photo in them."""
    each = 4 if made == "mosaics" else 1
    questions = asked(dev.photos["flickr8k"][: each * N_MADE], "captions")
    rows = np.concatenate([dev.rows[made], dev.rows["coco"]])
    scores = scored(dev.vectors(questions.texts), rows, layout, penalty)
    return recalls(ranks(scores, questions.own // each))


def precision_of_objects(dev: Dev, layout: Sequence[View], penalty: float) -> dict[str, float]:
    """Return name -> average precision in percent over COCO's photos."""
    photos = dev.photos["coco"]
    names = sorted({name for photo in photos for name in photo.objects})
    scores = scored(dev.vectors(names), dev.rows["coco"], layout, penalty)
    found = {}
    for name, row in zip(names, scores, strict=True):
        hit = np.array([name in photo.objects for photo in photos])[np.argsort(-row, kind="stable")]
        found[name] = 100 * float((np.cumsum(hit) / np.arange(1, len(hit) + 1))[hit].mean())
    return found


def mean_precision(found: dict[str, float], *, small: bool | None = None) -> float:
    return statistics.mean(value for name, value in found.items() if small in (None, name in SMALL))


# --- confidence -------------------------------------------------------------------------------------


def of_confidence(
    dev: Dev, calibration: Calibration, source: str, kind: str, layout: Sequence[View]
) -> list[float]:
    """Return ECE, Brier score, and how often first hits are right and are said to be, in percent.

    Every question is put to all photos and to all without its answer. Names of objects are taken as well.
    """
    photos = dev.photos[source]
    if kind == "objects":
        texts = tuple(sorted({name for photo in photos for name in photo.objects}))
        matches = np.array([[name in photo.objects for photo in photos] for name in texts])
    else:
        questions = asked(photos, kind)
        texts, matches = questions.texts, questions.own[:, None] == np.arange(len(photos))
    queries = dev.vectors(texts)
    scores = scored(queries, dev.rows[source], layout)
    sample = np.linspace(0, len(photos) - 1, min(SAMPLE, len(photos))).astype(np.int64)
    of_sample = queries @ dev.rows[source][sample, 0].T
    lengths = [n_words(text) for text in texts]
    said, right = [], []
    for there in (True, False):
        seen = scores if there else np.where(matches, -np.inf, scores)
        own = of_sample if there else np.where(matches[:, sample], -np.inf, of_sample)
        first = seen.argmax(axis=1)
        best = seen[np.arange(len(texts)), first][:, None].astype(np.float64)
        facts = calibration.background.facts("text_to_images", queries, own)
        described = features(best, facts, [len(photos)] * len(texts), lengths)
        said.append(calibration.fits["text_to_images"].probabilities(described)[:, 0])
        right.append(matches[np.arange(len(texts)), first] & there)
    confidence, answers = np.concatenate(said), np.concatenate(right)
    brier = 100 * float(((confidence - answers) ** 2).mean())
    return [
        calibration_error(confidence, answers), brier, 100 * float(answers.mean()),
        100 * float(confidence.mean()),
    ]  # fmt: skip


# --- tables -----------------------------------------------------------------------------------------


def cells(values: Iterable[float]) -> str:
    return " / ".join(f"{value:.1f}" for value in values)


def layouts_table(dev: Dev) -> Iterator[str]:
    """Yield the lines of the comparison of layouts and penalties."""
    yield "| windows | penalty | Flickr8k rsum | COCO typed | objects mAP | small ones | mosaics | insets |"
    yield "|---|---|---|---|---|---|---|---|"
    for name, layout in {"none": (), **LAYOUTS}.items():
        for penalty in PENALTIES if layout else (0.0,):
            found = precision_of_objects(dev, layout, penalty)
            row = [
                name,
                f"{penalty:g}" if layout else "",
                f"{rsum(dev, layout, penalty):.1f}",
                cells(of_photos(dev, "coco", "typed", layout, penalty)),
                f"{mean_precision(found):.1f}",
                f"{mean_precision(found, small=True):.1f}",
                cells(of_made(dev, "mosaics", layout, penalty)),
                cells(of_made(dev, "insets", layout, penalty)),
            ]
            yield f"| {' | '.join(row)} |"


def questions_table(dev: Dev) -> Iterator[str]:
    """Yield the lines of all questions, without windows and with those of the program."""
    ways = ((), REGIONS)
    yield "| questions | number | without | with |"
    yield "|---|---|---|---|"
    row = [f"{rsum(dev, layout, PENALTY):.1f}" for layout in ways]
    yield f"| Flickr8k, rsum both ways | 5,000 | {' | '.join(row)} |"
    for source in SOURCES:
        for kind in ("captions", "typed"):
            number = len(asked(dev.photos[source], kind).texts)
            if number >= FEWEST:
                row = [cells(of_photos(dev, source, kind, layout, PENALTY)) for layout in ways]
                yield f"| {source}, {kind} | {number:,} | {' | '.join(row)} |"
    found = [precision_of_objects(dev, layout, PENALTY) for layout in ways]
    for title, small in (("all objects, mAP", None), ("small ones", True), ("the others", False)):
        number = sum(small in (None, name in SMALL) for name in found[0])
        row = [f"{mean_precision(one, small=small):.1f}" for one in found]
        yield f"| {title} | {number} | {' | '.join(row)} |"
    counts: dict[Made, int] = {"mosaics": 5 * 4 * N_MADE, "insets": 5 * N_MADE}
    for made, number in counts.items():
        row = [cells(of_made(dev, made, layout, PENALTY)) for layout in ways]
        yield f"| {made} | {number:,} | {' | '.join(row)} |"


def objects_table(dev: Dev) -> Iterator[str]:
    """Yield a line for each kind of small object."""
    without, with_ = (precision_of_objects(dev, layout, PENALTY) for layout in ((), REGIONS))
    photos = dev.photos["coco"]
    yield "| small object | photos | without | with |"
    yield "|---|---|---|---|"
    for name in sorted(SMALL & without.keys(), key=lambda name: without[name] - with_[name]):
        number = sum(name in photo.objects for photo in photos)
        yield f"| {name} | {number} | {without[name]:.1f} | {with_[name]:.1f} |"


def confidence_table(dev: Dev, calibration: Calibration) -> Iterator[str]:
    """Yield the lines about confidence: ECE, Brier score, right and said."""
    yield "| questions | without: ECE / Brier / right / said | with |"
    yield "|---|---|---|"
    for source in SOURCES:
        kinds = [
            kind for kind in ("captions", "typed") if len(asked(dev.photos[source], kind).texts) >= FEWEST
        ]
        for kind in (*kinds, *["objects"] * (source == "coco")):
            row = [cells(of_confidence(dev, calibration, source, kind, way)) for way in ((), REGIONS)]
            yield f"| {source}, {kind} | {' | '.join(row)} |"


def quality(shared: Path, cache: Path | None) -> None:
    encoder = Encoder.load("default")
    dev = Dev.read(shared, encoder, cache)
    calibration = Calibration.load(encoder.folder, encoder.dim)
    assert calibration is not None
    print(f"{sum(map(len, dev.photos.values())):,} dev photos, {usable_cores()} cores\n")
    for lines in (
        questions_table(dev),
        objects_table(dev),
        confidence_table(dev, calibration),
        layouts_table(dev),
    ):
        for line in lines:
            print(line, flush=True)
        print()


# --- cost -------------------------------------------------------------------------------------------


def cost(photos: Path, n: int) -> None:
    encoder = Encoder.load("default")
    encoder.prepare()
    print(f"{usable_cores()} cores\n")
    print("| | images/s | catalogue, bytes a photo | index files |\n|---|---|---|---|")
    for title, regions in (("without", False), ("with", True)):
        with tempfile.TemporaryDirectory() as temporary:
            library = Path(temporary, "library")
            report = update_library(library, [photos], encoder, regions=regions)
            sizes = [
                sum(file.stat().st_size for file in library.glob(pattern)) / report.added
                for pattern in (f"{CATALOG}*", "*.vectors")
            ]
            print(f"| {title} | {report.images_per_s:.1f} | {sizes[0]:,.0f} | {sizes[1]:,.0f} |", flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        library = Path(temporary, "library")
        make_library(library, n)
        print(f"\nA search among {n:,} photos, in ms (the least of 25)\n")
        print("| query | without | with |\n|---|---|---|")
        without = [milliseconds(library, query) for query in QUERIES]
        add_windows(library, encoder)
        for query, before in zip(QUERIES, without, strict=True):
            print(f"| {query} | {before:.1f} | {milliseconds(library, query):.1f} |", flush=True)


def add_windows(library: Path, encoder: Encoder) -> None:
    """Add windows to a made-up library: each photo's vector with noise."""
    with closing(sqlite3.connect(library / CATALOG)) as connection:
        rows = connection.execute("SELECT image_id, model_id, vector FROM image_vectors").fetchall()
        for number, (image, model, vector) in enumerate(rows):
            noise = np.random.default_rng(number).standard_normal((len(REGIONS), encoder.dim))
            windows = np.frombuffer(vector, "<f4") + noise * WINDOW_NOISE / np.sqrt(encoder.dim)
            windows /= np.linalg.norm(windows, axis=1, keepdims=True)
            connection.executemany(
                "INSERT INTO region_vectors (model_id, image_id, part, vector) VALUES (?, ?, ?, ?)",
                ((model, image, part, row.tobytes()) for part, row in enumerate(windows.astype(np.float32))),
            )
        connection.commit()
    with closing(CatalogReader.open(library)) as reader:
        update_index(reader, "regions", 1, encoder.dim, encoder.encode_texts, SILENT)


def milliseconds(library: Path, query: str) -> float:
    """The least of 25 searches in an open library: whatever else runs on the machine only adds to it."""
    with SearchEngine.open(library) as engine:
        moments = [time.perf_counter()]
        for _ in range(25):
            engine.search(query)
            moments.append(time.perf_counter())
    return min(1000 * (after - before) for before, after in pairwise(moments))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=("quality", "cost"))
    parser.add_argument("folder", type=Path, help="SHARED or PHOTOS")
    parser.add_argument("--cache", type=Path, help="of quality: a folder to keep vectors in between runs")
    parser.add_argument("--photos", type=int, default=10_000, help="of cost: photos that are searched")
    arguments = parser.parse_args()
    if arguments.what == "quality":
        quality(arguments.folder, arguments.cache)
    else:
        cost(arguments.folder, arguments.photos)


if __name__ == "__main__":
    main()

"""Reliability of confidence on collections that it was not fitted on.

    python -m benchmarks.confidence [MODEL] --captions F --images DIR [--captions … --images …]

Every collection of dev photos is measured with a fit on all the others. Half of the questions are put to
galleries without an answer. The tables show, for each collection and sort of question:

* how often first hits are right, against what confidence said, and the expected calibration error (ECE);
* how many of the hits called likely are right;
* how many right first hits "nothing here matches well" loses, and how many questions without an answer it
  notices;
* the same error without the sample of the collection's own photos, to show what that is good for.

The last table asks for the names of objects in a whole collection, and in the same without their photos.
"""

from __future__ import annotations

import argparse
import hashlib
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twobranch.common.progress import Console, Progress
from twobranch.embedding.encoder import Encoder
from twobranch.retrieval.confidence import FEATURES, QUERY_KINDS, Background, Fit, QueryKind, features
from twobranch.train.data import CaptionedPhotos
from twobranch.train.output.calibrate import Drawn, background_of, draw_all, fit
from twobranch.train.output.finished import read_parts
from twobranch.train.output.questions import Embedded, EncodedPhotos, Hits, ShortQueries, embed

SIZES = (1, 10, 100, 300)  # galleries, in photos; the whole collection comes last
BINS = 10
OWN = [column for column, name in enumerate(FEATURES) if "own" in name]
TITLES = {
    "text_to_images": "text to photo",
    "image_to_captions": "photo to caption",
    "image_to_images": "photo to photo",
    "text_to_captions": "text to caption",
}


@dataclass(frozen=True)
class Measured:
    """Hits of questions with their confidence."""

    hits: Hits
    confidence: NDArray[np.float64]
    possible: NDArray[np.bool_]  # not below the limit of what may match
    likely: NDArray[np.bool_]

    @classmethod
    def of(cls, hits: Hits, found: Fit) -> Measured:
        confidence = found.probabilities(hits.features)
        lengths = np.exp(hits.features[:, FEATURES.index("log length")]).round().astype(int)
        asked = list(zip(hits.n_gallery.tolist(), lengths.tolist(), strict=True))
        limits = {each: found.weak_below(*each) for each in set(asked)}
        possible = confidence >= np.array([limits[each] for each in asked])
        likely = {length: found.likely_from(length) for length in set(lengths.tolist())}
        return cls(hits, confidence, possible, confidence >= np.array([likely[n] for n in lengths.tolist()]))


def calibration_error(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Expected calibration error in points, over ten bins with equally many hits."""
    bins = np.array_split(np.argsort(confidence, kind="stable"), BINS)
    gaps = [len(b) * abs(confidence[b].mean() - right[b].mean()) for b in bins if len(b)]
    return float(100 * sum(gaps) / len(confidence))


def without_own(drawn: Drawn) -> Drawn:
    """The same hits without what the collection's own photos say."""
    described = drawn.hits.features.copy()
    described[:, OWN] = 0
    return replace(drawn, hits=replace(drawn.hits, features=described))


def reliability_table(drawn: dict[QueryKind, list[Drawn]], n_photos: int) -> Iterator[str]:
    """Yield the lines of the table over all galleries of 100 photos and more."""
    header: tuple[str, ...] = (
        "query",
        "collection",
        "said",
        "right",
        "ECE first",
        "without own photos",
        "ECE top 10",
    )
    header += ("likely: hits", "right", "right firsts lost", "no answer noticed")
    yield "| " + " | ".join(header) + " |"
    yield "|" + "---|" * len(header)
    for kind in QUERY_KINDS:
        for source in dict.fromkeys(one.source for one in drawn[kind]):
            others = [one for one in drawn[kind] if one.source != source]
            if not others:
                continue
            found, bare = fit(others, n_photos), fit([without_own(one) for one in others], n_photos)
            for one in drawn[kind]:
                if one.source == source:
                    yield _row(kind, one, found, bare)


def _row(kind: QueryKind, drawn: Drawn, found: Fit, bare: Fit) -> str:
    whole, stripped = Measured.of(drawn.hits, found), Measured.of(without_own(drawn).hits, bare)
    hits = drawn.hits
    large = hits.size >= min(100, hits.size.max())
    first = large & (hits.rank == 1)
    likely = large & whole.likely
    cells = [
        f"{TITLES[kind]}, {drawn.name}",
        drawn.source,
        _percent(whole.confidence[first]),
        _percent(hits.right[first]),
        f"{calibration_error(whole.confidence[first], hits.right[first]):.1f}",
        f"{calibration_error(stripped.confidence[first], hits.right[first]):.1f}",
        f"{calibration_error(whole.confidence[large], hits.right[large]):.1f}",
        f"{np.count_nonzero(likely):,}",
        _percent(hits.right[likely]),
        _percent(~whole.possible[first & hits.right]),
        _percent(~whole.possible[first & ~hits.answerable]),
    ]
    return "| " + " | ".join(cells) + " |"


def absent_table(
    data: Sequence[Embedded], background: Background, drawn: list[Drawn], n_photos: int
) -> Iterator[str]:
    """Yield the lines of the table of names of objects that are there, or not."""
    yield "| collection | names | there, but lost | absent, noticed | noticed at 5% lost | at 10% lost |"
    yield "|---|---|---|---|---|---|"
    for one in data:
        for short in one.short:
            if short.name not in ("objects", "names", "words"):
                continue
            found = fit([each for each in drawn if each.source != one.source], n_photos)
            rows = np.unique(short.vectors, axis=0, return_index=True)[1]
            there = np.array([_first(short, row, one.photos, background, found) for row in rows])
            absent = np.array(
                [_first(short, row, one.photos[short.relevance[row] == 0], background, found) for row in rows]
            )
            lengths = short.lengths[rows].tolist()
            limit = np.array([found.weak_below(len(one.photos), length) for length in lengths])
            at_5, at_10 = np.quantile(there, 0.05), np.quantile(there, 0.1)
            cells = [f"{one.source}, {short.name}", f"{len(rows)}", _percent(there < limit)]
            cells += (_percent(absent < limit), _percent(absent < at_5), _percent(absent < at_10))
            yield "| " + " | ".join(cells) + " |"


def _first(
    short: ShortQueries, row: int, photos: NDArray[np.float32], background: Background, found: Fit
) -> float:
    """The confidence of the first hit of a query among these photos."""
    query, length = short.vectors[row : row + 1], short.lengths[row : row + 1]
    scores = query @ photos.T
    best = scores.max(axis=1, keepdims=True).astype(np.float64)
    facts = background.facts("text_to_images", query, scores)
    return float(found.probabilities(features(best, facts, [len(photos)], length))[0, 0])


def _percent(values: NDArray[np.generic]) -> str:
    return f"{100 * np.asarray(values, dtype=float).mean():.1f}%" if len(values) else ""


def encoded(encoder: Encoder, dev: CaptionedPhotos, cache: Path | None, progress: Progress) -> EncodedPhotos:
    """Return dev with its vectors, from the cache where that has them."""

    def kept(name: str, make: Callable[[], NDArray[np.float32]]) -> NDArray[np.float32]:
        key = hashlib.sha256(f"{encoder.fingerprint} {name} {dev.texts} {dev.photos}".encode()).hexdigest()
        file = None if cache is None else cache / f"{key[:16]}.npy"
        if file is not None and file.is_file():
            return np.asarray(np.load(file))
        vectors = make()
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            np.save(file, vectors)
        return vectors

    progress.note(f"encoding {len(dev.photos):,} photos and {len(dev.texts):,} texts")
    return EncodedPhotos(
        dev,
        kept("photos", lambda: encoder.encode_images(dev.photos)),
        kept("texts", lambda: encoder.encode_texts(dev.texts)),
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.confidence",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("model", nargs="?", default="default", help="shipped model or model folder")
    parser.add_argument("--captions", type=Path, required=True, action="append")
    parser.add_argument("--images", type=Path, required=True, action="append")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cache", type=Path, help="a folder to keep the embeddings in between runs")
    options = parser.parse_args()
    encoder, progress = Encoder.load(options.model), Console()
    train, dev = read_parts(options.captions, options.images, seed=options.seed, progress=progress)
    data = embed(encoder, encoded(encoder, dev, options.cache, progress), options.seed)
    background = background_of(encoder, train, options.seed)
    started, n_photos = time.perf_counter(), sum(len(one.photos) for one in data)
    drawn = {kind: draw_all(kind, data, background, options.seed, SIZES) for kind in QUERY_KINDS}
    print(f"{n_photos:,} dev photos of {', '.join(one.source for one in data)}; ", end="")
    print(f"{platform.machine()}, NumPy {np.__version__}\n")
    for line in reliability_table(drawn, n_photos):
        print(line, flush=True)
    print()
    for line in absent_table(data, background, drawn["text_to_images"], n_photos):
        print(line, flush=True)
    print(f"\n{time.perf_counter() - started:.0f} s after encoding")


if __name__ == "__main__":
    main()

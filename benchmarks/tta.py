"""Which views of a photo are worth their time: ``python -m benchmarks.tta --captions FILE --images DIR``.

For each set of views, recall on the dev split and the images/s of decoding and encoding, as a ratio to one
view in the same run. Prints the table of ``benchmarks/tta.md``.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from embedding.encoder import IMAGE_BATCH, Encoder
from embedding.preprocess import load_photo
from indexer.corpus import read_corpus
from retrieval.metrics import RetrievalMetrics, ranks, retrieval_metrics

ROUNDS = 3
TIMED_PHOTOS = 2 * IMAGE_BATCH
N_BOOTSTRAP = 1000


@dataclass(frozen=True)
class View:
    """A window of ``share`` of each side, at (x, y) from 0 (left, top) to 1 of the photo; maybe mirrored."""

    share: float = 1.0
    x: float = 0.0
    y: float = 0.0
    mirrored: bool = False


WHOLE, MIRROR = View(), View(mirrored=True)


def view_sets(share: float) -> dict[str, list[View]]:
    """The sets that are compared, the first being the baseline; ``share`` is the side of the crops."""
    places = {"centre": (0.5, 0.5), "tl": (0, 0), "tr": (1, 0), "bl": (0, 1), "br": (1, 1)}
    crop = {name: View(share, x, y) for name, (x, y) in places.items()}
    other = {name: View(share, x, y, True) for name, (x, y) in places.items()}
    return {
        "whole": [WHOLE],
        "whole, mirror (`--tta`)": [WHOLE, MIRROR],
        "whole, centre": [WHOLE, crop["centre"]],
        "whole, centre mirrored": [WHOLE, other["centre"]],
        "two corners, one mirrored": [crop["tl"], other["br"]],
        "whole, two corners, one mirrored": [WHOLE, crop["tl"], other["br"]],
        "whole, mirror, two corners, one mirrored": [WHOLE, MIRROR, crop["tl"], other["br"]],
        "whole and centre, each with mirror": [WHOLE, MIRROR, crop["centre"], other["centre"]],
        "whole, five crops": [WHOLE, *crop.values()],
        "whole, mirror, four corners, two mirrored": [
            *(WHOLE, MIRROR, crop["tl"], crop["br"], other["tr"], other["bl"]),
        ],
        "whole and five crops, each with mirror": [WHOLE, MIRROR, *crop.values(), *other.values()],
    }


def pixels_of(photos: Sequence[Path], wanted: Sequence[View], size: int) -> dict[View, NDArray[np.uint8]]:
    """(N, size, size, 3) pixels of each view. Each photo is decoded once for each size that is asked for:
    as large as it takes for the crop to have ``size`` pixels a side, and none to be scaled up twice."""
    pixels: dict[View, list[NDArray[np.uint8]]] = {view: [] for view in wanted}
    for photo in photos:
        whole = {share: load_photo(photo, round(size / share)).pixels for share in {v.share for v in wanted}}
        for view in wanted:
            square = whole[view.share]
            left, top = (round(place * (len(square) - size)) for place in (view.x, view.y))
            window = square[top : top + size, left : left + size]
            pixels[view].append(window[:, ::-1] if view.mirrored else window)
    return {view: np.stack(squares) for view, squares in pixels.items()}


def embeddings_of(
    encoder: Encoder, photos: Sequence[Path], wanted: Sequence[View]
) -> dict[View, NDArray[np.float32]]:
    """(N, D) float32 of each view."""
    rows: dict[View, list[NDArray[np.float32]]] = {view: [] for view in wanted}
    for start in range(0, len(photos), IMAGE_BATCH):
        batch = pixels_of(photos[start : start + IMAGE_BATCH], wanted, encoder.image_size)
        for view, pixels in batch.items():
            rows[view].append(encoder.encode_pixels(pixels))
    return {view: np.concatenate(blocks) for view, blocks in rows.items()}


def mean(vectors: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """(N, D) unit rows: the directions of the means of (N, D) unit rows."""
    total = np.sum(vectors, axis=0)
    return total / np.linalg.norm(total, axis=1, keepdims=True)


def speed(encoder: Encoder, photos: Sequence[Path], sets: Sequence[Sequence[View]]) -> list[float]:
    """Images/s of each set, the fastest of some rounds in which all sets take their turn."""
    seconds = np.full((ROUNDS, len(sets)), np.inf)
    for round_ in range(ROUNDS):
        for column, views in enumerate(sets):
            started = time.perf_counter()
            mean(list(embeddings_of(encoder, photos, views).values()))
            seconds[round_, column] = time.perf_counter() - started
    return [len(photos) / min(column) for column in seconds.T]


def gain(one: Sequence[NDArray[np.int64]], two: Sequence[NDArray[np.int64]], items: NDArray[np.int64]) -> str:
    """The 95 % interval of the second rsum less the first, over draws of photos with their captions.

    Both are measured on the same photos, so their difference is known better than either. Every photo
    counts alike, however many captions it has.
    """
    per_photo = np.zeros(len(one[0]))
    for k in (1, 5, 10):
        per_photo += 100.0 * ((two[0] <= k).astype(int) - (one[0] <= k))
        hits = (two[1] <= k).astype(int) - (one[1] <= k)
        per_photo += 100.0 * np.bincount(items, weights=hits) / np.bincount(items)
    rng = np.random.default_rng(0)
    draws = [per_photo[rng.integers(len(per_photo), size=len(per_photo))].mean() for _ in range(N_BOOTSTRAP)]
    low, high = np.percentile(draws, [2.5, 97.5])
    return f"{per_photo.mean():+.1f} ({low:+.1f} to {high:+.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description="Recall and speed for sets of views.")
    parser.add_argument("model", nargs="?", default="default")
    parser.add_argument("--captions", type=Path, required=True, help="a caption file with a dev split")
    parser.add_argument("--images", type=Path, required=True, help="the folder of its photos")
    parser.add_argument("--share", type=float, default=0.9, help="the side of a crop, of the photo's")
    arguments = parser.parse_args()
    encoder = Encoder.load(arguments.model)
    dev = read_corpus(arguments.captions).in_split("dev")
    row = {name: i for i, name in enumerate(dict.fromkeys(c.image for c in dev.captions))}
    photos = [arguments.images / str(name) for name in row]
    own, items = np.arange(len(row)), np.array([row[caption.image] for caption in dev.captions])

    sets = view_sets(arguments.share)
    rates = speed(encoder, photos[:TIMED_PHOTOS], list(sets.values()))
    texts = encoder.encode_texts([caption.text for caption in dev.captions])
    every = list(dict.fromkeys(view for views in sets.values() for view in views))
    vectors = embeddings_of(encoder, photos, every)

    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, ONNX Runtime "
        f"{onnxruntime.__version__}; model {encoder.name}; {len(photos):,} photos, {len(texts):,} captions; "
        f"crops of {arguments.share:g}\n"
    )
    print(
        "| views | image to text R@1/5/10 | text to image R@1/5/10 | rsum | gain (95%) | images/s | ratio |"
    )
    print("|---|---|---|---|---|---|---|")
    first: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None
    for (name, views), rate in zip(sets.items(), rates, strict=True):
        images = mean([vectors[view] for view in views])
        found = ranks(images, texts, own, items), ranks(texts, images, items, own)
        metrics: RetrievalMetrics = retrieval_metrics(found[0], own, found[1], items)
        first = first or found
        recalls = [
            " / ".join(f"{value:.1f}" for value in way.recall.values())
            for way in (metrics.image_to_text, metrics.text_to_image)
        ]
        difference = "" if found is first else gain(first, found, items)
        cost = f"{rate:.1f} | {rate / rates[0]:.2f}"
        print(
            f"| {name}: {len(views)} | {' | '.join(recalls)} | {metrics.rsum:.1f} | {difference} | {cost} |"
        )


if __name__ == "__main__":
    main()

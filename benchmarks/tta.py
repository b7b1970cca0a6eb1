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
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from twobranch.embedding.encoder import Encoder
from twobranch.embedding.preprocess import TTA, WHOLE, View, load_photo, load_views
from twobranch.indexer.captionfiles.corpus import read_corpus
from twobranch.retrieval.evaluation.metrics import RetrievalMetrics, ranks, retrieval_metrics

ROUNDS = 3
BATCH = 16
TIMED_PHOTOS = 2 * BATCH
N_BOOTSTRAP = 1000


@dataclass(frozen=True)
class Corner:
    """A window of ``share`` of each side in the corner at (x, y): 0 is left and top, 1 right and bottom."""

    share: float
    x: int
    y: int
    mirrored: bool = False


AnyView = View | Corner


def view_sets(share: float) -> dict[str, list[AnyView]]:
    """The sets that are compared, the first being the baseline; ``share`` is the side of the other crops."""
    whole, mirror = View(), View(mirrored=True)
    centre, centre_mirrored = View(share), View(share, mirrored=True)
    corners: list[AnyView] = [Corner(share, x, y) for y in (0, 1) for x in (0, 1)]
    mirrored: list[AnyView] = [replace(corner, mirrored=True) for corner in corners]
    top_left, _, _, bottom_right = corners
    _, top_right_mirrored, bottom_left_mirrored, bottom_right_mirrored = mirrored
    pair = [top_left, bottom_right_mirrored]
    return {
        "whole": [*WHOLE],
        f"whole, centre of {TTA[1].share} mirrored (`--tta`)": [*TTA],
        **{
            f"whole, centre of {side} mirrored": [whole, View(side, mirrored=True)]
            for side in (0.95, 0.9, 0.85, 0.8)
            if side != TTA[1].share
        },
        "whole, mirror": [whole, mirror],
        "whole, centre": [whole, centre],
        "whole, top left corner mirrored": [whole, mirrored[0]],
        "two corners, one mirrored": pair,
        "whole, two corners, one mirrored": [whole, *pair],
        "whole, mirror, two corners, one mirrored": [whole, mirror, *pair],
        "whole and centre, each with mirror": [whole, mirror, centre, centre_mirrored],
        "whole, centre, four corners": [whole, centre, *corners],
        "whole, mirror, four corners, two mirrored": [
            *(whole, mirror, top_left, bottom_right, top_right_mirrored, bottom_left_mirrored),
        ],
        "whole, centre, four corners, each with mirror": [
            *(whole, mirror, centre, centre_mirrored, *corners, *mirrored),
        ],
    }


def pixels_of(
    photos: Sequence[Path], wanted: Sequence[AnyView], size: int
) -> dict[AnyView, NDArray[np.uint8]]:
    """(N, size, size, 3) pixels of each view."""
    views = [wish for wish in wanted if isinstance(wish, View)]
    pixels: dict[AnyView, list[NDArray[np.uint8]]] = {view: [] for view in wanted}
    for photo in photos:
        if views:
            for view, square in zip(views, load_views(photo, size, views).pixels, strict=True):
                pixels[view].append(square)
        # A corner is cut out of a photo that is decoded as large as it takes to need no scaling then.
        large = {
            share: load_photo(photo, round(size / share)).pixels
            for share in {view.share for view in wanted if isinstance(view, Corner)}
        }
        for corner in wanted:
            if isinstance(corner, Corner):
                square = large[corner.share]
                left, top = (place * (len(square) - size) for place in (corner.x, corner.y))
                window = square[top : top + size, left : left + size]
                pixels[corner].append(window[:, ::-1] if corner.mirrored else window)
    return {view: np.stack(squares) for view, squares in pixels.items()}


def embeddings_of(
    encoder: Encoder, photos: Sequence[Path], wanted: Sequence[AnyView]
) -> dict[AnyView, NDArray[np.float32]]:
    """(N, D) float32 of each view."""
    rows: dict[AnyView, list[NDArray[np.float32]]] = {view: [] for view in wanted}
    for start in range(0, len(photos), BATCH):
        batch = pixels_of(photos[start : start + BATCH], wanted, encoder.image_size)
        for view, pixels in batch.items():
            rows[view].append(encoder.encode_pixels(pixels))
    return {view: np.concatenate(blocks) for view, blocks in rows.items()}


def mean(vectors: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """(N, D) unit rows: the directions of the means of (N, D) unit rows."""
    total = np.sum(vectors, axis=0)
    return total / np.linalg.norm(total, axis=1, keepdims=True)


def speed(encoder: Encoder, photos: Sequence[Path], sets: Sequence[Sequence[AnyView]]) -> list[float]:
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

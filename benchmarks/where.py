"""Heat maps and boxes against photos whose contents were placed on purpose.

    python -m benchmarks.where truth [MODEL] --captions F --images DIR [--captions … --images …]
    python -m benchmarks.where shown [MODEL] --captions F --images DIR [--captions … --images …]
    python -m benchmarks.where faithful [MODEL] --captions F --images DIR [--captions … --images …]
    python -m benchmarks.where cost [MODEL] --captions F --images DIR

* *truth* makes mosaics of dev photos and asks for a text about one of them. The names of objects are asked
  only where no other photo of the mosaic has that object. It counts how often the hottest point is in the
  right tile. Then it pastes photos small onto others, and compares the best box with the pasted photo.
* *shown* asks every photo with a complete list of objects for every object, and tells the photos that have
  it from those that have not, by the best cell and by the vector of the whole photo.
* *faithful* greys out the cells of photos, the hottest first (deletion) or all but the hottest (insertion),
  and measures the score of what is left (Petsiuk, Das, Saenko, *RISE*, BMVC 2018).
* *cost* is the time of a photo's cells beside that of its vector.

Three ways of making a map are compared: the cells of the model; its branch for whole photos, applied to each
cell; and Grad-CAM (Selvaraju et al., ICCV 2017) on the same network, with the gradient by differences.
"""

from __future__ import annotations

import argparse
import io
import platform
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from twobranch.common.progress import Console
from twobranch.embedding.encoder import Encoder
from twobranch.embedding.language import ENGLISH
from twobranch.embedding.model_folder import IMAGE_TOWER
from twobranch.embedding.preprocess import load_photo
from twobranch.retrieval.where.locator import Locator
from twobranch.train.cells.grids import grid_reader
from twobranch.train.cells.measure import peak_is_right
from twobranch.train.cells.mosaics import Edges, Mosaic, compose, grid_tiles, pasted_tiles
from twobranch.train.data import CaptionedPhotos
from twobranch.train.output.finished import read_parts
from twobranch.train.output.tower_outputs import head_of, without_cells

MOSAICS = 250  # of each kind
PASTED = (2, 3, 4, 5, 6, 8)  # one n-th of the side
OVERLAPS = (0.3, 0.5)  # intersection over union
GREY = 127
STEPS = 10  # of deletion and insertion
PHOTOS = 100  # for deletion and insertion, and for timing
BINS = 10  # of confidence
FEWEST = 20  # pairs in a bin

Heat = Callable[[NDArray[np.float32]], NDArray[np.float32]]  # (D,) vector of a text -> (h, w)
Tiles = Callable[[np.random.Generator], Sequence[Edges]]


@dataclass(frozen=True)
class Question:
    """A text about one tile of a mosaic."""

    mosaic: int
    tile: int
    kind: str
    text: str


class Network:
    """The ways of making maps with one model."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        tower = encoder.folder / IMAGE_TOWER
        self._grid = grid_reader(tower)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        head = head_of(without_cells(onnx.load(tower)))
        self._head = onnxruntime.InferenceSession(head.SerializeToString(), options)

    def maps(self, pixels: NDArray[np.uint8]) -> dict[str, Heat]:
        """The maps of a photo of (S, S, 3) pixels, by the way they are made."""
        grid = self._grid(pixels[None])[0]  # (C, h, w)
        channels, height, width = grid.shape
        flat = np.ascontiguousarray(grid.reshape(channels, -1).T)  # (T, C)
        cells = self.encoder.mean_cells(pixels[None])[0]
        branch = self._rows(flat).reshape(height, width, -1)
        gradient = self._jacobian(flat.mean(axis=0))  # (C, D)

        def grad_cam(text: NDArray[np.float32]) -> NDArray[np.float32]:
            return np.maximum(flat @ (gradient @ text), 0).reshape(height, width)

        return {"cells": cells.__matmul__, "branch": branch.__matmul__, "Grad-CAM": grad_cam}

    def _rows(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, C) pooled features to (N, D) unit rows."""
        (taken,) = self._head.get_inputs()
        return np.asarray(self._head.run(None, {taken.name: features})[0])

    def _jacobian(self, pooled: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the (C, D) derivative of the photo's vector by its pooled features."""
        step = 0.01 * float(np.abs(pooled).mean())
        moved = np.eye(len(pooled), dtype=np.float32) * step
        return (self._rows(pooled + moved) - self._rows(pooled - moved)) / (2 * step)


# --- mosaics and pasted photos ----------------------------------------------------------------------


def truth(network: Network, dev: CaptionedPhotos) -> None:
    """Print the share of right peaks in mosaics, and how boxes fit pasted photos."""
    side = network.encoder.image_size
    listed = dev.only([at for at, objects in enumerate(dev.objects) if objects])
    table("mosaic", "text", "questions", "chance", "cells", "branch", "Grad-CAM")
    for n in (2, 3):
        tiles = grid_tiles(n, side)
        peaks(network, dev, lambda rng, tiles=tiles: tiles, ["caption", "query", "word", "label"])  # type: ignore[misc]
        if len(listed.photos) >= n * n:
            peaks(network, listed, lambda rng, tiles=tiles: tiles, ["object"])  # type: ignore[misc]
    print()
    fits = [f"IoU > {least}" for least in OVERLAPS]
    table("pasted", "text", "questions", "touches, first sight", "touches", *fits, "mean IoU", "no box")
    for n in PASTED:
        pasted(network, dev, n)


def peaks(network: Network, dev: CaptionedPhotos, tiles: Tiles, kinds: Sequence[str]) -> None:
    """Print a row for each kind of text."""
    rng = np.random.default_rng(1)
    mosaics = drawn(dev, tiles, rng)
    asked = [one for one in questions(dev, mosaics, rng) if one.kind in kinds]
    right: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for mosaic, pixels, some in pictures(network.encoder, dev, mosaics, asked):
        maps = network.maps(pixels)
        for question, vector in some:
            for way, heat in maps.items():
                found = peak_is_right(heat(vector), mosaic, question.tile, len(pixels))
                right[question.kind][way].append(found)
    n_tiles = len(mosaics[0].tiles)
    name = f"{int(n_tiles**0.5)} x {int(n_tiles**0.5)}"
    for kind, ways in right.items():
        shares = [f"{100 * np.mean(found):.1f}" for found in ways.values()]
        row(name, kind, len(ways["cells"]), round(100 / n_tiles), *shares)


def pasted(network: Network, dev: CaptionedPhotos, n: int) -> None:
    """Print a row for each kind of text about photos pasted at an n-th of the side.

    The pictures have twice the side of the tower's, so that a second look sees more.
    """
    encoder, rng = network.encoder, np.random.default_rng(n)
    locator, side = Locator(encoder), 2 * encoder.image_size
    mosaics = drawn(dev, partial(pasted_tiles, 1 / n, side), rng)
    asked = [one for one in questions(dev, mosaics, rng) if one.tile == 1]
    rows = encoder.encode_cells([Image.new("RGB", (8, 8))]).shape[1]  # of a map at first sight
    found: dict[str, list[tuple[bool, float]]] = defaultdict(list)  # at first sight, overlap
    for at in sorted({one.mosaic for one in asked}):
        some = [one for one in asked if one.mosaic == at]
        photos = [dev.photos[photo] for photo in mosaics[at].photos]
        file = io.BytesIO()
        Image.fromarray(compose(photos, mosaics[at].tiles, side)).save(file, "PNG")
        located = locator.locate(file.getvalue(), [one.text for one in some], language=ENGLISH)
        for question, phrase in zip(some, located.phrases, strict=True):
            fit = overlap(phrase.regions[0].box, mosaics[at].tiles[1]) if phrase.regions else np.nan
            found[question.kind].append((len(phrase.heat_map.scores) == rows, fit))
    for kind, pairs in found.items():
        at_once, fits = (np.array(values) for values in zip(*pairs, strict=True))
        shares = [np.mean((fits > 0) & at_once), *(np.mean(fits > least) for least in (0, *OVERLAPS))]
        percent = [f"{100 * share:.1f}" for share in shares]
        none = f"{100 * np.mean(np.isnan(fits)):.1f}"
        row(f"1/{n}", kind, len(pairs), *percent, f"{np.nan_to_num(fits).mean():.2f}", none)


def drawn(dev: CaptionedPhotos, tiles: Tiles, rng: np.random.Generator) -> list[Mosaic]:
    """Draw mosaics of different dev photos."""
    mosaics = []
    for _ in range(MOSAICS):
        places = tuple(tiles(rng))
        photos = rng.choice(len(dev.photos), len(places), replace=False)
        mosaics.append(Mosaic(tuple(photos.tolist()), places))
    return mosaics


def questions(
    dev: CaptionedPhotos, mosaics: Sequence[Mosaic], rng: np.random.Generator
) -> Iterator[Question]:
    """Yield one text of each kind about each tile, where there is one."""
    of_photo: list[dict[str, list[str]]] = [defaultdict(list) for _ in dev.photos]
    for number, item in enumerate(dev.items.tolist()):
        kind = (dev.kinds[number] if dev.kinds else None) or "caption"
        of_photo[item][kind].append(dev.texts[number])
    for at, mosaic in enumerate(mosaics):
        for tile, photo in enumerate(mosaic.photos):
            for kind, texts in of_photo[photo].items():
                yield Question(at, tile, kind, str(rng.choice(texts)))
            if own := own_objects(dev, mosaic, photo):
                yield Question(at, tile, "object", str(rng.choice(own)))


def own_objects(dev: CaptionedPhotos, mosaic: Mosaic, photo: int) -> list[str]:
    """Return the objects that no other photo of the mosaic has, as far as all are known."""
    if not dev.objects:
        return []
    own = dev.objects[photo] or frozenset()
    others = [dev.objects[other] for other in mosaic.photos if other != photo]
    known = [objects for objects in others if objects is not None]
    return sorted(own.difference(*known)) if len(known) == len(others) else []


def pictures(
    encoder: Encoder, dev: CaptionedPhotos, mosaics: Sequence[Mosaic], asked: Sequence[Question]
) -> Iterator[tuple[Mosaic, NDArray[np.uint8], list[tuple[Question, NDArray[np.float32]]]]]:
    """Yield each mosaic that is asked for anything, its pixels, and its questions with their vectors."""
    vectors = encoder.encode_texts([one.text for one in asked], ENGLISH)
    of_mosaic = defaultdict(list)
    for question, vector in zip(asked, vectors, strict=True):
        of_mosaic[question.mosaic].append((question, vector))
    for at, some in of_mosaic.items():
        photos = [dev.photos[photo] for photo in mosaics[at].photos]
        yield mosaics[at], compose(photos, mosaics[at].tiles, encoder.image_size), some


def overlap(one: Edges, other: Edges) -> float:
    """Return the intersection over union of two boxes."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(0, width) * max(0, height)
    areas = sum((right - left) * (bottom - top) for left, top, right, bottom in (one, other))
    return shared / (areas - shared)


# --- objects that are shown, or not -----------------------------------------------------------------


def shown(network: Network, dev: CaptionedPhotos) -> None:
    """Print how well the best cell tells photos with an object from those without."""
    encoder = network.encoder
    rows = [at for at, objects in enumerate(dev.objects) if objects is not None]
    names = sorted({name for at in rows for name in dev.objects[at] or ()})
    texts = encoder.encode_texts(names, ENGLISH)
    pixels = (load_photo(dev.photos[at], encoder.image_size).pixels[None] for at in rows)
    scores = []
    for one in pixels:
        best = (encoder.mean_cells(one) @ texts.T).max(axis=(0, 1, 2))
        scores.append(np.stack([best, encoder.encode_pixels(one)[0] @ texts.T]))
    cells, whole = np.stack(scores, axis=1)  # (photos, names)
    has = np.array([[name in (dev.objects[at] or ()) for name in names] for at in rows])
    table("score", "photos", "names", "AUC over all pairs", "mean AUC of a name", "mAP of a name")
    for way, by in (("best cell", cells), ("whole photo", whole), ("mean of both", cells + whole)):
        pairs = list(zip(by.T, has.T, strict=True))
        of_name = np.mean([auc(scores[own], scores[~own]) for scores, own in pairs])
        ranked = 100 * np.mean([precision(scores, own) for scores, own in pairs])
        row(way, len(rows), len(names), f"{auc(by[has], by[~has]):.3f}", f"{of_name:.3f}", f"{ranked:.1f}")
    print()
    table("confidence of the best cell", "pairs", "shown, if half were", "said")
    said = encoder.cell_scale.probabilities(cells)
    for least in range(BINS):
        inside = np.minimum((BINS * said).astype(int), BINS - 1) == least
        if inside.sum() >= FEWEST:
            yes, no = (inside & has).sum() / has.sum(), (inside & ~has).sum() / (~has).sum()
            row(
                f"from {least / BINS:.1f}",
                inside.sum(),
                f"{yes / (yes + no):.2f}",
                f"{said[inside].mean():.2f}",
            )


def auc(high: NDArray[np.floating], low: NDArray[np.floating]) -> float:
    """Return the probability that one of ``high`` is above one of ``low``; ties count half."""
    rising = np.sort(low)
    below = np.searchsorted(rising, high, "left") + np.searchsorted(rising, high, "right")
    return float(below.mean() / 2 / len(rising))


def precision(scores: NDArray[np.floating], right: NDArray[np.bool_]) -> float:
    """Return the average precision of a ranking."""
    hits = right[np.argsort(-scores, kind="stable")]
    return float((np.cumsum(hits)[hits] / (np.flatnonzero(hits) + 1)).mean())


# --- deletion and insertion -------------------------------------------------------------------------


def faithful(network: Network, dev: CaptionedPhotos) -> None:
    """Print the mean score of a text while cells are greyed out or brought back."""
    encoder, rng = network.encoder, np.random.default_rng(4)
    first = {item: number for number, item in reversed(list(enumerate(dev.items.tolist())))}
    photos = sorted(rng.choice(len(dev.photos), min(PHOTOS, len(dev.photos)), replace=False).tolist())
    vectors = encoder.encode_texts([dev.texts[first[photo]] for photo in photos], ENGLISH)
    curves: dict[tuple[str, str], list[NDArray[np.float32]]] = defaultdict(list)
    for photo, vector in zip(photos, vectors, strict=True):
        pixels = load_photo(dev.photos[photo], encoder.image_size).pixels
        heats = {way: heat(vector) for way, heat in network.maps(pixels).items()}
        heats["chance"] = rng.permutation(heats["cells"].ravel()).reshape(heats["cells"].shape)
        for way, heat in heats.items():
            for game in ("deletion", "insertion"):
                left = np.concatenate(
                    [encoder.encode_pixels(one[None]) for one in greyed(pixels, heat, game)]
                )
                curves[game, way].append(np.array(left) @ vector)
    table("game", "map", *(f"{100 * step // STEPS}%" for step in range(STEPS + 1)), "mean")
    for (game, way), lines in sorted(curves.items()):
        mean = np.mean(lines, axis=0)
        row(game, way, *(f"{value:.3f}" for value in mean), f"{mean.mean():.3f}")


def greyed(pixels: NDArray[np.uint8], heat: NDArray[np.floating], game: str) -> Iterator[NDArray[np.uint8]]:
    """Yield the photo with more and more of its hottest cells grey, or shown on grey."""
    side, (height, width) = len(pixels), heat.shape
    cell = (np.arange(side) * height // side)[:, None] * width + np.arange(side) * width // side
    order = np.argsort(-heat.ravel(), kind="stable")
    for step in range(STEPS + 1):
        hottest = np.isin(cell, order[: step * len(order) // STEPS])[..., None]
        yield np.where(hottest if game == "deletion" else ~hottest, np.uint8(GREY), pixels)


# --- time -------------------------------------------------------------------------------------------


def cost(network: Network, dev: CaptionedPhotos) -> None:
    """Print the time of a photo's vector and of its cells, on one core, in turns."""
    encoder = network.encoder
    pixels = [load_photo(photo, encoder.image_size).pixels[None] for photo in dev.photos[:PHOTOS]]
    seconds = {"vector": 0.0, "cells": 0.0}
    for one in pixels:
        for name, encode in (("vector", encoder.encode_pixels), ("cells", encoder.mean_cells)):
            started = time.perf_counter()
            encode(one)
            seconds[name] += time.perf_counter() - started
    table("photos", "vector, ms", "cells, ms", "ratio")
    milliseconds = [1000 * spent / len(pixels) for spent in seconds.values()]
    row(len(pixels), *(f"{each:.1f}" for each in milliseconds), f"{seconds['cells'] / seconds['vector']:.2f}")


def table(*names: str) -> None:
    """Print the head of a table."""
    row(*names)
    print("|" + "---|" * len(names))


def row(*values: object) -> None:
    """Print a row of a table."""
    print("| " + " | ".join(map(str, values)) + " |", flush=True)


def main() -> None:
    """Run one of the measurements."""
    parts = {"truth": truth, "shown": shown, "faithful": faithful, "cost": cost}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=parts)
    parser.add_argument("model", nargs="?", default="default")
    parser.add_argument("--captions", type=Path, required=True, action="append")
    parser.add_argument("--images", type=Path, required=True, action="append")
    options = parser.parse_args()
    _, dev = read_parts(options.captions, options.images, seed=1, progress=Console())
    print(f"{platform.machine()}, {len(dev.photos):,} dev photos\n")
    parts[options.what](Network(Encoder.load(options.model)), dev)


if __name__ == "__main__":
    main()

"""Heat maps and boxes against photos whose contents were placed on purpose.

    python -m benchmarks.where truth [MODEL] --captions F --images DIR [--captions … --images …]
    python -m benchmarks.where faithful [MODEL] --captions F --images DIR [--captions … --images …]
    python -m benchmarks.where cost [MODEL] --captions F --images DIR

*truth* makes mosaics of dev photos and asks for a text about one of them. The names of objects are asked only
where no other photo of the mosaic has that object. It counts how often the hottest point is in the right
tile. Then it pastes photos small onto others and compares the best box with the place of the pasted photo.

*faithful* greys out the cells of single photos, the hottest first (deletion) or all but the hottest
(insertion), and measures the score of what is left (Petsiuk, Das, Saenko, *RISE*, BMVC 2018).

Three ways of making a map are compared: the cells of the model; its branch for whole photos, applied to each
cell; and Grad-CAM (Selvaraju et al., ICCV 2017) on the same network, the gradient taken by differences.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from twobranch.common.progress import Console
from twobranch.embedding.encoder import Encoder
from twobranch.embedding.language import ENGLISH
from twobranch.embedding.model_folder import IMAGE_TOWER
from twobranch.embedding.preprocess import load_photo
from twobranch.retrieval.where.boxes import hot_parts
from twobranch.retrieval.where.heat_map import HeatMap
from twobranch.train.cells.grids import grid_reader
from twobranch.train.cells.measure import peak_is_right
from twobranch.train.cells.mosaics import Edges, Mosaic, compose, grid_tiles, pasted_tiles
from twobranch.train.data import CaptionedPhotos
from twobranch.train.output.finished import read_parts
from twobranch.train.output.tower_outputs import head_of, without_cells

MOSAICS = 250  # of each kind
PASTED = (1 / 2, 1 / 3, 1 / 4, 1 / 5, 1 / 6, 1 / 8)  # of the side
QUERIES_A_TILE = 1  # of each kind of text
OVERLAPS = (0.3, 0.5)  # intersection over union
GREY = 127
STEPS = 10  # of deletion and insertion
PHOTOS = 200  # for deletion and insertion, and for timing

Map = Callable[[NDArray[np.float32]], NDArray[np.float32]]  # (D,) text -> (h, w) heat


@dataclass(frozen=True)
class Question:
    """A text about one tile of a mosaic."""

    mosaic: int
    tile: int
    kind: str
    text: str


class Network:
    """The three ways of making maps with one model."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder
        tower = encoder.folder / IMAGE_TOWER
        self._grid = grid_reader(tower)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        head = head_of(without_cells(onnx.load(tower)))
        self._head = onnxruntime.InferenceSession(head.SerializeToString(), options)

    def rows(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, C) pooled features to (N, D) unit rows."""
        (name,) = (one.name for one in self._head.get_inputs())
        return np.asarray(self._head.run(None, {name: features})[0])

    def maps(self, pixels: NDArray[np.uint8]) -> dict[str, Map]:
        """The maps of a photo of (S, S, 3) pixels, by the way they are made."""
        grid = self._grid(pixels[None])[0]  # (C, h, w)
        channels, height, width = grid.shape
        flat = np.ascontiguousarray(grid.reshape(channels, -1).T)  # (T, C)
        cells = self.encoder.encode_cell_pixels(pixels[None])[0]
        naive = self.rows(flat).reshape(height, width, -1)
        gradient = self._jacobian(flat.mean(axis=0))  # (C, D)

        def grad_cam(text: NDArray[np.float32]) -> NDArray[np.float32]:
            return np.maximum(flat @ (gradient @ text), 0).reshape(height, width)

        return {"cells": lambda text: cells @ text, "branch": lambda text: naive @ text, "Grad-CAM": grad_cam}

    def _jacobian(self, pooled: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the (C, D) derivative of the photo's vector by its pooled features."""
        step = 0.01 * float(np.abs(pooled).mean())
        moved = np.eye(len(pooled), dtype=np.float32) * step
        return (self.rows(pooled + moved) - self.rows(pooled - moved)) / (2 * step)


def mosaics_of(
    dev: CaptionedPhotos, tiles: Callable[[], Sequence[Edges]], rng: np.random.Generator
) -> list[Mosaic]:
    """Draw mosaics of different dev photos."""
    drawn = []
    for _ in range(MOSAICS):
        places = tuple(tiles())
        drawn.append(Mosaic(tuple(rng.choice(len(dev.photos), len(places), replace=False).tolist()), places))
    return drawn


def questions(
    dev: CaptionedPhotos, mosaics: Sequence[Mosaic], rng: np.random.Generator
) -> Iterator[Question]:
    """Yield one text of each kind about each tile, where there is one."""
    of_photo: list[dict[str, list[str]]] = [{} for _ in dev.photos]
    for row, item in enumerate(dev.items.tolist()):
        kind = (dev.kinds[row] if dev.kinds else None) or "caption"
        of_photo[item].setdefault(kind, []).append(dev.texts[row])
    for at, mosaic in enumerate(mosaics):
        for tile, photo in enumerate(mosaic.photos):
            for kind, texts in of_photo[photo].items():
                yield Question(at, tile, kind, str(rng.choice(texts)))
            if (name := _own_object(dev, mosaic, photo, rng)) is not None:
                yield Question(at, tile, "object", name)


def _own_object(dev: CaptionedPhotos, mosaic: Mosaic, photo: int, rng: np.random.Generator) -> str | None:
    """Return an object of a photo that no other photo of the mosaic has; None if that is not known."""
    if not dev.objects:
        return None
    others = [dev.objects[other] for other in mosaic.photos if other != photo]
    if dev.objects[photo] is None or any(objects is None for objects in others):
        return None
    own = sorted(dev.objects[photo] - frozenset().union(*others))  # type: ignore[operator, arg-type]
    return str(rng.choice(own)) if own else None


def truth(network: Network, dev: CaptionedPhotos) -> None:
    """Print the share of right peaks in mosaics, and the overlap of boxes with pasted photos."""
    side = network.encoder.image_size
    print("| mosaic | photos | text | questions | chance | cells | branch | Grad-CAM |")
    print("|---|---|---|---|---|---|---|---|")
    listed = dev.only([at for at, objects in enumerate(dev.objects) if objects])
    for n in (2, 3):
        rng = np.random.default_rng(n)
        _print_peaks(
            network, dev, mosaics_of(dev, lambda n=n: grid_tiles(n, side), rng), f"{n} x {n}", "all", rng
        )
        if len(listed.photos) >= n * n:
            drawn = mosaics_of(listed, lambda n=n: grid_tiles(n, side), rng)
            _print_peaks(network, listed, drawn, f"{n} x {n}", "with listed objects", rng)
    print()
    names = [f"IoU ≥ {overlap}" for overlap in OVERLAPS]
    print(
        "| pasted, of the side | text | questions | peak inside | any overlap | "
        + " | ".join(names)
        + " | mean IoU | no box |"
    )
    print("|---|---|---|---|---|" + "---|" * (len(names) + 2))
    for share in PASTED:
        rng = np.random.default_rng(int(1000 * share))
        _print_pasted(
            network,
            dev,
            mosaics_of(dev, lambda share=share, rng=rng: pasted_tiles(share, side, rng), rng),
            share,
            rng,
        )


def _print_peaks(
    network: Network,
    dev: CaptionedPhotos,
    mosaics: Sequence[Mosaic],
    name: str,
    photos: str,
    rng: np.random.Generator,
) -> None:
    """Print a row for each kind of text."""
    asked = [one for one in questions(dev, mosaics, rng) if photos == "all" or one.kind == "object"]
    vectors = network.encoder.encode_texts([one.text for one in asked], ENGLISH)
    right: dict[str, dict[str, list[bool]]] = {}
    for at, mosaic in enumerate(mosaics):
        own = [row for row, one in enumerate(asked) if one.mosaic == at]
        maps = (
            network.maps(
                compose(
                    [dev.photos[photo] for photo in mosaic.photos], mosaic.tiles, network.encoder.image_size
                )
            )
            if own
            else {}
        )
        for row in own:
            for way, heat in maps.items():
                found = peak_is_right(heat(vectors[row]), mosaic, asked[row].tile, network.encoder.image_size)
                right.setdefault(asked[row].kind, {}).setdefault(way, []).append(found)
    for kind, ways in right.items():
        if kind == "object" and photos == "all":
            continue
        shares = " | ".join(f"{100 * np.mean(found):.1f}" for found in ways.values())
        print(
            f"| {name} | {photos} | {kind} | {len(ways['cells'])} | {100 / len(mosaics[0].tiles):.0f} | {shares} |",
            flush=True,
        )


def _print_pasted(
    network: Network, dev: CaptionedPhotos, mosaics: Sequence[Mosaic], share: float, rng: np.random.Generator
) -> None:
    """Print a row for each kind of text about the pasted photo."""
    side = network.encoder.image_size
    asked = [one for one in questions(dev, mosaics, rng) if one.tile == 1]
    vectors = network.encoder.encode_texts([one.text for one in asked], ENGLISH)
    found: dict[str, list[tuple[bool, float]]] = {}
    for at, mosaic in enumerate(mosaics):
        own = [row for row, one in enumerate(asked) if one.mosaic == at]
        if not own:
            continue
        pixels = compose([dev.photos[photo] for photo in mosaic.photos], mosaic.tiles, side)
        cells = network.encoder.encode_cell_pixels(pixels[None])[0]
        for row in own:
            scores = cells @ vectors[row]
            drawn = hot_parts(HeatMap.of(scores, network.encoder.cell_scale))
            overlap = _overlap(drawn[0].box.in_pixels(side, side), mosaic.tiles[1]) if drawn else -1.0
            found.setdefault(asked[row].kind, []).append((peak_is_right(scores, mosaic, 1, side), overlap))
    for kind, pairs in found.items():
        overlaps = np.array([overlap for _, overlap in pairs])
        shares = [
            np.mean([peak for peak, _ in pairs]),
            np.mean(overlaps > 0),
            *(np.mean(overlaps >= least) for least in OVERLAPS),
        ]
        cells_ = " | ".join(f"{100 * value:.1f}" for value in shares)
        print(
            f"| 1/{round(1 / share)} | {kind} | {len(pairs)} | {cells_} | {np.maximum(overlaps, 0).mean():.2f} | {100 * np.mean(overlaps < 0):.1f} |",
            flush=True,
        )


def _overlap(one: Edges, other: Edges) -> float:
    """Return the intersection over union of two boxes."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(0, width) * max(0, height)
    areas = sum((right - left) * (bottom - top) for left, top, right, bottom in (one, other))
    return shared / (areas - shared)


def faithful(network: Network, dev: CaptionedPhotos) -> None:
    """Print the mean score of a text while cells are greyed out or brought back."""
    rng = np.random.default_rng(4)
    side = network.encoder.image_size
    first = {item: row for row, item in reversed(list(enumerate(dev.items.tolist())))}
    photos = sorted(rng.choice(len(dev.photos), min(PHOTOS, len(dev.photos)), replace=False).tolist())
    vectors = network.encoder.encode_texts([dev.texts[first[photo]] for photo in photos], ENGLISH)
    curves: dict[tuple[str, str], list[NDArray[np.float32]]] = {}
    for photo, vector in zip(photos, vectors, strict=True):
        pixels = load_photo(dev.photos[photo], side).pixels
        maps = {**network.maps(pixels), "chance": lambda text: rng.random(shape).astype(np.float32)}
        shape = network.encoder.encode_cell_pixels(pixels[None]).shape[1:3]
        for way, heat in maps.items():
            for game in ("deletion", "insertion"):
                pictures = _greyed(pixels, heat(vector), game)
                scores = (
                    np.concatenate([network.encoder.encode_pixels(one[None]) for one in pictures]) @ vector
                )
                curves.setdefault((game, way), []).append(scores)
    print(
        "| game | map | " + " | ".join(f"{100 * step // STEPS}%" for step in range(STEPS + 1)) + " | mean |"
    )
    print("|---|---|" + "---|" * (STEPS + 2))
    for (game, way), rows in curves.items():
        mean = np.mean(rows, axis=0)
        print(
            f"| {game} | {way} | " + " | ".join(f"{value:.3f}" for value in mean) + f" | {mean.mean():.3f} |"
        )


def _greyed(pixels: NDArray[np.uint8], heat: NDArray[np.floating], game: str) -> Iterator[NDArray[np.uint8]]:
    """Yield the photo with more and more of its hottest cells grey, or shown on grey."""
    side = len(pixels)
    height, width = heat.shape
    cell = (np.arange(side) * height // side)[:, None] * width + np.arange(side) * width // side
    order = np.argsort(-heat.ravel(), kind="stable")
    for step in range(STEPS + 1):
        hottest = np.isin(cell, order[: step * len(order) // STEPS])[..., None]
        changed = hottest if game == "deletion" else ~hottest
        yield np.where(changed, np.uint8(GREY), pixels)


def cost(network: Network, dev: CaptionedPhotos) -> None:
    """Print the time of a photo's vector and of its cells, on one core, in turns."""
    encoder = network.encoder
    pixels = [load_photo(photo, encoder.image_size).pixels[None] for photo in dev.photos[:PHOTOS]]
    seconds = {"vector": 0.0, "cells": 0.0}
    for one in [pixels[0], *pixels]:
        for name, encode in (("vector", encoder.encode_pixels), ("cells", encoder.encode_cell_pixels)):
            started = time.perf_counter()
            encode(one)
            seconds[name] += time.perf_counter() - started
    ratio = seconds["cells"] / seconds["vector"]
    print(
        f"cells take {ratio:.2f} times as long as the vector: {1000 * seconds['cells'] / len(pixels):.0f} ms"
    )


def main() -> None:
    """Run one of the measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=("truth", "faithful", "cost"))
    parser.add_argument("model", nargs="?", default="default")
    parser.add_argument("--captions", type=Path, required=True, action="append")
    parser.add_argument("--images", type=Path, required=True, action="append")
    options = parser.parse_args()
    _, dev = read_parts(options.captions, options.images, seed=1, progress=Console())
    print(f"{platform.machine()}, {len(dev.photos):,} dev photos\n")
    {"truth": truth, "faithful": faithful, "cost": cost}[options.what](
        Network(Encoder.load(options.model)), dev
    )


if __name__ == "__main__":
    main()

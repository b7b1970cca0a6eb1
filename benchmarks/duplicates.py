"""Copies that `duplicates` finds, and false ones: ``python -m benchmarks.duplicates --images DIR``.

Of some photos in the folder copies are made, kind by kind (seeded), and indexed beside all its photos. Photos
are halved: thresholds are chosen on the copies of the first half, the tables are of the second. Prints
the tables of ``benchmarks/duplicates.md``; --folder keeps the copies and the library, --sheet FILE draws the
pairs of different photos that come nearest to being taken for one, to be looked at.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont

from twobranch.common.cpu import usable_cores
from twobranch.common.progress import Console
from twobranch.embedding.encoder import Encoder
from twobranch.embedding.preprocess import IMAGE_SUFFIXES
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.update.library import update_library
from twobranch.indexer.vectors.codec import as_matrix
from twobranch.indexer.vectors.index import TRIAL_QUERIES
from twobranch.retrieval.collapse import NEAR_DUPLICATE, collapse
from twobranch.retrieval.duplicates.find import CLOSE, find_duplicates
from twobranch.retrieval.duplicates.same_photo import SAME_BELOW, Thumbnail, difference, thumbnail

Picture = Image.Image
Make = Callable[[Picture, random.Random], Picture]
DIFFERENCES = (0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0)
COSINES = (0.75, 0.8, 0.85, 0.88, 0.9, 0.92, 0.93, 0.94, 0.95, 0.96, 0.97)
TOP = 10
PAGES = 40


@dataclass(frozen=True)
class Kind:
    """A kind of copy; ``same`` tells whether it should be found."""

    make: Make
    quality: int = 90
    same: bool = True


def resized(share: float) -> Make:
    def make(photo: Picture, rng: random.Random) -> Picture:
        size = max(1, round(photo.width * share)), max(1, round(photo.height * share))
        return photo.resize(size, Image.Resampling.LANCZOS)

    return make


def cropped(share: float) -> Make:
    """Takes ``share`` off the width and off the height, divided at random between the two sides."""

    def make(photo: Picture, rng: random.Random) -> Picture:
        (width, height), left, top = photo.size, share * rng.random(), share * rng.random()
        right, bottom = 1 - share + left, 1 - share + top
        return photo.crop(
            (round(left * width), round(top * height), round(right * width), round(bottom * height))
        )

    return make


def cropped_all_around(share: float) -> Make:
    def make(photo: Picture, rng: random.Random) -> Picture:
        x, y = (round(share * side) for side in photo.size)
        return photo.crop((x, y, photo.width - x, photo.height - y))

    return make


def brightened(factor: float) -> Make:
    return lambda photo, rng: ImageEnhance.Brightness(photo).enhance(factor)


def sent(photo: Picture, rng: random.Random) -> Picture:
    """Return a photo as a messenger sends it: cropped, halved, at a low quality."""
    return resized(0.5)(cropped(0.03)(photo, rng), rng)


def moved(share: float, step: float) -> Make:
    """The next frame of a burst: an ellipse of ``share`` of each side has moved by ``step`` along both."""

    def make(photo: Picture, rng: random.Random) -> Picture:
        width, height = (int(share * side) for side in photo.size)
        x = rng.randint(int(0.1 * photo.width), int(0.9 * photo.width) - width)
        y = rng.randint(int(0.1 * photo.height), int(0.9 * photo.height) - height)
        mask = Image.new("L", (width, height))
        ImageDraw.Draw(mask).ellipse((2, 2, width - 3, height - 3), fill=255)
        right, down = (round(step * side) * rng.choice((-1, 1)) for side in photo.size)
        frame = photo.copy()
        part = photo.crop((x, y, x + width, y + height))
        frame.paste(part, (x + right, y + down), mask.filter(ImageFilter.GaussianBlur(1)))
        return frame

    return make


KINDS: dict[str, Kind] = {
    **{f"JPEG, quality {q}": Kind(lambda photo, rng: photo, q) for q in (30, 50, 70, 85, 95)},
    **{f"resized to {s:g}": Kind(resized(s)) for s in (0.25, 0.35, 0.5, 0.65, 0.8)},
    **{f"cropped by {s:.0%}": Kind(cropped(s)) for s in (0.02, 0.05, 0.1)},
    "cropped by 10% on each side": Kind(cropped_all_around(0.1)),
    **{f"brightness x {f:g}": Kind(brightened(f)) for f in (0.85, 1.15)},
    "cropped by 3%, halved, quality 60": Kind(sent, 60),
    "a large part moved by 6%": Kind(moved(0.25, 0.06), same=False),
    "a small part moved by 4%": Kind(moved(0.15, 0.04), same=False),
    "black and white": Kind(lambda photo, rng: photo.convert("L").convert("RGB"), same=False),
}


@dataclass(frozen=True)
class Copies:
    """The photos of the folder, and the copies of some, with their vectors and thumbnails."""

    photos: list[Path]
    chosen: NDArray[np.int64]  # (C,) positions of those that have copies
    paths: dict[str, list[Path]]  # kind -> of each chosen one
    vectors: dict[Path, NDArray[np.float32]]
    thumbnails: dict[Path, Thumbnail]

    def rows(self, paths: Sequence[Path]) -> NDArray[np.float32]:
        """(n, D)"""
        return np.stack([self.vectors[path] for path in paths])

    def difference(self, one: Sequence[Path], two: Sequence[Path]) -> NDArray[np.float32]:
        """(n,) for each pair."""
        some = [[self.thumbnails[path] for path in side] for side in (one, two)]
        blocks = range(0, len(one), 256)
        with ThreadPoolExecutor(usable_cores()) as threads:
            far = threads.map(lambda at: difference(some[0][at : at + 256], some[1][at : at + 256]), blocks)
            return np.concatenate([np.empty(0, np.float32), *far])

    @property
    def originals(self) -> list[Path]:
        """The photos that have copies."""
        return [self.photos[at] for at in self.chosen]


def make_copies(photos: Sequence[Path], chosen: Sequence[int], folder: Path) -> dict[str, list[Path]]:
    """Writes the copies that are not there yet."""
    paths: dict[str, list[Path]] = {}
    for number, name in enumerate(KINDS):
        paths[name] = [folder / f"{number:02}" / f"{photos[at].stem}.jpg" for at in chosen]
        (folder / f"{number:02}").mkdir(parents=True, exist_ok=True)
    for position, at in enumerate(chosen):
        with Image.open(photos[at]) as opened:
            photo = opened.convert("RGB")
        for name, kind in KINDS.items():
            path = paths[name][position]
            if not path.exists():
                rng = random.Random(f"{photos[at].name} {name}")
                kind.make(photo, rng).save(path, quality=kind.quality)
    return paths


def read_vectors(library: Path) -> dict[Path, NDArray[np.float32]]:
    """path -> (D,)"""
    with closing(CatalogReader.open(library)) as reader:
        model = reader.active_model()
        assert model is not None
        rows = reader.vectors_after("images", model.id, 0, 10**7)
        found = reader.found("images", [id_ for id_, _ in rows])
        matrix = as_matrix([vector for _, vector in rows], model.dim)
        return {found[id_].path or Path(): row for (id_, _), row in zip(rows, matrix, strict=True)}


def pages(folder: Path) -> list[Path]:
    """Pages of random words in one layout, as receipts and scanned letters are."""
    folder.mkdir(exist_ok=True)
    paths = []
    for number in range(PAGES):
        rng, page = random.Random(number), Image.new("RGB", (600, 800), "white")
        draw, font = ImageDraw.Draw(page), ImageFont.load_default(14)
        for line in range(35):
            words = ("".join(rng.choices("abcdefghiklmnoprstuvw", k=rng.randint(2, 9))) for _ in range(12))
            draw.text((40, 30 + 21 * line), " ".join(words)[:68], fill="black", font=font)
        paths.append(folder / f"{number}.jpg")
        page.save(paths[-1], quality=85)
    return paths


def percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def halves(n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    order = np.random.default_rng(0).permutation(n)
    return np.sort(order[: n // 2]), np.sort(order[n // 2 :])


def candidate_table(copies: Copies, first: NDArray[np.int64]) -> None:
    """Print the share of copies above a cosine, and the number of pairs."""
    photos = copies.rows(copies.photos)
    scores = (photos @ photos.T)[np.triu_indices(len(photos), 1)]
    print(f"\nCandidates, copies of the first half; {len(photos):,} photos\n")
    print("| cosine | copies above it | the least of all kinds | pairs of different photos |")
    print("|---|---|---|---|")
    own = copies.rows(copies.originals)[first]
    cosines = {
        name: (own * copies.rows(copies.paths[name])[first]).sum(axis=1)
        for name, kind in KINDS.items()
        if kind.same
    }
    for least in COSINES:
        shares = {name: float((values >= least).mean()) for name, values in cosines.items()}
        worst = min(shares, key=shares.__getitem__)
        print(
            f"| {least} | {percent(mean(shares.values()))} | {percent(shares[worst])} ({worst}) "
            f"| {int((scores >= least).sum()):,} |"
        )


def difference_table(copies: Copies, far: dict[str, NDArray[np.float32]], first: NDArray[np.int64]) -> None:
    print("\nThreshold of the difference, first half\n")
    others = [name for name, kind in KINDS.items() if not kind.same]
    print(f"| below | copies | the least of all kinds | {' | '.join(others)} |")
    print(f"|---|---|---|{'---|' * len(others)}")
    for below in DIFFERENCES:
        shares = {name: float((values[first] < below).mean()) for name, values in far.items()}
        same = {name: share for name, share in shares.items() if KINDS[name].same}
        worst = min(same, key=same.__getitem__)
        wrong = " | ".join(percent(shares[name]) for name in others)
        average = percent(mean(same.values()))
        print(f"| {below} | {average} | {percent(same[worst])} ({worst}) | {wrong} |")


def kinds_table(
    copies: Copies, far: dict[str, NDArray[np.float32]], second: NDArray[np.int64], grouped: dict[Path, int]
) -> None:
    print("\nSecond half, kind by kind\n")
    print("| kind | cosine: median (lowest 5%) | candidates | same pixels | found by `duplicates` | folded |")
    print("|---|---|---|---|---|---|")
    originals = copies.originals
    own = copies.rows(originals)[second]
    for name in KINDS:
        paths = [copies.paths[name][at] for at in second]
        cosines = (own * copies.rows(paths)).sum(axis=1)
        found = [
            path in grouped and grouped[path] == grouped.get(originals[at])
            for path, at in zip(paths, second, strict=True)
        ]
        print(
            f"| {name} | {np.median(cosines):.3f} ({np.percentile(cosines, 5):.3f}) "
            f"| {percent((cosines >= CLOSE).mean())} | {percent((far[name][second] < SAME_BELOW).mean())} "
            f"| {percent(mean(found))} | {percent((cosines >= NEAR_DUPLICATE).mean())} |"
        )


def folding_table(
    copies: Copies, encoder: Encoder, first: NDArray[np.int64], second: NDArray[np.int64]
) -> None:
    """Print the copies and the different photos that are collapsed."""
    photos = copies.rows(copies.photos)
    asked = encoder.encode_texts(TRIAL_QUERIES)
    best = np.argsort(-(asked @ photos.T), axis=1)[:, : 2 * TOP]
    print(f"\nFolding; the {TOP} best of {len(asked)} searches with words among {len(photos):,} photos\n")
    print("| cosine | copies, first half | copies, second half | hits of ten folded | searches with any |")
    print("|---|---|---|---|---|")
    own = copies.rows(copies.originals)
    same = [name for name, kind in KINDS.items() if kind.same]
    cosines = np.stack([(own * copies.rows(copies.paths[name])).sum(axis=1) for name in same])
    for alike in COSINES[1:]:
        folded = [TOP - len(collapse(photos[hits[:TOP]], alike)) for hits in best]
        above = cosines >= alike
        print(
            f"| {alike} | {percent(above[:, first].mean())} | {percent(above[:, second].mean())} "
            f"| {np.mean(folded):.2f} | {percent((np.array(folded) > 0).mean())} |"
        )


def draw_sheet(pairs: Sequence[tuple[Path, Path, str]], path: Path) -> None:
    """Pairs of photos side by side, four to a row."""
    sheet = Image.new("RGB", (4 * 460, -(-len(pairs) // 4) * 250), "white")
    draw = ImageDraw.Draw(sheet)
    for number, (one, two, label) in enumerate(pairs):
        x, y = number % 4 * 460, number // 4 * 250
        draw.text((x, y + 4), f"{number} {label}", fill="black")
        for side, file in enumerate((one, two)):
            with Image.open(file) as photo:
                photo.thumbnail((224, 224))
                sheet.paste(photo.convert("RGB"), (x + 226 * side, y + 20))
    sheet.save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description="Recall and precision of `duplicates` and of folding.")
    parser.add_argument("--images", type=Path, required=True, help="a folder of photos")
    parser.add_argument("--model", default="default")
    parser.add_argument("--photos", type=int, default=500, help="how many of them get copies")
    parser.add_argument("--folder", type=Path, help="where copies and library are kept")
    parser.add_argument("--sheet", type=Path, help="draw the nearest pairs of different photos")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        run(arguments, arguments.folder or Path(temporary))


def run(arguments: argparse.Namespace, folder: Path) -> None:
    images = arguments.images.absolute()
    photos = sorted(path for path in images.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    chosen = np.sort(np.random.default_rng(1).choice(len(photos), arguments.photos, replace=False))
    paths = make_copies(photos, chosen.tolist(), folder.absolute() / "copies")
    encoder, library = Encoder.load(arguments.model), folder / ".twobranch"
    update_library(library, [images, folder.absolute() / "copies"], encoder, progress=Console())
    every = [*photos, *(path for kind in paths.values() for path in kind)]
    with ThreadPoolExecutor(usable_cores()) as threads:
        thumbnails = dict(zip(every, threads.map(thumbnail, every), strict=True))
    copies = Copies(photos, chosen, paths, read_vectors(library), thumbnails)
    first, second = halves(len(chosen))
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; "
        f"model {encoder.name}; {len(photos):,} photos, {len(chosen):,} with {len(KINDS)} copies each"
    )
    far = {name: copies.difference(copies.originals, paths[name]) for name in KINDS}
    candidate_table(copies, first)
    difference_table(copies, far, first)

    started = time.perf_counter()
    found = find_duplicates(library, Console())
    seconds = time.perf_counter() - started
    grouped = {
        photo.path: number
        for number, group in enumerate(found.groups)
        for photo in (group.kept, *group.others)
    }
    kinds_table(copies, far, second, grouped)

    source = {photo: photo for photo in photos}
    for name in KINDS:
        source |= dict(zip(paths[name], copies.originals, strict=True))
    groups = [{photo.path for photo in (group.kept, *group.others)} for group in found.groups]
    mixed = [group for group in groups if len({source[path] for path in group}) > 1]
    members = sum(1 + len(group.others) for group in found.groups)
    print(
        f"\n`duplicates`: {len(found.groups):,} groups of {members:,} files in {seconds:.0f} s; "
        f"in {len(mixed)} of them files that come from different photos:"
    )
    for group in mixed:
        print("  ", *sorted({source[path].name for path in group}))

    rows = copies.rows(photos)
    scores = np.triu(rows @ rows.T, 1)
    one, two = np.nonzero(scores >= CLOSE)
    apart = copies.difference([photos[i] for i in one], [photos[i] for i in two])
    order = np.argsort(apart)
    under = [int((apart < limit).sum()) for limit in (SAME_BELOW, 10 * SAME_BELOW)]
    print(
        f"\nOf {len(apart):,} pairs of photos above a cosine of {CLOSE}, {under[0]} are below {SAME_BELOW}, "
        f"{under[1]} below {10 * SAME_BELOW:g}; the lowest "
        + ", ".join(f"{value:.3f}" for value in apart[order[:8]])
    )
    text = pages(folder / "pages")
    sheets = [(a, b) for at, a in enumerate(text) for b in text[:at]]
    thumbnails |= {path: thumbnail(path) for path in text}
    unlike = copies.difference([a for a, _ in sheets], [b for _, b in sheets])
    print(f"Of {len(unlike):,} pairs of pages of text {int((unlike < SAME_BELOW).sum())} are taken for one.")
    folding_table(copies, encoder, first, second)
    if arguments.sheet:
        close = np.argsort(-scores[one, two])[:40]
        nearest = [*order[:20].tolist(), *close.tolist()]
        labels = [f"cosine {scores[one[i], two[i]]:.3f}, difference {apart[i]:.2f}" for i in nearest]
        pairs = [(photos[one[i]], photos[two[i]], label) for i, label in zip(nearest, labels, strict=True)]
        draw_sheet(pairs, arguments.sheet)


if __name__ == "__main__":
    main()

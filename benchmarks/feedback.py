"""The effect of feedback on the other hits.

    python -m benchmarks.feedback --captions FILE --images DIR

A topic is a word; a photo is about it when at least two of its captions have the word. Someone who means
one thing (dogs), or two (dogs and snow), searches for the first word, likes the first hit that is what was
meant and dislikes the first that is not. Both then leave the gallery, and what counts is the average
precision (AP) of the rest. Photos of the dev split: those of the training split the model knows too well.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twobranch.embedding.encoder import Encoder
from twobranch.indexer.captionfiles.corpus import read_corpus
from twobranch.retrieval.evaluation.metrics import average_precision

PHOTOS = 1000
FEWEST = 10  # photos that a topic must have
TOWARDS = (0.0, 0.1, 0.2, 0.3, 0.5, 0.75)
AWAY = (0.0, 0.1, 0.2, 0.3, 0.5)
_WORD = re.compile(r"[a-z]+")
_NOT_TOPICS = frozenset(
    re.split(
        r"\s+",
        "a an the in on of and is are with at to his her it its their by for from two three four one up "
        "down out over into through while who as that this another other near some has have looks "
        "looking being holding wearing front behind next large small young old little several many "
        "around off there under onto top down",
    )
)


@dataclass(frozen=True)
class Wish:
    """A typed query, and the photos it means."""

    word: str
    meant: NDArray[np.bool_]  # (N,)


def wishes(captions: list[list[str]]) -> dict[str, list[Wish]]:
    """For photos with these captions: all that is meant is typed, or half of it."""
    counts = [
        Counter(word for text in texts for word in set(_WORD.findall(text.lower())) - _NOT_TOPICS)
        for texts in captions
    ]
    about = {word: np.array([count[word] >= 2 for count in counts]) for word in sorted(set().union(*counts))}
    topics = {word: photos for word, photos in about.items() if FEWEST <= photos.sum() <= len(counts) / 4}
    pairs = [
        Wish(word, photos & others)
        for word, photos in topics.items()
        for other, others in topics.items()
        if word != other and FEWEST <= (photos & others).sum() <= photos.sum() / 2
    ]
    return {"one word": [Wish(word, photos) for word, photos in topics.items()], "two words": pairs}


def mean_ap(
    photos: NDArray[np.float32],
    typed: dict[str, NDArray[np.float32]],
    wished: list[Wish],
    towards: float,
    away: float,
) -> float:
    """Over all wishes, in percent, with these weights. ``photos`` are (N, D), ``typed`` are (D,)."""
    values = []
    for wish in wished:
        query = typed[wish.word]
        order = np.argsort(-(photos @ query), kind="stable")
        liked, disliked = order[wish.meant[order]][0], order[~wish.meant[order]][0]
        moved = query + towards * photos[liked] - away * photos[disliked]
        rest = np.setdiff1d(np.arange(len(photos)), [liked, disliked])
        values.append(average_precision(photos[rest] @ moved, wish.meant[rest]))
    return 100 * float(np.mean(values))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--captions", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    arguments = parser.parse_args()
    encoder = Encoder.load("default")
    corpus = read_corpus(arguments.captions).in_split("dev")
    names = [image.name for image in corpus.images][:PHOTOS]
    texts: dict[str | None, list[str]] = {name: [] for name in names}
    for caption in corpus.captions:
        if caption.image in texts:
            texts[caption.image].append(caption.text)
    photos = encoder.encode_images([arguments.images / name for name in names])
    for kind, wished in wishes(list(texts.values())).items():
        words = sorted({wish.word for wish in wished})
        typed = dict(zip(words, encoder.encode_texts(words), strict=True))
        print(f"\n{kind} meant: {len(wished):,} wishes; mean AP in percent\n")
        print(f"| liked, disliked | {' | '.join(map(str, AWAY))} |")
        print("|---" * (1 + len(AWAY)) + "|")
        for towards in TOWARDS:
            row = [f"{mean_ap(photos, typed, wished, towards, away):.1f}" for away in AWAY]
            print(f"| {towards} | {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()

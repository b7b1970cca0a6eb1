"""Fit the confidence of hits on dev.

    python -m twobranch.train.output.calibrate MODEL --captions FILE --images DIR [--captions … --images …]

``train.output.questions`` defines matches and draws the galleries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twobranch.common.progress import SILENT, Progress
from twobranch.embedding.encoder import Encoder
from twobranch.embedding.model_folder import CALIBRATION, sha256_file, write_config
from twobranch.retrieval.confidence import (
    FEATURES,
    QUERY_KINDS,
    RISING,
    Background,
    Bank,
    Calibration,
    Fit,
    QueryKind,
)
from twobranch.train.data import CaptionedPhotos
from twobranch.train.output.card import write_card
from twobranch.train.output.finished import run_on_model
from twobranch.train.output.questions import Embedded, EncodedPhotos, Hits, Towers, draw, embed, questions

BANK = 1000  # photos of the background: 0.5 MB of 512 dimensions
CAPTIONS_A_PHOTO = 2  # of the background
FEWEST_PHOTOS = 50  # too few below that for a useful probability
SIZES = (1, 2, 5, 10, 30, 100, 300, 1000)  # galleries, in photos
LOST = 0.05  # share of right first hits that may be called no match
PRECISION = 0.8  # share of the likely hits that match
_LENGTHS = (1, 2, 3, 5, 8)  # words from which on queries have limits of their own
_LARGE = 100  # photos
_FEWEST_LIKELY = 30  # hits, of questions of one sort in one collection, that a precision is measured on
_RIDGE = 1.0  # on standardised weights, against a likelihood that counts each dev photo once
_NEWTON_STEPS = 30


@dataclass(frozen=True)
class Drawn:
    """The hits of questions of one sort, in galleries of one collection."""

    source: str
    name: str
    hits: Hits


def fit(parts: Sequence[Drawn], n_photos: int) -> Fit:
    """Fit the probability that a hit is right by logistic regression.

    The inputs are the features of hits. Each part has the same weight. A hit of rank r counts 1/r: people
    look at the first hits, and these decide whether anything matches.
    """
    hits = Hits.concatenate([part.hits for part in parts])
    weight = np.concatenate([(1 / part.hits.rank) / (1 / part.hits.rank).sum() for part in parts])
    weight *= n_photos / len(parts)
    weights = _logistic(hits.features, hits.right, weight)
    found = Fit(weights, np.ones(1), np.ones(1), np.full((1, 1), 1e-6), np.ones(1))
    by_length = [group for first in range(len(_LENGTHS)) if (group := _of_length(parts, first))]
    limits = [(limit, group) for group in by_length if (limit := _limits(group, found)) is not None]
    if not limits:
        return replace(found, likely=np.array([_least_likely(parts, found)]))
    longest = max((limit for limit, _ in limits), key=lambda limit: len(limit.sizes))
    return replace(
        found,
        sizes=longest.sizes,
        lengths=np.array([limit.lengths[0] for limit, _ in limits]),
        weak=np.array(
            [np.interp(np.log(longest.sizes), np.log(limit.sizes), limit.weak[0]) for limit, _ in limits]
        ),
        likely=np.array([_least_likely(group, found) for _, group in limits]),
    )


def _of_length(parts: Sequence[Drawn], group: int) -> list[Drawn]:
    """Return the hits of queries of one group of ``_LENGTHS``."""
    chosen = []
    for part in parts:
        length = np.exp(part.hits.features[:, FEATURES.index("log length")]) + 1e-6
        rows = np.searchsorted(_LENGTHS, length, side="right") == group + 1
        if rows.any():
            chosen.append(replace(part, hits=part.hits.subset(rows)))
    return chosen


def _least_likely(parts: Sequence[Drawn], found: Fit) -> float:
    """Return the least confidence from which on 80% of the hits match.

    80% is the mean of all parts. Only parts with 30 hits from there on count: the precision of fewer is
    chance. Galleries of a few photos do not count, as nobody searches those.
    """
    large = [part.hits.size >= min(_LARGE, part.hits.size.max()) for part in parts]
    judged = [
        (found.probabilities(part.hits.features[rows]), part.hits.right[rows])
        for part, rows in zip(parts, large, strict=True)
    ]
    for least in np.arange(0.5, 1, 0.01):
        chosen = [right[confidence >= least] for confidence, right in judged]
        precisions = [right.mean() for right in chosen if len(right) >= _FEWEST_LIKELY]
        if not precisions or np.mean(precisions) >= PRECISION:
            return float(least)
    return 0.99


def _limits(parts: Sequence[Drawn], found: Fit) -> Fit | None:
    """Return ``found`` with the limits for queries of one length.

    A limit is the confidence that 95% of the right first hits reach. There is one for each size of gallery
    with enough right first hits; None if no size has enough.
    """
    part = Hits.concatenate([one.hits for one in parts])
    confidence = found.probabilities(part.features)
    first = (part.rank == 1) & part.right & part.answerable
    sizes, weak = [], []
    for size in np.unique(part.size):
        rows = first & (part.size == size)
        if np.count_nonzero(rows) >= 1 / LOST:
            sizes.append(part.n_gallery[rows].mean())
            weak.append(np.quantile(confidence[rows], LOST))
    length = max(1.0, float(np.exp(part.features[:, FEATURES.index("log length")].mean())))
    order = np.argsort(sizes)  # a large gallery without what may match can be smaller than the next one
    limit = np.clip(weak, 1e-6, 1 - 1e-6)[None, order]
    return (
        replace(found, sizes=np.array(sizes)[order], lengths=np.array([length]), weak=limit)
        if sizes
        else None
    )


def _logistic(
    x: NDArray[np.float64], right: NDArray[np.bool_], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the (1 + F,) weights of a logistic regression, constant first.

    They are found by Newton's method. The ``RISING`` weights are kept from being negative.
    """
    mean, sd = x.mean(axis=0), x.std(axis=0) + 1e-9
    z = np.hstack([np.ones((len(x), 1)), (x - mean) / sd])
    ridge = np.full(z.shape[1], _RIDGE)
    ridge[0] = 1e-3
    free = np.ones(z.shape[1], dtype=bool)
    while True:
        w = np.zeros(z.shape[1])
        for _ in range(_NEWTON_STEPS):
            p = 0.5 * (1 + np.tanh(z @ w / 2))
            gradient = z.T @ (weight * (p - right)) + ridge * w
            curvature = (z * (weight * p * (1 - p))[:, None]).T @ z + np.diag(ridge)
            step = np.linalg.solve(curvature[np.ix_(free, free)], gradient[free])
            w[free] -= np.clip(step, -2, 2)  # a full step far from the solution can overshoot
            if np.abs(step).max() < 1e-8:
                break
        falling = [1 + column for column in RISING if w[1 + column] < 0]
        if not falling:
            break
        free[falling] = False
    return np.concatenate([[w[0] - (w[1:] * mean / sd).sum()], w[1:] / sd])


def draw_all(
    kind: QueryKind, data: Sequence[Embedded], background: Background, seed: int, sizes: Sequence[int] = SIZES
) -> list[Drawn]:
    """Draw galleries for all questions of one kind, in each collection."""
    drawn = []
    for one in data:
        rng = np.random.default_rng([seed, QUERY_KINDS.index(kind)])
        for asked in questions(kind, one, rng):
            if len(asked.queries):
                hits = draw(asked, kind, background, [*sizes, len(one.photos)], rng)
                drawn.append(Drawn(one.source, asked.name, hits))
    return drawn


def fit_calibration(data: Sequence[Embedded], background: Background, seed: int) -> Calibration:
    """Fit every kind of query that ``data`` has questions for."""
    n_photos = sum(len(one.photos) for one in data)
    fits: dict[QueryKind, Fit] = {}
    for kind in QUERY_KINDS:
        drawn = draw_all(kind, data, background, seed)
        if drawn:
            fits[kind] = fit(drawn, n_photos)
    return Calibration(background, fits)


def background_of(encoder: Towers, train: CaptionedPhotos, seed: int) -> Background:
    """Return up to 1,000 training photos with two captions each.

    They are drawn with ``seed``.
    """
    rng = np.random.default_rng(seed)
    drawn = rng.choice(len(train.photos), min(BANK, len(train.photos)), replace=False)
    photos = {item: row for row, item in enumerate(np.sort(drawn).tolist())}
    captions: dict[int, list[int]] = {row: [] for row in photos.values()}
    for caption in rng.permutation(len(train.texts)).tolist():
        row = photos.get(int(train.items[caption]))
        if row is not None and len(captions[row]) < CAPTIONS_A_PHOTO:
            captions[row].append(caption)
    pairs = [(row, caption) for row, some in captions.items() for caption in sorted(some)]
    return Background(
        Bank.of(encoder.encode_images([train.photos[item] for item in photos])),
        Bank.of(encoder.encode_texts([train.texts[caption] for _, caption in pairs])),
        np.array([row for row, _ in pairs], dtype=np.int64),
    )


def write_calibration(
    folder: Path,
    encoder: Towers,
    train: CaptionedPhotos,
    dev: EncodedPhotos,
    *,
    seed: int,
    progress: Progress = SILENT,
) -> dict[str, str]:
    """Fit and write ``calibration.npz``.

    Returns its entry in ``config.json``, or {} without writing if dev is too small.
    """
    if len(dev.photos) < FEWEST_PHOTOS:
        progress.note(
            f"no confidence: fitting it needs {FEWEST_PHOTOS} dev photos, there are {len(dev.photos)}"
        )
        return {}
    data = embed(encoder, dev, seed)
    fit_calibration(data, background_of(encoder, train, seed), seed).save(folder)
    return {CALIBRATION: sha256_file(folder / CALIBRATION)}


def recalibrate(
    model: str, train: CaptionedPhotos, dev: CaptionedPhotos, *, seed: int, progress: Progress
) -> Path:
    """Refit the calibration of a finished model folder, and return the folder.

    Vectors and the model's fingerprint do not change, so libraries need no new indexing. Raises
    ``ModelError``.
    """
    encoder = Encoder.load(model, verify=True)
    progress.note(f"encoding {len(dev.photos):,} dev photos and up to {BANK:,} training photos")
    encoded = EncodedPhotos(dev, encoder.encode_images(dev.photos), encoder.encode_texts(dev.texts))
    files = write_calibration(encoder.folder, encoder, train, encoded, seed=seed, progress=progress)
    if files:
        config = replace(encoder.config, files=dict(sorted({**encoder.config.files, **files}.items())))
        if config.training:  # an added model has a card of its own
            write_card(encoder.folder, config)
        write_config(encoder.folder, config)
    return encoder.folder


if __name__ == "__main__":
    run_on_model("twobranch.train.output.calibrate", recalibrate, CALIBRATION)

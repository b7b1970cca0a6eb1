"""Fit the confidence of hits on dev.

    python -m twobranch.train.output.calibrate MODEL --captions FILE --images DIR

``train.output.questions`` defines matches and draws the galleries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twobranch.common.progress import SILENT, Progress
from twobranch.embedding.encoder import Encoder
from twobranch.embedding.model_folder import CALIBRATION, sha256_file, write_config
from twobranch.indexer.captionfiles.corpus import read_corpus
from twobranch.retrieval.confidence import (
    FEATURES,
    QUERY_KINDS,
    RISING,
    Bank,
    Calibration,
    Fit,
    QueryKind,
)
from twobranch.train.data import CaptionedPhotos, training_and_dev
from twobranch.train.output.card import write_card
from twobranch.train.output.finished import run_on_model
from twobranch.train.output.questions import Embedded, EncodedPhotos, Hits, Towers, draw, embed, questions

BANK = 1000  # rows of each bank: 0.5 MB of 512 dimensions
FEWEST_PHOTOS = 50  # too few below that for a useful probability
SIZES = (1, 2, 5, 10, 30, 100, 300, 1000)  # galleries, in photos
LOST = 0.05  # share of right first hits that may be called no match
_RIDGE = 1.0  # on standardised weights, against a likelihood that counts each dev photo once
_NEWTON_STEPS = 30


def fit(parts: Sequence[Hits], n_photos: int) -> Fit:
    """Fit the probability that a hit is right by logistic regression.

    The inputs are the features of hits. Each part has the same weight. A hit of rank r counts 1/r: people
    look at the first hits, and these decide whether anything matches.
    """
    hits = Hits.concatenate(parts)
    weight = np.concatenate([(1 / part.rank) / (1 / part.rank).sum() for part in parts])
    weight *= n_photos / len(parts)
    weights = _logistic(hits.features, hits.right, weight)
    found = Fit(weights, np.ones(1), np.ones(1), np.full((1, 1), 1e-6))
    limits = [limit for part in parts if (limit := _limits(part, found)) is not None]
    if not limits:
        return found
    longest = max(limits, key=lambda limit: len(limit.sizes))
    order = sorted(range(len(limits)), key=lambda row: limits[row].lengths[0])
    return replace(
        found,
        sizes=longest.sizes,
        lengths=np.array([limits[row].lengths[0] for row in order]),
        weak=np.array(
            [
                np.interp(np.log(longest.sizes), np.log(limits[row].sizes), limits[row].weak[0])
                for row in order
            ]
        ),
    )


def _limits(part: Hits, found: Fit) -> Fit | None:
    """Return ``found`` with the limits below which one part is no match.

    A limit is the confidence that 95% of the right first hits reach. There is one for each size of gallery
    with enough right first hits; None if no size has enough.
    """
    confidence = found.probabilities(part.features)
    first = (part.rank == 1) & part.right & part.answerable
    sizes, weak = [], []
    for size in np.unique(part.size):
        rows = first & (part.size == size)
        if np.count_nonzero(rows) >= 1 / LOST:
            sizes.append(part.n_gallery[rows].mean())
            weak.append(np.quantile(confidence[rows], LOST))
    length = np.exp(part.features[:, FEATURES.index("log length")].mean())
    limit = np.clip(weak, 1e-6, 1 - 1e-6)[None]
    return replace(found, sizes=np.array(sizes), lengths=np.array([length]), weak=limit) if sizes else None


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


def fit_calibration(data: Embedded, images: Bank, captions: Bank, seed: int) -> Calibration:
    """Fit every kind of query that ``data`` has questions for.

    Returns the fits with both banks.
    """
    banks = Calibration(images, captions, {})
    fits: dict[QueryKind, Fit] = {}
    for number, kind in enumerate(QUERY_KINDS):
        rng = np.random.default_rng([seed, number])
        sets = [asked for asked in questions(kind, data, rng) if len(asked.queries)]
        if sets:
            sizes = [*SIZES, len(data.photos)]
            fits[kind] = fit([draw(asked, banks.bank(kind), sizes, rng) for asked in sets], len(data.photos))
    return replace(banks, fits=fits)


def banks_of(encoder: Towers, train: CaptionedPhotos, seed: int) -> tuple[Bank, Bank]:
    """Return banks of training photos and of training captions.

    Each holds up to 1,000, drawn with ``seed``.
    """
    rng = np.random.default_rng(seed)
    photos = np.sort(rng.choice(len(train.photos), min(BANK, len(train.photos)), replace=False))
    captions = np.sort(rng.choice(len(train.texts), min(BANK, len(train.texts)), replace=False))
    return (
        Bank.of(encoder.encode_images([train.photos[row] for row in photos])),
        Bank.of(encoder.encode_texts([train.texts[row] for row in captions])),
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
    data = embed(encoder, dev.part, dev.photos, dev.captions, seed)
    fit_calibration(data, *banks_of(encoder, train, seed), seed).save(folder)
    return {CALIBRATION: sha256_file(folder / CALIBRATION)}


def recalibrate(model: str, captions: Path, images: Path, *, seed: int, progress: Progress) -> Path:
    """Refit the calibration of a finished model folder, and return the folder.

    Vectors and the model's fingerprint do not change, so libraries need no new indexing. Raises
    ``UserError`` and ``ModelError``.
    """
    encoder = Encoder.load(model, verify=True)
    train, dev = training_and_dev(read_corpus(captions), images, seed=seed, progress=progress)
    progress.note(f"encoding {len(dev.photos):,} dev photos and up to {BANK:,} training photos")
    encoded = EncodedPhotos(dev, encoder.encode_images(dev.photos), encoder.encode_texts(dev.texts))
    files = write_calibration(encoder.folder, encoder, train, encoded, seed=seed, progress=progress)
    if files:
        config = replace(encoder.config, files=dict(sorted({**encoder.config.files, **files}.items())))
        write_card(encoder.folder, config)
        write_config(encoder.folder, config)
    return encoder.folder


if __name__ == "__main__":
    run_on_model("twobranch.train.output.calibrate", recalibrate, CALIBRATION)

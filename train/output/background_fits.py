"""Fit the confidence of models without calibration, on one with captions.

    python -m twobranch.train.output.background_fits MODEL --captions FILE --images DIR [--captions … …]

writes ``retrieval/data/background-fits.json``. Each collection of dev photos stands for a library: its own
photos and the background texts are all that the features know of the model.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twobranch.common.progress import Console
from twobranch.embedding.encoder import Encoder
from twobranch.retrieval.background import FITS, KINDS, background_of, background_texts, fits_text, scale_of
from twobranch.retrieval.confidence import SAMPLE, QueryKind
from twobranch.train.output.calibrate import SIZES, Drawn, draw_all, fit
from twobranch.train.output.finished import read_parts
from twobranch.train.output.questions import Embedded, EncodedPhotos, embed


def photo_sample(data: Embedded) -> NDArray[np.float32]:
    """Return (P, D) photos of a collection, as `index` samples a library."""
    rows = np.unique(np.linspace(0, len(data.photos) - 1, SAMPLE).astype(np.int64))
    return data.photos[rows]


def standard_hits(
    kind: QueryKind,
    data: Sequence[Embedded],
    texts: NDArray[np.float32],
    seed: int,
    sizes: Sequence[int] = SIZES,
) -> list[Drawn]:
    """Draw hits of one kind, with features on the common scale.

    ``texts`` are the (T, D) vectors of the background texts.
    """
    found = []
    for one in data:
        photos = photo_sample(one)
        scale = scale_of(kind, texts, photos)
        for drawn in draw_all(kind, [one], background_of(texts, photos), seed, sizes):
            features = scale.standardised(drawn.hits.features)
            found.append(replace(drawn, hits=replace(drawn.hits, features=features)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m twobranch.train.output.background_fits",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("model", help="shipped model or model folder")
    parser.add_argument("--captions", type=Path, required=True, action="append")
    parser.add_argument("--images", type=Path, required=True, action="append")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    encoder = Encoder.load(options.model)
    _, dev = read_parts(options.captions, options.images, seed=options.seed, progress=Console())
    encoded = EncodedPhotos(dev, encoder.encode_images(dev.photos), encoder.encode_texts(dev.texts))
    data = embed(encoder, encoded, options.seed)
    texts = encoder.encode_texts(background_texts())
    fits = {kind: fit(standard_hits(kind, data, texts, options.seed), len(dev.photos)) for kind in KINDS}
    FITS.write_text(fits_text(fits), encoding="utf-8")
    print(FITS)


if __name__ == "__main__":
    main()

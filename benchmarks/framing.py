"""A centre crop against the whole photo squashed to a square, with one model.

    python -m benchmarks.framing [MODEL] --captions dataset.json --images images

Text to image over the dev photos that are not squares, each source by itself, for both ways to make a square.
A model is trained with one way, so the other one costs it something whatever it cuts off.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from twobranch.common.progress import Console
from twobranch.embedding.encoder import Encoder
from twobranch.embedding.preparation import Framing
from twobranch.train.data import CaptionedPhotos
from twobranch.train.metrics import text_to_image
from twobranch.train.output.finished import read_parts

OBLONG = 1.1  # the longer side of a photo, as a multiple of the shorter one
FEWEST = 50  # photos of a source


def oblong(dev: CaptionedPhotos) -> tuple[CaptionedPhotos, float]:
    """Return the photos that are not squares, and the mean share of them that a centre crop cuts off."""
    kept, lost = [], []
    for row, path in enumerate(dev.photos):
        with Image.open(path) as photo:
            shorter, longer = sorted(photo.size)
        if longer >= OBLONG * shorter:
            kept.append(row)
            lost.append(1 - shorter / longer)
    return dev.only(kept), float(np.mean(lost)) if lost else 0.0


def main() -> None:
    """Print a row for each source and framing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model", nargs="?", default="default")
    parser.add_argument("--captions", type=Path, required=True, action="append")
    parser.add_argument("--images", type=Path, required=True, action="append")
    options = parser.parse_args()
    encoder = Encoder.load(options.model)
    _, dev = read_parts(options.captions, options.images, seed=1, progress=Console())
    print("| source | photos | cut off by a crop | framing | R@1/5/10 | MRR |")
    print("|---|---|---|---|---|---|")
    for source, part in dev.by_source().items():
        chosen, lost = oblong(part)
        if len(chosen.photos) < FEWEST:
            continue
        texts = encoder.encode_texts(chosen.texts)
        for framing in (Framing("squash"), Framing("crop")):
            framed = Encoder(encoder.folder, replace(encoder.config, framing=framing.as_json()))
            figure = text_to_image(framed.encode_images(chosen.photos), texts, chosen.items)
            recalls = "/".join(f"{figure[f'R@{k}']:.1f}" for k in (1, 5, 10))
            fields = (source, len(chosen.photos), f"{lost:.0%}", framing.fit, recalls, figure["MRR"])
            print(f"| {' | '.join(map(str, fields))} |")


if __name__ == "__main__":
    main()

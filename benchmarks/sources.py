"""Text-to-image figures of models for each source of dev photos, as a table.

    python -m benchmarks.sources MODEL [MODEL …] --captions a.txt --images a --captions b.json --images b

Each source has a gallery of its own, and one row for each kind of its texts; see ``train.metrics``. The last
rows search the dev photos of all sources together. Nothing is trained and no test split is read.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from twobranch.common.progress import Console
from twobranch.embedding.encoder import Encoder
from twobranch.train.data import CaptionedPhotos, joined, training_and_dev
from twobranch.train.metrics import SENTENCES, source_metrics, text_to_image
from twobranch.train.run import CorpusPlace, read_corpora


def main() -> None:
    """Encode the dev photos with each model and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("models", nargs="*", default=["default"], metavar="MODEL")
    parser.add_argument("--captions", type=Path, required=True, action="append")
    parser.add_argument("--images", type=Path, required=True, action="append")
    options = parser.parse_args()
    places = tuple(map(CorpusPlace, options.captions, options.images))
    progress = Console()
    parts = [
        training_and_dev(corpus, place.images, seed=1, progress=progress)[1]
        for corpus, place in zip(read_corpora(places), places, strict=True)
    ]
    print("| model | source | texts | number | photos | R@1/5/10 | MRR | median rank |")
    print("|---|---|---|---|---|---|---|---|")
    for model in options.models:
        print_figures(Encoder.load(model), joined(parts))


def print_figures(encoder: Encoder, dev: CaptionedPhotos) -> None:
    """The rows of one model."""
    images, texts = encoder.encode_images(dev.photos), encoder.encode_texts(dev.texts)
    name = Path(encoder.name).name  # no path of this machine
    for source, figures in source_metrics(images, texts, dev, encoder.encode_texts).items():
        n_texts, n_images = figures["n_texts"], figures["n_images"]
        print(f"| {name} | {source} | all, both ways | {n_texts} | {n_images} | rsum {figures['rsum']} | | |")
        for kind, figure in figures.items():
            if isinstance(figure, dict):
                _print_row(name, source, kind, n_images, figure)
        if "object_names_mAP" in figures:
            precision = figures["object_names_mAP"]
            print(f"| {name} | {source} | names of objects | | {n_images} | mAP {precision} | | |")
    sources, kinds = np.array(dev.sources)[dev.items], np.array([kind or SENTENCES for kind in dev.kinds])
    for source, kind in sorted(set(zip(sources.tolist(), kinds.tolist(), strict=True))):
        rows = np.flatnonzero((sources == source) & (kinds == kind))
        figure = text_to_image(images, texts[rows], dev.items[rows])
        _print_row(name, f"{source}, among all", kind, len(images), figure)


def _print_row(model: str, source: str, kind: str, n_images: int, figure: dict[str, float]) -> None:
    recalls = "/".join(f"{figure[f'R@{k}']:.1f}" for k in (1, 5, 10))
    print(
        f"| {model} | {source} | {kind} | {figure['n_texts']} | {n_images} | {recalls} | {figure['MRR']} "
        f"| {figure['median_rank']:g} |"
    )


if __name__ == "__main__":
    main()

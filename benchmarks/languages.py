"""Text-to-image figures of a model in other languages, as a table.

    python -m benchmarks.languages MODEL --captions a.txt --images a --captions b.json --images b \
        --texts de=a.de.txt …

The texts are those about dev photos, as for ``train.languages``. Each source has a gallery of
its own; each text is read in the language that its words tell, as a search reads it. The last rows are the
100 dev captions of ``data/translated_dev.tsv``. Nothing is trained and no test split is read.

The last columns are about the confidence of first hits, which was fitted on English: what it says, how many
are right and its calibration error. Each text is put to the gallery with its photo and to the one without.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.confidence import calibration_error
from twobranch.common.progress import Console
from twobranch.embedding.encoder import Encoder
from twobranch.retrieval.confidence import Calibration, n_words
from twobranch.train.data import CaptionedPhotos
from twobranch.train.languages.__main__ import add_arguments, language_options
from twobranch.train.languages.run import read_texts
from twobranch.train.metrics import text_to_image
from twobranch.train.output.questions import Questions, draw

TRANSLATED = Path(__file__).parent / "data" / "translated_dev.tsv"


def main() -> None:
    """Encode the dev photos and print the figures of every language and source."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add_arguments(parser)
    options = language_options(parser.parse_args())
    encoder = Encoder.load(options.model)
    corpus = read_texts(options, Console())
    photos = encoder.encode_images(corpus.dev.photos)
    header = "| language | source | texts | photos | read in it | R@1/5/10 | MRR | median rank |"
    print(f"{header} said | right | ECE |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for one in sorted(corpus.dev_texts, key=lambda one: (one.language, one.source)):
        print_row(encoder, one.language, one.source, one.texts, photos[one.photos], one.items)
    for language, texts, items in translated(corpus.dev):
        print_row(encoder, language, "100 dev captions", texts, photos, items)


def print_row(
    encoder: Encoder,
    language: str,
    source: str,
    texts: Sequence[str],
    photos: NDArray[np.float32],
    items: NDArray[np.int64],
) -> None:
    """The row of one language and source; ``texts[j]`` describes ``photos[items[j]]``."""
    queries = encoder.encode_texts(texts)
    figure = text_to_image(photos, queries, items)
    told = np.mean([encoder.language_of(text) == language for text in texts])
    recalls = "/".join(f"{figure[f'R@{k}']:.1f}" for k in (1, 5, 10))
    print(
        f"| {language} | {source} | {len(texts)} | {len(photos)} | {told:.1%} | {recalls} "
        f"| {figure['MRR']} | {figure['median_rank']:g} "
        f"| {confidence(encoder, queries, texts, photos, items)} |"
    )


def confidence(
    encoder: Encoder,
    queries: NDArray[np.float32],
    texts: Sequence[str],
    photos: NDArray[np.float32],
    items: NDArray[np.int64],
) -> str:
    """The cells about the confidence of first hits."""
    calibration = Calibration.load(encoder.folder, encoder.dim)
    assert calibration is not None
    every = np.arange(len(photos))
    lengths = np.array([n_words(text) for text in texts])
    relevance = (items[:, None] == every).astype(np.int8)
    asked = Questions("texts", queries, lengths, photos, every, items, relevance)
    rng = np.random.default_rng(1)
    hits = draw(asked, "text_to_images", calibration.background, [len(photos)], rng, hits=1)
    said = calibration.fits["text_to_images"].probabilities(hits.features)
    return f"{said.mean():.1%} | {hits.right.mean():.1%} | {calibration_error(said, hits.right):.1f}"


def translated(dev: CaptionedPhotos) -> list[tuple[str, list[str], NDArray[np.int64]]]:
    """The translated captions of photos in ``dev``: language, texts, and the row of each one's photo."""
    rows = {photo.name: row for row, photo in enumerate(dev.photos)}
    with TRANSLATED.open(encoding="utf-8", newline="") as file:
        lines = [line for line in csv.DictReader(file, delimiter="\t") if line["image"] in rows]
    found = []
    for language in sorted({line["language"] for line in lines}):
        own = [line for line in lines if line["language"] == language]
        items = np.array([rows[line["image"]] for line in own], dtype=np.int64)
        found.append((language, [line["text"] for line in own], items))
    return found


if __name__ == "__main__":
    main()

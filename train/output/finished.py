"""The command line of tools that change a finished model folder.

They need the corpus that the model was trained on.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from twobranch.common.errors import UserError
from twobranch.common.progress import Console, Progress
from twobranch.indexer.captionfiles.corpus import read_corpus
from twobranch.train.data import CaptionedPhotos, joined, training_and_dev


class Work(Protocol):
    """A function that changes a model folder and returns it.

    It is given the train and dev photos of the model's corpora.
    """

    def __call__(
        self, model: str, train: CaptionedPhotos, dev: CaptionedPhotos, *, seed: int, progress: Progress
    ) -> Path: ...


def run_on_model(module: str, work: Work, result: str) -> None:
    """Run ``work`` with the arguments of ``python -m module``.

    Prints the path of the file ``result`` that it wrote.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=work.__doc__)
    parser.add_argument("model", help=f"shipped model or model folder; its {result} is replaced")
    parser.add_argument(
        "--captions",
        type=Path,
        required=True,
        action="append",
        help="the caption file it was trained on; once for each of several",
    )
    parser.add_argument(
        "--images", type=Path, required=True, action="append", help="the folder of its photos; as --captions"
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="of the training; also used for all random draws here"
    )
    options = parser.parse_args()
    if len(options.captions) != len(options.images):
        parser.error("give --images once for each --captions")
    try:
        train, dev = read_parts(options.captions, options.images, seed=options.seed, progress=Console())
        folder = work(options.model, train, dev, seed=options.seed, progress=Console())
    except UserError as error:
        parser.exit(1, f"error: {error}\n")
    print(folder / result)


def read_parts(
    captions: Sequence[Path], images: Sequence[Path], *, seed: int, progress: Progress
) -> tuple[CaptionedPhotos, CaptionedPhotos]:
    """Return the train and dev photos of several corpora. Raises ``UserError``."""
    parts = [
        training_and_dev(read_corpus(file), folder, seed=seed, progress=progress)
        for file, folder in zip(captions, images, strict=True)
    ]
    return joined([train for train, _ in parts]), joined([dev for _, dev in parts])

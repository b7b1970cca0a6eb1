"""Cosines of photos with sentences, without an index.

This is what the original program did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twobranch.common.errors import ImageError, UserError
from twobranch.common.paths import expanded, is_file, is_folder
from twobranch.common.progress import SILENT, Progress
from twobranch.embedding.encoder import Encoder
from twobranch.embedding.preprocess import load_photo
from twobranch.embedding.sif import well_formed
from twobranch.indexer.disk.walk import scan
from twobranch.retrieval.encoders import check_known
from twobranch.retrieval.query import is_photo_path

_BATCH = 16  # photos encoded together: enough for all cores


@dataclass(frozen=True)
class Similarity:
    """Cosines of photos with sentences.

    ``scores[i, j]`` is the cosine of ``images[i]`` with ``sentences[j]``.
    """

    images: tuple[Path, ...]
    sentences: tuple[str, ...]
    scores: NDArray[np.float32]  # (len(images), len(sentences))
    failed: tuple[ImageError, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the JSON data of ``similarity --json``."""
        return {
            "images": [str(path) for path in self.images],
            "sentences": list(self.sentences),
            "scores": [[round(float(score), 6) for score in row] for row in self.scores],
            "failed": [{"path": str(failure.path), "reason": failure.reason} for failure in self.failed],
        }


def sort_arguments(arguments: Sequence[str]) -> tuple[list[Path], list[str]]:
    """Sort command-line arguments into photos and sentences.

    They may come in any order. A folder stands for all photos in it. Raises ``UserError`` for a path that
    does not exist, and when there are no photos or no sentences.
    """
    photos: list[Path] = []
    sentences: list[str] = []
    for argument in arguments:
        path = expanded(argument)
        if is_folder(path):
            root = path.absolute()
            photos += [root / name for name in sorted(scan(root).files)]
        elif is_photo_path(argument):
            if not is_file(path):
                raise UserError(f"{path}: no such photo")
            photos.append(path.absolute())
        elif argument.strip():
            sentences.append(well_formed(" ".join(argument.split())))
    if not photos or not sentences:
        missing = "photo" if not photos else "sentence"
        raise UserError(f'no {missing} given; try: similarity ./photos "a red car" "a dog in the snow"')
    return list(dict.fromkeys(photos)), list(dict.fromkeys(sentences))


def similarity(
    encoder: Encoder, photos: Sequence[Path], sentences: Sequence[str], progress: Progress = SILENT
) -> Similarity:
    """Compute the cosine of every photo with every sentence.

    Photos that cannot be read are left out and listed in ``failed``. Raises ``UserError`` for a sentence
    without a known word, and when no photo can be read.
    """
    for sentence in sentences:
        check_known(encoder, sentence)
        for word in encoder.unknown_words(sentence):
            progress.warn(f"the model does not know {word!r}")
    texts = encoder.encode_texts(sentences)
    images: list[Path] = []
    failed: list[ImageError] = []
    blocks: list[NDArray[np.float32]] = []
    progress.start("photos", len(photos))
    for start in range(0, len(photos), _BATCH):
        pixels = []
        for photo in photos[start : start + _BATCH]:
            try:
                pixels.append(load_photo(photo, encoder.image_size, framing=encoder.framing).pixels)
                images.append(photo)
            except ImageError as error:
                failed.append(error)
            progress.advance()
        if pixels:
            blocks.append(encoder.encode_pixels(np.stack(pixels)) @ texts.T)
    progress.finish()
    if not images:
        raise UserError(f"none of the {len(photos)} photos can be read; the first: {failed[0]}")
    return Similarity(tuple(images), tuple(sentences), np.concatenate(blocks), tuple(failed))

"""Choose sentences to put around short queries.

    python -m twobranch.train.output.templates MODEL --captions FILE --images DIR [--captions … --images …]

Models trained on sentences of the web know "a photo of a dog" better than "dog" (Radford et al., *Learning
Transferable Visual Models From Natural Language Supervision*, 2021). Whether that holds for a model and for
one's own photos shows only there. A set of templates is kept if it raises the mean reciprocal rank of short
texts by more than chance; else the model gets none.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twobranch.common.errors import UserError
from twobranch.common.progress import SILENT, Progress
from twobranch.embedding.encoder import SHORT, Encoder
from twobranch.embedding.model_folder import CONFIG, write_config
from twobranch.train.data import CaptionedPhotos
from twobranch.train.output.finished import run_on_model

# Sets of templates that are tried.
SETS: tuple[tuple[str, ...], ...] = (
    ("a photo of {}",),
    ("a photo of a {}",),
    ("a picture of {}", "a photo of {}", "{} in a photo"),
    ("a photo of {}", "a close-up photo of {}", "a photo of a large {}", "a photo of a small {}"),
)
FEWEST = 50  # short texts on dev; the gain of fewer is chance
_RESAMPLES = 1000


def short_texts(dev: CaptionedPhotos) -> NDArray[np.int64]:
    """Return the (M,) rows of texts of few words. A text that describes several photos is left out."""
    counts: dict[str, int] = {}
    for text in dev.texts:
        counts[text] = counts.get(text, 0) + 1
    rows = [row for row, text in enumerate(dev.texts) if len(text.split()) <= SHORT and counts[text] == 1]
    return np.array(rows, dtype=np.int64)


def reciprocal_ranks(
    images: NDArray[np.float32], texts: NDArray[np.float32], items: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return 1 / rank of each text's own photo, in percent, (M,)."""
    scores = texts @ images.T
    own = scores[np.arange(len(items)), items]
    return np.asarray(100 / (scores >= own[:, None]).sum(axis=1))


def least_gain(before: NDArray[np.float64], after: NDArray[np.float64], rng: np.random.Generator) -> float:
    """Return the lower end of the 95% interval of the mean gain.

    Texts are resampled, each with its two values.
    """
    gains = after - before
    drawn = rng.integers(0, len(gains), (_RESAMPLES, len(gains)))
    return float(np.quantile(gains[drawn].mean(axis=1), 0.025))


def choose(encoder: Encoder, dev: CaptionedPhotos, *, seed: int, progress: Progress = SILENT) -> list[str]:
    """Return the best set of templates, or none if none gains anything.

    Raises ``UserError`` for too few texts.
    """
    rows = short_texts(dev)
    if len(rows) < FEWEST:
        raise UserError(
            f"{len(rows)} dev texts of up to {SHORT} words, and templates are chosen with {FEWEST} or more"
        )
    progress.note(f"encoding {len(dev.photos):,} dev photos")
    images = encoder.encode_images(dev.photos)
    texts, items = [dev.texts[row] for row in rows], dev.items[rows]
    plain = reciprocal_ranks(images, encoder.encode_queries(texts, templates=()), items)
    progress.note(f"no template: MRR {plain.mean():.1f} of {len(rows):,} short texts")
    best: tuple[float, tuple[str, ...]] = (0.0, ())
    for templates in SETS:
        ranks = reciprocal_ranks(images, encoder.encode_queries(texts, templates=templates), items)
        gain = least_gain(plain, ranks, np.random.default_rng(seed))
        progress.note(f"{', '.join(templates)}: MRR {ranks.mean():.1f}, the gain is at least {gain:+.1f}")
        best = (gain, templates) if gain > best[0] else best
    return list(best[1])


def write_templates(
    model: str, train: CaptionedPhotos, dev: CaptionedPhotos, *, seed: int, progress: Progress = SILENT
) -> Path:
    """Choose the templates of a model folder, and return the folder.

    Vectors and fingerprint do not change; ``train`` is not used. Raises ``UserError``.
    """
    encoder = Encoder.load(model, verify=True)
    templates = choose(encoder, dev, seed=seed, progress=progress)
    progress.note(f"templates: {', '.join(templates) or 'none, as none gains anything'}")
    write_config(encoder.folder, replace(encoder.config, templates=templates))
    return encoder.folder


if __name__ == "__main__":
    run_on_model("twobranch.train.output.templates", write_templates, CONFIG)

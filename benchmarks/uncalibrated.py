"""Confidence of models that nobody calibrated, measured where the truth is known.

    python -m benchmarks.uncalibrated MODEL… --captions F --images DIR [--captions … --images …]

Every collection of dev photos is a library of a model that has no calibration. First hits are compared for

* raw: the cosine as a probability;
* background: ``retrieval.background``, with a fit on the reference model (``--reference``) and the other
  collections. Of the measured model it sees its vectors of the background texts and of the photos;
* captions: ``train.output.calibrate`` on the measured model and the other collections, the best to be had.

Half of the questions are put to galleries without an answer, as in ``benchmarks.confidence``. With
``--stronger 0.5`` the reference is also measured as a stronger model would be: the vector of each photo leans
by that share to one of its captions, which is not asked.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.confidence import TITLES, Measured, calibration_error, encoded
from twobranch.common.progress import Console
from twobranch.embedding.encoder import Encoder
from twobranch.retrieval.background import KINDS, background_texts
from twobranch.retrieval.confidence import FEATURES, Background, Fit, QueryKind
from twobranch.train.output.background_fits import standard_hits
from twobranch.train.output.calibrate import Drawn, background_of, draw_all, fit
from twobranch.train.output.finished import read_parts
from twobranch.train.output.questions import Embedded, embed

SIZES = (10, 100)  # galleries, in photos; the whole collection comes last
_LARGE = 100
_COLUMNS = ("model", "query", "collection", "right", "said", "ECE raw", "background", "captions")
_COLUMNS += ("likely: hits", "right", "by captions: hits", "right", "right firsts lost", "no answer noticed")


@dataclass(frozen=True)
class Tested:
    """A model's vectors of dev photos, of background texts, and of training photos."""

    name: str
    data: Sequence[Embedded]
    texts: NDArray[np.float32]
    background: Background | None = None  # None: no fit with captions


def table(tested: Sequence[Tested], reference: Tested, seed: int) -> Iterator[str]:
    """Yield the lines of the table."""
    yield "| " + " | ".join(_COLUMNS) + " |"
    yield "|" + "---|" * len(_COLUMNS)
    for kind in KINDS:
        learnt = standard_hits(kind, reference.data, reference.texts, seed, SIZES)
        fits = {one.source: _fit_without(learnt, one.source) for one in reference.data}
        for model in tested:
            yield from _rows(kind, model, fits, seed)


def _fit_without(drawn: Sequence[Drawn], source: str) -> Fit | None:
    others = [one for one in drawn if one.source != source]
    return fit(others, 500 * len({one.source for one in others})) if others else None


def _rows(kind: QueryKind, model: Tested, fits: dict[str, Fit | None], seed: int) -> Iterator[str]:
    standard = standard_hits(kind, model.data, model.texts, seed, SIZES)
    calibrated: list[Drawn] = []
    if model.background is not None and len(model.data) > 1:
        calibrated = draw_all(kind, model.data, model.background, seed, SIZES)
    own = {one.source: _fit_without(calibrated, one.source) for one in model.data}
    raw = {(one.source, one.name): one for one in calibrated}
    for one in standard:
        found = fits.get(one.source)
        if found is None or not len(one.hits.right):
            continue
        cells = [model.name, f"{TITLES[kind]}, {one.name}", one.source]
        by_captions = own[one.source]
        captions = None
        if by_captions is not None:
            captions = Measured.of(raw[one.source, one.name].hits, by_captions)
        yield "| " + " | ".join(cells + _figures(Measured.of(one.hits, found), captions)) + " |"


def _figures(background: Measured, captions: Measured | None) -> list[str]:
    hits = background.hits
    large = hits.size >= min(_LARGE, hits.size.max())
    first = large & (hits.rank == 1)
    likely = large & background.likely
    by_captions = ["", "", ""]
    cosines = ""
    if captions is not None:
        cosine = captions.hits.features[first, FEATURES.index("score")].clip(0, 1)
        cosines = f"{calibration_error(cosine, hits.right[first]):.1f}"
        theirs = large & captions.likely
        error = calibration_error(captions.confidence[first], captions.hits.right[first])
        by_captions = [f"{error:.1f}", f"{np.count_nonzero(theirs):,}", _percent(captions.hits.right[theirs])]
    return [
        _percent(hits.right[first]),
        _percent(background.confidence[first]),
        cosines,
        f"{calibration_error(background.confidence[first], hits.right[first]):.1f}",
        by_captions[0],
        f"{np.count_nonzero(likely):,}",
        _percent(hits.right[likely]),
        *by_captions[1:],
        _percent(~background.possible[first & hits.right]),
        _percent(~background.possible[first & ~hits.answerable]),
    ]


def _percent(values: NDArray[np.generic]) -> str:
    return f"{100 * np.asarray(values, dtype=float).mean():.1f}%" if len(values) else ""


def stronger(model: Tested, share: float, seed: int) -> Tested:
    """Return the model with photos that lean to one of their captions, which is not asked any more."""
    rng = np.random.default_rng(seed)
    data = []
    for one in model.data:
        described = np.unique(one.items)
        taken = np.array([rng.choice(np.flatnonzero(one.items == photo)) for photo in described])
        photos = one.photos.copy()
        photos[one.items[taken]] += share * one.captions[taken]
        photos /= np.linalg.norm(photos, axis=1, keepdims=True)
        asked = np.setdiff1d(np.arange(len(one.captions)), taken)
        data.append(
            replace(
                one,
                photos=photos,
                captions=one.captions[asked],
                items=one.items[asked],
                lengths=one.lengths[asked],
            )
        )
    return Tested(f"{model.name}, stronger", data, model.texts, model.background)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.uncalibrated",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    parser.add_argument("models", nargs="+", help="shipped models or model folders")
    parser.add_argument("--reference", default="default", help="the model that the fit is made on")
    parser.add_argument("--captions", type=Path, required=True, action="append")
    parser.add_argument("--images", type=Path, required=True, action="append")
    parser.add_argument("--stronger", type=float, help="a share, such as 0.5")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cache", type=Path, help="a folder to keep the embeddings in between runs")
    options = parser.parse_args()
    progress = Console()
    train, dev = read_parts(options.captions, options.images, seed=options.seed, progress=progress)

    def tested(name: str) -> Tested:
        encoder = Encoder.load(name)
        data = embed(encoder, encoded(encoder, dev, options.cache, progress), options.seed)
        texts = encoder.encode_texts(background_texts())
        return Tested(Path(name).name, data, texts, background_of(encoder, train, options.seed))

    reference = tested(options.reference)
    models = [reference if name == options.reference else tested(name) for name in options.models]
    if options.stronger:
        models.append(stronger(reference, options.stronger, options.seed))
    for line in table(models, reference, options.seed):
        print(line, flush=True)


if __name__ == "__main__":
    main()

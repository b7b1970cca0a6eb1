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
from dataclasses import dataclass, fields, replace
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
_PHOTOS = 500  # of a collection: the weight of the data against the ridge of a fit


@dataclass(frozen=True)
class Tested:
    """A model's vectors of dev photos, of background texts, and of training photos."""

    name: str
    data: Sequence[Embedded]
    texts: NDArray[np.float32]
    background: Background | None = None  # None: no fit with captions


@dataclass(frozen=True)
class Row:
    """The figures of one sort of question in one collection, in percent and points.

    NaN where there is nothing to measure, as without a fit with captions.
    """

    model: str
    query: str
    collection: str
    right: float  # of first hits
    said: float  # their mean confidence
    raw: float  # calibration errors of first hits
    background: float
    captions: float
    likely: int  # hits, in galleries of 100 photos and more
    likely_right: float
    likely_by_captions: int
    likely_by_captions_right: float
    lost: float  # right first hits that "nothing here matches well" is said of
    noticed: float  # questions without an answer that it is said of


def rows(tested: Sequence[Tested], reference: Tested, seed: int) -> Iterator[Row]:
    """Yield the rows of all models and kinds of query."""
    for kind in KINDS:
        learnt = standard_hits(kind, reference.data, reference.texts, seed, SIZES)
        fits = {one.source: _fit_without(learnt, one.source) for one in reference.data}
        for model in tested:
            yield from _rows_of(kind, model, fits, seed)


def _fit_without(drawn: Sequence[Drawn], source: str) -> Fit | None:
    others = [one for one in drawn if one.source != source and len(one.hits.right)]
    return fit(others, _PHOTOS * len({one.source for one in others})) if others else None


def _rows_of(kind: QueryKind, model: Tested, fits: dict[str, Fit | None], seed: int) -> Iterator[Row]:
    calibrated: list[Drawn] = []
    if model.background is not None and len(model.data) > 1:
        calibrated = draw_all(kind, model.data, model.background, seed, SIZES)
    by_captions = {one.source: _fit_without(calibrated, one.source) for one in model.data}
    plain = {(one.source, one.name): one.hits for one in calibrated}
    for one in standard_hits(kind, model.data, model.texts, seed, SIZES):
        found, theirs = fits.get(one.source), by_captions[one.source]
        if found is None or not len(one.hits.right):
            continue
        captions = None if theirs is None else Measured.of(plain[one.source, one.name], theirs)
        yield _row(
            (model.name, f"{TITLES[kind]}, {one.name}", one.source), Measured.of(one.hits, found), captions
        )


def _row(names: tuple[str, str, str], background: Measured, captions: Measured | None) -> Row:
    hits = background.hits
    large = hits.size >= min(_LARGE, hits.size.max())
    first = large & (hits.rank == 1)
    right, likely = hits.right, large & background.likely
    raw = by_captions = np.nan
    theirs = np.zeros_like(likely)
    if captions is not None:
        cosines = captions.hits.features[first, FEATURES.index("score")].clip(0, 1)
        raw = calibration_error(cosines, right[first])
        by_captions = calibration_error(captions.confidence[first], right[first])
        theirs = large & captions.likely
    return Row(
        *names,
        right=_share(right[first]),
        said=_share(background.confidence[first]),
        raw=raw,
        background=calibration_error(background.confidence[first], right[first]),
        captions=by_captions,
        likely=int(np.count_nonzero(likely)),
        likely_right=_share(right[likely]),
        likely_by_captions=int(np.count_nonzero(theirs)),
        likely_by_captions_right=_share(right[theirs]),
        lost=_share(~background.possible[first & right]),
        noticed=_share(~background.possible[first & ~hits.answerable]),
    )


def _share(values: NDArray[np.generic]) -> float:
    return 100 * float(np.asarray(values, dtype=float).mean()) if len(values) else np.nan


def summary(found: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of a table of means over the rows of each model and kind of query."""
    errors = "ECE raw | background | largest | captions"
    yield f"| model | query | rows | {errors} | likely: right | by captions: right |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for name, kind in dict.fromkeys((row.model, row.query.partition(",")[0]) for row in found):
        some = [row for row in found if row.model == name and row.query.startswith(kind)]
        cells = [name, kind, str(len(some)), *(_mean(some, column) for column in ("raw", "background"))]
        cells += [f"{max(row.background for row in some):.1f}", _mean(some, "captions")]
        cells += [_pooled(some, "likely"), _pooled(some, "likely_by_captions")]
        yield "| " + " | ".join(cells) + " |"


def _mean(some: Sequence[Row], column: str) -> str:
    values = np.array([getattr(row, column) for row in some])
    return "" if np.isnan(values).all() else f"{np.nanmean(values):.1f}"


def _pooled(some: Sequence[Row], column: str) -> str:
    counts = np.array([getattr(row, column) for row in some])
    right = np.nan_to_num([getattr(row, f"{column}_right") for row in some])
    return f"{(counts * right).sum() / counts.sum():.0f}% of {counts.sum():,}" if counts.sum() else ""


def table(found: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of the table of all rows."""
    names = [field.name for field in fields(Row)]
    yield "| " + " | ".join(name.replace("_", " ") for name in names) + " |"
    yield "|" + "---|" * len(names)
    for row in found:
        cells = (_cell(getattr(row, name)) for name in names)
        yield "| " + " | ".join(cells) + " |"


def _cell(value: str | float) -> str:
    if isinstance(value, str):
        return value
    return "" if np.isnan(value) else f"{value:,}" if isinstance(value, int) else f"{value:.1f}"


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
    found = list(rows(models, reference, options.seed))
    print("\n".join([*summary(found), "", *table(found)]))


if __name__ == "__main__":
    main()

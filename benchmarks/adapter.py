"""Branches over a finished model, trained on small corpora and measured on photos they never saw, as a table.

    python -m benchmarks.adapter MODEL --captions dataset.json --images images --source ade --photos 300

Of N photos of the train split a tenth is held out to choose epoch and weight, as `train` does for a corpus
without splits. The dev split of the file is the unseen test, as one gallery.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from time import process_time

import numpy as np

from twobranch.common.progress import SILENT, Console
from twobranch.embedding.model_folder import resolve_model
from twobranch.indexer.captionfiles.corpus import read_corpus
from twobranch.train.blend import blended, choose_weight, rsum_of
from twobranch.train.checkpoint import TrainingContext
from twobranch.train.data import CaptionedPhotos, training_and_dev
from twobranch.train.features import default_cache
from twobranch.train.knowledge import Knowledge
from twobranch.train.loop import FeatureSplit, fit, new_network
from twobranch.train.presets import PRESETS, Preset, over_model
from twobranch.train.sides.model import BaseModel, ModelPhotos
from twobranch.train.truth import Truth


def main() -> None:
    """Train on each number of photos with each seed, and print the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("--captions", type=Path, required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--train-list", type=Path, help="as for `train`")
    parser.add_argument("--dev-list", type=Path, help="as for `train`")
    parser.add_argument("--source", action="append", help="only photos of this source; may be repeated")
    parser.add_argument("--photos", type=int, action="append", required=True)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--cache", type=Path, default=default_cache())
    options = parser.parse_args()
    base = BaseModel.load(resolve_model(options.model), options.cache, Console())
    lists = {"train": options.train_list, "dev": options.dev_list}
    corpus = read_corpus(options.captions, {name: file for name, file in lists.items() if file} or None)
    parts = training_and_dev(corpus, options.images, seed=1, progress=Console())
    train, test = (_of_sources(part, options.source) for part in parts)
    preset = over_model(PRESETS["adapter"], base.encoder.dim)
    unseen = _features(base, test)
    print(
        "| photos | seed | held-out rsum before, after | weight | unseen rsum before, after | CPU seconds |"
    )
    print("|---|---|---|---|---|---|", flush=True)
    for n in options.photos:
        for seed in range(1, options.seeds + 1):
            drawn = np.random.default_rng(seed).permutation(len(train.photos))[:n].tolist()
            parts = (train.only(drawn[n // 10 :]), train.only(drawn[: n // 10]))
            print(f"| {n:,} | {seed} | {_row(base, parts, unseen, preset, seed)} |", flush=True)


def _row(
    base: BaseModel,
    parts: tuple[CaptionedPhotos, CaptionedPhotos],
    unseen: FeatureSplit,
    preset: Preset,
    seed: int,
) -> str:
    """Train on the first of the parts, choose on the second, and return the measured cells."""
    train, dev = (_features(base, part) for part in parts)
    started = process_time()
    with tempfile.TemporaryDirectory() as folder:
        context = TrainingContext(seed, Path(folder, "checkpoint"), {}, False, SILENT)
        state = fit(train, dev, preset, Knowledge(Truth.of(parts[0])), context)
    network = new_network(train, preset)
    network.load_state_dict(state.best)
    gain = choose_weight(network, dev)
    seconds = process_time() - started
    before, after = (rsum_of(blended(network, weight), unseen) for weight in (0, gain.weight or 0))
    held_out = f"{gain.rsum_before:.1f}, {gain.rsum:.1f}"
    return f"{held_out} | {gain.weight:g} | {before:.1f}, {after:.1f} | {seconds:.0f}"


def _of_sources(part: CaptionedPhotos, sources: list[str] | None) -> CaptionedPhotos:
    """Return the photos of these sources as one gallery."""
    if sources:
        part = part.only([item for item, source in enumerate(part.sources) if source in sources])
    return replace(part, sources=())


def _features(base: BaseModel, part: CaptionedPhotos) -> FeatureSplit:
    photos = ModelPhotos.read(part.photos, [], base)
    return FeatureSplit(photos.train(part.photos), base.text_features(part.texts), part.items)


if __name__ == "__main__":
    main()

"""``train`` from end to end: captions and photos in, a model folder out."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedding.backbones import Backbone, load_backbone
from embedding.errors import UserError
from embedding.modelfolder import CONFIG, sha256_file
from embedding.preprocess import PREPROCESSING
from embedding.progress import Progress
from indexer.corpus import CaptionCorpus, read_corpus
from train.checkpoint import Checkpoint, load_checkpoint
from train.classnames import class_pairs
from train.data import CaptionedPhotos, check_enough, data_fingerprint, training_and_dev
from train.features import image_features
from train.loop import FeatureSplit, fit, new_network
from train.presets import Preset
from train.save import backbone_extractor, save_model
from train.textside import TextSide, WordPieceSide, WordsSide

UNFINISHED = ".training"  # folder inside --out, until the run is finished
CHECKPOINT = "checkpoint.safetensors"


@dataclass(frozen=True)
class TrainOptions:
    """What a person chose on the command line."""

    captions: Path
    images: Path
    out: Path
    preset: Preset
    backbone: str
    weights: Path | None  # of the backbone, instead of its package's
    word_vectors: Path | None
    split_lists: Mapping[str, Path] | None
    seed: int
    resume: bool
    cache: Path
    command: str  # to be recorded


@dataclass(frozen=True)
class TrainReport:
    """What came of it."""

    out: Path
    epochs: int  # trained, of `planned`
    planned: int
    best_epoch: int
    dev: dict[str, Any]  # metrics of the exported model, as in config.json
    seconds: float


def train(options: TrainOptions, progress: Progress) -> TrainReport:
    """Train a model folder. Raises ``UserError`` for captions, photos or an --out it cannot use.

    On Ctrl-C the best network so far becomes a complete model folder, and ``KeyboardInterrupt`` goes
    on to the caller; the checkpoint stays for ``resume``.
    """
    started = time.perf_counter()
    checkpoint = options.out / UNFINISHED / CHECKPOINT
    _check_out(options, checkpoint)
    corpus = read_corpus(options.captions, options.split_lists)
    train_part, dev_part = training_and_dev(corpus, options.images, seed=options.seed, progress=progress)
    settings = _settings(options, train_part, dev_part)
    if options.resume:
        _check_settings(load_checkpoint(checkpoint).settings, settings, checkpoint)

    backbone = load_backbone(options.backbone, options.weights)
    found = image_features(
        [*train_part.photos, *dev_part.photos],
        lambda: backbone_extractor(backbone),
        size=backbone.size,
        extractor=_extractor_name(backbone, options.weights),
        cache=options.cache,
        progress=progress,
    )
    for failure in found.failed:
        progress.warn(f"left out: {failure}")
    train_part, dev_part = train_part.restrict(found.rows), dev_part.restrict(found.rows)
    check_enough(train_part, dev_part, corpus)
    text = _text_side(options, train_part, progress)
    train_split = _features(train_part, found.rows, found.features, text)
    dev_split = _features(dev_part, found.rows, found.features, text)
    classes = None
    if options.preset.class_share:
        classes = class_pairs(backbone.classifier.numpy(), train_split.images, text.features)
    progress.note(
        f"{options.preset.name}: {len(train_part.photos):,} photos with {len(train_part.texts):,} captions; "
        f"dev {len(dev_part.photos):,} with {len(dev_part.texts):,}"
    )

    def finish(state: Checkpoint) -> dict[str, Any]:
        progress.note(f"writing {options.out}")
        network = new_network(train_split, options.preset).eval()
        network.load_state_dict(state.best)
        return save_model(
            options.out,
            network,
            backbone,
            text,
            preset=options.preset,
            history=state.history,
            train=train_part,
            dev=dev_part,
            training={
                **_data_facts(corpus, train_part, dev_part),
                "command": options.command,
                "settings": settings,
            },
            seed=options.seed,
            progress=progress,
        )

    try:
        state = fit(
            train_split,
            dev_split,
            options.preset,
            classes=classes,
            seed=options.seed,
            checkpoint=checkpoint,
            settings=settings,
            resume=options.resume,
            progress=progress,
        )
    except KeyboardInterrupt:
        progress.finish()
        if checkpoint.is_file():
            finish(load_checkpoint(checkpoint))
            progress.warn(f"stopped; {options.out} holds the best model so far; --resume goes on")
        raise
    dev = finish(state)
    shutil.rmtree(options.out / UNFINISHED)
    best = max(state.history, key=lambda epoch: epoch.rsum)
    return TrainReport(
        options.out,
        len(state.history),
        options.preset.epochs,
        best.number,
        dev,
        time.perf_counter() - started,
    )


def _check_out(options: TrainOptions, checkpoint: Path) -> None:
    """Refuse to write over what is there, and to resume what is not."""
    out = options.out
    if options.resume:
        if not checkpoint.is_file():
            fact = "its training is finished" if (out / CONFIG).is_file() else "no epoch was finished in it"
            raise UserError(f"{out}: nothing to resume, {fact}; train without --resume")
        return
    if checkpoint.is_file():
        raise UserError(f"{out}: holds an unfinished training; add --resume, or choose another --out")
    if out.exists() and (not out.is_dir() or any(path.name != UNFINISHED for path in out.iterdir())):
        raise UserError(f"{out}: is not an empty folder; choose another --out")


def _settings(
    options: TrainOptions, train_part: CaptionedPhotos, dev_part: CaptionedPhotos
) -> dict[str, Any]:
    """What a resumed run must share with its beginning."""
    return {
        "data": data_fingerprint(train_part, dev_part, options.images),
        "backbone": options.backbone,
        "weights": None if options.weights is None else sha256_file(options.weights),
        "word_vectors": None if options.word_vectors is None else sha256_file(options.word_vectors),
        "seed": options.seed,
        "preset": asdict(options.preset),
    }


def _check_settings(before: dict[str, Any], now: dict[str, Any], checkpoint: Path) -> None:
    differing = [name for name in now if before.get(name) != now[name]]
    if differing:
        raise UserError(
            f"{checkpoint.parent.parent}: was started with other settings ({', '.join(differing)}); "
            "resume with the same command, or choose another --out"
        )


def _extractor_name(backbone: Backbone, weights: Path | None) -> str:
    """The name of a feature cache: changes whenever the features would."""
    origin = "imagenet" if weights is None else sha256_file(weights)[:12]
    return f"{backbone.name}-{origin}-{backbone.size}-v{PREPROCESSING}"


def _text_side(options: TrainOptions, train_part: CaptionedPhotos, progress: Progress) -> TextSide:
    if options.preset.text == "words":
        return WordsSide(train_part.texts, options.word_vectors)
    return WordPieceSide(options.cache, progress)


def _features(
    part: CaptionedPhotos, rows: Mapping[Path, int], features: NDArray[np.float32], text: TextSide
) -> FeatureSplit:
    return FeatureSplit(
        features[[rows[photo] for photo in part.photos]], text.features(part.texts), part.items
    )


def _data_facts(
    corpus: CaptionCorpus, train_part: CaptionedPhotos, dev_part: CaptionedPhotos
) -> dict[str, Any]:
    return {
        "corpus": corpus.path.name,
        "corpus_format": corpus.format,
        "train_images": len(train_part.photos),
        "train_captions": len(train_part.texts),
        "dev_images": len(dev_part.photos),
        "dev_captions": len(dev_part.texts),
    }

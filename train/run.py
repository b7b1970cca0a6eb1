"""``train`` from end to end: captions and photos in, a model folder out."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import nn

from embedding.backbones import Backbone, load_backbone
from embedding.errors import UserError
from embedding.modelfolder import CONFIG, sha256_file
from embedding.progress import Progress
from indexer.corpus import CaptionCorpus, read_corpus
from train.checkpoint import Checkpoint, Epoch, best_epoch, load_checkpoint
from train.classnames import class_pairs
from train.data import CaptionedPhotos, check_enough, data_fingerprint, training_and_dev
from train.imageside import FrozenPhotos, TunedPhotos
from train.joint import JointNetwork
from train.loop import FeatureSplit, fit, new_network
from train.presets import Preset
from train.save import save_model
from train.sentences import tokenize
from train.textside import EncoderTower, TextSide, WordPieceSide, WordsSide
from train.tune import tune

UNFINISHED = ".training"  # folder inside --out, until the run is finished
CHECKPOINT = "checkpoint.safetensors"
TUNING_CHECKPOINT = "tuning.safetensors"


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
    epochs: int  # trained
    best_epoch: int
    history: tuple[Epoch, ...]
    dev: dict[str, Any]  # metrics of the exported model, as in config.json
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """The shape of ``train --json``."""
        history = [vars(epoch) for epoch in self.history]
        return {**vars(self), "out": str(self.out), "history": history, "seconds": round(self.seconds, 1)}


def train(options: TrainOptions, progress: Progress) -> TrainReport:
    """Train a model folder. Raises ``UserError`` for captions, photos or an --out it cannot use.

    On Ctrl-C the best network so far becomes a complete model folder, and ``KeyboardInterrupt`` goes
    on to the caller; the checkpoint stays for ``resume``.
    """
    started = time.perf_counter()
    preset = options.preset
    checkpoint = options.out / UNFINISHED / CHECKPOINT
    tuning_checkpoint = options.out / UNFINISHED / TUNING_CHECKPOINT
    _check_out(options, checkpoint)
    corpus = read_corpus(options.captions, options.split_lists)
    train_part, dev_part = training_and_dev(corpus, options.images, seed=options.seed, progress=progress)
    settings = _settings(options, train_part, dev_part)
    if options.resume:
        _check_settings(load_checkpoint(checkpoint).settings, settings, checkpoint)

    backbone = load_backbone(options.backbone, options.weights, size=preset.image_size)
    photos = _read_photos(options, backbone, train_part, dev_part, progress)
    for failure in photos.failed:
        progress.warn(f"left out: {failure}")
    train_part, dev_part = train_part.restrict(photos.readable), dev_part.restrict(photos.readable)
    check_enough(train_part, dev_part, corpus)
    text = _text_side(options, train_part, progress)
    train_split = FeatureSplit(
        photos.train(train_part.photos), text.features(train_part.texts), train_part.items
    )
    dev_split = FeatureSplit(photos.dev(dev_part.photos), text.features(dev_part.texts), dev_part.items)
    classes = None
    if preset.class_share:
        classes = class_pairs(backbone.classifier.numpy(), train_split.images[:, 0], text.features)
    progress.note(
        f"{preset.name}: {len(train_part.photos):,} photos with {len(train_part.texts):,} captions; "
        f"dev {len(dev_part.photos):,} with {len(dev_part.texts):,}"
    )

    def finish(state: Checkpoint, *, tuned: bool) -> dict[str, Any]:
        progress.note(f"writing {options.out}")
        branches = new_network(train_split, preset)
        network: nn.Module = branches
        if tuned and isinstance(photos, TunedPhotos):
            network = photos.joint(branches)
        network.load_state_dict(state.best)
        network.eval()
        return save_model(
            options.out,
            network,
            photos.tower(network),
            EncoderTower(network.sentences) if isinstance(network, JointNetwork) else text,
            branches=branches,
            backbone=backbone,
            preset=preset,
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
            preset,
            classes=classes,
            seed=options.seed,
            checkpoint=checkpoint,
            settings=settings,
            resume=options.resume and checkpoint.is_file(),
            progress=progress,
        )
        if preset.tuning is not None and isinstance(photos, TunedPhotos):
            branches = new_network(train_split, preset)
            branches.load_state_dict(state.best)
            state = tune(
                photos.joint(branches),
                photos.tuning_split(train_part, train=True),
                photos.tuning_split(dev_part, train=False),
                preset,
                preset.tuning,
                classes=classes,
                class_sentences=tokenize(classes.sentences) if classes is not None else [],
                earlier=state.history,
                seed=options.seed,
                checkpoint=tuning_checkpoint,
                settings=settings,
                resume=tuning_checkpoint.is_file(),
                progress=progress,
            )
    except KeyboardInterrupt:
        progress.finish()
        if tuning_checkpoint.is_file():
            finish(load_checkpoint(tuning_checkpoint), tuned=True)
        elif checkpoint.is_file():
            finish(load_checkpoint(checkpoint), tuned=False)
        if checkpoint.is_file():
            progress.warn(f"stopped; {options.out} holds the best model so far; --resume goes on")
        raise
    dev = finish(state, tuned=preset.tuning is not None)
    shutil.rmtree(options.out / UNFINISHED)
    return TrainReport(
        options.out,
        len(state.history),
        best_epoch(state.history).number,
        state.history,
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


def _read_photos(
    options: TrainOptions,
    backbone: Backbone,
    train_part: CaptionedPhotos,
    dev_part: CaptionedPhotos,
    progress: Progress,
) -> FrozenPhotos | TunedPhotos:
    origin = "imagenet" if options.weights is None else sha256_file(options.weights)[:12]
    kind = TunedPhotos if options.preset.tuning is not None else FrozenPhotos
    return kind.read(
        train_part.photos,
        dev_part.photos,
        backbone,
        origin=origin,
        n_views=options.preset.views,
        cache=options.cache,
        progress=progress,
    )


def _text_side(options: TrainOptions, train_part: CaptionedPhotos, progress: Progress) -> TextSide:
    if options.preset.text == "words":
        return WordsSide(train_part.texts, options.word_vectors)
    return WordPieceSide(options.cache, progress)


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

"""``train`` from end to end: captions and photos in, a model folder out."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import nn

from twobranch.common.errors import UserError
from twobranch.common.progress import Progress
from twobranch.embedding.backbones import Backbone, load_backbone
from twobranch.embedding.branches import TwoBranchNetwork
from twobranch.embedding.model_folder import CONFIG, sha256_file
from twobranch.indexer.captionfiles.corpus import CaptionCorpus, read_corpus
from twobranch.train.checkpoint import Checkpoint, Epoch, best_epoch, load_checkpoint
from twobranch.train.data import CaptionedPhotos, check_enough, data_fingerprint, joined, training_and_dev
from twobranch.train.knowledge import Classifier, Knowledge
from twobranch.train.loop import FeatureSplit, fit, new_network
from twobranch.train.output.save import save_model
from twobranch.train.presets import EvidencePreset, Preset
from twobranch.train.sides.class_names import class_pairs
from twobranch.train.sides.evidence import evidence
from twobranch.train.sides.image import FrozenPhotos, TunedPhotos
from twobranch.train.sides.late_stages import split_backbone
from twobranch.train.sides.sentences import tokenize
from twobranch.train.sides.start import StartWeights, mixed, read_start
from twobranch.train.sides.text import EncoderTower, TextSide, TextTower, WordPieceSide, WordsSide
from twobranch.train.truth import Truth, with_object_texts
from twobranch.train.tune import tune

UNFINISHED = ".training"  # folder inside --out, until the run is finished
CHECKPOINT = "checkpoint.safetensors"
TUNING_CHECKPOINT = "tuning.safetensors"


@dataclass(frozen=True)
class CorpusPlace:
    """A caption file and the folder that its photos are in."""

    captions: Path
    images: Path


@dataclass(frozen=True)
class TrainOptions:
    """What a person chose on the command line."""

    corpora: tuple[CorpusPlace, ...]
    out: Path
    preset: Preset
    backbone: str
    weights: Path | None  # of the backbone, instead of its package's
    word_vectors: Path | None
    split_lists: Mapping[str, Path] | None  # of the first corpus
    start: Path | None  # a model folder to go on from, instead of pretrained weights
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
    if options.start is not None and preset.tuning is None:
        raise UserError(
            f"the preset {preset.name} trains branches alone; only one that tunes can --start from a model"
        )
    corpora = read_corpora(options.corpora, options.split_lists)
    train_part, dev_part = _training_and_dev(corpora, options, progress)
    settings = _settings(options, train_part, dev_part)
    if options.resume:
        _check_settings(load_checkpoint(checkpoint).settings, settings, checkpoint)

    backbone = load_backbone(options.backbone, options.weights, size=preset.image_size)
    start = None if options.start is None else read_start(options.start, backbone)
    photos = _read_photos(options, backbone, start, train_part, dev_part, progress)
    for failure in photos.failed:
        progress.warn(f"left out: {failure}")
    train_part, dev_part = train_part.restrict(photos.readable), dev_part.restrict(photos.readable)
    check_enough(train_part, dev_part, corpora[0].path)
    text = _text_side(options, start, train_part, progress)
    train_split = FeatureSplit(
        photos.train(train_part.photos), text.features(train_part.texts), train_part.items
    )
    dev_split = FeatureSplit(
        photos.dev(dev_part.photos), text.features(dev_part.texts), dev_part.items, dev_part.sources
    )
    knowledge = _knowledge(preset, backbone, train_part, train_split, text)
    progress.note(
        f"{preset.name}: {len(train_part.photos):,} photos with {len(train_part.texts):,} captions; "
        f"dev {len(dev_part.photos):,} with {len(dev_part.texts):,}"
    )

    def finish(state: Checkpoint, *, tuned: bool) -> dict[str, Any]:
        progress.note(f"writing {options.out}")
        branches = new_network(train_split, preset)
        trained = _trained(state, branches, photos, text, preset.evidence, tuned=tuned)
        return save_model(
            options.out,
            trained.network,
            trained.image_tower,
            trained.text_tower,
            branches=branches,
            backbone=backbone,
            preset=preset,
            history=state.history,
            train=train_part,
            dev=dev_part,
            training={
                **_data_facts(corpora, train_part, dev_part),
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
            knowledge=knowledge,
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
                photos.joint(branches, text.encoder()),
                photos.tuning_split(train_part, train=True),
                photos.tuning_split(dev_part, train=False),
                preset,
                preset.tuning,
                knowledge=knowledge,
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
        "data": data_fingerprint(train_part, dev_part),
        "backbone": options.backbone,
        "weights": None if options.weights is None else sha256_file(options.weights),
        "word_vectors": None if options.word_vectors is None else sha256_file(options.word_vectors),
        "start": None if options.start is None else _model_digest(options.start),
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


@dataclass(frozen=True)
class _Trained:
    """A network with its best weights, and the two towers over it."""

    network: nn.Module
    image_tower: nn.Module
    text_tower: TextTower


def _trained(
    state: Checkpoint,
    branches: TwoBranchNetwork,
    photos: FrozenPhotos | TunedPhotos,
    text: TextSide,
    preset: EvidencePreset | None,
    *,
    tuned: bool,
) -> _Trained:
    """The network of a checkpoint, of the branches alone or of all that is ``tuned``."""
    if isinstance(photos, FrozenPhotos):
        branches.load_state_dict(state.best)
        return _Trained(branches.eval(), photos.tower(branches), text)
    joint = photos.joint(branches, text.encoder())
    (joint if tuned else branches).load_state_dict(state.best)
    joint.eval()
    seen, asked = (None, None) if preset is None else evidence(photos.backbone, joint.sentences, preset)
    return _Trained(joint, photos.tower(joint, seen), EncoderTower(joint.sentences, asked))


def _model_digest(folder: Path) -> str:
    """What identifies a model folder: the checksum of the checksums in its configuration."""
    return sha256_file(folder / CONFIG)


def read_corpora(
    places: Sequence[CorpusPlace], split_lists: Mapping[str, Path] | None = None
) -> tuple[CaptionCorpus, ...]:
    """The corpora at ``places``; ``split_lists`` belong to the first. Raises ``CaptionFileError``."""
    return tuple(
        read_corpus(place.captions, split_lists if number == 0 else None)
        for number, place in enumerate(places)
    )


def _training_and_dev(
    corpora: Sequence[CaptionCorpus], options: TrainOptions, progress: Progress
) -> tuple[CaptionedPhotos, CaptionedPhotos]:
    """All corpora as one, and the texts made of the names of objects."""
    parts = [
        training_and_dev(corpus, place.images, seed=options.seed, progress=progress)
        for corpus, place in zip(corpora, options.corpora, strict=True)
    ]
    train_part = joined([train for train, _ in parts])
    if options.preset.object_texts:
        train_part = with_object_texts(train_part, options.seed)
    return train_part, joined([dev for _, dev in parts])


def _read_photos(
    options: TrainOptions,
    backbone: Backbone,
    start: StartWeights | None,
    train_part: CaptionedPhotos,
    dev_part: CaptionedPhotos,
    progress: Progress,
) -> FrozenPhotos | TunedPhotos:
    preset = options.preset
    origin = "imagenet" if options.weights is None else sha256_file(options.weights)[:12]
    if preset.tuning is None:
        return FrozenPhotos.read(
            train_part.photos,
            dev_part.photos,
            backbone,
            origin=origin,
            n_views=preset.views,
            cache=options.cache,
            progress=progress,
        )
    tuned = None
    if start is not None and options.start is not None:
        own = split_backbone(backbone)[1].state_dict()
        tuned = mixed(own, start.late, preset.start_share)
        origin += f"-{_model_digest(options.start)[:12]}-{preset.start_share:g}"
    return TunedPhotos.read(
        train_part.photos,
        dev_part.photos,
        backbone,
        split_backbone(backbone, preset.tuning.cut, tuned),
        origin=origin,
        n_views=preset.views,
        cache=options.cache,
        progress=progress,
    )


def _text_side(
    options: TrainOptions, start: StartWeights | None, train_part: CaptionedPhotos, progress: Progress
) -> TextSide:
    if options.preset.text == "words":
        return WordsSide(train_part.texts, options.word_vectors)
    if start is None or options.start is None:
        return WordPieceSide(options.cache, progress)
    share = options.preset.start_share
    origin = f"{_model_digest(options.start)[:12]}-{share:g}"
    return WordPieceSide(options.cache, progress, start.sentences, share=share, origin=origin)


def _knowledge(
    preset: Preset, backbone: Backbone, part: CaptionedPhotos, split: FeatureSplit, text: TextSide
) -> Knowledge:
    """What this preset takes from beside the captions."""
    classes = None
    if preset.class_share:
        classes = class_pairs(backbone.classifier.numpy(), split.images[:, 0], text.features)
    return Knowledge(
        Truth.of(part) if preset.known_truth else None,
        classes,
        tokenize(classes.sentences) if classes is not None else [],
        Classifier.of(backbone) if preset.known_truth else None,
    )


def _data_facts(
    corpora: Sequence[CaptionCorpus], train_part: CaptionedPhotos, dev_part: CaptionedPhotos
) -> dict[str, Any]:
    names = sorted(set(train_part.sources))
    counts = {name: sum(source == name for source in train_part.sources) for name in names}
    return {
        "corpus": ", ".join(corpus.path.name for corpus in corpora),
        "corpus_format": ", ".join(corpus.format for corpus in corpora),
        "train_images": len(train_part.photos),
        "train_captions": len(train_part.texts),
        **({"train_images_by_source": counts} if len(names) > 1 else {}),
        "dev_images": len(dev_part.photos),
        "dev_captions": len(dev_part.texts),
    }

"""A whole training run: from captions and photos to a model folder."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from twobranch.common.errors import UserError
from twobranch.common.progress import Progress
from twobranch.embedding.backbones import Backbone, load_backbone
from twobranch.embedding.model_folder import CONFIG, fingerprint, sha256_file
from twobranch.indexer.captionfiles.corpus import CaptionCorpus, read_corpus
from twobranch.train.blend import Gain, blended, choose_weight, measure_gain
from twobranch.train.checkpoint import Checkpoint, Epoch, TrainingContext, best_epoch, load_checkpoint
from twobranch.train.data import CaptionedPhotos, check_enough, data_fingerprint, joined, training_and_dev
from twobranch.train.knowledge import Classifier, Knowledge
from twobranch.train.loop import FeatureSplit, fit, new_network
from twobranch.train.output.adapted import AdaptedModel, save_adapted
from twobranch.train.output.save import TrainedModel, save_model
from twobranch.train.presets import Preset
from twobranch.train.sides.class_names import class_pairs
from twobranch.train.sides.evidence import evidence
from twobranch.train.sides.image import FrozenPhotos, PhotoReading, TunedPhotos
from twobranch.train.sides.late_stages import split_backbone
from twobranch.train.sides.model import BaseModel, ModelPhotos, ModelTexts
from twobranch.train.sides.sentences import tokenize
from twobranch.train.sides.start import StartWeights, mixed, read_start
from twobranch.train.sides.text import EncoderTower, TextSide, TextTower, WordPieceSide, WordsSide
from twobranch.train.truth import Truth, with_object_texts
from twobranch.train.tune import tune

UNFINISHED = ".training"  # folder inside --out, until the run is finished
CHECKPOINT = "checkpoint.safetensors"
TUNING_CHECKPOINT = "tuning.safetensors"


Photos = FrozenPhotos | TunedPhotos | ModelPhotos


@dataclass(frozen=True)
class CorpusPlace:
    """A caption file and the folder that its photos are in."""

    captions: Path
    images: Path


@dataclass(frozen=True)
class TrainOptions:
    """The options of the command ``train``."""

    corpora: tuple[CorpusPlace, ...]
    out: Path
    preset: Preset
    backbone: str | Path  # a name, or the folder of a finished model to train branches over
    weights: Path | None  # of the backbone, instead of its package's
    word_vectors: Path | None
    split_lists: Mapping[str, Path] | None  # of the first corpus
    start: Path | None  # a model folder to start from, instead of pretrained weights
    seed: int
    resume: bool
    cache: Path
    command: str  # to be recorded

    @property
    def checkpoint(self) -> Path:
        """The checkpoint file of the branches."""
        return self.out / UNFINISHED / CHECKPOINT

    @property
    def tuning_checkpoint(self) -> Path:
        """The checkpoint file of tuning."""
        return self.out / UNFINISHED / TUNING_CHECKPOINT


@dataclass(frozen=True)
class TrainReport:
    """The outcome of a training run."""

    out: Path
    epochs: int  # trained
    best_epoch: int
    history: tuple[Epoch, ...]
    dev: dict[str, Any]  # metrics of the exported model, as in config.json
    seconds: float
    gain: Gain | None = None  # over the model that the branches were trained on; None for a backbone

    def as_json(self) -> dict[str, Any]:
        """Return the report in the format of ``train --json``."""
        return {
            **vars(self),
            "out": str(self.out),
            "history": [vars(epoch) for epoch in self.history],
            "seconds": round(self.seconds, 1),
            "gain": None if self.gain is None else self.gain.as_json(),
        }


def train(options: TrainOptions, progress: Progress) -> TrainReport:
    """Train a model folder.

    On Ctrl-C the best network so far becomes a complete model folder, and the checkpoint stays for
    ``resume``; then ``KeyboardInterrupt`` is raised. Raises ``UserError`` for captions, photos or an --out it
    cannot use.
    """
    started = time.perf_counter()
    inputs = _read_inputs(options, progress)
    try:
        state = _train_network(inputs, progress)
    except KeyboardInterrupt:
        progress.finish()
        _save_stopped(inputs, progress)
        raise
    saved = _save(inputs, state, progress, tuned=options.preset.tuning is not None)
    shutil.rmtree(options.out / UNFINISHED)
    return TrainReport(
        options.out,
        len(state.history),
        best_epoch(state.history).number,
        state.history,
        saved.dev,
        time.perf_counter() - started,
        saved.gain,
    )


@dataclass(frozen=True)
class _Inputs:
    """Everything that a run reads before its first epoch."""

    options: TrainOptions
    corpora: tuple[CaptionCorpus, ...]
    settings: dict[str, Any]
    train: CaptionedPhotos  # readable photos only, as in ``dev``
    dev: CaptionedPhotos
    photos: Photos
    text: TextSide | ModelTexts
    train_features: FeatureSplit
    dev_features: FeatureSplit
    knowledge: Knowledge


def _read_inputs(options: TrainOptions, progress: Progress) -> _Inputs:
    """Check the options, and read corpora, photos and features. Raises ``UserError``."""
    preset = options.preset
    _check_out(options)
    _check_model_options(options)
    if options.start is not None and preset.tuning is None:
        raise UserError(
            f"the preset {preset.name} trains branches alone; only one that tunes can --start from a model"
        )
    corpora = read_corpora(options.corpora, options.split_lists)
    train_part, dev_part = _training_and_dev(corpora, options, progress)
    settings = _settings(options, train_part, dev_part)
    if options.resume:
        _check_settings(load_checkpoint(options.checkpoint).settings, settings, options.out)

    photos, start = _read_photos(options, train_part, dev_part, progress)
    for failure in photos.failed:
        progress.warn(f"left out: {failure}")
    train_part, dev_part = train_part.restrict(photos.readable), dev_part.restrict(photos.readable)
    check_enough(train_part, dev_part, corpora[0].path)
    text = (
        ModelTexts(photos.base)
        if isinstance(photos, ModelPhotos)
        else _text_side(options, start, train_part, progress)
    )
    train_features = FeatureSplit(
        photos.train(train_part.photos), text.features(train_part.texts), train_part.items
    )
    dev_features = FeatureSplit(
        photos.dev(dev_part.photos), text.features(dev_part.texts), dev_part.items, dev_part.sources
    )
    knowledge = _knowledge(preset, photos, train_part, train_features, text)
    progress.note(
        f"{preset.name}: {len(train_part.photos):,} photos with {len(train_part.texts):,} captions; "
        f"dev {len(dev_part.photos):,} with {len(dev_part.texts):,}"
    )
    return _Inputs(
        options=options,
        corpora=corpora,
        settings=settings,
        train=train_part,
        dev=dev_part,
        photos=photos,
        text=text,
        train_features=train_features,
        dev_features=dev_features,
        knowledge=knowledge,
    )


def _train_network(inputs: _Inputs, progress: Progress) -> Checkpoint:
    """Train the branches, then tune all parts if the preset says so."""
    options, preset, photos = inputs.options, inputs.options.preset, inputs.photos
    context = TrainingContext(
        seed=options.seed,
        checkpoint=options.checkpoint,
        settings=inputs.settings,
        resume=options.resume and options.checkpoint.is_file(),
        progress=progress,
    )
    state = fit(inputs.train_features, inputs.dev_features, preset, inputs.knowledge, context)
    if preset.tuning is None or not isinstance(photos, TunedPhotos):
        return state
    branches = new_network(inputs.train_features, preset)
    branches.load_state_dict(state.best)
    tuning_file = options.tuning_checkpoint
    return tune(
        photos.joint(branches, inputs.text.encoder()),
        photos.tuning_split(inputs.train, train=True),
        photos.tuning_split(inputs.dev, train=False),
        preset,
        inputs.knowledge,
        replace(context, checkpoint=tuning_file, resume=tuning_file.is_file()),
        earlier=state.history,
    )


@dataclass(frozen=True)
class _Saved:
    """The measured quality of a written model."""

    dev: dict[str, Any]
    gain: Gain | None


def _save(inputs: _Inputs, state: Checkpoint, progress: Progress, *, tuned: bool) -> _Saved:
    """Write the model folder of a checkpoint, and measure it."""
    options = inputs.options
    progress.note(f"writing {options.out}")
    training = {
        **_data_facts(inputs.corpora, inputs.train, inputs.dev),
        "command": options.command,
        "settings": inputs.settings,
    }
    photos, text = inputs.photos, inputs.text
    if isinstance(photos, ModelPhotos):
        adapted = _adapted_model(inputs, photos, state)
        dev = save_adapted(
            options.out,
            adapted,
            inputs.train,
            inputs.dev,
            training=training,
            seed=options.seed,
            progress=progress,
        )
        return _Saved(dev, adapted.gain)
    assert not isinstance(text, ModelTexts)  # both sides are of one model
    dev = save_model(
        options.out,
        _trained_model(inputs, photos, text, state, tuned=tuned),
        inputs.train,
        inputs.dev,
        training=training,
        seed=options.seed,
        progress=progress,
    )
    return _Saved(dev, None)


def _save_stopped(inputs: _Inputs, progress: Progress) -> None:
    """Write the best network so far of a run that was stopped.

    Without a finished epoch nothing is written.
    """
    options = inputs.options
    if options.tuning_checkpoint.is_file():
        _save(inputs, load_checkpoint(options.tuning_checkpoint), progress, tuned=True)
    elif options.checkpoint.is_file():
        _save(inputs, load_checkpoint(options.checkpoint), progress, tuned=False)
    if options.checkpoint.is_file():
        progress.warn(f"stopped; {options.out} holds the best model so far; --resume continues")


def _adapted_model(inputs: _Inputs, photos: ModelPhotos, state: Checkpoint) -> AdaptedModel:
    """Build the branches of a checkpoint, with the best weight on dev."""
    preset, dev = inputs.options.preset, inputs.dev_features
    network = new_network(inputs.train_features, preset)
    network.load_state_dict(state.best)
    network.eval()
    if preset.order != "residual":
        return AdaptedModel(photos, network, preset, state.history, measure_gain(network, dev))
    gain = choose_weight(network, dev)
    kept = blended(network, gain.weight) if gain.weight else None
    return AdaptedModel(photos, kept, preset, state.history, gain)


def _trained_model(
    inputs: _Inputs, photos: FrozenPhotos | TunedPhotos, text: TextSide, state: Checkpoint, *, tuned: bool
) -> TrainedModel:
    """Build the network of a checkpoint and its towers.

    The checkpoint holds the branches alone, or all parts if ``tuned``.
    """
    preset = inputs.options.preset
    branches = new_network(inputs.train_features, preset)
    network: nn.Module
    tower: TextTower
    if isinstance(photos, FrozenPhotos):
        branches.load_state_dict(state.best)
        network, image_tower, tower = branches.eval(), photos.tower(branches), text
    else:
        network = joint = photos.joint(branches, text.encoder())
        (joint if tuned else branches).load_state_dict(state.best)
        joint.eval()
        chosen = preset.evidence
        for_photos, for_queries = (
            (None, None) if chosen is None else evidence(photos.backbone, joint.sentences, chosen)
        )
        image_tower, tower = photos.tower(joint, for_photos), EncoderTower(joint.sentences, for_queries)
    return TrainedModel(
        network=network,
        branches=branches,
        image_tower=image_tower,
        text_tower=tower,
        backbone=photos.backbone,
        preset=preset,
        history=state.history,
    )


def _check_out(options: TrainOptions) -> None:
    """Check that the output folder can be used.

    It must be new or empty, or hold a run with a finished epoch if this one resumes. Raises ``UserError``
    otherwise, so that no file is overwritten.
    """
    out, checkpoint = options.out, options.checkpoint
    if options.resume:
        if not checkpoint.is_file():
            fact = "its training is finished" if (out / CONFIG).is_file() else "no epoch was finished in it"
            raise UserError(f"{out}: nothing to resume, {fact}; train without --resume")
        return
    if checkpoint.is_file():
        raise UserError(f"{out}: holds an unfinished training; add --resume, or choose another --out")
    if out.exists() and (not out.is_dir() or any(path.name != UNFINISHED for path in out.iterdir())):
        raise UserError(f"{out}: is not an empty folder; choose another --out")


def _check_model_options(options: TrainOptions) -> None:
    """Raise ``UserError`` for options that do not fit the backbone."""
    over_a_model = isinstance(options.backbone, Path)
    if over_a_model != (options.preset.text == "model"):
        raise UserError(
            f"the preset {options.preset.name} trains branches over a finished model; "
            "add --backbone MODEL, a name that `models` lists or a model folder"
        )
    for name, value in {"weights": options.weights, "word-vectors": options.word_vectors}.items():
        if over_a_model and value is not None:
            raise UserError(
                f"--{name} {value}: {options.backbone} is a finished model with weights of its own; "
                f"leave --{name} out, or name a backbone such as efficientnet-lite2"
            )


def _settings(
    options: TrainOptions, train_part: CaptionedPhotos, dev_part: CaptionedPhotos
) -> dict[str, Any]:
    """Return the settings that a resumed run must have in common."""
    return {
        "data": data_fingerprint(train_part, dev_part),
        "backbone": _backbone_digest(options.backbone),
        "weights": None if options.weights is None else sha256_file(options.weights),
        "word_vectors": None if options.word_vectors is None else sha256_file(options.word_vectors),
        "start": None if options.start is None else _model_digest(options.start),
        "seed": options.seed,
        "preset": asdict(options.preset),
    }


def _backbone_digest(backbone: str | Path) -> str:
    """Return a backbone's name, or the fingerprint of a finished model."""
    return backbone if isinstance(backbone, str) else f"model {fingerprint(backbone)}"


def _check_settings(before: dict[str, Any], now: dict[str, Any], out: Path) -> None:
    differing = [name for name in now if before.get(name) != now[name]]
    if differing:
        raise UserError(
            f"{out}: was started with other settings ({', '.join(differing)}); "
            "resume with the same command, or choose another --out"
        )


def _model_digest(folder: Path) -> str:
    """Return a checksum that identifies a model folder.

    It is that of the configuration, which holds the checksums of the files.
    """
    return sha256_file(folder / CONFIG)


def read_corpora(
    places: Sequence[CorpusPlace], split_lists: Mapping[str, Path] | None = None
) -> tuple[CaptionCorpus, ...]:
    """Read the corpora at ``places``; ``split_lists`` belong to the first. Raises ``CaptionFileError``."""
    return tuple(
        read_corpus(place.captions, split_lists if number == 0 else None)
        for number, place in enumerate(places)
    )


def _training_and_dev(
    corpora: Sequence[CaptionCorpus], options: TrainOptions, progress: Progress
) -> tuple[CaptionedPhotos, CaptionedPhotos]:
    """Join the corpora, and add texts made of object names.

    These texts are added to the training part only, if the preset asks for them.
    """
    parts = [
        training_and_dev(corpus, place.images, seed=options.seed, progress=progress)
        for corpus, place in zip(corpora, options.corpora, strict=True)
    ]
    train_part = joined([train for train, _ in parts])
    if options.preset.object_texts:
        train_part = with_object_texts(train_part, options.seed)
    return train_part, joined([dev for _, dev in parts])


def _read_photos(
    options: TrainOptions, train_part: CaptionedPhotos, dev_part: CaptionedPhotos, progress: Progress
) -> tuple[Photos, StartWeights | None]:
    """Load the backbone or model, and read the features of all photos."""
    if isinstance(options.backbone, Path):
        base = BaseModel.load(options.backbone, options.cache, progress)
        return ModelPhotos.read(train_part.photos, dev_part.photos, base), None
    backbone = load_backbone(options.backbone, options.weights, size=options.preset.image_size)
    start = None if options.start is None else read_start(options.start, backbone)
    return _backbone_photos(options, backbone, start, train_part, dev_part, progress), start


def _backbone_photos(
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
        reading = PhotoReading(origin, preset.views, options.cache, progress)
        return FrozenPhotos.read(train_part.photos, dev_part.photos, backbone, reading)
    tuned = None
    if start is not None and options.start is not None:
        own = split_backbone(backbone)[1].state_dict()
        tuned = mixed(own, start.late, preset.start_share)
        origin += f"-{_model_digest(options.start)[:12]}-{preset.start_share:g}"
    halves = split_backbone(backbone, preset.tuning.cut, tuned)
    reading = PhotoReading(origin, preset.views, options.cache, progress)
    return TunedPhotos.read(train_part.photos, dev_part.photos, backbone, halves, reading)


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
    preset: Preset, photos: Photos, part: CaptionedPhotos, split: FeatureSplit, text: TextSide | ModelTexts
) -> Knowledge:
    """Collect the training inputs beside the captions for a preset."""
    truth = Truth.of(part) if preset.known_truth else None
    if isinstance(photos, ModelPhotos):
        return Knowledge(truth)
    backbone, classes = photos.backbone, None
    if preset.class_share:
        classes = class_pairs(backbone.classifier.numpy(), split.images[:, 0], text.features)
    return Knowledge(
        truth,
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

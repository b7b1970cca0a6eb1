"""Adding a second text tower to a finished model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twobranch.common.errors import UserError
from twobranch.common.progress import Progress
from twobranch.embedding.encoder import Encoder
from twobranch.embedding.model_folder import sha256_file, write_config
from twobranch.train.checkpoint import TrainingContext
from twobranch.train.data import CaptionedPhotos, joined, training_and_dev
from twobranch.train.features import image_features, text_features
from twobranch.train.languages.data import (
    ENGLISH,
    DevTexts,
    Sentence,
    TrainingTexts,
    caption_sentences,
    dev_texts,
    english_sentences,
    parallel_sentences,
    query_sentences,
    read_parallel,
)
from twobranch.train.languages.e5weights import read_weights, tokenizer, weights_file
from twobranch.train.languages.loop import LanguagePreset, StudentDev, StudentSplit, train_student, typed
from twobranch.train.languages.student import Student, chosen_pieces, token_ids, write_student
from twobranch.train.metrics import text_to_image
from twobranch.train.output.card import write_card
from twobranch.train.run import CorpusPlace, read_corpora
from twobranch.train.sides.class_names import imagenet_class_names


@dataclass(frozen=True)
class LanguageOptions:
    """The options of the command line."""

    model: str
    corpora: tuple[CorpusPlace, ...]  # that the model was trained on
    captions: Mapping[Path, str]  # caption files about the same photos, and the language of each
    parallel: Path | None  # a table of translations
    preset: LanguagePreset
    seed: int
    cache: Path
    command: str  # to be recorded


@dataclass(frozen=True)
class LanguageCorpus:
    """The photos of all corpora, and the texts in all languages."""

    train: CaptionedPhotos
    dev: CaptionedPhotos
    texts: TrainingTexts
    dev_texts: tuple[DevTexts, ...]
    languages: tuple[str, ...]


def add_languages(options: LanguageOptions, progress: Progress) -> Path:
    """Train the tower and write it into the model folder. Raises ``UserError``.

    Returns the folder.

    The checkpoint lies in the cache; a run that was stopped goes on when it is started again.
    """
    encoder = Encoder.load(options.model, verify=True)
    corpus = read_texts(options, progress)
    photos, english = _targets(encoder, corpus, options.cache, progress)
    weights = read_weights(weights_file())
    weights = weights.keep(chosen_pieces(weights, corpus.texts.texts))
    words = tokenizer(weights, prefix="")
    progress.note(
        f"{len(corpus.texts.texts):,} texts in {', '.join(corpus.languages)}; "
        f"{len(corpus.texts.english):,} English vectors, {len(weights.pieces):,} word pieces"
    )
    rng = np.random.default_rng(options.seed)
    split = StudentSplit(
        token_ids(words, corpus.texts.texts),
        token_ids(words, [typed(text, rng) for text in corpus.texts.texts]),
        corpus.texts.english_rows,
        corpus.texts.photo_rows,
        english,
        photos.train,
    )
    dev = [StudentDev(one, token_ids(words, one.texts), photos.dev[one.photos]) for one in corpus.dev_texts]
    settings = {
        "texts": hashlib.sha256("\n".join(corpus.texts.texts).encode()).hexdigest(),
        "model": encoder.fingerprint,
        "seed": options.seed,
        "preset": asdict(options.preset),
    }
    key = hashlib.sha256(repr(settings).encode()).hexdigest()[:12]
    checkpoint = options.cache / f"languages-{key}.safetensors"
    student = Student(weights, encoder.dim)
    state = train_student(
        student,
        split,
        dev,
        options.preset,
        TrainingContext(options.seed, checkpoint, settings, checkpoint.is_file(), progress),
    )
    student.load_state_dict(state.best)
    names = write_student(student.eval(), words, encoder.folder)
    _write_config(encoder, corpus, photos.dev, names, {**settings, "command": options.command})
    return encoder.folder


def read_texts(options: LanguageOptions, progress: Progress) -> LanguageCorpus:
    """Read all corpora, and the texts in other languages about their photos. Raises ``UserError``."""
    parts = [
        training_and_dev(corpus, place.images, seed=options.seed, progress=progress)
        for corpus, place in zip(read_corpora(options.corpora), options.corpora, strict=True)
    ]
    train, dev = joined([part for part, _ in parts]), joined([part for _, part in parts])
    sentences = english_sentences(train) if train.kinds else []
    sentences += [Sentence(name, ENGLISH, name) for name in imagenet_class_names()]
    if options.parallel is not None:
        sentences += parallel_sentences(read_parallel(options.parallel), train, dev)
    translated = {sentence.text for sentence in sentences}
    held_out: list[Sentence] = []
    for path, language in options.captions.items():
        about_train = caption_sentences(path, language, train)
        sentences += [one for one in about_train if one.text not in translated]
        held_out += caption_sentences(path, language, dev)
    for place in options.corpora:
        if place.captions.suffix == ".json":
            sentences += query_sentences(place.captions, train)
            held_out += query_sentences(place.captions, dev)
    languages = sorted({sentence.language for sentence in sentences} - {ENGLISH})
    if not languages or not held_out:
        raise UserError("no text in another language, or none about a dev photo; give --texts or --parallel")
    groups = tuple(dev_texts(held_out, dev))
    return LanguageCorpus(train, dev, TrainingTexts.of(sentences), groups, tuple(languages))


@dataclass(frozen=True)
class _Photos:
    """(N, D) unit rows of the training and of the dev photos."""

    train: NDArray[np.float32]
    dev: NDArray[np.float32]


def _targets(
    encoder: Encoder, corpus: LanguageCorpus, cache: Path, progress: Progress
) -> tuple[_Photos, NDArray[np.float32]]:
    """The model's own vectors: of all photos, and of the English texts."""
    extractor = f"tower-{encoder.fingerprint[:12]}"
    rows = []
    for part in (corpus.train, corpus.dev):
        found = image_features(
            part.photos,
            lambda: encoder.encode_pixels,
            size=encoder.image_size,
            extractor=extractor,
            cache=cache,
            progress=progress,
        )
        if found.failed:
            raise UserError(f"{found.failed[0]}; take its captions out of the corpus")
        rows.append(found.features)
    english = text_features(
        corpus.texts.english,
        lambda: encoder.encode_texts,
        extractor=extractor,
        cache=cache,
        progress=progress,
    )
    return _Photos(*rows), english


def _write_config(
    encoder: Encoder,
    corpus: LanguageCorpus,
    photos: NDArray[np.float32],
    names: Sequence[str],
    settings: Mapping[str, Any],
) -> None:
    """Enter the tower and its dev figures into the configuration.

    They are measured with the files in the folder.
    """
    files = {name: sha256_file(encoder.folder / name) for name in names}
    config = replace(
        encoder.config,
        languages=list(corpus.languages),
        files=dict(sorted({**encoder.config.files, **files}.items())),
        training={**encoder.config.training, "languages": dict(settings)},
    )
    tower = Encoder(encoder.folder, config)
    figures: dict[str, dict[str, Any]] = {}
    for one in corpus.dev_texts:
        rows = tower.encode_texts(one.texts, language=one.language)
        figures.setdefault(one.language, {})[one.source] = text_to_image(photos[one.photos], rows, one.items)
    config = replace(config, dev={**config.dev, "languages": figures})
    write_card(encoder.folder, config)
    write_config(encoder.folder, config)

"""Training and dev texts in other languages."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twobranch.common.errors import CaptionFileError
from twobranch.indexer.captionfiles.corpus import read_corpus
from twobranch.train.data import CaptionedPhotos

NONE = -1  # in place of a row number
_SHORT_KINDS = ("query", "word")
ENGLISH = "en"


@dataclass(frozen=True)
class Sentence:
    """A text in any language, with its targets.

    They are an English text of the same meaning and the photo it describes, where there are any.
    """

    text: str
    language: str
    english: str | None = None
    photo: int = NONE  # row among the photos


@dataclass(frozen=True)
class TrainingTexts:
    """Texts with their targets.

    These are rows among ``english`` and among the photos, ``NONE`` without one.
    """

    texts: tuple[str, ...]
    english: tuple[str, ...]  # each once
    english_rows: NDArray[np.int64]  # (M,)
    photo_rows: NDArray[np.int64]  # (M,)

    @classmethod
    def of(cls, sentences: Sequence[Sentence]) -> TrainingTexts:
        """Number the English texts of these sentences."""
        rows: dict[str, int] = {}
        for sentence in sentences:
            if sentence.english is not None:
                rows.setdefault(sentence.english, len(rows))
        english = [NONE if one.english is None else rows[one.english] for one in sentences]
        return cls(
            tuple(sentence.text for sentence in sentences),
            tuple(rows),
            np.array(english, dtype=np.int64),
            np.array([sentence.photo for sentence in sentences], dtype=np.int64),
        )


@dataclass(frozen=True)
class DevTexts:
    """Dev texts of one language about photos of one source.

    ``texts[j]`` describes ``items[j]``.
    """

    language: str
    source: str
    photos: NDArray[np.int64]  # rows of the source's dev photos
    texts: tuple[str, ...]
    items: NDArray[np.int64]  # (M,) into ``photos``


def read_parallel(path: Path) -> list[Mapping[str, str]]:
    """Read a table of translations.

    Its columns are ``flickr_id``, ``en`` and one for each other language. Raises ``CaptionFileError``.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    except (OSError, UnicodeDecodeError) as error:
        raise CaptionFileError(f"{path}: cannot be read ({error})") from None
    if not lines or not {"flickr_id", ENGLISH} <= lines[0].keys():
        raise CaptionFileError(f"{path}: needs the columns flickr_id and {ENGLISH}")
    return [line for line in lines if None not in line]  # a tab within a text shifts those after it


def parallel_sentences(
    lines: Sequence[Mapping[str, str]], train: CaptionedPhotos, dev: CaptionedPhotos
) -> list[Sentence]:
    """Return every translation, with its English text as the target.

    Lines about dev photos are left out.
    A photo's Flickr number is the first part of its file name.
    """
    rows = {_flickr_id(photo): row for row, photo in enumerate(train.photos)}
    held_out = {_flickr_id(photo) for photo in dev.photos}
    return [
        Sentence(text, language, line[ENGLISH], rows.get(line["flickr_id"], NONE))
        for line in lines
        if line["flickr_id"] not in held_out
        for language, text in line.items()
        if language not in ("flickr_id", ENGLISH) and text
    ]


def english_sentences(train: CaptionedPhotos) -> list[Sentence]:
    """The typed queries and names of photos: words that no translation has."""
    return [
        Sentence(text, ENGLISH, text, int(item))
        for text, item, kind in zip(train.texts, train.items, train.kinds, strict=True)
        if kind in _SHORT_KINDS
    ]


def query_sentences(
    path: Path, part: CaptionedPhotos, languages: Sequence[str] | None = None
) -> list[Sentence]:
    """Read the ``other_languages`` of photos in a Karpathy JSON file.

    The target of each is an English query about the same photo.
    """
    photos = {photo.name: row for row, photo in enumerate(part.photos)}
    english: dict[int, str] = {}
    for text, item, kind in zip(part.texts, part.items.tolist(), part.kinds, strict=True):
        if kind == "query":
            english.setdefault(item, text)
    return [
        Sentence(text, language, english.get(row), row)
        for image in json.loads(path.read_text(encoding="utf-8"))["images"]
        if (row := photos.get(image["filename"])) is not None
        for language, texts in image.get("other_languages", {}).items()
        if languages is None or language in languages
        for text in texts
    ]


def caption_sentences(path: Path, language: str, part: CaptionedPhotos) -> list[Sentence]:
    """The captions of ``part``'s photos in a file of another language. Raises ``CaptionFileError``."""
    photos = {photo.name: row for row, photo in enumerate(part.photos)}
    return [
        Sentence(caption.text, language, None, photos[caption.image])
        for caption in read_corpus(path).captions
        if caption.image in photos
    ]


def dev_texts(sentences: Sequence[Sentence], dev: CaptionedPhotos) -> Iterator[DevTexts]:
    """These sentences about dev photos, by source and language."""
    sources = np.array(dev.sources)
    groups = sorted({(str(sources[one.photo]), one.language) for one in sentences})
    for source, language in groups:
        photos = np.flatnonzero(sources == source)
        chosen = [one for one in sentences if one.language == language and sources[one.photo] == source]
        items = np.searchsorted(photos, [one.photo for one in chosen])
        yield DevTexts(language, source, photos, tuple(one.text for one in chosen), items)


def _flickr_id(photo: Path) -> str:
    return photo.name.partition("_")[0]

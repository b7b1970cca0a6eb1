"""The captions and images of a caption file of any format.

Training and indexing share the result, a ``CaptionCorpus``.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from twobranch.common.errors import CaptionFileError
from twobranch.embedding.formats import IMAGE_SUFFIXES
from twobranch.indexer.captionfiles.formats import read_caption_file
from twobranch.indexer.captionfiles.text_file import Record, read_lines

_DEV_NAMES = frozenset({"val", "valid", "validation", "dev"})
# Karpathy's "restval" is the part of COCO's val2014 that every paper adds to the training images.
_TRAIN_NAMES = frozenset({"train", "restval"})

_LISTS_NEARBY = {
    "train": ("*trainImages.txt", "train.txt"),
    "dev": ("*devImages.txt", "*valImages.txt", "dev.txt", "val.txt"),
    "test": ("*testImages.txt", "test.txt"),
}


@dataclass(frozen=True)
class Caption:
    """A sentence and the image it describes.

    The sentence is one line and never empty; ``image`` is None for a caption without an image.
    """

    image: str | None
    text: str
    split: str | None
    kind: str | None = None  # caption, query, word …, if the file states it


@dataclass(frozen=True)
class CorpusImage:
    """An image named by a caption file or split list. It may have no captions."""

    name: str
    split: str | None
    source: str | None = None  # the collection it is from, if the file names one
    objects: tuple[str, ...] | None = None  # all objects in the image, if the file lists them


@dataclass(frozen=True)
class CaptionCorpus:
    """The captions and images of one caption file, in file order.

    Splits are "train", "dev" and "test" (val, valid and validation become "dev"), any other name as the file
    writes it, or None.
    """

    path: Path
    format: str
    captions: tuple[Caption, ...]
    images: tuple[CorpusImage, ...]
    note: str | None = None  # which column was taken for the caption, where that was not plain

    @property
    def has_splits(self) -> bool:
        """True if any caption or image belongs to a split."""
        return bool(self.splits)

    @property
    def splits(self) -> dict[str, int]:
        """The number of images in each split. It is 0 for a split whose captions have no image."""
        counts = Counter(image.split for image in self.images)
        names = dict.fromkeys([*counts, *(caption.split for caption in self.captions)])
        return {name: counts[name] for name in names if name is not None}

    @property
    def images_without_captions(self) -> tuple[str, ...]:
        """Names of the images that no caption describes."""
        described = {caption.image for caption in self.captions}
        return tuple(image.name for image in self.images if image.name not in described)

    def in_split(self, name: str) -> CaptionCorpus:
        """Return the part in one split. Raises ``CaptionFileError`` when the split has no captions.

        "val", "valid", "validation" and "dev" are one split; "train" takes in Karpathy's "restval".
        """
        wanted = split_members(name)
        captions = tuple(caption for caption in self.captions if caption.split in wanted)
        if not captions:
            raise CaptionFileError(f"{self.path} has no captions in split {name!r}: {self._split_advice()}")
        return replace(
            self, captions=captions, images=tuple(image for image in self.images if image.split in wanted)
        )

    def _split_advice(self) -> str:
        if not self.has_splits:
            return "it has no splits; put split lists next to it, or use the whole file"
        return f"choose one of {', '.join(f'{name} ({n} images)' for name, n in self.splits.items())}"


def read_corpus(path: Path, split_lists: Mapping[str, Path] | None = None) -> CaptionCorpus:
    """Read a caption file or a folder of sidecars.

    ``split_lists`` (split name to list file) replaces the splits of the file. Without it, a file that has no
    splits takes those of the official split lists beside it. Raises ``CaptionFileError``.
    """
    file = read_caption_file(path)
    corpus = replace(_corpus(path, file.format, file.records), note=file.note)
    if not corpus.captions:
        raise CaptionFileError(f"{path} ({file.format}) holds no captions: write some, or name another file")
    if split_lists is not None:
        return _with_splits(corpus, _given_lists(corpus, split_lists))
    if not corpus.has_splits:
        return _with_splits(corpus, _lists_nearby(corpus))
    return corpus


def _corpus(path: Path, format_name: str, records: Iterable[Record]) -> CaptionCorpus:
    splits: dict[str, str | None] = {}
    about: dict[str, Record] = {}
    captions: list[Caption] = []
    for record in records:
        split = canonical_split(record.split)
        name = record.image if record.on_disk else _image_name(path, record.where, record.image)
        if name is not None:
            _assign(splits, name, split, f"{path}, {record.where}")
            about.setdefault(name, record)
        kinds = record.kinds or (None,) * len(record.texts)
        texts = ((_one_line(text), kind) for text, kind in zip(record.texts, kinds, strict=True))
        captions += (Caption(name, text, split, kind) for text, kind in texts if text)
    placed, images = _placed(captions, splits)
    images = tuple(
        replace(image, source=about[image.name].source, objects=about[image.name].objects) for image in images
    )
    return CaptionCorpus(path, format_name, placed, images)


def _placed(
    captions: Iterable[Caption], splits: Mapping[str, str | None]
) -> tuple[tuple[Caption, ...], tuple[CorpusImage, ...]]:
    """Return captions and images with the split of each image.

    Captions without an image keep their own split.
    """
    return (
        tuple(
            caption if caption.image is None else replace(caption, split=splits[caption.image])
            for caption in captions
        ),
        tuple(CorpusImage(name, split) for name, split in splits.items()),
    )


def _assign(splits: dict[str, str | None], name: str, split: str | None, where: str) -> None:
    """Record the split of an image.

    Raises ``CaptionFileError`` for an image in two splits: the model would be tested on training data.
    """
    known = splits.get(name)
    if known is not None and split is not None and known != split:
        raise CaptionFileError(
            f"{where}: {name[:80]} is in split {known[:80]} and in {split[:80]}: keep it in one of them"
        )
    splits[name] = known or split


def canonical_split(name: str | None) -> str | None:
    written = _one_line(name or "")
    lower = written.lower()
    if lower in _DEV_NAMES:
        return "dev"
    return lower if lower in _TRAIN_NAMES | {"test"} else written or None


def split_members(name: str) -> frozenset[str]:
    """Return the corpus's names for a split: "train" includes "restval"."""
    split = canonical_split(name) or name
    return _TRAIN_NAMES if split == "train" else frozenset({split})


def _one_line(text: str) -> str:
    """Return the text on one line and encodable.

    Whitespace and NUL become spaces, and lone surrogates a question mark (JSON can hold both).
    """
    return " ".join(text.replace("\0", " ").split()).encode("utf-8", "replace").decode("utf-8")


def composed_name(name: str) -> str:
    """Return a photo's name in composed Unicode, for comparing names.

    Caption files and lists use composed letters where macOS uses decomposed ones.
    """
    return unicodedata.normalize("NFC", name.removeprefix("./"))


def _image_name(path: Path, where: str, written: str | None) -> str | None:
    """Return the name with '/' between folders, None when blank.

    Raises ``CaptionFileError`` for a path that leads out of the image folder.
    """
    name = (written or "").strip().replace("\\", "/").encode("utf-8", "replace").decode("utf-8")
    if name.startswith("/") or re.match(r"[A-Za-z]:/", name) or ".." in name.split("/") or "\0" in name:
        raise CaptionFileError(
            f"{path}, {where}: image name {name[:80]!r} leads out of the image folder: "
            "write it relative to that folder"
        )
    return name or None


# --- split lists ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _SplitList:
    """The names in one list file. ``found`` maps each name to the corpus images it stands for."""

    split: str
    path: Path
    found: dict[str, list[str]]

    @property
    def matches(self) -> bool:
        return any(self.found.values())


def _given_lists(corpus: CaptionCorpus, paths: Mapping[str, Path]) -> list[_SplitList]:
    images = _images_by_stem(corpus)
    lists = [_read_list(split, path, images) for split, path in paths.items()]
    for one in lists:
        if not one.matches:
            raise CaptionFileError(
                f"{one.path} names no image of {corpus.path}: give the split list that belongs to it"
            )
    return lists


def _lists_nearby(corpus: CaptionCorpus) -> list[_SplitList]:
    """Find the official split lists beside the caption file.

    A file that names none of its images is ignored.
    """
    folder = corpus.path if corpus.path.is_dir() else corpus.path.parent
    images = _images_by_stem(corpus)
    lists: list[_SplitList] = []
    for split, patterns in _LISTS_NEARBY.items():
        for path in sorted({path for pattern in patterns for path in folder.glob(pattern)}):
            try:
                lists.append(_read_list(split, path, images))
            except CaptionFileError:  # not a text file, so not a split list
                continue
    return [one for one in lists if one.matches]


def _read_list(split: str, path: Path, images: Mapping[str, list[str]]) -> _SplitList:
    names = (line.strip().replace("\\", "/") for line in read_lines(path))
    found = {name: _matching(name, images) for name in names if name}
    return _SplitList(canonical_split(split) or split, path, found)


def _matching(name: str, images: Mapping[str, list[str]]) -> list[str]:
    same_stem = images.get(_stem(composed_name(name)), [])
    return [image for image in same_stem if composed_name(image) == composed_name(name)] or same_stem


def _images_by_stem(corpus: CaptionCorpus) -> dict[str, list[str]]:
    by_stem: dict[str, list[str]] = {}
    for image in corpus.images:
        by_stem.setdefault(_stem(composed_name(image.name)), []).append(image.name)
    return by_stem


def _stem(name: str) -> str:
    """Return the name without its image suffix. Flickr30k's lists leave it out, and ids may contain dots."""
    suffix = PurePosixPath(name).suffix
    return name.removesuffix(suffix) if suffix.lower() in IMAGE_SUFFIXES else name


def _with_splits(corpus: CaptionCorpus, lists: Iterable[_SplitList]) -> CaptionCorpus:
    """Return the corpus with the splits of the lists only. Images that only a list names are added."""
    splits: dict[str, str | None] = {image.name: None for image in corpus.images}
    known = {image.name: image for image in corpus.images}
    for one in lists:
        for name, images in one.found.items():
            for image in images or [_image_name(one.path, "split list", name) or name]:
                _assign(splits, image, one.split, str(one.path))
    captions, images_now = _placed(corpus.captions, splits)
    images_now = tuple(replace(known.get(image.name, image), split=image.split) for image in images_now)
    return replace(corpus, captions=captions, images=images_now)

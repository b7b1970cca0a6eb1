"""What was typed to what is meant: a sentence, or a photo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from embedding.errors import UserError
from embedding.preprocess import IMAGE_SUFFIXES


@dataclass(frozen=True)
class TextQuery:
    """A sentence."""

    text: str


@dataclass(frozen=True)
class ImageQuery:
    """A photo on disk, in the library or not."""

    path: Path


Query = TextQuery | ImageQuery


def parse_query(words: Sequence[str]) -> Query:
    """The query in the words of a command line: the words of one sentence, or one path to a photo.

    A path begins with ``./``, ``../``, ``/`` or ``~``, or names an existing image file. Raises
    ``UserError`` for an empty query, a photo that is not there, and a photo mixed with other words.
    """
    paths = [word for word in words if is_photo_path(word)]
    if paths and len(words) > 1:
        raise UserError(f"{paths[0]}: search with one photo or with one sentence, not both")
    if paths:
        path = Path(paths[0]).expanduser()
        if path.is_dir():
            raise UserError(f"{path}: is a folder; `similarity` compares folders, `search` takes one photo")
        if not path.is_file():
            raise UserError(f"{path}: no such photo")
        return ImageQuery(path)
    text = " ".join(" ".join(words).split())
    if not text:
        raise UserError('empty query; describe a photo, as in: search "red car on a street"')
    return TextQuery(text)


def is_photo_path(word: str) -> bool:
    """Whether a word means a file: it looks like a path, or is the name of an image."""
    if word.startswith(("./", "../", "/", "~/", ".\\", "..\\")):
        return True
    return (" " not in word.strip() and Path(word).suffix.lower() in IMAGE_SUFFIXES) or _is_image_file(word)


def _is_image_file(word: str) -> bool:
    path = Path(word)
    try:
        return path.suffix.lower() in IMAGE_SUFFIXES and path.is_file()
    except OSError:  # a sentence can be too long for a file name
        return False

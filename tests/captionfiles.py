"""Caption files for tests, and what is read from them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from twobranch.common.errors import CaptionFileError
from twobranch.indexer.captionfiles.corpus import read_corpus

TOKEN = "a.jpg#0\tA dog .\na.jpg#1\tA brown dog .\nb.jpg#0\tTwo cats .\n"


def write(folder: Path, name: str, content: str | bytes | list | dict) -> Path:
    """A file with this text, these bytes or this JSON."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, list | dict):
        content = json.dumps(content)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def pairs(path: Path) -> list[tuple[str | None, str]]:
    return [(caption.image, caption.text) for caption in read_corpus(path).captions]


def failure(path: Path, **options) -> str:
    """The one line that the user reads; it always names the file."""
    with pytest.raises(CaptionFileError) as error:
        read_corpus(path, **options)
    message = str(error.value)
    assert "\n" not in message
    assert str(path.name) in message
    return message

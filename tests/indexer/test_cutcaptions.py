"""A caption file whose copy broke off in the middle of a letter."""

from __future__ import annotations

from pathlib import Path

import pytest

from twobranch.common.errors import CaptionFileError
from twobranch.indexer.captionfiles.corpus import read_corpus

TEXT = "image\tcaption\na.jpg\tun café\nb.jpg\tl'été".encode()


def captions(path: Path, data: bytes) -> list[str]:
    path.write_bytes(data)
    return [caption.text for caption in read_corpus(path).captions]


def test_it_is_refused_rather_than_read_as_another_encoding(tmp_path: Path) -> None:
    assert captions(tmp_path / "c.tsv", TEXT) == ["un café", "l'été"]
    with pytest.raises(CaptionFileError, match="ends in the middle of a letter"):
        captions(tmp_path / "c.tsv", TEXT[:-1])


def test_another_encoding_may_end_with_a_letter_beyond_ascii(tmp_path: Path) -> None:
    assert captions(tmp_path / "c.tsv", TEXT.decode().encode("cp1252")) == ["un café", "l'été"]
    assert captions(tmp_path / "c.tsv", "image\tcaption\na.jpg\tun café".encode("cp1252")) == ["un café"]

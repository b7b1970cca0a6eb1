"""Photos for training are found by the names in captions, whatever Unicode form either has."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes import write_photo
from tests.indexing import write_captions
from twobranch.indexer.captionfiles.corpus import read_corpus
from twobranch.train.data import captioned_photos

COMPOSED, DECOMPOSED = "\u00e9t\u00e9", "e\u0301te\u0301"


@pytest.mark.parametrize(("on_disk", "in_file"), [(DECOMPOSED, COMPOSED), (COMPOSED, DECOMPOSED)])
def test_a_photo_whose_name_has_the_other_form_is_found(tmp_path: Path, on_disk: str, in_file: str) -> None:
    photo = write_photo(tmp_path / f"p/{on_disk}.png", "red")
    corpus = read_corpus(write_captions(tmp_path / "c.csv", {f"{in_file}.png": "red"}))
    assert captioned_photos(corpus, tmp_path / "p").photos == (photo,)

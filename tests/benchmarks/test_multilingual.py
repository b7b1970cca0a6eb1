from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.multilingual import TRANSLATED, first_captions, read_translations
from train.data import CaptionedPhotos

DEV = CaptionedPhotos(
    (Path("x/a.jpg"), Path("x/b.jpg")), ("a dog", "a cat", "two dogs"), np.array([0, 1, 0], dtype=np.int64)
)


def test_translations_stand_beside_their_originals(tmp_path: Path) -> None:
    file = tmp_path / "t.tsv"
    file.write_text(
        'image\tcaption\tlanguage\ttext\nb.jpg\t0\tde\tEine "Katze"\na.jpg\t1\tde\tZwei Hunde\n'
        "a.jpg\t1\tfr\tDeux chiens\nb.jpg\t0\tfr\tUn chat\n"
    )
    found = read_translations(DEV, file)
    assert found.items.tolist() == [1, 0]
    assert found.texts == {
        "en": ["a cat", "two dogs"],
        "de": ['Eine "Katze"', "Zwei Hunde"],
        "fr": ["Un chat", "Deux chiens"],
    }


def test_a_translation_of_another_photo_is_an_error() -> None:
    with pytest.raises(ValueError, match="100 images are not in the dev split"):
        read_translations(DEV, TRANSLATED)


def test_the_first_captions_of_every_photo() -> None:
    found = first_captions(DEV, 1)
    assert found.texts == ("a dog", "a cat")
    assert found.items.tolist() == [0, 1]
    assert found.photos == DEV.photos

"""The list of everyday words, from captions by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from twobranch.embedding.everyday import keys
from twobranch.train.output.everyday_words import write_everyday_words


def test_words_of_three_captions_that_are_no_names(tmp_path: Path) -> None:
    english = ["A dog in Paris", "The dog of Paris", "One dog", "Dog and Paris", "A cat", "One cat"]
    german = ["Ein Hund in Paris", "Der Hund vor Paris", "Hund Hund Paris", "Eine Katze"]
    # English: dog three times without the one that begins a caption; the cat twice; Paris is a name.
    # German: Hund three times, as nouns are written with a capital letter; Paris is a name by the English.
    n = write_everyday_words({"en": english, "de": german}, tmp_path / "words.npy")
    table = np.load(tmp_path / "words.npy")
    assert n == len(table) == 2
    assert set(table) == {*keys(["dog"], "en"), *keys(["hund"], "de")}
    assert table.dtype == np.uint32
    assert (np.diff(table.astype(np.int64)) > 0).all()

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.vocabulary import Query, first_right, rank_summary, unjudged
from twobranch.train.data import CaptionedPhotos


def test_the_rank_is_that_of_the_first_right_photo() -> None:
    scores = np.array([[0.9, 0.5, 0.7], [0.1, 0.2, 0.3]], dtype=np.float32)
    right = np.array([[False, True, True], [True, False, False]])
    assert first_right(scores, right).tolist() == [2, 3]


def test_dev_photos_whose_captions_use_the_words_are_unjudged() -> None:
    dev = CaptionedPhotos(
        (Path("a.jpg"), Path("b.jpg")),
        ("a dog", "two Coins on a table", "coinage"),
        np.array([0, 1, 0]),
    )
    queries = [Query("money", "coin|bank note", (), ""), Query("tower", "eiffel", (), "")]
    assert unjudged(queries, dev).tolist() == [[False, True], [False, False]]


def test_summary_in_percent() -> None:
    at_1, at_5, reciprocal = rank_summary(np.array([1, 2, 10, 1]))
    assert (at_1, at_5) == ("50", "75")
    assert reciprocal.startswith("65.0 (")  # (1 + 1/2 + 1/10 + 1) / 4

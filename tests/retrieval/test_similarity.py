from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.fakes import FakeEncoder, RecordedProgress
from twobranch.common.errors import UserError
from twobranch.retrieval.similarity import similarity, sort_arguments


def test_arguments_in_any_mix(photos: Path) -> None:
    images, sentences = sort_arguments(["red", str(photos), "a  blue thing", str(photos / "red.png")])
    assert [path.name for path in images] == ["blue.png", "green.png", "red.png"]
    assert sentences == ["red", "a blue thing"]


@pytest.mark.parametrize(
    ("arguments", "fact"), [(["red"], "no photo"), ([], "no photo"), (["./no.png", "red"], "no such")]
)
def test_what_is_missing_is_named(arguments: list[str], fact: str) -> None:
    with pytest.raises(UserError, match=fact):
        sort_arguments(arguments)


def test_sentences_that_are_no_text_or_begin_like_a_home_folder(photos: Path) -> None:
    _, sentences = sort_arguments([str(photos), "red \udce9", "~nobody has this name"])
    assert sentences == ["red \ufffd", "~nobody has this name"]


def test_photos_without_a_sentence(photos: Path) -> None:
    with pytest.raises(UserError, match="no sentence"):
        sort_arguments([str(photos)])


def test_unknown_words_are_named(photos: Path, encoder: FakeEncoder) -> None:
    progress = RecordedProgress()
    similarity(encoder, [photos / "red.png"], ["a red"], progress)
    assert progress.warnings == ["the model does not know 'a'"]


def test_the_matrix_has_a_row_for_each_photo_that_could_be_read(photos: Path, encoder: FakeEncoder) -> None:
    bad = photos / "a-bad.png"  # sorts first: a photo that fails must not shift the others
    bad.write_bytes(b"")
    images, sentences = sort_arguments([str(photos), "red", "blue"])
    result = similarity(encoder, images, sentences)
    assert [path.name for path in result.images] == ["blue.png", "green.png", "red.png"]
    assert np.round(result.scores, 3).tolist() == [[0, 1], [0, 0], [1, 0]]
    assert [(failure.path, failure.reason) for failure in result.failed] == [(bad, "empty file")]

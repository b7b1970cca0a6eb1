from __future__ import annotations

from pathlib import Path

import pytest

from embedding.errors import UserError
from retrieval.query import ImageQuery, TextQuery, parse_query


def test_words_are_one_sentence() -> None:
    assert parse_query(["red", "car  on", "a street"]) == TextQuery("red car on a street")


def test_a_path_is_a_photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("cat.jpg").touch()
    for word in ("cat.jpg", "./cat.jpg", str(tmp_path / "cat.jpg")):
        assert isinstance(parse_query([word]), ImageQuery)


def test_a_sentence_may_end_like_a_file_name() -> None:
    assert parse_query(["a file called cat.jpg"]) == TextQuery("a file called cat.jpg")


@pytest.mark.parametrize(
    ("words", "fact"),
    [
        (["./no.jpg"], "no such photo"),
        (["no.jpg"], "no such photo"),
        (["./no.jpg", "dog"], "not both"),
        (["/"], "is a folder"),
        ([" "], "empty query"),
    ],
)
def test_mistakes_are_named(words: list[str], fact: str) -> None:
    with pytest.raises(UserError, match=fact):
        parse_query(words)


def test_a_very_long_sentence_is_a_sentence() -> None:
    text = "word " * 2000 + ".jpg"
    assert isinstance(parse_query([text]), TextQuery)

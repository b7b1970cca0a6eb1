from __future__ import annotations

from pathlib import Path

import pytest

from twobranch.common.paths import expanded, is_file, is_folder


def test_a_home_folder_stands_for_itself_only_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    assert expanded("~/photos") == Path("/home/somebody/photos")
    assert expanded(Path("~nobody-has-this-name/photos")) == Path("~nobody-has-this-name/photos")
    assert expanded("a ~ b") == Path("a ~ b")


def test_a_sentence_too_long_for_a_name_is_no_file() -> None:
    for path in (Path("/dev/null/" * 5_000), Path("a" * 5_000)):
        assert not is_file(path) and not is_folder(path)

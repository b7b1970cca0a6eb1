from __future__ import annotations

from pathlib import Path

import pytest

from twobranch.indexer.disk.relative_paths import (
    covers,
    folders_above,
    is_below,
    parts_below,
    relative_to_root,
    steps_to,
)


def test_what_a_folder_covers() -> None:
    for path in ("a", "a/b.jpg", "a/b/c.jpg"):
        assert covers("a", path) and covers("", path)
    for path in ("", "ab", "ab/c.jpg", "b/a"):
        assert not covers("a", path)
    assert is_below("a/b.jpg", "a") and is_below("a", "")
    assert not is_below("a", "a") and not is_below("ab", "a") and not is_below("", "")


def test_the_way_down_to_a_path() -> None:
    assert steps_to("a/b/c.jpg", "") == ["a", "a/b", "a/b/c.jpg"]
    assert steps_to("a/b/c.jpg", "a") == ["a/b", "a/b/c.jpg"]
    assert parts_below("a/b/c.jpg", "a") == ["b", "c.jpg"]
    assert steps_to("a", "a") == parts_below("a", "a") == parts_below("", "") == []


def test_the_way_up() -> None:
    assert list(folders_above("a/b/c.jpg")) == ["a/b", "a", ""]
    assert list(folders_above("")) == []


def test_relative_to_a_root() -> None:
    root = Path("/photos")
    assert (relative_to_root(root, root), relative_to_root(root / "a" / "b", root)) == ("", "a/b")
    with pytest.raises(ValueError):
        relative_to_root(Path("/elsewhere"), root)

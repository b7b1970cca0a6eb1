"""Photos copied for somebody else never destroy what is there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from twobranch.retrieval.display.open_photos import copy_photos, hit_photos
from twobranch.retrieval.hits import Hit


@pytest.fixture
def hits(tmp_path: Path) -> list[Hit]:
    """Two photos; the second is found by two captions, and one caption has no photo."""
    for name in ("b.jpg", "a.jpg"):
        (tmp_path / name).write_text(name)
    os.utime(tmp_path / "b.jpg", (1_000_000_000, 1_000_000_000))
    found = (tmp_path / "b.jpg", None, tmp_path / "a.jpg", tmp_path / "a.jpg")
    return [Hit(rank, 0.5, path, "a caption") for rank, path in enumerate(found, start=1)]


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


def test_each_photo_once_by_its_first_rank(hits: list[Hit], tmp_path: Path) -> None:
    assert hit_photos(hits) == {tmp_path / "b.jpg": 1, tmp_path / "a.jpg": 3}
    copies = copy_photos(hits, tmp_path / "new" / "folder")
    assert [path.name for path in copies.copied] == ["001-b.jpg", "003-a.jpg"]
    assert contents(tmp_path / "new" / "folder") == {"001-b.jpg": "b.jpg", "003-a.jpg": "a.jpg"}
    assert copies.copied[0].stat().st_mtime == 1_000_000_000


def test_again_copies_nothing_and_overwrites_nothing(hits: list[Hit], tmp_path: Path) -> None:
    out = tmp_path / "out"
    copy_photos(hits, out)
    (out / "001-b.jpg").write_text("mine")
    (out / "001-b-2.jpg").mkdir()
    (out / "001-b-3.jpg").symlink_to("nowhere")
    for _ in range(2):  # the second time, the copy from the first is there
        copies = copy_photos(hits, out)
        assert len(copies.copied) + len(copies.there) == 2
    assert (copies.copied, [path.name for path in copies.there]) == ((), ["001-b-4.jpg", "003-a.jpg"])
    assert (out / "001-b.jpg").read_text() == "mine"
    assert (out / "001-b-4.jpg").read_text() == "b.jpg"


def test_numbers_are_as_wide_as_the_highest_rank(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("a")
    copy_photos(
        [Hit(1, 0.5, tmp_path / "a.jpg", None), Hit(1000, 0.1, tmp_path / "b.jpg", None)], tmp_path / "out"
    )
    assert contents(tmp_path / "out") == {"0001-a.jpg": "a"}


def test_one_that_cannot_be_copied_does_not_stop_the_others(hits: list[Hit], tmp_path: Path) -> None:
    (tmp_path / "b.jpg").unlink()
    copies = copy_photos(hits, tmp_path / "out")
    assert copies.failed == (f"{tmp_path / 'b.jpg'}: not copied (No such file or directory)",)
    assert contents(tmp_path / "out") == {"003-a.jpg": "a.jpg"}

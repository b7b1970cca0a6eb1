"""Groups of near-duplicates. To the fake encoder all these photos look much the same: what tells them apart
is the look at their pixels."""

from __future__ import annotations

import os
import shutil
from datetime import datetime
from pathlib import Path

import pytest
from PIL import ExifTags, Image

from tests.fakes import FakeEncoder, RecordedProgress, write_photo
from tests.indexing import index
from tests.pictures import scene, with_a_ball
from twobranch.common.errors import LibraryError
from twobranch.retrieval.display.tables import duplicates_text
from twobranch.retrieval.duplicates import find as duplicates
from twobranch.retrieval.duplicates.find import Duplicates, find_duplicates


def save(
    picture: Image.Image, path: Path, quality: int = 90, taken: str | None = None, written: int = 0
) -> Path:
    """A JPEG file, with a date in its EXIF if it was ``taken``, last changed at ``written`` (seconds)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    if taken is not None:
        exif[ExifTags.Base.DateTime] = taken
    picture.save(path, quality=quality, exif=exif)
    os.utime(path, (written, written))
    return path


def names(found: Duplicates) -> list[list[str]]:
    """The names of each group, the kept one first; groups by the name of the kept one."""
    return sorted(
        [group.kept.path.name, *(photo.path.name for photo in group.others)] for group in found.groups
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "photos"


def find(library: Path, folder: Path) -> Duplicates:
    index(library, folder, FakeEncoder())
    return find_duplicates(library)


def test_copies_of_two_photos_among_others(library: Path, folder: Path) -> None:
    save(scene(1), folder / "one.jpg")
    save(scene(1).resize((160, 120)), folder / "one small.jpg")
    save(scene(1).crop((16, 0, 320, 240)), folder / "one cropped.jpg")
    save(scene(2), folder / "two.jpg", quality=95)
    save(scene(2), folder / "two again.jpg", quality=40)
    save(scene(3), folder / "three.jpg")
    found = find(library, folder)
    # Most pixels first, then the largest file.
    assert names(found) == [["one.jpg", "one cropped.jpg", "one small.jpg"], ["two.jpg", "two again.jpg"]]
    assert found.skipped == ()
    sizes = [(folder / name).stat().st_size for name in ("one cropped.jpg", "one small.jpg", "two again.jpg")]
    assert found.spare_bytes == sum(sizes)
    kept = found.groups[0].kept
    assert (kept.width, kept.height, kept.size) == (320, 240, kept.path.stat().st_size)


def test_of_equal_files_the_oldest_is_kept(library: Path, folder: Path) -> None:
    save(scene(1), folder / "a.jpg", written=2_000_000)
    save(scene(1), folder / "b.jpg", written=1_000_000)
    found = find(library, folder)
    assert names(found) == [["b.jpg", "a.jpg"]]
    assert found.groups[0].kept.date == datetime.fromtimestamp(1_000_000)


def test_frames_of_a_burst_are_not_copies_but_their_copies_are(library: Path, folder: Path) -> None:
    for number, x in enumerate((100, 116, 132)):
        save(with_a_ball(scene(1), x, 100), folder / f"frame{number}.jpg")
    small = with_a_ball(scene(1), 116, 100).resize((160, 120))
    save(small, folder / "sent.jpg")
    assert names(find(library, folder)) == [["frame1.jpg", "sent.jpg"]]


def test_two_seconds_are_two_moments_however_alike(library: Path, folder: Path) -> None:
    save(scene(1), folder / "first.jpg", taken="2024:05:01 12:00:00")
    save(scene(1), folder / "second.jpg", taken="2024:05:01 12:00:01")
    save(scene(1).resize((160, 120)), folder / "edited.jpg", taken="2024:05:01 12:00:01")
    found = find(library, folder)
    assert names(found) == [["second.jpg", "edited.jpg"]]
    assert found.as_json()["groups"][0]["photos"][0]["date"] == "2024-05-01T12:00:01"


def test_what_is_like_a_copy_but_not_like_the_kept_photo_is_left_alone(
    library: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, size in enumerate(((320, 240), (160, 120), (80, 60))):
        save(scene(1, size), folder / f"{number}.jpg")
    # 0 is like 1 and 1 like 2, but 0 is not like 2.
    far = {frozenset((320, 80)): 1.0}
    widths: dict[int, int] = {}

    def read(path: Path) -> object:
        with Image.open(path) as photo:
            picture = duplicates.thumbnail(path)
            widths[id(picture)] = photo.width
            return picture

    def difference(first: list, second: list) -> list[float]:
        return [
            far.get(frozenset((widths[id(one)], widths[id(two)])), 0.0)
            for one, two in zip(first, second, strict=True)
        ]

    monkeypatch.setattr(duplicates, "_read", read)
    monkeypatch.setattr(duplicates, "difference", difference)
    assert names(find(library, folder)) == [["0.jpg", "1.jpg"]]


def test_many_exact_copies_are_one_group(
    library: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twobranch.indexer.vectors.neighbours.MOST", 2)
    first = save(scene(1), folder / "a.jpg")
    for name in "bcdefgh":
        shutil.copy2(first, folder / f"{name}.jpg")
    save(scene(1).resize((160, 120)), folder / "small.jpg")
    assert names(find(library, folder)) == [[f"{name}.jpg" for name in "abcdefgh"] + ["small.jpg"]]


def test_photos_without_detail_are_found_as_exact_copies_only(library: Path, folder: Path) -> None:
    write_photo(folder / "black.png", "black")
    write_photo(folder / "black again.png", "black")
    write_photo(folder / "larger.png", "black", (16, 16))
    assert names(find(library, folder)) == [["black.png", "black again.png"]]  # the first one is older


def test_files_that_are_gone_or_have_changed_are_skipped(library: Path, folder: Path) -> None:
    for name in ("a", "b", "c", "d"):
        save(scene(1), folder / f"{name}.jpg", quality=90 - ord(name) % 4)
    index(library, folder, FakeEncoder())
    (folder / "a.jpg").unlink()
    save(scene(2), folder / "b.jpg", written=5)
    found = find_duplicates(library)
    (group,) = found.groups
    assert {group.kept.path.name, *(photo.path.name for photo in group.others)} == {"c.jpg", "d.jpg"}
    reasons = {str(error.path): error.reason for error in found.skipped}
    assert reasons == {
        str(folder / "a.jpg"): "no such file or directory",
        str(folder / "b.jpg"): "has changed since it was indexed; run `index` again",
    }


def test_a_file_that_can_no_longer_be_read_is_skipped(library: Path, folder: Path) -> None:
    for name in ("a", "b", "c"):
        save(scene(1), folder / f"{name}.jpg", quality=ord(name) % 4 + 85)
    index(library, folder, FakeEncoder())
    broken, status = folder / "b.jpg", (folder / "b.jpg").stat()
    broken.write_bytes(bytes(status.st_size))  # its size and time say nothing of it
    os.utime(broken, ns=(status.st_atime_ns, status.st_mtime_ns))
    found = find_duplicates(library)
    assert [(error.path, error.reason) for error in found.skipped] == [
        (broken, "not an image, or damaged at its beginning")
    ]
    assert len(found.groups) == 1 and len(found.groups[0].others) == 1


def test_a_link_is_no_copy_of_its_file(library: Path, folder: Path) -> None:
    save(scene(1), folder / "b.jpg")
    (folder / "a.jpg").symlink_to(folder / "b.jpg")
    os.link(folder / "b.jpg", folder / "c.jpg")
    assert find(library, folder).groups == ()
    save(scene(1).resize((160, 120)), folder / "small.jpg")
    # The file itself, and not the link that would point nowhere once it is gone.
    ((kept, other),) = names(find(library, folder))
    assert (kept in ("b.jpg", "c.jpg"), other) == (True, "small.jpg")


def test_pairs_in_pieces_and_thumbnails_read_again(
    library: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in range(3):
        save(scene(seed), folder / f"{seed}.jpg")
        save(scene(seed).resize((160, 120)), folder / f"{seed}s.jpg")
    index(library, folder, FakeEncoder())
    monkeypatch.setattr(duplicates, "_PAIRS_AT_A_TIME", 2)
    monkeypatch.setattr(duplicates, "_MOST_THUMBNAILS", 3)
    progress = RecordedProgress()
    assert names(find_duplicates(library, progress)) == [[f"{n}.jpg", f"{n}s.jpg"] for n in range(3)]
    # 6 photos, 15 pairs
    assert progress.work == [("comparing vectors", 6), ("comparing pairs of photos", 15)]
    assert progress.done == [6, 15]


def test_a_table_has_a_line_for_each_photo(library: Path, folder: Path) -> None:
    save(scene(1), folder / "a.jpg", written=1_000_000)
    save(scene(1).resize((160, 120)), folder / "two\nlines.jpg")
    kept, other, blank, total = duplicates_text(find(library, folder)).split("\n")
    assert kept.split()[:4] == ["keep", "320", "x", "240"] and kept.endswith(str(folder / "a.jpg"))
    assert other.split()[:3] == ["160", "x", "120"] and other.endswith("two?lines.jpg")
    assert (blank, total.partition(", ")[0]) == ("", "1 group")


def test_nothing_indexed_and_no_library(library: Path, folder: Path, tmp_path: Path) -> None:
    folder.mkdir()
    assert find(library, folder) == Duplicates((), ())
    with pytest.raises(LibraryError):
        find_duplicates(tmp_path / "none")

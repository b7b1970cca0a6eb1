"""Pictures that are kept on disk: whole or not at all, within the limit, and none of forgotten photos."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import pytest

from tests.fakes import FakeEncoder
from twobranch.indexer.catalog import thumbnails as thumbnailcache
from twobranch.indexer.catalog.thumbnails import ThumbnailCache, disk_use
from twobranch.indexer.maintenance.relocate import forget
from twobranch.indexer.maintenance.vacuum import vacuum
from twobranch.indexer.update.library import update_library
from twobranch.retrieval.display.status import library_status
from twobranch.retrieval.display.tables import status_text


def webp(n: int) -> bytes:
    """``n`` bytes that say of themselves that they are a whole WebP file."""
    return b"RIFF" + (n - 8).to_bytes(4, "little") + bytes(n - 8)


def content(name: str) -> bytes:
    return sha256(name.encode()).digest()


def files(library: Path) -> list[Path]:
    return sorted(path for path in (library / "thumbnails").rglob("*") if path.is_file())


def test_a_picture_by_content_and_size(tmp_path: Path) -> None:
    cache = ThumbnailCache(tmp_path)
    cache.put(content("a"), 320, webp(30))
    cache.put(content("a"), 640, webp(60))
    assert cache.get(content("a"), 320) == webp(30)
    assert cache.get(content("a"), 640) == webp(60)
    assert cache.get(content("b"), 320) is None
    assert disk_use(tmp_path) == 90
    name = content("a").hex()
    assert [path.relative_to(tmp_path).as_posix() for path in files(tmp_path)] == [
        f"thumbnails/{name[:2]}/{name}.320.webp",
        f"thumbnails/{name[:2]}/{name}.640.webp",
    ]


@pytest.mark.parametrize("damage", [b"", webp(30)[:20], bytes(30), webp(30) + b"more"])
def test_what_is_not_whole_is_not_there(damage: bytes, tmp_path: Path) -> None:
    cache = ThumbnailCache(tmp_path)
    cache.put(content("a"), 320, webp(30))
    files(tmp_path)[0].write_bytes(damage)
    assert cache.get(content("a"), 320) is None
    cache.put(content("a"), 320, webp(30))
    assert cache.get(content("a"), 320) == webp(30)


def test_the_oldest_go_when_there_are_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbnailcache, "LIMIT", 400)
    cache = ThumbnailCache(tmp_path)
    for at, name in enumerate("abcd"):
        cache.put(content(name), 320, webp(100))
        os.utime(
            tmp_path / "thumbnails" / content(name).hex()[:2] / f"{content(name).hex()}.320.webp", (at, at)
        )
    cache.put(content("e"), 320, webp(100))
    # 500 bytes are more than 400; at most 360 are kept, and so three.
    assert [cache.get(content(name), 320) is not None for name in "abcde"] == [False, False, True, True, True]


def test_what_another_process_wrote_counts_from_the_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thumbnailcache, "LIMIT", 400)
    for name in "abcd":
        ThumbnailCache(tmp_path).put(content(name), 320, webp(100))
    ThumbnailCache(tmp_path).put(content("e"), 320, webp(100))
    assert disk_use(tmp_path) <= 360


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path: Path) -> None:
    (tmp_path / "thumbnails").write_text("a file where the folder would be")
    cache = ThumbnailCache(tmp_path)
    cache.put(content("a"), 320, webp(30))
    assert cache.get(content("a"), 320) is None
    assert disk_use(tmp_path) == 0


def test_nothing_half_written_is_left_by_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> int:
        path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    ThumbnailCache(tmp_path).put(content("a"), 320, webp(30))
    assert files(tmp_path) == []


def test_forget_and_vacuum_leave_no_pictures_of_photos_that_are_gone(
    library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    update_library(library, [photos], encoder)
    cache = ThumbnailCache(library)
    hashes = {name: sha256((photos / f"{name}.png").read_bytes()).digest() for name in ("red", "blue")}
    for hash_ in hashes.values():
        cache.put(hash_, 320, webp(30))
    facts = library_status(library, scan=False)
    assert facts["disk"]["thumbnails"] == 60
    assert ", thumbnails " in status_text(facts)
    forget(library, [photos / "red.png"])
    assert {name for name, hash_ in hashes.items() if cache.get(hash_, 320)} == {"blue"}
    (photos / "blue.png").unlink()
    update_library(library, [photos], encoder)
    assert cache.get(hashes["blue"], 320)  # until it is asked for
    before = disk_use(library)
    freed = vacuum(library)
    assert (files(library), before) == ([], 30)
    assert freed.bytes >= 30

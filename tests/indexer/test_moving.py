"""Forgetting photos whose files stay, and folders that were moved with all that is in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes import FakeEncoder, write_photo, write_photos
from tests.indexing import captions, check, counts, images, index, vector_ids, write_captions
from twobranch.common.errors import UserError
from twobranch.indexer.maintenance.relocate import forget, relocate
from twobranch.retrieval.engine import SearchEngine


def names(library: Path) -> list[str]:
    return sorted(images(library))


def test_a_forgotten_subfolder_stays_away_until_it_is_named(
    library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    write_photos(photos, {"sub/a.png": "white", "sub/deep/b.png": "black", "subway.png": "yellow"})
    index(library, photos, encoder)
    (forgotten,) = forget(library, [photos / "sub"])
    assert (forgotten.photos, forgotten.roots) == (2, 0)
    check(library)
    assert len(vector_ids(library)) == 4
    assert counts(index(library, [], encoder)) == {"unchanged": 4}
    assert counts(index(library, photos, encoder)) == {"unchanged": 4}
    with pytest.raises(UserError, match="was forgotten"):
        index(library, photos / "sub/deep", encoder)
    assert counts(index(library, photos / "sub", encoder)) == {"added": 2, "encoded": 2}
    assert counts(index(library, [], encoder)) == {"unchanged": 6}


def test_a_forgotten_photo_and_its_caption(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    file = write_captions(photos / "c.csv", {"red.png": "red", "blue.png": "blue"})
    index(library, photos, encoder, captions=file)
    (forgotten,) = forget(library, [photos / "red.png"])
    assert forgotten.photos == 1
    assert captions(library) == {"red": None, "blue": "photos/blue.png"}
    index(library, [], encoder)
    assert names(library) == ["photos/blue.png", "photos/green.png"]
    with SearchEngine.open(library, load=lambda model: encoder) as engine:  # type: ignore[arg-type,return-value]
        assert {hit.path.name for hit in engine.search("red") if hit.path} == {"blue.png", "green.png"}
    assert (photos / "red.png").is_file()


def test_a_forgotten_photo_that_alone_was_named(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    index(library, photos / "red.png", encoder)
    forget(library, [photos / "red.png"])
    assert counts(index(library, [], encoder)) == {}  # and not the other photos of its folder


def test_a_forgotten_root_goes_as_a_whole(library: Path, tmp_path: Path, encoder: FakeEncoder) -> None:
    write_photos(tmp_path, {"d/one/a.png": "red", "d/two/b.png": "blue", "other/c.png": "white"})
    index(library, [tmp_path / "d/one", tmp_path / "d/two", tmp_path / "other"], encoder)
    (forgotten,) = forget(library, [tmp_path / "d"])  # above both
    assert (forgotten.photos, forgotten.roots) == (2, 2)
    assert counts(index(library, [], encoder)) == {"unchanged": 1}
    assert counts(index(library, tmp_path / "d/one", encoder)) == {"added": 1, "encoded": 1}


def test_what_the_library_does_not_know_forgets_nothing(
    library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    index(library, photos, encoder)
    for path in (photos.parent / "elsewhere", photos / "no.png"):
        with pytest.raises(UserError, match=f"{path}: the library has nothing of it"):
            forget(library, [photos / "red.png", path])
    assert len(images(library)) == 3


def test_a_moved_folder_keeps_its_vectors(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    write_photos(photos, {"raw/a.png": "white", "sub/b.png": "black"})
    file = write_captions(photos / "c.csv", {"red.png": "red"})
    index(library, photos, encoder, captions=file, exclude=["raw"])
    forget(library, [photos / "sub"])
    ids = vector_ids(library)
    new = photos.rename(photos.parent / "new")
    relocation = relocate(library, photos, new)
    assert relocation.as_json() == {
        "folders": [{"from": str(photos), "to": str(new), "photos": 3}],
        "looked_for": 3,
        "found": 3,
        "caption_files": 1,
    }
    report = index(library, [], encoder)
    assert (counts(report), report.warnings) == ({"unchanged": 3}, ())  # what was excluded and forgotten too
    assert vector_ids(library) == ids
    assert captions(library) == {"red": "new/red.png"}


def test_several_roots_move_together(library: Path, tmp_path: Path, encoder: FakeEncoder) -> None:
    # The first goes to where the second was.
    write_photos(tmp_path, {"d/a/1.png": "red", "d/b/a/2.png": "blue", "e/3.png": "white"})
    index(library, [tmp_path / "d/a", tmp_path / "d/b/a", tmp_path / "e"], encoder)
    write_photos(tmp_path, {"d/b/a/1.png": "red", "d/b/b/a/2.png": "blue"})
    relocation = relocate(library, tmp_path / "d", tmp_path / "d/b")
    assert [root.new for root in relocation.roots] == [tmp_path / "d/b/a", tmp_path / "d/b/b/a"]
    assert names(library) == ["d/b/a/1.png", "d/b/b/a/2.png", "e/3.png"]


def test_a_folder_without_the_photos_is_refused(
    library: Path, photos: Path, tmp_path: Path, encoder: FakeEncoder
) -> None:
    index(library, photos, encoder)
    write_photo(tmp_path / "new/red.png", "red")  # one of three
    with pytest.raises(UserError, match=r"only 1 of 3 photos looked for are there .* add --force"):
        relocate(library, photos, tmp_path / "new")
    assert len([name for name in names(library) if name.startswith("photos/")]) == 3
    assert relocate(library, photos, tmp_path / "new", force=True).found == 1
    assert counts(index(library, [], encoder)) == {"unchanged": 1, "removed": 2}


def test_mistakes_change_nothing(library: Path, tmp_path: Path, encoder: FakeEncoder) -> None:
    write_photos(tmp_path, {"one/sub/a.png": "red", "two/b.png": "blue"})
    index(library, [tmp_path / "one", tmp_path / "two"], encoder)
    (tmp_path / "two/in").mkdir()
    for old, new, fact in (
        ("one", "nowhere", "no such folder"),
        ("three", "two", "not a folder of this library"),
        ("one/sub", "two", "lies inside the folder"),
        ("one", "two", "would overlap"),
        ("one", "two/in", "would overlap"),
    ):
        with pytest.raises(UserError, match=fact):
            relocate(library, tmp_path / old, tmp_path / new, force=True)
    assert names(library) == ["one/sub/a.png", "two/b.png"]

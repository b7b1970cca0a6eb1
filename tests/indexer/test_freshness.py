"""What ``status`` says about how current a library is."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.fakes import FakeEncoder, write_photo, write_photos
from tests.indexing import index, write_captions
from twobranch.indexer.maintenance.relocate import forget
from twobranch.indexer.update.library import update_library
from twobranch.retrieval.display.status import library_status
from twobranch.retrieval.display.tables import status_text

NOTHING = {"new": 0, "changed": 0, "gone": 0, "caption_files": 0, "unreachable": 0}


def test_new_changed_and_gone_photos_are_counted(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    index(library, photos, encoder)
    assert library_status(library)["changes"] == NOTHING
    write_photos(photos, {"new.png": "white", "sub/new.png": "black", ".hidden.png": "red"})
    write_photo(photos / "green.png", "yellow", (9, 9))
    (photos / "blue.png").unlink()
    facts = library_status(library)
    assert facts["changes"] == {**NOTHING, "new": 2, "changed": 1, "gone": 1}
    assert "no: 2 new, 1 changed, 1 gone; run `index`" in status_text(facts)
    index(library, [], encoder)
    assert library_status(library)["changes"] == NOTHING
    assert library_status(library, scan=False)["changes"] is None


def test_only_what_the_next_index_looks_at_counts(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    index(library, photos, encoder, exclude=["raw"], include_hidden=True)
    write_photos(photos, {"raw/a.png": "white", ".h/b.png": "black"})
    assert library_status(library)["changes"] == {**NOTHING, "new": 1}
    photos.rename(photos.parent / "unplugged")
    assert library_status(library)["changes"] == {**NOTHING, "unreachable": 3}
    photos.mkdir()  # an empty mount point
    facts = library_status(library)
    assert facts["changes"] == {**NOTHING, "unreachable": 3}
    assert "no: 3 out of reach; run `index` when their folders are back" in status_text(facts)


def test_a_library_is_not_up_to_date_without_one_of_its_folders(
    library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    (photos.parent / "none-yet").mkdir()
    index(library, [photos, photos.parent / "none-yet"], encoder)
    assert "up to date           yes" in status_text(library_status(library))
    (photos.parent / "none-yet").rmdir()
    assert "up to date           no: a folder out of reach; " in status_text(library_status(library))


def test_what_is_kept_out_is_listed(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    index(library, photos, encoder, exclude=["raw", "*.tif"])
    assert (library_status(library)["forgotten"], library_status(library)["excluded"]) == (
        [],
        [{"path": str(photos), "globs": ["raw", "*.tif"]}],
    )
    forget(library, [photos / "red.png"])
    facts = library_status(library)
    assert facts["forgotten"] == [str(photos / "red.png")]
    assert f"forgotten            {photos / 'red.png'} (" in status_text(facts)
    assert f"excluded             raw, *.tif in {photos}" in status_text(facts)


def test_a_caption_file_that_was_written_to(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    file = write_captions(photos.parent / "c.csv", {"red.png": "red"}, {"red.png": "test"})
    index(library, photos, encoder, captions=file, split="test")
    assert library_status(library)["changes"] == NOTHING  # the photos outside the split are not new
    write_captions(file, {"red.png": "red"}, {"red.png": "dev"})
    facts = library_status(library)
    assert facts["changes"] == {**NOTHING, "caption_files": 1}
    assert "no: 1 of the caption files changed; run `index`" in status_text(facts)


def test_when_the_last_run_ended_and_what_it_did(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    with pytest.raises(KeyboardInterrupt):
        update_library(library, [photos], FakeEncoder(interrupt_after=0))
    assert library_status(library)["last_index"] is None
    index(library, photos, encoder)
    facts = library_status(library)
    last = facts["last_index"]
    assert datetime.now(timezone.utc) - datetime.fromisoformat(last["ended"]) < timedelta(minutes=1)
    assert last["added"] == 3
    (line,) = (line for line in status_text(facts).splitlines() if line.startswith("last index"))
    assert line.endswith(" (3 added)")


def test_two_runs_within_a_second_are_told_apart(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    ends = set()
    for _ in range(3):
        index(library, photos, encoder)
        ends.add(library_status(library)["last_index"]["ended"])
    assert len(ends) == 3


def test_photos_that_the_model_has_not_seen_yet(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    index(library, photos, encoder)
    photos.rename(photos.parent / "unplugged")
    write_photo(photos.parent / "here/a.png", "white")
    update_library(library, [photos.parent / "here"], FakeEncoder("other", "other"))
    facts = library_status(library)
    assert sorted(facts["without_vector"]) == [str(photos / f"{c}.png") for c in ("blue", "green", "red")]
    assert "no vector" in status_text(facts)


def test_the_size_on_disk(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    index(library, photos, encoder)
    disk = library_status(library)["disk"]
    assert disk["index"] == sum(path.stat().st_size for path in library.glob("*.vectors"))
    assert 0 < disk["catalogue"] < disk["total"]

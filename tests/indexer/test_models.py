"""A library and its model: another one, a changed one, and with `--tta`."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage
from sqlalchemy import select

from tests.fakes import FakeEncoder, RecordedProgress, write_photo, write_photos
from tests.indexing import captions as captions_of
from tests.indexing import check, counts, images, in_batches, index, photo_index, vector_ids, write_captions
from twobranch.common.errors import UserError
from twobranch.indexer.catalog.reader import GALLERIES
from twobranch.indexer.catalog.tables import (
    CaptionVector,
    Catalog,
    ImageVector,
    Model,
    active_model,
)
from twobranch.indexer.maintenance.kept_models import forget_models
from twobranch.indexer.update.library import update_library
from twobranch.indexer.vectors.exact import index_file
from twobranch.retrieval.display.status import library_status
from twobranch.retrieval.display.tables import status_text


def models(library: Path) -> tuple[list[str], str]:
    """The fingerprints of all models, and of the active one."""
    with closing(Catalog.open(library)) as catalog, catalog.session() as session:
        active = active_model(session)
        assert active is not None
        return list(session.scalars(select(Model.fingerprint).order_by(Model.id))), active.fingerprint


def vectors_of(library: Path, model_id: int) -> set[tuple[str, int, bytes]]:
    """The vectors of a model, with kind and id."""
    with closing(Catalog.open(library)) as catalog, catalog.session() as session:
        return {
            (table.__tablename__, row.id, row.vector)
            for table in (ImageVector, CaptionVector)
            for row in session.scalars(select(table).where(table.model_id == model_id))
        }


def test_another_model_encodes_the_whole_library(library: Path, photos: Path, tmp_path: Path) -> None:
    write_photos(tmp_path / "more", {"a.png": "white"})
    write_captions(tmp_path / "c.csv", {"a.png": "green"})
    index(library, [photos, tmp_path / "more"], FakeEncoder("one", "1"), captions=tmp_path / "c.csv")
    two = FakeEncoder("two", "2")
    report = index(library, photos, two)  # also the photos of other roots
    assert counts(report) == {"unchanged": 3, "encoded": 4}
    assert two.encoded_texts == 1
    assert models(library) == (["1", "2"], "2")

    one = FakeEncoder("one", "1")  # kept: going back costs nothing
    assert counts(index(library, photos, one)) == {"unchanged": 3}
    assert one.encoded_images == one.encoded_texts == 0
    assert models(library) == (["1", "2"], "1")


def test_an_interrupted_change_to_another_model_leaves_the_first_one_whole(
    library: Path, tmp_path: Path
) -> None:
    write_photos(tmp_path / "p", {f"{i}.png": (i, 100, 0) for i in range(6)})
    write_captions(tmp_path / "c.csv", {"1.png": "red", "2.png": "green"})
    index(library, tmp_path / "p", FakeEncoder("one", "1"), captions=tmp_path / "c.csv")
    before = vectors_of(library, 1)
    for after in (2, 4, 6):  # photos; at 6 the photos are done and the captions are not
        with pytest.raises(KeyboardInterrupt):
            two = FakeEncoder("two", "2", interrupt_after=2)
            update_library(library, [tmp_path / "p"], two, effort=in_batches(2))
        assert models(library) == (["1", "2"], "1")
        assert vectors_of(library, 1) == before
        assert len(vectors_of(library, 2)) == after
        check(library)

    # A plain `index` stays with the first model, and encodes nothing.
    one = FakeEncoder("one", "1")
    assert counts(index(library, [], one)) == {"unchanged": 6}
    assert models(library) == (["1", "2"], "1")

    two = FakeEncoder("two", "2")
    assert counts(index(library, [], two)) == {"unchanged": 6}  # all that was missing are the captions
    assert two.encoded_texts == 2
    assert models(library) == (["1", "2"], "2")
    assert vectors_of(library, 1) == before


def test_what_is_kept_is_said_when_the_library_changes(library: Path, photos: Path) -> None:
    progress = RecordedProgress()
    for encoder in (FakeEncoder("one", "1"), FakeEncoder("my two", "2"), FakeEncoder("one", "1")):
        index(library, photos, encoder, progress=progress)
    assert progress.notes == [
        "the library changes from one to my two: 3 photos are encoded again",
        "the vectors of one are kept; `index --model one` returns to them, `forget --model one` drops them",
        "the vectors of my two are kept; `index --model 'my two'` returns to them, "
        "`forget --model 'my two'` drops them",
    ]


def test_while_another_model_is_in_use_only_new_photos_are_missing(library: Path, photos: Path) -> None:
    index(library, photos, FakeEncoder("one", "1"))
    index(library, photos, FakeEncoder("two", "2"))
    write_photo(photos / "new.png", "white")
    write_photo(photos / "green.png", "yellow", size=(9, 9))
    (photos / "blue.png").rename(photos / "navy.png")
    (photos / "red.png").unlink()
    report = index(library, photos, FakeEncoder("two", "2"))
    assert counts(report) == {"added": 1, "updated": 1, "moved": 1, "removed": 1, "encoded": 2}
    assert counts(index(library, photos, FakeEncoder("one", "1"))) == {"unchanged": 3, "encoded": 2}


def test_a_forgotten_model_leaves_no_vector_and_no_index_file(library: Path, photos: Path) -> None:
    write_captions(photos.parent / "c.csv", {"red.png": "red"})
    index(library, photos, FakeEncoder("one", "1"), captions=photos.parent / "c.csv")
    index(library, photos, FakeEncoder("two", "2"))
    assert index_file(library, "images", 1).exists()
    (forgotten,) = forget_models(library, ["one"])
    assert (forgotten.label, forgotten.photos, forgotten.captions) == ("one", 3, 1)
    assert models(library) == (["2"], "2")
    assert vectors_of(library, 1) == set()
    assert not list(library.glob("*-1.*"))
    check(library)
    assert counts(index(library, photos, FakeEncoder("one", "1"))) == {"unchanged": 3, "encoded": 3}


def test_the_model_in_use_and_unknown_ones_are_not_forgotten(library: Path, photos: Path) -> None:
    index(library, photos, FakeEncoder("one", "1"))
    index(library, photos, FakeEncoder("two", "2"))
    with pytest.raises(UserError, match="two: searches use this model"):
        forget_models(library, ["one", "two"])
    with pytest.raises(UserError, match=r"three: the library does not know this model \(it has one, two\)"):
        forget_models(library, ["one", "three"])
    assert models(library) == (["1", "2"], "2")


def test_of_a_model_trained_anew_halfway_the_part_in_use_stays(library: Path, photos: Path) -> None:
    index(library, photos, FakeEncoder("mine", "1"))
    with pytest.raises(KeyboardInterrupt):
        effort = in_batches(1)
        update_library(library, [photos], FakeEncoder("mine", "2", interrupt_after=2), effort=effort)
    (forgotten,) = forget_models(library, ["mine"])
    assert forgotten.photos == 2
    assert models(library) == (["1"], "1")


def test_status_names_the_models_with_vectors(library: Path, photos: Path) -> None:
    write_captions(photos.parent / "c.csv", {"red.png": "red"})
    index(library, photos, FakeEncoder("one", "1"), captions=photos.parent / "c.csv")
    with pytest.raises(KeyboardInterrupt):
        effort = in_batches(1)
        update_library(library, [photos], FakeEncoder("two", "2", interrupt_after=2), effort=effort)
    facts = library_status(library, scan=False)
    assert [(one["model"], one["active"], one["photos"], one["captions"]) for one in facts["models"]] == [
        ("one", True, 3, 1),
        ("two", False, 2, 0),
    ]
    # 4 numbers of 4 bytes each, and the index files, which the second model has none of yet.
    files = sum(index_file(library, kind, 1).stat().st_size for kind in GALLERIES)
    assert [one["bytes"] for one in facts["models"]] == [4 * 16 + files, 2 * 16]
    lines = [line.split(maxsplit=1) for line in status_text(facts).splitlines()]
    assert [text for name, text in lines if name == "vectors"] == [
        "one, in use: 3 photos, 1 caption, 0 kB",
        "two: 2 photos, 0 captions, 0 kB; `forget --model two` drops them",
    ]


def test_a_model_trained_anew_replaces_the_old_one(library: Path, photos: Path) -> None:
    index(library, photos, FakeEncoder("mine", "1"))
    assert counts(index(library, photos, FakeEncoder("mine", "2"))) == {"unchanged": 3, "encoded": 3}
    assert models(library) == (["2"], "2")
    assert len(vector_ids(library)) == 3
    assert not index_file(library, "images", 1).exists()


def test_an_interrupted_switch_leaves_the_old_model_searchable(library: Path, tmp_path: Path) -> None:
    write_photos(tmp_path / "p", {f"{i}.png": (i, 100, 0) for i in range(6)})
    index(library, tmp_path / "p", FakeEncoder("mine", "1"))
    with pytest.raises(KeyboardInterrupt):
        update_library(
            library,
            [tmp_path / "p"],
            FakeEncoder("mine", "2", interrupt_after=2),
            effort=in_batches(2),
        )
    assert models(library) == (["1", "2"], "1")
    check(library)  # the index of the active model holds that model's vectors alone
    assert len(photo_index(library)) == 6

    assert counts(index(library, tmp_path / "p", FakeEncoder("mine", "2"))) == {"unchanged": 6, "encoded": 4}
    assert models(library) == (["2"], "2")


def test_photos_out_of_reach_wait_for_the_new_model(library: Path, photos: Path, tmp_path: Path) -> None:
    drive = tmp_path / "drive"
    write_photos(drive, {"a.png": "white", "b.png": "black"})
    index(library, [photos, drive], FakeEncoder("one", "1"))
    drive.rename(tmp_path / "unplugged")
    report = update_library(library, [photos], FakeEncoder("two", "2"))
    assert counts(report) == {"unchanged": 3, "encoded": 3}
    assert "2 photos could not be reached" in report.warnings[0]
    assert models(library)[1] == "2"
    assert len(images(library)) == 5

    (tmp_path / "unplugged").rename(drive)
    assert counts(index(library, photos, FakeEncoder("two", "2"))) == {"unchanged": 3, "encoded": 2}


def test_changes_during_a_switch(library: Path, photos: Path) -> None:
    captions = write_captions(photos.parent / "c.csv", {"blue.png": "blue"})
    index(library, photos, FakeEncoder("one", "1"), captions=captions)
    os.utime(photos / "red.png", (1, 1))  # touched
    write_photo(photos / "green.png", "yellow", size=(9, 9))  # changed: the first model's vector is of no use
    (photos / "blue.png").rename(photos / "navy.png")  # moved
    report = index(library, photos, FakeEncoder("two", "2"))
    assert counts(report) == {"updated": 1, "moved": 1, "unchanged": 1, "encoded": 3}
    assert sorted(images(library)) == ["photos/green.png", "photos/navy.png", "photos/red.png"]
    assert captions_of(library) == {"blue": "photos/navy.png"}  # it is the same photo
    assert counts(index(library, photos, FakeEncoder("one", "1")))["encoded"] == 1  # the changed one


def test_a_copy_of_a_photo_that_moved_during_a_switch(library: Path, photos: Path) -> None:
    index(library, photos, FakeEncoder("one", "1"))
    blue = (photos / "blue.png").read_bytes()
    (photos / "blue.png").rename(photos / "navy.png")
    (photos / "navy too.png").write_bytes(blue)
    report = index(library, photos, FakeEncoder("two", "2"))
    assert counts(report) == {"added": 1, "moved": 1, "unchanged": 2, "encoded": 3}
    assert counts(index(library, photos, FakeEncoder("one", "1"))) == {"unchanged": 4}


# --- tta ------------------------------------------------------------------------------------------


def test_tta_vectors_are_means_over_both_views(library: Path, tmp_path: Path) -> None:
    pair = PillowImage.new("RGB", (8, 8), "red")
    pair.paste((0, 255, 0), (4, 0, 8, 8))
    (tmp_path / "p").mkdir()
    pair.save(tmp_path / "p/a.png")
    index(library, tmp_path / "p", FakeEncoder(tta=True))
    (vector,) = photo_index(library).vectors([1])
    # Red and green with 0.01 on the fourth axis each: (1, 1, 0, 0.02), but for its length.
    assert vector == pytest.approx(np.array([1, 1, 0, 0.02]) / np.sqrt(2.0004))


def test_switching_tta_encodes_photos_again_and_no_captions(library: Path, photos: Path) -> None:
    write_captions(photos.parent / "c.csv", {"red.png": "red", "green.png": "green", "gone.png": "blue"})
    index(library, photos, FakeEncoder(), captions=photos.parent / "c.csv")
    progress = RecordedProgress()
    for tta in (True, False):
        encoder = FakeEncoder(tta=tta)
        report = index(library, photos, encoder, progress=progress)  # checks every vector
        assert counts(report) == {"unchanged": 3, "encoded": 3}
        assert encoder.encoded_texts == 0
        assert len(vector_ids(library)) == len(vector_ids(library, CaptionVector)) == 3
        assert models(library) == ([encoder.fingerprint], encoder.fingerprint)
    assert progress.notes == [
        "the library changes from fake to fake --tta: 3 photos are encoded again",
        "the library changes from fake --tta to fake: 3 photos are encoded again",
    ]


def test_an_interrupted_switch_to_tta_leaves_the_old_vectors_searchable(library: Path, photos: Path) -> None:
    index(library, photos, FakeEncoder())
    with pytest.raises(KeyboardInterrupt):
        update_library(library, [photos], FakeEncoder(interrupt_after=2, tta=True), effort=in_batches(2))
    assert models(library) == (["fake-1", FakeEncoder(tta=True).fingerprint], "fake-1")
    assert len(photo_index(library)) == 3
    assert counts(index(library, photos, FakeEncoder(tta=True))) == {"unchanged": 3, "encoded": 1}


def test_captions_of_other_weights_are_not_taken_over(library: Path, photos: Path) -> None:
    write_captions(photos.parent / "c.csv", {"red.png": "red"})
    index(library, photos, FakeEncoder("one", "1"), captions=photos.parent / "c.csv")
    other = FakeEncoder("two", "11", tta=True)
    index(library, photos, other)
    assert other.encoded_texts == 1

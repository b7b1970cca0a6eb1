from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.fakes import FakeEncoder, write_photo, write_photos
from tests.indexing import captions, counts, images, index, vector_ids, write_captions
from twobranch.common.errors import CaptionFileError, UserError
from twobranch.indexer.captionfiles.corpus import CaptionCorpus
from twobranch.indexer.catalog.tables import (
    Caption,
    CaptionVector,
    Catalog,
    Corpus,
)
from twobranch.indexer.update import captions as captions_module
from twobranch.indexer.update.library import update_library

# --- captions -------------------------------------------------------------------------------------


@pytest.fixture
def captioned(photos: Path, tmp_path: Path) -> Path:
    return write_captions(tmp_path / "c.csv", {"red.png": "a red wall", "blue.png": "blue sky"})


def test_captions_with_photos(library: Path, photos: Path, captioned: Path, encoder: FakeEncoder) -> None:
    report = index(library, photos, encoder, captions=captioned)
    assert (report.captions_added, report.captions_without_image) == (2, 0)
    assert captions(library) == {"a red wall": "photos/red.png", "blue sky": "photos/blue.png"}


def test_adding_the_same_captions_again_adds_nothing(
    library: Path, photos: Path, captioned: Path, encoder: FakeEncoder
) -> None:
    index(library, photos, encoder, captions=captioned)
    vectors = vector_ids(library, CaptionVector)
    assert index(library, photos, encoder, captions=captioned).captions_added == 0
    assert encoder.encoded_texts == 2
    assert vector_ids(library, CaptionVector) == vectors


def test_captions_before_photos(library: Path, photos: Path, captioned: Path, encoder: FakeEncoder) -> None:
    report = index(library, photos / "green.png", encoder, captions=captioned)
    assert report.captions_without_image == 2
    assert captions(library) == {"a red wall": None, "blue sky": None}
    report = index(library, photos, encoder)  # the captions are not named again
    assert report.captions_without_image == 0
    assert captions(library) == {"a red wall": "photos/red.png", "blue sky": "photos/blue.png"}


def test_captions_outlive_their_photo(
    library: Path, photos: Path, captioned: Path, encoder: FakeEncoder
) -> None:
    index(library, photos, encoder, captions=captioned)
    (photos / "red.png").unlink()
    assert index(library, photos, encoder).captions_without_image == 1
    assert captions(library) == {"a red wall": None, "blue sky": "photos/blue.png"}


def test_a_moved_photo_keeps_its_captions(
    library: Path, photos: Path, captioned: Path, encoder: FakeEncoder
) -> None:
    index(library, photos, encoder, captions=captioned)
    (photos / "red.png").rename(photos / "wall.png")
    index(library, photos, encoder)
    assert captions(library)["a red wall"] == "photos/wall.png"


def test_only_changed_lines_are_encoded(
    library: Path, photos: Path, captioned: Path, encoder: FakeEncoder
) -> None:
    index(library, photos, encoder, captions=captioned)
    # A line in front of the others, one changed, one as it was; the position of the last one moves.
    write_captions(
        captioned, {"green.png": "green grass", "red.png": "a redder wall", "blue.png": "blue sky"}
    )
    report = index(library, photos, encoder, captions=captioned)
    assert report.captions_added == 2
    assert encoder.encoded_texts == 2 + 2
    assert captions(library) == {
        "blue sky": "photos/blue.png",
        "green grass": "photos/green.png",
        "a redder wall": "photos/red.png",
    }
    with closing(Catalog.open(library)) as catalog, catalog.session() as session:
        positions = {caption.text: caption.position for caption in session.scalars(select(Caption))}
    assert positions == {"green grass": 0, "a redder wall": 1, "blue sky": 2}


def test_equal_captions_are_encoded_once(
    library: Path, photos: Path, tmp_path: Path, encoder: FakeEncoder
) -> None:
    path = tmp_path / "c.csv"
    path.write_text("image,caption\nred.png,a wall\nblue.png,a wall\nred.png,a wall\n", encoding="utf-8")
    report = index(library, photos, encoder, captions=path)
    # The caption of two photos; the third line repeats the first.
    assert (report.captions_added, report.captions_repeated, encoder.encoded_texts) == (2, 1, 1)
    assert len(vector_ids(library, CaptionVector)) == 2
    assert index(library, photos, encoder, captions=path).captions_added == 0


def test_captions_of_no_photo_are_searchable(
    library: Path, photos: Path, tmp_path: Path, encoder: FakeEncoder
) -> None:
    (tmp_path / "c.csv").write_text("caption\nred\ngreen\n", encoding="utf-8")
    report = index(library, photos, encoder, captions=tmp_path / "c.csv")
    assert (report.captions_added, report.captions_without_image) == (2, 0)


def test_interrupted_captions_are_continued(library: Path, photos: Path, tmp_path: Path) -> None:
    texts = {f"{i}.png": f"caption {i}" for i in range(600)}
    write_captions(tmp_path / "c.csv", texts)
    # Three photos and a first batch of 512 captions.
    with pytest.raises(KeyboardInterrupt):
        update_library(library, [photos], FakeEncoder(interrupt_after=515), captions=tmp_path / "c.csv")
    encoder = FakeEncoder()
    index(library, photos, encoder)
    assert encoder.encoded_texts == 600 - 512


def test_a_bad_caption_file_touches_nothing(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    with pytest.raises(CaptionFileError):
        update_library(library, [photos], encoder, captions=photos / "nowhere.csv")
    assert not library.exists()


# --- which photo a name means ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "files", "ties"),
    [
        # The name is the path within the root.
        (["a.png", "sub/b.png"], ["a.png", "sub/b.png"], ["a.png", "sub/b.png"]),
        # The name is the end of the path; or the path is the end of the name.
        (["b.png"], ["sub/deep/b.png"], ["sub/deep/b.png"]),
        (["p/a.png"], ["a.png"], ["a.png"]),
        # The folders are called otherwise here, but there is one such file name.
        (["val2014/a.png"], ["images/a.png"], ["images/a.png"]),
        (["val2014/a.png"], ["images/a.png", "val2014/a.png"], ["val2014/a.png"]),
        # The folder tells them apart, so a.png of another folder is not meant.
        (["x/a.png", "y/a.png"], ["x/a.png", "y/a.png"], ["x/a.png", "y/a.png"]),
        (["x/a.png", "y/a.png"], ["z/a.png"], [None, None]),
        # Two files answer; the one at the top of the root has exactly that path.
        (["a.png"], ["x/a.png", "y/a.png"], [None]),
        (["a.png"], ["a.png", "y/a.png"], ["a.png"]),
        # Composed in the file, decomposed on the disk of a Mac.
        (["é.png"], ["e\u0301.png"], ["e\u0301.png"]),
    ],
)
def test_names(
    library: Path,
    tmp_path: Path,
    encoder: FakeEncoder,
    names: list[str],
    files: list[str],
    ties: list[str | None],
) -> None:
    write_photos(tmp_path / "p", {name: (i, 0, 0) for i, name in enumerate(files)})
    path = write_captions(tmp_path / "c.csv", {name: f"caption {i}" for i, name in enumerate(names)})
    report = index(library, tmp_path / "p", encoder, captions=path)
    assert list(captions(library).values()) == [tie and f"p/{tie}" for tie in ties]
    assert report.captions_without_image == ties.count(None)


def test_an_ambiguous_name_is_one_warning(library: Path, tmp_path: Path, encoder: FakeEncoder) -> None:
    write_photos(tmp_path / "p", {"x/a.png": "red", "y/a.png": "blue"})
    path = write_captions(tmp_path / "c.csv", {"a.png": "which one"})
    report = index(library, tmp_path / "p", encoder, captions=path)
    (warning,) = report.warnings
    assert "1 captions stay without photo" in warning and "a.png" in warning


def test_of_equal_names_the_one_of_this_run_is_meant(
    library: Path, tmp_path: Path, encoder: FakeEncoder
) -> None:
    write_photos(tmp_path, {"old/a.png": "red", "new/a.png": "blue"})
    index(library, tmp_path / "old", encoder)
    path = write_captions(tmp_path / "c.csv", {"a.png": "which one"})
    report = index(library, tmp_path / "new", encoder, captions=path)
    assert captions(library) == {"which one": "new/a.png"}
    assert report.warnings == ()


@pytest.fixture
def two_cameras(library: Path, tmp_path: Path, encoder: FakeEncoder) -> Path:
    """The captions of cam2, added when one of its photos is not there yet and cam1 has that name too."""
    write_photos(tmp_path, {"cam1/IMG_1.png": "red", "cam2/IMG_2.png": "blue"})
    path = write_captions(tmp_path / "cam2/c.csv", {"IMG_1.png": "one", "IMG_2.png": "two"})
    index(library, tmp_path / "cam1", encoder)
    index(library, tmp_path / "cam2", encoder, captions=path)
    return path


def test_a_photo_of_another_folder_is_not_meant(
    library: Path, tmp_path: Path, two_cameras: Path, encoder: FakeEncoder
) -> None:
    assert captions(library) == {"one": None, "two": "cam2/IMG_2.png"}
    # Nor later, when the captions are not named again, whatever else is.
    index(library, [tmp_path / "cam1", tmp_path / "cam2"], encoder)
    index(library, tmp_path, encoder)
    assert captions(library) == {"one": None, "two": "cam2/IMG_2.png"}
    write_photo(tmp_path / "cam2/IMG_1.png", "green")
    index(library, tmp_path, encoder)
    assert captions(library) == {"one": "cam2/IMG_1.png", "two": "cam2/IMG_2.png"}


def test_a_better_photo_replaces_another(
    library: Path, tmp_path: Path, two_cameras: Path, encoder: FakeEncoder
) -> None:
    folders = [tmp_path / "cam1", tmp_path / "cam2"]
    index(library, folders, encoder, captions=two_cameras)
    assert captions(library)["one"] == "cam1/IMG_1.png"  # both folders were given, and only one has it
    write_photo(tmp_path / "cam2/IMG_1.png", "green")
    index(library, folders, encoder, captions=two_cameras)
    assert captions(library)["one"] == "cam2/IMG_1.png"  # beside the caption file


def test_photos_elsewhere_are_meant_when_there_are_no_others(
    library: Path, photos: Path, tmp_path: Path, encoder: FakeEncoder
) -> None:
    path = write_captions(tmp_path / "captions/c.csv", {"red.png": "a wall", "new.png": "a bird"})
    write_photos(tmp_path / "more", {"new.png": "white"})
    index(library, photos, encoder)
    (tmp_path / "empty").mkdir()
    index(library, tmp_path / "empty", encoder, captions=path)
    assert captions(library) == {"a wall": "photos/red.png", "a bird": None}
    # One file for two folders, one after the other: what it has in the first it keeps.
    index(library, tmp_path / "more", encoder, captions=path)
    assert captions(library) == {"a wall": "photos/red.png", "a bird": "more/new.png"}


def test_a_tie_is_given_up_for_several_better_photos(
    library: Path, tmp_path: Path, encoder: FakeEncoder
) -> None:
    write_photos(tmp_path, {"p/a.png": "red", "q/x/a.png": "blue", "q/y/a.png": "white"})
    path = write_captions(tmp_path / "captions/c.csv", {"a.png": "which one"})
    index(library, tmp_path / "p", encoder, captions=path)
    assert captions(library) == {"which one": "p/a.png"}
    report = index(library, tmp_path / "q", encoder, captions=path)
    assert captions(library) == {"which one": None}
    assert "1 captions stay without photo" in report.warnings[0]


def test_a_tie_outlives_an_equal_photo(library: Path, tmp_path: Path, encoder: FakeEncoder) -> None:
    write_photos(tmp_path, {"p/x/a.png": "red"})
    path = write_captions(tmp_path / "p/c.csv", {"a.png": "which one"})
    index(library, tmp_path / "p", encoder, captions=path)
    write_photos(tmp_path, {"p/y/a.png": "blue"})
    report = index(library, tmp_path / "p", encoder, captions=path)
    assert captions(library) == {"which one": "p/x/a.png"}
    assert report.warnings == ()


# --- caption files --------------------------------------------------------------------------------


def test_a_moved_caption_file_is_the_same_one(
    library: Path, photos: Path, captioned: Path, encoder: FakeEncoder
) -> None:
    index(library, photos, encoder, captions=captioned)
    vectors = vector_ids(library, CaptionVector)
    moved = captioned.rename(captioned.with_name("moved.csv"))
    assert index(library, photos, encoder, captions=moved).captions_added == 0
    assert vector_ids(library, CaptionVector) == vectors
    assert corpora(library) == [str(moved)]
    # Moved and added to.
    more = write_captions(moved.with_name("more.csv"), {"red.png": "a red wall", "green.png": "grass"})
    moved.unlink()
    assert index(library, photos, encoder, captions=more).captions_added == 1
    assert (list(captions(library)), corpora(library)) == (["a red wall", "grass"], [str(more)])


def test_another_caption_file_is_another_one(
    library: Path, photos: Path, captioned: Path, encoder: FakeEncoder
) -> None:
    index(library, photos, encoder, captions=captioned)
    copy = captioned.with_name("copy.csv")
    copy.write_bytes(captioned.read_bytes())  # and the first is still there
    report = index(library, photos, encoder, captions=copy)
    assert (report.captions_added, report.captions_repeated) == (0, 2)
    captioned.unlink()
    copy.unlink()
    other = write_captions(captioned.with_name("d.csv"), {"red.png": "bricks", "blue.png": "the sea"})
    assert index(library, photos, encoder, captions=other).captions_added == 2
    assert corpora(library) == [str(captioned), str(copy), str(other)]


def test_a_moved_caption_file_with_one_split_of_two(
    library: Path, photos: Path, split_captions: Path, encoder: FakeEncoder
) -> None:
    index(library, photos, encoder, captions=split_captions)
    moved = split_captions.rename(split_captions.with_name("moved.csv"))
    report = index(library, photos, encoder, captions=moved, split="train")
    assert (report.captions_added, len(captions(library))) == (0, 3)


def corpora(library: Path) -> list[str]:
    with closing(Catalog.open(library)) as catalog, catalog.session() as session:
        return list(session.scalars(select(Corpus.path).order_by(Corpus.id)))


@pytest.mark.parametrize("stem", [b"b\xff", b"back\\slash", b"a: cat", b" b ", "é".encode()])
def test_sidecars_of_any_name(library: Path, tmp_path: Path, encoder: FakeEncoder, stem: bytes) -> None:
    name = os.fsdecode(stem)
    write_photo(tmp_path / f"p/{name}.png", "red")
    (tmp_path / f"p/{name}.txt").write_text("a red thing", encoding="utf-8")
    report = index(library, tmp_path / "p", encoder, captions=tmp_path / "p")
    assert report.captions_without_image == 0
    assert captions(library) == {"a red thing": f"p/{name}.png"}
    assert index(library, tmp_path / "p", encoder, captions=tmp_path / "p").captions_added == 0


# --- splits ---------------------------------------------------------------------------------------

SPLITS = {"red.png": "train", "green.png": "test", "blue.png": "test"}


@pytest.fixture
def split_captions(tmp_path: Path) -> Path:
    return write_captions(tmp_path / "s.csv", {name: f"a {name[:-4]} thing" for name in SPLITS}, SPLITS)


def test_a_split_takes_its_photos_and_captions_alone(
    library: Path, photos: Path, split_captions: Path, encoder: FakeEncoder
) -> None:
    report = index(library, photos, encoder, captions=split_captions, split="test")
    assert counts(report) == {"added": 2, "encoded": 2}
    assert captions(library) == {"a green thing": "photos/green.png", "a blue thing": "photos/blue.png"}


def test_a_split_neither_adds_nor_removes_other_photos(
    library: Path, photos: Path, split_captions: Path, encoder: FakeEncoder
) -> None:
    write_photo(photos / "other.png", "white")
    index(library, photos, encoder)
    for name in ("red.png", "other.png", "blue.png"):  # only the last one is in the split
        (photos / name).unlink()
    report = index(library, photos, encoder, captions=split_captions, split="test")
    assert counts(report) == {"unchanged": 1, "removed": 1}
    assert sorted(images(library)) == ["photos/green.png", "photos/other.png", "photos/red.png"]


def test_a_second_split_joins_the_first(
    library: Path, photos: Path, split_captions: Path, encoder: FakeEncoder
) -> None:
    index(library, photos, encoder, captions=split_captions, split="test")
    report = index(library, photos, encoder, captions=split_captions, split="train")
    assert report.captions_added == 1
    assert len(captions(library)) == 3
    # The whole file then has nothing new, and no caption twice.
    assert index(library, photos, encoder, captions=split_captions).captions_added == 0
    assert splits(library) == ["train", "test", "test"]


def test_a_file_without_splits_is_all_of_the_split(
    library: Path, photos: Path, captioned: Path, encoder: FakeEncoder
) -> None:
    report = index(library, photos, encoder, captions=captioned, split="test")
    assert counts(report) == {"added": 2, "encoded": 2}  # green.png has no caption
    assert splits(library) == ["test", "test"]
    # Relabelled, not added once more; "val" and "dev" are one split.
    assert index(library, photos, encoder, captions=captioned, split="val").captions_added == 0
    assert splits(library) == ["dev", "dev"]


def test_a_split_needs_captions(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    with pytest.raises(UserError, match="--captions FILE"):
        update_library(library, [photos], encoder, split="test")


def splits(library: Path) -> list[str | None]:
    with closing(Catalog.open(library)) as catalog, catalog.session() as session:
        return list(session.scalars(select(Caption.split).order_by(Caption.position)))


def test_what_is_written_to_a_caption_file_while_it_is_read_is_not_missed(
    library: Path, photos: Path, tmp_path: Path, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_captions(tmp_path / "captions.csv", {"red.png": "a red wall"})
    real = captions_module.read_corpus

    def read_and_then(path: Path) -> CaptionCorpus:
        corpus = real(path)
        with path.open("a") as more:
            more.write("blue.png,a blue wall\n")
        return corpus

    with monkeypatch.context() as context:
        context.setattr("twobranch.indexer.update.captions.read_corpus", read_and_then)
        index(library, photos, encoder, captions=file)
    assert set(captions(library)) == {"a red wall"}
    index(library, [], encoder)
    assert set(captions(library)) == {"a red wall", "a blue wall"}

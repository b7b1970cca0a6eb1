"""The same photo and the same text is one caption, whatever number of files say so."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.fakes import FakeEncoder, write_photo
from tests.indexing import captions, check, index, vector_ids, write_captions
from twobranch.common.errors import UserError
from twobranch.indexer.captionfiles.texts import text_key
from twobranch.indexer.catalog.connection import CATALOG
from twobranch.indexer.catalog.photo_facts import captions_after, count_captions
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.catalog.tables import Caption, CaptionVector, Catalog
from twobranch.indexer.maintenance.relocate import forget
from twobranch.retrieval.display.status import library_status
from twobranch.retrieval.engine import SearchEngine
from twobranch.retrieval.evaluation.evaluate import evaluate

TEXTS = {"red.png": "red", "green.png": "green", "blue.png": "blue"}


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """The same three captions as CSV, JSON Lines and COCO JSON."""
    rows = [{"image": name, "caption": text} for name, text in TEXTS.items()]
    lines = tmp_path / "c.jsonl"
    lines.write_text("\n".join(map(json.dumps, rows)))
    coco = tmp_path / "coco.json"
    coco.write_text(
        json.dumps(
            {
                "images": [{"id": n, "file_name": row["image"]} for n, row in enumerate(rows)],
                "annotations": [{"image_id": n, "caption": row["caption"]} for n, row in enumerate(rows)],
            }
        )
    )
    return [write_captions(tmp_path / "c.csv", TEXTS), lines, coco]


def counted(library: Path) -> tuple[int, int, int, int]:
    facts = library_status(library)
    names = ("captions", "repeated_captions", "searchable_captions", "captions_with_photo")
    one, two, three, four = (facts[name] for name in names)
    return one, two, three, four


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("A dog runs.", "a dog runs", True),  # as COCO and Flickr8k write it
        ("A dog runs .", "A dog  runs", True),
        ("Caf\u00e9", "Cafe\u0301", True),  # composed and decomposed
        ("Two dogs", "Two dogs?", False),
        ("a dog runs", "the dog runs", False),
        ("...", ".", False),  # nothing else is there to compare
    ],
)
def test_two_spellings_of_one_caption(one: str, other: str, same: bool) -> None:
    assert (text_key(one) == text_key(other)) == same


def test_one_caption_in_three_files_counts_once(
    library: Path, photos: Path, files: list[Path], encoder: FakeEncoder
) -> None:
    scores = []
    for n, file in enumerate(files):
        report = index(library, photos, encoder, captions=file)
        assert (report.captions_added, report.captions_repeated) == ((0, 3) if n else (3, 0))
        with closing(Catalog.open(library)) as catalog:
            result = evaluate(catalog, ks=[1], split=None, command="test")
        scores.append((result.n_captions, result.metrics.text_to_image.recall, result.metrics.rsum))
    assert scores == [(3, {1: 100}, scores[0][2])] * 3
    assert encoder.encoded_texts == 3
    assert counted(library) == (3, 6, 3, 3)
    assert [file["captions"] for file in library_status(library)["caption_files"]] == [3, 3, 3]


def test_a_caption_is_one_hit(library: Path, photos: Path, files: list[Path], encoder: FakeEncoder) -> None:
    for file in files:
        index(library, photos, encoder, captions=file)
    with SearchEngine.open(library, load=lambda model: encoder) as engine:
        hits = engine.search("red", gallery="captions")
    assert sorted(hit.caption or "" for hit in hits) == ["blue", "green", "red"]


def test_the_first_spelling_is_kept(
    library: Path, photos: Path, tmp_path: Path, encoder: FakeEncoder
) -> None:
    index(library, photos, encoder, captions=write_captions(tmp_path / "a.csv", {"red.png": "A red wall ."}))
    vectors = vector_ids(library, CaptionVector)
    index(library, photos, encoder, captions=write_captions(tmp_path / "b.csv", {"red.png": "a red wall"}))
    assert vector_ids(library, CaptionVector) == vectors
    # Without the first file the other spelling is the caption. Its letters differ, so `index` encodes it.
    assert forget(library, [tmp_path / "a.csv"])[0].captions_kept == 1
    index(library, [], encoder)
    assert captions(library) == {"a red wall": "photos/red.png"}
    assert encoder.encoded_texts == 2


def test_a_forgotten_file_leaves_what_another_one_has(
    library: Path, photos: Path, tmp_path: Path, encoder: FakeEncoder
) -> None:
    first = write_captions(tmp_path / "a.csv", TEXTS)
    index(library, photos, encoder, captions=first)
    index(library, photos, encoder, captions=write_captions(tmp_path / "b.csv", {"red.png": "red"}))
    vectors = vector_ids(library, CaptionVector)
    (forgotten,) = forget(library, [first])
    assert (forgotten.photos, forgotten.captions, forgotten.captions_kept) == (0, 2, 1)
    check(library)  # before the next `index`: the caption that stays is searchable, with the vector it had
    assert vector_ids(library, CaptionVector) < vectors
    assert captions(library) == {"red": "photos/red.png"}
    assert counted(library) == (1, 0, 1, 1)
    index(library, [], encoder)
    assert captions(library) == {"red": "photos/red.png"}  # the file is still there, but was not named
    assert index(library, photos, encoder, captions=first).captions_added == 2


def test_a_changed_file_leaves_what_another_one_has(
    library: Path, photos: Path, files: list[Path], encoder: FakeEncoder
) -> None:
    for file in files[:2]:
        index(library, photos, encoder, captions=file)
    write_captions(files[0], {"red.png": "a wall"})
    index(library, [], encoder)
    assert set(captions(library)) == {"red", "green", "blue", "a wall"}
    assert encoder.encoded_texts == 3 + 1
    assert counted(library) == (4, 0, 4, 4)


def test_a_folder_of_sidecars_is_forgotten_with_its_captions(
    library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    (photos / "red.txt").write_text("a red wall")
    index(library, photos, encoder, captions=photos)
    (forgotten,) = forget(library, [photos])
    assert (forgotten.photos, forgotten.captions) == (3, 1)
    assert counted(library) == (0, 0, 0, 0)


def test_a_file_that_is_gone_can_be_forgotten(
    library: Path, photos: Path, files: list[Path], encoder: FakeEncoder
) -> None:
    index(library, photos, encoder, captions=files[0])
    files[0].unlink()
    assert forget(library, [files[0]])[0].captions == 3
    with pytest.raises(UserError, match="nothing of it"):
        forget(library, [files[0]])


def test_captions_before_their_photo(
    library: Path, photos: Path, tmp_path: Path, encoder: FakeEncoder
) -> None:
    index(library, photos, encoder, captions=write_captions(tmp_path / "a.csv", {"new.png": "red"}))
    # The same name: one caption. Another name, which turns out to be that photo's: one from then on.
    report = index(library, photos, encoder, captions=write_captions(tmp_path / "b.csv", {"new.png": "red"}))
    assert (report.captions_added, report.captions_without_image) == (0, 1)
    index(library, photos, encoder, captions=write_captions(tmp_path / "c.csv", {"photos/new.png": "Red."}))
    assert counted(library) == (2, 1, 2, 0)
    write_photo(photos / "new.png", "white")
    index(library, photos, encoder)
    assert counted(library) == (1, 2, 1, 1)
    (photos / "new.png").unlink()
    index(library, photos, encoder)
    assert counted(library) == (2, 1, 2, 0)


def test_captions_of_no_photo(library: Path, photos: Path, tmp_path: Path, encoder: FakeEncoder) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("caption\nred\nblue\n")
        index(library, photos, encoder, captions=tmp_path / name)
    assert counted(library) == (2, 2, 2, 0)


def test_a_caption_is_in_every_split_that_a_file_names(
    library: Path, photos: Path, tmp_path: Path, encoder: FakeEncoder
) -> None:
    index(library, photos, encoder, captions=write_captions(tmp_path / "a.csv", TEXTS))
    splits = {"red.png": "dev", "green.png": "dev", "blue.png": "test"}
    index(library, photos, encoder, captions=write_captions(tmp_path / "b.csv", TEXTS, splits))
    with closing(Catalog.open(library)) as catalog:
        for split, n in (("dev", 2), ("test", 1), (None, 3)):
            assert evaluate(catalog, ks=[1], split=split, command="test").n_captions == n
    with closing(CatalogReader.open(library)) as reader:
        assert [count_captions(reader, split) for split in ("dev", "test", None)] == [2, 1, 3]
        listed = [(one.text, one.split) for one in captions_after(reader, 0, 9, "dev")]
    assert listed == [("red", "dev"), ("green", "dev")]


def test_copies_of_a_photo_are_one_in_an_evaluation(
    library: Path, photos: Path, tmp_path: Path, encoder: FakeEncoder
) -> None:
    index(library, photos, encoder, captions=write_captions(photos / "c.csv", TEXTS))
    with closing(Catalog.open(library)) as catalog:
        before = evaluate(catalog, ks=[1], split=None, command="test")
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in photos.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    index(library, copy, encoder, captions=copy / "c.csv")
    assert counted(library) == (6, 0, 6, 6)  # each photo has its own caption
    with closing(Catalog.open(library)) as catalog:
        after = evaluate(catalog, ks=[1], split=None, command="test")
    assert (after.n_images, after.n_captions, after.metrics) == (3, 3, before.metrics)


def test_a_library_of_before_has_each_caption_once_after_the_next_index(
    library: Path, photos: Path, files: list[Path], encoder: FakeEncoder
) -> None:
    for file in files[:2]:
        index(library, photos, encoder, captions=file)
    with closing(sqlite3.connect(library / CATALOG)) as connection:
        # As the migration leaves it: every line a caption, with a vector of its own.
        connection.execute("UPDATE captions SET same_as = NULL")
        connection.execute(
            "INSERT INTO caption_vectors (model_id, caption_id, vector) SELECT v.model_id, d.id, v.vector"
            " FROM captions d JOIN captions c ON c.text = d.text AND c.id < d.id"
            " JOIN caption_vectors v ON v.caption_id = c.id"
        )
        connection.commit()
    assert len(vector_ids(library, CaptionVector)) == 6
    index(library, [], encoder)
    assert counted(library) == (3, 3, 3, 3)
    assert encoder.encoded_texts == 3


def test_a_file_that_cannot_be_read_has_failed_and_is_not_changed(
    library: Path, photos: Path, files: list[Path], encoder: FakeEncoder
) -> None:
    file = files[0]
    index(library, photos, encoder, captions=file)
    file.write_text('image,caption\nred.png,"red\n')
    assert library_status(library)["changes"]["caption_files"] == 1
    report = index(library, [], encoder)
    assert len(report.warnings) == 1
    facts = library_status(library)
    assert facts["changes"]["caption_files"] == 0
    assert "line 2" in facts["caption_files"][0]["failure"]
    assert counted(library) == (3, 0, 3, 3)  # its captions stay
    write_captions(file, {"red.png": "a wall"})
    assert library_status(library)["changes"]["caption_files"] == 1
    index(library, [], encoder)
    assert library_status(library)["caption_files"][0]["failure"] is None
    assert set(captions(library)) == {"a wall"}


def test_no_caption_is_without_its_row(
    library: Path, photos: Path, files: list[Path], encoder: FakeEncoder
) -> None:
    for file in files:
        index(library, photos, encoder, captions=file)
    with closing(Catalog.open(library)) as catalog, catalog.session() as session:
        assert len(session.scalars(select(Caption)).all()) == 9

"""From a caption file and a folder to pairs, with what is missing counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes import write_photo
from twobranch.common.errors import UserError
from twobranch.common.progress import SILENT, Silent
from twobranch.indexer.captionfiles.corpus import read_corpus
from twobranch.train.data import data_fingerprint, training_and_dev


class Warnings(Silent):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def warn(self, message: str) -> None:
        self.lines.append(message)


def corpus_of(tmp_path: Path, rows: list[str]) -> Path:
    path = tmp_path / "captions.csv"
    path.write_text("image,caption,split\n" + "\n".join(rows) + "\n")
    return path


def test_splits_are_kept_apart_and_test_is_never_touched(tmp_path: Path) -> None:
    rows = [
        f"{split}{i}.png,{split} {i}{again},{split}"
        for split in ("train", "val", "test")
        for i in range(2)
        for again in ("", "!")
    ]
    for split in ("train", "val", "test"):
        for i in range(2):
            write_photo(tmp_path / f"{split}{i}.png", "red")
    train, dev = training_and_dev(read_corpus(corpus_of(tmp_path, rows)), tmp_path, seed=0, progress=SILENT)
    assert train.texts == ("train 0", "train 0!", "train 1", "train 1!")
    assert train.items.tolist() == [0, 0, 1, 1]
    assert [photo.name for photo in dev.photos] == ["val0.png", "val1.png"]


def test_without_splits_a_tenth_of_the_images_is_held_out(tmp_path: Path) -> None:
    for i in range(30):
        write_photo(tmp_path / f"{i}.png", "red")
    path = tmp_path / "captions.csv"
    path.write_text("image,caption\n" + "".join(f"{i}.png,photo {i}\n" for i in range(30)))
    train, dev = training_and_dev(read_corpus(path), tmp_path, seed=0, progress=SILENT)
    assert (len(train.photos), len(dev.photos)) == (27, 3)
    assert not set(train.photos) & set(dev.photos)
    again, _ = training_and_dev(read_corpus(path), tmp_path, seed=0, progress=SILENT)
    assert again.photos == train.photos


def test_a_small_corpus_holds_out_two_of_the_photos_that_are_there(tmp_path: Path) -> None:
    for i in range(6):
        write_photo(tmp_path / f"{i}.png", "red")
    path = tmp_path / "captions.csv"  # 40 photos, of which 34 are missing
    path.write_text("image,caption\n" + "".join(f"{i}.png,photo {i}\n" for i in range(40)))
    train, dev = training_and_dev(read_corpus(path), tmp_path, seed=0, progress=SILENT)
    assert (len(train.photos), len(dev.photos)) == (4, 2)


def test_the_fingerprint_tells_what_is_trained_on(tmp_path: Path) -> None:
    for i in range(6):
        write_photo(tmp_path / f"{i}.png", "red")
    rows = [f"{i}.png,photo {i},{'train' if i < 4 else 'dev'}" for i in range(6)]
    parts = training_and_dev(read_corpus(corpus_of(tmp_path, rows)), tmp_path, seed=0, progress=SILENT)
    again = training_and_dev(read_corpus(corpus_of(tmp_path, rows)), tmp_path, seed=0, progress=SILENT)
    assert data_fingerprint(*parts) == data_fingerprint(*again)
    moved = [row.replace("3,train", "3,dev") for row in rows]
    other = training_and_dev(read_corpus(corpus_of(tmp_path, moved)), tmp_path, seed=0, progress=SILENT)
    assert data_fingerprint(*parts) != data_fingerprint(*other)


def test_missing_photos_are_counted_named_and_passed_over(tmp_path: Path) -> None:
    rows = [f"{i}.png,photo {i},{'train' if i < 6 else 'dev'}" for i in range(8)]
    for i in (0, 1, 6, 7):
        write_photo(tmp_path / f"{i}.png", "red")
    warnings = Warnings()
    train, _ = training_and_dev(read_corpus(corpus_of(tmp_path, rows)), tmp_path, seed=0, progress=warnings)
    assert len(train.photos) == 2
    assert warnings.lines == [f"4 images with captions, but not in {tmp_path}: 2.png, 3.png, 4.png, …"]


def test_photos_are_found_in_subfolders_by_their_name(tmp_path: Path) -> None:
    for i in range(4):
        write_photo(tmp_path / "sub" / f"{i}.png", "red")
    rows = [f"{i}.png,photo {i},{'train' if i < 2 else 'dev'}" for i in range(4)]
    train, _ = training_and_dev(read_corpus(corpus_of(tmp_path, rows)), tmp_path, seed=0, progress=SILENT)
    assert train.photos[0] == tmp_path / "sub" / "0.png"


def test_a_corpus_without_a_train_split_is_refused(tmp_path: Path) -> None:
    path = corpus_of(tmp_path, ["a.png,a,test", "b.png,b,dev"])
    with pytest.raises(UserError, match="no train split, only"):
        training_and_dev(read_corpus(path), tmp_path, seed=0, progress=SILENT)


def test_an_empty_split_is_refused(tmp_path: Path) -> None:
    path = corpus_of(tmp_path, ["a.png,a,train", "b.png,b,dev"])
    with pytest.raises(UserError, match="only 0 photos with captions to train on"):
        training_and_dev(read_corpus(path), tmp_path, seed=0, progress=SILENT)

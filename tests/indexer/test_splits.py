"""Which split an image belongs to: what the caption file says, lists beside it, lists that are given."""

from __future__ import annotations

import pytest

from tests.captionfiles import TOKEN, failure, write
from twobranch.common.errors import CaptionFileError
from twobranch.indexer.captionfiles.corpus import CorpusImage, read_corpus


def test_split_column_and_the_names_of_dev(tmp_path):
    path = write(
        tmp_path, "c.csv", "image,caption,split\na.jpg,A dog,Train\nb.jpg,A cat,validation\nc.jpg,x,odd One\n"
    )
    corpus = read_corpus(path)
    assert [caption.split for caption in corpus.captions] == ["train", "dev", "odd One"]
    for name in ("val", "valid", "validation", "dev", "VAL"):
        assert [caption.image for caption in corpus.in_split(name).captions] == ["b.jpg"]
    assert corpus.in_split("dev").images == (CorpusImage("b.jpg", "dev"),)


def test_unknown_split_lists_those_there_are(tmp_path):
    corpus = read_corpus(
        write(tmp_path, "c.csv", "image,caption,split\na.jpg,A dog,train\nb.jpg,A cat,val\n")
    )
    with pytest.raises(CaptionFileError, match=r"c\.csv.*'test'.*train \(1 images\), dev \(1 images\)"):
        corpus.in_split("test")
    with pytest.raises(CaptionFileError, match="has no splits"):
        read_corpus(write(tmp_path, "t.txt", TOKEN)).in_split("train")


def test_an_image_belongs_to_one_split(tmp_path):
    # Otherwise half of its captions train the model that the other half tests.
    path = write(tmp_path, "c.csv", "image,caption,split\na.jpg,A dog,train\na.jpg,Rex,test\n")
    assert "line 3: a.jpg is in split train and in test" in failure(path)


def test_official_lists_beside_the_file(tmp_path):
    path = write(tmp_path, "Flickr8k.token.txt", TOKEN + "c.jpg#0\tA cow\n")
    write(tmp_path, "Flickr_8k.trainImages.txt", "a.jpg\nmissing.jpg\n")
    write(tmp_path, "Flickr_8k.devImages.txt", "b.jpg\n")
    write(tmp_path, "Flickr_8k.testImages.txt", "someone-elses.jpg\n")  # no name matches: ignored
    corpus = read_corpus(path)
    assert corpus.splits == {"train": 2, "dev": 1}
    assert [caption.split for caption in corpus.captions] == ["train", "train", "dev", None]
    assert corpus.images_without_captions == ("missing.jpg",)
    assert corpus.in_split("train").images_without_captions == ("missing.jpg",)


def test_flickr30k_lists_leave_out_the_suffix(tmp_path):
    path = write(tmp_path, "results.token", "10.jpg#0\tA dog\n11.jpg#0\tA cat\n")
    write(tmp_path, "train.txt", "10\n")
    write(tmp_path, "val.txt", "11\n")
    write(tmp_path, "test.txt", b"\0\0 not text")  # nobody said that it is a split list
    assert read_corpus(path).splits == {"train": 1, "dev": 1}


def test_lists_beside_a_file_that_has_splits_are_left_alone(tmp_path):
    path = write(tmp_path, "c.csv", "image,caption,split\na.jpg,A dog,test\n")
    write(tmp_path, "train.txt", "a\n")
    assert read_corpus(path).splits == {"test": 1}


def test_given_lists_win_over_the_file(tmp_path):
    path = write(tmp_path, "c.csv", "image,caption,split\na.jpg,A dog,train\nb.jpg,A cat,train\n")
    lists = {"val": write(tmp_path, "my.txt", "b\n")}
    assert [caption.split for caption in read_corpus(path, lists).captions] == [None, "dev"]


def test_given_list_that_names_no_image(tmp_path):
    path = write(tmp_path, "t.txt", TOKEN)
    other = write(tmp_path, "other.txt", "x.jpg\n")
    message = failure(path, split_lists={"train": other})
    assert "other.txt names no image of" in message
    with pytest.raises(CaptionFileError, match=r"gone\.txt does not exist"):
        read_corpus(path, {"train": tmp_path / "gone.txt"})


def test_lists_that_overlap(tmp_path):
    path = write(tmp_path, "t.txt", TOKEN)
    write(tmp_path, "train.txt", "a\nb\n")
    write(tmp_path, "test.txt", "b\n")
    with pytest.raises(CaptionFileError, match=r"test\.txt: b\.jpg is in split train and in test"):
        read_corpus(path)


def test_split_lists_may_not_lead_out(tmp_path):
    path = write(tmp_path, "t.txt", TOKEN)
    write(tmp_path, "train.txt", "a.jpg\n../b.jpg\n")
    with pytest.raises(CaptionFileError, match=r"train\.txt.*'\.\./b\.jpg' leads out"):
        read_corpus(path)

"""Every caption format as an example, then what a user gets to read when it fails."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.captionfiles import TOKEN, failure, pairs, write
from twobranch.common.errors import CaptionFileError
from twobranch.indexer.captionfiles.corpus import Caption, CorpusImage, read_corpus

REPO = Path(__file__).resolve().parents[2]
FLICKR8K = Path(os.environ.get("TWOBRANCH_FLICKR8K", REPO.parent / "shared" / "flickr8k"))

# --- formats --------------------------------------------------------------------------------------


def test_flickr8k_token(tmp_path):
    corpus = read_corpus(write(tmp_path, "Flickr8k.token.txt", TOKEN))
    assert corpus.format == "flickr8k-token"
    assert corpus.captions == (
        Caption("a.jpg", "A dog .", None),
        Caption("a.jpg", "A brown dog .", None),
        Caption("b.jpg", "Two cats .", None),
    )
    assert corpus.images == (CorpusImage("a.jpg", None), CorpusImage("b.jpg", None))
    assert not corpus.has_splits


def test_token_names_may_hold_a_hash_and_captions_may_hold_anything(tmp_path):
    path = write(tmp_path, "results.token", "no#1.jpg#4\tPlayer #7\t runs\r\n\r\n258.jpg.1#0\tA cat\n")
    assert pairs(path) == [("no#1.jpg", "Player #7 runs"), ("258.jpg.1", "A cat")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_table_with_any_delimiter_case_and_column_order(tmp_path, delimiter):
    text = delimiter.join(["Caption", "id", "File_Name"]) + "\n" + delimiter.join(["A dog", "7", "a.jpg"])
    path = write(tmp_path, "captions.txt", text)
    assert pairs(path) == [("a.jpg", "A dog")]
    assert read_corpus(path).format == ("tsv" if delimiter == "\t" else "csv")


def test_csv_captions_may_be_quoted_over_lines_and_delimiters(tmp_path):
    path = write(tmp_path, "c.csv", 'image,caption\na.jpg,"A dog,\n""Rex"",\truns"\nb.jpg, "Two, cats"\n')
    assert pairs(path) == [("a.jpg", 'A dog, "Rex", runs'), ("b.jpg", "Two, cats")]


def test_flickr30k_results_csv_with_its_one_broken_line(tmp_path):
    path = write(
        tmp_path,
        "results.csv",
        "image_name| comment_number| comment\n"
        '10.jpg| 0| "Two men" and a "dog\n'  # quotes are letters here
        "2199200615.jpg| 4   A dog runs across the grass .\n",
    )
    assert pairs(path) == [
        ("10.jpg", '"Two men" and a "dog'),
        ("2199200615.jpg", "A dog runs across the grass ."),
    ]


def test_tsv_without_quoting_keeps_its_quotes(tmp_path):
    path = write(tmp_path, "c.tsv", 'image\tcaption\na.jpg\t"Stop" sign\nb.jpg\t"open\n')
    assert pairs(path) == [("a.jpg", '"Stop" sign'), ("b.jpg", '"open')]


def test_tsv_without_header(tmp_path):
    path = write(tmp_path, "c.txt", "a.JPG\tA dog\nsub/b.png\tA cat\n")
    assert pairs(path) == [("a.JPG", "A dog"), ("sub/b.png", "A cat")]
    assert read_corpus(path).format == "tsv"


def test_captions_alone_are_a_corpus_without_images(tmp_path):
    # One column has nothing to delimit, so commas need no quotes.
    path = write(tmp_path, "c.csv", "caption\nA dog, running\n\nA cat\n")
    assert pairs(path) == [(None, "A dog, running"), (None, "A cat")]
    assert read_corpus(path).images == ()


def test_the_first_of_two_caption_columns_is_read(tmp_path):
    assert pairs(write(tmp_path, "c.tsv", "caption\tcaption\nA dog\tRex\n")) == [(None, "A dog")]


def test_json_lines(tmp_path):
    path = write(
        tmp_path,
        "c.jsonl",
        '{"image": "a.jpg", "caption": ["A dog", "A  hound"], "split": "val"}\n\n'
        '{"Text": "no image", "other": 1}\n',
    )
    corpus = read_corpus(path)
    assert corpus.format == "jsonl"
    assert corpus.captions == (
        Caption("a.jpg", "A dog", "dev"),
        Caption("a.jpg", "A hound", "dev"),
        Caption(None, "no image", None),
    )


def test_json_list_and_single_object_are_read_like_json_lines(tmp_path):
    entry = {"file": "a.jpg", "sentence": "A dog"}
    for name, content in (("list.json", [entry]), ("one.json", entry)):
        path = write(tmp_path, name, content)
        assert pairs(path) == [("a.jpg", "A dog")]
        assert read_corpus(path).format == "jsonl"


def test_karpathy(tmp_path):
    path = write(
        tmp_path,
        "dataset.json",
        {
            "images": [
                {"filename": "a.jpg", "split": "train", "sentences": [{"raw": "A dog"}, {"raw": "Rex\n"}]},
                {"filename": "b.jpg", "filepath": "val2014", "split": "restval", "sentences": [{"raw": "x"}]},
                {"filename": "c.jpg", "split": "val", "sentences": [{"raw": "A cat"}]},
                {"filename": "d.jpg", "split": "test", "sentences": []},
            ]
        },
    )
    corpus = read_corpus(path)
    assert corpus.format == "karpathy"
    assert [c.text for c in corpus.captions] == ["A dog", "Rex", "x", "A cat"]
    assert corpus.splits == {"train": 1, "restval": 1, "dev": 1, "test": 1}
    assert corpus.images_without_captions == ("d.jpg",)
    # Training on COCO takes in restval, under its own name too.
    assert [c.image for c in corpus.in_split("train").captions] == ["a.jpg", "a.jpg", "val2014/b.jpg"]
    assert [c.image for c in corpus.in_split("restval").captions] == ["val2014/b.jpg"]


def test_coco(tmp_path):
    path = write(
        tmp_path,
        "captions_val2017.json",
        {
            "images": [{"id": 9, "file_name": "9.jpg"}, {"id": 3, "file_name": "3.jpg"}],
            "annotations": [{"image_id": 3, "caption": "A dog"}, {"image_id": 3, "caption": "Rex"}],
        },
    )
    assert read_corpus(path).format == "coco"
    assert pairs(path) == [("3.jpg", "A dog"), ("3.jpg", "Rex")]
    assert read_corpus(path).images_without_captions == ("9.jpg",)


def test_sidecars(tmp_path):
    for name in ("b.JPG", "a.png", "sub/c.webp", "alone.gif"):
        write(tmp_path, name, b"")
    write(tmp_path, "b.txt", "A dog\n\n Rex \n")
    write(tmp_path, "a.caption", "A cat")
    write(tmp_path, "sub/c.TXT", "A cow")
    write(tmp_path, "notes.txt", "belongs to no image")
    corpus = read_corpus(tmp_path)
    assert corpus.format == "sidecar"
    assert pairs(tmp_path) == [
        ("a.png", "A cat"),
        ("b.JPG", "A dog"),
        ("b.JPG", "Rex"),
        ("sub/c.webp", "A cow"),
    ]
    assert corpus.images_without_captions == ("alone.gif",)


def test_the_content_decides_not_the_extension(tmp_path):
    path = write(tmp_path, "captions.csv", '{"image": "a.jpg", "caption": "A dog"}\n{"caption": "A cat"}\n')
    assert pairs(path) == [("a.jpg", "A dog"), (None, "A cat")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings(tmp_path, encoding):
    path = write(tmp_path, "c.csv", "image,caption\na.jpg,Ein Café\n".encode(encoding))
    assert pairs(path) == [("a.jpg", "Ein Café")]


def test_odd_line_separators_inside_a_caption_do_not_break_the_line(tmp_path):
    path = write(tmp_path, "c.txt", "a.jpg#0\tA\u2028dog\x0cruns\n")
    assert pairs(path) == [("a.jpg", "A dog runs")]


def test_captions_longer_than_the_csv_limit(tmp_path):
    # 131,072 characters is the default limit of the csv module.
    path = write(tmp_path, "c.csv", "image,caption\na.jpg," + "x" * 140_000)
    assert len(read_corpus(path).captions[0].text) == 140_000


def test_empty_captions_are_skipped_and_their_image_remembered(tmp_path):
    path = write(tmp_path, "c.txt", "a.jpg#0\t  \na.jpg#1\t\nb.jpg#0\tA cat\n")
    assert pairs(path) == [("b.jpg", "A cat")]
    assert read_corpus(path).images_without_captions == ("a.jpg",)


def test_backslashes_become_slashes(tmp_path):
    assert pairs(write(tmp_path, "c.csv", "image,caption\nsub\\a.jpg,A dog\n")) == [("sub/a.jpg", "A dog")]


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.txt", "\n \n", "is empty"),
        ("photo.csv", b"\x89PNG\0\0", "not a text file"),
        ("odd.txt", b"\xff\xfea", "not a text file"),  # half a UTF-16 character
        ("poem.txt", "\nRoses are red\n", "line 2: no known format: 'Roses are red'"),
        ("quote.txt", '"Roses are red\n', "no known format"),
        ("t.txt", TOKEN + "no tab here\n", "line 4: not name.jpg#0<TAB>caption: 'no tab here'"),
        ("t.tsv", "a.jpg\tA dog\nb\tA cat\n", "line 2: not name.jpg<TAB>caption: 'b\\tA cat'"),
        ("c.csv", "image,caption\na.jpg,A dog, running\n", "line 2: 3 columns where the header has 2"),
        ("c.csv", "image,caption\na.jpg\n", "line 2: 1 columns where the header has 2"),
        ("c.csv", 'image,caption\na.jpg,x\nb.jpg,"A\nc.jpg,y\n', "line 3: a double quote opens here"),
        ("c.csv", "image,caption\n", "holds no captions"),
        ("c.jsonl", '{"caption": "x"}\n{"caption": \n', "line 2: not a JSON object"),
        ("c.jsonl", '{"caption": "x"}\n[1]\n', "line 2: expected a JSON object, found '[1]'"),
        ("c.jsonl", '{"image": "a.jpg"}\n', "line 1: no caption"),
        ("c.jsonl", '{"image": 3, "caption": "x"}\n', "line 1: the image is not a string: '3'"),
        ("cut.json", '{"images": [\n{"filename"', "line 2 column 12"),
        ("deep.json", "[" * 100_000, "not whole JSON"),
        (
            "k.json",
            {"images": [{"filename": "a.jpg", "sentences": [{}]}]},
            'images[0].sentences[0]: no "raw"',
        ),
        ("k.json", {"images": {}}, "images: expected a list of objects"),
        (
            "instances.json",
            {"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [{"image_id": 1, "bbox": []}]},
            'annotations[0]: no "caption"',
        ),
        (
            "coco.json",
            {"images": [], "annotations": [{"image_id": 1, "caption": "x"}]},
            "annotations[0]: image_id 1 is not among the images",
        ),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, name, content, said):
    assert said in failure(write(tmp_path, name, content))


def test_a_long_line_is_shown_in_part(tmp_path):
    message = failure(write(tmp_path, "c.txt", "y" * 5000))
    assert "y" * 80 in message
    assert "y" * 81 not in message


def test_missing_file_and_folder_without_captions(tmp_path):
    assert "does not exist" in failure(tmp_path / "gone.csv")
    write(tmp_path, "a.jpg", b"")
    assert "holds no captions" in failure(tmp_path)


@pytest.mark.parametrize(
    "name", ["../a.jpg", "/etc/a.jpg", "x/../../a.jpg", "C:\\a.jpg", "..\\a.jpg", "a\0.jpg"]
)
def test_image_names_may_not_lead_out(tmp_path, name):
    path = write(tmp_path, "c.jsonl", [{"image": "a.jpg", "caption": "x"}, {"image": name, "caption": "x"}])
    assert "entry 1: image name" in failure(path)


def test_a_colon_in_an_image_name_is_no_drive(tmp_path):
    assert pairs(write(tmp_path, "c.csv", "image,caption\na: cat.jpg,x\n")) == [("a: cat.jpg", "x")]


# Pieces of every format, so that the text often begins like a caption file and then goes wrong.
pieces = st.sampled_from(
    [
        "image",
        "caption",
        "a.jpg",
        "#0",
        "\t",
        ",",
        "|",
        '"',
        "\n",
        " ",
        "{",
        "}",
        "[",
        "]",
        ":",
        '"caption"',
        "é",
    ]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(st.one_of(st.lists(pieces, max_size=30).map(lambda p: "".join(p).encode()), st.binary(max_size=60)))
def test_any_bytes_are_a_corpus_or_a_line_for_the_user(tmp_path, data):
    path = write(tmp_path, "captions.txt", data)
    try:
        corpus = read_corpus(path)
    except CaptionFileError as error:
        assert "\n" not in str(error)
        return
    assert corpus.captions
    assert all(caption.text == " ".join(caption.text.split()) != "" for caption in corpus.captions)


# --- the real thing -------------------------------------------------------------------------------


@pytest.mark.skipif(not FLICKR8K.is_dir(), reason=f"no Flickr8k at {FLICKR8K}: set TWOBRANCH_FLICKR8K")
def test_flickr8k():
    corpus = read_corpus(FLICKR8K / "Flickr8k.token.txt")
    assert (len(corpus.images), len(corpus.captions)) == (7_000, 35_000)
    assert corpus.splits == {"train": 6_000, "dev": 1_000}
    assert corpus.images_without_captions == ()
    assert len(corpus.in_split("val").captions) == 5_000


def test_karpathy_files_may_say_where_photos_are_from_and_what_is_in_them(tmp_path: Path) -> None:
    images = [
        {
            "filename": "a.jpg",
            "split": "val",
            "source": "coco",
            "objects": ["dog", "cat"],
            "sentences": [{"raw": "A dog and a cat.", "kind": "caption"}, {"raw": "pets", "kind": "query"}],
        },
        {"filename": "b.jpg", "objects": [], "sentences": [{"raw": "A street."}]},
    ]
    corpus = read_corpus(write(tmp_path, "dataset.json", json.dumps({"images": images})))
    assert [(image.source, image.objects) for image in corpus.images] == [
        ("coco", ("dog", "cat")),
        (None, None),  # an empty list says that nobody looked
    ]
    assert [caption.kind for caption in corpus.captions] == ["caption", "query", None]
    # Split lists change splits and nothing else.
    (tmp_path / "dev.txt").write_text("b.jpg\n")
    again = read_corpus(tmp_path / "dataset.json", {"dev": tmp_path / "dev.txt"})
    assert [(image.split, image.source) for image in again.images] == [(None, "coco"), ("dev", None)]
    assert again.captions[1].kind == "query"

    images[1]["objects"] = "dog"
    path = write(tmp_path, "wrong.json", json.dumps({"images": images}))
    with pytest.raises(CaptionFileError, match='"objects" is not a list'):
        read_corpus(path)

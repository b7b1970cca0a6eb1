"""Caption files whose header or columns are unusual: read as they are meant, or explained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.captionfiles import failure, pairs, write
from tests.fakes import FakeEncoder
from tests.indexing import captions, index
from twobranch.indexer.captionfiles.corpus import read_corpus

DOG = [("a.jpg", "A dog")]


@pytest.mark.parametrize(
    "text",
    [
        "a.jpg,A dog\n",  # no header
        '"a.jpg","A dog"\n',
        "a.jpg;A dog\n",
        "a.jpg|A dog\n",
        "a.jpg,0,A dog\n",  # numbered, as Flickr30k's
        "17,a.jpg,A dog\n",
        "a.HEIC,A dog\n".replace("HEIC", "jpg"),
        "Image,Caption\na.jpg,A dog\n",
        "Image Path,Alt-Text\na.jpg,A dog\n",
        "id,photo,prompt\n7,a.jpg,A dog\n",
        "img;label\na.jpg;A dog\n",
        "Datei;Beschreibung\na.jpg;A dog\n",
        "foto,bijschrift\na.jpg,A dog\n",  # no known name: by what is in the columns
        "n\tfoto\tbijschrift\n1\ta.jpg\tA dog\n",
        "url,alt\nhttps://photos.example/x/a.jpg?w=300,A dog\n",
        "sep=;\nimage;caption\na.jpg;A dog\n",  # Excel's own hint
        "image;caption;;\na.jpg;A dog;;\n",
        "image;caption\na.jpg;A dog;;\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_table_is_read_as_it_is_meant(tmp_path: Path, text: str, encoding: str) -> None:
    path = tmp_path / "captions.csv"
    path.write_bytes(text.encode(encoding))
    assert pairs(path) == DOG


def test_excel_writes_semicolons_quotes_and_umlauts(tmp_path: Path) -> None:
    text = 'Bild;Bildunterschrift\na.jpg;"Ein Hund; er läuft"\nb.jpg;"Ein ""großer"" Hund"\n'
    path = write(tmp_path, "c.csv", text.encode("cp1252"))
    assert pairs(path) == [("a.jpg", "Ein Hund; er läuft"), ("b.jpg", 'Ein "großer" Hund')]


def test_commas_without_quotes_where_there_is_no_header(tmp_path: Path) -> None:
    path = write(tmp_path, "c.csv", "a.jpg,A dog\nb.jpg,A cat, asleep\n")
    assert pairs(path) == [("a.jpg", "A dog"), ("b.jpg", "A cat,asleep")]


def test_a_header_is_no_caption(tmp_path: Path) -> None:
    # The names are known, so the first line is a header though a cell of it looks like a sentence.
    assert pairs(write(tmp_path, "c.csv", "file,description of it,text\na.jpg,x,A dog\n")) == DOG


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("image,caption,title\na.jpg,A dog,Rex\n", "from the column 'caption', not from 'title'"),
        ("file,who,what\na.jpg,Jo,A dog\n", "from the column 'what', which has the most text"),
        ("a.jpg,0,A dog\n", "it has no header; the photo is column 1, and captions are column 3"),
        ("image,caption\na.jpg,A dog\n", None),
        ('{"image": "a.jpg", "text": "A dog", "title": "Rex"}\n', "from the key 'text', not from 'title'"),
        ('{"image": "a.jpg", "text": "A dog"}\n', None),
    ],
)
def test_which_column_was_taken_is_said(tmp_path: Path, text: str, note: str | None) -> None:
    corpus = read_corpus(write(tmp_path, "c.csv", text))
    assert [(one.image, one.text) for one in corpus.captions] == DOG
    assert (note is None) == (corpus.note is None)
    assert note is None or note in (corpus.note or "")


def test_the_note_is_shown_when_the_file_is_indexed(
    library: Path, photos: Path, encoder: FakeEncoder, capsys: pytest.CaptureFixture[str]
) -> None:
    from twobranch.common.progress import Console

    path = write(photos.parent, "c.csv", "image,caption,title\nred.png,red,Rex\n")
    index(library, photos, encoder, captions=path, progress=Console())
    assert "c.csv: captions are read from the column 'caption', not from 'title'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("c.csv", "a,b\n1,2\n", "line 1: no caption column: found a, b; looked for caption, captions, text"),
        ("c.csv", "foto;wer\nx;y\n", "name the columns of the photo and of the sentence image and caption"),
        ("c.csv", "file,who\nx.jpg,b,some long text\n", "line 2: 3 columns where the header has 2"),
        ("c.csv", "a.jpg,\n", "line 1: a photo without a caption beside it"),
        ("c.csv", "a.jpg,A dog\nnothing,A cat\n", "line 2: no name of a photo in column 1"),
        ("c.csv", "1,a.jpg,A dog\n2,b.jpg\n", "line 2: 2 columns where the first line has 3"),
        ("c.jsonl", '{"image": "a.jpg", "who": "Jo"}\n', "looked for caption, captions, text"),
        ("c.jsonl", '{"image": true, "text": "x"}\n', "the image is not a string: 'True'"),
    ],
)
def test_what_cannot_be_read_is_explained(tmp_path: Path, name: str, text: str, said: str) -> None:
    assert said in failure(write(tmp_path, name, text))


@pytest.mark.parametrize(
    "entry",
    [
        {"file_name": "a.jpg", "annotation": {"caption": "A dog"}},
        {"image": {"file_name": "a.jpg", "width": 3}, "captions": [{"text": "A dog"}]},
        {"Image-URL": "https://photos.example/a.jpg", "sentences": [{"raw": "A dog", "tokens": []}]},
    ],
)
def test_nested_keys(tmp_path: Path, entry: dict) -> None:
    assert pairs(write(tmp_path, "c.jsonl", json.dumps(entry))) == DOG


# --- folders --------------------------------------------------------------------------------------


def test_an_image_folder_of_hugging_face(tmp_path: Path) -> None:
    for name in ("train/a.jpg", "validation/sub/b.jpg", "c.jpg"):
        write(tmp_path, name, b"")
    write(tmp_path, "train/metadata.jsonl", '{"file_name": "a.jpg", "text": "A dog"}\n')
    write(tmp_path, "validation/metadata.csv", "file_name,additional_feature,text\nsub/b.jpg,7,A cat\n")
    corpus = read_corpus(tmp_path)
    assert [(one.image, one.text, one.split) for one in corpus.captions] == [
        ("train/a.jpg", "A dog", "train"),
        ("validation/sub/b.jpg", "A cat", "dev"),
    ]
    assert corpus.images_without_captions == ("c.jpg",)


def test_a_metadata_table_may_not_lead_out_of_its_folder(tmp_path: Path) -> None:
    write(tmp_path, "metadata.csv", "file_name,text\n../a.jpg,A dog\n")
    assert "metadata.csv, line 2: image name" in failure(tmp_path)


def test_metadata_that_cannot_be_read_says_what_can(tmp_path: Path) -> None:
    write(tmp_path, "metadata.parquet", b"PAR1")
    assert "write it as metadata.csv" in failure(tmp_path)


def test_json_beside_photos_as_webdataset_has_it(tmp_path: Path) -> None:
    for name in ("0001.jpg", "0002.jpg", "0003.jpg", "0004.jpg"):
        write(tmp_path, name, b"")
    write(tmp_path, "0001.json", {"caption": "A dog", "url": "https://photos.example/x.jpg"})
    write(tmp_path, "0002.txt", "A cat")
    write(tmp_path, "0002.json", {"caption": "not this one", "key": "0002"})
    write(tmp_path, "0003.json", {"shapes": [{"label": "dog"}]})  # about something else
    write(tmp_path, "0004.json", "{no JSON")
    assert pairs(tmp_path) == [("0001.jpg", "A dog"), ("0002.jpg", "A cat")]


# --- ids ------------------------------------------------------------------------------------------


def test_languages_side_by_side_as_in_multi30k(library: Path, tmp_path: Path, encoder: FakeEncoder) -> None:
    from tests.fakes import write_photos

    write_photos(tmp_path / "p", {"1000092795_ab12.png": "red", "10002456.png": "green"})
    text = "flickr_id\ten\tde\n1000092795\ta dog\tein Hund\n10002456\ta cat\teine Katze\n"
    path = write(tmp_path, "parallel.tsv", text)
    assert read_corpus(path).note == "captions are read from the columns of languages: en, de"
    index(library, tmp_path / "p", encoder, captions=path)
    assert captions(library) == {
        "a dog": "p/1000092795_ab12.png",
        "ein Hund": "p/1000092795_ab12.png",
        "a cat": "p/10002456.png",
        "eine Katze": "p/10002456.png",
    }


def test_a_quote_that_opens_a_cell_is_a_letter_where_nothing_else_fits(tmp_path: Path) -> None:
    # As line 7066 of Multi30K's: read with quoting, the two cells would be one.
    path = write(tmp_path, "c.tsv", 'image\tcaption\tde\na.jpg\t"A dog\t"ein" Hund\nb.jpg\t"A\tx"\n')
    assert pairs(path) == [("a.jpg", '"A dog'), ("b.jpg", '"A')]


def test_numbers_of_photos_as_in_results_for_coco(
    library: Path, tmp_path: Path, encoder: FakeEncoder
) -> None:
    from tests.fakes import write_photos

    write_photos(tmp_path / "p", {"COCO_val2014_000000000042.png": "red", "IMG_0007.png": "green"})
    rows = [{"image_id": 42, "caption": "a dog"}, {"image_id": 7, "caption": "a cat"}]
    index(library, tmp_path / "p", encoder, captions=write(tmp_path, "results.json", rows))
    # A camera's number is no id: every camera has an IMG_0007.
    assert captions(library) == {"a dog": "p/COCO_val2014_000000000042.png", "a cat": None}

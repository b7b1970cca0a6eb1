"""What words add to recall, over photos whose answers can be computed by eye."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from tests.fakes import FakeEncoder, write_photos
from twobranch.common.errors import UserError
from twobranch.indexer.catalog.tables import Catalog
from twobranch.indexer.update.library import update_library
from twobranch.retrieval.evaluation.fused import WordTable, compare, compare_fused
from twobranch.retrieval.evaluation.pairs import Pairs


def pairs(items: list[int]) -> Pairs:
    """Captions of these items, in this order."""
    each = np.unique(items)
    return Pairs(np.arange(len(items)), np.array(items), each, each, None, np.arange(len(items)))


def ranks(texts: list[str], items: list[int], names: dict[int, str]) -> list[int]:
    """The fused rank of each caption's photo when all photos look the same; ties count against it."""
    alike = np.ones((len(texts), 1), np.float32), np.ones((len(set(items)), 1), np.float32)
    return compare(*alike, pairs(items), texts, names).fused.tolist()


def test_a_caption_does_not_find_itself() -> None:
    # Nothing but the very captions that are asked for has their words: each photo is as likely as the other.
    assert ranks(["zebra", "giraffe"], [7, 9], {}) == [2, 2]


def test_the_photos_other_captions_find_it() -> None:
    texts = ["a zebra runs", "one zebra", "a giraffe", "the tall giraffe"]
    assert ranks(texts, [7, 7, 9, 9], {}) == [1, 1, 1, 1]


def test_another_photos_captions_are_there() -> None:
    # The name of photo 7 says zebra; so does the caption of photo 9, which is then as likely.
    assert ranks(["zebra", "giraffe"], [7, 9], {7: "zebra"}) == [1, 2]
    assert ranks(["zebra", "zebra grass"], [7, 9], {7: "zebra"}) == [2, 2]


def test_a_text_in_other_words_order_or_number_does_not_find_it() -> None:
    # As the photo's other captions, and as those of another photo.
    for again in ("A zebra runs.", "zebras runs", "runs, the zebra"):
        assert ranks(["a zebra runs", again, "a giraffe", "grass"], [7, 7, 9, 9], {})[0] == 2
        assert ranks(["a zebra runs", again, "grass"], [7, 9, 8], {})[0] == 3
    # "zebra" and "zebra runs" have one word of two in common: not nearly the same.
    assert ranks(["a zebra runs", "a zebra", "a giraffe", "grass"], [7, 7, 9, 9], {})[0] == 1


def test_names_find_photos() -> None:
    assert ranks(["zebra", "giraffe"], [7, 9], {7: "zebra 2019"}) == [1, 2]


def test_a_word_is_read_as_the_library_reads_it() -> None:
    table = WordTable(["Zürich", "ZURICH", "Bern"], np.array([0, 0, 1]))
    assert table.photos("zürich").tolist() == [0]
    assert table.photos("bern", np.array([2])).tolist() == []
    assert table.photos("zurich", np.array([0])).tolist() == [0]  # the other text has it too
    assert table.photos("zurich", np.array([0, 1, 2])).tolist() == []


def test_it_is_measured_on_what_was_indexed(library: Path, tmp_path: Path, encoder: FakeEncoder) -> None:
    # By colour both are alike to every caption; Oslo/a.png is found by its folder.
    write_photos(tmp_path / "album", {"Oslo/a.png": "red", "x/b.png": "red"})
    with (tmp_path / "album/x/b.png").open("ab") as file:
        file.write(b"another file: copies of a photo would be one")
    captions = tmp_path / "captions.tsv"
    captions.write_text("image\tcaption\na.png\toslo harbour\nb.png\tgrass\n")
    update_library(library, [tmp_path / "album"], encoder, captions=captions)
    with closing(Catalog.open(library)) as catalog:
        (result,) = compare_fused(catalog, (), ks=[1], split=None)
    # Ties count against the photo: none of two is first by the eye; by words one of them is.
    assert result == {
        "visual": {"R@1": 0, "median_rank": 2, "mean_rank": 2},
        "fused": {"R@1": 50, "median_rank": 1.5, "mean_rank": 1.5},
    }


def test_a_library_without_words_says_what_to_do(library: Path, photos: Path, encoder: FakeEncoder) -> None:
    captions = photos.parent / "captions.tsv"
    captions.write_text("image\tcaption\nred.png\tred\n")
    update_library(library, [photos], encoder, captions=captions)
    with closing(Catalog.open(library)) as catalog:
        with catalog.session() as session:
            session.connection().exec_driver_sql("DROP TABLE words")
        with pytest.raises(UserError, match="run `index` again"):
            compare_fused(catalog, (), ks=[1], split=None)

"""Filters match letters of every alphabet whatever their case, and a literal name matches itself alone."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from tests.fakes import FakeEncoder, write_photos
from twobranch.indexer.catalog.filters import Filters, literal
from twobranch.indexer.catalog.photo_facts import photo_file
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.update.library import update_library


def let_through(library: Path, pattern: str) -> list[str]:
    """The paths below the folder of photos that a pattern lets through."""
    with closing(CatalogReader.open(library)) as reader:
        ids = reader.matching("images", 1, Filters(paths=(pattern,))).tolist()
        files = [photo_file(reader, photo) for photo in reader.images_of_vectors(ids).values()]
        return sorted(file.file.path for file in files if file is not None)


@pytest.mark.parametrize("pattern", ["Été", "été", "ÉTÉ", "é*", "Ét[eé]"])
def test_letters_that_are_not_ascii(
    pattern: str, library: Path, tmp_path: Path, encoder: FakeEncoder
) -> None:
    """SQLite's ``lower`` leaves them as they are: ``--path Été`` found no folder ``Été``."""
    write_photos(tmp_path / "photos", {"Été/a.png": "red", "ete/b.png": "red"})
    update_library(library, [tmp_path / "photos"], encoder)
    assert let_through(library, pattern) == ["Été/a.png"]


@pytest.mark.parametrize("name", ["[!2019] trip", "what?", "a*b", "x]y", "**", "Ä[b]"])
def test_a_literal_name_is_no_pattern(name: str, library: Path, tmp_path: Path, encoder: FakeEncoder) -> None:
    write_photos(
        tmp_path / "photos",
        {f"{name}/a.png": "red", "2 trip/b.png": "red", "whats/c.png": "red", "acb/d.png": "red"},
    )
    update_library(library, [tmp_path / "photos"], encoder)
    assert let_through(library, literal(name)) == [f"{name}/a.png"]


def test_a_name_that_is_not_utf_8(library: Path, tmp_path: Path, encoder: FakeEncoder) -> None:
    """As a shell hands it over; it was a crash."""
    write_photos(tmp_path / "photos", {"caf\udce9/a.png": "red", "cafs/b.png": "red", "cafes/c.png": "red"})
    update_library(library, [tmp_path / "photos"], encoder)
    assert "caf\udce9/a.png" in let_through(library, "caf\udce9")
    assert "cafes/c.png" not in let_through(library, "caf\udce9")

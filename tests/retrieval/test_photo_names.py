"""Photos of the library, named in a query by their file names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes import FakeEncoder, write_photos
from twobranch.common.errors import UserError
from twobranch.indexer.update.library import update_library
from twobranch.retrieval.engine import SearchEngine
from twobranch.retrieval.photo_names import listed
from twobranch.retrieval.query import Query
from twobranch.retrieval.request import SearchRequest
from twobranch.retrieval.terms import PhotoTerm


@pytest.fixture
def engine(library: Path, tmp_path: Path, encoder: FakeEncoder) -> Iterator[SearchEngine]:
    """Three photos of one name in two cases; a blue one in a folder whose name ends like a photo's."""
    write_photos(
        tmp_path / "photos",
        {
            "a/IMG_1.JPG": "red",
            "b/IMG_1.JPG": "green",
            "c/img_1.jpg": "blue",
            "pages.png/IMG_22.png": "blue",
            "pages.png/pages.png": "green",
            "c/caf\u00e9_[2].png": "green",
        },
    )
    update_library(library, [tmp_path / "photos"], encoder)
    with SearchEngine.open(library, load=lambda model: encoder) as engine:  # type: ignore[arg-type,return-value]
        yield engine


def photo(engine: SearchEngine, *words: str) -> PhotoTerm:
    """The photo that the words name."""
    (term,) = engine.answer(SearchRequest(words)).query.terms
    assert isinstance(term, PhotoTerm)
    return term


@pytest.mark.parametrize(
    ("name", "path", "n_namesakes"),
    [
        ("IMG_1.JPG", "a/IMG_1.JPG", 2),
        ("img_1.jpg", "c/img_1.jpg", 2),  # the same case comes first
        ("Img_1.Jpg", "a/IMG_1.JPG", 2),
        ("b/img_1.jpg", "b/IMG_1.JPG", 0),
        ("photos/c/IMG_1.JPG", "c/img_1.jpg", 0),
        ("CAFE\u0301_[2].PNG", "c/caf\u00e9_[2].png", 0),  # as macOS writes it; the brackets are no pattern
    ],
)
def test_a_file_name_finds_the_photo(
    engine: SearchEngine, tmp_path: Path, name: str, path: str, n_namesakes: int
) -> None:
    term = photo(engine, name)
    assert (term.path, len(term.namesakes)) == (tmp_path / "photos" / path, n_namesakes)


def test_its_stored_vector_is_searched_with(
    engine: SearchEngine, tmp_path: Path, encoder: FakeEncoder
) -> None:
    (tmp_path / "photos" / "b" / "IMG_1.JPG").unlink()  # or on a drive that is away
    encoded = encoder.encoded_images
    answer = engine.answer(SearchRequest(("b/img_1.jpg", "-", "blue")))
    assert answer.hits[0].path == tmp_path / "photos" / "c" / "caf\u00e9_[2].png"
    assert encoder.encoded_images == encoded
    assert all(
        hit.path != tmp_path / "photos" / "b" / "IMG_1.JPG" for hit in answer.hits
    )  # as any photo asked for
    assert str(answer.query) == f"{tmp_path / 'photos' / 'b' / 'IMG_1.JPG'} - blue"
    assert Query.from_json(json.loads(json.dumps(answer.query.as_json()))) == answer.query
    assert engine.search("b/img_1.jpg")[0].path == answer.hits[0].path  # in Python, too


def test_a_file_here_comes_first(
    engine: SearchEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_photos(tmp_path / "here", {"IMG_1.JPG": "blue"})
    monkeypatch.chdir(tmp_path / "here")
    assert photo(engine, "IMG_1.JPG") == PhotoTerm(Path("IMG_1.JPG"))
    for path in ("./img_22.png", str(tmp_path / "IMG_22.png")):  # these are paths, not names
        with pytest.raises(UserError, match=r"no such photo$"):
            engine.answer(SearchRequest((path,)))


def test_no_such_name_is_said_with_names_that_contain_it(engine: SearchEngine, tmp_path: Path) -> None:
    there = tmp_path / "photos" / "pages.png" / "IMG_22.png"
    with pytest.raises(UserError) as error:
        engine.answer(SearchRequest(("IMG_22.jpg",)))
    assert str(error.value) == f"IMG_22.jpg: no such photo, here or in the library, which has {there}"
    for name in ("none.jpg", "1.png"):  # the second is too short to suggest names
        with pytest.raises(UserError, match=f"^{name}: no such photo, here or in the library$"):
            engine.answer(SearchRequest((name,)))


def test_a_folder_of_that_name_is_no_photo(engine: SearchEngine, tmp_path: Path) -> None:
    term = photo(engine, "pages.png")
    assert (term.path.parent.name, term.path.name, term.namesakes) == ("pages.png", "pages.png", ())


def test_over_http_a_name_is_words(engine: SearchEngine) -> None:
    with pytest.raises(UserError, match="knows no word"):
        engine.answer(SearchRequest(("IMG_1.JPG",), files=False))


def test_a_list_of_paths_fits_in_a_line() -> None:
    assert listed([Path("a"), Path("b")]) == "a, b"
    assert listed([Path("abcde"[at]) for at in range(5)]) == "a, b, c and 2 more"

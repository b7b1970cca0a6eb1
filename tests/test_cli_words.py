"""The command line end to end: photos found by what is written beside them."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import ExifTags, Image

from tests.test_cli import run, run_json
from tests.wheelphotos import wheel_photo

# Where each photograph lies; the cat has a keyword as well.
ALBUMS = {
    "chelsea.png": "Germany 2019/IMG_0001.png",
    "coffee.png": "Germany 2019/IMG_0002.png",
    "rocket.jpg": "Italy 2018/IMG_0003.jpg",
    "astronaut.png": "Italy 2018/LaunchDay.png",
    "motorcycle_left.png": "IMG_20190704_garage.png",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with five real photographs in albums, and captions for two, indexed."""
    place = tmp_path_factory.mktemp("place")
    for name, to in ALBUMS.items():
        target = place / "photos" / to
        target.parent.mkdir(parents=True, exist_ok=True)
        exif = Image.Exif()
        if name == "chelsea.png":
            exif[ExifTags.Base.XPKeywords] = "Mimi;sunrize\0".encode("utf-16-le")
        with Image.open(wheel_photo(name)) as image:
            image.save(target, exif=exif)
    (place / "captions.tsv").write_text(
        "image\tcaption\n"
        "LaunchDay.png\tA smiling woman in an orange space suit .\n"
        "LaunchDay.png\tPortrait of an astronaut in orange .\n"
        "IMG_0002.png\tA cup of coffee with a spoon .\n"
        "IMG_0002.png\tBlack coffee in a cup .\n"
    )
    run("index", "photos", "--captions", "captions.tsv", cwd=place)
    return place


def found(place: Path, *arguments: str) -> list[tuple[str, list[str]]]:
    """The paths below ``photos`` of the hits, best first, each with the fields that matched."""
    hits = run_json("search", *arguments, cwd=place)["hits"]
    return [(Path(hit["path"]).relative_to(place / "photos").as_posix(), hit["matched"]) for hit in hits]


def test_a_folder_and_what_is_in_the_picture_go_together(place: Path) -> None:
    hits = found(place, "germany 2019 cat", "--no-dates")
    assert hits[:2] == [("Germany 2019/IMG_0001.png", ["folder"]), ("Germany 2019/IMG_0002.png", ["folder"])]
    # "2019" is in the date of a name as well: IMG_20190704.
    assert ("IMG_20190704_garage.png", ["name"]) in hits
    assert len(hits) == len(ALBUMS)  # the others follow
    # As a date "2019" leaves them out. These photos pass by their names, whose words count as before.
    assert found(place, "germany 2019 cat") == hits[:3]


@pytest.mark.parametrize(
    ("query", "path", "field"),
    [
        ("mimi", "Germany 2019/IMG_0001.png", "keywords"),
        ("launch day", "Italy 2018/LaunchDay.png", "name"),
        ("launched days", "Italy 2018/LaunchDay.png", "name"),
        ("garage july 2019", "IMG_20190704_garage.png", "name"),
        ("smiling astronaut", "Italy 2018/LaunchDay.png", "captions"),
    ],
)
def test_each_kind_of_words_is_found(place: Path, query: str, path: str, field: str) -> None:
    first, fields = found(place, query)[0]
    assert first == path
    assert field in fields


def test_the_order_is_by_score_and_words(place: Path) -> None:
    hits = run_json("search", "a woman in italy", cwd=place)["hits"]
    keys = [hit["score"] + (hit["words"] or 0) for hit in hits]
    assert keys == sorted(keys, reverse=True)
    assert {hit["words"] is None for hit in hits} == {True, False}
    visual = {
        hit["path"]: hit["score"]
        for hit in run_json("search", "a woman in italy", "--visual-only", cwd=place)["hits"]
    }
    assert {hit["path"]: hit["score"] for hit in hits} == pytest.approx(
        visual, abs=1e-6
    )  # scores stay scores


def test_visual_only_leaves_words_aside(place: Path) -> None:
    hits = run_json("search", "--visual-only", "germany 2019 cat", cwd=place)["hits"]
    assert all(hit["words"] is None and hit["matched"] == [] for hit in hits)
    scores = [hit["score"] for hit in hits]
    assert scores == sorted(scores, reverse=True)
    # Where no word is found, that is what a search gives anyway.
    assert found(place, "zebras") == found(place, "zebras", "--visual-only")


def test_words_only_lists_what_has_the_words(place: Path) -> None:
    assert sorted(found(place, "--words-only", "italy")) == [
        ("Italy 2018/IMG_0003.jpg", ["folder"]),
        ("Italy 2018/LaunchDay.png", ["folder"]),
    ]
    assert found(place, "--words-only", "zebras") == []


def test_the_table_names_the_fields(place: Path) -> None:
    lines = run("search", "mimi", "-k", "2", cwd=place).stdout.splitlines()
    assert lines[0].split() == ["rank", "score", "confidence", "date", "matched", "path"]
    assert "keywords" in lines[1] and "keywords" not in lines[2]
    assert "matched" not in run("search", "zebras", cwd=place).stdout


def test_an_album_asked_for_by_name_matches_well(place: Path) -> None:
    assert run_json("search", "italy 2018", cwd=place)["matches_well"] is True


def test_a_word_of_the_library_is_no_mistake(place: Path) -> None:
    # "sunrize" would be put right; but that is what somebody called the cat.
    by_words = run("search", "sunrize", "--json", cwd=place)
    assert "searching for" not in by_words.stderr
    assert '"matched": [\n        "keywords"\n      ]' in by_words.stdout
    assert "searching for 'sunrise'" in run("search", "sunrize", "--visual-only", cwd=place).stderr


def test_filters_hold_for_words_too(place: Path) -> None:
    hits = found(place, "germany 2019 cat", "--path", "*.jpg")
    assert hits == [("Italy 2018/IMG_0003.jpg", [])]
    assert found(place, "germany 2019", "--words-only", "--path", "*0002.png") == [
        ("Germany 2019/IMG_0002.png", ["folder"])
    ]


def test_options_that_make_no_sense_together(place: Path) -> None:
    both = run("search", "italy", "--words-only", "--visual-only", cwd=place, code=1)
    assert "use one of them" in both.stderr
    photo = run("search", "./photos/IMG_20190704_garage.png", "--words-only", cwd=place, code=1)
    assert "--words-only finds photos by a sentence" in photo.stderr
    captions = run("search", "italy", "--words-only", "--in", "captions", cwd=place, code=1)
    assert "--words-only finds photos by a sentence" in captions.stderr


def test_eval_fused_shows_both_side_by_side(place: Path) -> None:
    result = run_json("eval", "--fused", "--recall", "1,2", cwd=place)
    # Two photos; each caption has a word of its photo's other one (orange; coffee and cup).
    assert result["fused"]["fused"] == {"R@1": 100, "R@2": 100, "median_rank": 1, "mean_rank": 1}
    assert result["fused"]["visual"]["R@1"] == result["text_to_image"]["R@1"]
    table = run("eval", "--fused", cwd=place).stdout.splitlines()
    assert [line.split("  ")[0] for line in table[-2:]] == ["by pixels", "by pixels and words"]
    assert "fused" not in run_json("eval", cwd=place)

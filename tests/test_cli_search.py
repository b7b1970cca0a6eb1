"""The query language, as it is typed: the real program on real photos."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import ExifTags, Image

from tests.test_cli import place, run, run_json  # noqa: F401 (place is a fixture)


@pytest.fixture(scope="module")
def album(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    """A library over a motorcycle, a cup of coffee and a rocket; the coffee's EXIF tells when, where and with
    what it was taken."""
    folder = tmp_path_factory.mktemp("album")
    (folder / "home").mkdir()
    (folder / "space").mkdir()
    for name, target in (("motorcycle_left", "home/bike.png"), ("rocket", "space/rocket.jpg")):
        source = next((place / "photos").glob(f"{name}.*"), None)
        if source is None:
            pytest.skip(f"{name} is not among the photos of this test")
        Image.open(source).save(folder / target)
    exif = Image.Exif()
    exif[ExifTags.Base.Model] = "Pixel 7"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2023:07:04 12:00:00"
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    gps[ExifTags.GPS.GPSLatitudeRef], gps[ExifTags.GPS.GPSLongitudeRef] = "N", "E"
    gps[ExifTags.GPS.GPSLatitude], gps[ExifTags.GPS.GPSLongitude] = (48.0, 51.0, 0.0), (2.0, 21.0, 0.0)
    Image.open(place / "photos" / "coffee.png").convert("RGB").save(
        folder / "home/coffee.jpg", exif=exif, quality=95
    )
    run("index", "home", "space", cwd=folder)
    return folder


def found(*arguments: object, cwd: Path) -> list[str]:
    return [Path(hit["path"]).stem for hit in run_json("search", *arguments, cwd=cwd)["hits"]]


def test_arithmetic(album: Path) -> None:
    assert found("a cup of coffee", cwd=album)[0] == "coffee"
    assert found("a cup of coffee", "+", "3:a motorcycle", cwd=album)[0] == "bike"
    assert found("a cup of coffee", "--plus", "3:a motorcycle", cwd=album)[0] == "bike"
    both = run_json("search", "a motorcycle", "+", "a cup of coffee", "-", "a rocket", cwd=album)
    assert both["query"] == "a motorcycle + a cup of coffee - a rocket"
    assert Path(both["hits"][-1]["path"]).stem == "rocket"
    assert both["hits"][0]["confidence"] is None  # what a mixed score means, nobody has measured
    assert found("a motorcycle", "--minus", "a rocket", cwd=album)[-1] == "rocket"


def test_an_unknown_place_is_one_line(album: Path) -> None:
    for option in ("--place", "--near"):
        result = run("search", option, "Lisbn", cwd=album, code=1)
        assert result.stderr.startswith("error: 'Lisbn': no place of this name is known; did you mean Lisbon")
        assert result.stderr.count("\n") == 1


def test_hits_say_their_places(album: Path) -> None:
    hits = run_json("search", "a cup of coffee", cwd=album)["hits"]
    assert {Path(hit["path"]).stem: hit["place"] for hit in hits} == {
        "coffee": "Paris, France",
        "bike": None,
        "rocket": None,
    }


def test_a_byte_that_is_not_utf_8_and_a_word_without_end(album: Path) -> None:
    answer = run_json("search", "a motorcycle \udce9", cwd=album)
    assert (answer["query"], Path(answer["hits"][0]["path"]).stem) == ("a motorcycle \ufffd", "bike")
    assert "has no words" in run("search", "\udce9", cwd=album).stderr
    scores = run("similarity", "home/bike.png", "a motorcycle \udce9", "~nobody has this name", cwd=album)
    assert scores.stdout.startswith("a motorcycle \ufffd:\n")
    result = run("search", "a" * 100_000, cwd=album, code=1)
    assert result.stderr.startswith("error: a query of 100,000 characters")
    assert result.stderr.count("\n") == 1 and len(result.stderr) < 120


def test_a_split_whose_name_is_not_utf_8(album: Path, tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("image,caption\nbike.png,a motorcycle\n")
    run("--library", tmp_path / "lib", "index", album / "home", "--captions", tmp_path / "c.csv",
        "--split", "de\udce9", cwd=album)  # fmt: skip
    answer = run_json("--library", tmp_path / "lib", "eval", "--split", "de\ufffd", cwd=album)
    assert answer["n_captions"] == 1


def test_photos_of_the_query_are_not_among_its_hits(album: Path) -> None:
    assert found("./home/bike.png", "+", "2:a cup of coffee", cwd=album) == ["coffee", "rocket"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--after", "2023-06", "--before", "2023-07-05"), ["coffee"]),
        (("--day", "7-4"), ["coffee"]),
        (("--day", "today"), None),
        (("--path", "space/**"), ["rocket"]),
        (("--not-path", "home"), ["rocket"]),
        (("--camera", "Pixel*"), ["coffee"]),
        (("--near", "48.85,2.35", "--within", "2km"), ["coffee"]),
        (("--near", "48.85,2.35", "--within", "500m"), ["coffee"]),
        (("--near", "48.9,2.35"), ["coffee"]),  # 5.6 km away; 10 km unless told otherwise
        (("--near", "40,2.35"), []),
        (("--near", "Paris", "--within", "2km"), ["coffee"]),
        (("--place", "Paris, France"), ["coffee"]),
        (("--place", "Japan", "--place", "Frankreich"), ["coffee"]),
        (("--place", "Paris, Texas"), []),
        (("--landscape", "--format", "png"), ["bike"]),
        (("--portrait", "--square"), None),
        (("--within", "2km"), None),
        (("--min-size", "100MP"), []),
        (("--after", "2023", "--before", "2022"), None),
    ],
)
def test_filters(album: Path, options: tuple[str, ...], expected: list[str] | None) -> None:
    if expected is None:
        assert run("search", "a motorcycle", *options, cwd=album, code=1).stderr.startswith("error: ")
        return
    assert found("a motorcycle", *options, cwd=album) == expected
    if not expected:
        assert "no photo is let through" in run("search", "a motorcycle", *options, cwd=album).stderr


def test_filters_alone_list_the_newest_first(album: Path) -> None:
    # The files of the other two are newer than the coffee's date.
    hits = run_json("search", "--path", "home", cwd=album)["hits"]
    assert [Path(hit["path"]).stem for hit in hits] == ["bike", "coffee"]
    assert [hit["score"] for hit in hits] == [None, None]
    assert run("search", "--path", "home", "-k", "1", "--paths", cwd=album).stdout.endswith("bike.png\n")


def test_sorting_by_date_leaves_out_what_does_not_match(album: Path) -> None:
    assert found("a cup of coffee", "--sort", "date", cwd=album) == ["coffee"]
    assert found("a cup of coffee", "--sort", "size", cwd=album) == ["coffee"]
    assert found("--path", "*", "--sort", "folder", cwd=album) == ["bike", "coffee", "rocket"]  # home, space


def test_words_for_dates_are_a_filter_that_is_said(album: Path) -> None:
    said = run("search", "a cup of coffee in summer 2023", cwd=album)
    assert (
        "dates: in summer 2023 = 2023-06-01 to 2023-09-01; --no-dates searches for the words" in said.stderr
    )
    assert found("a cup of coffee in summer 2023", cwd=album) == ["coffee"]
    assert found("july 2023", cwd=album) == ["coffee"]
    assert len(found("a cup of coffee in summer 2023", "--no-dates", cwd=album)) == 3
    assert "no photo is of these dates" in run("search", "coffee 1999", cwd=album).stderr
    assert len(found("coffee 1999", cwd=album)) == 3


def test_the_last_search_keeps_its_dates(album: Path) -> None:
    assert found("a cup of coffee in summer 2023", cwd=album) == ["coffee"]
    again = run_json("search", "--like", "1", "--path", "home", cwd=album)
    assert (len(again["hits"]), again["dates"]["words"]) == (1, "in summer 2023")
    without = run_json("search", "--last", "--no-dates", cwd=album)
    assert (without["query"], without["dates"]) == ("a cup of coffee in summer 2023", None)


def test_the_table_marks_the_dates_of_files(album: Path) -> None:
    rows = run("search", "a motorcycle", cwd=album).stdout.splitlines()[1:]
    assert {row.split("/")[-1]: "(file)" in row for row in rows} == {
        "bike.png": True, "rocket.jpg": True, "coffee.jpg": False,
    }  # fmt: skip


def test_feedback_and_the_last_search(album: Path) -> None:
    first = found("a rocket", cwd=album)
    assert first[0] == "rocket"
    assert found("--last", cwd=album) == first
    liked = found("--like", first.index("bike") + 1, "--unlike", "1", cwd=album)
    assert liked.index("bike") < first.index("bike") or liked[0] == "bike"
    assert found("--last", cwd=album) == liked  # feedback adds up
    assert "there is no hit 9" in run("search", "--like", "9", cwd=album, code=1).stderr
    assert found("--last", "--path", "home", cwd=album)[0] in ("bike", "coffee")


def test_nothing_was_searched_for_yet(album: Path, tmp_path: Path) -> None:
    shutil.copytree(album / ".twobranch", tmp_path / ".twobranch")
    (tmp_path / ".twobranch" / "last-search.json").unlink(missing_ok=True)
    assert "search first" in run("search", "--last", cwd=tmp_path, code=1).stderr
    (tmp_path / ".twobranch" / "last-search.json").write_text('{"query": 3}')
    assert "cannot be read" in run("search", "--like", "1", cwd=tmp_path, code=1).stderr


def test_mistyped_words(album: Path) -> None:
    result = run("search", "a cup of coffe beens", "--paths", cwd=album)
    assert "searching for 'coffee' instead of 'coffe' (write Coffe to keep it)" in result.stderr
    assert Path(result.stdout.splitlines()[0]).stem == "coffee"
    said = run("search", "a hourse", cwd=album).stderr
    assert "'hourse': did you mean horse or house or course?" in said
    assert "instead" not in run("search", "a Coffe", cwd=album).stderr

"""Ratings, favourites, albums, saved searches and sidecars, as they are typed."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs

import pytest

from tests.fakes import write_photos
from tests.test_cli import run, run_json


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a library over red.png, green.png, blue.png, and two photos with one name."""
    folder = tmp_path_factory.mktemp("collections")
    write_photos(
        folder / "photos",
        {
            "red.png": "red",
            "green.png": (0, 255, 0),
            "blue.png": "blue",
            "a/same.png": (9, 90, 90),
            "b/same.png": (90, 9, 90),
        },
    )
    run("index", "photos", cwd=folder)
    return folder


def found(folder: Path, *arguments: str) -> list[str]:
    hits = run_json("search", *arguments, "--no-fold", cwd=folder)["hits"]
    return sorted(Path(hit["path"]).relative_to(folder / "photos").as_posix() for hit in hits)


def error(folder: Path, *arguments: str, code: int = 1) -> str:
    return run(*arguments, cwd=folder, code=code).stderr


def test_photos_are_named_by_path_by_folder_by_name_and_by_hit(folder: Path) -> None:
    assert run("rate", "4", "photos/red.png", "photos/a", "green.png", cwd=folder).stdout == (
        f"4 stars: {folder}/photos/red.png, {folder}/photos/a/same.png, {folder}/photos/green.png\n"
    )
    assert found(folder, "--rating", "4") == ["a/same.png", "green.png", "red.png"]
    first = run_json("search", "--path", "blue.png", cwd=folder)["hits"][0]["path"]
    assert run_json("rate", "5", "1", cwd=folder) == {"rating": 5, "photos": [first]}
    assert found(folder, "--rating", "5") == ["blue.png"]
    assert found(folder, "--rating", "0") == ["b/same.png"]
    assert run("rate", "0", "photos", cwd=folder).stdout.startswith("no rating any more: ")
    assert found(folder, "--rating", "1+") == []


def test_photos_that_are_not_meant(folder: Path) -> None:
    run("search", "--path", "blue.png", cwd=folder)
    (folder / "new.png").write_bytes((folder / "photos/red.png").read_bytes())
    assert error(folder, "rate", "4", "same.png") == (
        "error: same.png: is the name of several photos; give the path: "
        f"{folder}/photos/a/same.png, {folder}/photos/b/same.png\n"
    )
    assert error(folder, "rate", "4", "7") == "error: there is no hit 7: the last search had 1\n"
    assert error(folder, "rate", "4", "new.png").endswith("not in the library; `index new.png` adds it\n")
    assert "no such photo" in error(folder, "rate", "4", "nowhere.png")
    assert error(folder, "rate", "4", "red.png", "").startswith("error: one of the photos is an empty text")
    assert "not in the range" in error(folder, "rate", "6", "1", code=2)
    assert error(folder, "search", "--rating", "6").startswith("error: '6' is no rating; write 4 for")
    assert found(folder, "--rating", "1+") == []


def test_favourites(folder: Path) -> None:
    run("favourite", "photos/red.png", "photos/blue.png", cwd=folder)
    run("favourite", "--remove", "blue.png", cwd=folder)
    assert found(folder, "--favourite") == ["red.png"]
    assert len(found(folder, "--no-favourite")) == 4
    table = run("search", "--favourite", cwd=folder).stdout.splitlines()
    assert table[0].split() == ["rank", "score", "date", "rating", "path"]
    assert "favourite" in table[1]


def test_an_album(folder: Path) -> None:
    assert run("album", cwd=folder).stdout == "no albums yet; `album add NAME PHOTO…` makes one\n"
    run("album", "add", "Rome", "blue.png", "photos/red.png", cwd=folder)
    added = run_json("album", "add", "rome", "green.png", "blue.png", cwd=folder)
    assert (added["name"], added["photos"], added["added"], added["is_new"]) == ("Rome", 3, 1, False)
    names = [Path(line).name for line in run("album", "show", "Rome", cwd=folder).stdout.splitlines()]
    assert names == ["blue.png", "red.png", "green.png"]
    assert found(folder, "--album", "ROME") == ["blue.png", "green.png", "red.png"]
    assert error(folder, "search", "--album", "Rom") == "error: there is no album 'Rom'; there is Rome\n"
    removed = run_json("album", "remove", "Rome", "green.png", cwd=folder)
    assert (removed["photos"], removed["removed"]) == (2, 1)
    assert run("album", "rename", "Rome", " Roma\n", cwd=folder).stdout == "Rome is Roma now\n"
    assert run("album", cwd=folder).stdout.splitlines()[1].split() == ["2", "Roma"]
    deleted = run("album", "delete", "Roma", cwd=folder).stdout
    assert deleted == "deleted the album Roma; its photos stay in the library\n"


def test_a_saved_search(folder: Path) -> None:
    saved = run("search", "red", "--path", "photos", "--no-fold", "-k", "1", "--save", "reds", cwd=folder)
    assert "saved; `search --saved 'reds'` runs it again" in saved.stderr
    assert run_json("searches", cwd=folder)["searches"][0]["query"] == "q=red&path=photos&fold=false"
    again = run_json("search", "--saved", "Reds", cwd=folder)
    assert (again["query"], len(again["hits"])) == ("red", 5)
    assert "leave the query and the filters out" in error(folder, "search", "--saved", "reds", "dog", code=2)
    assert error(folder, "search", "red", "--save", "REDS") == (
        "error: there is 'reds' already; choose another name\n"
    )
    assert "cannot be saved" in error(folder, "search", "./photos/red.png", "--save", "x")
    run("searches", "rename", "reds", "red things", cwd=folder)
    run("searches", "delete", "red things", cwd=folder)
    assert run("searches", cwd=folder).stdout.startswith("no saved searches yet")


def test_all_options_of_a_saved_search_are_saved(folder: Path) -> None:
    options = {
        "after": "2001", "before": "2100-01", "day": "02-29", "path": "photos", "not-path": "raw",
        "camera": "P", "place": "Paris, France", "near": "48.8,2.3", "within": "5km", "min-size": "2MP",
        "format": "png", "rating": "0", "in": "captions", "sort": "date", "language": "de",
    }  # fmt: skip
    flags = ("--portrait", "--no-favourite", "--no-fold", "--no-dates", "--visual-only")
    given = [word for name, value in options.items() for word in (f"--{name}", value)]
    run("search", "ein Hund", *given, *flags, "--save", "everything", cwd=folder)
    query = run_json("searches", cwd=folder)["searches"][0]["query"]
    run("searches", "delete", "everything", cwd=folder)
    wanted = {name.replace("-", "_"): [value] for name, value in options.items()}
    wanted |= {"q": ["ein Hund"], "shape": ["portrait"], "ranking": ["visual"]}
    assert parse_qs(query) == wanted | {key: ["false"] for key in ("favourite", "fold", "dates")}


def test_sidecars(folder: Path) -> None:
    run("rate", "3", "red.png", cwd=folder)
    assert run("xmp", "export", "red.png", "--out", "backup", cwd=folder).stdout == "wrote 1 sidecar\n"
    run("rate", "1", "red.png", cwd=folder)
    assert run_json("xmp", "import", "--from", "backup", cwd=folder)["ratings"] == 1
    assert found(folder, "--rating", "3") == ["red.png"]
    assert not list((folder / "photos").rglob("*.xmp"))
    (folder / "photos/blue.png.xmp").write_text("<a/>")
    result = run("xmp", "import", cwd=folder, code=1)
    assert result.stderr.splitlines()[-2:] == [
        f"warning: {folder}/photos/blue.png.xmp: is not XMP",
        "error: 1 sidecar was not read",
    ]

"""Which library a command uses, and how it says so, end to end."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.fakes import write_photo, write_photos
from tests.test_cli import run, run_json


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.skipif(sys.platform != "linux", reason="the cache folder is elsewhere")
def test_photos_are_found_from_inside_their_folder(tmp_path: Path, cache: Path) -> None:
    photo = write_photo(tmp_path / "photos/a/red.png", "red")
    (tmp_path / "data").mkdir()
    run("index", "../photos", cwd=tmp_path / "data")
    assert len(list(cache.rglob("*"))) == 3  # twobranch/libraries/NAME
    library, inside = tmp_path / "data/.twobranch", tmp_path / "photos/a"
    found = run("search", "red", "--paths", cwd=inside)
    assert found.stdout == f"{photo}\n"
    assert found.stderr == f"using the library {library}, which holds this folder\n"
    assert run("--quiet", "search", "red", "--paths", cwd=inside).stderr == ""
    assert run("search", "--help", cwd=inside).stderr == ""
    write_photo(inside / "blue.png", "blue")
    assert run_json("index", cwd=inside)["added"] == 1
    (library / "config.toml").write_text("[search]\ntop = 1\n")
    assert len(run_json("search", "red", cwd=inside)["hits"]) == 1
    assert not list((tmp_path / "photos").rglob(".*"))


def test_photos_that_leave_the_folder_of_their_library_still_find_it(tmp_path: Path) -> None:
    write_photo(tmp_path / "home/photos/red.png", "red")
    run("index", "photos", cwd=tmp_path / "home")
    (tmp_path / "home/photos").rename(tmp_path / "drive")
    run("relocate", "photos", "../drive", cwd=tmp_path / "home")
    found = run("search", "red", "--paths", cwd=tmp_path / "drive")
    assert found.stdout == f"{tmp_path / 'drive/red.png'}\n"


def test_a_folder_that_joins_a_library_above_says_so(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos", {"red.png": "red", "sub/blue.png": "blue"})
    assert "belongs to" not in run("index", ".", cwd=tmp_path / "photos").stderr
    sub, library = tmp_path / "photos/sub", tmp_path / "photos/.twobranch"
    joined = run("index", ".", cwd=sub).stderr
    assert joined.startswith(f"this folder belongs to the library {library}; ")
    assert "for one of its own, index with `--library .twobranch`" in joined
    assert "belongs to" not in run("index", cwd=sub).stderr
    own = run("index", ".", "--library", ".twobranch", cwd=sub)
    assert "belongs to" not in own.stderr
    assert run_json("status", cwd=sub)["library"] == str(sub / ".twobranch")


def test_the_folder_around_a_library_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_photos(tmp_path / "photos", {"red.png": "red", "blue.png": "blue"})
    run("index", ".", cwd=tmp_path / "photos")
    (tmp_path / "photos/.twobranch/config.toml").write_text("[search]\ntop = 1\n")
    named = run_json("--library", "photos", "search", "red", cwd=tmp_path)
    assert len(named["hits"]) == 1  # as config.toml says
    run("index", "photos", "--library", "photos/", cwd=tmp_path)
    assert not (tmp_path / "photos/catalog.sqlite").exists()
    for command in ("status", "doctor", "vacuum"):
        assert run_json(command, "--library", "photos", cwd=tmp_path)["library"].endswith("photos/.twobranch")

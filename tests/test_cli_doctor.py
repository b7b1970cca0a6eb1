"""``doctor`` through the command line, with the shipped model, in processes of its own."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.test_cli import SHOWN, run, run_json
from tests.wheelphotos import wheel_photo


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("doctor")
    (place / "photos").mkdir()
    for name in SHOWN:
        shutil.copy(wheel_photo(name), place / "photos")
    run("index", "photos", cwd=place)
    return place


@pytest.fixture
def place(indexed: Path, tmp_path: Path) -> Path:
    """A folder with a library to be damaged; the photos lie elsewhere."""
    shutil.copytree(indexed / ".twobranch", tmp_path / ".twobranch")
    return tmp_path


def test_a_sound_library(place: Path) -> None:
    files = sorted((place / ".twobranch").iterdir())
    before = [hashlib.sha256(path.read_bytes()).digest() for path in files]
    answer = run_json("doctor", cwd=place)
    assert answer["sound"] is True
    assert [check["part"] for check in answer["checks"] if check["fine"]] == [
        "lock",
        "catalogue",
        "words",
        "vectors",
        "index of images",
        "index of captions",
        "model",
        "leftovers",
    ]
    assert sorted((place / ".twobranch").iterdir()) == files
    assert [hashlib.sha256(path.read_bytes()).digest() for path in files] == before


def test_a_damaged_catalogue_is_recognised_salvaged_and_completed(place: Path) -> None:
    library = place / ".twobranch"
    hits = run_json("search", "a motorcycle", cwd=place)["hits"]
    catalog = library / "catalog.sqlite"
    with closing(sqlite3.connect(catalog)) as connection:
        # The page where the index over content hashes begins: no row is in it, and all of them can be read.
        query = "SELECT rootpage FROM sqlite_master WHERE name = 'ix_images_content_hash'"
        ((page,),) = connection.execute(query)
    data = bytearray(catalog.read_bytes())
    data[(page - 1) * 16384 : page * 16384] = os.urandom(16384)
    catalog.write_bytes(data)

    assert "`doctor --repair` saves what can be read" in run("index", cwd=place, code=1).stderr
    shown = run("doctor", cwd=place, code=1).stdout
    assert "catalogue  wrong  damaged: " in shown and "repair: copies what can be read" in shown
    assert catalog.read_bytes() == data
    shown = run("doctor", "--repair", cwd=place).stdout
    assert "mended" in shown and "5 images, 5 image_vectors; lost nothing" in shown
    assert (library / "catalog.sqlite.damaged-1").read_bytes() == data
    assert run_json("search", "a motorcycle", cwd=place)["hits"] == hits
    report = run_json("index", cwd=place)
    assert (report["unchanged"], report["encoded"]) == (5, 0)
    assert run_json("doctor", cwd=place)["sound"] is True


@pytest.mark.parametrize(
    ("damage", "command"),
    [
        ("UPDATE settings SET value = '[' WHERE key = 'last_index'", ("status",)),
        ("UPDATE settings SET value = '[' WHERE key = 'folders'", ("index",)),
        ("UPDATE images SET taken_at = 'never'", ("search", "a motorcycle")),
    ],
)
def test_a_value_that_no_program_wrote_is_damage_and_no_defect(
    place: Path, damage: str, command: tuple[str, ...]
) -> None:
    """SQLite reads what is in a column, whatever that is, and a command fails on it somewhere."""
    with closing(sqlite3.connect(place / ".twobranch" / "catalog.sqlite")) as connection:
        connection.execute(damage)
        connection.commit()
    said = run(*command, cwd=place, code=1).stderr
    assert said.startswith("error: ") and said.count("\n") == 1
    assert "`doctor --repair` saves what can be read" in said


def test_what_only_a_person_can_mend_is_an_error_still(place: Path, indexed: Path) -> None:
    model = place / "model"
    shutil.copytree(Path(__file__).parent.parent / "embedding" / "models" / "default", model)
    run("index", indexed / "photos", "--model", model, cwd=place)
    (model / "text.onnx").write_bytes((model / "text.onnx").read_bytes()[:-1] + b"?")
    assert "text.onnx: not the file" in run("index", cwd=place, code=1).stderr
    answer = run("doctor", "--repair", cwd=place, code=1).stdout
    assert "text.onnx: not the file this model was saved with" in answer

"""Models with wrong insides through every command that loads one, in processes of its own, and the server."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

pytest.importorskip("onnx")

from tests.fakes import write_photo
from tests.indexing import write_captions
from tests.smallmodel import calibration, seal, text_tower, write_model
from tests.test_cli import run, run_json
from twobranch.embedding.encoder import Encoder
from twobranch.server.app import create_app
from twobranch.server.settings import Settings


def of_one_pixel(model: Path) -> None:
    seal(model, image_size=1)


def swapped(model: Path) -> None:
    shutil.copy(model / "text.onnx", model / "image.onnx")
    seal(model)


def of_large_vectors(model: Path) -> None:
    seal(model, dim=10**9)


def without_rows(model: Path) -> None:
    text_tower(model, rows=4)
    seal(model)


def without_tokenizer(model: Path) -> None:
    (model / "tokenizer.json").write_text("{}")
    seal(model)


def of_another_bank(model: Path) -> None:
    calibration(model, images__rows=np.zeros((4, 5), np.int8))
    seal(model)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Three photos, captions of them, and a model that is right."""
    for color in ("red", "green", "blue"):
        write_photo(tmp_path / "photos" / f"{color}.png", color)
    write_captions(tmp_path / "captions.csv", {"red.png": "red", "green.png": "green", "blue.png": "blue"})
    write_model(tmp_path / "model")
    return tmp_path


def complaint(place: Path, *argv: str) -> str:
    """The only line that a command says, and it is an error."""
    result = run("--quiet", *argv, cwd=place, code=1)  # on a busy machine there may be lines of progress
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    return line


WRONG: dict[Callable[[Path], None], str] = {
    of_one_pixel: r"image\.onnx: takes pixels of any x 8 x 8 x 3 rather than any x 1 x 1 x 3",
    swapped: r"image\.onnx: takes input_ids, attention_mask rather than pixels",
    of_large_vectors: r"config\.json: damaged \(dim is 1000000000, not from 1 to 65,536\)",
    without_rows: r"text\.onnx: fails on input_ids of .* \(from tokenizer\.json\)",
    without_tokenizer: r"tokenizer\.json: the tokenizer cannot be used",
}


@pytest.mark.parametrize("change", WRONG)
def test_a_new_model_is_refused_before_the_library_depends_on_it(
    place: Path, change: Callable[[Path], None]
) -> None:
    good = shutil.copytree(place / "model", place / "good")
    change(place / "model")
    said = complaint(place, "index", "photos", "--model", "model")
    assert re.search(f"{place / 'model'}/{WRONG[change]}", said), said
    said = complaint(place, "similarity", "photos", "red", "--model", "model")
    assert re.search(f"{place / 'model'}/{WRONG[change]}", said), said
    assert run_json("index", "photos", "--model", str(good), cwd=place)["added"] == 3
    hits = run_json("search", "red", cwd=place)["hits"]
    assert Path(hits[0]["path"]).name == "red.png"
    with closing(sqlite3.connect(place / ".twobranch" / "catalog.sqlite")) as connection:
        assert connection.execute("SELECT name FROM models").fetchall() == [(str(good),)]


@pytest.fixture
def indexed(place: Path) -> Callable[[Callable[[Path], None]], Path]:
    """A library that was indexed with the model as it is after a change."""

    def with_change(change: Callable[[Path], None]) -> Path:
        run("index", "photos", "--captions", "captions.csv", "--model", "model", cwd=place)
        change(place / "model")
        if change is not of_large_vectors:
            fingerprint = Encoder.load(place / "model").fingerprint
            with closing(sqlite3.connect(place / ".twobranch" / "catalog.sqlite")) as connection, connection:
                connection.execute("UPDATE models SET fingerprint = ?", [fingerprint])
        write_photo(place / "photos" / "rose.png", (200, 0, 40))
        return place

    return with_change


# For each change what each command says; "" where it needs nothing that is wrong.
@pytest.mark.parametrize(
    ("change", "file", "commands"),
    [
        (of_one_pixel, "image.onnx", "photo index"),
        (swapped, "image.onnx", "photo index"),
        (of_large_vectors, "config.json", "words photo index eval"),
        (without_rows, "text.onnx", "words"),
        (without_tokenizer, "tokenizer.json", "words"),
        (of_another_bank, "calibration.npz", "words photo"),
    ],
)
def test_every_command_with_the_model_of_a_library(
    indexed: Callable[[Callable[[Path], None]], Path],
    change: Callable[[Path], None],
    file: str,
    commands: str,
) -> None:
    place = indexed(change)
    named = f"{place / 'model' / file}: "
    for name, argv in {
        "words": ("search", "red", "--visual-only"),
        "photo": ("search", "./photos/rose.png"),
        "index": ("index",),
        "eval": ("eval", "--recall", "1"),
        "status": ("status",),
        "models": ("models",),
    }.items():
        if name in commands.split():
            assert named in complaint(place, *argv), name
        else:
            run(*argv, cwd=place)
    checks = json.loads(run("doctor", "--json", cwd=place, code=1).stdout)["checks"]
    assert [check["part"] for check in checks if not check["fine"]] == ["model"]
    assert named in next(check["found"] for check in checks if not check["fine"])


@pytest.mark.parametrize("change", [of_one_pixel, without_rows, without_tokenizer, of_another_bank])
def test_a_server_says_it_and_goes_on(
    indexed: Callable[[Callable[[Path], None]], Path], change: Callable[[Path], None]
) -> None:
    place = indexed(change)
    with TestClient(create_app(Settings(place / ".twobranch")), "http://127.0.0.1") as client:
        picture = (place / "photos" / "rose.png").read_bytes()
        answers = [
            client.get("/api/search", params={"q": "red", "ranking": "visual"}),
            client.post("/api/search", files={"file": ("a.png", picture)}),
        ]
        wrong = [answer for answer in answers if answer.status_code != 200]
        assert wrong
        for answer in wrong:
            assert answer.status_code == 503
            assert re.search(
                r"model/(image\.onnx|text\.onnx|tokenizer\.json|calibration\.npz): ", answer.json()["error"]
            )
        assert client.get("/api/status").status_code == 200
        assert client.get("/api/photos/1").status_code == 200

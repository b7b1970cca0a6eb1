"""Several models in one library on the command line, with model folders of some kilobytes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fakes import write_photos

pytest.importorskip("onnx")
from tests.smallmodel import image_tower, seal, write_model
from tests.test_cli import run, run_json


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Three photos with captions, indexed with the model ``one`` in 8 bits; ``two`` has no such tower."""
    write_photos(tmp_path / "photos", {"red.png": "red", "green.png": "lime", "blue.png": "blue"})
    (tmp_path / "c.csv").write_text("image,caption\nred.png,red\ngreen.png,a green\nblue.png,blue blue\n")
    write_model(tmp_path / "one")
    image_tower(tmp_path / "one", "image-int8.onnx")
    seal(tmp_path / "one")
    write_model(tmp_path / "two")
    seal(tmp_path / "two", preset="another")  # other bytes are other weights
    run("index", "photos", "--captions", "c.csv", "--model", "one", "--int8", cwd=tmp_path)
    return tmp_path


def test_there_and_back_again(place: Path) -> None:
    there = run("index", "--model", "two", "--json", cwd=place)
    assert json.loads(there.stdout)["encoded"] == 3
    assert (json.loads(there.stdout)["int8"]) is False  # `two` has no tower for that
    assert f"`forget --model '{place / 'one'} --int8'` drops them" in there.stderr
    back = run_json("index", "--model", "one", cwd=place)
    assert (back["encoded"], back["int8"]) == (0, True)  # as its vectors are
    assert run_json("index", cwd=place)["encoded"] == 0


def test_eval_of_two_models(place: Path) -> None:
    run("index", "--model", "two", cwd=place)
    alone = run_json("eval", "--recall", "1", cwd=place)
    both = run_json("eval", "--recall", "1", "--model", "one", "--model", "two", cwd=place)
    assert [(one["model"], one["int8"]) for one in both["models"]] == [
        (str(place / "one"), True),
        (str(place / "two"), False),
    ]
    assert both["models"][1] == alone == run_json("eval", "--recall", "1", "--model", "two", cwd=place)
    (difference,) = both["differences"]
    assert (difference["rsum"], difference["rsum_ci95"]) == (0, [0, 0])  # the same towers
    assert len(run_json("eval", "--history", cwd=place)) == 4

    shown = run("eval", "--model", "one", "--model", "two", "--fused", "--plot", "r.png", cwd=place).stdout
    assert shown.count("    difference") == 3
    assert shown.count("by pixels and words") == 2
    assert (place / "r.png").exists()


def test_a_model_without_vectors(place: Path) -> None:
    said = run("eval", "--model", "one", "--model", "two", cwd=place, code=1).stderr
    assert said.splitlines()[-1].endswith(
        f"two: the library has no vectors of this model (it has those of {place / 'one'} --int8); "
        "encode its photos with `index --model two`"
    )


def test_forgetting_a_model(place: Path) -> None:
    run("index", "--model", "two", cwd=place)
    shown = run("status", "--no-scan", cwd=place).stdout
    assert f"{place / 'two'}, in use: 3 photos, 3 captions" in shown
    assert "searches use this model" in run("forget", "--model", "two", cwd=place, code=1).stderr
    assert run_json("forget", "--model", "one", cwd=place) == {
        "forgotten_models": [
            {"model": str(place / "one"), "tta": False, "int8": True, "photos": 3, "captions": 3}
        ]
    }
    assert [one["model"] for one in run_json("status", cwd=place)["models"]] == [str(place / "two")]
    assert run_json("search", "red", cwd=place)["hits"][0]["path"] == str(place / "photos" / "red.png")
    for arguments in ((), ("photos", "--model", "two")):
        assert "name paths, or models" in run("forget", *arguments, cwd=place, code=2).stderr

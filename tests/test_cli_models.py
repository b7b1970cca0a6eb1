"""``models``: another project's model from its folder to hits, in processes of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("onnx")

from tests.fakes import write_photo
from tests.immichexport import export_to_immich
from tests.indexing import write_captions
from tests.smallmodel import write_model
from tests.test_cli import run, run_json
from tests.wheelphotos import wheel_photo
from twobranch.embedding.model_folder import SHIPPED_MODELS

PHOTOS = ("coffee.png", "rocket.jpg", "chelsea.png", "astronaut.png", "motorcycle_left.png")
QUERIES = ("a cup of coffee", "a cat", "a rocket at night", "a woman in an orange suit")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Three photos, captions of them, and an Immich export of a small model."""
    monkeypatch.setenv("TWOBRANCH_MODELS", str(tmp_path / "models"))
    for color in ("red", "green", "blue"):
        write_photo(tmp_path / "photos" / f"{color}.png", color)
    write_captions(tmp_path / "captions.csv", {"red.png": "red", "green.png": "green", "blue.png": "blue"})
    export_to_immich(write_model(tmp_path / "ours"), tmp_path / "ViT-B-1__made-up", length=8)
    return tmp_path


def test_a_model_is_added_listed_used_and_removed(place: Path) -> None:
    added = run("models", "add", "ViT-B-1__made-up", "--name", "small", cwd=place)
    assert "added small: 4 numbers a vector" in added.stdout
    assert "use it with: twobranch index --model small" in added.stdout
    listed = {model["name"]: model for model in run_json("models", cwd=place)}
    assert set(listed) == {"default", "small"}
    assert listed["small"]["folder"] == str(place / "models/small")
    assert "\nspeed: " in added.stdout
    assert listed["small"]["cost"]["image_int8"]["photos_per_s"] > 0  # so it has an 8-bit tower

    run("index", "photos", "--captions", "captions.csv", "--model", "small", cwd=place)
    assert run_json("status", cwd=place)["model"] == "small"
    hits = run_json("search", "green", cwd=place)["hits"]
    assert Path(hits[0]["path"]).name == "green.png"
    assert run_json("eval", cwd=place)["rsum"] == 600
    lacking = run("where", "photos/red.png", "red", "--model", "small", cwd=place, code=1)
    assert "this model gives no cells" in lacking.stderr

    assert run("models", "remove", "small", cwd=place).stdout == f"removed {place / 'models/small'}\n"
    assert "small: no such model" in run("search", "green", cwd=place, code=1).stderr
    gone = run("index", cwd=place, code=1).stderr
    assert "this library's model is gone (small: no such model" in gone
    assert "change to another one with `index --model NAME`" in gone
    assert "small (gone: put it back, or change to another one" in run("status", cwd=place).stdout
    run("index", "--model", "default", cwd=place)


def test_a_name_is_needed_where_there_is_one_of_that_name(place: Path) -> None:
    run("models", "add", "ViT-B-1__made-up", cwd=place)
    result = run("models", "add", "ViT-B-1__made-up", cwd=place, code=1)
    assert "there is a model of this name; choose another with --name" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("package", "source", "extra"),
    [
        ("onnx", "ViT-B-1__made-up", "models"),
        ("huggingface_hub", "some-people/a-model", "models"),
        ("open_clip", "clip", "train"),
    ],
)
def test_a_missing_package_is_one_line_with_its_extra(
    place: Path, monkeypatch: pytest.MonkeyPatch, package: str, source: str, extra: str
) -> None:
    (place / "clip").mkdir()
    (place / "clip/open_clip_config.json").write_text("{}")
    (place / "blocked").mkdir()
    (place / f"blocked/{package}.py").write_text(f"raise ModuleNotFoundError('no', name={package!r})")
    monkeypatch.setenv("PYTHONPATH", str(place / "blocked"))
    result = run("models", "add", source, cwd=place, code=1)
    (line,) = result.stderr.splitlines()
    assert line.endswith(f"[{extra}]'")
    assert run("models", cwd=place).stdout.startswith("model")
    assert "no added model" in run("models", "remove", "x", cwd=place, code=1).stderr


def test_what_is_no_model_is_one_line(place: Path) -> None:
    result = run("models", "add", "photos", cwd=place, code=1)
    assert "photos: not a model that can be added; it has neither visual/ and textual/" in result.stderr
    assert not (place / "models").exists() or list((place / "models").iterdir()) == []


@pytest.mark.parametrize(
    ("source", "said"),
    {
        "photos/red.png": "photos/red.png: not a folder; give the folder of the model",
        "./nothing": "./nothing: no such folder",
        "../no/such/model": "../no/such/model: no such folder",
        "no/such/model": "no/such/model: no such folder",
        "~/no-such-model": "~/no-such-model: no such folder",
        "": "'': no such folder",
    }.items(),
)
def test_a_path_without_a_model_asks_no_network(place: Path, source: str, said: str) -> None:
    result = run("models", "add", source, "--yes", cwd=place, code=1)
    assert result.stderr.startswith(f"error: {said}")
    assert result.stderr.count("\n") == 1


def test_a_name_that_cannot_be_one_says_how_to_give_another(place: Path) -> None:
    (place / "ViT-B-1__made-up").rename(place / "my model")
    result = run("models", "add", "my model", cwd=place, code=1)
    said = "'my model': not a name for a model; give one of letters, digits, '.', '_' and '-' with --name"
    assert said in result.stderr
    assert "'': not a name" in run("models", "add", "my model", "--name", "", cwd=place, code=1).stderr


def test_the_shipped_model_is_the_same_after_a_detour_through_immich(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real weights and photos: exported, added, indexed. The same hits, with scores within 0.01."""
    photos = [wheel_photo(name) for name in PHOTOS]
    monkeypatch.setenv("TWOBRANCH_MODELS", str(tmp_path / "models"))
    export_to_immich(SHIPPED_MODELS / "default", tmp_path / "export")
    run("models", "add", "export", "--name", "detour", cwd=tmp_path)
    answers = {}
    for model in ("default", "detour"):
        (tmp_path / model).mkdir()
        run("index", *photos, "--model", model, cwd=tmp_path / model)
        answers[model] = [run_json("search", query, cwd=tmp_path / model)["hits"] for query in QUERIES]
    for before, after in zip(answers["default"], answers["detour"], strict=True):
        assert [hit["path"] for hit in before] == [hit["path"] for hit in after]
        assert [hit["score"] for hit in after] == pytest.approx([hit["score"] for hit in before], abs=0.01)

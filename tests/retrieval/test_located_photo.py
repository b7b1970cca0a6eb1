"""``twobranch.where``: one photo and phrases, and its picture in a notebook."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

pytest.importorskip("onnx")

import twobranch
from tests.smallmodel import add_cells, calibration, seal, write_model
from twobranch.common.errors import ImageError, ModelError, UserError
from twobranch.retrieval import located_photo


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos are their mean colour, and so are their 8 x 8 pixels as cells."""
    folder = write_model(tmp_path_factory.mktemp("models") / "small")
    add_cells(folder)
    return folder


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A blue photo, red in its left half."""
    image = Image.new("RGB", (80, 40), "blue")
    ImageDraw.Draw(image).rectangle((0, 0, 39, 39), fill="red")
    image.save(tmp_path / "a.png")
    return tmp_path / "a.png"


def test_where_is_a_public_name(photo: Path, model: Path) -> None:
    assert "where" in twobranch.__all__
    found = twobranch.where(photo, "red", " a  dog ", model=model)
    assert (found.width, found.height, found.photo) == (80, 40, photo)
    red, dog = found.phrases
    assert (red.phrase, dog.phrase) == ("red", "a dog")
    left, top, right, bottom = red.regions[0].box
    assert (left, top, bottom) == (0, 0, 40) and abs(right - 40) <= 8
    assert red.regions[0].confidence > 0.9 and dog.regions == ()
    assert found.unknown_words == () and "unknown_words" not in found.as_json()
    assert twobranch.where(photo, "red xyzzy", model=model).unknown_words == ("xyzzy",)


def test_a_photo_may_be_given_as_text_or_bytes(
    photo: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photo.parent)
    named = twobranch.where("a.png", "red", model=str(model))
    given = twobranch.where(photo.read_bytes(), "red", model=model)
    assert named.as_json()["path"] == str(photo)
    assert given.as_json() == {**named.as_json(), "path": None}
    assert len(repr(given)) < 5000  # without the photo's bytes


def test_the_model_is_loaded_once_until_it_changes(photo: Path, model: Path, tmp_path: Path) -> None:
    located_photo._loaded.cache_clear()
    for _ in range(2):
        twobranch.where(photo, "red", model=model)
    assert located_photo._loaded.cache_info().misses == 1
    copy = write_model(tmp_path / "model")
    add_cells(copy)
    twobranch.where(photo, "red", model=copy)
    calibration(copy, images__rows=np.zeros((4, 4), np.int8))
    seal(copy)
    twobranch.where(photo, "red", model=copy)
    assert located_photo._loaded.cache_info().misses == 3


def test_mistakes_are_named(photo: Path, model: Path, tmp_path: Path) -> None:
    for phrases in ((), ("",), ("red", "  ")):
        with pytest.raises(UserError, match="no phrase to look for"):
            twobranch.where(photo, *phrases, model=model)
    with pytest.raises(UserError, match="knows no word of this query: xyzzy"):
        twobranch.where(photo, "red", "xyzzy", model=model)
    with pytest.raises(UserError, match="reads English only"):
        twobranch.where(photo, "red", model=model, language="de")
    with pytest.raises(ImageError, match=r"b\.png: no such file"):
        twobranch.where(tmp_path / "b.png", "red", model=model)
    with pytest.raises(ModelError, match=r"none: no such model"):
        twobranch.where(photo, "red", model="none")
    plain = write_model(tmp_path / "plain")
    with pytest.raises(ModelError, match=r"plain: this model gives no cells, so .* use the default model"):
        twobranch.where(photo, "red", model=plain)


def test_a_notebook_shows_each_phrase(photo: Path, model: Path) -> None:
    found = twobranch.where(photo, "red", "dog", model=model)
    html = found._repr_html_()
    pictures = [
        Image.open(io.BytesIO(base64.b64decode(data)))
        for data in re.findall(r"data:image/jpeg;base64,([^\"]*)", html)
    ]
    assert [picture.size for picture in pictures] == [(80, 40)] * 2
    hot, cold = (picture.convert("RGB").getpixel((12, 30)) for picture in pictures)
    assert isinstance(hot, tuple) and isinstance(cold, tuple)
    assert hot[1] > 150 and cold[1] < 60  # the pale yellow of heat, and dimmed red
    assert "<b><bdi>dog</bdi></b><br>nothing in this photo fits" in html
    given = twobranch.where(photo.read_bytes(), "red", model=model)
    assert given._repr_html_().count("<img") == 1
    photo.unlink()
    assert found._repr_html_() == "<p>no such file</p>"


def test_a_phrase_stays_text_in_a_notebook(photo: Path, model: Path) -> None:
    html = twobranch.where(photo, 'red <script>"\udce9', model=model)._repr_html_()
    assert "<script>" not in html and "red &lt;script&gt;&quot;\ufffd" in html

"""The cells of a photo: the second output of an image tower, and what is said of one that does not fit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.fakes import write_photo
from tests.smallmodel import DIM, SIZE, add_cells, seal, write_model
from twobranch.common.errors import ImageError, ModelError
from twobranch.embedding.cell_scale import CellScale
from twobranch.embedding.encoder import Encoder
from twobranch.embedding.model_folder import fingerprint


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = write_model(tmp_path / "model")
    add_cells(folder)
    return folder


def test_cells_are_unit_vectors_in_the_space_of_sentences(model: Path, tmp_path: Path) -> None:
    photo = Image.new("RGB", (SIZE, SIZE), "blue")
    photo.paste("red", (0, 0, SIZE, 2))  # the first two of eight rows
    encoder = Encoder.load(model, verify=True)
    cells = encoder.encode_cells([photo, write_photo(tmp_path / "a.png", "lime")])
    assert cells.shape == (2, SIZE, SIZE, DIM) and cells.dtype == np.float32
    red, green = encoder.encode_texts(["red", "green"])
    assert (cells[0] @ red > 0.9)[:, 0].tolist() == [True, True] + [False] * 6
    assert (cells[1] @ green > 0.9).all()
    assert encoder.cell_scale == CellScale(0.5, 20.0)


def test_photos_have_the_same_vectors_and_the_model_the_same_identity(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model")
    photo = write_photo(tmp_path / "a.png", (200, 100, 0))
    before, vectors = fingerprint(folder), Encoder.load(folder).encode_images([photo])
    add_cells(folder)
    assert fingerprint(folder) == before
    assert np.array_equal(Encoder.load(folder).encode_images([photo]), vectors)


def test_a_model_without_cells_says_so(tmp_path: Path) -> None:
    encoder = Encoder.load(write_model(tmp_path / "model"))
    assert not encoder.has_cells
    for ask in (lambda: encoder.encode_cells([]), lambda: encoder.cell_scale):
        with pytest.raises(ModelError, match="gives no cells, so it cannot tell where in a photo; use the"):
            ask()


def test_a_photo_that_cannot_be_read_is_named(model: Path, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"none\.jpg: no such file"):
        Encoder.load(model).encode_cells([tmp_path / "none.jpg"])
    with pytest.raises(TypeError, match="images is a str; pass a list of photos"):
        Encoder.load(model).encode_cells("a.jpg")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": "others"}, r"gives out0 \(tensor\(float\), 2 axes\), others .* rather than one"),
        ({"dim": 3}, r"gives 1 x 8 x 8 x 3 numbers as the cells of 1 photos, and config.json says dim 4"),
        ({"is_unit": False}, r"gives vectors of length .* rather than 1"),
    ],
)
def test_a_second_output_that_does_not_fit_is_said(
    tmp_path: Path, wrong: dict[str, object], message: str
) -> None:
    folder = write_model(tmp_path / "model")
    add_cells(folder, **wrong)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=rf"image\.onnx: {message}"):
        Encoder.load(folder).encode_cells([write_photo(tmp_path / "a.png", "red")])


def test_cells_that_are_promised_and_not_there_are_said(model: Path, tmp_path: Path) -> None:
    from tests.smallmodel import image_tower

    image_tower(model)
    seal(model)
    with pytest.raises(ModelError, match=r"image\.onnx: gives no cells; copy the model folder again"):
        Encoder.load(model).encode_cells([write_photo(tmp_path / "a.png", "red")])


@pytest.mark.parametrize(
    "scale", [None, {}, {"middle": 0.5}, {"middle": "x", "slope": 1}, {"middle": 0, "slope": -1}]
)
def test_a_configuration_without_a_scale_is_damaged(model: Path, scale: object) -> None:
    path = model / "config.json"
    data = json.loads(path.read_text())
    data["cells"]["scale"] = scale
    path.write_text(json.dumps(data))
    with pytest.raises(ModelError, match=r"config\.json: damaged \(cells has no scale"):
        Encoder.load(model)


def test_the_mean_with_the_mirror_image_is_shorter_where_they_disagree(model: Path) -> None:
    # Each pixel is a cell of this model, whatever its neighbours are, so both have the same cells.
    pixels = np.zeros((1, SIZE, SIZE, 3), dtype=np.uint8)
    pixels[0, :, :2, 0], pixels[0, :, 2:, 2] = 255, 255  # two red columns, then blue
    encoder = Encoder.load(model)
    assert np.allclose(encoder.mean_cells(pixels), encoder.encode_cell_pixels(pixels), atol=1e-6)
    red, blue = np.eye(2, dtype=np.float32)[:, None, None, None] * np.ones((1, 1, 1, 1), np.float32)
    answers = iter([np.broadcast_to(blue, (1, 2, 2, 2)), np.broadcast_to(red, (1, 2, 2, 2))])
    encoder.encode_cell_pixels = lambda pixels: next(answers)  # type: ignore[method-assign]
    assert np.allclose(encoder.mean_cells(pixels), 0.5)  # half red, half blue: of length 0.71

"""Where in a photo a phrase is: heat maps, boxes and regions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.fakes import FakeEncoder
from twobranch.common.errors import ImageError, ModelError, UserError
from twobranch.retrieval.confidence import Bank
from twobranch.retrieval.where.background import load_background, save_background
from twobranch.retrieval.where.boxes import boxes
from twobranch.retrieval.where.heat_map import HeatMap
from twobranch.retrieval.where.locator import Locator


@pytest.fixture
def encoder(tmp_path: Path) -> FakeEncoder:
    """A model whose background cells are grey: "red" scores 1/sqrt(3) = 0.577 with each, more or less."""
    fake = FakeEncoder()
    fake.folder = tmp_path / "model"
    fake.folder.mkdir()
    greys = np.array([[1, 1, 1, 0], [1.1, 1, 1, 0], [0.9, 1, 1, 0]], dtype=np.float32)
    save_background(fake.folder, Bank.of(greys / np.linalg.norm(greys, axis=1, keepdims=True)))
    return fake


def red_square(path: Path, box: tuple[int, int, int, int], size: tuple[int, int] = (80, 80)) -> Path:
    """A blue photo with a red rectangle; the edges of ``box`` are inside it."""
    photo = Image.new("RGB", size, "blue")
    ImageDraw.Draw(photo).rectangle(box, fill="red")
    photo.save(path)
    return path


def test_the_box_is_around_the_red_quarter(tmp_path: Path, encoder: FakeEncoder) -> None:
    photo = red_square(tmp_path / "a.png", (40, 0, 79, 39))  # the upper right quarter of 80 x 80
    located = Locator(encoder).locate(photo, ["red"])
    (found,) = located.phrases
    assert (located.width, located.height) == (80, 80)
    heat = found.heat_map.heat  # 4 x 4 cells: two rows and two columns are red
    assert (heat[:2, 2:] == 1).all() and heat[2:].max() == 0 and heat[:, :2].max() == 0
    (region,) = found.regions
    left, top, right, bottom = region.box
    # The heat falls from 1 to 0 between the centres of neighbouring cells, so the half is at the edge.
    assert abs(left - 40) <= 5 and top == 0 and right == 80 and abs(bottom - 40) <= 5
    assert region.score > 0.9  # the part alone is red, while the photo is a quarter red
    assert found.score < 0.5

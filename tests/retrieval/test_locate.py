"""Where in a photo a phrase is: heat maps, boxes and regions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.fakes import FakeEncoder
from twobranch.common.errors import ImageError, UserError
from twobranch.embedding.cell_scale import CellScale
from twobranch.retrieval.where.boxes import hot_parts
from twobranch.retrieval.where.heat_map import HeatMap
from twobranch.retrieval.where.locator import Locator


@pytest.fixture
def encoder() -> FakeEncoder:
    return FakeEncoder()


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
    assert heat[:2, 2:].min() > 0.99 and heat[2:].max() < 0.01 and heat[:, :2].max() < 0.01
    (region,) = found.regions
    left, top, right, bottom = region.box
    # The score falls from 1 to 0 between the centres of neighbouring cells: the half is at the edge.
    assert abs(left - 40) <= 5 and top == 0 and right == 80 and abs(bottom - 40) <= 5
    assert region.score == pytest.approx(1, abs=0.01) and region.confidence > 0.99
    assert (found.score, found.confidence) == (region.score, region.confidence)


def test_the_box_is_in_pixels_of_the_upright_original(tmp_path: Path, encoder: FakeEncoder) -> None:
    # Stored lying, 120 x 80, red at its left end. Orientation 6 turns it clockwise: 80 x 120, red on top.
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = Image.new("RGB", (120, 80), "blue")
    ImageDraw.Draw(lying).rectangle((0, 0, 29, 79), fill="red")
    lying.save(tmp_path / "a.png", exif=exif)
    located = Locator(encoder).locate(tmp_path / "a.png", ["red"])
    assert (located.width, located.height) == (80, 120)
    left, top, right, bottom = located.phrases[0].regions[0].box
    assert (left, top, right) == (0, 0, 80) and abs(bottom - 30) <= 8


def test_a_photo_without_red_has_a_cold_map_and_no_box(tmp_path: Path, encoder: FakeEncoder) -> None:
    blue = Image.new("RGB", (8, 8), "blue")
    blue.save(tmp_path / "a.png")
    (found,) = Locator(encoder).locate(tmp_path / "a.png", ["red"]).phrases
    assert found.confidence < 0.01 and found.regions == ()


def test_each_phrase_has_its_own_map(tmp_path: Path, encoder: FakeEncoder) -> None:
    photo = red_square(tmp_path / "a.png", (0, 0, 39, 79))  # the left half
    red, blue = Locator(encoder).locate(photo, ["red", "blue"]).phrases
    assert (red.phrase, blue.phrase) == ("red", "blue")
    for heat in (red.heat_map.heat, blue.heat_map.heat[:, ::-1]):  # the blue half mirrors the red one
        assert heat[:, :2].min() > 0.99 and heat[:, 2:].max() < 0.01


def test_two_parts_have_a_box_each(tmp_path: Path, encoder: FakeEncoder) -> None:
    photo = Image.open(
        red_square(tmp_path / "a.png", (0, 0, 19, 19))
    )  # the first and the last of 4 x 4 cells
    ImageDraw.Draw(photo).rectangle((60, 60, 79, 79), fill="red")
    photo.save(tmp_path / "b.png")
    (found,) = Locator(encoder).locate(tmp_path / "b.png", ["red"]).phrases
    assert sorted(region.box[0] < 40 for region in found.regions) == [False, True]


def test_a_photo_opened_again_is_not_encoded_again(tmp_path: Path, encoder: FakeEncoder) -> None:
    photo = red_square(tmp_path / "a.png", (0, 0, 39, 79)).read_bytes()
    locator = Locator(encoder)
    first = locator.locate(photo, ["red"])
    encoder.encode_cell_pixels = None  # type: ignore[assignment, method-assign]
    assert locator.locate(photo, ["red"]).as_json() == first.as_json()


def test_errors_name_the_photo_or_the_phrase(tmp_path: Path, encoder: FakeEncoder) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no photo")
    locator = Locator(encoder)
    with pytest.raises(ImageError, match=r"a\.jpg: not an image"):
        locator.locate(tmp_path / "a.jpg", ["red"])
    with pytest.raises(ImageError, match=r"b\.jpg: no such file"):
        locator.locate(tmp_path / "b.jpg", ["red"])
    with pytest.raises(UserError, match="knows no word of this query: xyzzy"):
        locator.locate(tmp_path / "a.jpg", ["xyzzy"])


def test_json_has_boxes_and_heat(tmp_path: Path, encoder: FakeEncoder) -> None:
    photo = red_square(tmp_path / "a.png", (40, 0, 79, 79))
    data = Locator(encoder).locate(photo, ["red"]).as_json()
    assert (data["width"], data["height"]) == (80, 80)
    (phrase,) = data["phrases"]
    assert phrase["heat"] == [[0, 0, 1, 1]] * 4
    assert phrase["regions"][0]["box"][1:] == [0, 80, 80] and phrase["confidence"] > 0.99


def test_heat_is_the_probability_of_a_score() -> None:
    # A logit of 10 a unit of the score, 0 at 0.5: -5, 0 and 5, and the logistic of these.
    heat = HeatMap.of(np.array([[0.0, 0.5, 1.0]], dtype=np.float32), CellScale(0.5, 10)).heat
    assert heat.ravel().tolist() == pytest.approx([0.0067, 0.5, 0.9933], abs=1e-4)


def test_a_lukewarm_map_has_no_box() -> None:
    scores = np.zeros((4, 4), dtype=np.float32)
    scores[1, 1] = 0.3
    assert hot_parts(HeatMap.of(scores, CellScale(0.5, 10))) == []  # logit -2: 0.12
    assert len(hot_parts(HeatMap.of(scores, CellScale(0.2, 10)))) == 1  # logit 1: 0.73


@pytest.mark.parametrize("scale", [(float("nan"), 1), (0, 0), (0, -1), (0, float("inf"))])
def test_a_scale_that_is_none_is_refused(scale: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="a scale of middle"):
        CellScale(*scale)


def test_a_speck_beside_a_hot_part_has_no_box() -> None:
    # Of 16 parts of the lone cell at the right, few are above the limit: 0.55 of the way from 0 to 1.
    scores = np.zeros((6, 6), dtype=np.float32)
    scores[1:4, 0:3] = 1
    scores[5, 5] = 0.57
    (part,) = hot_parts(HeatMap.of(scores, CellScale(0.3, 20)))
    assert part.box.right <= 4 / 6


def test_a_thing_that_fills_the_photo_has_a_box_around_all_of_it() -> None:
    # Heat begins at 0.28 (0.5 - 2.94 / 13.5), so the limit is 0.28 + 0.55 * (1 - 0.28) = 0.68 for all cells.
    # From their middle score on, 0.8, it would be 0.91, above all cells but the first.
    scores = np.full((4, 4), 0.8, dtype=np.float32)
    scores[0, 0] = 1
    (part,) = hot_parts(HeatMap.of(scores, CellScale(0.5, 13.5)))
    assert part.box.in_pixels(100, 100) == (0, 0, 100, 100)


def test_a_small_thing_is_found_at_a_second_look(tmp_path: Path, encoder: FakeEncoder) -> None:
    # A cell of the photo is 40 pixels: a quarter red, so it scores 0.32 with "red". One of the upper left
    # window is 20 pixels: the second one of its second row is red.
    photo = red_square(tmp_path / "a.png", (20, 20, 39, 39), size=(160, 160))
    (found,) = Locator(encoder).locate(photo, ["red"]).phrases
    assert found.heat_map.heat.shape == (8, 8) and found.heat_map.heat.argmax() == 8 + 1
    (region,) = found.regions
    assert np.abs(np.array(region.box) - (20, 20, 40, 40)).max() <= 6 and region.confidence > 0.9


def test_what_is_in_no_window_either_stays_cold(tmp_path: Path, encoder: FakeEncoder) -> None:
    photo = red_square(tmp_path / "a.png", (0, 0, 79, 159), size=(160, 160))
    (found,) = Locator(encoder).locate(photo, ["green"]).phrases
    assert found.heat_map.heat.shape == (4, 4) and found.regions == ()

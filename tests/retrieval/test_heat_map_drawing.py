"""Heat maps and boxes over photos, on pictures small enough to compute."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFont

from tests.fakes import write_photo
from twobranch.common.errors import ImageError, UserError
from twobranch.retrieval.display import lettering
from twobranch.retrieval.display.heat_map import colour_table, heated, over_photo
from twobranch.retrieval.display.lettering import font, font_for, shortened
from twobranch.retrieval.display.where_picture import Layout, check_target, where_picture, write_picture
from twobranch.retrieval.where.heat_map import HeatMap
from twobranch.retrieval.where.locator import Edges, Located, PhraseMap, Region


def phrase_map(
    heat: Sequence[Sequence[float]], *boxes: Edges, phrase: str = "red", confidence: float = 0.9
) -> PhraseMap:
    values = np.array(heat, dtype=np.float32)
    regions = tuple(Region(box, 0.5, confidence) for box in boxes)
    return PhraseMap(phrase, HeatMap(values, values), regions)


COLD, HOT = phrase_map([[0.0] * 4] * 4), phrase_map([[1.0] * 4] * 4)


def lightness(colours: NDArray[np.uint8]) -> NDArray[np.float64]:
    """CIE L* of sRGB colours, from 0 to 100: equal steps look equal."""
    linear = np.where(
        colours / 255 <= 0.04045, colours / 255 / 12.92, ((colours / 255 + 0.055) / 1.055) ** 2.4
    )
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    return 116 * np.where(luminance > 0.008856, np.cbrt(luminance), 7.787 * luminance + 16 / 116) - 16


def test_hotter_is_lighter_in_even_steps() -> None:
    light = lightness(colour_table())
    assert (np.diff(light) >= 0).all()  # told apart without any sense of colour
    assert light[0] < 2 and light[-1] > 95
    even = np.linspace(light[0], light[-1], len(light))
    assert np.abs(light - even).max() < 6  # of 100


def test_cold_parts_show_the_dimmed_photo_and_hot_ones_glow() -> None:
    photo = Image.new("RGB", (8, 8), (200, 100, 0))
    heat = np.zeros((8, 8), dtype=np.float32)
    heat[:, 4:] = 1
    pixels = np.asarray(heated(photo, heat))
    assert (pixels[:, :4] == (110, 55, 0)).all()  # 0.55 of the light
    # 0.28 of the dimmed photo shows through 0.72 of the hottest colour, (252, 255, 164).
    assert (pixels[:, 4:] == (212, 199, 118)).all()


def test_several_maps_are_as_hot_as_the_hottest_of_them() -> None:
    photo = Image.new("RGB", (8, 8), "black")
    left = phrase_map([[1.0, 0.0]])
    right = phrase_map([[0.0, 1.0]])
    both = np.asarray(over_photo(photo, [left, right], 8))
    assert (both[:, 0] == both[:, 7]).all() and both[0, 0, 0] > 150
    assert np.asarray(over_photo(photo, [COLD], 8)).max() == 0


def test_a_box_is_a_white_line_between_dark_ones() -> None:
    photo = Image.new("RGB", (40, 40), (100, 100, 100))
    # The original is 80 wide: the box from 20 to 60 is drawn from 10 to 30.
    pixels = np.asarray(over_photo(photo, [phrase_map([[0.0]], (20, 20, 60, 60))], 80))[:, :, 0]
    assert pixels[20, 9:15].tolist() == [55, 0, 255, 0, 55, 55]
    assert pixels[20, 26:31].tolist() == [55, 0, 255, 0, 55]
    assert pixels[9, 20] == pixels[30, 20] == 55


def test_boxes_at_the_edge_and_of_one_pixel_stay_inside() -> None:
    photo = Image.new("RGB", (8, 8), "white")
    for box in ((0, 0, 8, 8), (7, 7, 8, 8), (0, 3, 1, 4)):
        assert over_photo(photo, [phrase_map([[0.5]], box)], 8).size == (8, 8)
    # From a photo of 8,000 pixels a thin box has no pixel of its own.
    over_photo(photo, [phrase_map([[0.5]], (7999, 7999, 8000, 8000))], 8000)


@pytest.mark.parametrize(
    ("box", "lowest", "highest"),
    [
        ((20, 20, 180, 180), 20, 50),  # in its upper left corner
        ((60, 60, 80, 80), 40, 60),  # above it
        ((0, 0, 20, 20), 20, 40),  # below it: there is no room above
        ((185, 60, 200, 80), 40, 60),  # above it, moved to the left
    ],
)
def test_a_label_is_in_its_box_or_beside_it(box: Edges, lowest: int, highest: int) -> None:
    photo = Image.new("RGB", (200, 200), (100, 100, 100))
    with_label, without = (
        np.asarray(over_photo(photo, [phrase_map([[0.0]], box)], 200, labels=labels))
        for labels in (True, False)
    )
    rows, columns = (with_label != without).any(axis=-1).nonzero()
    assert lowest <= rows.min() and rows.max() < highest
    assert columns.max() - columns.min() < 40


def test_an_image_smaller_than_a_label_has_none() -> None:
    photo = Image.new("RGB", (8, 8), "white")
    found = phrase_map([[0.0]], (2, 2, 4, 4))
    assert over_photo(photo, [found], 8).tobytes() == over_photo(photo, [found], 8, labels=False).tobytes()


@pytest.mark.parametrize(
    ("size", "n", "columns", "rows"),
    [
        ((600, 400), 1, 1, 1),
        ((600, 400), 2, 2, 1),  # 3:1 is 1.9 times as wide as a screen, 3:4 less than half as wide
        ((400, 600), 2, 2, 1),  # 800 x 600
        ((600, 400), 4, 2, 2),  # 1200 x 800
        ((600, 600), 4, 2, 2),  # 1800 x 1200 would have two empty places
        ((400, 600), 5, 3, 2),
        ((2000, 200), 3, 1, 3),
    ],
)
def test_panels_make_a_picture_like_a_screen(size: tuple[int, int], n: int, columns: int, rows: int) -> None:
    layout = Layout.of(size, n)
    assert (layout.columns, layout.rows) == (columns, rows)


def test_panels_are_between_400_and_1600_pixels() -> None:
    assert Layout.of((8000, 6000), 1).panel == (1600, 1200)
    assert Layout.of((900, 600), 1).panel == (900, 600)
    assert Layout.of((8, 4), 1).panel == (400, 200)
    assert Layout.of((8000, 8000), 4).panel == (1200, 1200)  # 2,400 for both columns
    assert Layout.of((8000, 8000), 400).panel == (400, 400)
    assert Layout.of((30_000, 1), 1).panel == (1600, 1)
    assert Layout.of((8000, 6000), 1, most=640).panel == (640, 480)


def test_a_picture_has_a_panel_for_each_phrase(tmp_path: Path) -> None:
    photo = write_photo(tmp_path / "a.png", (200, 100, 0), (400, 400))
    layout = Layout.of((400, 400), 2)
    picture = where_picture(photo, Located(400, 400, (COLD, HOT)))
    gap, heading = layout.gap, layout.heading
    assert picture.size == (2 * 400 + 3 * gap, heading + 400 + gap)
    assert picture.getpixel((gap + 200, heading + 200)) == (110, 55, 0)
    assert picture.getpixel((gap + 400 + gap + 200, heading + 200)) == (212, 199, 118)
    assert where_picture(photo.read_bytes(), Located(400, 400, (COLD, HOT))).tobytes() == picture.tobytes()
    with pytest.raises(ImageError, match=r"b\.png: no such file"):
        where_picture(tmp_path / "b.png", Located(400, 400, (COLD,)))


def heading(tmp_path: Path, phrase: str) -> NDArray[np.uint8]:
    """The heading of a panel, above its second line."""
    photo = write_photo(tmp_path / "a.png", "red", (400, 400))
    found = phrase_map([[0.0]], phrase=phrase)
    return np.asarray(where_picture(photo, Located(400, 400, (found,))))[:32]


def test_the_phrase_is_above_its_panel(tmp_path: Path) -> None:
    assert heading(tmp_path, "a dog").max() > 200
    # Too long for the panel: cut, but within it.
    assert heading(tmp_path, "a dog " * 100)[:, -16:].max() < 30


@pytest.mark.parametrize("phrase", ["שלום", "كلب", "नमस्ते", "犬", "🐶", "e\u0300" + "\u0301"])
def test_a_phrase_that_no_font_can_write_is_left_out(
    tmp_path: Path, phrase: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lettering, "_OF_THE_SYSTEM", ())
    assert heading(tmp_path, phrase).max() < 30


def test_other_letters_come_from_the_fonts_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    assert font_for("a red dog", 16) is font(16)
    monkeypatch.setattr(lettering, "_OF_THE_SYSTEM", ("no such font.ttf",))
    assert font_for("été", 16) is None
    monkeypatch.undo()
    try:
        ImageFont.truetype("DejaVuSans.ttf", 16)
    except OSError:
        pytest.skip("DejaVu Sans is not installed")
    other = font_for("été, Łódź, собака", 16)
    assert other is not None and other.getname()[0] == "DejaVu Sans"


def test_text_is_cut_to_its_width() -> None:
    letters = font(16)
    assert shortened("a dog", letters, 1000) == "a dog"
    cut = shortened("a dog runs over the snow", letters, 80)
    assert cut.endswith("…") and letters.getlength(cut) <= 80 and cut.startswith("a dog")
    assert shortened("a dog", letters, 1) == ""


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".JPEG", ".webp"])
def test_a_picture_is_replaced_and_a_photo_is_not(tmp_path: Path, suffix: str) -> None:
    photo = write_photo(tmp_path / "photo.png", "red")
    target = tmp_path / f"where{suffix}"
    for color in ("blue", "white"):
        write_picture(Image.new("RGB", (40, 40), color), target, photo)
    with Image.open(target) as image:
        assert image.convert("L").getpixel((20, 20)) > 250
        # Nothing about the photo goes along.
        assert dict(image.getexif()) == {ExifTags.Base.Software: "twobranch where"}
    assert {path.name for path in tmp_path.iterdir()} == {photo.name, target.name}
    write_photo(target, "green")
    with pytest.raises(UserError, match="exists and was not made by `where`"):
        write_picture(Image.new("RGB", (40, 40)), target, photo)


def test_targets_that_are_refused(tmp_path: Path) -> None:
    photo = write_photo(tmp_path / "photo.png", "red")
    (tmp_path / "link.png").symlink_to(photo)
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "text.png").write_text("notes")
    for name, error in (
        ("photo.png", "is the photo itself"),
        ("link.png", "is the photo itself"),
        ("folder.png", "is a folder or a device"),
        ("text.png", "was not made by `where`"),
        ("where.gif", r"where\.gif: a picture is written as \.png, \.jpg, \.jpeg, \.webp"),
        ("where", "a picture is written as"),
    ):
        with pytest.raises(UserError, match=error):
            check_target(tmp_path / name, photo)
    with pytest.raises(UserError, match=r"no/where\.png: cannot be written \(No such file"):
        write_picture(Image.new("RGB", (8, 8)), tmp_path / "no" / "where.png", photo)

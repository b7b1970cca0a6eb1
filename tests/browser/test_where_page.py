"""Where in the photo, and more like a part of it, as one uses them on the page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.serving import serving
from tests.fakes import FakeEncoder, write_photo
from twobranch.indexer.update.library import update_library
from twobranch.server.settings import Settings

PHONE = {"viewport": {"width": 380, "height": 740}, "has_touch": True, "is_mobile": True}


@pytest.fixture(scope="module")
def flags(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server over flag.png, whose left half is red and right half blue, and plain photos."""
    place, encoder = tmp_path_factory.mktemp("flags"), FakeEncoder()
    photos = place / "photos"
    for name in ("red", "green", "blue"):
        write_photo(photos / f"{name}.png", name, (300, 200))
    flag = Image.new("RGB", (300, 200), "blue")
    ImageDraw.Draw(flag).rectangle((0, 0, 149, 199), fill="red")
    flag.save(photos / "flag.png")
    update_library(place / ".twobranch", [photos], encoder)
    with serving(Settings(place / ".twobranch"), lambda model: encoder) as url:
        yield url


@pytest.fixture(scope="module")
def without_cells(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server over red.png, whose model gives no cells."""
    place, encoder = tmp_path_factory.mktemp("plain"), FakeEncoder()
    encoder.has_cells = False
    write_photo(place / "photos/red.png", "red", (300, 200))
    update_library(place / ".twobranch", [place / "photos"], encoder)
    with serving(Settings(place / ".twobranch"), lambda model: encoder) as url:
        yield url


def opened(page: Page, url: str, name: str = "flag.png") -> Locator:
    """The dialog with this photo."""
    page.goto(url)
    page.get_by_role("gridcell").get_by_label(re.compile("^" + re.escape(name))).click()
    return page.get_by_role("dialog", name=name)


def switch(page: Page) -> Locator:
    return page.get_by_role("button", name="Where")


def box_of(page: Page) -> list[float]:
    """The first box of the map: x, y, width and height in pixels of the photo."""
    rect = page.locator(".map rect.over").first
    expect(rect).to_be_attached()
    return [float(rect.get_attribute(name) or "") for name in ("x", "y", "width", "height")]


def test_the_switch_shows_the_map_and_stays_on(page: Page, flags: str) -> None:
    opened(page, f"{flags}?q=red+blue")
    expect(switch(page)).to_have_attribute("aria-pressed", "false")
    expect(page.locator(".map")).to_have_count(0)
    page.keyboard.press("w")
    expect(switch(page)).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="red", exact=True).click()
    x, y, width, height = box_of(page)
    assert (x, y, height) == (0, 0, 200) and abs(width - 150) < 30
    heat = page.locator(".map img")
    assert heat.evaluate("image => image.decode().then(() => image.naturalWidth)") == 640
    # It lies where the photo lies.
    photo = page.locator(".picture img").bounding_box()
    assert photo is not None and heat.bounding_box() == photo
    expect(page.get_by_role("status").filter(has_text="“red” in 1 place: 99%")).to_be_visible()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("dialog", name=re.compile("^(red|blue)"))).to_be_visible()
    expect(switch(page)).to_have_attribute("aria-pressed", "true")
    page.reload()
    expect(switch(page)).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("w")
    expect(page.locator(".map")).to_have_count(0)


def test_a_word_is_looked_at_by_mouse_and_by_keyboard(page: Page, flags: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/where?" in request.url else None)
    opened(page, f"{flags}?q=the+red+and+the+blue")
    switch(page).click()
    group = page.get_by_role("group", name="Show where")
    expect(group.get_by_role("button")).to_have_text(["the red and the blue", "red", "blue"])
    whole, red, blue = (group.get_by_role("button").nth(at) for at in range(3))
    expect(page.get_by_role("status").filter(has_text="“the red and the blue”")).to_be_attached()
    blue.hover()
    expect(page.get_by_role("status").filter(has_text="“blue” in 1 place")).to_be_visible()
    assert box_of(page)[0] > 120
    expect(whole).to_have_attribute("aria-pressed", "true")  # it is only looked at
    page.get_by_role("heading", level=2).hover()
    expect(page.get_by_role("status").filter(has_text="“the red and the blue”")).to_be_attached()
    whole.focus()
    page.keyboard.press("Tab")
    expect(red).to_be_focused()
    expect(page.get_by_role("status").filter(has_text="“red” in 1 place")).to_be_attached()
    blue.hover()
    expect(page.get_by_role("status").filter(has_text="“blue” in 1 place")).to_be_visible()
    maps = [url for url in asked if "format" not in url]
    assert len(maps) == len(set(maps))  # each was asked for once


def test_a_photo_without_it_says_so(page: Page, flags: str) -> None:
    opened(page, f"{flags}?q=red", "green.png")
    switch(page).click()
    note = page.get_by_role("status").filter(has_text="Nothing here fits “red”")
    expect(note).to_be_visible()
    expect(page.locator(".map img")).to_have_count(0)


def test_a_slow_map_does_not_hold_up_the_next_photo(page: Page, flags: str) -> None:
    held: list[Route] = []
    page.route("**/where?*", lambda route: held.append(route))
    opened(page, f"{flags}?q=red")
    page.keyboard.press("w")
    expect(page.get_by_text("Looking for “red”…")).to_be_visible()
    page.unroute_all(behavior="ignoreErrors")
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("dialog", name="red.png")).to_be_visible()
    expect(page.locator(".map img")).to_have_count(1)
    page.keyboard.press("ArrowRight")
    assert box_of(page)[2] < 200  # what was taken back is asked for again


def test_no_switch_where_there_is_nothing_to_look_for(page: Page, flags: str, without_cells: str) -> None:
    opened(page, flags)  # no words
    expect(page.get_by_role("button", name="Part")).to_be_visible()
    expect(switch(page)).to_have_count(0)
    with page.expect_response("**/api/status"):
        opened(page, f"{without_cells}?q=red", "red.png")
    expect(page.get_by_role("button", name="Part")).to_be_visible()
    expect(switch(page)).to_have_count(0)


def test_a_box_is_drawn_and_searched_for(page: Page, flags: str) -> None:
    opened(page, f"{flags}?q=green")
    page.get_by_role("button", name="Part").click()
    place = page.locator(".drawing").bounding_box()
    assert place is not None
    # From above the photo, which is as wide as its place, to the middle of the blue half.
    page.mouse.move(place["x"] + place["width"] * 0.95, place["y"] + 5)
    page.mouse.down()
    page.mouse.move(place["x"] + place["width"] * 0.7, place["y"] + place["height"] * 0.6, steps=4)
    page.mouse.up()
    page.get_by_role("button", name="Search for this part").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator(".given")).to_contain_text("like a part of flag.png")
    first = page.locator("#grid a").first
    expect(first).to_have_attribute("aria-label", re.compile("^blue.png"))
    match = re.search(r"\?box=(\d+)%2C0%2C(\d+)%2C\d+&like=\d+$", page.url)
    assert match is not None and abs(int(match[1]) - 210) < 3 and abs(int(match[2]) - 285) < 3
    small = page.locator(".given img")
    width = small.evaluate("image => image.decode().then(() => image.naturalWidth)")
    assert width == int(match[2]) - int(match[1])
    page.reload()
    expect(page.locator(".given")).to_contain_text("like a part of flag.png")
    expect(first).to_have_attribute("aria-label", re.compile("^blue.png"))
    page.get_by_role("button", name="Remove: like a part of flag.png").click()
    expect(page.locator(".given")).to_have_count(0)
    page.go_back()
    expect(page.locator(".given")).to_contain_text("like a part of flag.png")
    page.go_back()
    expect(page.locator(".given")).to_have_count(0)
    expect(page.get_by_role("dialog")).to_have_count(0)  # the photo had its time


def test_a_box_by_keyboard(page: Page, flags: str) -> None:
    opened(page, flags)
    page.keyboard.press("r")
    expect(page.locator(".drawing")).to_be_focused()
    # The middle, from 75, 50 to 225, 150. A step is 2% of 300 pixels.
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("Shift+ArrowDown")
    said = page.get_by_role("status").filter(has_text="144 by 106 pixels, 69 from the left, 50 from the top")
    expect(said).to_be_attached()
    page.keyboard.press("Escape")
    expect(page.locator(".drawing")).to_have_count(0)
    expect(page.get_by_role("button", name="Part")).to_be_focused()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("r")
    for _ in range(40):  # it stops at the edge
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect(page.locator("#grid a").first).to_have_attribute("aria-label", re.compile("^red.png"))
    assert "box=0%2C50%2C150%2C150" in page.url
    expect(page.locator("#grid a:focus")).to_have_count(1)


@pytest.mark.parametrize("page", [PHONE], indirect=True)
def test_a_finger_draws_and_does_not_swipe(page: Page, flags: str) -> None:
    opened(page, flags)
    page.get_by_role("button", name="Part").tap()
    place = page.locator(".drawing").bounding_box()
    assert place is not None
    x, y = place["x"] + place["width"] * 0.1, place["y"] + place["height"] / 2 - 30
    fingers = page.context.new_cdp_session(page)
    fingers.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for step in (40, 80, 100):
        point = {"x": x + step, "y": y + step * 0.6}
        fingers.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
    fingers.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(page.get_by_role("dialog", name="flag.png")).to_be_visible()  # a swipe goes to the next
    # Not a tap: Chromium ignores one that comes a few milliseconds after a finger has moved.
    page.get_by_role("button", name="Search for this part").click()
    expect(page.locator("#grid a").first).to_have_attribute("aria-label", re.compile("^red.png"))
    box = re.search(r"box=(\d+)%2C(\d+)%2C(\d+)%2C(\d+)", page.url)
    # The photo is 380 pixels wide on the screen: from a tenth of its 300 pixels, 100 / 380 of them wide.
    assert box is not None and abs(int(box[1]) - 30) < 3 and abs(int(box[3]) - int(box[1]) - 79) < 3


@pytest.mark.parametrize("page", [{}, {**PHONE, "color_scheme": "dark"}], indirect=True)
def test_it_can_be_read_and_reached(
    page: Page, flags: str, serious_findings: Callable[[Page], list[str]]
) -> None:
    opened(page, f"{flags}?q=the+red+and+the+blue")
    page.keyboard.press("w")
    page.get_by_role("button", name="red", exact=True).click()
    box_of(page)
    page.locator(".map").evaluate("map => Promise.all(map.getAnimations().map(one => one.finished))")
    assert serious_findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.keyboard.press("r")
    expect(page.locator(".drawing")).to_be_visible()
    assert serious_findings(page) == []
    page.keyboard.press("Enter")
    expect(page.locator(".given")).to_contain_text("like a part of")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert serious_findings(page) == []

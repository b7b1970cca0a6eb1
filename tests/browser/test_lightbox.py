"""A photo seen large: zoom, full screen, slideshow, marks, links, keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import CDPSession, Locator, Page, Route, expect

from tests.browser.library import odd_library
from tests.browser.serving import serving
from tests.fakes import FakeEncoder, write_photo
from tests.waiting import wait_for
from twobranch.indexer.update.library import update_library
from twobranch.server.settings import Settings

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
LARGE = (3200, 2400)
HOUR = 3600  # seconds: later than any test begins to wait


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server over blue.tif and red.jpg, which are large, and cyan.png, green.png, yellow.png."""
    place, encoder = tmp_path_factory.mktemp("photos"), FakeEncoder()
    folder = place / "photos"
    write_photo(folder / "red.jpg", "red", LARGE)
    write_photo(folder / "blue.tif", "blue", LARGE)
    for name in ("green", "yellow", "cyan"):
        write_photo(folder / f"{name}.png", name, (400, 300))
    update_library(place / ".twobranch", [folder], encoder)
    with serving(Settings(place / ".twobranch"), lambda model: encoder) as url:
        yield url


@pytest.fixture
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server over a new ``odd_library``."""
    library, encoder = odd_library(tmp_path_factory.mktemp("odd"))
    with serving(Settings(library), lambda model: encoder) as url:
        yield url


def opened(page: Page, url: str, name: str) -> Locator:
    """The dialog with this photo, once its picture has come."""
    page.goto(url)
    page.get_by_role("gridcell").get_by_label(re.compile("^" + re.escape(name))).click()
    dialog = page.get_by_role("dialog", name=name)
    expect(dialog.locator(".picture img")).to_have_count(1)
    return dialog


def zoom_of(page: Page) -> tuple[float, float, float]:
    """Scale, and how far the photo's middle is right of and below that of the stage, in pixels."""
    scale, x, y = page.locator(".canvas").evaluate(
        """canvas => {
            const {a, e, f} = new DOMMatrix(canvas.style.transform);
            return [a, e, f];
        }"""
    )
    return scale, x, y


def middle_of(page: Page) -> tuple[float, float]:
    box = page.locator(".frame").bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def below(page: Page, x: float, y: float) -> tuple[float, float]:
    """The point of the whole photo, from its middle, that is shown at a point of the screen."""
    (scale, right, down), (across, high) = zoom_of(page), middle_of(page)
    return (x - across - right) / scale, (y - high - down) / scale


def test_a_click_zooms_in_to_where_it_was_and_out_again(page: Page, photos: str) -> None:
    dialog = opened(page, f"{photos}?q=red", "red.jpg")
    x, y = middle_of(page)
    before = below(page, x + 100, y - 60)
    page.mouse.click(x + 100, y - 60)
    assert zoom_of(page)[0] >= 2
    assert below(page, x + 100, y - 60) == pytest.approx(before, abs=1)
    expect(dialog.get_by_role("button", name="Zoom")).to_have_attribute("aria-pressed", "true")
    page.mouse.click(x + 10, y)
    assert zoom_of(page) == (1, 0, 0)
    expect(dialog).to_be_visible()
    # The photo is 4:3 in a stage of 905 x 800: above it are 60 pixels of dark.
    page.mouse.click(x, 20)
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_a_right_click_is_on_the_picture(page: Page, photos: str) -> None:
    opened(page, f"{photos}?q=red", "red.jpg")
    name = "([x, y]) => document.elementFromPoint(x, y).tagName"
    assert page.evaluate(name, list(middle_of(page))) == "IMG"
    expect(page.get_by_role("link", name="Save")).to_have_attribute("download", "red.jpg")


def test_wheel_drag_and_keys(page: Page, photos: str) -> None:
    opened(page, f"{photos}?q=red", "red.jpg")
    x, y = middle_of(page)
    page.mouse.move(x - 200, y + 90)
    before = below(page, x - 200, y + 90)
    page.mouse.wheel(0, -500)
    # e^(500 * 0.0022) = 3
    page.wait_for_selector(".stage.zoomed")
    assert zoom_of(page)[0] == pytest.approx(3, rel=0.01)
    assert below(page, x - 200, y + 90) == pytest.approx(before, abs=1)
    page.mouse.down()
    page.mouse.move(x - 150, y + 60, steps=3)
    page.mouse.up()
    assert below(page, x - 150, y + 60) == pytest.approx(before, abs=1)  # it went with the mouse
    assert zoom_of(page)[0] == pytest.approx(3, rel=0.01)  # which was no click
    place = zoom_of(page)
    page.keyboard.press("Shift+ArrowRight")
    assert zoom_of(page) == pytest.approx((place[0], place[1] - 80, place[2]), abs=1)
    page.keyboard.press("+")
    assert zoom_of(page)[0] == pytest.approx(4.5, rel=0.01)
    page.keyboard.press("-")
    page.keyboard.press("0")
    assert zoom_of(page) == (1, 0, 0)
    page.mouse.wheel(0, 500)  # nothing is smaller than the whole
    assert zoom_of(page) == (1, 0, 0)


def test_no_border_is_empty_however_far_it_is_dragged(page: Page, photos: str) -> None:
    opened(page, f"{photos}?q=red", "red.jpg")
    x, y = middle_of(page)
    page.keyboard.press("+")
    for _ in range(3):
        page.mouse.move(x - 300, y - 300)
        page.mouse.down()
        page.mouse.move(x + 300, y + 300, steps=2)
        page.mouse.up()
    # 360 of 1280 pixels are for facts, 15 for a scroll bar. 4:3 in 905 x 800 is 905 x 678.75; 1.5 times it is
    # 1357.5 x 1018.1, which goes beyond by 452.5 and 218.1.
    assert zoom_of(page) == pytest.approx((1.5, 226.25, 109.06), abs=0.01)


def test_its_own_file_is_shown_when_the_view_is_too_small(page: Page, photos: str) -> None:
    opened(page, f"{photos}?q=red", "red.jpg")
    page.keyboard.press("+")  # 1358 pixels wide: the view has 1600
    expect(page.locator(".picture img[src*=original]")).to_have_count(0)
    page.keyboard.press("+")
    picture = page.locator(".picture img:only-child[src*=original]")
    expect(picture).to_have_js_property("naturalWidth", LARGE[0])
    expect(picture).to_have_attribute("alt", "red.jpg")


def test_a_file_that_browsers_do_not_show_is_not_asked_for(page: Page, photos: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    opened(page, f"{photos}?q=blue", "blue.tif")
    page.mouse.click(*middle_of(page))
    page.keyboard.press("+")
    assert zoom_of(page)[0] > 3
    expect(page.locator(".picture img")).to_have_count(1)
    assert not [url for url in asked if url.endswith("/original")]


def test_the_map_of_words_goes_with_the_photo(page: Page, photos: str) -> None:
    opened(page, f"{photos}?q=red", "red.jpg")
    page.keyboard.press("w")
    expect(page.locator(".map img")).to_have_count(1)
    page.mouse.click(*middle_of(page))
    same = """() => [".picture img", ".map img"].map(name =>
        JSON.stringify(document.querySelector(name).getBoundingClientRect()))"""
    photo, heat = page.evaluate(same)
    assert photo == heat
    page.keyboard.press("r")  # a box is drawn over the whole photo
    expect(page.locator(".drawing")).to_be_focused()
    assert zoom_of(page) == (1, 0, 0)
    page.mouse.click(*middle_of(page))
    assert zoom_of(page) == (1, 0, 0)
    expect(page.get_by_role("dialog")).to_be_visible()


def touch(session: CDPSession, kind: str, *points: tuple[float, float]) -> None:
    session.send(
        "Input.dispatchTouchEvent",
        {"type": kind, "touchPoints": [{"x": x, "y": y, "id": at} for at, (x, y) in enumerate(points)]},
    )


@pytest.mark.parametrize("page", [PHONE], indirect=True)
def test_two_fingers_zoom_and_one_moves(page: Page, photos: str) -> None:
    dialog = opened(page, f"{photos}?q=red", "red.jpg")
    x, y = middle_of(page)
    fingers = page.context.new_cdp_session(page)
    touch(fingers, "touchStart", (x - 40, y), (x + 40, y))
    touch(fingers, "touchMove", (x - 80, y), (x + 80, y))
    touch(fingers, "touchMove", (x - 120, y), (x + 120, y))
    touch(fingers, "touchEnd")
    page.wait_for_selector(".stage.zoomed")
    assert zoom_of(page) == pytest.approx((3, 0, 0), abs=0.01)
    assert page.evaluate("visualViewport.scale") == 1  # not the page
    touch(fingers, "touchStart", (x, y))
    touch(fingers, "touchMove", (x - 60, y))
    touch(fingers, "touchMove", (x - 100, y))
    touch(fingers, "touchEnd")
    assert zoom_of(page)[1] == pytest.approx(-100, abs=1)
    expect(dialog).to_be_visible()  # it was no swipe
    page.get_by_role("button", name="Zoom").tap()
    assert zoom_of(page) == (1, 0, 0)


@pytest.mark.parametrize("page", [PHONE], indirect=True)
def test_a_tap_leaves_it_open_and_two_zoom(page: Page, photos: str) -> None:
    dialog = opened(page, f"{photos}?q=red", "red.jpg")
    x, y = middle_of(page)
    page.touchscreen.tap(x, y)
    expect(dialog).to_be_visible()
    assert zoom_of(page)[0] == 1
    page.touchscreen.tap(x + 300, y)  # far from the first
    page.touchscreen.tap(x + 50, y)
    page.touchscreen.tap(x + 50, y)
    page.wait_for_selector(".stage.zoomed")
    assert zoom_of(page)[0] >= 2


def test_its_place_among_all_and_both_neighbours_are_fetched(page: Page, photos: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(photos)
    tiles = page.locator("#grid a")
    expect(tiles).to_have_count(5)
    ids = [tiles.nth(at).get_attribute("data-photo") for at in range(5)]
    tiles.nth(2).click()
    expect(page.locator(".counter")).to_have_text("3 of 5")
    for at in (1, 3):
        view = f"photos/{ids[at]}/thumbnail?size=1600"
        wait_for(lambda view=view: page.evaluate("1") and any(view in url for url in asked), view)
    page.keyboard.press("ArrowRight")
    expect(page.locator(".counter")).to_have_text("4 of 5")


def test_a_slideshow_goes_on_until_one_steps(page: Page, photos: str) -> None:
    page.clock.install(time=0)
    page.goto(photos)
    page.locator("#grid a").first.click()
    counter = page.locator(".counter")
    switch = page.get_by_role("button", name="Slideshow")

    def shown(text: str) -> None:
        expect(counter).to_have_text(text)
        expect(page.locator(".picture img")).to_have_count(1)

    shown("1 of 5")
    page.clock.pause_at(HOUR)
    expect(page.locator(".about > [aria-live=polite]")).to_have_count(2)
    page.keyboard.press("Space")
    expect(switch).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".about > [aria-live=off]")).to_have_count(2)
    page.clock.run_for(3900)
    shown("1 of 5")
    page.clock.run_for(200)
    shown("2 of 5")
    page.clock.run_for(4100)
    shown("3 of 5")
    page.keyboard.press("ArrowLeft")
    expect(switch).to_have_attribute("aria-pressed", "false")
    page.clock.run_for(9000)
    shown("2 of 5")


def test_a_slideshow_waits_in_a_hidden_tab_and_ends_at_the_end(page: Page, photos: str) -> None:
    page.clock.install(time=0)
    page.goto(photos)
    page.locator("#grid a").nth(3).click()
    counter = page.locator(".counter")
    expect(page.locator(".picture img")).to_have_count(1)
    page.clock.pause_at(HOUR)
    hide = """hidden => {
        Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    page.keyboard.press("Space")
    page.evaluate(hide, True)
    page.clock.run_for(20_000)
    expect(counter).to_have_text("4 of 5")
    page.evaluate(hide, False)
    page.clock.run_for(4100)
    expect(counter).to_have_text("5 of 5")
    expect(page.locator(".picture img")).to_have_count(1)
    page.clock.run_for(4100)
    expect(page.get_by_role("button", name="Slideshow")).to_have_count(0)
    expect(counter).to_have_text("5 of 5")


def test_the_whole_screen(page: Page, photos: str) -> None:
    opened(page, f"{photos}?q=red", "red.jpg")
    page.keyboard.press("f")
    switch = page.get_by_role("button", name="Full screen")
    expect(switch).to_have_attribute("aria-pressed", "true")
    assert page.evaluate("document.fullscreenElement.className") == "stage"
    page.keyboard.press("ArrowRight")  # keys work there as well
    expect(page.locator(".counter")).to_have_text("2 of 5")
    page.keyboard.press("f")
    expect(switch).to_have_attribute("aria-pressed", "false")
    expect(page.get_by_role("dialog")).to_be_visible()


def test_its_title_and_the_ways_from_its_facts(page: Page, odd: str) -> None:
    dialog = opened(page, f"{odd}?q=green", "green.jpg")
    expect(dialog.get_by_role("heading", level=2)).to_have_text("5 June 2023, Paris")
    small = dialog.get_by_role("img", name="On a map: Paris, Île-de-France, France")
    expect(small.locator("canvas")).to_be_visible()
    assert small.evaluate("box => box.firstChild.offsetWidth === box.offsetWidth")
    expect(dialog.locator(".file-name")).to_have_text("green.jpg")
    for link, asked in (
        ("5 June 2023", "?after=2023-06-05&before=2023-06-06"),
        ("All of June 2023", "?after=2023-06&before=2023-07"),
        ("5 June of every year", "?day=06-05"),
        ("Paris, Île-de-France, France", "?place=Paris%2C+France"),
        ("Photos within 5 km", "?near=48.85000%2C2.35000&within=5+km"),
        ("Pixel 7", "?camera=Pixel+7"),
        ("holiday", re.compile(r"\?path=.*%2Fphotos%2Fholiday$")),
    ):
        dialog = opened(page, f"{odd}?q=green", "green.jpg")
        dialog.get_by_role("link", name=link, exact=True).click()
        expect(dialog).to_have_count(0)
        expect(page.locator("#grid a")).to_have_count(1)
        if isinstance(asked, str):
            assert page.url == odd + asked
        else:
            assert asked.search(page.url)


def test_the_date_of_a_file_is_no_title(page: Page, odd: str) -> None:
    dialog = opened(page, f"{odd}?q=blue", "blue.png")
    expect(dialog.get_by_role("heading", level=2)).to_have_text("blue.png")
    expect(dialog.locator(".file-name")).to_have_count(0)


def test_why_it_was_found(page: Page, odd: str) -> None:
    dialog = opened(page, f"{odd}?q=red", "red")
    expect(dialog.locator(".why")).to_have_text(
        re.compile(
            r"^Likely a match \(99% probability; 4 of 5 such photos match\): its picture fits “red”, "
            r"its name has “red” and it is almost the same as 1 other\.$"
        )
    )
    expect(page.locator("#grid a[title^='Likely a match']")).to_have_count(2)  # on hover
    opened(page, odd, "red.png")  # nothing was looked for
    expect(dialog.locator(".why")).to_have_count(0)


def test_marks_are_kept(page: Page, odd: str) -> None:
    dialog = opened(page, odd, "blue.png")
    rating = dialog.get_by_role("radiogroup", name="Rating")
    heart = dialog.get_by_role("button", name="Favourite")
    rating.get_by_role("radio", name="3 stars").check(force=True)
    page.keyboard.press("ArrowRight")  # within the stars, not to the next photo
    expect(rating.get_by_role("radio", name="4 stars")).to_be_checked()
    expect(dialog).to_be_visible()
    page.keyboard.press("l")
    expect(heart).to_have_attribute("aria-pressed", "true")
    page.reload()
    expect(rating.get_by_role("radio", name="4 stars")).to_be_checked()
    expect(heart).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("5")
    expect(rating.get_by_role("radio", name="5 stars")).to_be_checked()
    page.keyboard.press("5")
    expect(rating.get_by_role("radio", name="No rating")).to_be_checked()
    heart.click()
    expect(heart).to_have_attribute("aria-pressed", "false")
    page.reload()
    expect(rating.get_by_role("radio", name="No rating")).to_be_checked()
    expect(heart).to_have_attribute("aria-pressed", "false")


def test_albums_of_a_photo(page: Page, odd: str) -> None:
    dialog = opened(page, odd, "blue.png")
    albums = dialog.get_by_role("group", name="Albums")
    opener = dialog.get_by_role("button", name="Add to album")
    opener.click()
    expect(dialog.get_by_role("textbox", name="New album")).to_be_focused()
    page.keyboard.type("Sky 0 l")  # none of these is a key of the photo here
    page.keyboard.press("Enter")
    expect(albums.get_by_role("link", name="Sky 0 l")).to_be_visible()
    page.reload()
    expect(albums.get_by_role("link", name="Sky 0 l")).to_be_visible()
    albums.get_by_role("button", name="Remove from Sky 0 l").click()
    expect(albums.get_by_role("link")).to_have_count(0)
    expect(opener).to_be_focused()
    page.keyboard.press("Enter")
    choice = dialog.get_by_role("button", name="Sky 0 l 0")
    expect(choice).to_be_focused()
    page.keyboard.press("Escape")
    expect(choice).to_have_count(0)
    expect(opener).to_be_focused()
    expect(dialog).to_be_visible()
    opener.click()
    choice.click()
    expect(albums.get_by_role("link", name="Sky 0 l")).to_be_visible()
    expect(albums.get_by_role("link")).to_have_attribute("href", "?album=Sky+0+l")


def test_a_photo_that_no_longer_passes_is_gone_when_it_closes(page: Page, odd: str) -> None:
    dialog = opened(page, odd, "blue.png")
    heart = dialog.get_by_role("button", name="Favourite")
    heart.click()
    page.goto(f"{odd}?favourite=true")
    page.locator("#grid a").click()
    expect(heart).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("l")
    expect(heart).to_have_attribute("aria-pressed", "false")
    expect(page.locator(".counter")).to_have_text("1 of 1")  # until then one walks through the same list
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Nothing passes these filters")).to_be_visible()


def test_an_older_server_has_no_marks(page: Page, odd: str) -> None:
    def without_marks(route: Route) -> None:
        facts = route.fetch().json()
        route.fulfill(
            json={name: facts[name] for name in facts if name not in ("rating", "favourite", "albums")}
        )

    page.route(re.compile(r"api/photos/\d+$"), without_marks)
    dialog = opened(page, odd, "blue.png")
    expect(dialog).to_contain_text("400 × 100")
    expect(dialog.get_by_role("radiogroup")).to_have_count(0)
    expect(dialog.get_by_role("button", name=re.compile("Favourite|album"))).to_have_count(0)
    page.keyboard.press("l")
    page.keyboard.press("5")
    expect(dialog.get_by_role("alert")).to_have_text("")


@pytest.mark.parametrize("page", [{"allow": ["status of 503"]}], indirect=True)
def test_what_the_server_refuses_is_taken_back(page: Page, odd: str) -> None:
    dialog = opened(page, odd, "blue.png")
    rating = dialog.get_by_role("radiogroup", name="Rating")
    expect(rating).to_be_visible()
    page.route(
        "**/api/photos",
        lambda route: route.fulfill(status=503, json={"error": "The library is being written to."}),
    )
    page.keyboard.press("4")
    expect(dialog.get_by_role("alert").filter(has_text="being written to")).to_be_visible()
    expect(rating.get_by_role("radio", name="No rating")).to_be_checked()
    page.unroute_all()
    page.keyboard.press("2")
    expect(rating.get_by_role("radio", name="2 stars")).to_be_checked()
    expect(dialog.get_by_role("alert").filter(has_text="being written to")).to_have_count(0)


@pytest.mark.parametrize("page", [{"allow": ["status of 40[04]"]}], indirect=True)
def test_the_keys_are_told(page: Page, photos: str) -> None:
    page.goto(photos)
    expect(page.locator("#grid a")).to_have_count(5)
    keys = page.get_by_role("dialog", name="Keys")
    field = page.locator("#q")
    field.press_sequentially("?")
    expect(field).to_have_value("?")  # one types
    expect(keys).to_have_count(0)
    page.goto(photos)
    expect(page.locator("#grid a")).to_have_count(5)
    page.locator("#grid a").first.focus()
    page.keyboard.press("?")
    expect(keys).to_contain_text("slideshow")
    page.keyboard.press("Escape")
    expect(keys).to_have_count(0)
    expect(page.locator("#grid a").first).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("?")
    expect(keys).to_be_visible()
    page.keyboard.press("ArrowRight")  # nothing behind it moves
    page.keyboard.press("?")
    expect(keys).to_have_count(0)
    expect(page.locator(".counter")).to_have_text("1 of 5")
    page.get_by_role("button", name="Keys").click()
    expect(keys).to_be_visible()


@pytest.mark.parametrize(
    "page",
    [{}, {**PHONE, "color_scheme": "dark"}, {"viewport": {"width": 640, "height": 400}}],
    ids=["desk", "phone", "200 percent"],
    indirect=True,
)
def test_everybody_can_use_it(page: Page, odd: str, serious_findings: Callable[[Page], list[str]]) -> None:
    dialog = opened(page, f"{odd}?q=green", "green.jpg")
    page.keyboard.press("3")
    page.keyboard.press("l")
    dialog.get_by_role("button", name="Add to album").click()
    expect(dialog.get_by_role("textbox", name="New album")).to_be_focused()
    page.keyboard.type("A long name of an album that has to break somewhere")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("link", name="A long name")).to_be_visible()
    dialog.get_by_role("button", name="Add to album").click()
    assert serious_findings(page) == []
    assert dialog.evaluate("box => box.scrollWidth <= box.clientWidth")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    keys = page.get_by_role("dialog", name="Keys")
    expect(keys).to_be_visible()
    assert keys.evaluate("box => box.scrollWidth <= box.clientWidth")
    assert serious_findings(page) == []
    # Large enough for a finger.
    page.keyboard.press("Escape")
    small = """buttons => buttons.map(button => button.getBoundingClientRect())
        .filter(({width, height}) => Math.min(width, height) < 40).length"""
    assert page.locator("#lightbox .tool, #lightbox .step, #lightbox .shut").evaluate_all(small) == 0

"""All photos of a library in the page: a virtual list, its scrubber, and where one is in it."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.library import add_dated, dated_library, odd_library
from tests.browser.serving import serving
from tests.browser.test_page_states import SHIFTS
from tests.waiting import wait_for
from twobranch.indexer.update.library import update_library
from twobranch.server.settings import Settings

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
# The photos on the screen, by their days, from top to bottom.
SEEN = """[...document.querySelectorAll("#grid a")].filter((tile) => {
    const box = tile.getBoundingClientRect();
    return box.bottom > 100 && box.top < innerHeight;
}).map((tile) => tile.getAttribute("aria-label").split(",")[0])"""


@pytest.fixture(scope="module")
def dated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server over ``dated_library``."""
    library, encoder = dated_library(tmp_path_factory.mktemp("dated"))
    with serving(Settings(library), lambda model: encoder) as url:
        yield url


def tiles(page: Page) -> Locator:
    return page.locator("#grid a")


def begun(page: Page, url: str) -> None:
    page.goto(url)
    expect(tiles(page).first).to_have_attribute("aria-label", re.compile(r"^2023-12-31\.jpg"))


def first_seen(page: Page, pattern: str) -> None:
    """Waits until the first photo on the screen has a name like this."""
    wait_for(lambda: bool(re.match(pattern, (page.evaluate(SEEN) or [""])[0])))


@pytest.mark.parametrize("page", [{}, PHONE], ids=["desk", "phone"], indirect=True)
def test_every_photo_can_be_reached_and_nothing_moves(page: Page, dated: str) -> None:
    page.add_init_script(SHIFTS)
    seen: set[str] = set()
    most = 0
    begun(page, dated)
    expect(page.locator("#count")).to_have_text("400 photos")

    def is_at_the_end() -> bool:
        nonlocal most
        names = page.evaluate(SEEN)
        most = max(most, tiles(page).count())
        if all(name.endswith(".jpg") for name in names):  # those on this screen have come
            seen.update(names)
            page.evaluate("scrollBy(0, innerHeight / 2)")
        return len(seen) == 400

    wait_for(is_at_the_end)
    assert most < 200  # three screens of them at most, of 400
    page.wait_for_timeout(300)  # the observer reports late
    assert page.evaluate("window.shifts") == []


def test_months_have_headings(page: Page, dated: str) -> None:
    begun(page, dated)
    headings = page.locator("#grid h2")
    # 31, 26, 21, 16, 11, 6 and 1 December.
    expect(page.get_by_role("row").first).to_have_text("December 20237 photos")
    expect(headings.nth(1)).to_have_text("November 2023")
    page.goto(f"{dated}?sort=date&order=asc")
    expect(headings.first).to_have_text("July 2018")
    page.goto(f"{dated}?sort=folder")
    expect(headings.first).to_have_text("photos")
    expect(headings).to_have_count(1)


def test_the_scrubber(page: Page, dated: str) -> None:
    begun(page, dated)
    slider = page.get_by_role("slider", name="Month")
    expect(slider).to_have_attribute("aria-valuetext", "December 2023")
    slider.focus()
    page.keyboard.press("ArrowDown")
    expect(slider).to_have_attribute("aria-valuetext", "November 2023")
    first_seen(page, "2023-11-26")
    page.keyboard.press("PageDown")
    expect(slider).to_have_attribute("aria-valuetext", "December 2022")
    page.keyboard.press("End")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("2018"))
    page.keyboard.press("Home")
    expect(slider).to_have_attribute("aria-valuetext", "December 2023")
    expect(slider).to_have_attribute("aria-valuenow", str(int(slider.get_attribute("aria-valuemax") or 0)))
    box = slider.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 10, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + 10, box["y"] + box["height"] / 2)
    # The middle of five and a half years; rows are of about equal height, months of about equal size.
    expect(slider).to_have_attribute("aria-valuetext", re.compile(r"20(20|21)$"))
    page.mouse.up()
    first_seen(page, "202[01]-")


def test_the_keyboard_walks_through_rows_that_are_not_there_yet(page: Page, dated: str) -> None:
    begun(page, dated)
    tiles(page).first.focus()
    days = set()
    for _ in range(40):
        page.keyboard.press("ArrowDown")
        days.add(page.evaluate("document.activeElement.dataset.at"))
    assert len(days) == 40
    row = page.evaluate("Number(document.activeElement.closest('[role=row]').ariaRowIndex)")
    assert row > 40  # rows of pictures, and the headings between them
    page.keyboard.press("End")
    expect(page.locator("#grid a:focus")).to_have_attribute("aria-label", re.compile(r"^2018-07-"))
    expect(page.locator("#grid a:focus")).to_be_in_viewport()
    page.evaluate("scrollTo(0, 0)")
    first_seen(page, "2023-12-31")
    page.keyboard.press("ArrowLeft")  # the focus was not lost on the way
    expect(page.locator("#grid a:focus")).to_have_attribute("data-at", "398")
    page.keyboard.press("Home")
    expect(page.locator("#grid a:focus")).to_have_attribute("data-at", "0")
    assert page.evaluate("scrollY") == 0


def at_may_2021(page: Page, dated: str) -> str:
    """Goes to a date in the middle; the first photo on the screen there."""
    begun(page, dated)
    page.locator("#jump summary").click()
    page.get_by_role("textbox", name="Date", exact=True).fill("2021-05-22")
    page.get_by_role("button", name="Go", exact=True).click()
    # Photos are of every fifth day back from 31 December 2023: the newest that is not later is 5 * 191
    # days older.
    focused = page.locator("#grid a:focus")
    expect(focused).to_have_attribute("aria-label", re.compile(r"^2021-05-20"))
    expect(focused).to_be_in_viewport()
    first_seen(page, "2021-")
    return str(page.evaluate(SEEN)[0])


def test_one_comes_back_to_where_one_was(page: Page, dated: str) -> None:
    first = at_may_2021(page, dated)
    wait_for(lambda: page.evaluate("history.state?.kept?.anchor?.photo > 0"))  # as soon as one rests
    page.reload()
    first_seen(page, re.escape(first))
    page.locator("#q").fill("red")
    wait_for(lambda: page.evaluate("scrollY === 0"))
    page.go_back()
    first_seen(page, re.escape(first))


def test_a_photo_seen_large_is_where_one_comes_back_to(page: Page, dated: str) -> None:
    at_may_2021(page, dated)
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    for _ in range(60):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    focused = page.locator("#grid a:focus")
    expect(focused).to_have_attribute("data-at", str(191 + 60))
    expect(focused).to_be_in_viewport()


def test_back_from_more_like_this_leads_to_the_tile(page: Page, dated: str) -> None:
    at_may_2021(page, dated)
    photo = page.evaluate("document.activeElement.dataset.photo")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="More like this").click()
    expect(page.get_by_role("img", name="More like this photo")).to_be_visible()
    page.go_back()
    expect(page.locator("#grid a:focus")).to_have_attribute("data-photo", photo)
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert page.url == dated


def test_photos_that_come_leave_one_where_one_is(page: Page, tmp_path: Path) -> None:
    library, encoder = dated_library(tmp_path, 120)
    with serving(Settings(library), lambda model: encoder) as url:
        begun(page, url)
        page.evaluate("scrollTo(0, 1500)")
        first_seen(page, "2023-|2022-")
        page.wait_for_timeout(200)
        first = page.evaluate(SEEN)[0]
        for number in range(30):
            add_dated(
                tmp_path / "photos", datetime.date(2024, 6, 1) + datetime.timedelta(days=number), number
            )
        update_library(library, [tmp_path / "photos"], encoder)
        expect(page.locator("#count")).to_have_text("150 photos")
        first_seen(page, re.escape(first))
        page.goto("about:blank")


def test_pictures_that_fly_by_are_not_asked_for(page: Page, dated: str) -> None:
    begun(page, dated)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "thumbnail" in request.url else None)
    page.evaluate(
        """() => new Promise((then) => {
            let y = 0;
            const step = () => {
                y += 600;
                scrollTo(0, y);
                if (y + innerHeight < document.documentElement.scrollHeight) requestAnimationFrame(step);
                else then();
            };
            step();
        })"""
    )
    first_seen(page, "2018-")
    page.wait_for_timeout(300)
    assert len(asked) < 200  # of 400: where it began to be fast, and where it ended


def test_requests_of_photos_that_left_are_dropped(page: Page, dated: str) -> None:
    begun(page, dated)
    of_facts = re.compile(r"/api/photos\?id=")
    page.route(of_facts, lambda route: None)  # never answered
    with page.expect_request(of_facts):
        page.evaluate("scrollTo(0, 8000)")
    with page.expect_event("requestfailed", lambda request: bool(of_facts.search(request.url))):
        page.evaluate("scrollTo(0, 16000)")
    page.unroute(of_facts)


def test_on_this_day(page: Page, dated: str) -> None:
    begun(page, f"{dated}?day=12-31")
    chip = page.get_by_role("button", name="Remove: On 31 December of any year")
    expect(chip).to_be_visible()
    # Of the last days of six years, those a multiple of five days before that of 2023: 0, 365, 730 and
    # 1095; the leap year 2020 has 366, and then there is none.
    expect(page.locator("#count")).to_have_text("4 photos")
    chip.click()
    expect(page.locator("#count")).to_have_text("400 photos")
    page.locator("#jump summary").click()
    page.get_by_role("button", name="On this day").press("Enter")
    expect(page).to_have_url(re.compile("day="))
    expect(page.locator("#jump summary")).to_be_focused()  # the button is gone with its panel


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server over ``odd_library``, of which one photo is in Paris."""
    library, encoder = odd_library(tmp_path_factory.mktemp("odd"))
    with serving(Settings(library), lambda model: encoder) as url:
        yield url


@pytest.mark.parametrize(
    ("filters", "name", "n"),
    [
        ("near=48.85,2.35&within=20km", "Within 20km of 48.85,2.35", 1),
        ("not_path=holiday", "Not in holiday", 4),
        ("min_size=300x200", "At least 300x200", 3),
    ],
)
def test_no_filter_of_the_address_is_ignored(page: Page, odd: str, filters: str, name: str, n: int) -> None:
    page.goto(f"{odd}?{filters}")
    expect(tiles(page)).to_have_count(n)
    page.get_by_role("button", name=f"Remove: {name}").click()
    expect(tiles(page)).to_have_count(5)
    assert page.url == odd


@pytest.mark.parametrize("page", [PHONE], indirect=True)
def test_a_phone_shows_photos_in_its_first_third(page: Page, dated: str) -> None:
    begun(page, dated)
    top = tiles(page).first.bounding_box()
    assert top is not None
    assert top["y"] <= 281.5  # a third of 844
    bar = page.get_by_role("banner")
    page.evaluate("scrollTo(0, 2000)")
    expect(bar).not_to_be_in_viewport()
    page.evaluate("scrollBy(0, -60)")
    expect(bar).to_be_in_viewport()
    expect(page.get_by_role("slider", name="Month")).to_have_css("opacity", "1")


@pytest.mark.parametrize("page", [PHONE], indirect=True)
def test_the_handle_of_the_scrubber_is_below_the_bar(page: Page, dated: str) -> None:
    begun(page, dated)
    page.evaluate("scrollTo(0, 600)")
    expect(page.get_by_role("banner")).not_to_be_in_viewport()
    page.evaluate("scrollBy(0, -60)")
    expect(page.get_by_role("banner")).to_be_in_viewport(ratio=1)
    above = """() => {
        const box = document.querySelector("#scrubber .thumb").getBoundingClientRect();
        return box.top - document.querySelector(".top").getBoundingClientRect().bottom;
    }"""
    wait_for(lambda: page.evaluate(above) >= 0)


@pytest.mark.parametrize("page", [{"viewport": {"width": 320, "height": 640}}], indirect=True)
def test_the_field_fits_a_narrow_screen(page: Page, dated: str) -> None:
    begun(page, dated)
    field, bar = page.get_by_role("search").bounding_box(), page.get_by_role("banner").bounding_box()
    assert field is not None
    assert bar is not None
    assert field["x"] + field["width"] <= bar["width"]


@pytest.mark.parametrize(
    "page", [{}, {**PHONE, "color_scheme": "dark"}], ids=["light", "dark"], indirect=True
)
def test_everybody_can_browse(page: Page, dated: str, serious_findings: Callable[[Page], list[str]]) -> None:
    page.goto(f"{dated}?day=12-31&sort=size")
    expect(page.locator("#count")).to_have_text("4 photos")
    page.locator("#jump summary").click()
    assert serious_findings(page) == []
    page.goto(dated)
    page.get_by_role("slider", name="Month").focus()
    assert serious_findings(page) == []

"""What the page bears: hostile names, long lists, an empty library, files that are gone, a server that is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.library import HTML_CAPTION, HTML_NAME, long_library, odd_library
from tests.browser.serving import serving
from tests.fakes import FakeEncoder
from tests.waiting import wait_for
from twobranch.indexer.update.library import update_library
from twobranch.server.settings import Settings

PHONE = {"width": 360, "height": 740}
SCHEMES = [{"color_scheme": "light"}, {"color_scheme": "dark", "viewport": PHONE}]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("place")


@pytest.fixture(scope="module")
def odd(place: Path) -> Iterator[str]:
    """The URL of a server over ``odd_library``."""
    library, encoder = odd_library(place)
    with serving(Settings(library), lambda model: encoder) as url:
        yield url


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server over ``long_library``."""
    library, encoder = long_library(tmp_path_factory.mktemp("long"))
    with serving(Settings(library), lambda model: encoder) as url:
        yield url


def test_html_stays_text(page: Page, odd: str) -> None:
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    page.goto(f"{odd}?q=red+green")
    tile = page.get_by_role("gridcell").get_by_label(HTML_NAME)
    tile.click()
    dialog = page.get_by_role("dialog", name=HTML_NAME)
    expect(dialog.get_by_role("heading", level=2)).to_have_text(HTML_NAME)
    expect(dialog.locator("li").first).to_have_text(HTML_CAPTION)
    page.goto(f"{odd}?q=red+green&in=captions")
    expect(page.get_by_role("link", name=HTML_CAPTION)).to_be_visible()
    page.get_by_role("link", name=HTML_CAPTION).click()
    expect(page.get_by_role("combobox", name="Search photos")).to_have_value(HTML_CAPTION)
    expect(page.get_by_role("gridcell").first).to_be_visible()
    assert page.evaluate("document.querySelectorAll('img[src=x], [onclick], main script').length") == 0


SHIFTS = """
window.shifts = [];
new PerformanceObserver(list => {
    for (const entry of list.getEntries()) {
        const moved = entry.sources.map(({node}) => node?.parentElement?.closest("[id]")?.id);
        window.shifts.push(`${entry.value} in ${moved}`);
    }
}).observe({type: "layout-shift", buffered: true});
"""


def _unfold(route: Route) -> None:
    route.continue_(url=f"{route.request.url}&fold=false")


def unfolded(page: Page) -> None:
    """Have each photo of ``long_library`` as a hit: in four dimensions most are almost the same."""
    page.route("**/api/search?**", _unfold)


@pytest.mark.parametrize("page", [{}, {"viewport": PHONE}], ids=["desktop", "phone"], indirect=True)
def test_all_hits_can_be_scrolled_to_and_nothing_moves(page: Page, long: str) -> None:
    page.add_init_script(SHIFTS)
    unfolded(page)
    page.goto(f"{long}?q=red")
    expect(page.locator("#grid a").first).to_be_visible()
    seen: set[str] = set()

    # The rows of a place are there in the frame after it was scrolled to.
    step = "new Promise((then) => { scrollBy(0, 600); requestAnimationFrame(() => setTimeout(then)) })"

    look = """[
        [...document.querySelectorAll("#grid a")].map((tile) => tile.dataset.at),
        scrollY + innerHeight >= document.documentElement.scrollHeight - 1
            && document.querySelector("#grid").getAttribute("aria-rowcount") !== "-1",
    ]"""

    def is_at_the_end() -> bool:
        page.evaluate(step)
        here, is_end = page.evaluate(look)  # in one go: hits that come in between move the end
        seen.update(here)
        return bool(is_end)

    wait_for(is_at_the_end)
    assert len(seen) == 520
    page.wait_for_timeout(300)  # the observer reports late
    assert page.evaluate("window.shifts") == []


@pytest.mark.parametrize("page", [{"allow": ["status of 400"]}], indirect=True)
def test_nothing_moves_when_a_photo_has_come(page: Page, odd: str) -> None:
    """Each tile has its size from the answer, before any picture is there."""
    page.route("**/thumbnail?**", lambda route: None)  # never answered
    page.goto(f"{odd}?q=red")
    before = page.locator("#grid a").first.bounding_box()
    page.unroute("**/thumbnail?**")
    page.reload()
    expect(page.locator("#grid img").first).to_have_js_property("complete", True)
    assert page.locator("#grid a").first.bounding_box() == before


def test_back_leads_to_where_one_was_among_hits(page: Page, long: str) -> None:
    unfolded(page)
    page.goto(f"{long}?q=red")
    expect(page.locator("#grid a").first).to_be_visible()
    wait_for(lambda: page.evaluate("scrollTo(0, 9000), scrollY === 9000"))
    at = "document.elementFromPoint(300, 400)?.closest('a')?.dataset.photo"
    wait_for(lambda: page.evaluate(at))
    photo = page.evaluate(at)
    page.locator("#q").fill("green")
    wait_for(lambda: page.evaluate("scrollY === 0"))
    page.go_back()
    wait_for(lambda: page.evaluate(at) == photo)


@pytest.mark.parametrize("page", SCHEMES, ids=["light", "dark"], indirect=True)
def test_everybody_can_use_it(page: Page, odd: str, serious_findings: Callable[[Page], list[str]]) -> None:
    page.goto(f"{odd}?q=red+motorcylce")
    expect(page.locator("#grid a").first).to_be_visible()
    assert serious_findings(page) == []
    page.get_by_role("button", name="Date", exact=True).click()
    expect(page.get_by_role("textbox", name="From")).to_be_visible()
    assert serious_findings(page) == []
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Date", exact=True)).to_be_focused()
    page.locator("#grid a").first.click()
    expect(page.get_by_role("button", name="Copy path")).to_be_visible()
    assert serious_findings(page) == []
    page.get_by_role("button", name="More like this").click()
    expect(page.get_by_role("img", name="More like this photo")).to_be_visible()
    assert serious_findings(page) == []
    page.goto(f"{odd}?q=red&in=captions")
    expect(page.locator(".captions a").first).to_be_visible()
    assert serious_findings(page) == []


def test_headings_and_regions_lead_through_the_page(page: Page, odd: str) -> None:
    page.goto(odd)
    expect(page.get_by_role("region", name="Library")).to_contain_text("5 photos")
    page.get_by_role("button", name="More", exact=True).click()
    expect(page.get_by_role("heading", name="Shape", level=2)).to_be_visible()


def test_an_empty_library(page: Page, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    update_library(tmp_path / ".twobranch", [tmp_path / "photos"], FakeEncoder())
    with serving(Settings(tmp_path / ".twobranch"), lambda model: FakeEncoder()) as url:
        page.goto(url)
        expect(page.get_by_role("heading", name="No photos found yet")).to_be_visible()
        page.goto(f"{url}?in=captions")
        expect(page.get_by_role("heading", name="No photos found yet")).to_be_visible()
        page.goto("about:blank")  # it would go on asking how the library is


@pytest.mark.parametrize("page", [{"allow": ["ERR_FAILED"]}], indirect=True)
def test_a_server_that_is_gone(page: Page, odd: str) -> None:
    page.goto(odd)
    expect(page.locator("#grid a")).to_have_count(5)
    page.route("**/api/search?**", lambda route: route.abort())
    page.get_by_role("combobox", name="Search photos").fill("red")
    expect(page.get_by_role("alert")).to_contain_text("The server does not answer.")
    page.unroute("**/api/search?**")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.locator("#grid a")).to_have_count(4)


@pytest.mark.parametrize("page", [{"viewport": {"width": 1280, "height": 4500}}], indirect=True)
def test_a_large_screen_is_filled_without_scrolling(page: Page, long: str) -> None:
    unfolded(page)
    page.goto(f"{long}?q=red")
    # The first 100 hits are about 24 rows of 220 pixels; the screen and another one below it have 40.
    wait_for(lambda: page.locator("#grid a").count() > 110)


@pytest.mark.parametrize("page", [{"allow": ["ERR_FAILED"]}], indirect=True)
def test_more_photos_that_do_not_come_at_once(page: Page, long: str) -> None:
    unfolded(page)
    page.route("**/api/search?**cursor=**", lambda route: route.abort())
    with page.expect_event("requestfailed", lambda request: "cursor=" in request.url):
        page.goto(f"{long}?q=red")
        expect(page.locator("#grid a").first).to_be_visible()
        page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    assert page.locator("#grid a").count() > 20  # they are still there
    height = page.evaluate("document.documentElement.scrollHeight")
    page.unroute("**/api/search?**cursor=**")
    page.evaluate("scrollBy(0, -50)")
    wait_for(lambda: page.evaluate("document.documentElement.scrollHeight") > height)


@pytest.mark.parametrize("page", [{"allow": ["status of 401"]}], indirect=True)
def test_who_is_no_longer_logged_in(page: Page, odd: str) -> None:
    page.goto(odd)
    expect(page.locator("#grid a")).to_have_count(5)
    page.route(
        "**/api/search?**", lambda route: route.fulfill(status=401, json={"error": "this needs the token"})
    )
    page.get_by_role("combobox", name="Search photos").fill("red")
    expect(page.get_by_role("alert")).to_contain_text("this needs the token")
    with page.expect_navigation():
        page.get_by_role("button", name="Log in").click()


@pytest.mark.parametrize("page", [{"allow": ["status of 40[04]"]}], indirect=True)
def test_an_error_is_its_line_of_text(page: Page, odd: str) -> None:
    page.goto(f"{odd}?picture=00000000000000000000000000000000")
    expect(page.get_by_role("alert")).to_have_text(
        re.compile("that picture is no longer here; hand it in again")
    )
    page.goto(f"{odd}?q=red&after=soon&before=2024")
    expect(page.get_by_role("alert")).to_contain_text("'soon' is no date")
    page.goto(f"{odd}?photo=99999")
    expect(page.get_by_role("dialog").get_by_text("there is no photo 99999")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()


@pytest.mark.parametrize("page", [{"allow": ["status of 404"]}], indirect=True)
def test_a_photo_whose_file_is_gone(page: Page, odd: str, place: Path) -> None:
    (place / "photos" / "blue.png").unlink()  # the other tests of this file do not look at it
    page.goto(f"{odd}?q=blue")
    tile = page.get_by_role("gridcell").first
    expect(tile).to_contain_text("blue.png is gone or cannot be read")
    tile.get_by_role("link").click()
    expect(page.locator("#lightbox .stage .gone-text")).to_contain_text("blue.png")


def test_pictures_that_nobody_waits_for_are_not_loaded(page: Page, served: str) -> None:
    """Results that pass by while one types must not hold up those that stay."""
    page.route("**/thumbnail?**", lambda route: None)  # never answered
    page.goto(f"{served}?path=red*")
    expect(page.locator("#grid a")).to_have_attribute("aria-label", re.compile("red-ball"))
    red = page.locator("#grid img").evaluate("image => image.src")
    with page.expect_event("requestfailed", lambda request: request.url == red):
        page.evaluate(
            "history.pushState({}, '', '?path=blue*'); dispatchEvent(new PopStateEvent('popstate'))"
        )
    expect(page.locator("#grid a")).to_have_attribute("aria-label", re.compile("blue-ball"))

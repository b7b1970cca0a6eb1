"""The bar that indexes: what it says, that it can be pressed, stopped, read aloud, and used on a phone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests import indexwith
from tests.browser.serving import serving
from tests.fakes import FakeEncoder, write_photo
from tests.waiting import wait_for
from twobranch.indexer.catalog.connection import open_database
from twobranch.indexer.catalog.lock import indexing_lock
from twobranch.indexer.update.library import update_library
from twobranch.server.settings import Settings

PHONE = {"width": 360, "height": 740}
# Only the bar, so that what else a page shows and asks for plays no part.
BAR = """<!doctype html><html lang="en"><title>bar</title><meta name="viewport" content="width=device-width">
<link rel="stylesheet" href="base.css"><link rel="stylesheet" href="indexing.css">
<main><h1>Photos</h1><div id="library"></div></main><script type="module">
import { mountIndexing } from "./js/views/indexing/indexing.js";
import { mountSession } from "./js/views/session/session.js";
mountSession();
window.told = 0;
mountIndexing(document.getElementById("library"), { onChange: () => { window.told += 1 } });
</script></html>"""


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of 100 photos, no two of them alike."""
    for number in range(100):
        write_photo(tmp_path / "Pictures" / f"{number:03}.png", (number, 255 - number, 7))
    return tmp_path / "Pictures"


@contextmanager
def bar(
    page: Page,
    library: Path,
    folders: tuple[Path, ...] = (),
    index_with: Callable[[Path], FakeEncoder] = indexwith.fake,
) -> Iterator[str]:
    """The bar of a server, open in the tab; the server's URL."""
    settings = Settings(library, folders=folders)
    with serving(settings, lambda model: FakeEncoder(), index_with) as url:
        show_bar(page, url)
        try:
            yield url
        finally:
            page.goto("about:blank")  # it would ask on, and nobody would answer


def show_bar(page: Page, url: str) -> None:
    def fulfill(route: Route) -> None:
        route.fulfill(content_type="text/html", body=BAR)

    page.route("**/bar.html", fulfill)
    page.goto(f"{url}bar.html")


def test_a_new_library_is_filled(page: Page, library: Path, pictures: Path, tmp_path: Path) -> None:
    write_photo(tmp_path / "Phone" / "sky.png", "blue")
    open_database(library, create=True)
    with bar(page, library, (pictures, tmp_path / "Phone")):
        expect(page.get_by_text("No photos here yet")).to_be_visible()
        expect(page.get_by_role("button")).to_have_text(
            ["Index all folders", "Index “Pictures”", "Index “Phone”"]
        )
        page.get_by_role("button", name="Index “Pictures”").click()
        expect(page.get_by_text("100 photos · up to date · 100 added")).to_be_visible()
        expect(page.get_by_role("button", name="Update")).to_be_focused()
        expect(page.get_by_role("button")).to_have_text(["Update", "Index “Phone”"])
        expect(page.locator("[aria-live=polite]")).to_contain_text("Indexing is done: 100 added")
        assert page.evaluate("told") > 0


def test_a_library_without_folders(page: Page, library: Path) -> None:
    open_database(library, create=True)
    with bar(page, library):
        expect(page.get_by_text("twobranch serve ~/Pictures")).to_be_visible()
        expect(page.get_by_role("button")).to_have_count(0)


def test_what_changed_on_disk(page: Page, library: Path, photos: Path, encoder: FakeEncoder) -> None:
    update_library(library, [photos], encoder)
    write_photo(photos / "rose.png", (200, 0, 0))
    (photos / "blue.png").unlink()
    with bar(page, library):
        expect(page.get_by_text("3 photos · 1 new, 1 gone since the last index")).to_be_visible()
        page.get_by_role("button", name="Update").press("Enter")
        expect(page.get_by_text("3 photos · up to date · 1 added, 1 removed")).to_be_visible()
        page.reload()
        expect(page.get_by_text("3 photos · up to date · 1 added, 1 removed")).to_be_visible()


def test_a_look_at_the_folders_that_a_run_overtakes_is_done_again(
    page: Page, library: Path, pictures: Path
) -> None:
    held: list[Route] = []
    open_database(library, create=True)
    page.route("**/api/status?scan=1", lambda route: route.continue_() if held else held.append(route))
    with bar(page, library, (pictures,)):
        page.get_by_role("button", name="Index “Pictures”").click()
        expect(page.get_by_text("100 photos · 100 added")).to_be_visible()
        held[0].continue_()
        expect(page.get_by_text("100 photos · up to date · 100 added")).to_be_visible()


def test_a_status_that_comes_only_when_the_run_has_ended(page: Page, library: Path, pictures: Path) -> None:
    """On a busy machine: that the folders were up to date but for what the run did is not forgotten."""
    held: list[Route] = []
    open_database(library, create=True)
    with bar(page, library, (pictures,), indexwith.slow) as url:
        with page.expect_response(lambda response: "scan=1" in response.url):
            page.evaluate("sessionStorage.clear()")
            page.reload()
        page.wait_for_timeout(100)  # in which it is taken in
        scans: list[Request] = []
        page.on("request", lambda request: scans.append(request) if "scan=1" in request.url else None)
        page.route("**/api/status", lambda route: held.append(route))
        page.get_by_role("button", name="Index “Pictures”").click()
        wait_for(lambda: page.wait_for_timeout(20) or held)  # asked for when the first photos are there
        (library.parent / "go").touch()
        wait_for(lambda: not page.request.get(f"{url}api/index").json()["running"])
        page.unroute("**/api/status")
        held[0].continue_()
        expect(page.get_by_text("100 photos · up to date · 100 added")).to_be_visible()
        assert scans == []  # which would come a minute later


def test_stopping_and_going_on(page: Page, library: Path, pictures: Path) -> None:
    open_database(library, create=True)
    with bar(page, library, (pictures,), indexwith.slow):
        page.get_by_role("button", name="Index “Pictures”").dblclick()  # which does not stop it
        expect(page.get_by_text("32 of 100")).to_be_visible()
        expect(page.get_by_text("a second,")).to_be_visible()
        page.reload()  # it goes on whether anybody looks or not
        expect(page.get_by_role("progressbar")).to_be_visible()
        expect(page.locator("[aria-live=polite]")).to_contain_text("Indexing has begun")
        page.get_by_role("button", name="Stop").click()
        expect(page.get_by_text("Stopped. What was finished is kept")).to_be_visible()
        page.wait_for_timeout(700)  # else it would be a double click
        (library.parent / "go").touch()
        page.get_by_role("button", name="Update").click()
        expect(page.get_by_text("100 photos · up to date")).to_be_visible()


def test_photos_that_cannot_be_read(
    new_page: Callable[..., Page], library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    (photos / "broken.jpg").write_bytes(b"\xff\xd8 no more")
    update_library(library, [photos], encoder)
    page = new_page(permissions=["clipboard-read", "clipboard-write"])
    with bar(page, library):
        page.get_by_text("1 photo could not be read").click()
        expect(page.get_by_role("listitem")).to_contain_text(str(photos / "broken.jpg"))
        page.get_by_role("button", name="Copy the list").click()
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied.startswith(f"{photos / 'broken.jpg'}\t")
        for _ in range(2):  # the list stays open while the bar looks again
            page.wait_for_event("response", lambda response: response.url.endswith("api/index"))
        expect(page.get_by_role("listitem")).to_be_visible()


@pytest.mark.parametrize("page", [{"allow": ["status of 409"]}], indirect=True)
def test_while_a_terminal_indexes(page: Page, library: Path, photos: Path, encoder: FakeEncoder) -> None:
    update_library(library, [photos], encoder)
    with bar(page, library), indexing_lock(library):
        page.get_by_role("button", name="Update").click()
        expect(page.get_by_role("alert")).to_contain_text("another `index` is at work")


def test_a_run_that_fails(page: Page, library: Path, photos: Path, encoder: FakeEncoder) -> None:
    update_library(library, [photos], encoder)
    with bar(page, library, (), indexwith.none):
        page.get_by_role("button", name="Update").click()
        expect(page.get_by_role("alert")).to_contain_text("the model is gone; put it back")


@pytest.mark.parametrize("page", [{"allow": ["ERR_CONNECTION_REFUSED"]}], indirect=True)
def test_a_server_that_is_gone(page: Page, library: Path, photos: Path, encoder: FakeEncoder) -> None:
    update_library(library, [photos], encoder)
    with serving(Settings(library), lambda model: encoder) as url:
        show_bar(page, url)
        expect(page.get_by_text("3 photos · up to date")).to_be_visible()
    expect(page.get_by_role("status")).to_contain_text("The server does not answer")


def test_what_others_index_is_told(page: Page, library: Path, photos: Path, encoder: FakeEncoder) -> None:
    update_library(library, [photos], encoder)
    with bar(page, library):
        expect(page.get_by_text("3 photos · up to date")).to_be_visible()
        page.evaluate("performance.now = () => Date.now()")  # a while later
        write_photo(photos / "rose.png", (200, 0, 0))
        update_library(library, [], encoder)  # as `watch` does
        expect(page.get_by_text("4 photos")).to_be_visible()
        page.wait_for_function("told > 0")


@pytest.mark.parametrize(
    "page",
    [{"viewport": PHONE}, {"viewport": PHONE, "color_scheme": "dark"}],
    indirect=True,
    ids=["light", "dark"],
)
def test_everybody_can_use_it_on_a_phone(
    page: Page, library: Path, pictures: Path, serious_findings: Callable[[Page], list[str]]
) -> None:
    (pictures / "broken.jpg").write_bytes(b"\xff\xd8 no more")
    open_database(library, create=True)

    def check() -> None:
        assert serious_findings(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]

    with bar(page, library, (pictures,), indexwith.slow):
        expect(page.get_by_role("button", name="Index “Pictures”")).to_be_visible()
        check()
        page.get_by_role("button", name="Index “Pictures”").press("Enter")
        expect(page.get_by_text("32 of 101")).to_be_visible()
        check()
        (library.parent / "go").touch()
        page.get_by_text("1 photo could not be read").click()
        check()


def test_new_photos_are_shown_where_one_searches(page: Page, library: Path, tmp_path: Path) -> None:
    folder = tmp_path / "Pictures"
    write_photo(folder / "red.png", "red")
    update_library(library, [folder], FakeEncoder())
    write_photo(folder / "blue.png", "blue")
    with serving(Settings(library), lambda model: FakeEncoder()) as url:
        page.goto(f"{url}?q=blue")
        expect(page.get_by_text("1 photo · 1 new since the last index")).to_be_visible()
        expect(page.locator("#grid img")).to_have_count(1)
        page.get_by_role("button", name="Update").click()
        expect(page.locator("#grid img")).to_have_count(2)
        page.goto("about:blank")

"""The page of a library without photos: where photos come from, and the first run; photos dropped later."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests import indexwith
from tests.browser.serving import serving
from tests.browser.test_page import png
from tests.fakes import FakeEncoder, write_photo
from twobranch.indexer.catalog.connection import open_database
from twobranch.indexer.update.library import update_library
from twobranch.server.settings import Settings

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder with three photos in Pictures, one of them in a folder below, and an empty folder."""
    home = tmp_path / "home"
    write_photo(home / "Pictures" / "red.png", "red")
    write_photo(home / "Pictures" / "green.png", "green")
    write_photo(home / "Pictures" / "2021" / "blue.png", "blue")
    (home / "Documents").mkdir()
    return home


@contextmanager
def empty(page: Page, library: Path, index_with: Any = indexwith.fake, **settings: Any) -> Iterator[str]:
    """The page of an empty library."""
    open_database(library, create=True)
    encoder = FakeEncoder()
    with serving(Settings(library, **settings), lambda model: encoder, index_with) as url:
        page.goto(url)
        try:
            yield url
        finally:
            page.goto("about:blank")  # it would ask on, and nobody would answer


def tiles(page: Page) -> Locator:
    return page.locator("#grid a[data-photo]")


def start(page: Page) -> Locator:
    return page.locator("#start")


def drop(page: Page, files: dict[str, bytes]) -> None:
    """Drops these files on the page."""
    page.evaluate(
        """files => {
            const all = new DataTransfer();
            for (const [name, data] of files) {
                const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
                const type = name.endsWith(".png") ? "image/png" : "text/plain";
                all.items.add(new File([bytes], name, {type}));
            }
            const options = {bubbles: true, cancelable: true, dataTransfer: all};
            document.body.dispatchEvent(new DragEvent("drop", options));
        }""",
        [[name, b64encode(data).decode()] for name, data in files.items()],
    )


def test_the_folder_of_the_command_line_is_one_button(page: Page, library: Path, home: Path) -> None:
    with empty(page, library, folders=(home / "Pictures",)):
        expect(start(page).get_by_role("heading", name="No photos here yet")).to_be_visible()
        expect(page.locator("#library")).to_be_hidden()  # the buttons are in the middle of the page alone
        start(page).get_by_role("button", name="Index “Pictures”").click()
        expect(tiles(page)).to_have_count(3)
        expect(start(page)).to_be_hidden()
        expect(page.locator("#library")).to_contain_text("3 photos")


def test_the_progress_of_the_first_run(page: Page, library: Path, tmp_path: Path) -> None:
    for number in range(100):
        write_photo(tmp_path / "Many" / f"{number:03}.png", (number, 255 - number, 7))
    with empty(page, library, indexwith.slow, folders=(tmp_path / "Many",)):
        start(page).get_by_role("button", name="Index “Many”").click()
        expect(start(page).get_by_role("progressbar", name="Indexing")).to_be_visible()
        expect(tiles(page).first).to_be_visible()  # before the run has ended
        expect(page.get_by_role("button", name="Stop")).to_be_visible()
        page.get_by_role("button", name="Stop").click()
        expect(page.get_by_text("Stopped. What was finished is kept")).to_be_visible()


def test_a_folder_is_chosen_by_keys(page: Page, library: Path, home: Path) -> None:
    with empty(page, library, choose_from=(home,)):
        start(page).get_by_role("button", name="Choose a folder…").press("Enter")
        dialog = page.get_by_role("dialog", name="Choose a folder of photos")
        documents = dialog.get_by_role("button", name="Documents")
        pictures = dialog.get_by_role("button", name="Pictures 2 photos")
        expect(documents).to_be_focused()  # the one place where one may begin is open already
        page.keyboard.press("ArrowDown")
        expect(pictures).to_be_focused()
        page.keyboard.press("Enter")
        expect(dialog.get_by_role("button", name="2021 1 photo")).to_be_focused()
        expect(dialog.get_by_text("2 photos in this folder itself")).to_be_visible()
        page.keyboard.press("Backspace")
        expect(pictures).to_be_focused()
        page.keyboard.press("ArrowRight")
        expect(dialog.locator("[aria-current=location]")).to_have_text("Pictures")
        dialog.get_by_role("button", name="Use this folder").press("Enter")
        expect(tiles(page)).to_have_count(3)


def test_the_beginning_is_no_folder(page: Page, library: Path, home: Path, tmp_path: Path) -> None:
    write_photo(tmp_path / "usb" / "mint.png", "cyan")
    with empty(page, library, choose_from=(home, tmp_path / "usb")):
        start(page).get_by_role("button", name="Choose a folder…").click()
        page.get_by_role("button", name="Use this folder").click()
        expect(page.get_by_role("alert")).to_contain_text("Open a folder first")
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(start(page).get_by_role("button", name="Choose a folder…")).to_be_focused()


@pytest.mark.parametrize("page", [{"allow": ["status of 404"]}], indirect=True)
def test_a_folder_that_has_gone(page: Page, library: Path, home: Path) -> None:
    with empty(page, library, choose_from=(home,)):
        start(page).get_by_role("button", name="Choose a folder…").click()
        expect(page.get_by_role("button", name="Documents")).to_be_visible()
        (home / "Documents").rmdir()
        page.get_by_role("button", name="Documents").click()
        expect(page.get_by_role("alert")).to_contain_text("Documents")
        expect(page.get_by_role("button", name="Pictures 2 photos")).to_be_visible()


def test_a_server_that_lets_nobody_choose(page: Page, library: Path) -> None:
    with empty(page, library):
        expect(start(page).get_by_role("heading", name="No photos here yet")).to_be_visible()
        expect(start(page).get_by_role("button")).to_have_count(0)
        expect(start(page)).to_contain_text("twobranch index ~/Pictures")


def test_photos_dropped_on_an_empty_page_are_added(page: Page, library: Path) -> None:
    with empty(page, library, adding=True):
        expect(start(page).get_by_text("Or drop photos")).to_be_visible()
        drop(page, {"red.png": png("red"), "blue.png": png("blue"), "notes.txt": b"no photo"})
        expect(tiles(page)).to_have_count(2)
        expect(start(page)).to_be_hidden()


def test_photos_are_chosen_to_be_added(page: Page, library: Path) -> None:
    with empty(page, library, adding=True):
        start(page).get_by_label("Add photos…").set_input_files(
            [
                {"name": "red.png", "mimeType": "image/png", "buffer": png("red")},
                {"name": "bad.png", "mimeType": "image/png", "buffer": b"no picture"},
            ]
        )
        refused = page.get_by_role("dialog", name="1 file not added")
        expect(refused).to_contain_text("bad.png")
        refused.get_by_role("button", name="Close").click()
        expect(tiles(page)).to_have_count(1)


@pytest.fixture
def filled(page: Page, library: Path, home: Path) -> Iterator[Page]:
    """The page of a library with three photos, to which photos may be added."""
    encoder = FakeEncoder()
    update_library(library, [home / "Pictures"], encoder)
    with serving(Settings(library, adding=True), lambda model: encoder) as url:
        page.goto(url)
        expect(tiles(page)).to_have_count(3)
        yield page
        page.goto("about:blank")


def test_several_dropped_photos_are_offered_to_the_library(filled: Page) -> None:
    page = filled
    drop(page, {"rose.png": png("pink"), "sky.png": png("cyan"), "notes.txt": b"no photo"})
    offer = page.get_by_role("dialog", name="Add 2 photos?")
    expect(offer).to_contain_text("1 file that is no picture is left out")
    offer.get_by_role("button", name="Cancel").click()
    expect(tiles(page)).to_have_count(3)
    drop(page, {"rose.png": png("pink"), "sky.png": png("cyan")})
    page.get_by_role("button", name="Add them").click()
    expect(tiles(page)).to_have_count(5)


def test_one_dropped_picture_is_searched_with(filled: Page) -> None:
    page = filled
    drop(page, {"mine.png": png("blue")})
    expect(page.get_by_role("img", name="Your picture")).to_be_visible()
    assert "picture=" in page.url


def test_a_drop_without_photos(filled: Page) -> None:
    page = filled
    drop(page, {"a.txt": b"a", "b.txt": b"b"})
    expect(page.get_by_role("dialog", name="No photos among them")).to_be_visible()


@pytest.mark.parametrize(
    "page", [{"color_scheme": "light"}, {"color_scheme": "dark", **PHONE}], indirect=True
)
def test_nothing_serious_is_found(
    page: Page, library: Path, home: Path, serious_findings: Callable[[Page], list[str]]
) -> None:
    with empty(page, library, folders=(home / "Pictures",), choose_from=(home,), adding=True):
        expect(start(page).get_by_role("button", name="Choose a folder…")).to_be_visible()
        assert serious_findings(page) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        start(page).get_by_role("button", name="Choose a folder…").click()
        expect(page.get_by_role("button", name="Documents")).to_be_visible()
        assert serious_findings(page) == []

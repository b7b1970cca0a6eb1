"""Choosing photos on the page and what is done with them: zip, paths, albums, marks; and saved searches."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.serving import draw_photos, serving
from tests.fakes import FakeEncoder
from twobranch.indexer.update.library import update_library
from twobranch.server.settings import Settings

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


# Twelve photos of twelve months are twelve sections, one below the other: all of them are drawn.
TALL = {"width": 1280, "height": 3600}


@pytest.fixture
def page(new_page: Callable[..., Page], request: pytest.FixtureRequest) -> Page:
    """A tab in which all photos are drawn at once."""
    return new_page(**{"viewport": TALL, **getattr(request, "param", {})})


@pytest.fixture
def own(tmp_path: Path) -> Iterator[str]:
    """The URL of a server over twelve photos that belong to this test alone."""
    encoder = FakeEncoder()
    captions = draw_photos(tmp_path / "photos")
    update_library(tmp_path / ".twobranch", [tmp_path / "photos"], encoder, captions=captions)
    with serving(Settings(tmp_path / ".twobranch"), lambda model: encoder) as url:
        yield url


def tiles(page: Page) -> Locator:
    return page.locator("#grid a[data-photo]")


def tile(page: Page, name: str) -> Locator:
    return tiles(page).and_(page.get_by_role("link", name=re.compile(f"^{re.escape(name)}")))


def bar(page: Page) -> Locator:
    return page.get_by_role("toolbar", name="Selected photos")


def chosen(page: Page) -> list[str]:
    names = page.locator("#grid a.chosen").evaluate_all(
        "all => all.map(tile => tile.getAttribute('aria-label'))"
    )
    return sorted(name.split(",")[0] for name in names)


def choose(page: Page, *names: str) -> None:
    for name in names:
        tile(page, name).click(modifiers=["Control"])


def test_photos_are_chosen_by_mouse(page: Page, served: str) -> None:
    page.goto(served)
    expect(tiles(page)).to_have_count(12)
    expect(bar(page)).to_be_hidden()
    tiles(page).nth(1).hover()
    tiles(page).nth(1).locator(".check").click()
    expect(bar(page)).to_contain_text("1 selected")
    expect(page.get_by_role("dialog")).to_have_count(0)  # it was not opened
    tiles(page).nth(3).click(modifiers=["Shift"])
    expect(bar(page)).to_contain_text("3 selected")
    tiles(page).nth(2).click()  # a click chooses as long as photos are chosen
    expect(bar(page)).to_contain_text("2 selected")
    expect(tiles(page).nth(3)).to_have_class(re.compile("chosen"))
    expect(tiles(page).nth(3)).to_have_attribute("aria-describedby", "is-chosen")
    expect(page.get_by_role("gridcell", selected=True)).to_have_count(2)
    bar(page).get_by_role("button", name="Select all 12").click()
    expect(bar(page)).to_contain_text("12 selected")
    bar(page).get_by_role("button", name="Clear the selection").click()
    expect(bar(page)).to_be_hidden()
    tiles(page).nth(2).click()
    expect(page.get_by_role("dialog")).to_be_visible()


def test_photos_are_chosen_by_keys(page: Page, served: str) -> None:
    page.goto(served)
    expect(tiles(page)).to_have_count(12)
    tiles(page).nth(0).focus()
    page.keyboard.press("x")
    expect(bar(page)).to_contain_text("1 selected")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    expect(tiles(page).nth(2)).to_be_focused()
    expect(bar(page)).to_contain_text("3 selected")
    page.keyboard.press("Shift+ArrowLeft")
    expect(bar(page)).to_contain_text("2 selected")  # the range follows the focus
    page.keyboard.press("Enter")  # opens, whatever is chosen
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(tiles(page).nth(1)).to_be_focused()
    page.keyboard.press("Control+a")
    expect(bar(page)).to_contain_text("12 selected")
    page.keyboard.press("Escape")
    expect(bar(page)).to_be_hidden()
    expect(tiles(page).nth(1)).to_be_focused()


def test_the_bar_gives_the_focus_back(page: Page, served: str) -> None:
    page.goto(served)
    expect(tiles(page)).to_have_count(12)
    tiles(page).nth(1).focus()
    page.keyboard.press("x")
    bar(page).get_by_role("button", name="Clear the selection").focus()
    page.keyboard.press("Enter")
    expect(bar(page)).to_be_hidden()
    expect(tiles(page).nth(1)).to_be_focused()


def test_ctrl_a_in_the_field_is_about_its_text(page: Page, served: str) -> None:
    page.goto(f"{served}?q=red")
    expect(tiles(page).first).to_be_visible()
    page.locator("#q").press("Control+a")
    page.wait_for_function("document.activeElement.selectionEnd === 3")
    expect(bar(page)).to_be_hidden()


def test_another_search_chooses_none(page: Page, served: str) -> None:
    page.goto(served)
    choose(page, "red-ball.jpg")
    expect(bar(page)).to_be_visible()
    page.locator("#q").fill("blue")
    expect(tile(page, "blue-ball.jpg")).to_be_visible()
    expect(bar(page)).to_be_hidden()


@pytest.mark.parametrize("page", [PHONE], indirect=True)
def test_a_long_press_chooses_on_a_phone(page: Page, served: str) -> None:
    page.goto(served)
    expect(tiles(page).first).to_be_visible()
    box = tiles(page).first.bounding_box()
    assert box is not None
    at = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    session = page.context.new_cdp_session(page)
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [at]})
    expect(bar(page)).to_contain_text("1 selected")  # while it is held
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    tiles(page).nth(1).tap()
    expect(bar(page)).to_contain_text("2 selected")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    tiles(page).nth(0).tap()
    tiles(page).nth(1).tap()
    expect(bar(page)).to_be_hidden()
    tiles(page).nth(1).tap()
    expect(page.get_by_role("dialog")).to_be_visible()


def test_chosen_photos_are_downloaded_as_a_zip(page: Page, served: str, tmp_path: Path) -> None:
    page.goto(served)
    choose(page, "red-ball.jpg", "mint-box.jpg")
    with page.expect_download() as download:
        bar(page).get_by_role("button", name="Download").click()
    download.value.save_as(tmp_path / "photos.zip")
    with ZipFile(tmp_path / "photos.zip") as file:
        assert sorted(Path(name).name for name in file.namelist()) == ["mint-box.jpg", "red-ball.jpg"]
    expect(bar(page)).to_contain_text("Downloading 2 photos")


def test_paths_are_copied(page: Page, served: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(served)
    choose(page, "red-ball.jpg", "rose-wall.jpg")
    bar(page).get_by_role("button", name="Copy paths").click()
    expect(bar(page)).to_contain_text("2 paths copied")
    copied = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert [Path(path).name for path in copied] == [
        "rose-wall.jpg",
        "red-ball.jpg",
    ]  # the newest first, as shown


def test_paths_are_shown_where_there_is_no_clipboard(page: Page, served: str) -> None:
    page.add_init_script(
        "Object.defineProperty(navigator, 'clipboard', {value: undefined})"
    )  # as over plain HTTP
    page.goto(served)
    choose(page, "red-ball.jpg")
    bar(page).get_by_role("button", name="Copy paths").click()
    text = page.get_by_role("textbox", name="Paths of the selected photos")
    expect(text).to_have_value(re.compile(r"red-ball\.jpg$"))
    expect(text).to_be_focused()
    page.get_by_role("button", name="Done").click()
    expect(text).to_have_count(0)


@pytest.mark.parametrize("page", [{"allow": ["status of 409"]}], indirect=True)
def test_albums(page: Page, own: str) -> None:
    page.goto(own)
    choose(page, "red-ball.jpg", "mint-box.jpg", "blue-ball.jpg")
    bar(page).get_by_role("button", name="Album").click()
    page.get_by_role("menuitem", name="New album…").press("Enter")
    dialog = page.get_by_role("dialog", name="New album")
    expect(dialog.get_by_label("Name")).to_be_focused()
    page.keyboard.type("Colours")
    page.keyboard.press("Enter")
    expect(bar(page)).to_contain_text("3 photos added to “Colours”")

    page.keyboard.press("Escape")
    choose(page, "red-ball.jpg", "rose-wall.jpg")
    bar(page).get_by_role("button", name="Album").click()
    page.get_by_role("menuitem", name="Add to Colours").click()
    expect(bar(page)).to_contain_text("2 photos added to “Colours”")

    page.get_by_role("link", name="Albums").click()
    page.get_by_role("link", name="Colours 4 photos").click()  # the red one was in it
    expect(tiles(page)).to_have_count(4)
    assert page.url == f"{own}?album=Colours"
    choose(page, "mint-box.jpg")
    bar(page).get_by_role("button", name="Album").click()
    page.get_by_role("menuitem", name="Remove from “Colours”").click()
    expect(tiles(page)).to_have_count(3)

    page.go_back()
    page.get_by_role("button", name="New album").click()
    page.get_by_role("dialog").get_by_label("Name").fill("colours")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_be_visible()  # there is one of that name
    page.get_by_role("button", name="Cancel").click()

    page.get_by_role("button", name="More about Colours").click()
    page.get_by_role("menuitem", name="Rename…").click()
    page.get_by_role("dialog").get_by_label("Name").fill("Bright")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Bright 3 photos")).to_be_visible()
    page.get_by_role("button", name="More about Bright").click()
    page.get_by_role("menuitem", name="Delete…").click()
    page.get_by_role("button", name="Delete the album").click()
    expect(page.get_by_text("No albums yet")).to_be_visible()
    expect(page.get_by_role("button", name="New album")).to_be_focused()  # the button that had it is gone


def test_a_long_name_stays_in_the_bar(page: Page, own: str) -> None:
    page.goto(own)
    choose(page, "red-ball.jpg")
    bar(page).get_by_role("button", name="Album").click()
    page.get_by_role("menuitem", name="New album…").press("Enter")
    page.get_by_role("dialog").get_by_label("Name").fill("x" * 200)
    page.keyboard.press("Enter")
    expect(bar(page)).to_contain_text("1 photo added to “xxx")
    assert bar(page).evaluate("bar => bar.scrollWidth <= bar.clientWidth")


def test_marks(page: Page, own: str) -> None:
    page.goto(own)
    choose(page, "red-ball.jpg", "mint-box.jpg")
    bar(page).get_by_role("button", name="Rate").click()
    page.get_by_role("menuitem", name="4 stars").click()
    expect(bar(page)).to_contain_text("2 photos rated 4 stars")
    choose(page, "mint-box.jpg")  # only the red one stays
    bar(page).get_by_role("button", name="Rate").click()
    page.get_by_role("menuitem", name="Favourite", exact=True).click()
    expect(bar(page)).to_contain_text("1 photo marked as favourite")
    page.keyboard.press("Escape")

    page.get_by_role("button", name="Rating").click()
    page.get_by_role("button", name="3 stars or more 2").click()
    expect(tiles(page)).to_have_count(2)
    expect(page.get_by_role("button", name="Rating: 3 stars or more")).to_be_visible()
    page.get_by_role("checkbox", name="Favourites 1").check()
    expect(tiles(page)).to_have_count(1)
    assert page.url == f"{own}?rating=3%2B&favourite=true"
    page.get_by_role("button", name="Any rating").click()
    expect(tiles(page)).to_have_count(12)


def test_a_rating_that_a_filter_asks_for_takes_photos_out_of_sight(page: Page, own: str) -> None:
    page.goto(f"{own}?rating=0")
    expect(tiles(page)).to_have_count(12)
    choose(page, "red-ball.jpg")
    bar(page).get_by_role("button", name="Rate").click()
    page.get_by_role("menuitem", name="1 star", exact=True).click()
    expect(tiles(page)).to_have_count(11)


def test_saved_searches(page: Page, own: str) -> None:
    page.goto(f"{own}?q=blue&after=2022")
    expect(tiles(page)).to_have_count(4)
    page.get_by_role("button", name="Save this search").click()
    dialog = page.get_by_role("dialog", name="Save this search")
    expect(dialog.get_by_label("Name")).to_have_value("blue")
    dialog.get_by_label("Name").fill("Blue of late")
    page.keyboard.press("Enter")
    expect(page.locator("#saving")).to_contain_text("Saved as “Blue of late”")
    page.get_by_role("link", name="Albums").click()
    page.get_by_role("link", name="Blue of late blue · since 2022").click()
    expect(tiles(page)).to_have_count(4)
    assert page.url == f"{own}?q=blue&after=2022"
    page.go_back()
    page.get_by_role("button", name="More about Blue of late").click()
    page.get_by_role("menuitem", name="Delete…").click()
    page.get_by_role("button", name="Delete the search").click()
    expect(page.get_by_role("link", name=re.compile("^Blue of late"))).to_have_count(0)


def test_the_link_of_a_search_is_copied(page: Page, served: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(served)
    expect(tiles(page)).to_have_count(12)
    expect(page.get_by_role("button", name="Copy link")).to_have_count(
        0
    )  # of nothing there is nothing to save
    page.locator("#q").fill("blue")
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator("#saving")).to_contain_text("It opens on this computer only")
    assert page.evaluate("navigator.clipboard.readText()") == f"{served}?q=blue"


def test_words_that_are_typed_leave_the_albums(page: Page, served: str) -> None:
    page.goto(f"{served}?view=albums")
    expect(page.get_by_role("heading", name="Albums", exact=True)).to_be_visible()
    page.locator("#q").fill("blue")
    expect(tile(page, "blue-ball.jpg")).to_be_visible()
    assert page.url == f"{served}?q=blue"


@pytest.mark.parametrize(
    "page",
    [{"color_scheme": "light"}, {"color_scheme": "dark"}, {"color_scheme": "dark", **PHONE}],
    indirect=True,
)
def test_nothing_serious_is_found(
    page: Page, own: str, serious_findings: Callable[[Page], list[str]]
) -> None:
    page.goto(own)
    expect(tiles(page).first).to_be_visible()
    tiles(page).first.focus()
    page.keyboard.press("x")
    expect(bar(page)).to_be_visible()
    assert serious_findings(page) == []
    bar(page).get_by_role("button", name="Rate").click()
    expect(page.get_by_role("menuitem").first).to_be_focused()
    assert serious_findings(page) == []
    page.keyboard.press("Escape")
    bar(page).get_by_role("button", name="Album").click()
    page.get_by_role("menuitem", name="New album…").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert serious_findings(page) == []
    page.get_by_role("dialog").get_by_label("Name").fill("One")
    page.keyboard.press("Enter")
    expect(bar(page)).to_contain_text("added to “One”")
    page.goto(f"{own}?view=albums")
    expect(page.get_by_role("link", name="One 1 photo")).to_be_visible()
    assert serious_findings(page) == []

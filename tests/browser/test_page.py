"""The search page, as one uses it: typing, keys, pictures, a photo seen large, the address."""

from __future__ import annotations

import io
import re
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.library import odd_library
from tests.browser.serving import serving
from tests.fakes import Bilingual, write_photos
from twobranch.indexer.update.library import update_library
from twobranch.server.settings import Settings

PHONE = {"width": 360, "height": 740}
TOUCH = {"viewport": PHONE, "has_touch": True, "is_mobile": True}


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server over ``odd_library``."""
    library, encoder = odd_library(tmp_path_factory.mktemp("odd"))
    with serving(Settings(library), lambda model: encoder) as url:
        yield url


def tiles(page: Page) -> Locator:
    return page.locator("#grid a")


def first(page: Page, name: str) -> None:
    """Waits until the first photo is the one of this name."""
    expect(tiles(page).first).to_have_attribute("aria-label", re.compile("^" + re.escape(name)))


@pytest.fixture(scope="module")
def bilingual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server over three photos, whose encoder also reads German."""
    place, encoder = tmp_path_factory.mktemp("bilingual"), Bilingual()
    write_photos(place / "photos", {"red.png": "red", "green.png": "green", "blue.png": "blue"})
    update_library(place / ".twobranch", [place / "photos"], encoder)
    with serving(Settings(place / ".twobranch"), lambda model: encoder) as url:
        yield url


def field(page: Page) -> Locator:
    return page.get_by_role("combobox", name="Search photos")


def png(color: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), color).save(file, "PNG")
    return file.getvalue()


def hand_in(page: Page, event: str, color: str) -> None:
    """Drops or pastes a picture of one colour."""
    page.evaluate(
        """([event, data]) => {
            const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
            const all = new DataTransfer();
            all.items.add(new File([bytes], "mine.png", {type: "image/png"}));
            const options = {bubbles: true, cancelable: true};
            document.body.dispatchEvent(event === "paste"
                ? new ClipboardEvent("paste", {...options, clipboardData: all})
                : new DragEvent(event, {...options, dataTransfer: all}));
        }""",
        [event, b64encode(png(color)).decode()],
    )


def test_without_a_query_the_newest(page: Page, served: str) -> None:
    page.goto(served)
    expect(tiles(page)).to_have_count(12)
    expect(page.locator("#count")).to_have_text("12 photos")
    # 2022 is the year of the last four: the wall of each year is from April.
    first(page, "rose-wall.jpg, 15 April 2022")


@pytest.mark.parametrize("page", [{"allow": ["status of 400"]}], indirect=True)
def test_typing_is_one_entry_in_the_history(page: Page, served: str) -> None:
    page.goto(served)
    expect(tiles(page)).to_have_count(12)
    field(page).press_sequentially("blue")  # "bl" is refused: the fake encoder knows no such word
    first(page, "blue-ball.jpg")
    assert page.url == f"{served}?q=blue"
    assert page.title() == "blue – twobranch"
    page.go_back()
    first(page, "rose-wall.jpg")
    assert page.url == served
    page.go_forward()
    first(page, "blue-ball.jpg")
    expect(field(page)).to_have_value("blue")


def test_a_late_answer_is_dropped(page: Page, served: str) -> None:
    held: list[Route] = []
    page.route("**/api/search?q=red&**", lambda route: held.append(route))
    page.goto(served)
    with page.expect_request(lambda request: "q=red" in request.url):
        field(page).fill("red")
    field(page).fill("blue")
    first(page, "blue-ball.jpg")
    assert len(held) == 1
    held[0].continue_()
    page.wait_for_timeout(300)  # in which it would be shown
    first(page, "blue-ball.jpg")


def test_all_by_keyboard(page: Page, served: str) -> None:
    page.goto(f"{served}?q=red")  # hits, as rows of several photos without headings
    first(page, "red-ball.jpg")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("/")
    expect(field(page)).to_be_focused()
    expect(field(page)).to_have_value("red")
    page.keyboard.press("ArrowDown")
    expect(tiles(page).nth(0)).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(tiles(page).nth(1)).to_be_focused()
    page.keyboard.press("ArrowDown")
    # In the next row, the one whose middle is nearest to the middle of the second.
    middle = "box => box.getBoundingClientRect().x + box.getBoundingClientRect().width / 2"
    x = tiles(page).nth(1).evaluate(middle)
    row = page.get_by_role("row").nth(1).locator("a")
    middles = [abs(row.nth(at).evaluate(middle) - x) for at in range(row.count())]
    nearest = row.nth(middles.index(min(middles)))
    expect(nearest).to_be_focused()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    page.keyboard.press("ArrowRight")
    position = int(nearest.get_attribute("data-at") or 0) + 1
    name = tiles(page).nth(position).get_attribute("aria-label") or ""
    expect(page.get_by_role("dialog", name=name.split(",")[0])).to_be_visible()
    for _ in range(12):  # round and round: the focus stays inside
        page.keyboard.press("Tab")
        assert page.evaluate("!document.activeElement.closest('#grid, header, main')")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(tiles(page).nth(position)).to_be_focused()  # where one was when it closed
    page.keyboard.press("Escape")
    expect(field(page)).to_be_focused()


def test_a_photo_seen_large(page: Page, odd: str) -> None:
    page.goto(f"{odd}?q=green")
    tiles(page).first.click()
    dialog = page.get_by_role("dialog", name="green.jpg")
    for fact in ("5 June 2023 at 12:00", "Pixel 7", "200 × 300", "% probability"):
        expect(dialog).to_contain_text(fact)
    place = dialog.get_by_role("link", name="48.85000, 2.35000")
    assert "openstreetmap.org" in (place.get_attribute("href") or "")
    assert re.fullmatch(
        r"api/photos/\d+/original", dialog.get_by_role("link", name="Original").get_attribute("href") or ""
    )
    expect(dialog.locator(".picture img")).to_have_count(1)  # the large one, once it has come
    assert "photo=" in page.url
    page.go_back()
    expect(dialog).to_be_hidden()
    assert page.url == f"{odd}?q=green"


def test_copies_are_one_hit_and_seen_beside_it(page: Page, odd: str) -> None:
    page.goto(f"{odd}?q=red")
    copies = tiles(page).filter(has_text="+1")
    expect(copies).to_have_count(1)
    copies.click()
    dialog = page.get_by_role("dialog")
    shown = dialog.get_by_role("heading", level=2).inner_text()
    other = {"red.png": "red copy.png", "red copy.png": "red.png"}[shown]
    dialog.get_by_role("button", name=f"Open {other}").click()
    expect(dialog.get_by_role("heading", level=2)).to_have_text(other)


def test_the_path_is_copied(page: Page, odd: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"{odd}?q=blue")
    tiles(page).first.click()
    page.get_by_role("button", name="Copy path").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert Path(page.evaluate("navigator.clipboard.readText()")).name == "blue.png"


def test_more_and_less_like_a_photo(page: Page, served: str) -> None:
    page.goto(f"{served}?q=red")
    first(page, "red-ball.jpg")
    page.get_by_role("gridcell").get_by_label(re.compile("^blue-ball")).click()
    page.get_by_role("button", name="Less like this").click()
    expect(page.get_by_role("img", name="Less like this photo")).to_be_visible()
    page.get_by_role("gridcell").get_by_label(re.compile("^green-ball")).click()
    page.get_by_role("button", name="More like this").click()
    expect(page.get_by_role("img", name="More like this photo")).to_be_visible()
    assert re.search(r"\?q=red&like=\d+&unlike=\d+$", page.url)
    # Of red + 0.3 green - 0.1 blue, red has 1 (over the length of it all), and orange, which is 22.5 degrees
    # from red to green, cos 22.5 + 0.3 sin 22.5 = 1.04.
    first(page, "orange-box.jpg")
    page.get_by_role("button", name="Remove: More like this photo").click()
    expect(page.get_by_role("img", name="More like this photo")).to_have_count(0)
    page.go_back()
    expect(page.get_by_role("img", name="More like this photo")).to_be_visible()
    field(page).fill("")
    field(page).press("Backspace")
    expect(page.get_by_role("img", name="Less like this photo")).to_have_count(0)
    first(page, "green-ball.jpg")  # nothing but more like it


def test_without_what_leads_towards_something_nothing_leads_away(page: Page, served: str) -> None:
    page.goto(f"{served}?like=1&unlike=2")
    expect(tiles(page)).to_have_count(12)
    page.get_by_role("button", name="Remove: More like this photo").click()
    expect(page.get_by_role("img", name="Less like this photo")).to_have_count(0)
    first(page, "rose-wall.jpg")
    assert page.url == served


def test_without_a_query_there_is_nothing_to_lead_away_from(page: Page, served: str) -> None:
    page.goto(served)
    tiles(page).first.click()
    expect(page.get_by_role("button", name="Less like this")).to_be_disabled()


@pytest.mark.parametrize("way", ["drop", "paste", "choose"])
def test_a_picture_as_query(page: Page, served: str, way: str) -> None:
    page.goto(served)
    first(page, "rose-wall.jpg")
    if way == "choose":
        with page.expect_file_chooser() as chosen:
            page.get_by_role("button", name="Search with a picture").click()
        chosen.value.set_files({"name": "mine.png", "mimeType": "image/png", "buffer": png("blue")})
    else:
        hand_in(page, way, "blue")
    first(page, "blue-ball.jpg")
    chip = page.get_by_role("img", name="Your picture")
    expect(chip).to_be_visible()
    expect(chip).to_have_js_property("naturalWidth", 8)  # its small view has come
    assert re.search(r"\?picture=[0-9a-f]{32}$", page.url)
    page.reload()
    first(page, "blue-ball.jpg")
    page.get_by_role("button", name="Remove: Your picture").click()
    first(page, "rose-wall.jpg")
    assert page.url == served


@pytest.mark.parametrize("place", ["#q", "#lightbox", "#albums"])
def test_a_picture_is_pasted_anywhere(page: Page, served: str, place: str) -> None:
    page.goto(f"{served}?view=albums" if place == "#albums" else served)
    if place == "#lightbox":
        tiles(page).first.click()
        expect(page.get_by_role("dialog")).to_be_visible()
    elif place == "#q":
        field(page).click()
    hand_in(page, "paste", "blue")
    first(page, "blue-ball.jpg")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert re.search(r"\?picture=[0-9a-f]{32}$", page.url)


def test_a_picture_and_captions(page: Page, served: str) -> None:
    page.goto(f"{served}?in=captions")
    expect(page.locator(".captions li")).to_have_count(15)  # 12 photos, of three balls two
    hand_in(page, "drop", "blue")
    expect(page.locator(".captions .caption").first).to_have_text(re.compile("blue"))


@pytest.mark.parametrize("page", [{"allow": ["status of 400"]}], indirect=True)
def test_what_is_no_picture(page: Page, served: str) -> None:
    page.goto(served)
    first(page, "rose-wall.jpg")
    page.set_input_files("#file", {"name": "a.txt", "mimeType": "text/plain", "buffer": b"no picture"})
    expect(page.get_by_role("alert")).to_contain_text("not an image")
    expect(tiles(page)).to_have_count(12)  # what one looked at stays


def test_something_held_over_the_page(page: Page, served: str) -> None:
    page.goto(served)
    expect(page.get_by_text("Drop it to find photos like it")).to_be_hidden()
    hand_in(page, "dragover", "blue")
    expect(page.get_by_text("Drop it to find photos like it")).to_be_visible()
    hand_in(page, "drop", "blue")
    expect(page.get_by_text("Drop it to find photos like it")).to_be_hidden()


def test_captions_are_a_list_to_read(page: Page, served: str) -> None:
    page.goto(f"{served}?q=green")
    first(page, "green-ball.jpg")
    page.get_by_text("Captions", exact=True).click()
    found = page.locator(".captions .caption")
    expect(found.first).to_have_text(re.compile("green"))
    field(page).press("ArrowDown")
    expect(found.first).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(found.nth(1)).to_be_focused()
    page.keyboard.press("Escape")
    expect(field(page)).to_be_focused()
    page.get_by_role("link", name="Open green-ball.jpg").first.click()
    expect(page.get_by_role("dialog")).to_contain_text("a green ball")
    page.keyboard.press("ArrowRight")  # two captions are about the green ball: on to another photo
    expect(page.get_by_role("dialog", name="green-ball.jpg")).to_have_count(0)
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("dialog", name="green-ball.jpg")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.get_by_role("link", name="a green ball").click()
    first(page, "green-ball.jpg")
    assert page.url == f"{served}?q=a+green+ball"


def test_filters(page: Page, odd: str) -> None:
    page.goto(f"{odd}?q=red")
    expect(tiles(page)).to_have_count(4)
    page.get_by_role("button", name="Camera").click()
    page.get_by_role("checkbox", name="Pixel 7 1").check()
    expect(tiles(page)).to_have_count(1)
    expect(page.get_by_role("button", name="Camera: Pixel 7")).to_be_visible()
    assert page.url == f"{odd}?q=red&camera=Pixel+7"
    page.get_by_role("button", name="Any camera").click()
    expect(tiles(page)).to_have_count(4)
    page.get_by_role("button", name="Date", exact=True).click()
    page.get_by_role("button", name="2023 1").click()
    page.get_by_role("button", name="June 1").click()
    expect(page.get_by_role("button", name="Date: June 2023")).to_be_visible()
    assert page.url == f"{odd}?q=red&after=2023-06&before=2023-07"
    page.get_by_role("textbox", name="To").fill("2023-06-05")  # the day of the photo belongs to it
    expect(page.get_by_role("button", name="Date: 2023-06-01 to 2023-06-05")).to_be_visible()
    expect(tiles(page)).to_have_count(1)
    page.get_by_role("textbox", name="To").fill("2023-06-04")
    expect(page.get_by_role("heading", name="Nothing passes these filters")).to_be_visible()
    page.keyboard.press("Escape")
    page.locator("#empty").get_by_role("button", name="Clear filters").click()
    expect(tiles(page)).to_have_count(4)
    page.get_by_role("button", name="More", exact=True).click()
    page.get_by_role("checkbox", name="portrait 1").check()
    expect(tiles(page)).to_have_count(1)


def test_newest_first(page: Page, served: str) -> None:
    page.goto(f"{served}?q=red")
    first(page, "red-ball.jpg")
    page.get_by_label("Sort by").select_option("Newest first")
    first(page, "rose-wall.jpg")
    assert page.url == f"{served}?q=red&sort=date"


def test_the_weak_hits_are_below_a_line(page: Page, odd: str) -> None:
    page.goto(f"{odd}?q=red")
    # The two reds (one hit) and the orange match, with scores of 1 and 0.94; green and blue score 0.
    rows = page.locator("#grid > div")
    expect(page.locator("#count")).to_have_text("2 of 5 photos match well")
    expect(rows.nth(1)).to_have_text("Nothing below here matches well")
    expect(rows.nth(0).locator("a")).to_have_count(2)
    expect(rows.nth(2).locator("a")).to_have_count(2)
    page.goto(f"{odd}?q=blue&path=red*")
    expect(page.locator("#count")).to_have_text("None of 2 photos matches well")
    expect(rows.nth(0)).to_have_text("Nothing below here matches well")


def test_what_perhaps_matches_is_between_both(page: Page, tmp_path: Path) -> None:
    # Green and blue score 0, so their confidence is 1 / (1 + e^4) = 1.8%: enough for `perhaps` here
    library, encoder = odd_library(tmp_path, weak=0.01)
    with serving(Settings(library), lambda model: encoder) as url:
        page.goto(f"{url}?q=red")
        rows = page.locator("#grid > div")
        expect(page.locator("#count")).to_have_text("2 of 5 photos match well, 2 perhaps")
        expect(rows.nth(0).locator("a")).to_have_count(2)
        expect(rows.nth(1)).to_have_text("These perhaps match")
        expect(rows.nth(2).locator("a")).to_have_count(2)


def test_what_was_mistyped(page: Page, odd: str) -> None:
    page.goto(f"{odd}?q=red+motorcylce")
    expect(page.locator("#notes")).to_contain_text("Showing red motorcycle.")
    page.get_by_role("button", name="Search for red motorcylce instead").click()
    expect(page.locator("#notes")).to_contain_text("The model does not know motorcylce.")
    assert page.url.endswith("correct=false")
    field(page).press("End")
    field(page).press_sequentially(" green")
    expect(page.locator("#notes")).to_contain_text("Showing red motorcycle green.")  # asked anew


def test_the_words_of_a_date_are_a_filter_that_can_be_removed(page: Page, odd: str) -> None:
    page.goto(f"{odd}?q=green+june+2023")  # the date of the green photo; the others have that of their file
    notes = page.locator("#notes")
    expect(notes).to_contain_text("Date: june 2023")
    expect(notes).to_contain_text("2023-06-01 to 2023-06-30")
    expect(tiles(page)).to_have_count(1)
    page.get_by_role("button", name="Search for june 2023 as words").click()
    expect(tiles(page)).to_have_count(4)  # all five; the two reds are one
    expect(notes).not_to_contain_text("Date:")
    assert page.url.endswith("dates=false")
    field(page).press("End")
    field(page).press_sequentially(" ")
    expect(notes).to_contain_text("Date: june 2023")  # read anew
    field(page).fill("june 2023")
    expect(page.locator("#count")).to_have_text("1 photo")
    field(page).fill("red june 1999")
    expect(notes).to_contain_text("No photo is of june 1999 (1999-06-01 to 1999-06-30)")
    expect(tiles(page)).to_have_count(4)


@pytest.mark.parametrize("page", [TOUCH], indirect=True)
def test_on_a_phone(page: Page, served: str) -> None:
    page.goto(f"{served}?q=red")
    first(page, "red-ball.jpg")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    tiles(page).first.tap()
    dialog = page.get_by_role("dialog", name="red-ball.jpg")
    expect(dialog).to_be_visible()
    assert dialog.evaluate("box => box.scrollWidth") <= 360
    name = (tiles(page).nth(1).get_attribute("aria-label") or "").split(",")[0]
    swipe(page, (300, 200), (60, 210))
    expect(page.get_by_role("dialog", name=name)).to_be_visible()
    swipe(page, (60, 200), (300, 210))
    expect(dialog).to_be_visible()
    swipe(page, (180, 100), (180, 400))
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Folder").tap()
    panel = page.get_by_role("group", name="Folder").bounding_box()
    assert panel is not None
    assert (panel["x"], panel["width"], round(panel["y"] + panel["height"])) == (0, 360, 740)


def swipe(page: Page, start: tuple[int, int], end: tuple[int, int]) -> None:
    session = page.context.new_cdp_session(page)
    for kind, at in (("touchStart", start), ("touchMove", end)):
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": at[0], "y": at[1]}]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_another_language_than_english_is_said_and_can_be_changed(page: Page, bilingual: str) -> None:
    notes = page.locator("#notes")
    page.goto(f"{bilingual}?q=rot+blue")
    expect(notes).to_contain_text("Read as German.")
    page.get_by_role("button", name="Read as English").click()
    expect(notes).to_contain_text("The model does not know rot.")
    expect(notes).to_contain_text("Read as English.")
    first(page, "blue.png")
    assert page.url == f"{bilingual}?q=rot+blue&language=en"
    page.get_by_role("button", name="Tell the language from the words").click()
    expect(notes).to_contain_text("Read as German.")
    page.get_by_role("button", name="Read as English").click()
    field(page).fill("blue")  # other words are read anew
    first(page, "blue.png")
    expect(notes.locator("p")).to_have_count(0)
    assert page.url == f"{bilingual}?q=blue"

"""The map of photos in a browser: points come apart, photos open, and what is seen becomes a filter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from tests.browser.serving import serving
from tests.fakes import FakeEncoder, write_photo
from twobranch.indexer.update.library import update_library
from twobranch.server.settings import Settings

if TYPE_CHECKING:
    from playwright.sync_api import Page

PHONE = {"width": 390, "height": 844}
# Name: degrees north and east. The two of Fiji are on either side of the antimeridian.
PLACES = {"eiffel": (48.8584, 2.2945), "louvre": (48.8606, 2.3376), "nice": (43.7, 7.27)}
PLACES |= {"taveuni": (-16.8, 179.98), "rabi": (-16.5, -179.98)}


@pytest.fixture(scope="module")
def mapped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server over five photos with places, and one without."""
    place, encoder = tmp_path_factory.mktemp("mapped"), FakeEncoder()
    for number, (name, at) in enumerate(PLACES.items()):
        write_photo(place / "photos" / f"{name}.jpg", (50 * number, 0, 90), (80, 60), exif=_exif(*at))
    write_photo(place / "photos" / "nowhere.png", "red", (60, 60))
    library = place / ".twobranch"
    update_library(library, [place / "photos"], encoder)
    with serving(Settings(library), lambda model: encoder) as url:
        yield url


def _exif(latitude: float, longitude: float) -> Image.Exif:
    exif = Image.Exif()
    halves = {1: "N" if latitude > 0 else "S", 3: "E" if longitude > 0 else "W"}
    exif.get_ifd(0x8825).update({**halves, 2: (abs(latitude), 0.0, 0.0), 4: (abs(longitude), 0.0, 0.0)})
    return exif


def points(page: Page) -> Any:
    return page.locator(".map-point")


def test_points_come_apart_and_a_photo_opens(page: Page, mapped: str) -> None:
    from playwright.sync_api import expect

    page.goto(mapped)
    page.get_by_role("link", name="Map", exact=True).click()
    expect(page.get_by_text("5 photos have a place")).to_be_visible()
    page.goto(f"{mapped}?view=map&place=France")
    paris = page.get_by_role("button", name="2 photos, the latest near Paris, France")
    expect(paris).to_be_visible()
    expect(page.get_by_role("button", name="A photo near Nice, France")).to_be_visible()
    paris.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="A photo near Paris, France")).to_have_count(2)
    page.get_by_role("button", name="A photo near Paris, France").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert "view=map" in page.url


def test_what_is_seen_becomes_a_filter_and_back_returns(page: Page, mapped: str) -> None:
    from playwright.sync_api import expect

    page.goto(f"{mapped}?view=map&place=Fiji")
    expect(points(page)).to_have_count(2)  # side by side, across the antimeridian
    page.get_by_role("button", name="Show the photos seen here").click()
    expect(page.locator("#grid a[data-photo]")).to_have_count(2)
    assert "near=-16.6" in page.url and "place=Fiji" in page.url and "view" not in page.url
    page.go_back()
    expect(points(page)).to_have_count(2)
    expect(page.locator("#grid")).to_be_hidden()


def test_photos_without_places_say_so(page: Page, mapped: str) -> None:
    from playwright.sync_api import expect

    page.goto(f"{mapped}?view=map&format=png")
    expect(page.get_by_text("None of these photos has a place.")).to_be_visible()
    expect(points(page)).to_have_count(0)


def test_a_map_is_loaded_when_it_is_opened(page: Page, mapped: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(mapped)
    page.locator("#grid a[data-photo]").first.wait_for()
    assert not [url for url in asked if "leaflet" in url or "coastline" in url]
    page.get_by_role("link", name="Map", exact=True).click()
    points(page).first.wait_for()
    for name in ("vendor/leaflet.js", "vendor/leaflet.css", "data/coastline.json"):
        assert any(name in url for url in asked), name


@pytest.mark.parametrize(
    "page",
    [{}, {"color_scheme": "dark"}, {"viewport": PHONE}],
    indirect=True,
    ids=["desk", "dark", "phone"],
)
def test_everybody_can_use_the_map(
    page: Page, mapped: str, serious_findings: Callable[[Page], list[str]]
) -> None:
    page.goto(f"{mapped}?view=map")
    points(page).first.wait_for()
    assert serious_findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_small_map_of_one_photo(page: Page, mapped: str) -> None:
    page.goto(mapped)
    page.evaluate(
        """async () => {
          const element = document.createElement("div");
          document.querySelector("main").prepend(element);
          const { smallMap } = await import("./js/components/map.js");
          await smallMap(element, 48.85, 2.35, "Paris, France");
        }"""
    )
    small = page.get_by_role("img", name="On a map: Paris, France")
    # The middle is land, and the Atlantic to its left is not.
    colours = small.locator("canvas").evaluate(
        """(canvas) => [0.5, 0.05].map((x) => canvas.getContext("2d")
          .getImageData(Math.round(canvas.width * x), canvas.height / 2, 1, 1).data.slice(0, 3).join())"""
    )
    assert colours == ["247,246,241", "219,231,240"]  # --map-land and --map-sea

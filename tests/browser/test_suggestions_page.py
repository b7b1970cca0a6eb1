"""Suggestions while one types: by keys, by mouse, recent searches, and hits that keep coming."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, Route, expect

MADE_UP = [
    {"kind": "folder", "label": "photos/blue", "photos": 4, "filter": {"path": "photos"}},
    {
        "kind": "month",
        "label": "March 2021",
        "photos": 1,
        "filter": {"after": "2021-03", "before": "2021-04"},
    },
    {"kind": "search", "label": "Blue of late", "photos": None, "filter": {"query": "q=blue&after=2022"}},
    {"kind": "word", "label": "bluebell", "photos": None, "filter": {"q": "green"}},
]


# Twelve photos of twelve months are twelve sections, one below the other: all of them are drawn.
TALL = {"width": 1280, "height": 3600}


@pytest.fixture
def page(new_page: Callable[..., Page], request: pytest.FixtureRequest) -> Page:
    """A tab in which all photos are drawn at once."""
    return new_page(**{"viewport": TALL, **getattr(request, "param", {})})


@pytest.fixture
def suggesting(page: Page, served: str) -> Page:
    """The page, with a server that suggests ``MADE_UP`` whatever is typed."""

    def fulfill(route: Route) -> None:
        route.fulfill(content_type="application/json", body=json.dumps({"suggestions": MADE_UP}))

    page.route("**/api/suggest?*", fulfill)
    page.goto(served)
    expect(tiles(page)).to_have_count(12)
    return page


def tiles(page: Page) -> Locator:
    return page.locator("#grid a[data-photo]")


def field(page: Page) -> Locator:
    return page.get_by_role("combobox", name="Search photos")


def options(page: Page) -> Locator:
    return page.get_by_role("listbox", name="Suggestions").get_by_role("option")


def test_a_suggestion_is_chosen_by_keys(suggesting: Page, served: str) -> None:
    page = suggesting
    expect(options(page)).to_have_count(0)  # nobody has typed
    field(page).fill("blue")
    expect(options(page)).to_have_count(4)
    expect(field(page)).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    second = options(page).nth(1)
    expect(second).to_have_attribute("aria-selected", "true")
    assert field(page).get_attribute("aria-activedescendant") == second.get_attribute("id")
    expect(field(page)).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(options(page)).to_have_count(0)
    expect(field(page)).to_have_value("")  # the word stands for the folder now
    assert page.url == f"{served}?path=photos"
    expect(page.get_by_role("button", name="Folder: photos")).to_be_visible()


def test_up_from_the_text_is_the_last_one(suggesting: Page) -> None:
    page = suggesting
    field(page).fill("blue")
    expect(options(page)).to_have_count(4)
    page.keyboard.press("ArrowUp")
    expect(options(page).nth(3)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowDown")  # back at the text
    assert field(page).get_attribute("aria-activedescendant") is None


def test_without_a_choice_enter_searches(suggesting: Page, served: str) -> None:
    page = suggesting
    field(page).fill("blue")
    expect(tiles(page).first).to_have_attribute("aria-label", re.compile("^blue-ball"))  # no Enter needed
    expect(options(page)).to_have_count(4)
    page.keyboard.press("Enter")
    expect(options(page)).to_have_count(0)
    assert page.url == f"{served}?q=blue"
    page.keyboard.press("ArrowDown")
    expect(tiles(page).first).to_be_focused()


def test_escape_closes_them_and_keeps_the_words(suggesting: Page) -> None:
    page = suggesting
    field(page).fill("blue")
    expect(options(page)).to_have_count(4)
    page.keyboard.press("Escape")
    expect(options(page)).to_have_count(0)
    expect(field(page)).to_have_value("blue")
    page.keyboard.press("Alt+ArrowDown")
    expect(options(page)).to_have_count(4)
    tiles(page).first.focus()
    expect(options(page)).to_have_count(0)


def test_escape_before_they_have_come(page: Page, served: str) -> None:
    held: list[Route] = []
    page.route("**/api/suggest?*", lambda route: held.append(route))
    page.goto(served)
    with page.expect_request("**/api/suggest?*"):
        field(page).fill("blue")
    field(page).press("Escape")  # the browser clears the field
    expect(field(page)).to_have_value("")
    for route in held:
        route.fulfill(content_type="application/json", body=json.dumps({"suggestions": MADE_UP}))
    expect(tiles(page)).to_have_count(12)
    expect(options(page)).to_have_count(0)
    expect(field(page)).to_have_attribute("aria-expanded", "false")


@pytest.mark.parametrize("page", [{"allow": ["status of 400"]}], indirect=True)  # of words half typed
def test_a_word_a_month_and_a_saved_search(suggesting: Page, served: str) -> None:
    page = suggesting
    field(page).fill("red blue")
    options(page).filter(has_text="bluebell").click()
    expect(field(page)).to_have_value("red green")
    expect(field(page)).to_be_focused()
    field(page).fill("red mar")
    options(page).filter(has_text="March 2021").click()
    assert page.url == f"{served}?q=red&after=2021-03&before=2021-04"
    field(page).fill("blue")
    options(page).filter(has_text="Blue of late").click()
    expect(field(page)).to_have_value("blue")
    expect(page.get_by_role("button", name="Date: since 2022")).to_be_visible()
    assert page.url == f"{served}?q=blue&after=2022"


def test_late_suggestions_hold_nothing_up(page: Page, served: str) -> None:
    held: list[Route] = []
    page.route("**/api/suggest?*", lambda route: held.append(route))
    page.goto(served)
    field(page).fill("blue")
    expect(tiles(page).first).to_have_attribute("aria-label", re.compile("^blue-ball"))
    page.keyboard.press("Enter")
    for route in held:
        route.abort()
    expect(options(page)).to_have_count(0)


@pytest.mark.parametrize("page", [{"allow": ["status of 404"]}], indirect=True)
def test_a_server_without_suggestions_is_asked_once(page: Page, served: str) -> None:
    asked: list[str] = []

    def refuse(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=404, content_type="application/json", body='{"error": "no such address"}')

    page.route("**/api/suggest?*", refuse)
    page.goto(served)
    with page.expect_response("**/api/suggest?*"):
        field(page).fill("red")
    field(page).fill("blue")
    expect(tiles(page).first).to_have_attribute("aria-label", re.compile("^blue-ball"))
    assert len(asked) == 1


@pytest.mark.parametrize("page", [{"allow": ["status of 400"]}], indirect=True)  # of words half typed
def test_recent_searches(suggesting: Page, served: str) -> None:
    page = suggesting
    for query in ("red", "blue"):
        field(page).fill(query)
        field(page).press("Enter")
    field(page).fill("")
    recent = options(page).filter(has_text="searched before")
    expect(recent).to_have_count(2)
    expect(recent.first).to_contain_text("blue")  # the latest
    recent.nth(1).click()
    expect(field(page)).to_have_value("red")
    page.reload()
    field(page).fill("bl")
    expect(options(page).filter(has_text="searched before")).to_have_count(1)
    page.get_by_role("button", name="Keep no searches").click()
    expect(options(page).filter(has_text="searched before")).to_have_count(0)
    field(page).fill("green")
    field(page).press("Enter")
    field(page).fill("")
    expect(page.get_by_text("Recent searches are not kept.")).to_be_visible()
    page.get_by_role("button", name="Keep them").click()
    expect(page.get_by_text("Recent searches are not kept.")).to_have_count(0)


@pytest.mark.parametrize("page", [{"color_scheme": "light"}, {"color_scheme": "dark"}], indirect=True)
def test_nothing_serious_is_found(suggesting: Page, serious_findings: Callable[[Page], list[str]]) -> None:
    page = suggesting
    field(page).fill("blue")
    expect(options(page)).to_have_count(4)
    field(page).press("ArrowDown")
    assert serious_findings(page) == []

"""The page opens in a real browser; and what the fixtures promise, they notice."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

PHONE = {"width": 360, "height": 740}


def test_the_page_opens(page: Page, served: str, serious_findings: Callable[[Page], list[str]]) -> None:
    page.goto(served)
    assert page.title() == "twobranch"
    assert page.get_by_role("link", name="Search").is_visible()
    assert serious_findings(page) == []


@pytest.mark.parametrize("page", [{"color_scheme": "dark", "viewport": PHONE}], indirect=True)
def test_dark_and_small(page: Page, served: str) -> None:
    page.goto(served)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(17, 17, 19)"  # --ground of the dark colours, #111113
    assert page.evaluate("innerWidth") == 360


def test_findings_are_found(page: Page, served: str, serious_findings: Callable[[Page], list[str]]) -> None:
    page.goto(served)
    page.evaluate("document.querySelector('main').append(document.createElement('button'))")
    assert [finding.split(":")[0] for finding in serious_findings(page)] == ["button-name"]


@pytest.mark.parametrize("page", [{"allow": ["status of 404"]}], indirect=True)
def test_errors_that_belong_to_a_test(page: Page, served: str) -> None:
    page.goto(served)
    assert page.evaluate("fetch('api/nothing').then(answer => answer.status)") == 404


def test_the_server_answers_searches(page: Page, served: str) -> None:
    page.goto(served)
    answer = page.evaluate("fetch('api/search?q=red&top=4').then(answer => answer.json())")
    shown = [hit["path"].split("/")[-1] for hit in answer["hits"]]
    # By their angles from red: 0, then orange and rose 22.5 degrees on either side, then one at 45.
    assert (shown[0], set(shown[1:3])) == ("red-ball.jpg", {"orange-box.jpg", "rose-wall.jpg"})
    assert [hit["alike"] for hit in answer["hits"]] == [[]] * 4
    assert answer["gallery"] == 12

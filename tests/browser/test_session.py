"""A page and its server over time: restarts, upgrades, logging in and out."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.library import odd_library
from tests.browser.serving import serving
from tests.fakes import FakeEncoder
from tests.waiting import wait_for
from twobranch.server.settings import Settings

TOKEN = "a-token-for-tests"
Library = tuple[Path, FakeEncoder]


@pytest.fixture
def odd(tmp_path: Path) -> Library:
    return odd_library(tmp_path)


@pytest.mark.parametrize("page", [{"allow": ["ERR_CONNECTION"]}], indirect=True)
def test_a_server_that_restarts_is_found_again(
    page: Page, odd: Library, serious_findings: Callable[[Page], list[str]]
) -> None:
    library, encoder = odd
    with serving(Settings(library), lambda model: encoder) as url:
        page.goto(url)
        expect(page.locator("#grid a")).to_have_count(5)
    page.get_by_label("Search photos").fill("red")  # asked while nobody answers
    notice = page.get_by_role("status").filter(has_text="The server does not answer. Trying again")
    expect(notice).to_be_visible()
    assert serious_findings(page) == []
    with serving(Settings(library), lambda model: encoder, port=urlsplit(url).port or 0):
        page.mouse.move(200, 300)  # at once for whoever is there
        expect(page.locator("#grid a")).to_have_count(4)
        expect(notice).to_have_count(0)
        expect(page.get_by_role("alert")).to_have_count(0)
        page.goto("about:blank")


@pytest.mark.parametrize("page", [{"allow": ["ERR_CONNECTION"]}], indirect=True)
def test_a_photo_that_was_opened_meanwhile_is_shown_when_the_server_is_back(page: Page, odd: Library) -> None:
    library, encoder = odd
    with serving(Settings(library), lambda model: encoder) as url:
        page.goto(url)
        expect(page.locator("#grid a")).to_have_count(5)
    page.locator("#grid a").first.click()
    alert = page.get_by_role("dialog").get_by_role("alert").filter(has_text="The server does not answer.")
    expect(alert).to_be_visible()
    with serving(Settings(library), lambda model: encoder, port=urlsplit(url).port or 0):
        page.mouse.move(200, 300)
        expect(alert).to_have_count(0)
        picture = page.locator("#lightbox .picture img").last
        wait_for(lambda: picture.evaluate("image => image.naturalWidth > 0"))
        page.goto("about:blank")


@pytest.mark.parametrize("page", [{"allow": ["ERR_FAILED"]}], indirect=True)
def test_no_photo_is_called_gone_because_the_server_was_away(page: Page, odd: Library) -> None:
    library, encoder = odd
    refused: set[str] = set()

    def refuse_once(route: Route) -> None:
        if route.request.url in refused:
            route.continue_()
        else:
            refused.add(route.request.url)
            route.abort()

    with serving(Settings(library), lambda model: encoder) as url:
        page.route("**/thumbnail?**", refuse_once)
        page.goto(url)
        loaded = "all => all.filter(image => image.naturalWidth > 0).length"
        wait_for(lambda: page.locator("#grid a img").evaluate_all(loaded) == 5)
        expect(page.get_by_text("is gone or cannot be read")).to_have_count(0)
        page.goto("about:blank")


def test_an_upgraded_server_asks_for_a_reload(page: Page, odd: Library) -> None:
    library, encoder = odd

    def upgraded(route: Route) -> None:
        response = route.fetch()
        route.fulfill(response=response, json={**response.json(), "page": "0123456789ab"})

    with serving(Settings(library), lambda model: encoder) as url:
        page.goto(url)
        expect(page.get_by_text("up to date")).to_be_visible()
        expect(page.get_by_text("The server has a newer page.")).to_have_count(0)
        page.route("**/api/index", upgraded)
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")  # as it is seen again
        expect(page.get_by_text("The server has a newer page.")).to_be_visible()
        page.unroute("**/api/index")
        with page.expect_navigation():
            page.get_by_role("button", name="Reload").click()
        expect(page.get_by_text("up to date")).to_be_visible()
        expect(page.get_by_text("The server has a newer page.")).to_have_count(0)
        page.goto("about:blank")


@pytest.mark.parametrize("page", [{"allow": ["status of 401"]}], indirect=True)
def test_a_link_survives_the_login(page: Page, odd: Library) -> None:
    library, encoder = odd
    with serving(Settings(library, token=TOKEN), lambda model: encoder) as url:
        page.goto(f"{url}?q=red&sort=date")
        page.get_by_label("The token").fill(TOKEN)
        page.get_by_role("button", name="Log in").click()
        expect(page).to_have_url(f"{url}?q=red&sort=date")
        expect(page.get_by_label("Search photos")).to_have_value("red")
        # And out again, on every page.
        for other in ("model.html", "api.html", ""):
            page.goto(f"{url}{other}")
            expect(page.get_by_role("button", name="Log out")).to_be_visible()
        page.get_by_role("button", name="Log out").click()
        expect(page).to_have_url(re.compile("/login$"))
        page.goto(url)
        expect(page.get_by_label("The token")).to_be_visible()


def test_without_a_token_there_is_no_logging_out(page: Page, served: str) -> None:
    page.goto(served)
    expect(page.get_by_text("up to date")).to_be_visible()
    expect(page.get_by_role("button", name="Log out")).to_have_count(0)


def wait_for_worker(page: Page) -> None:
    wait_for(lambda: page.evaluate("navigator.serviceWorker.controller !== null"))


@pytest.mark.parametrize("page", [{"allow": ["ERR_CONNECTION"], "service_workers": "allow"}], indirect=True)
def test_the_page_opens_while_the_server_is_away(page: Page, odd: Library) -> None:
    """It is kept by its service worker; what the API answered is not."""
    library, encoder = odd
    with serving(Settings(library), lambda model: encoder) as url:
        page.goto(url)
        expect(page.locator("#grid a")).to_have_count(5)
        wait_for_worker(page)
        kept = page.evaluate(
            "caches.keys().then(async names => (await Promise.all(names.map(async name =>"
            " (await (await caches.open(name)).keys()).map(request => request.url)))).flat())"
        )
        version = page.request.get(f"{url}api/index").json()["page"]
        assert {f"{url}model.html", f"{url}static-{version}/js/main.js"} <= set(kept)
        assert [address for address in kept if address.startswith(f"{url}api/")] == []
    page.goto(f"{url}?q=red")
    expect(page.get_by_role("status").filter(has_text="The server does not answer")).to_be_visible()
    expect(page.get_by_label("Search photos")).to_have_value("red")
    with serving(Settings(library), lambda model: encoder, port=urlsplit(url).port or 0):
        page.mouse.move(200, 300)
        expect(page.locator("#grid a")).to_have_count(4)
        page.goto("about:blank")


@pytest.mark.parametrize("page", [{"service_workers": "allow"}], indirect=True)
def test_it_can_be_installed(page: Page, odd: Library) -> None:
    library, encoder = odd
    with serving(Settings(library), lambda model: encoder) as url:
        page.goto(url)
        wait_for_worker(page)
        devtools = page.context.new_cdp_session(page)
        problems = devtools.send("Page.getInstallabilityErrors")["installabilityErrors"]
        assert [problem["errorId"] for problem in problems] == ["in-incognito"]  # as all tabs of tests are
        manifest = devtools.send("Page.getAppManifest")
        assert (manifest["url"], manifest["errors"]) == (f"{url}manifest.webmanifest", [])
        page.goto("about:blank")

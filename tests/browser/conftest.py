"""A real browser for the tests of the page.

``page`` is a new tab in it, ``new_page(...)`` more of them, ``served`` a server over twelve photos. A test
fails when the page writes an error to the console, throws one, or asks another host for anything.

    def test_dark(page, served):
        page.goto(served)

    @pytest.mark.parametrize("page", [{"color_scheme": "dark", "viewport": PHONE}], indirect=True)
    def test_on_a_phone_at_night(page, served): ...
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from benchmarks.chromium import chromium_arguments, chromium_path
from tests.fakes import FakeEncoder
from tests.waiting import PATIENCE
from twobranch.indexer.update.library import update_library

if TYPE_CHECKING:  # only the tests that need it wait for playwright
    from playwright.sync_api import Browser, Page

DESKTOP = {"width": 1280, "height": 800}
_PATIENCE = 1000 * PATIENCE  # milliseconds
_HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """These tests come last: as long as Playwright runs, its event loop is the thread's own, and
    ``asyncio.run`` of another test would be refused."""
    items.sort(key=lambda item: _HERE in item.path.parents)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A Chromium without a window; without one on this machine the test is skipped."""
    program = chromium_path()
    if program is None:
        pytest.skip("no Chromium: apt-get install chromium")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=_PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=chromium_arguments())
        yield browser
        browser.close()


@pytest.fixture
def new_page(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """``new_page(allow=(), **context)``: a tab in a context of its own.

    ``allow``: regular expressions of console errors that belong to the test, such as ``"status of 409"``;
    the rest as Playwright's ``browser.new_context`` (``viewport``, ``color_scheme``, ``reduced_motion``…).
    """
    problems: list[str] = []
    contexts = []

    def new(allow: Sequence[str] = (), **options: Any) -> Page:
        # Without a service worker: what one asks for cannot be intercepted.
        context = chromium.new_context(**{"viewport": DESKTOP, "service_workers": "block", **options})
        context.set_default_timeout(_PATIENCE)
        contexts.append(context)
        page = context.new_page()

        # A server of a test's own may end before the page, which asks for its state every two seconds.
        ignored = (*allow, "ERR_CONNECTION_REFUSED")

        def console(message: Any) -> None:
            if message.type == "error" and not any(re.search(pattern, message.text) for pattern in ignored):
                problems.append(f"console: {message.text} ({message.location.get('url')})")

        def request(request: Any) -> None:
            url = urlsplit(request.url)
            if url.scheme in ("http", "https", "ws", "wss") and url.hostname != "127.0.0.1":
                problems.append(f"a request to another host: {request.url}")

        page.on("console", console)
        page.on("pageerror", lambda error: problems.append(f"page: {error}"))
        page.on("request", request)
        return page

    yield new
    for context in contexts:
        context.close()
    assert problems == []


@pytest.fixture
def page(new_page: Callable[..., Page], request: pytest.FixtureRequest) -> Page:
    """A tab; parametrised indirectly with the arguments of ``new_page``."""
    return new_page(**getattr(request, "param", {}))


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server over the twelve photos of ``draw_photos``. All tests share it: change nothing."""
    from tests.browser.serving import draw_photos, serving
    from twobranch.server.settings import Settings

    place, encoder = tmp_path_factory.mktemp("served"), FakeEncoder()
    captions = draw_photos(place / "photos")
    library = place / ".twobranch"
    update_library(library, [place / "photos"], encoder, captions=captions)
    with serving(Settings(library), lambda model: encoder) as url:
        yield url


@pytest.fixture(scope="session")
def serious_findings() -> Callable[[Page], list[str]]:
    """``serious_findings(page)``: what axe-core finds serious or critical, each as rule and element.

    It is brought in by the debugger, to which the page's Content-Security-Policy does not apply.
    """
    from axe_playwright_python.sync_playwright import Axe

    axe = Axe()

    def findings(page: Page) -> list[str]:
        violations = axe.run(page).response["violations"]
        return [
            f"{violation['id']}: {' '.join(map(str, node['target']))}: {node['failureSummary']}"
            for violation in violations
            if violation["impact"] in ("serious", "critical")
            for node in violation["nodes"]
        ]

    return findings

"""The page in Firefox, driven by Mozilla's own client (Marionette).

Playwright drives a Firefox of its own make, which no package brings; this is the one that people have.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.waiting import PATIENCE

WINDOW = {"width": 1280, "height": 800}


@pytest.fixture(scope="module")
def firefox() -> Iterator[Any]:
    """A Firefox without a window; without one on this machine the tests are skipped."""
    program = shutil.which("firefox-esr") or shutil.which("firefox")
    if program is None:
        pytest.skip("no Firefox: apt-get install firefox-esr")
    pytest.importorskip("telnetlib", reason="marionette_driver needs a Python before 3.13")
    from marionette_driver.marionette import Marionette

    client = Marionette(bin=program, headless=True, startup_timeout=int(PATIENCE), gecko_log=os.devnull)
    client.start_session()
    client.set_window_rect(**WINDOW)
    client.timeout.script = PATIENCE
    yield client
    client.cleanup()


@pytest.fixture
def until(firefox: Any) -> Callable[[str], Any]:
    """``until(expression)``: what the expression gives in the page, as soon as it is true."""
    from marionette_driver import Wait

    def wait(expression: str) -> Any:
        return Wait(firefox, timeout=PATIENCE).until(
            lambda client: client.execute_script(f"return {expression}"), message=expression
        )

    return wait


def test_a_search_from_the_keyboard(firefox: Any, served: str, until: Callable[[str], Any]) -> None:
    firefox.navigate(served)
    until("document.querySelector('#count').textContent.includes('12 photos')")
    firefox.find_element("id", "q").send_keys("blue")
    until("document.querySelector('#grid a').getAttribute('aria-label').startsWith('blue-ball.jpg')")
    assert firefox.get_url() == f"{served}?q=blue"


def test_a_photo_seen_large(firefox: Any, served: str, until: Callable[[str], Any]) -> None:
    firefox.navigate(f"{served}?q=blue")
    until("document.querySelector('#grid a img')?.complete")
    firefox.find_element("css selector", "#grid a").click()
    until("document.querySelector('#lightbox').open")
    until("[...document.querySelectorAll('#lightbox .picture img')].some(one => one.naturalWidth > 300)")
    firefox.go_back()
    until("!document.querySelector('#lightbox').open")


def test_no_row_is_wider_than_the_page(firefox: Any, served: str, until: Callable[[str], Any]) -> None:
    firefox.navigate(served)
    until("document.querySelector('#count').textContent.includes('12 photos')")
    assert firefox.execute_script("return document.documentElement.scrollWidth <= innerWidth")

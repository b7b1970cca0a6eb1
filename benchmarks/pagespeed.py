"""The page in a real browser: how soon it shows photos, also after a key, and whether anything moves.

    python -m benchmarks.pagespeed PHOTOS [--photos 10000]

Indexes the photos (mirrored ones where there are too few) into a library for the time, serves it, and opens
it in a headless Chromium (`TWOBRANCH_CHROMIUM` names another). Every figure has a baseline of the same run:
the same browser on an empty page, or the server's own time.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageOps

from benchmarks.chromium import chromium_arguments, chromium_path
from benchmarks.serving import ROOT, Row, free_port, serve_command, serving
from twobranch.indexer.disk.walk import scan

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

LOADS = 7
TYPED = (
    "a dog in the snow", "red car on a street", "two children playing", "a man on a bicycle", "sunset",
    "people at a concert", "a boat on a lake", "girl jumping into a pool", "mountains", "a crowd in a square",
)  # fmt: skip
HITS = 500  # at most that many are shown

# When a key was pressed, when the frame was drawn with the hits of the latest answer, and all that moved.
_WATCH = """
window.keyed = 0; window.shown = 0; window.moved = 0;
addEventListener("input", () => { keyed = performance.now(); shown = 0; }, true);
const json = Response.prototype.json;
Response.prototype.json = async function () {
  const data = await json.call(this);
  if (this.url.includes("/api/search")) requestAnimationFrame(() => { shown = performance.now(); });
  return data;
};
new PerformanceObserver((list) => { for (const entry of list.getEntries()) moved += entry.value; })
  .observe({ type: "layout-shift", buffered: true });
"""
_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"


def until(page: Page, expression: str) -> None:
    """Waits until it is true. Playwright's own way needs `eval`, which the page's policy forbids."""
    for _ in range(3000):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(5)
    raise SystemExit(f"{page.url}: not within 15 seconds: {expression}")


def make_photos(folder: Path, source: Path, n: int) -> None:
    """``n`` photos in ``folder``: links to those of ``source``, then mirrored ones."""
    files = [source / path for path in scan(source).files][:n]
    for number, file in enumerate(files):
        (folder / f"{number:06}{file.suffix}").symlink_to(file.resolve())
    for number, file in enumerate(files[: n - len(files)]):
        with Image.open(file) as image:
            ImageOps.mirror(image.convert("RGB")).save(folder / f"mirrored-{number:06}.jpg", quality=90)


def new_page(browser: Browser) -> Page:
    """A tab that has seen nothing before, and is watched."""
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    page.add_init_script(_WATCH)
    return page


def first_paint(browser: Browser, url: str) -> tuple[float, float]:
    """Milliseconds to the first paint, and to the first six photos; without a cache."""
    page = new_page(browser)
    page.goto(url)
    until(page, "[...document.querySelectorAll('#grid img')].filter((img) => img.naturalWidth).length > 5")
    times = page.evaluate(_PAINT), page.evaluate("performance.now()")
    page.context.close()
    return times


def empty_paint(browser: Browser) -> float:
    """Of a page with one word, from memory: what the browser itself takes."""
    page = browser.new_context().new_page()
    page.goto("data:text/html,hello")
    until(page, f"({_PAINT}) !== null")
    time = page.evaluate(_PAINT)
    page.context.close()
    return float(time)


def after_the_last_key(browser: Browser, url: str) -> tuple[list[float], list[float]]:
    """Of each sentence, milliseconds from its last key to the changed hits, and those of the answer."""
    page = new_page(browser)
    page.goto(url)
    page.wait_for_selector("#grid img")
    times, served = [], []
    for text in TYPED:
        page.fill("#q", "")
        page.wait_for_timeout(600)
        with page.expect_response(partial(_asks, text)) as answer:
            page.locator("#q").press_sequentially(text, delay=60)
        until(page, "shown > keyed")
        times.append(page.evaluate("shown - keyed"))
        served.append(answer.value.json()["took_ms"])
    page.context.close()
    return times, served


def _asks(text: str, answer: Any) -> bool:
    return "/api/search" in answer.url and answer.url.split("q=")[-1].split("&")[0] == text.replace(" ", "+")


def moved_by_scrolling(browser: Browser, url: str) -> tuple[float, int, float]:
    """The layout shift while all hits are scrolled through, how many there are at the end, and the longest
    pause between two frames in milliseconds."""
    page = new_page(browser)
    page.goto(f"{url}?q=a+dog")
    page.wait_for_selector("#grid img")
    page.evaluate(
        "window.longest = 0; let last = performance.now(); (function frame(now) {"
        " longest = Math.max(longest, now - last); last = now; requestAnimationFrame(frame); })(last)"
    )
    for _ in range(400):
        page.mouse.wheel(0, 400)
        page.wait_for_timeout(20)
    found = page.evaluate("[moved, document.querySelectorAll('#grid img').length, longest]")
    page.context.close()
    return found[0], found[1], found[2]


def rows(browser: Browser, url: str) -> Iterator[Row]:
    first_paint(browser, url)  # thumbnails are made, and the server has opened what it needs
    loads = [first_paint(browser, url) for _ in range(LOADS)]
    empty = statistics.median(empty_paint(browser) for _ in range(LOADS))
    for what, at in (("first paint", 0), ("first photos there, without a cache", 1)):
        time = statistics.median(load[at] for load in loads)
        yield Row(what, f"{time:.0f} ms", f"an empty page: {empty:.0f} ms", f"{time / empty:.1f}")
    times, served = after_the_last_key(browser, url)
    yield Row(
        f"last key to hits, the longest of {len(TYPED)}",
        f"{max(times):.0f} ms, median {statistics.median(times):.0f}",
        f"the server's answer: {statistics.median(served):.0f} ms",
        f"{statistics.median(times) / statistics.median(served):.1f}",
    )
    moved, n, longest = moved_by_scrolling(browser, url)
    yield Row(f"layout shift, {n} hits scrolled through", f"{moved:.3f}", "nothing moves: 0", "-")
    yield Row(
        "longest pause between two frames meanwhile",
        f"{longest:.0f} ms",
        "60 frames a second: 17 ms",
        f"{longest / 17:.1f}",
    )


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("where", type=Path, help="a folder of photos", metavar="PHOTOS")
    parser.add_argument("--photos", type=int, default=10_000)
    arguments = parser.parse_args()
    program = chromium_path()
    if program is None:
        sys.exit("no Chromium: apt-get install chromium, or name one with TWOBRANCH_CHROMIUM")
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        photos, library = Path(folder, "photos"), Path(folder, "library")
        photos.mkdir()
        make_photos(photos, arguments.where, arguments.photos)
        index = [sys.executable, "cli.py", "--library", str(library), "--quiet", "index", str(photos)]
        subprocess.run(index, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        port = free_port()
        with serving(serve_command(library, port), port, "/api/search?q=a"):
            browser = playwright.chromium.launch(executable_path=program, args=chromium_arguments())
            print("| what | figure | baseline in the same run | ratio |\n|---|---|---|---|")
            for row in rows(browser, f"http://127.0.0.1:{port}/"):
                print(f"| {row.what} | {row.figure} | {row.baseline} | {row.ratio} |", flush=True)
            browser.close()


if __name__ == "__main__":
    main()

"""The page in a real browser: how soon it shows photos, also after a key, and whether anything moves.

    python -m benchmarks.pagespeed PHOTOS [--photos 10000]
    python -m benchmarks.pagespeed --made-up 100000 [--folder DIR]

The first indexes the photos (mirrored ones where there are too few) into a library for the time; the second
makes up a library of any size (benchmarks.madeupphotos), and also goes to years, scrolls through all photos
and looks at the memory of the tab. Both serve it and open it in a headless Chromium (`TWOBRANCH_CHROMIUM`
names another). Every figure has a baseline of the same run: the same browser on an empty page, or the
server's own time.
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
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageOps

from benchmarks.chromium import chromium_arguments, chromium_path
from benchmarks.madeupphotos import make_viewable_library
from benchmarks.serving import ROOT, Row, free_port, serve_command, serving
from twobranch.indexer.disk.walk import scan

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

LOADS = 7
TYPED = (
    "a dog in the snow", "red car on a street", "two children playing", "a man on a bicycle", "sunset",
    "people at a concert", "a boat on a lake", "girl jumping into a pool", "mountains", "a crowd in a square",
)  # fmt: skip
JUMPS = (0.5, 0.1, 0.9, 0.3, 0.7, 0.2, 0.6)  # of all photos, where the scrubber is clicked

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


@dataclass(frozen=True)
class Scrolled:
    """A page after all of its photos were scrolled through."""

    moved: float  # the layout shift
    pauses: list[float]  # milliseconds between frames while the wheel turned
    heap: float  # megabytes of the scripts
    cached: float  # megabytes of the tab
    held: float  # megabytes of the tab, after it was told that memory is short
    elements: int  # the most that the grid had


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


# The pictures of the tiles on the screen: how many tiles there are, and how many pictures have come.
_ON_SCREEN = """(() => {
    const tiles = [...document.querySelectorAll("#grid a")].filter((tile) => {
        const box = tile.getBoundingClientRect();
        return box.bottom > 80 && box.top < innerHeight;
    });
    return [tiles.length, tiles.filter((tile) => tile.querySelector("img")?.naturalWidth).length];
})()"""


def to_any_year(browser: Browser, url: str) -> tuple[list[float], list[float]]:
    """Of each click on the scrubber, milliseconds to the photos' places, and to all their pictures.

    No picture has been seen before. The page is asked every frame."""
    page = new_page(browser)
    page.goto(url)
    page.wait_for_selector("#scrubber:not([hidden])")
    page.wait_for_timeout(1000)
    places, pictures = [], []
    for share in JUMPS:
        times = page.evaluate(
            f"""(share) => new Promise((then) => {{
                const scrubber = document.querySelector("#scrubber");
                const box = scrubber.getBoundingClientRect();
                const clientY = box.top + share * box.height;
                const began = performance.now();
                for (const name of ["pointerdown", "pointerup"]) {{
                    scrubber.dispatchEvent(new PointerEvent(name, {{pointerId: 1, clientY, bubbles: true}}));
                }}
                let places = null;
                (function frame() {{
                    const [tiles, seen] = {_ON_SCREEN};
                    if (tiles > 5) places ??= performance.now() - began;
                    if (tiles > 5 && seen === tiles) then([places, performance.now() - began]);
                    else requestAnimationFrame(frame);
                }})();
            }})""",
            share,
        )
        places.append(times[0])
        pictures.append(times[1])
        page.wait_for_timeout(300)
    page.context.close()
    return places, pictures


def through_all(browser: Browser, url: str) -> Scrolled:
    """Scroll through all photos, with the wheel for a while and then in steps of four screens.

    Without a graphics card Chromium keeps up to 512 MB of decoded pictures until memory is short; so the
    memory of the tab is read before and after it is told that it is.
    """
    page = new_page(browser)
    session = page.context.new_cdp_session(page)
    page.goto(url)
    page.wait_for_selector("#grid img")
    page.evaluate(
        "window.pauses = []; window.most = 0; let last = performance.now(); (function frame(now) {"
        " pauses.push(now - last); last = now; requestAnimationFrame(frame); })(last)"
    )
    for _ in range(200):
        page.mouse.wheel(0, 120)
        page.wait_for_timeout(16)
    pauses = page.evaluate("pauses.slice(1)")
    page.evaluate(
        """() => new Promise((then) => {
            let steps = 0;
            (function step() {
                scrollBy(0, 4 * innerHeight);
                most = Math.max(most, document.querySelectorAll("#grid *").length);
                if (scrollY + innerHeight >= document.documentElement.scrollHeight - 1) then();
                else setTimeout(step, ++steps % 8 ? 30 : 200); // pictures come where one rests
            })();
        })"""
    )
    page.wait_for_timeout(2000)
    session.send("HeapProfiler.collectGarbage")
    heap = page.evaluate("performance.memory.usedJSHeapSize") / 1e6
    moved, most = page.evaluate("[moved, most]")
    cached = tab_megabytes(browser)
    session.send("Memory.simulatePressureNotification", {"level": "critical"})
    page.wait_for_timeout(2000)
    held = tab_megabytes(browser)
    page.context.close()
    return Scrolled(moved, pauses, heap, cached, held, most)


def tab_megabytes(browser: Browser) -> float:
    """The memory of the largest renderer process that nothing else shares (PSS)."""
    found = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    sizes = []
    for process in found:
        if process["type"] == "renderer":
            lines = Path(f"/proc/{process['id']}/smaps_rollup").read_text().splitlines()
            sizes.append(next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1e3)
    return max(sizes)


def browsing_rows(browser: Browser, url: str) -> Iterator[Row]:
    """The figures of a library in which one browses."""
    places, pictures = to_any_year(browser, url)
    for what, times in (
        ("any year to the places of its photos", places),
        ("any year to its pictures", pictures),
    ):
        figure = f"{max(times):.0f} ms, median {statistics.median(times):.0f}"
        yield Row(f"{what}, the longest of {len(times)}", figure, "a frame: 17 ms", f"{max(times) / 17:.1f}")
    scrolled = through_all(browser, url)
    pauses = scrolled.pauses
    late = sum(pause > 25 for pause in pauses) / len(pauses)
    yield Row("layout shift, all photos scrolled through", f"{scrolled.moved:.3f}", "nothing moves: 0", "-")
    yield Row(
        "frames while the wheel turns",
        f"median {statistics.median(pauses):.1f} ms, {late:.1%} over 25 ms, the longest {max(pauses):.0f}",
        "60 frames a second: 16.7 ms",
        f"{statistics.median(pauses) / 16.7:.2f}",
    )
    page = browser.new_context().new_page()
    page.goto("data:text/html,hello")
    empty = tab_megabytes(browser)
    page.context.close()
    yield Row(
        "memory of the tab after that",
        f"{scrolled.held:.0f} MB, with the browser's cache of pictures {scrolled.cached:.0f}, "
        f"scripts {scrolled.heap:.0f}",
        f"an empty page: {empty:.0f} MB",
        f"{scrolled.held / empty:.1f}",
    )
    yield Row("most elements of the grid meanwhile", f"{scrolled.elements}", "-", "-")


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
    parser.add_argument("where", type=Path, nargs="?", help="a folder of photos", metavar="PHOTOS")
    parser.add_argument("--photos", type=int, default=10_000)
    parser.add_argument("--made-up", type=int, metavar="N", help="a library of N photos instead")
    parser.add_argument("--folder", type=Path, help="where made-up libraries are kept")
    arguments = parser.parse_args()
    if (arguments.where is None) == (arguments.made_up is None):
        parser.error("say PHOTOS or --made-up N")
    program = chromium_path()
    if program is None:
        sys.exit("no Chromium: apt-get install chromium, or name one with TWOBRANCH_CHROMIUM")
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        if arguments.made_up:
            kept = (arguments.folder or Path(folder)) / f"viewable-{arguments.made_up}"
            library = kept / "library" if kept.exists() else make_viewable_library(kept, arguments.made_up)
        else:
            library = indexed(Path(folder), arguments.where, arguments.photos)
        port = free_port()
        with serving(serve_command(library, port), port, "/api/search?q=a"):
            browser = playwright.chromium.launch(executable_path=program, args=chromium_arguments())
            url = f"http://127.0.0.1:{port}/"
            print("| what | figure | baseline in the same run | ratio |\n|---|---|---|---|")
            for row in chain(rows(browser, url), browsing_rows(browser, url) if arguments.made_up else ()):
                print(f"| {row.what} | {row.figure} | {row.baseline} | {row.ratio} |", flush=True)
            browser.close()


def indexed(folder: Path, source: Path, n: int) -> Path:
    """Index ``n`` photos of ``source``, and return the library."""
    photos, library = folder / "photos", folder / "library"
    photos.mkdir()
    make_photos(photos, source, n)
    index = [sys.executable, "cli.py", "--library", str(library), "--quiet", "index", str(photos)]
    subprocess.run(index, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return library


if __name__ == "__main__":
    main()

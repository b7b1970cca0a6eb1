"""`serve` under load: how long answers take, how many there are in a second, and what that costs.

    python -m benchmarks.serving PHOTOS_OR_LIBRARY [--seconds 60] [--clients 16]

For a folder of photos a library of 10,000 is made up for the time: vectors as `benchmarks.biglibrary` spreads
them, five captions a photo of English words as often as they are used, and the folder's first 300 photos as
files for thumbnails. Server, client and baselines are processes of their own; every figure has a baseline of
the same run. "Distinct" sentences are asked once each, so that none is answered from memory; of "repeated"
ones there are 64. The open loop sends 200 requests a second whatever happens, and counts from when each was
due.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import multiprocessing
import os
import platform
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from benchmarks.biglibrary import make_library
from benchmarks.loadclient import Answers, Load, run
from twobranch.common.cpu import products_on_one_core
from twobranch.embedding.preprocess import load_thumbnail
from twobranch.indexer.catalog.connection import CATALOG
from twobranch.indexer.catalog.photo_facts import photo_file
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.catalog.tables import Catalog, sqlite_connection
from twobranch.indexer.disk.walk import scan
from twobranch.indexer.vectors.index import TRIAL_QUERIES
from twobranch.retrieval.engine import SearchEngine
from twobranch.retrieval.spelling import frequent_words

ROOT = Path(__file__).parent.parent
PHOTOS = 10_000
CAPTIONS = 5  # a photo
FILES = 300  # of which thumbnails are made
RATE = 200.0  # requests a second of the open loop
REPEATED = 64
STARTS = 3
WORDS = 3000  # the most frequent ones, of which captions and sentences are made
_IMPORTS = "import twobranch.server.run, onnxruntime, tokenizers"


@dataclass(frozen=True)
class Row:
    """A figure beside its baseline."""

    what: str
    figure: str
    baseline: str
    ratio: str


# --- a library --------------------------------------------------------------------------------------


def sentences(n: int, seed: int) -> list[str]:
    """``n`` sentences, no two the same: something that a photo may show, and words as often as they are
    used (Zipf's law, without the stop words at its top)."""
    rng = random.Random(seed)
    words = [word for word in list(frequent_words())[150:WORDS] if len(word) > 3]
    weights = [1 / (rank + 20) for rank in range(len(words))]
    made: dict[str, None] = {}
    while len(made) < n:
        made[" ".join([rng.choice(TRIAL_QUERIES), *rng.choices(words, weights, k=3)])] = None
    return list(made)


def add_life(library: Path, photos: Path) -> None:
    """Gives a made-up library captions, and its first photos files."""
    files = [file for file in scan(photos).files.values() if file.path.isprintable()][:FILES]
    texts = sentences(PHOTOS * CAPTIONS, seed=1)
    with closing(Catalog.open(library)) as catalog, catalog.session(write=True) as session:
        connection = sqlite_connection(session)
        connection.execute("UPDATE roots SET path = ?", [str(photos.resolve())])
        connection.executemany(
            "UPDATE images SET path = ?, size = ?, mtime_ns = ?, content_hash = ? WHERE id = ?",
            (
                (
                    file.path,
                    file.size,
                    file.mtime_ns,
                    hashlib.sha256((photos / file.path).read_bytes()).digest(),
                    id_,
                )
                for id_, file in enumerate(files, start=1)
            ),
        )
        connection.execute(
            "INSERT INTO corpora (id, path, format, size, mtime_ns, added_at)"
            " VALUES (1, '/captions.csv', 'csv', 0, 0, '2026-01-01 00:00:00.000000')"
        )
        connection.executemany(
            "INSERT INTO captions (corpus_id, position, text, image_name, image_id) VALUES (1, ?, ?, '', ?)",
            ((at, text, 1 + at // CAPTIONS) for at, text in enumerate(texts)),
        )


# --- processes --------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def serving(command: Sequence[str], port: int, target: str) -> Iterator[tuple[int, float]]:
    """A server's process id, and the seconds until it first answered ``target`` with 200."""
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{target}") as answer:
                    answer.read()
                break
            except OSError:
                if process.poll() is not None or time.perf_counter() - started > 60:
                    raise SystemExit(f"{' '.join(command)} does not answer {target}") from None
                time.sleep(0.002)
        yield process.pid, time.perf_counter() - started
    finally:
        process.terminate()
        process.wait(20)


def megabytes(process: int) -> float:
    """Of memory that a process has now; 0 where the system does not say."""
    status = Path(f"/proc/{process}/status")
    if not status.exists():
        return 0.0
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


async def hello(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """The least that an application can answer (ASGI): what is left is the server under it and the client."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        await send({"type": "http.response.body", "body": b"hello"})


def seconds_of(command: Sequence[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True)
    return time.perf_counter() - started


# --- measures ---------------------------------------------------------------------------------------


def searches(texts: Sequence[str]) -> list[str]:
    return [f"/api/search?q={quote(text)}" for text in texts]


def apart(measure: Callable[..., float], *about: Any) -> float:
    """Return what a function measures in a new process with this environment."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(measure, *about).result()


def in_process(library: Path, texts: Sequence[str]) -> float:
    """The median of a search in this process, in milliseconds, from words to hits."""
    with SearchEngine.open(library) as engine:
        times = []
        for text in texts:
            started = time.perf_counter()
            engine.search(text, 50, collapse=True)
            times.append(1000 * (time.perf_counter() - started))
    return statistics.median(times[len(times) // 10 :])


def thumbnails_a_second(library: Path, photos: Sequence[int]) -> float:
    """In this process, one after the other, in a plain loop."""
    with closing(CatalogReader.open(library)) as reader:
        files = [file for photo in photos if (file := photo_file(reader, photo))]
    started = time.perf_counter()
    for file in files:
        load_thumbnail(file.path, 320).save(io.BytesIO(), "WEBP", quality=80)
    return len(files) / (time.perf_counter() - started)


def photos_with_files(library: Path) -> list[int]:
    with closing(CatalogReader.open(library)) as reader:
        ids = [id_ for (id_,) in reader.rows("SELECT id FROM images ORDER BY id LIMIT ?", [FILES])]
        return [id_ for id_ in ids if (file := photo_file(reader, id_)) and file.path.is_file()]


def spread(answers: Answers) -> str:
    wrong = f", {answers.errors} errors" if answers.errors else ""
    return f"{answers.percentile(50):.3g} ms, p99 {answers.percentile(99):.3g}{wrong}"


def rate(answers: Answers) -> str:
    return f"{answers.per_second:,.0f}/s, {spread(answers)}"


def starts(library: Path) -> Row:
    """From the start of the process to the first answer to a sentence."""
    port = free_port()
    command = serve_command(library, port)
    first = []
    for number in range(STARTS):
        with serving(command, port, searches([f"a dog {number}"])[0]) as (_, seconds):
            first.append(seconds)
    alone = [seconds_of([sys.executable, "-c", _IMPORTS]) for _ in range(STARTS)]
    ours, theirs = statistics.median(first), statistics.median(alone)
    return Row(
        "start of the process to the first hits",
        f"{ours:.2f} s",
        f"importing what it imports: {theirs:.2f} s",
        f"{ours / theirs:.1f}",
    )


def hello_command(port: int) -> list[str]:
    quiet = ["--log-level", "warning", "--no-access-log"]
    return [sys.executable, "-m", "uvicorn", "benchmarks.serving:hello", "--port", str(port), *quiet]


def serve_command(library: Path, port: int) -> list[str]:
    return [sys.executable, "cli.py", "--library", str(library), "serve", "--port", str(port)]


def rows(library: Path, seconds: float, clients: int) -> Iterator[Row]:
    """All figures, one after the other."""
    yield starts(library)
    short, many = seconds / 6, int(seconds * 1000)  # more requests than any of the loops gets through
    texts = iter(sentences(2 * many + 4000, seed=2))

    def some(count: int) -> list[str]:
        return searches([next(texts) for _ in range(count)])

    port = free_port()
    with serving(hello_command(port), port, "/"):
        bare = run(Load(port, ["/"], clients, short, most=many))
        bare_one = run(Load(port, ["/"], 1, short, most=1000))
    alone = apart(in_process, library, [next(texts) for _ in range(220)])
    port = free_port()
    with serving(serve_command(library, port), port, some(1)[0]) as (process, _):
        run(Load(port, some(200), clients, short))  # every thread has opened what it needs
        before = megabytes(process)
        one = run(Load(port, some(500), 1, seconds / 3))
        ratio = f"{one.percentile(50) / alone:.2f}"
        yield Row("one client, distinct sentences", spread(one), f"engine.search: {alone:.1f} ms", ratio)
        again = searches(sentences(REPEATED, seed=3))
        run(Load(port, again, 1, seconds))
        one = run(Load(port, again, 1, short, most=1000))
        ratio = f"{one.percentile(50) / bare_one.percentile(50):.1f}"
        yield Row("one client, repeated", spread(one), f"a bare application: {spread(bare_one)}", ratio)
        due = run(Load(port, some(int(RATE * seconds)), clients, seconds, per_second=RATE))
        facts = run(Load(port, ["/api/photos/1"], clients, short, int(RATE * short), per_second=RATE))
        ratio = f"{due.percentile(50) / facts.percentile(50):.1f}"
        what = f"{RATE:.0f} requests/s for {seconds:.0f} s, distinct"
        yield Row(what, spread(due), f"/api/photos/1 at that rate: {spread(facts)}", ratio)
        most = run(Load(port, some(many), clients, short))
        run(Load(port, again, clients, seconds))  # by now others have taken their place in memory
        kept = run(Load(port, again, clients, short, most=many))
        baseline = f"a bare application: {bare.per_second:,.0f}/s"
        ratio = f"{most.per_second / bare.per_second:.3f}"
        yield Row(f"{clients} clients as fast as they can, distinct", rate(most), baseline, ratio)
        ratio = f"{kept.per_second / bare.per_second:.2f}"
        yield Row(f"{clients} clients, repeated", rate(kept), baseline, ratio)
        after = megabytes(process)
        ratio = f"{after / max(before, 1):.2f}"
        yield Row("memory after all this", f"{after:.0f} MB", f"before it: {before:.0f} MB", ratio)
        yield from thumbnails(library, port, clients, seconds)
    each = 1000 / most.per_second
    ratio = f"{most.client_ms / each:.2f}"
    yield Row("processor time of the client", f"{most.client_ms:.2f} ms a request", f"{each:.2f} ms", ratio)


def thumbnails(library: Path, port: int, clients: int, seconds: float) -> Iterator[Row]:
    """Of photos that have files, made and then again from disk."""
    photos = photos_with_files(library)
    if not photos:
        return
    targets = [f"/api/photos/{photo}/thumbnail" for photo in photos]
    facts = run(Load(port, [f"/api/photos/{photo}" for photo in photos], clients, seconds))
    cold, warm = (run(Load(port, targets, clients, seconds)) for _ in range(2))
    alone = apart(thumbnails_a_second, library, photos)
    ratio = f"{cold.per_second / alone:.2f}"
    yield Row("thumbnails of 320 pixels, made", rate(cold), f"a loop on one core: {alone:.0f}/s", ratio)
    ratio = f"{warm.per_second / facts.per_second:.2f}"
    yield Row("the same again", rate(warm), f"/api/photos: {facts.per_second:,.0f}/s", ratio)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "where", type=Path, help="a folder of photos, or a library", metavar="PHOTOS_OR_LIBRARY"
    )
    parser.add_argument("--seconds", type=float, default=60, help="of the open loop; others take a sixth")
    parser.add_argument("--clients", type=int, default=16, help="connections at the same time")
    arguments = parser.parse_args()
    products_on_one_core()  # for processes that are started from here on, as `serve` has it
    python = f"Python {platform.python_version()}, NumPy {np.__version__}"
    print(f"{platform.machine()}, {os.cpu_count()} cores, {python}\n")
    with tempfile.TemporaryDirectory() as folder:
        library = arguments.where
        if not (library / CATALOG).is_file():
            library = Path(folder) / "library"
            make_library(library, PHOTOS)
            add_life(library, arguments.where)
        print("| what | figure | baseline in the same run | ratio |\n|---|---|---|---|")
        for row in rows(library, arguments.seconds, arguments.clients):
            print(f"| {row.what} | {row.figure} | {row.baseline} | {row.ratio} |", flush=True)


if __name__ == "__main__":
    main()

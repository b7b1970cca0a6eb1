"""The whole program with the shipped model and real photographs, killed while it indexes or serves."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from PIL import Image

from tests.torture.conftest import Rounds
from tests.waiting import PATIENCE, next_line, wait_for
from tests.wheelphotos import wheel_photo
from twobranch.embedding.encoder import Encoder
from twobranch.indexer.catalog.connection import CATALOG
from twobranch.indexer.catalog.lock import indexing_lock
from twobranch.retrieval.display.status import library_status

ROOT = Path(__file__).parent.parent.parent
N = 48  # one and a half transactions


def tiles(folder: Path) -> None:
    """Parts of photographs, all of them different."""
    folder.mkdir()
    for name in ("astronaut.png", "chelsea.png", "coffee.png"):
        with Image.open(wheel_photo(name)) as photo:
            for number in range(N // 3):
                left, top = number % 4 * 60, number // 4 * 40
                tile = photo.convert("RGB").crop((left, top, left + 160, top + 160))
                tile.save(folder / f"{name[:-4]}-{number}.jpg")


def vectors(library: Path) -> dict[str, np.ndarray]:
    with closing(sqlite3.connect(library / CATALOG, timeout=PATIENCE)) as connection:
        try:
            rows = connection.execute(
                "SELECT path, vector FROM images i JOIN image_vectors v ON v.image_id = i.id"
            ).fetchall()
        except sqlite3.OperationalError:  # killed before it was made
            return {}
    return {path: np.frombuffer(vector, "<f4") for path, vector in rows}


def test_sigkill_with_the_real_model(
    tmp_path: Path, rounds: Rounds, random: Random, tally: Counter[str]
) -> None:
    tiles(tmp_path / "photos")
    command = [sys.executable, str(ROOT / "cli.py"), "index", "photos", "--json"]
    environment = {name: value for name, value in os.environ.items() if name != "TWOBRANCH_LIBRARY"}
    library = tmp_path / ".twobranch"
    encoder = Encoder.load("default")
    alone = {path.name: encoder.encode_images([path])[0] for path in (tmp_path / "photos").iterdir()}
    for _ in range(rounds(short=1, long=15)):
        shutil.rmtree(library, ignore_errors=True)
        running = subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for(lambda: (library / CATALOG).exists() and vectors(library))  # until the first commit
        assert running.poll() is None
        time.sleep(random.uniform(0, 0.1))
        running.kill()
        running.wait()
        kept = vectors(library)
        assert library_status(library, scan=False)["searchable_photos"] == len(kept) > 0
        second = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert second.returncode == 0, second.stderr
        assert f'"encoded": {N - len(kept)},' in second.stdout
        now = vectors(library)
        assert now.keys() == alone.keys()
        for name, vector in now.items():
            assert name not in kept or vector.tobytes() == kept[name].tobytes()
            assert np.allclose(vector, alone[name], atol=1e-5)
        tally["SIGKILL of `index` with the real model"] += 1


def ask(url: str, method: str = "GET") -> Any:
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=PATIENCE) as response:
        return json.load(response)


def test_sigkill_of_a_server_that_indexes(
    tmp_path: Path, rounds: Rounds, random: Random, tally: Counter[str]
) -> None:
    """Its run ends by itself, nothing that was committed is lost, and the next server goes on."""
    tiles(tmp_path / "photos")
    command = [sys.executable, str(ROOT / "cli.py"), "serve", "photos", "--port", "0"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TWOBRANCH_")}
    library = tmp_path / ".twobranch"
    encoder = Encoder.load("default")
    alone = {path.name: encoder.encode_images([path])[0] for path in (tmp_path / "photos").iterdir()}
    for _ in range(rounds(short=1, long=15)):
        shutil.rmtree(library, ignore_errors=True)
        for is_killed in (True, False):
            server = subprocess.Popen(
                command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
            )
            assert server.stdout is not None
            announced = re.search(r"http://\S+/", next_line(server, server.stdout))
            assert announced is not None
            known = vectors(library)
            assert ask(f"{announced[0]}api/index", "POST")["running"]
            if is_killed:
                wait_for(lambda: vectors(library))  # until the first commit
                time.sleep(random.uniform(0, 0.1))
            else:
                wait_for(lambda url=announced[0]: not ask(f"{url}api/index")["running"])  # type: ignore[misc]
            server.kill()
            server.communicate()
            with indexing_lock(library):  # waits for the run, which finishes what it is writing
                found = vectors(library)
            assert known.keys() <= found.keys()
            for name, vector in found.items():
                assert np.allclose(vector, alone[name], atol=1e-5)
        assert found.keys() == alone.keys()
        assert subprocess.run([*command[:2], "doctor"], cwd=tmp_path, env=environment).returncode == 0
        tally["SIGKILL of `serve` while it indexes"] += 2

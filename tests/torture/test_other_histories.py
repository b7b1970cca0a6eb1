"""Catalogues and index files that do not belong together, and deaths while a catalogue is salvaged."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from random import Random

import numpy as np
import pytest

from tests.fakes import FakeEncoder, write_photo, write_photos
from tests.indexer.test_schematext import letters
from tests.indexing import check
from tests.torture.conftest import Rounds
from tests.torture.place import Place
from tests.torture.zygote import Zygote
from twobranch.indexer.catalog.connection import CATALOG, connect
from twobranch.indexer.catalog.reader import CatalogReader
from twobranch.indexer.catalog.tables import Catalog
from twobranch.indexer.maintenance.doctor import catalogue_damage, examine
from twobranch.indexer.update.library import update_library
from twobranch.indexer.vectors import index as galleries
from twobranch.indexer.vectors.index import open_index

N = 90
INDEX = ("index", "photos", "--captions", "captions.csv")


def change(photos: Path, random: Random) -> None:
    """One photo is overwritten, or some are, some deleted and some new."""
    if random.random() < 0.7:
        oldest = sorted(photos.iterdir())[:20]
        write_photo(random.choice(oldest), _colour(random))
        return
    for _ in range(random.randrange(4)):
        write_photo(photos / f"{random.randrange(N):02}.png", _colour(random))
    for path in random.sample(sorted(photos.iterdir()), random.randrange(3)):
        path.unlink()
    for _ in range(random.randrange(4)):
        write_photo(photos / f"{random.randrange(1000)}.png", _colour(random))


def _colour(random: Random) -> tuple[int, int, int]:
    return random.randrange(256), random.randrange(256), random.randrange(256)


def files(library: Path, of_catalogue: bool) -> list[Path]:
    return [file for file in library.iterdir() if file.name.startswith(CATALOG) == of_catalogue]


def mix(library: Path, kept: Path, random: Random) -> str:
    """Takes the catalogue or the index files of another time, or only some; which."""
    fates = ("catalogue deleted", "catalogue restored", "index files restored", "power cut")
    (fate,) = random.choices(fates, weights=(3, 2, 2, 1))
    if fate.startswith("catalogue"):
        for file in files(library, True):
            file.unlink()
    if fate == "catalogue restored":
        for file in files(kept, True):
            shutil.copy2(file, library)
    elif fate == "index files restored":  # with their times, so that none looks damaged
        for file in files(kept, False):
            if random.random() < 0.7:
                shutil.copy2(file, library)
    elif fate == "power cut":
        log = library / f"{CATALOG}-wal"
        if log.exists():
            os.truncate(log, random.randrange(log.stat().st_size + 1))
    return fate


@pytest.mark.parametrize("large", [10**6, 20])
def test_no_mixture_of_times_gives_a_photo_another_ones_vector(
    large: int,
    tmp_path: Path,
    rounds: Rounds,
    random: Random,
    tally: Counter[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each round ends with `index`, which compares everything that is searched with the pixels."""
    library, photos = tmp_path / ".twobranch", tmp_path / "photos"
    write_photos(photos, {f"{n:02}.png": (2 * n, 200 - 2 * n, 9) for n in range(N)})
    update_library(library, [photos], FakeEncoder())
    kept: list[Path] = []
    for number in range(rounds(short=12, long=1500)):
        keep = tmp_path / f"kept-{number % 5}"
        shutil.rmtree(keep, ignore_errors=True)
        if random.random() < 0.7:  # with ids that the next one has as well
            shutil.rmtree(library)
            update_library(library, [photos], FakeEncoder())
        with closing(connect(library / CATALOG)) as reader:  # so that the log stays for a power cut to hit
            reader.execute("BEGIN")
            reader.execute("SELECT 1 FROM images").fetchone()
            shutil.copytree(library, keep, ignore=shutil.ignore_patterns("*.damaged-*"))
            kept = sorted({*kept, keep})
            if random.random() < 0.5:
                change(photos, random)
                update_library(library, [photos], FakeEncoder())
            state = tmp_path / "state"
            shutil.rmtree(state, ignore_errors=True)
            shutil.copytree(library, state)
        shutil.rmtree(library)
        state.rename(library)
        fate = mix(library, random.choice(kept), random)
        change(photos, random)
        monkeypatch.setattr(galleries, "LARGE", large)
        with closing(Catalog.open(library, create=True)):
            pass  # a search would find no photos in a new one
        update_library(library, [photos], FakeEncoder())
        if large < N:
            exact_in_lists(library)
        monkeypatch.setattr(galleries, "LARGE", 10**6)
        check(library)
        tally[f"{fate}, then indexed: every vector its photo's"] += 1


def exact_in_lists(library: Path) -> None:
    """What the lists and their tail find is what there is, with the scores of the catalogue."""
    with closing(CatalogReader.open(library)) as reader:
        model = reader.active_model()
        assert model is not None
        lists = open_index(reader, "images", model.id, 4)
        exact = open_index(reader, "images", model.id, 4, exact=True)
        queries = FakeEncoder().encode_texts(["red", "green", "blue"])
        found, there = lists.search(queries, len(exact)), exact.search(queries, len(exact))
        for one, other in zip(found[1], there[1], strict=True):
            assert sorted(one) == sorted(other)
        np.testing.assert_allclose(found[0], there[0], atol=1e-6)


# --- salvage ------------------------------------------------------------------------------------------


def test_dying_in_a_salvage_loses_nothing_of_the_log(
    tmp_path: Path, zygote: Zygote, rounds: Rounds, random: Random, tally: Counter[str]
) -> None:
    """The catalogue's first page is damaged, and its last transaction is in the log alone. At every moment of
    a repair what is there is enough for the next."""
    place = Place.make(tmp_path, 12, random)
    zygote.run(*INDEX, cwd=tmp_path).check()
    catalogue, kept = place.library / CATALOG, tmp_path / "kept"
    with closing(sqlite3.connect(catalogue)) as connection:
        connection.execute("UPDATE images SET camera = 'of the log'")
        connection.commit()
        shutil.copytree(place.library, kept)
    for file in ("index.lock", f"{CATALOG}-shm"):
        (kept / file).unlink(missing_ok=True)
    with (kept / CATALOG).open("r+b") as file:
        file.write(b"NOT A DATABASE ")

    def damaged() -> None:
        shutil.rmtree(place.library)
        shutil.copytree(kept, place.library)

    def mended() -> list[tuple[str, str]]:
        with closing(sqlite3.connect(catalogue)) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchall() == [("wal",)]  # searches go on beside
            return connection.execute("SELECT path, camera FROM images ORDER BY id").fetchall()

    damaged()
    repair = ("doctor", "--repair")
    zygote.run(*repair, cwd=tmp_path, action="die")
    whole = mended()
    assert {camera for _, camera in whole} == {"of the log"} and len(whole) > 10
    points = range(1, place.points() + 1)
    assert len(points) > 20
    for point in points if rounds.is_long else sorted(random.sample(points, 10)):
        damaged()
        assert zygote.run(*repair, cwd=tmp_path, action="die", at=point).code == 137
        zygote.run(*repair, cwd=tmp_path)
        assert mended() == whole, point
        assert not list(place.library.glob("*.part*"))
        tally["death while a catalogue is salvaged"] += 1
    zygote.run(*INDEX, cwd=tmp_path).check()
    place.check()


def test_any_letter_of_the_schema_may_be_damaged(
    tmp_path: Path, zygote: Zygote, rounds: Rounds, random: Random, tally: Counter[str]
) -> None:
    """Every command says it in one line, and all data come back."""
    place = Place.make(tmp_path, 5, random)
    zygote.run(*INDEX, cwd=tmp_path).check()
    catalogue = place.library / CATALOG
    good, every = catalogue.read_bytes(), letters(catalogue)
    committed = place.committed()
    some = random.sample(every, min(len(every), rounds(short=6, long=3000)))
    for at in some:
        for file in place.library.glob(f"{CATALOG}*"):
            file.unlink()
        bit = random.choice((0x80, 0x80, 0x80, 1 << random.randrange(7)))
        catalogue.write_bytes(good[:at] + bytes([good[at] ^ bit]) + good[at + 1 :])
        if catalogue_damage(place.library) is not None:  # else it may be text that means the same
            for argv in (("status",), ("search", "red"), ("forget", "photos"), ("vacuum",), INDEX):
                ended = zygote.run(*argv, cwd=tmp_path)
                assert ended.code == 0 or "`doctor" in ended.complaint(), (at, bit, argv, ended)
        else:
            assert bit != 0x80
        catalogue.write_bytes(good[:at] + bytes([good[at] ^ bit]) + good[at + 1 :])
        for suffix in ("-wal", "-shm"):
            (place.library / f"{CATALOG}{suffix}").unlink(missing_ok=True)
        examine(place.library, repair=True)
        assert place.committed() == committed, (at, bit)
        assert {one.part for one in examine(place.library) if not one.fine} == {"model"}, (at, bit)
        place.check()
        tally["damaged letters of the schema, with all data back"] += 1

"""Queries that nobody means well, to the real model: hits or one line, and soon."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from time import process_time

import pytest

from tests.fakes import write_photos
from tests.torture.conftest import Rounds
from tests.torture.test_fuzz import HOSTILE
from twobranch.common.errors import UserError
from twobranch.embedding.encoder import Encoder
from twobranch.indexer.update.library import update_library
from twobranch.retrieval.correction import correct_query
from twobranch.retrieval.engine import SearchEngine
from twobranch.retrieval.query import MOST_CHARACTERS, Query, parse_query
from twobranch.retrieval.similarity import similarity, sort_arguments
from twobranch.retrieval.terms import TextTerm

SECONDS = 20  # of processors, whatever else is at work here; it takes a fraction of one, and took minutes
PIECES = [
    *HOSTILE,
    *("red", "2:a dog", "+", "-", "~", "~root", "~nobody has this name", "./", "/dev/null", "cat.jpg"),
    *("\udce9", "\ud83d\ude00", "\ufffe", "\x1b[2J", "\r", "\u2028", "\u0301" * 500, "\U0001f600" * 300),
    *("a" * 16_000, "\u72ac" * 3_000, "1" * 20_000, "a-" * 5_000, "dog + " * 700, "." * 5_000, "(" * 5_000),
]


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("hostile")
    write_photos(place / "photos", {"red.png": "red", "blue.png": "blue"})
    update_library(place / ".twobranch", [place / "photos"], Encoder.load("default"))
    return place


def sentence(random: Random) -> str:
    """Some of the pieces in a row, or one alone at any length."""
    if random.random() < 0.3:
        piece = random.choice(PIECES) or "a"
        return (piece * (random.choice((1, 100, 1_000, 40_000)) // len(piece) + 1))[:40_000]
    return random.choice((" ", "", " + ")).join(random.choices(PIECES, k=random.randint(1, 6)))


def test_no_query_stops_a_search(indexed: Path, random: Random, rounds: Rounds, tally: Counter[str]) -> None:
    photo = str(indexed / "photos" / "red.png")
    n = Counter[str]()
    times = rounds(short=40, long=20_000)
    with SearchEngine.open(indexed / ".twobranch") as engine:
        for _ in range(times):
            text, files, started = sentence(random), random.random() < 0.5, process_time()
            try:
                parsed = parse_query([text], files=files)
                assert sum(map(len, parsed.texts)) <= MOST_CHARACTERS
                parsed = correct_query(parsed, engine.written_words).query
                str(parsed).encode()
                assert len(engine.search(parsed)) <= 2
                n["hits"] += 1
            except UserError as error:
                assert files or len(str(error)) < MOST_CHARACTERS + 200  # paths are named in full
                n["one line"] += 1
            # What is not parsed has any length; it has to end all the same.
            try:
                made = Query((TextTerm(text),))
                engine.search(correct_query(made, engine.written_words).query)
                similarity(engine.encoder, *sort_arguments([photo, text]))
            except UserError:
                pass
            assert process_time() - started < SECONDS, (len(text), text[:200])
            tally["hostile queries"] += 1
    assert min(n["hits"], n["one line"]) > times / 10

"""Pages of hits: all of them are the whole ranking, each photo once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.calibrations import calibrated, line
from tests.fakes import FakeEncoder
from twobranch.common.errors import UserError
from twobranch.indexer.catalog.connection import ACTIVE_MODEL, CATALOG, connect
from twobranch.indexer.catalog.filters import Filters
from twobranch.indexer.catalog.fulltext import refresh_words
from twobranch.indexer.catalog.sorting import Mark
from twobranch.indexer.catalog.tables import (
    Caption,
    CaptionVector,
    Catalog,
    Corpus,
    Image,
    ImageVector,
    Model,
    Root,
    Setting,
    utcnow,
)
from twobranch.retrieval.answer import Answer
from twobranch.retrieval.engine import SearchEngine
from twobranch.retrieval.fusion import FusedRanking
from twobranch.retrieval.paging import PageStart, RankedItems, RankedPlace
from twobranch.retrieval.request import SearchRequest

RED, GREEN, BLUE = np.eye(4, dtype=np.float32)[:3]


def mixed(share: float, colour: Any = GREEN, other: Any = RED) -> Any:
    """A unit vector that scores ``share`` with one colour, and the rest with another."""
    return (share * colour + np.sqrt(1 - share**2) * other).astype(np.float32)


def fill(library: Path, vectors: Sequence[Any], names: Sequence[str] = (), captions: bool = False) -> None:
    """A library of photos 1, 2, … with these vectors, one day and one byte more each."""
    with closing(Catalog.open(library, create=True)) as catalog, catalog.session(write=True) as session:
        model = Model(name="fake", folder="/m", fingerprint="fake-1", dim=4, added_at=utcnow())
        root, corpus = (
            Root(path="/photos"),
            Corpus(path="/c.csv", format="csv", size=1, mtime_ns=1, added_at=utcnow()),
        )
        session.add_all([model, root, corpus])
        session.flush()
        session.add(Setting(key=ACTIVE_MODEL, value=str(model.id)))
        for n, vector in enumerate(vectors, start=1):
            name = names[n - 1] if names else f"{n % 3}/{n}.jpg"
            taken = datetime(2020, 1, 1 + n % 28)
            image = Image(
                root=root,
                path=name,
                size=n,
                mtime_ns=0,
                taken_at=taken,
                width=4,
                height=3,
                indexed_at=utcnow(),
            )
            session.add(image)
            session.flush()
            session.add(ImageVector(model_id=model.id, image_id=image.id, vector=vector.tobytes()))
            if captions:
                caption = Caption(corpus_id=corpus.id, position=n, text=f"caption {n}", image_id=image.id)
                session.add(caption)
                session.flush()
                session.add(CaptionVector(model_id=model.id, caption_id=caption.id, vector=vector.tobytes()))
    with closing(connect(library / CATALOG)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        refresh_words(connection)
        connection.execute("COMMIT")


def opened(library: Path) -> SearchEngine:
    encoder = FakeEncoder()
    return SearchEngine.open(library, load=lambda model: encoder)  # type: ignore[arg-type, return-value]


def pages(engine: SearchEngine, request: SearchRequest) -> Iterator[Answer]:
    while True:
        answer = engine.answer(request)
        yield answer
        if answer.next is None:
            return
        # as a server sends and gets it back
        request = replace(request, start=PageStart.from_json(answer.next.as_json()))


def photos(answers: Sequence[Answer]) -> list[int]:
    return [hit.photo for answer in answers for hit in answer.hits if hit.photo is not None]


def shown(answers: Sequence[Answer]) -> list[int]:
    """The photos that are hits or near-duplicates of hits; their files have their numbers."""
    found = []
    for answer in answers:
        for hit in answer.hits:
            found += [int(path.stem) for path in (hit.path, *hit.alike) if path is not None]
    return found


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return tmp_path / "library"


def test_all_pages_are_the_ranking_and_ranks_go_on(library: Path) -> None:
    fill(library, [mixed(share) for share in (0.1, 0.9, 0.5, 0.7, 0.3)])
    with opened(library) as engine:
        request = SearchRequest(words=("green",), top=2, collapse=False)
        answers = list(pages(engine, request))
        assert [[hit.photo for hit in answer.hits] for answer in answers] == [[2, 4], [3, 5], [1]]
        assert [hit.rank for answer in answers for hit in answer.hits] == [1, 2, 3, 4, 5]
        assert [answer.n_passing for answer in answers] == [5, 5, 5]
        # a page that ends with the last hit has no next one
        assert engine.answer(replace(request, top=5)).next is None


def test_a_near_duplicate_far_below_is_a_hit_of_its_own_page(library: Path) -> None:
    """Of a page of one hit only two are compared; nothing is lost, and nothing comes twice."""
    # With a cosine of 0.95 or more 1 and 2 are alike, and 1 and 5; the scores are 1, .98, .6, .5, .96
    vectors = [mixed(1.0), mixed(0.98), mixed(0.6), mixed(0.5, other=BLUE), mixed(0.96, other=BLUE)]
    fill(library, vectors)
    with opened(library) as engine:
        answers = list(pages(engine, SearchRequest(words=("green",), top=1)))
        assert photos(answers)[0] == 1
        assert [path.stem for path in answers[0].hits[0].alike] == ["2", "5"]
        assert sorted(shown(answers)) == [1, 2, 3, 4, 5]


def test_equal_hits_go_on_by_their_age(library: Path) -> None:
    fill(library, [GREEN] * 7)
    with opened(library) as engine:
        answers = list(pages(engine, SearchRequest(words=("green",), top=3, collapse=False)))
        assert photos(answers) == [1, 2, 3, 4, 5, 6, 7]


def test_words_in_names_are_part_of_the_order(library: Path) -> None:
    """A photo whose folder has one of the two words is lifted above another by 0.3 * 0.5³ = 0.04."""
    fill(library, [mixed(share) for share in (0.59, 0.4, 0.6)], ["norway/1.jpg", "a/2.jpg", "a/3.jpg"])
    with opened(library) as engine:
        for ranking, expected in (("fused", [1, 3, 2]), ("visual", [3, 1, 2]), ("words", [1])):
            request = SearchRequest(words=("norway green",), top=1, collapse=False, ranking=ranking)  # type: ignore[arg-type]
            assert photos(list(pages(engine, request))) == expected


def test_photos_that_come_and_go_between_two_pages(library: Path) -> None:
    fill(library, [mixed(share) for share in (0.9, 0.8, 0.7, 0.6, 0.5)])
    request = SearchRequest(words=("green",), top=2, collapse=False)
    with opened(library) as engine, closing(connect(library / "catalog.sqlite")) as writer:
        first = engine.answer(request)
        assert photos([first]) == [1, 2]
        writer.execute("DELETE FROM images WHERE id IN (2, 3)")  # the last hit, and the next one
        engine.refresh()
        second = engine.answer(replace(request, start=first.next))
        assert photos([second]) == [4, 5]
        assert second.next is None


def test_filters_alone_are_paged_by_date_and_other_orders(library: Path) -> None:
    fill(library, [RED] * 5)  # photo n was taken on the 1 + n-th, has n bytes and is in folder n % 3
    with opened(library) as engine:
        request = SearchRequest(filters=Filters(not_paths=("4.jpg",)), top=2)
        assert photos(list(pages(engine, request))) == [5, 3, 2, 1]
        assert photos(list(pages(engine, replace(request, sort="size")))) == [5, 3, 2, 1]
        assert photos(list(pages(engine, replace(request, sort="folder")))) == [3, 1, 2, 5]
        assert [hit.rank for answer in pages(engine, request) for hit in answer.hits] == [1, 2, 3, 4]


def test_best_hits_in_another_order_are_paged(library: Path) -> None:
    fill(library, [mixed(share) for share in (0.5, 0.9, 0.1)])
    with opened(library) as engine:
        request = SearchRequest(words=("green",), sort="size", top=2)
        # Hits without a confidence: the two best, the larger first, and no more.
        answer = engine.answer(request)
        assert (photos([answer]), answer.next) == ([2, 1], None)


def test_pages_agree_on_what_matches(library: Path, tmp_path: Path) -> None:
    """The logit is 8 * score - 4: above 0.5 hits are likely, and perhaps match from a score of 0.225."""
    fill(library, [mixed(share) for share in (0.1, 0.9, 0.3, 0.8, 0.7)])
    (tmp_path / "model").mkdir()
    calibrated(line(weak=0.1, likely=0.5)).save(tmp_path / "model")
    with opened(library) as engine:
        engine.encoder.folder = tmp_path / "model"
        request = SearchRequest(words=("green",), top=2, collapse=False, ranking="visual")
        answers = list(pages(engine, request))
        assert [[hit.tier for hit in answer.hits] for answer in answers] == [
            ["likely", "likely"], ["likely", "perhaps"], ["rest"],
        ]  # fmt: skip
        assert [answer.n_matching for answer in answers] == [2, 3, 3]
        assert [answer.matches_well for answer in answers] == [True, True, True]
        # in another order only those that match: 2, 4 and 5, the largest file first
        by_size = list(pages(engine, replace(request, sort="size")))
        assert photos(by_size) == [5, 4, 2]
        assert [hit.rank for answer in by_size for hit in answer.hits] == [1, 2, 3]
        sure = list(pages(engine, replace(request, min_confidence=0.5)))
        assert photos(sure) == [2, 4, 5]
        # the last hit of a page has gone: photo 2 is left after it
        with closing(connect(library / "catalog.sqlite")) as writer:
            writer.execute("DELETE FROM images WHERE id = 4")
        engine.refresh()
        assert photos([engine.answer(replace(request, sort="size", start=by_size[0].next))]) == [2]


def test_a_score_that_differs_in_its_last_digit_is_no_other_hit() -> None:
    """The first page has computed the scores of its hits in another way than the second."""

    def ranked(scores: Sequence[float], ids: Sequence[int]) -> RankedItems:
        ranking = FusedRanking(np.array(scores, np.float32), np.array(ids, np.int64))
        return RankedItems.of(ranking, by_words=False)

    first = ranked([0.9, 0.50000006, 0.5], [1, 2, 3])
    second = ranked([0.9, 0.5000002, 0.5, 0.1], [1, 3, 2, 4])
    place = first.place_after(2, [1, 2], is_first_page=True)
    assert second.after(place).ranking.ids.tolist() == [3, 4]
    after_that = second.place_after(3, place.shown, is_first_page=False)
    assert (after_that.shown, second.after(after_that).ranking.ids.tolist()) == ((2,), [4])


def test_captions_are_paged_too(library: Path) -> None:
    fill(library, [mixed(share) for share in (0.9, 0.5, 0.7)], captions=True)
    with opened(library) as engine:
        request = SearchRequest(words=("green",), gallery="captions", top=1)
        answers = list(pages(engine, request))
        assert [hit.caption for answer in answers for hit in answer.hits] == [
            "caption 1", "caption 3", "caption 2",
        ]  # fmt: skip
        newest = list(pages(engine, SearchRequest(gallery="captions", filters=Filters(min_pixels=1), top=2)))
        assert photos(newest) == [3, 2, 1]


def test_a_start_of_another_order_is_an_error(library: Path) -> None:
    fill(library, [RED])
    marks = (PageStart(2, Mark("2020", 1)), PageStart(2, RankedPlace(1.0, 1.0, 1)), PageStart(2, Mark(1, 1)))
    with opened(library) as engine:
        for request in (
            SearchRequest(words=("red",)),
            SearchRequest(sort="size"),
            SearchRequest(sort="date"),
        ):
            wrong = [start for start in marks if is_refused(engine, replace(request, start=start))]
            assert len(wrong) == 2


def is_refused(engine: SearchEngine, request: SearchRequest) -> bool:
    try:
        engine.answer(request)
    except UserError as error:
        assert "search anew" in str(error)
        return True
    return False


@pytest.mark.parametrize(
    "data",
    [
        [],
        [1, None, None],
        [0, None, None, "o", "2020", 1],
        [1, "best", None, "o", "2020", 1],
        [1, None, None, "o", "2020", 2**63],
        [1, None, None, "r", "x", 1.0, 1],
        [1, None, None, "r", 1.0, 1.0],
        [1, None, None, "r", 1.0, 1.0, 1, "2"],
        [1, None, None, "r", 1.0, 1.0, 1, 2**62, 2**62],
        [True, None, None, "o", "2020", 1],
        [1, None, None, "x", "2020", 1],
        [1, [], None, "o", "2020", 1],
    ],
)
def test_what_is_no_start_of_a_page(data: list[Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        PageStart.from_json(data)


SHARES = st.lists(st.sampled_from([0.0, 0.3, 0.5, 0.51, 0.9, 1.0]), max_size=14)


@settings(deadline=None, max_examples=50)
@given(SHARES, st.integers(1, 6), st.booleans(), st.booleans(), st.booleans())
def test_every_photo_is_on_one_page(
    shares: list[float], top: int, collapse: bool, few_colours: bool, words: bool
) -> None:
    """With any size of page, whatever is alike: as a hit, or as a near-duplicate of one."""
    others = (RED,) if few_colours else (RED, BLUE)
    vectors = [mixed(share, other=others[n % len(others)]) for n, share in enumerate(shares)]
    with TemporaryDirectory() as folder:
        fill(Path(folder), vectors, [f"{'norway' * (n % 3 == 0)}/{n}.jpg" for n in range(1, len(shares) + 1)])
        with opened(Path(folder)) as engine:
            typed = "norway green" if words else "green"
            request = SearchRequest(words=(typed,), top=top, collapse=collapse)
            answers = list(pages(engine, request))
            assert sorted(shown(answers)) == list(range(1, len(shares) + 1))
            if not collapse:
                whole = engine.answer(replace(request, top=100))
                assert photos(answers) == photos([whole])
            assert all(len(answer.hits) == top for answer in answers[:-1])

"""Colours for the eye, words for the rest: which photo comes first can be computed by hand."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from tests.fakes import WORDS, FakeEncoder, write_photos
from tests.indexing import write_captions
from twobranch.common.errors import LibraryError
from twobranch.indexer.catalog.tables import Catalog
from twobranch.indexer.update.library import update_library
from twobranch.retrieval.engine import SearchEngine
from twobranch.retrieval.fusion import WEIGHT, FusedRanking, Ranking, SearchedPhotos, agreement, bonus, fused
from twobranch.retrieval.hits import Hit
from twobranch.retrieval.text_match import WordMatches, match_words

PHOTOS: dict[str, str | tuple[int, int, int]] = {
    "Rome/red.png": "red",
    "Rome/dark.png": (150, 0, 200),
    "Oslo/violet.png": (200, 0, 100),
    "Oslo/night.png": "blue",
    "2019/meadow.png": (0, 255, 0),
}


@pytest.fixture
def engine(library: Path, tmp_path: Path, encoder: FakeEncoder) -> SearchEngine:
    write_photos(tmp_path / "album", PHOTOS)
    captions = write_captions(tmp_path / "c.csv", {"meadow.png": "green grass in rome"})
    update_library(library, [tmp_path / "album"], encoder, captions=captions)
    return SearchEngine.open(library, load=lambda model: encoder)


def names(hits: list[Hit]) -> list[str]:
    return [hit.path.stem for hit in hits if hit.path is not None]


def test_the_order_is_by_score_and_words_together(engine: SearchEngine) -> None:
    hits = engine.search("red rome")
    # Rome/red.png scores 1 and has both words: +0.3. violet (200, 0, 100) scores 200 / 223.6 = 0.894, dark
    # (150, 0, 200) 150 / 250 = 0.6. Of five names "red", an everyday word, is in one (half the weight ln(1 +
    # 4.5 / 1.5) = 1.386) and "rome" in two (0.875): dark has a share of 0.558, whose cube times 0.3 is 0.052.
    # The meadow scores 0;
    # its caption has all that captions know of the query, "rome": +0.3.
    assert names(hits) == ["red", "violet", "dark", "meadow", "night"]
    assert [hit.score for hit in hits] == pytest.approx([1, 0.894, 0.6, 0, 0], abs=1e-3)
    assert [hit.words for hit in hits] == [
        pytest.approx(0.3),
        None,
        pytest.approx(0.0522, abs=1e-4),
        pytest.approx(0.3),
        None,
    ]
    assert [hit.matched for hit in hits] == [("name", "folder"), (), ("folder",), ("captions",), ()]


def test_words_lift_a_photo_that_looks_nearly_as_good(engine: SearchEngine) -> None:
    # By the eye dark, at 200 / 250 = 0.8, is behind night, at 1; all that names know of "blue sky in Rome" is
    # Rome, which adds 0.3. With red.png it adds as much, to a score of 0.
    assert names(engine.search("blue sky in Rome", ranking="visual"))[:2] == ["night", "dark"]
    assert names(engine.search("blue sky in Rome"))[:3] == ["dark", "night", "violet"]


def test_a_query_whose_words_are_nowhere_is_ranked_by_the_eye_alone(engine: SearchEngine) -> None:
    assert engine.search("blue") == engine.search("blue", ranking="visual")
    assert all(hit.words is None and hit.matched == () for hit in engine.search("blue"))


def test_by_words_only_those_that_have_some_are_listed(engine: SearchEngine) -> None:
    # "red" is in one name and rarer than "oslo", which is in two, but an everyday word: half of 1.386 is less
    # than 0.875. Where words are equal, the score decides.
    assert names(engine.search("oslo red", ranking="words")) == ["violet", "night", "red"]
    assert names(engine.search("oslo red", ranking="words", top=2)) == ["violet", "night"]
    assert engine.search("blue", ranking="words") == []


def test_photos_and_captions_are_asked_for_as_before(engine: SearchEngine, tmp_path: Path) -> None:
    assert engine.search("green grass", gallery="captions")[0].words is None
    assert all(hit.words is None for hit in engine.search(tmp_path / "album" / "Rome" / "red.png"))


def test_damaged_words_name_the_way_out(engine: SearchEngine) -> None:
    engine.catalog._connection.execute("DROP TABLE words_data")
    with pytest.raises(LibraryError, match=r"run `index` .* or search with --visual-only"):
        engine.search("red")
    assert names(engine.search("red", ranking="visual"))[0] == "red"


@pytest.mark.parametrize("top", [1, 3, 10, 200])
@pytest.mark.parametrize("ranking", ["fused", "words"])
@pytest.mark.parametrize("some", [False, True])
def test_none_is_missed_however_deep_it_lies(
    library: Path,
    tmp_path: Path,
    encoder: FakeEncoder,
    monkeypatch: pytest.MonkeyPatch,
    top: int,
    ranking: Ranking,
    some: bool,
) -> None:
    """Against the sum of score and words over every photo, with a visual ranking of 4 of 60, or of 20."""
    monkeypatch.setattr("twobranch.retrieval.fusion._DEPTH", 4)
    monkeypatch.setattr("twobranch.retrieval.fusion._BLOCK", 7)
    rng = np.random.default_rng(top)
    folders = ("Rome 2018", "Rome 2019", "Oslo 2019", "x", "y")
    write_photos(
        tmp_path / "all",
        {f"{folders[i % 5]}/{i}.png": tuple(rng.integers(0, 256, 3).tolist()) for i in range(60)},
    )
    update_library(library, [tmp_path / "all"], encoder)
    vector = encoder.encode_texts(["red green"])
    among = np.arange(1, 61, 3) if some else None
    with SearchEngine.open(library, load=lambda model: encoder) as engine:
        reader, index = engine.catalog, engine.index("images")
        every, ids = (array[0] for array in index.search(vector, 60, among))
        matches = match_words(reader, "rome 2019 red green", 60)
        added = dict(zip(matches.image_ids.tolist(), bonus(matches).tolist(), strict=True))
        images = reader.images_of_vectors(ids.tolist())
        extra = np.array([added.get(images[id_], 0) for id_ in ids.tolist()])
        if ranking == "words":
            keys, kept = extra + 1e-9 * every, extra > 0
        else:
            keys, kept = every + extra, np.ones(len(ids), bool)
        expected = ids[kept][np.argsort(-keys[kept], kind="stable")][:top]
        photos = SearchedPhotos(index, vector[0], reader, 1, among)
        found = fused("rome 2019 red green", photos, top, ranking)
    assert found.ids.tolist() == expected.tolist()


def test_photos_that_came_after_the_index_was_opened_are_left_out(
    engine: SearchEngine, library: Path, tmp_path: Path, encoder: FakeEncoder
) -> None:
    before = names(engine.search("blue bergen", ranking="words"))
    write_photos(tmp_path / "album", {"Bergen/new.png": "red"})
    update_library(library, [tmp_path / "album"], encoder)
    assert names(engine.search("blue bergen", ranking="words")) == before == []
    with SearchEngine.open(library, load=lambda model: encoder) as later:
        assert names(later.search("blue bergen", ranking="words")) == ["new"]


def test_more_hits_than_one_statement_can_ask_for(
    engine: SearchEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = engine.search("red rome", top=5)
    monkeypatch.setattr("twobranch.indexer.catalog.reader._IDS_A_STATEMENT", 2)
    assert engine.search("red rome", top=5) == everything


def test_words_that_are_not_yet_in_the_table_are_no_error(engine: SearchEngine, library: Path) -> None:
    with closing(Catalog.open(library)) as catalog, catalog.session() as session:
        session.connection().exec_driver_sql("DROP TABLE words")
    assert engine.search("red rome") == engine.search("red rome", ranking="visual")


# Names that say nothing of the photos, each with a red, a green, a blue and a grey one.
NASTY = (
    "It's a small world", "101APPLE", "Camera Roll", "Kids birthday", "day 1", "Backup of old phone",
    "IMG_2021", "DCIM", "Screenshots", "New folder (2)",
)  # fmt: skip
# Everyday words for the fake encoder, by the axis of their colour.
THINGS = {
    "apple": 0,
    "sunny": 0,
    "man": 0,
    "camera": 1,
    "phone": 1,
    "kids": 1,
    "cake": 2,
    "child": 2,
    "screenshot": 2,
}


@pytest.fixture
def nasty(
    library: Path, tmp_path: Path, encoder: FakeEncoder, monkeypatch: pytest.MonkeyPatch
) -> SearchEngine:
    for word, axis in THINGS.items():
        monkeypatch.setitem(WORDS, word, axis)
    for i, name in enumerate(NASTY):
        shades: dict[str, str | tuple[int, int, int]] = {
            f"{name}/{i}r.png": (200, 10 + i, 0),
            f"{name}/{i}g.png": (0, 200, 10 + i),
            f"{name}/{i}b.png": (10 + i, 0, 200),
            f"{name}/{i}x.png": (90, 90 + i, 90),
        }
        write_photos(tmp_path / "all", shades)
    update_library(library, [tmp_path / "all"], encoder)
    return SearchEngine.open(library, load=lambda model: encoder)


@pytest.mark.parametrize(
    "query",
    [
        "an apple", "apple", "a man with a camera", "camera", "birthday cake", "sunny day", "phone",
        "kids", "2 apple", "child on a man's shoulders", "it's sunny",
    ],
)  # fmt: skip
def test_names_that_say_nothing_leave_everyday_queries_alone(nasty: SearchEngine, query: str) -> None:
    # Ten of the 40 photos are the visually best ones; a folder has four photos, so one of these by chance.
    # One is there: the lift is (1 + 1) / (1 + 1) = 1, and the agreement 0.
    assert names(nasty.search(query)) == names(nasty.search(query, ranking="visual"))
    assert all((hit.words or 0) < WEIGHT / 2 for hit in nasty.search(query))


@pytest.mark.parametrize(
    ("query", "folder"),
    [("sunny 2021", "IMG_2021"), ("screenshot", "Screenshots"), ("kids birthday", "Kids birthday")],
)
def test_names_years_and_two_words_still_decide(nasty: SearchEngine, query: str, folder: str) -> None:
    first = nasty.search(query)[0]
    assert first.path is not None and first.path.parent.name == folder
    assert (first.words or 0) >= WEIGHT / 2


def test_a_folder_that_shows_its_name_lifts_its_photos(
    nasty: SearchEngine, tmp_path: Path, encoder: FakeEncoder
) -> None:
    # Green of 10 to 19 parts beside 200 of red, and for six photos more 13 to 18: the less, the better.
    write_photos(tmp_path / "all", {f"Sunny side/{i}.png": (200, 13 + i, 0) for i in range(6)})
    update_library(nasty.library, [tmp_path / "all"], encoder)
    nasty.refresh()
    assert names(nasty.search("sunny", top=3, ranking="visual")) == ["0r", "1r", "2r"]
    # Of 46 photos the best 11 have 10, 11, 12 and twice 13 to 16, with four of the six: a lift of
    # (4 + 1) / (11 * 6 / 46 + 1) = 2.05, so half of the bonus goes to those that look best.
    first = nasty.search("sunny", top=3)[0]
    assert first.path is not None and first.path.parent.name == "Sunny side"
    assert first.matched == ("folder",)


def among_folders(engine: SearchEngine, encoder: FakeEncoder, text: str, *folders: str) -> FusedRanking:
    """Rank the photos of some folders, each named by a word of its name."""
    reader, index = engine.catalog, engine.index("images")
    ids = np.concatenate([reader.images_with_word(word, ("folder",)) for word in folders]).tolist()
    among = np.array(sorted(reader.vectors_of_images(ids, 1).values()))
    return fused(text, SearchedPhotos(index, encoder.encode_texts([text])[0], reader, 1, among), 40)


@pytest.mark.parametrize(("query", "folder"), [("an apple", "apple"), ("kids", "kids")])
def test_a_folder_that_a_filter_selects_does_not_show_its_name(
    nasty: SearchEngine, encoder: FakeEncoder, query: str, folder: str
) -> None:
    # All four searched photos have the word, and so has the visually best one: the lift is
    # (1 + 1) / (1 * 4 / 4 + 1) = 1.
    found = among_folders(nasty, encoder, query, folder)
    assert (len(found.ids), found.words) == (4, {})


def test_the_best_photos_and_chance_are_of_the_searched_photos(
    nasty: SearchEngine, tmp_path: Path, encoder: FakeEncoder
) -> None:
    write_photos(tmp_path / "all", {f"Sunny/{i}.png": (200, i, 0) for i in range(4)})
    update_library(nasty.library, [tmp_path / "all"], encoder)
    nasty.refresh()
    found = among_folders(nasty, encoder, "sunny", "sunny", "dcim", "roll")
    # A quarter of the 12 searched photos are the best ones, three of the four of Sunny: a lift of
    # (3 + 1) / (3 * 4 / 12 + 1) = 2, so half of the bonus for the first of them.
    assert found.words[int(found.ids[0])] == pytest.approx(WEIGHT / 2)


def test_agreement_by_hand() -> None:
    """Of 40 photos, 1 to 10 are the visually best, with scores from 1.0 to 0.1."""
    best, scores = np.arange(1, 11), np.linspace(1, 0.1, 10)
    ids = np.array([2, 6, 20, 30])
    ones = np.ones(4)
    found = WordMatches(ids, ones, 0 * ones, np.array([0, 0, 0, -1]), {0: np.array([2, 6, 20])})
    # Three photos have the word; by chance 10 * 3 / 40 = 0.75 of them are among the best, and two are: the
    # lift is 3 / 1.75 = 1.714, its part of the way from 1 to 3 is 0.357. Photo 2 is 8/9 of the way from the
    # last to the best, photo 6 is 4/9; photo 20 is not there. Photo 30 has more than an everyday word.
    expected = [0.357 * 8 / 9, 0.357 * 4 / 9, 0, 1]
    assert agreement(found, best, scores, 40) == pytest.approx(expected, abs=1e-3)
    # Of four photos with the word, all but one are among the best: 2 * 3 does not exceed 4 + 2. Of six, five
    # are: 10 exceeds 8, so the sixth counts as much, with the lift 6 / (10 * 6 / 40 + 1) = 2.4.
    few, most = np.array([2, 6, 9, 20]), np.array([1, 2, 6, 8, 9, 20])
    alone = [WordMatches(ids, 1.0 * (ids > 0), 0.0 * ids, 0 * ids, {0: ids}) for ids in (few, most)]
    assert agreement(alone[0], best, scores, 40)[3] == 0
    assert agreement(alone[1], best, scores, 40) == pytest.approx([0.7] * 6)
    none = np.empty(0, np.int64)  # the filters let no photo through
    assert agreement(found, none, np.empty(0), 40).tolist() == [0, 0, 0, 1]
    assert bonus(found, agreement(found, best, scores, 40)) == pytest.approx(
        0.3 * np.array(expected), abs=1e-3
    )

"""Searching a small library whose answers can be read off the colours."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.calibrations import calibrated, line
from tests.fakes import FakeEncoder, write_photo
from twobranch.common.errors import LibraryError, UserError
from twobranch.indexer.catalog.filters import Filters
from twobranch.indexer.update.library import update_library
from twobranch.retrieval.engine import SearchEngine
from twobranch.retrieval.query import Query, parse_query
from twobranch.retrieval.request import SearchRequest
from twobranch.retrieval.terms import PictureTerm
from twobranch.retrieval.verdict import matches_well, n_matching


@pytest.fixture
def engine(library: Path, photos: Path, encoder: FakeEncoder, tmp_path: Path) -> SearchEngine:
    captions = tmp_path / "captions.tsv"
    captions.write_text("image\tcaption\nred.png\tred\nred.png\tred green\nblue.png\tblue\ngone.png\tgreen\n")
    update_library(library, [photos], encoder, captions=captions)
    return SearchEngine.open(library, load=lambda model: encoder)


def names(hits: list) -> list[str]:
    return [hit.path.name for hit in hits]


class Polyglot(FakeEncoder):
    """Also reads a Chinese word, as an added model may."""

    reads_any_language = True

    def encode_texts(self, texts: Sequence[str], language: str | None = None) -> NDArray[np.float32]:
        return super().encode_texts([text.replace("红色", "red") for text in texts])

    def knows(self, text: str, language: str | None = None) -> bool:
        return True


def test_an_added_model_may_read_other_scripts(library: Path, photos: Path) -> None:
    encoder = Polyglot()
    update_library(library, [photos], encoder)
    answer = SearchEngine.open(library, load=lambda model: encoder).answer(SearchRequest(words=("红色",)))
    assert answer.not_understood is None
    assert names(answer.hits)[0] == "red.png"


def test_words_find_photos(engine: SearchEngine, photos: Path) -> None:
    best, *rest = engine.search("red")
    assert (best.rank, best.path, best.caption) == (1, photos / "red.png", None)
    # red.png is (1, 0, 0, 0.01) over its length 1.00005; "red" is (1, 0, 0, 0)
    assert best.score == pytest.approx(1 / np.sqrt(1.0001))
    assert [hit.score for hit in rest] == pytest.approx([0, 0])


def test_top_larger_than_the_gallery_gives_all_there_is(engine: SearchEngine) -> None:
    assert [hit.rank for hit in engine.search("red", top=1000)] == [1, 2, 3]
    assert len(engine.search("red", top=2)) == 2


def test_more_hits_than_one_statement_can_ask_for(
    engine: SearchEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = engine.search("red"), engine.search("red", gallery="captions")
    monkeypatch.setattr("twobranch.indexer.catalog.reader._IDS_A_STATEMENT", 2)  # of 3 photos and 4 captions
    assert (engine.search("red"), engine.search("red", gallery="captions")) == everything


def test_a_photo_finds_others_but_not_itself(engine: SearchEngine, photos: Path) -> None:
    assert sorted(names(engine.search(photos / "red.png", top=2))) == ["blue.png", "green.png"]


def test_links_to_the_query_photo_do_not_use_up_the_hits(
    engine: SearchEngine, photos: Path, library: Path, encoder: FakeEncoder
) -> None:
    for number in range(3):
        (photos / f"link{number}.png").symlink_to(photos / "red.png")
    update_library(library, [photos], encoder)
    with SearchEngine.open(library, load=lambda model: encoder) as later:
        assert sorted(names(later.search(photos / "red.png", top=2))) == ["blue.png", "green.png"]


def test_a_copy_elsewhere_is_another_photo(engine: SearchEngine, tmp_path: Path) -> None:
    outside = write_photo(tmp_path / "elsewhere.png", "red")
    assert names(engine.search(outside, top=1)) == ["red.png"]


def test_a_photo_finds_captions(engine: SearchEngine, photos: Path) -> None:
    hits = engine.search(photos / "red.png", gallery="captions", top=2)
    assert [(hit.caption, hit.path) for hit in hits] == [
        ("red", photos / "red.png"),
        ("red green", photos / "red.png"),
    ]


def test_a_caption_without_its_photo_is_found_too(engine: SearchEngine) -> None:
    (hit,) = engine.search("green", gallery="captions", top=1)
    assert (hit.caption, hit.path) == ("green", None)


def test_a_query_with_no_known_word_is_an_error(engine: SearchEngine) -> None:
    with pytest.raises(UserError, match="knows no word of this query: tigger"):
        engine.search("tigger")
    assert engine.search("red tigger")  # one known word is enough


def test_an_empty_library_gives_no_hits(library: Path, tmp_path: Path, encoder: FakeEncoder) -> None:
    (tmp_path / "nothing").mkdir()
    update_library(library, [tmp_path / "nothing"], encoder)
    with SearchEngine.open(library, load=lambda model: encoder) as engine:
        assert engine.search("red") == []


def test_a_library_that_lost_which_model_is_its_own(engine: SearchEngine, encoder: FakeEncoder) -> None:
    with sqlite3.connect(engine.library / "catalog.sqlite") as connection:
        connection.execute("DELETE FROM settings")
    with (
        SearchEngine.open(engine.library, load=lambda model: encoder) as damaged,
        pytest.raises(LibraryError, match=r"lost which model.*`doctor`"),
    ):
        _ = damaged.encoder


def test_no_library_at_all(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="index PATH"):
        SearchEngine.open(tmp_path / "none")


def test_a_model_that_is_gone_is_named(engine: SearchEngine) -> None:
    with (
        SearchEngine.open(engine.library) as real,
        pytest.raises(LibraryError, match="model fake, which is gone"),
    ):
        real.search("red")


def test_new_photos_are_found_by_an_engine_that_is_opened_later(
    engine: SearchEngine, photos: Path, library: Path, encoder: FakeEncoder
) -> None:
    write_photo(photos / "yellow.png", (255, 255, 0))
    update_library(library, [photos], encoder)
    with SearchEngine.open(library, load=lambda model: encoder) as later:
        assert names(later.search("red green", top=1, ranking="visual")) == ["yellow.png"]


def test_top_must_be_positive(engine: SearchEngine) -> None:
    with pytest.raises(ValueError, match="top is 0"):
        engine.search("red", top=0)


def calibrate(encoder: FakeEncoder, folder: Path, weak: float = 0.5, likely: float = 0.5) -> None:
    """Gives the model a folder with a calibration for words to photos: the logit is 8 * score - 4."""
    folder.mkdir(exist_ok=True)
    calibrated(line(weak=weak, likely=likely)).save(folder)
    encoder.folder = folder


def test_hits_carry_a_probability(engine: SearchEngine, encoder: FakeEncoder, tmp_path: Path) -> None:
    assert [hit.confidence for hit in engine.search("red")] == [None] * 3  # no calibration yet
    assert matches_well(engine.search("red"), engine.judge(parse_query(["red"]))) is None
    with pytest.raises(UserError, match="model fake has no calibration"):
        engine.search("red", min_confidence=0.5)
    calibrate(encoder, tmp_path / "model")
    with SearchEngine.open(engine.library, load=lambda model: encoder) as later:
        best, *others = later.search("red", ranking="visual")
        assert best.confidence == pytest.approx(1 / (1 + np.exp(-4)), abs=1e-3)  # score 1
        assert [hit.confidence for hit in others] == pytest.approx([1 / (1 + np.exp(4))] * 2, abs=1e-3)
        assert matches_well([best], later.judge(parse_query(["red"]))) is True
        assert matches_well(others, later.judge(parse_query(["red"]))) is False
        assert later.search("red", min_confidence=0.5, ranking="visual") == [best]
        assert later.search("red", min_confidence=1.0, ranking="visual") == []
        assert matches_well([], later.judge(parse_query(["red"]))) is False
        assert [hit.confidence for hit in later.search("red", gallery="captions")] == [None] * 4  # not fitted
        captions = later.search("red", gallery="captions")
        assert matches_well(captions, later.judge(parse_query(["red"]), "captions")) is None


def test_a_gallery_of_one_photo_and_one_full_of_right_answers(
    library: Path, encoder: FakeEncoder, tmp_path: Path
) -> None:
    calibrate(encoder, tmp_path / "model")
    write_photo(tmp_path / "photos" / "0.png", "red")
    update_library(library, [tmp_path / "photos"], encoder)
    with SearchEngine.open(library, load=lambda model: encoder) as engine:
        (only,) = engine.search("red")
    for number in range(1, 80):
        write_photo(tmp_path / "photos" / f"{number}.png", "red")
    update_library(library, [tmp_path / "photos"], encoder)
    with SearchEngine.open(library, load=lambda model: encoder) as engine:
        hits = engine.search("red", top=80)
    assert {hit.confidence for hit in hits} == {only.confidence}  # a burst makes no hit less likely


def test_an_open_engine_sees_what_is_committed_once_it_looks(
    engine: SearchEngine, photos: Path, library: Path, encoder: FakeEncoder
) -> None:
    assert len(engine.search("red")) == 3
    write_photo(photos / "rose.png", (200, 0, 0))
    update_library(library, [photos], encoder)
    assert len(engine.search("red")) == 3  # as it was opened
    engine.refresh()
    assert len(engine.search("red")) == 4
    before = engine.index("images")
    engine.refresh()  # nothing happened: nothing is opened anew
    assert engine.index("images") is before


def test_an_open_engine_changes_to_another_model(library: Path, photos: Path) -> None:
    encoders = {name: FakeEncoder(name, f"{name}-1") for name in ("old", "new")}
    update_library(library, [photos], encoders["old"])
    with SearchEngine.open(library, load=lambda model: encoders[model.name]) as engine:
        assert engine.encoder.name == "old"
        of_old = engine.locator
        assert engine.locator is of_old
        update_library(library, [photos], encoders["new"])
        engine.refresh()
        assert engine.encoder.name == "new"
        assert engine.locator is not of_old
        assert names(engine.search("red", top=1)) == ["red.png"]


def test_a_picture_that_is_nowhere_on_disk(engine: SearchEngine, encoder: FakeEncoder) -> None:
    picture = encoder.encode_texts(["green"])[0].tobytes()  # as if somebody had handed in a green one
    assert names(engine.search(Query((PictureTerm(picture),)), top=1)) == ["green.png"]


def test_a_hit_knows_its_photo(engine: SearchEngine) -> None:
    best = engine.search("red")[0]
    (caption, *_) = engine.search("red", gallery="captions")
    assert best.photo == caption.photo is not None
    assert (best.width, best.height, len(best.content or "")) == (8, 8, 16)


def test_after_how_many_hits_none_is_a_likely_match(
    engine: SearchEngine, encoder: FakeEncoder, tmp_path: Path
) -> None:
    query = parse_query(["red"])
    assert n_matching(engine.search(query)) is None  # no calibration
    calibrate(encoder, tmp_path / "model")
    with SearchEngine.open(engine.library, load=lambda model: encoder) as later:
        hits = later.search(query)
        # red.png is almost certain, the two that score 0 are below the 0.5 that `calibrate` calls weak
        assert n_matching(hits) == 1
        assert n_matching(hits[1:]) == 0


def test_the_line_is_drawn_after_the_likely_hits_or_else_after_those_that_perhaps_match(
    engine: SearchEngine, encoder: FakeEncoder, tmp_path: Path
) -> None:
    # "red" scores 1, 0, 0: confidences 98%, 2%, 2%
    expected = {
        (0.01, 0.9): (["likely", "perhaps", "perhaps"], 1),  # the line is after the likely one
        (0.01, 0.99): (["perhaps"] * 3, 3),  # no likely one: it is after all that perhaps match
        (0.99, 0.99): (["rest"] * 3, 0),
    }
    for (weak, likely), (tiers, line_after) in expected.items():
        calibrate(encoder, tmp_path / "model", weak, likely)
        with SearchEngine.open(engine.library, load=lambda model: encoder) as later:
            hits = later.search("red", ranking="visual")
            assert [hit.tier for hit in hits] == tiers
            assert n_matching(hits) == line_after
            by_date = later.search("red", sort="date", ranking="visual")
            assert {hit.id for hit in by_date} == {hit.id for hit in hits[:line_after]}  # the same decision
            assert matches_well(hits, later.judge(parse_query(["red"]))) is (line_after > 0)


def test_words_raise_confidence_as_they_raise_the_rank(
    engine: SearchEngine, encoder: FakeEncoder, tmp_path: Path
) -> None:
    calibrate(encoder, tmp_path / "model")
    with SearchEngine.open(engine.library, load=lambda model: encoder) as later:
        (visual,), (fused,) = (
            [hit for hit in later.search("red", ranking=ranking) if hit.path and hit.path.name == "red.png"]
            for ranking in ("visual", "fused")
        )
        assert visual.confidence == pytest.approx(1 / (1 + np.exp(-4)), abs=1e-3)  # score 1: logit 8 - 4
        assert fused.words is not None
        assert fused.words > 0.3  # its name and its captions
        assert fused.confidence == pytest.approx(1 / (1 + np.exp(-4 - 8 * fused.words)), abs=1e-3)


def test_names_with_some_of_the_words_make_a_match_less_likely_than_names_with_all(
    photos: Path, library: Path, encoder: FakeEncoder, tmp_path: Path
) -> None:
    """The folder has one of "norway" and "kayak": only a part of what it adds to the rank counts."""
    write_photo(photos / "Norway" / "red.png", "red")
    update_library(library, [photos], encoder)
    calibrate(encoder, tmp_path / "model")
    with SearchEngine.open(library, load=lambda model: encoder) as engine:
        for query, share in (("norway red", 1.0), ("norway kayak red", 2 / 3)):
            best = next(hit for hit in engine.search(query) if "Norway" in str(hit.path))
            assert best.words is not None and best.score is not None
            logit = 8 * (best.score + share * best.words) - 4
            assert best.confidence == pytest.approx(1 / (1 + np.exp(-logit)), abs=1e-3)


def test_words_that_no_picture_shows_find_the_photos_that_have_them(
    photos: Path, library: Path, encoder: FakeEncoder, tmp_path: Path
) -> None:
    write_photo(photos / "家族" / "red.png", "red")
    update_library(library, [photos], encoder)
    calibrate(encoder, tmp_path / "model")
    with SearchEngine.open(library, load=lambda model: encoder) as engine:
        (hit,) = engine.search("家族")
        assert "家族" in str(hit.path)
        assert hit.words == pytest.approx(0.3)  # its folder, in full
        assert hit.score == 0


def test_a_filter_passes_photos_that_are_newer_than_the_open_index(
    engine: SearchEngine, photos: Path, library: Path, encoder: FakeEncoder, tmp_path: Path
) -> None:
    calibrate(encoder, tmp_path / "model")
    with SearchEngine.open(library, load=lambda model: encoder) as later:
        later.search("red")
        write_photo(photos / "rose.png", (200, 0, 0))
        update_library(library, [photos], encoder)
        hits = later.search(parse_query(["red"], filters=Filters(formats=("png",))))
        assert "red.png" in names(hits)  # the filter lets rose.png pass, which the index lacks yet


def test_a_filter_makes_the_gallery_smaller(
    engine: SearchEngine, encoder: FakeEncoder, tmp_path: Path
) -> None:
    """The logit falls by one for each doubling of the gallery: filters are taken into account."""
    folder = tmp_path / "model"
    folder.mkdir()
    calibrated(line(log_n=-1 / np.log(2))).save(folder)
    encoder.folder = folder
    with SearchEngine.open(engine.library, load=lambda model: encoder) as later:
        query = parse_query(["red"], filters=Filters(paths=("red.png",)))
        (hit,) = later.search(query, ranking="visual")
        assert hit.confidence == pytest.approx(1 / (1 + np.exp(-4)), abs=1e-3)  # one photo: log 1 = 0
        best = later.search("red", ranking="visual")[0]
        assert best.confidence == pytest.approx(1 / (1 + np.exp(-4 + np.log2(3))), abs=1e-3)  # three photos


def test_what_pixels_cannot_answer_has_no_confidence(
    engine: SearchEngine, encoder: FakeEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calibrate(encoder, tmp_path / "model", weak=0.001)
    monkeypatch.setattr(encoder, "knows", lambda text, language=None: True)  # as a sentence encoder does
    with SearchEngine.open(engine.library, load=lambda model: encoder) as later:
        for words, reason in {
            "the of": "function_words",
            "xqzzt": "gibberish",
            "собака": "unknown_script",
            "?!": "no_words",
        }.items():
            answer = later.answer(SearchRequest(words=(words,)))
            assert answer.not_understood is not None
            assert answer.not_understood.reason == reason
            assert list(answer.hits) == []  # no name has these words
            assert answer.matches_well is False
        guess = later.answer(SearchRequest(words=("koira rannalla",)))
        assert guess.not_understood is not None
        assert {hit.confidence for hit in guess.hits} == {0.0}
        assert (guess.matches_well, guess.n_matching) == (False, 0)
        assert later.answer(SearchRequest(words=("red",))).not_understood is None
        captions = later.answer(SearchRequest(words=("собака",), gallery="captions"))
        assert captions.not_understood is None  # captions are searched by their meaning, and have no names

"""An evaluation of four photos that can be ranked by eye, against naive NumPy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.fakes import FakeEncoder, write_photo
from twobranch.common.errors import LibraryError, UserError
from twobranch.embedding.model_folder import sha256_file
from twobranch.indexer.catalog.tables import Catalog
from twobranch.indexer.update.library import update_library
from twobranch.retrieval.display.tables import history_table
from twobranch.retrieval.evaluation.evaluate import evaluate, history, history_json, ranks_among_hits
from twobranch.retrieval.evaluation.metrics import recall_at


@pytest.fixture
def catalog(library: Path, photos: Path, encoder: FakeEncoder, tmp_path: Path) -> Catalog:
    """red, green, blue with two captions each, one of them wrong; a distractor without captions."""
    write_photo(photos / "other-red.png", "red")
    captions = tmp_path / "captions.csv"
    captions.write_text(
        "image,caption,split\n"
        "red.png,red,test\nred.png,blue,test\n"
        "green.png,green,test\ngreen.png,green green,test\n"
        "blue.png,blue,dev\n"
    )
    update_library(library, [photos], encoder, captions=captions)
    return Catalog.open(library)


def test_metrics_by_hand(catalog: Catalog) -> None:
    result = evaluate(catalog, ks=[1, 2], split=None, command="test")
    assert (result.n_images, result.n_captions) == (3, 5)  # the distractor has no caption: not in the gallery
    # Text to image: "red", "green", "green green" and the last "blue" find their photo first. The "blue" of
    # red.png scores 0 with red.png, and so does green.png; blue.png is ahead: rank 1 + 2 = 3.
    assert result.text_ranks.tolist() == [1, 3, 1, 1, 1]
    assert result.metrics.text_to_image.recall == {1: 80, 2: 80}
    # Image to text, photos in the order of their ids (blue, green, red): blue.png's best caption ties with
    # the "blue" of red.png, and ties count against us.
    assert result.image_ranks.tolist() == [2, 1, 1]
    assert result.metrics.image_to_text.recall == {1: pytest.approx(200 / 3), 2: 100}
    assert result.agrees


def test_many_hits_are_asked_for_few_queries_at_a_time(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = evaluate(catalog, ks=[1, 2], split=None, command="test")
    # The three photos are all hits of a query: with room for 7, two of the five captions are asked at a time.
    # The five captions do not fit twice: one photo at a time.
    monkeypatch.setattr("twobranch.retrieval.evaluation.evaluate.MOST_HITS", 7)
    result = evaluate(catalog, ks=[1, 2], split=None, command="test")
    assert (result.metrics, result.exact) == (whole.metrics, whole.exact)


def test_a_split_is_evaluated_alone(catalog: Catalog) -> None:
    result = evaluate(catalog, ks=[1], split="test", command="test")
    assert (result.split, result.n_images, result.n_captions) == ("test", 2, 4)
    assert evaluate(catalog, ks=[1], split="val", command="test").split == "dev"


def test_train_takes_in_restval_as_index_does(
    library: Path, photos: Path, encoder: FakeEncoder, tmp_path: Path
) -> None:
    captions = tmp_path / "captions.csv"
    captions.write_text("image,caption,split\nred.png,red,train\nblue.png,blue,restval\n")
    update_library(library, [photos], encoder, captions=captions, split="train")
    assert evaluate(Catalog.open(library), ks=[1], split="train", command="test").n_images == 2


def test_a_model_that_changed_is_not_given_the_old_numbers(
    library: Path, photos: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    captions = tmp_path / "captions.csv"
    captions.write_text("image,caption\nred.png,red\n")
    update_library(
        library, [photos], FakeEncoder(str(model), sha256_file(model / "config.json")), captions=captions
    )
    assert evaluate(Catalog.open(library), ks=[1], split=None, command="test").n_images == 1
    (model / "config.json").write_text('{"retrained": true}')
    with pytest.raises(LibraryError, match="has changed since"):
        evaluate(Catalog.open(library), ks=[1], split=None, command="test")


def test_an_unknown_split_lists_those_there_are(catalog: Catalog) -> None:
    with pytest.raises(UserError, match=r"split 'train'.*dev \(1 captions\), test \(4 captions\)"):
        evaluate(catalog, ks=[1], split="train", command="test")


def test_photos_without_captions_cannot_be_evaluated(
    library: Path, photos: Path, encoder: FakeEncoder
) -> None:
    update_library(library, [photos], encoder)
    with pytest.raises(UserError, match="--captions FILE"):
        evaluate(Catalog.open(library), ks=[1], split=None, command="test")


def test_every_evaluation_is_kept(catalog: Catalog) -> None:
    first = evaluate(catalog, ks=[1, 2], split=None, command="cli.py eval")
    evaluate(catalog, ks=[1], split="test", command="cli.py eval --split test")
    rows = [history_json(row) for row in history(catalog)]
    assert [row["command"] for row in rows] == ["cli.py eval", "cli.py eval --split test"]
    stored = {key: rows[0][key] for key in ("rsum", "n_images", "n_captions", "split", "model")}
    assert stored == {key: first.as_json()[key] for key in stored}
    assert rows[0]["text_to_image"]["R@2"] == 80


def test_ranks_among_hits_agree_with_exact_ranks_wherever_the_hits_reach() -> None:
    rng = np.random.default_rng(0)
    scores = np.round(rng.random((50, 30)), 1).astype(np.float32)  # rounding makes ties
    gallery_items, items = rng.integers(0, 8, 30), rng.integers(0, 8, 50)
    positive = gallery_items == items[:, None]
    best = np.where(positive, scores, -1).max(axis=1)
    exact = 1 + ((scores >= best[:, None]) & ~positive).sum(axis=1)
    order = np.argsort(-scores, axis=1, kind="stable")
    found = ranks_among_hits(np.take_along_axis(scores, order, 1), gallery_items[order], items, exact)
    assert np.array_equal(found, exact)  # with all hits in view nothing may differ
    top = order[:, :10]
    cut = ranks_among_hits(np.take_along_axis(scores, top, 1), gallery_items[top], items, exact)
    visible = positive[np.arange(50)[:, None], top].any(axis=1)
    assert (cut[~visible] > 10).all()
    assert recall_at(cut, 5) >= recall_at(exact, 5)  # ties that are cut off cannot be counted


def test_an_evaluation_tells_that_photos_were_indexed_with_tta(
    library: Path, photos: Path, tmp_path: Path
) -> None:
    captions = tmp_path / "captions.csv"
    captions.write_text("image,caption\nred.png,red\n")
    update_library(library, [photos], FakeEncoder(tta=True), captions=captions)
    result = evaluate(Catalog.open(library), ks=[1], split=None, command="test").as_json()
    (row,) = [history_json(row) for row in history(Catalog.open(library))]
    assert [(facts["model"], facts["tta"]) for facts in (result, row)] == [("fake", True)] * 2
    assert "fake --tta" in history_table([row])

"""Ranks against the definition in a double loop, and cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twobranch.retrieval.evaluation import ranks as module
from twobranch.retrieval.evaluation.ranks import ranks, ranks_both_ways, ranks_from_scores


def exact_scores(queries: np.ndarray, gallery: np.ndarray) -> np.ndarray:
    """(Q, G) float32: inner products in float64, every one summed by itself, then rounded."""
    return np.array(
        [[np.float32(np.multiply(a, b, dtype=np.float64).sum()) for b in gallery] for a in queries]
    ).reshape(len(queries), len(gallery))


def naive_ranks(scores: np.ndarray, query_items, gallery_items) -> list[int]:
    """The definition word for word: 1 + number of negatives scoring >= the best positive."""
    result = []
    for row, item in zip(scores, query_items, strict=True):
        best = max(s for s, other in zip(row, gallery_items, strict=True) if other == item)
        rank = 1
        for score, other in zip(row, gallery_items, strict=True):
            if other != item and score >= best:
                rank += 1
        result.append(rank)
    return result


# --- by hand --------------------------------------------------------------------------------------


def test_ranks_by_hand():
    scores = np.array(
        [
            [0.9, 0.1, 0.5, 0.2],  # item 0 holds columns 0 and 1: the best, 0.9, beats all
            [0.9, 0.1, 0.5, 0.2],  # item 1 holds column 2: only 0.9 is above 0.5
            [0.3, 0.1, 0.2, 0.2],  # item 2 holds column 3: 0.3 is above, the 0.2 of column 2 ties against us
        ],
        dtype=np.float32,
    )
    gallery = np.eye(4, dtype=np.float32)  # so that the queries are the scores
    result = ranks(scores, gallery, [0, 1, 2], [0, 0, 1, 2])
    assert result.tolist() == ranks_from_scores(scores, [0, 1, 2], [0, 0, 1, 2]).tolist() == [1, 2, 3]
    assert result.dtype == np.int64
    # The other way, down the columns. Column 0: 0.9 is tied by row 1. Column 1: both others tie its 0.1.
    # Column 2: row 1 has 0.5, and so has row 0. Column 3: row 2 has 0.2, and so have both others.
    forward, backward = ranks_both_ways(scores, gallery, [0, 1, 2], [0, 0, 1, 2])
    assert forward.tolist() == [1, 2, 3]
    assert backward.tolist() == [2, 3, 2, 3]


def test_positives_do_not_push_each_other_down():
    # Five captions of one image, all tied at the top: the image finds one of them first.
    captions = np.array([[1.0]] * 5 + [[0.5]], dtype=np.float32)
    assert ranks(np.ones((1, 1), np.float32), captions, [7], [7] * 5 + [8]).tolist() == [1]
    assert ranks_from_scores([[1.0] * 5 + [0.5]], [7], [7] * 5 + [8]).tolist() == [1]


def test_a_gallery_of_several_tiles():
    # 5,000 one-number vectors score 0, 1, ... 4999 against [1]: item i has 4999 - i items above it.
    gallery = np.arange(5000, dtype=np.float32)[:, None]
    queries = np.ones((3, 1), dtype=np.float32)
    assert ranks(queries, gallery, [4999, 4096, 0], np.arange(5000)).tolist() == [1, 904, 5000]


# --- ties and near ties ---------------------------------------------------------------------------


@pytest.mark.parametrize("n_queries", [1, 7, 257])
@pytest.mark.parametrize("dimension", [256, 512])
def test_a_collapsed_model_comes_last(n_queries, dimension):
    # All vectors equal, so every negative ties: rank = size of the gallery. In float32 BLAS sums rows
    # in different orders, and the last bit would decide.
    vector = np.random.default_rng(0).normal(size=dimension).astype(np.float32)
    vector /= np.linalg.norm(vector)
    queries, gallery = np.tile(vector, (n_queries, 1)), np.tile(vector, (999, 1))
    assert set(ranks(queries, gallery, np.zeros(n_queries, int), np.arange(999)).tolist()) == {999}


def test_a_twin_of_each_photo_ties_against_it():
    # Photo i and its twin i + 200 are equal, with items of their own. The caption of i is the photo itself:
    # nothing scores higher, and both score the same: rank 2. Few enough pairs to be scored one by one.
    rng = np.random.default_rng(1)
    photos = rng.standard_normal((200, 512), dtype=np.float32)
    photos /= np.linalg.norm(photos, axis=1, keepdims=True)
    assert set(ranks(photos, np.tile(photos, (2, 1)), np.arange(200), np.arange(400)).tolist()) == {2}


def test_nearly_equal_vectors_are_ranked_by_their_exact_scores():
    # Gallery rows that differ in one number by some last bits score within 1e-6 of each other: far less than
    # float32 products are off by at most, 512 * 2^-24 = 3e-5, so all of the scores are computed again.
    rng = np.random.default_rng(2)
    queries = rng.standard_normal((20, 512), dtype=np.float32)
    gallery = np.tile(rng.standard_normal(512, dtype=np.float32), (60, 1))
    gallery[:, 0] *= 1 + rng.integers(0, 8, 60).astype(np.float32) * np.float32(2.0**-20)
    items, own = rng.integers(0, 60, 20), np.arange(60)
    expected = naive_ranks(exact_scores(queries, gallery), items, own)
    assert ranks(queries, gallery, items, own).tolist() == expected


numbers = st.one_of(
    st.integers(-2, 2).map(float),  # exact products, and many ties
    st.floats(-1, 1, width=32),
    st.sampled_from([1.0, 1 + 2**-23, 1 - 2**-24, 2.0**-30, 1e-40, 3e38]),  # neighbours, extremes
)


@given(st.data(), st.integers(1, 5), st.integers(1, 5))
def test_ranks_agree_with_the_definition(data, n_items, dimension):
    some = data.draw(
        st.lists(st.lists(numbers, min_size=dimension, max_size=dimension), min_size=1, max_size=4)
    )
    item = st.integers(0, n_items - 1)

    def side() -> tuple[np.ndarray, list[int]]:
        items = [*range(n_items), *data.draw(st.lists(item, max_size=9))]
        rows = [some[data.draw(st.integers(0, len(some) - 1))] for _ in items]  # so, duplicates
        return np.array(rows, dtype=np.float32), items

    (queries, query_items), (gallery, gallery_items) = side(), side()
    with np.errstate(over="ignore"):  # of 3e38
        scores = exact_scores(queries, gallery)
        forward, backward = ranks_both_ways(queries, gallery, query_items, gallery_items, block=3)
        alone = ranks(queries, gallery, query_items, gallery_items)
    assert forward.tolist() == alone.tolist() == naive_ranks(scores, query_items, gallery_items)
    assert ranks_from_scores(scores, query_items, gallery_items).tolist() == alone.tolist()
    assert backward.tolist() == naive_ranks(scores.T, gallery_items, query_items)


@pytest.mark.parametrize("noise", [0.0, 1e-7, 1e-5, 1e-2, 1.0])
@pytest.mark.parametrize("tile", [8, 4096])
def test_real_dimensions_agree_with_the_definition(noise, tile, monkeypatch):
    # 64 photos in 8 places, 130 captions near them: from ties over near ties to none.
    monkeypatch.setattr(module, "_TILE", tile)
    rng = np.random.default_rng(3)
    places = rng.standard_normal((8, 512), dtype=np.float32)
    rows = places[rng.integers(0, 8, 194)] + np.float32(noise) * rng.standard_normal(
        (194, 512), dtype=np.float32
    )
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    photos, captions = rows[:64], rows[64:]
    own, items = np.arange(64), np.arange(130) % 64
    scores = exact_scores(captions, photos)
    forward, backward = ranks_both_ways(captions, photos, items, own, block=50)
    assert forward.tolist() == naive_ranks(scores, items, own)
    assert backward.tolist() == naive_ranks(scores.T, own, items)


@given(st.integers(0, 2**32), st.integers(1, 600))
def test_float32_products_are_off_by_no_more_than_the_bar_allows(seed, dimension):
    # Vectors of one sign and of one size lose most: every sum is rounded by up to half a last bit.
    rng = np.random.default_rng(seed)
    a, b = (rng.uniform(0.5, 1, (9, dimension)).astype(np.float32) for _ in range(2))
    sides = module._sides(a, b, np.arange(9), np.arange(9))
    tile = module._Tile(sides)
    bar = module._Bar.around(tile.scores.diagonal(), *sides)
    assert (tile.products.diagonal() >= bar.low).all()
    assert (tile.products.diagonal() <= bar.high).all()


def test_progress_counts_every_query():
    done = []
    rows = np.ones((7, 2), np.float32)
    ranks_both_ways(rows, rows, np.arange(7), np.arange(7), block=3, advance=done.append)
    assert done == [3, 3, 1]


# --- what cannot be ranked ------------------------------------------------------------------------


def test_query_without_positive():
    with pytest.raises(ValueError, match="query 1 with item 5 has no positive"):
        ranks(np.zeros((2, 2), np.float32), np.zeros((2, 2), np.float32), [0, 5], [0, 1])
    with pytest.raises(ValueError, match="query 1 with item 5 has no positive"):
        ranks_from_scores(np.zeros((2, 2)), [0, 5], [0, 1])
    with pytest.raises(ValueError, match="no positive"):
        ranks(np.zeros((1, 3), np.float32), np.zeros((0, 3), np.float32), [0], np.zeros(0, int))
    with pytest.raises(ValueError, match="query 1 with item 5 has no positive"):  # the other way
        ranks_both_ways(np.zeros((1, 2), np.float32), np.zeros((2, 2), np.float32), [0], [0, 5])


def test_nan_scores():
    with pytest.raises(ValueError, match="NaN scores for query 1"):
        ranks_from_scores([[0.0, 1.0], [np.nan, 1.0]], [0, 1], [0, 1])


def test_no_queries():
    assert ranks(np.zeros((0, 3), np.float32), np.ones((2, 3), np.float32), [], [0, 1]).tolist() == []


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_vectors_that_are_not_finite(number):
    fine, strange = np.ones((2, 2), np.float32), np.array([[1, 1], [1, number]], np.float32)
    with pytest.raises(ValueError, match="query vector 1 is not finite"):
        ranks(strange, fine, [0, 1], [0, 1])
    with pytest.raises(ValueError, match="gallery vector 1 is not finite"):
        ranks(fine, strange, [0, 1], [0, 1])


def test_shapes_that_do_not_fit_are_both_named():
    with pytest.raises(ValueError, match=r"\(2, 3\) for 2 query items and 2 gallery items"):
        ranks_from_scores(np.zeros((2, 3)), [0, 1], [0, 1])
    four, three = np.zeros((2, 4), np.float32), np.zeros((2, 3), np.float32)
    with pytest.raises(ValueError, match=r"\(2, 4\) do not fit a gallery of shape \(2, 3\)"):
        ranks(four, three, [0, 1], [0, 1])
    with pytest.raises(ValueError, match="3 query items for 2 query vectors"):
        ranks(three, three, [0, 1, 1], [0, 1])
    with pytest.raises(ValueError, match="1 gallery items for 2 gallery vectors"):
        ranks(three, three, [0, 1], [0])


def test_block_must_be_positive():
    one = np.ones((1, 1), np.float32)
    with pytest.raises(ValueError, match="block of 0"):
        ranks(one, one, [0], [0], block=0)

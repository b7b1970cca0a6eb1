"""Metrics against cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twobranch.retrieval.evaluation.metrics import (
    Difference,
    Interval,
    QueryRanks,
    metric_differences,
    recall_at,
    retrieval_metrics,
)

# --- recall ---------------------------------------------------------------------------------------


def test_recall_by_hand():
    # Of ranks 1, 2, 5, 11: one is at most 1, three at most 5 and 10, all at most 100.
    assert [recall_at([1, 2, 5, 11], k) for k in (1, 5, 10, 100)] == [25.0, 75.0, 75.0, 100.0]


def test_recall_of_nothing():
    with pytest.raises(ValueError, match="recall@1 of 0 ranks"):
        recall_at([], 1)
    with pytest.raises(ValueError, match="recall@0 of 1 ranks"):
        recall_at([1], 0)


@given(st.lists(st.integers(1, 50), min_size=1), st.integers(1, 60), st.integers(1, 60))
def test_recall_grows_with_k(some_ranks, k, other):
    low, high = sorted((k, other))
    assert 0 <= recall_at(some_ranks, low) <= recall_at(some_ranks, high) <= 100


# --- both directions ------------------------------------------------------------------------------


def test_metrics_by_hand():
    # Two images, two captions each.
    metrics = retrieval_metrics(
        image_ranks=[1, 3], image_items=[10, 20], caption_ranks=[1, 1, 2, 1], caption_items=[10, 10, 20, 20]
    )
    forward, backward = metrics.text_to_image, metrics.image_to_text
    assert (forward.n_queries, forward.n_gallery) == (4, 2)
    assert (backward.n_queries, backward.n_gallery) == (2, 4)
    assert forward.recall == {1: 75.0, 5: 100.0, 10: 100.0}
    assert backward.recall == {1: 50.0, 5: 100.0, 10: 100.0}
    assert (forward.median_rank, forward.mean_rank) == (1.0, 1.25)
    assert (backward.median_rank, backward.mean_rank) == (2.0, 2.0)
    assert metrics.rsum == 75 + 100 + 100 + 50 + 100 + 100
    # A resample holds image 10 twice, both, or image 20 twice, with chances 1/4, 1/2, 1/4. Forward R@1 is
    # then 100, 75 or 50, backward 100, 50 or 0; each end has more than 2.5 %, so it ends the interval.
    assert forward.interval[1] == Interval(50.0, 100.0)
    assert backward.interval[1] == Interval(0.0, 100.0)
    assert forward.interval[5] == Interval(100.0, 100.0)
    # Both directions share the draw, so the ends add up: 50 + 0 + 400 and 100 + 100 + 400.
    assert metrics.rsum_interval == Interval(450.0, 600.0)


def test_rsum_does_not_depend_on_ks():
    arguments = ([1, 7], [0, 1], [2, 1], [0, 1])
    few, usual = retrieval_metrics(*arguments, ks=(3,)), retrieval_metrics(*arguments)
    assert few.text_to_image.recall == {3: 100.0}
    assert few.image_to_text.recall == {3: 50.0}
    assert (few.rsum, few.rsum_interval) == (usual.rsum, usual.rsum_interval)


def test_k_larger_than_the_gallery():
    metrics = retrieval_metrics([2, 1], [0, 1], [2, 2], [0, 1], ks=(100,))
    assert metrics.text_to_image.recall == metrics.image_to_text.recall == {100: 100.0}


def test_intervals_know_that_captions_of_one_image_are_not_independent():
    # 200 images with 5 captions, all five right or all five wrong, half of each: R@1 = 50. The standard
    # error is 100 * sqrt(0.25 / 200) = 3.5, so 95 % is about 50 +- 6.9; 1,000 independent captions
    # would give +- 3.1.
    right = np.arange(200) % 2 == 0
    image_ranks = np.where(right, 1, 50)
    metrics = retrieval_metrics(image_ranks, np.arange(200), image_ranks.repeat(5), np.arange(200).repeat(5))
    interval = metrics.text_to_image.interval[1]
    assert metrics.text_to_image.recall[1] == 50.0
    assert interval.low == pytest.approx(50 - 6.9, abs=1)
    assert interval.high == pytest.approx(50 + 6.9, abs=1)


def test_intervals_are_repeatable_and_the_seed_matters():
    rng = np.random.default_rng(1)
    arguments = (rng.integers(1, 20, 50), np.arange(50), rng.integers(1, 20, 90), np.arange(90) % 50)
    assert retrieval_metrics(*arguments, seed=3) == retrieval_metrics(*arguments, seed=3)
    assert retrieval_metrics(*arguments, seed=3) != retrieval_metrics(*arguments, seed=4)


def test_items_must_be_on_both_sides():
    with pytest.raises(ValueError, match="1 items are only on one side, such as 2"):
        retrieval_metrics([1, 1], [0, 2], [1], [0])


def test_ranks_and_items_must_fit():
    with pytest.raises(ValueError, match=r"ranks of shape \(2,\) for items of shape \(1,\)"):
        retrieval_metrics([1, 1], [0], [1], [0])
    with pytest.raises(ValueError, match=r"ranks of shape \(0,\)"):
        retrieval_metrics([], [], [], [])


# --- two models -----------------------------------------------------------------------------------


def of_ten_and_twenty(images: list[int], captions: list[int]) -> QueryRanks:
    """Ranks of the images 10 and 20, and of two captions of each."""
    items = np.array([10, 20])
    return QueryRanks(np.array(images), items, np.array(captions), items.repeat(2))


def test_differences_by_hand():
    better, worse = of_ten_and_twenty([1, 1], [1, 1, 1, 1]), of_ten_and_twenty([1, 3], [1, 1, 2, 1])
    differences = metric_differences(better, worse)
    # Text to image 100 - 75, image to text 100 - 50. A resample holds image 10 twice, both, or image 20
    # twice: the differences are then 0, 25 or 50, and 0, 50 or 100. R@5 and R@10 are 100 for both.
    assert differences.text_to_image[1] == Difference(25.0, Interval(0.0, 50.0))
    assert differences.image_to_text[1] == Difference(50.0, Interval(0.0, 100.0))
    assert differences.text_to_image[5] == differences.image_to_text[10] == Difference(0, Interval(0, 0))
    assert differences.rsum == Difference(75.0, Interval(0.0, 150.0))
    assert metric_differences(worse, better).rsum == Difference(-75.0, Interval(-150.0, 0.0))


def test_both_models_have_the_same_draws():
    # Half of 200 photos are easy and half hard for both models; one of each five captions is found by ours
    # alone, of every photo. So each draw of photos has the same difference, 20: the interval is a point,
    # though each model's own interval is 8 wide.
    items = np.arange(200)
    found = np.array([[1, 50, 50, 50, 50], [1, 1, 50, 50, 50]])  # ranks of a hard photo: theirs, ours
    easy = np.array([[1, 1, 1, 1, 50], [1, 1, 1, 1, 1]])
    theirs, ours = (
        QueryRanks(
            np.ones(200, dtype=np.int64),
            items,
            np.where(items[:, None] % 2 == 0, easy[model], found[model]).ravel(),
            items.repeat(5),
        )
        for model in (0, 1)
    )
    difference = metric_differences(ours, theirs).text_to_image[1]
    assert (difference.value, difference.interval.low, difference.interval.high) == pytest.approx(
        (20, 20, 20)
    )
    alone = retrieval_metrics(theirs.images, items, theirs.captions, theirs.caption_items)
    assert alone.text_to_image.interval[1].high - alone.text_to_image.interval[1].low > 6


def test_differences_are_those_of_the_metrics():
    rng = np.random.default_rng(2)
    items, caption_items = np.arange(50), np.arange(90) % 50
    one, other = (
        QueryRanks(rng.integers(1, 20, 50), items, rng.integers(1, 20, 90), caption_items) for _ in range(2)
    )
    differences = metric_differences(one, other, ks=(3,))
    ours, theirs = (
        retrieval_metrics(ranks.images, items, ranks.captions, caption_items, ks=(3,))
        for ranks in (one, other)
    )
    assert differences.rsum.value == pytest.approx(ours.rsum - theirs.rsum)
    assert list(differences.text_to_image) == [3]
    assert differences.image_to_text[3].value == pytest.approx(
        ours.image_to_text.recall[3] - theirs.image_to_text.recall[3]
    )


def test_other_queries_cannot_be_compared():
    one = of_ten_and_twenty([1, 1], [1, 1, 1, 1])
    fewer = QueryRanks(one.images, one.image_items, one.captions[:3], one.caption_items[:3])
    others = QueryRanks(one.images, one.image_items + 1, one.captions, one.caption_items + 1)
    for other in (fewer, others):
        with pytest.raises(ValueError, match="not the same queries"):
            metric_differences(one, other)

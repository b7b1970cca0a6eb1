from __future__ import annotations

import itertools

import numpy as np
import pytest

from benchmarks.classlabels import caption_words, chance_precision, naming_group
from twobranch.retrieval.evaluation.metrics import average_precision

CAPTIONS = caption_words(
    ["Two dogs , a Golden Retriever and a cat's toy", "Red fire", "engine of a truck", "Wolves"]
)


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("golden retriever", "named"),
        ("dog", "named"),  # in the plural
        ("wolf", "named"),
        ("Labrador retriever", "partly"),
        ("fire engine", "partly"),  # the two words stand in different captions
        ("espresso", "never"),
        ("truckle", "never"),  # whole words only
    ],
)
def test_how_captions_name_a_class(name: str, group: str) -> None:
    assert naming_group(name, CAPTIONS) == group


def test_average_precision_by_hand() -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.6], dtype=np.float32)
    # The relevant ones are second and third: (1/2 + 2/3) / 2.
    assert average_precision(scores, np.array([False, True, True, False])) == pytest.approx(7 / 12)


def test_a_tie_counts_against_the_relevant() -> None:
    equal = np.zeros(3, dtype=np.float32)
    assert average_precision(equal, np.array([True, False, False])) == pytest.approx(1 / 3)


@pytest.mark.parametrize(("gallery", "relevant"), [(4, 1), (5, 2), (4, 4)])
def test_chance_is_the_mean_over_all_orders(gallery: int, relevant: int) -> None:
    scores = -np.arange(gallery, dtype=np.float32)
    orders = [
        average_precision(scores, np.isin(np.arange(gallery), chosen))
        for chosen in itertools.combinations(range(gallery), relevant)
    ]
    assert chance_precision(gallery, relevant) == pytest.approx(np.mean(orders))
